import type { Shape } from '../engine.ts';
import { type Linear, linears } from '../layout.ts';

/** Numbers per SIMD vector. */
export const LANES = 4;
export const FLOAT_BYTES = 4;
export const VECTOR_BYTES = LANES * FLOAT_BYTES;
const LINE_BYTES = 64;

/** Hands out byte addresses, upwards, in whole cache lines: kernels may write to the end of one. 0 is never one, it means "none". */
export class Arena {
  top = LINE_BYTES;

  /** The address of `length` numbers. */
  take(length: number): number {
    const at = this.top;
    this.top += Math.ceil((length * FLOAT_BYTES) / LINE_BYTES) * LINE_BYTES;
    return at;
  }
}

/** Vectors that hold `length` numbers, the last one padded. */
function vectorsOf(length: number): number {
  return Math.ceil(length / LANES);
}

/**
 * One matrix product of a network: a hidden layer or a head. Over a shared trunk both heads are one product with rows
 * [logits | value | padding], so a layer is one or two linear maps side by side.
 * All but counts are byte addresses, or steps in bytes between rows.
 */
export interface Layer {
  readonly maps: readonly Linear[];
  readonly inputs: number;
  /** Columns, without padding. */
  readonly outputs: number;
  /** Vectors per row of W, y and dz. */
  readonly vectors: number;
  /** Vectors per row of Wᵀ and dx. */
  readonly inputVectors: number;
  readonly squashed: boolean;
  /** Whose output it reads; without one it reads the observation. */
  readonly below: Layer | undefined;
  /** W and b have padding or more than one map, so they are copies of the flat parameters, made anew when those change. */
  readonly packed: boolean;
  readonly w: number;
  readonly b: number;
  /** A packed layer's gradient before it is scattered. */
  readonly dW: number;
  readonly db: number;
  /** Wᵀ [outputs, 4·inputVectors], made anew when the parameters change. */
  readonly transposed: number;
  /** Its input in the last `forward`: fixed but for a layer that reads the observation, which may lie anywhere. */
  x: number;
  readonly xStep: number;
  /** Output, and dL/d(output before tanh): [maxRows, 4·vectors]. */
  readonly y: number;
  readonly dz: number;
  readonly step: number;
  /** dL/d(observation), [maxRows, 4·inputVectors], of a layer that reads it. */
  readonly dx: number;
}

/** Lays the layers of `shape` into `arena`, in an order of computation; `params` is the address of the flat parameters. */
export function planLayers(shape: Shape, maxRows: number, params: number, arena: Arena): Layer[] {
  const maps = linears(shape);
  const hidden = maps.filter(({ squashed }) => squashed).map((map) => [map]);
  const heads = maps.filter(({ squashed }) => !squashed);
  const layers: Layer[] = [];
  for (const group of [...hidden, ...(shape.separate ? heads.map((head) => [head]) : [heads])]) {
    layers.push(planLayer(group, layers[group[0]!.reads], maxRows, params, arena));
  }
  return layers;
}

function planLayer(maps: readonly Linear[], below: Layer | undefined, maxRows: number, params: number, arena: Arena): Layer {
  const { inputs, squashed, weights, bias } = maps[0]!;
  const outputs = maps.reduce((sum, map) => sum + map.outputs, 0);
  const vectors = vectorsOf(outputs);
  const inputVectors = vectorsOf(inputs);
  const packed = maps.length > 1 || outputs % LANES !== 0;
  const matrix = inputs * vectors * LANES;
  const row = vectors * LANES;
  return {
    maps,
    inputs,
    outputs,
    vectors,
    inputVectors,
    squashed,
    below,
    packed,
    w: packed ? arena.take(matrix) : params + weights * FLOAT_BYTES,
    b: packed ? arena.take(row) : params + bias * FLOAT_BYTES,
    dW: packed ? arena.take(matrix) : 0,
    db: packed ? arena.take(row) : 0,
    transposed: arena.take(outputs * inputVectors * LANES),
    x: below?.y ?? 0,
    xStep: below?.step ?? inputs * FLOAT_BYTES,
    y: arena.take(maxRows * row),
    dz: arena.take(maxRows * row),
    step: vectors * VECTOR_BYTES,
    dx: below === undefined ? arena.take(maxRows * inputVectors * LANES) : 0,
  };
}
