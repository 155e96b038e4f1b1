import type { Shape } from './engine.ts';

/** One linear map y = x W + b of a network; offsets count numbers in the flat parameter vector. */
export interface Linear {
  readonly name: string;
  readonly inputs: number;
  readonly outputs: number;
  /** Where W [inputs][outputs] begins. */
  readonly weights: number;
  /** Where b [outputs] begins. */
  readonly bias: number;
  /** Index of the linear map whose output it reads; -1 is the observation. */
  readonly reads: number;
  /** Hidden layers squash, h = tanh(y); heads do not. */
  readonly squashed: boolean;
}

/** One named array inside the flat parameter vector, row-major. */
export interface Entry {
  readonly name: string;
  readonly shape: readonly number[];
  readonly offset: number;
}

/** The linear maps of a network in the order of its parameters, which is also an order of computation: hidden layers, policy head, value head. */
export function linears(shape: Shape): Linear[] {
  const maps: Linear[] = [];
  let offset = 0;
  const push = (name: string, inputs: number, outputs: number, reads: number, squashed: boolean): number => {
    maps.push({ name, inputs, outputs, weights: offset, bias: offset + inputs * outputs, reads, squashed });
    offset += (inputs + 1) * outputs;
    return maps.length - 1;
  };
  const tower = (name: string): number =>
    shape.hidden.reduce((below, width, i) => push(`${name}.${i}`, maps[below]?.outputs ?? shape.obsDim, width, below, true), -1);

  const policy = tower(shape.separate ? 'policy' : 'trunk');
  const value = shape.separate ? tower('value') : policy;
  const last = shape.hidden.at(-1) ?? shape.obsDim;
  push('policyHead', last, shape.actions, policy, false);
  push('valueHead', last, 1, value, false);
  return maps;
}

/**
 * Names, shapes and offsets of everything in the flat parameter vector, in its order and without gaps.
 *   shared:   trunk.0.W, trunk.0.b, ..., policyHead.W, policyHead.b, valueHead.W, valueHead.b, [logStd]
 *   separate: policy.0.W, policy.0.b, ..., value.0.W, value.0.b, ..., policyHead.W, ..., valueHead.b, [logStd]
 * and where it is normalised then observation.shift, observation.scale.
 */
export function layout(shape: Shape): Entry[] {
  const entries = linears(shape).flatMap(({ name, inputs, outputs, weights, bias }) => [
    { name: `${name}.W`, shape: [inputs, outputs], offset: weights },
    { name: `${name}.b`, shape: [outputs], offset: bias },
  ]);
  if (shape.gaussian) entries.push({ name: 'logStd', shape: [shape.actions], offset: weightCount(shape) });
  const { shift, scale, count } = affine(shape);
  if (count > 0) {
    entries.push(
      { name: 'observation.shift', shape: [count], offset: shift },
      { name: 'observation.scale', shape: [count], offset: scale },
    );
  }
  return entries;
}

/** Length of the flat parameter vector. */
export function size(shape: Shape): number {
  const { shift, count } = affine(shape);
  return shift + 2 * count;
}

/** Where the frozen first layer's shift and scale begin, `count` numbers each: none where the shape has no such layer. */
export function affine(shape: Shape): { shift: number; scale: number; count: number } {
  const shift = weightCount(shape) + (shape.gaussian ? shape.actions : 0);
  const count = shape.normalised ? shape.obsDim : 0;
  return { shift, scale: shift + count, count };
}

/** Parameters of the linear maps alone: where `logStd` begins. */
export function weightCount(shape: Shape): number {
  return linears(shape).reduce((n, { inputs, outputs }) => n + (inputs + 1) * outputs, 0);
}
