import { logSoftmax, toxicProbability } from '../math/categorical.ts';
import type { Floats, Network } from '../math/engine.ts';

/** A set of observations, [count, obsDim] row-major. */
export interface States {
  readonly obs: Float32Array;
  readonly count: number;
}

/** Base outputs to hold on to. Shapes: logits [count, actions], value [count]. */
export interface Outputs {
  readonly logits: Float64Array;
  readonly value: Float64Array;
}

/** Sends any number of states through a network, at most `maxRows` at a time; `read` sees the head's row `i` as state `first + i`. */
export function forEachHead(
  network: Network,
  states: States,
  read: (head: ReturnType<Network['forward']>, row: number, state: number) => void,
): void {
  const { obsDim } = network.shape;
  for (let first = 0; first < states.count; first += network.maxRows) {
    const rows = Math.min(network.maxRows, states.count - first);
    const head = network.forward(states.obs.subarray(first * obsDim, (first + rows) * obsDim), rows);
    for (let i = 0; i < rows; i++) read(head, i, first + i);
  }
}

export function outputs(network: Network, states: States): Outputs {
  const { actions } = network.shape;
  const out = { logits: new Float64Array(states.count * actions), value: new Float64Array(states.count) };
  forEachHead(network, states, (head, row, state) => {
    for (let a = 0; a < actions; a++) out.logits[state * actions + a] = head.logits[row * head.stride + a]!;
    out.value[state] = head.value[row * head.valueStride]!;
  });
  return out;
}

/** π(T|s) of every state. Shapes: toxic (bit masks) and result [count]. */
export function toxicProbabilities(network: Network, states: States, toxic: (obs: Float32Array, row: number) => number): Float64Array {
  const p = new Float64Array(states.count);
  const { actions } = network.shape;
  forEachHead(network, states, (head, row, state) => {
    p[state] = toxicProbability(head.logits, row * head.stride, actions, toxic(states.obs, state));
  });
  return p;
}

/**
 * Σ_a term(log π0(a|s), log π(a|s)) of every state: KL, total variation and their like.
 * Shapes: reference logits [count, actions], result [count].
 */
export function divergences(
  network: Network,
  states: States,
  reference: Outputs,
  term: (logP0: number, logP: number) => number,
): Float64Array {
  const { actions } = network.shape;
  const p = new Float64Array(actions);
  const p0 = new Float64Array(actions);
  const sums = new Float64Array(states.count);
  forEachHead(network, states, (head, row, state) => {
    logSoftmax(head.logits, row * head.stride, actions, 0, p);
    logSoftmax(reference.logits, state * actions, actions, 0, p0);
    for (let a = 0; a < actions; a++) sums[state] = sums[state]! + term(p0[a]!, p[a]!);
  });
  return sums;
}

/** The mean of numbers summed in order; null of none. */
export function mean(x: ArrayLike<number>): number | null {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += x[i]!;
  return x.length > 0 ? sum / x.length : null;
}

/** Every state whose index is in `indices`. */
export function pick(source: Floats, width: number, indices: readonly number[]): Float32Array {
  const out = new Float32Array(indices.length * width);
  indices.forEach((index, i) => {
    for (let j = 0; j < width; j++) out[i * width + j] = source[index * width + j]!;
  });
  return out;
}
