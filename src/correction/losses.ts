/**
 * What a correction descends to keep a policy as it is, and what all its losses share. Each is a mean over the head's rows
 * [from, from + count), times `weight`; it adds its cotangents to the head's and returns its value without the weight.
 * Derivatives are checked against float64 autograd and finite differences. What is to go is in forget/.
 */
import { logSoftmax } from '../math/categorical.ts';
import type { Outputs } from '../math/distribution.ts';
import { exp } from '../math/elementary.ts';
import type { Head } from '../math/engine.ts';

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
  head.dLogStd.fill(0);
}

/**
 * τ²·mean KL(π0^τ‖π^τ), π^τ = softmax(z/τ): at temperature τ = 1 the plain KL(π0‖π) = Σ_a π0(a|s) (log π0(a|s) − log π(a|s)).
 *   ∂/∂z_j = τ (π^τ_j − π0^τ_j)
 * Row i is compared with row i of `reference`. A Gaussian at temperature τ has σ√τ, as π^(1/τ) renormalised has.
 * Source of the temperature: Hinton et al., arXiv:1503.02531.
 */
export function klToBase(rows: Rows, reference: Outputs, weight: number, temperature = 1): number {
  const { head, actions, from, count } = rows;
  if (head.logStd.length > 0) return klToGaussian(rows, reference, weight, temperature);
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

/**
 * τ²·mean KL(N(μ0, τσ0²)‖N(μ, τσ²)) = τ²·mean Σ log σ/σ0 + ½ (σ0² + (μ − μ0)²/τ)/σ² − ½.
 *   ∂/∂μ = τ (μ − μ0)/σ²;  ∂/∂ log σ = τ² (1 − (σ0² + (μ − μ0)²/τ)/σ²)
 */
function klToGaussian({ head, actions, from, count }: Rows, reference: Outputs, weight: number, temperature: number): number {
  const scale = weight / count;
  let loss = 0;
  for (let i = 0; i < count; i++) {
    for (let d = 0; d < actions; d++) {
      const at = (from + i) * head.stride + d;
      const precision = exp(-2 * head.logStd[d]!);
      const gap = head.logits[at]! - reference.logits[i * actions + d]!;
      const ratio = reference.logStd[d]! - head.logStd[d]!;
      const spread = exp(2 * ratio) + (gap * gap * precision) / temperature;
      loss += 0.5 * (spread - 1) - ratio;
      head.dLogits[at] = head.dLogits[at]! + scale * temperature * gap * precision;
      head.dLogStd[d] = head.dLogStd[d]! + scale * temperature * temperature * (1 - spread);
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
