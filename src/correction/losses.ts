/**
 * What a correction descends. Each loss is a sum over the head's rows [from, from + count), divided by `count`, times `weight`;
 * it adds its cotangents to the head's and returns its value. T is a bit mask of toxic actions per row.
 * Derivatives are checked against float64 autograd and finite differences.
 */
import { everyAction, logSoftmax, logSumExp } from '../math/categorical.ts';
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
export function clearCotangents({ head, actions }: Omit<Rows, 'from' | 'count'>, rows: number): void {
  for (let i = 0; i < rows; i++) {
    for (let a = 0; a < actions; a++) head.dLogits[i * head.stride + a] = 0;
    head.dValue[i * head.valueStride] = 0;
  }
}

/**
 * mean (log π(a|s) + λ H(π(·|s))), descended: the paper's forget loss as printed.
 *   ∂ log π(a)/∂z_j = 1[j = a] − π_j        ∂H/∂z_j = −π_j (log π_j + H)
 * Descending λH lowers the entropy, which the paper says it prevents (correction of the sign is `signfix`, later).
 * Source: Takács & Gulyás 2025, phase 2.
 */
export function literal({ head, actions, from, count }: Rows, action: Int32Array, entropy: number, weight: number): number {
  const logProb = new Float64Array(actions);
  let loss = 0;
  for (let i = 0; i < count; i++) {
    const at = (from + i) * head.stride;
    logSoftmax(head.logits, at, actions, 0, logProb);
    let H = 0;
    for (let a = 0; a < actions; a++) H -= exp(logProb[a]!) * logProb[a]!;
    loss += logProb[action[i]!]! + entropy * H;
    for (let a = 0; a < actions; a++) {
      const p = exp(logProb[a]!);
      const d = (a === action[i] ? 1 : 0) - p - entropy * p * (logProb[a]! + H);
      head.dLogits[at + a] = head.dLogits[at + a]! + (weight * d) / count;
    }
  }
  return (weight * loss) / count;
}

/**
 * mean −log(1 − π(T|s)) = mean (LSE z − LSE_notT z).
 *   ∂/∂z_j = π_j for j in T;  π_j − π_j/(1 − π(T)) otherwise: proportional to π(T), so it ends by itself.
 * Source: Welleck et al., arXiv:1908.04319.
 */
export function unlikelihood({ head, actions, from, count }: Rows, toxic: Int32Array, weight: number): number {
  const all = everyAction(actions);
  let loss = 0;
  for (let i = 0; i < count; i++) {
    const at = (from + i) * head.stride;
    const whole = logSumExp(head.logits, at, actions, all);
    const rest = logSumExp(head.logits, at, actions, all & ~toxic[i]!);
    loss += whole - rest;
    for (let a = 0; a < actions; a++) {
      const z = head.logits[at + a]!;
      const d = exp(z - whole) - ((toxic[i]! >>> a) & 1 ? 0 : exp(z - rest));
      head.dLogits[at + a] = head.dLogits[at + a]! + (weight * d) / count;
    }
  }
  return (weight * loss) / count;
}

/**
 * mean relu(LSE_T z − LSE_notT z + m): zero exactly where π(T|s) <= ε, for m = log((1 − ε)/ε).
 *   where active, ∂/∂z_j = softmax over T for j in T, −softmax over notT otherwise: a push that does not fade.
 */
export function margin({ head, actions, from, count }: Rows, toxic: Int32Array, m: number, weight: number): number {
  const all = everyAction(actions);
  let loss = 0;
  for (let i = 0; i < count; i++) {
    const at = (from + i) * head.stride;
    const inside = logSumExp(head.logits, at, actions, toxic[i]!);
    const rest = logSumExp(head.logits, at, actions, all & ~toxic[i]!);
    const gap = inside - rest + m;
    if (gap <= 0) continue;
    loss += gap;
    for (let a = 0; a < actions; a++) {
      const z = head.logits[at + a]!;
      const d = (toxic[i]! >>> a) & 1 ? exp(z - inside) : -exp(z - rest);
      head.dLogits[at + a] = head.dLogits[at + a]! + (weight * d) / count;
    }
  }
  return (weight * loss) / count;
}

/**
 * mean KL(π0‖π) = mean Σ_a π0(a|s) (log π0(a|s) − log π(a|s));  ∂/∂z_j = π_j − π0_j.
 * Row i is compared with row i of `reference`.
 */
export function klToBase({ head, actions, from, count }: Rows, reference: Outputs, weight: number): number {
  const logProb = new Float64Array(actions);
  const base = new Float64Array(actions);
  let loss = 0;
  for (let i = 0; i < count; i++) {
    const at = (from + i) * head.stride;
    logSoftmax(head.logits, at, actions, 0, logProb);
    logSoftmax(reference.logits, i * actions, actions, 0, base);
    for (let a = 0; a < actions; a++) {
      const p0 = exp(base[a]!);
      loss += p0 * (base[a]! - logProb[a]!);
      head.dLogits[at + a] = head.dLogits[at + a]! + (weight * (exp(logProb[a]!) - p0)) / count;
    }
  }
  return (weight * loss) / count;
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
  return (weight * loss) / count;
}
