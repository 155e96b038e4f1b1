import type { Outputs } from '../math/distribution.ts';
import type { Floats, Head, Network } from '../math/engine.ts';
import type { Constraint } from './constraint.ts';

/** A set of observations, [count, obsDim] row-major. */
export interface States {
  readonly obs: Float32Array;
  readonly count: number;
}

/** Sends any number of states through a network, at most `maxRows` at a time; `read` sees the head's row `i` as state `first + i`. */
export function forEachHead(network: Network, states: States, read: (head: Head, row: number, state: number) => void): void {
  const { obsDim } = network.shape;
  for (let first = 0; first < states.count; first += network.maxRows) {
    const rows = Math.min(network.maxRows, states.count - first);
    const head = network.forward(states.obs.subarray(first * obsDim, (first + rows) * obsDim), rows);
    for (let i = 0; i < rows; i++) read(head, i, first + i);
  }
}

export function outputs(network: Network, states: States): Outputs {
  const { actions } = network.shape;
  const out = { logits: new Float64Array(states.count * actions), value: new Float64Array(states.count), logStd: new Float64Array(0) };
  forEachHead(network, states, (head, row, state) => {
    for (let a = 0; a < actions; a++) out.logits[state * actions + a] = head.logits[row * head.stride + a]!;
    out.value[state] = head.value[row * head.valueStride]!;
    if (state === 0) out.logStd = Float64Array.from(head.logStd);
  });
  return out;
}

/** π(T|s) of every state. */
export function toxicProbabilities(
  network: Network,
  states: States,
  { policy, toxic }: Pick<Constraint, 'policy' | 'toxic'>,
): Float64Array {
  const p = new Float64Array(states.count);
  forEachHead(network, states, (head, row, state) => {
    p[state] = policy.probability(head, row, toxic(states.obs, state));
  });
  return p;
}

/** How far the policy is from `reference`, row by row, in every state: `measure` is a Distribution's `kl` or `totalVariation`. */
export function divergences(
  network: Network,
  states: States,
  reference: Outputs,
  measure: (reference: Outputs, at: number, head: Head, row: number) => number,
): Float64Array {
  const out = new Float64Array(states.count);
  forEachHead(network, states, (head, row, state) => {
    out[state] = measure(reference, state, head, row);
  });
  return out;
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
