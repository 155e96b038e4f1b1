/**
 * What a correction descends to keep a policy as it is, and what all its losses share. Each is a mean over the head's rows
 * [from, from + count), times `weight`; it adds its cotangents to the head's and returns its value without the weight.
 * Derivatives are checked against float64 autograd and finite differences. What is to go is in forget/.
 */
import { logSoftmax } from '../math/categorical.ts';
import { exp } from '../math/elementary.ts';
import type { Head } from '../math/engine.ts';
import type { Outputs } from './states.ts';

export interface Rows {
  readonly head: Head;
  readonly actions: number;
  readonly from: number;
  readonly count: number;
}

/** Zeroes the cotangents of rows [0, rows), so that losses can add theirs. */
export function clearCotangents({ head, actions }: Pick<Rows, 'head' | 'actions'>, rows: number): void {
  for (let i = 0; i < rows; i++) {
    for (let a = 0; a < actions; a++) head.dLogits[i * head.stride + a] = 0;
    head.dValue[i * head.valueStride] = 0;
  }
}

/**
 * τ²·mean KL(π0^τ‖π^τ), π^τ = softmax(z/τ): at temperature τ = 1 the plain KL(π0‖π) = Σ_a π0(a|s) (log π0(a|s) − log π(a|s)).
 *   ∂/∂z_j = τ (π^τ_j − π0^τ_j)
 * Row i is compared with row i of `reference`.
 * Source of the temperature: Hinton et al., arXiv:1503.02531.
 */
export function klToBase({ head, actions, from, count }: Rows, reference: Outputs, weight: number, temperature = 1): number {
  const logProb = new Float64Array(actions);
  const base = new Float64Array(actions);
  const z = new Float64Array(actions);
  const z0 = new Float64Array(actions);
  const scale = (weight * temperature) / count;
  let loss = 0;
  for (let i = 0; i < count; i++) {
    const at = (from + i) * head.stride;
    for (let a = 0; a < actions; a++) {
      z[a] = head.logits[at + a]! / temperature;
      z0[a] = reference.logits[i * actions + a]! / temperature;
    }
    logSoftmax(z, 0, actions, 0, logProb);
    logSoftmax(z0, 0, actions, 0, base);
    for (let a = 0; a < actions; a++) {
      const p0 = exp(base[a]!);
      loss += p0 * (base[a]! - logProb[a]!);
      head.dLogits[at + a] = head.dLogits[at + a]! + scale * (exp(logProb[a]!) - p0);
    }
  }
  return (temperature * temperature * loss) / count;
}

/** mean ½(V − V0)²: with a shared trunk the value moves although its head is frozen. */
export function valueToBase({ head, from, count }: Rows, reference: Outputs, weight: number): number {
  let loss = 0;
  for (let i = 0; i < count; i++) {
    const at = (from + i) * head.valueStride;
    const error = head.value[at]! - reference.value[i]!;
    loss += 0.5 * error * error;
    head.dValue[at] = head.dValue[at]! + (weight * error) / count;
  }
  return loss / count;
}
