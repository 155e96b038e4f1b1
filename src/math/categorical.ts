/** The categorical distribution over logits of one row. `forbidden` is a bit mask of actions that are masked out: their probability is 0, the rest renormalised. */
import { exp, log } from './elementary.ts';
import type { Floats } from './engine.ts';

/**
 * out[a] = log π(a|s) = z_a − max z − log Σ_b exp(z_b − max z), over the actions that are not forbidden; −∞ for those that are.
 * Shapes: logits from `at`, `actions` numbers; out [actions].
 */
export function logSoftmax(logits: Floats, at: number, actions: number, forbidden: number, out: Float64Array): void {
  let max = -Infinity;
  for (let a = 0; a < actions; a++) if (!((forbidden >>> a) & 1) && logits[at + a]! > max) max = logits[at + a]!;
  let sum = 0;
  for (let a = 0; a < actions; a++) {
    const shifted = (forbidden >>> a) & 1 ? -Infinity : logits[at + a]! - max;
    out[a] = shifted;
    sum += exp(shifted);
  }
  const logSum = log(sum);
  for (let a = 0; a < actions; a++) out[a] = out[a]! - logSum;
}

/** The bit mask of all of `actions` actions, at most 31. */
export const everyAction = (actions: number): number => (1 << actions) - 1;

/** log Σ exp z over the actions of the bit mask `among`; −∞ where it is empty. */
export function logSumExp(logits: Floats, at: number, actions: number, among: number): number {
  let max = -Infinity;
  for (let a = 0; a < actions; a++) if ((among >>> a) & 1 && logits[at + a]! > max) max = logits[at + a]!;
  if (max === -Infinity) return max;
  let sum = 0;
  for (let a = 0; a < actions; a++) if ((among >>> a) & 1) sum += exp(logits[at + a]! - max);
  return max + log(sum);
}

/** The action at which the cumulated probabilities pass `u` in [0, 1). */
export function sampleAction(logProb: Float64Array, actions: number, u: number): number {
  let cumulated = 0;
  let last = 0;
  for (let a = 0; a < actions; a++) {
    if (logProb[a]! === -Infinity) continue;
    last = a;
    cumulated += exp(logProb[a]!);
    if (u < cumulated) return a;
  }
  return last; // rounding left the sum a hair below u
}

/** The most probable action; the first of equals. */
export function greedyAction(logits: Floats, at: number, actions: number, forbidden: number): number {
  let best = -1;
  for (let a = 0; a < actions; a++) {
    if ((forbidden >>> a) & 1) continue;
    if (best < 0 || logits[at + a]! > logits[at + best]!) best = a;
  }
  return best;
}

/** π(T|s) = exp(LSE_T z − LSE z) for the bit mask `toxic`. */
export function toxicProbability(logits: Floats, at: number, actions: number, toxic: number): number {
  if (toxic === 0) return 0;
  return exp(logSumExp(logits, at, actions, toxic) - logSumExp(logits, at, actions, everyAction(actions)));
}
