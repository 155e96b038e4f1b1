import type { PpoOptions } from '../contract/ppo.ts';
import type { Actions, Distribution } from '../math/distribution.ts';
import { exp } from '../math/elementary.ts';
import type { Floats, Head } from '../math/engine.ts';

/** What a rollout remembers of each transition; every array [numSteps · numEnvs], `action` [numSteps · numEnvs, width]. */
export interface Transitions {
  /** As drawn: a continuous one neither clipped nor moved out of T. */
  readonly action: Actions;
  /** T(s): actions that were forbidden when the action was drawn; 0 without a mask. */
  readonly forbidden: Int32Array;
  readonly logProb: Float64Array;
  readonly advantage: Floats;
  readonly value: Floats;
  readonly valueTarget: Floats;
}

/** Means over the rows of one minibatch (core detail 12). */
export interface LossStats {
  loss: number;
  policyLoss: number;
  valueLoss: number;
  entropy: number;
  /** k3 estimator, mean((r − 1) − log r): http://joschu.net/blog/kl-approx.html */
  approxKl: number;
  clipFraction: number;
}

type LossOptions = Pick<PpoOptions, 'normAdv' | 'clipVloss' | 'entCoef' | 'vfCoef'> & { readonly clipCoef: number | null };

/**
 * PPO's loss over one minibatch, and its cotangents.
 *   L = mean max(−Â r, −Â clip(r, 1−ε, 1+ε)) + vfCoef · mean ½(V − G)² − entCoef · mean H
 *   r = π(a|s)/π_old(a|s);  Â = (A − mean A)/(std A + 1e-8), sample std ÷(n−1) (torch; jax divides by n), over the minibatch
 * With `clipVloss` the value term is ½ max((V − G)², (V_old + clip(V − V_old, ±ε) − G)²).
 * Shapes: head rows 0..n-1 belong to the transitions `rows`. Writes the head's cotangents, `stats`, and Â into `advantage` [n].
 * Source: Schulman et al., arXiv:1707.06347 eq. 7 and 9; CleanRL ppo.py.
 */
export function ppoLoss(
  head: Head,
  batch: Transitions,
  rows: Int32Array,
  policy: Distribution,
  options: LossOptions,
  advantage: Float64Array,
  stats: LossStats,
): void {
  const { clipCoef, entCoef, vfCoef } = options;
  const n = rows.length;
  head.dLogStd.fill(0);
  for (let i = 0; i < n; i++) advantage[i] = batch.advantage[rows[i]!]!;
  if (options.normAdv && n > 1) normalise(advantage, n);
  let policyLoss = 0;
  let valueLoss = 0;
  let entropy = 0;
  let approxKl = 0;
  let clipped = 0;
  for (let i = 0; i < n; i++) {
    const t = rows[i]!;
    policy.read(head, i, batch.forbidden[t]!);
    const logRatio = policy.logProb(batch.action, t * policy.width) - batch.logProb[t]!;
    const ratio = exp(logRatio);
    const A = advantage[i]!;
    const limited = clipCoef === null ? ratio : Math.min(Math.max(ratio, 1 - clipCoef), 1 + clipCoef);
    const plain = -A * ratio;
    policyLoss += Math.max(plain, -A * limited);
    const dLogProb = plain >= -A * limited ? plain / n : 0; // d/dlogπ of −A·r is −A·r; the clipped branch is flat
    approxKl += ratio - 1 - logRatio;
    if (ratio !== limited) clipped++;

    entropy += policy.entropy();
    policy.pull(dLogProb, entCoef, n);

    const V = head.value[i * head.valueStride]!;
    const error = V - batch.valueTarget[t]!;
    let half = 0.5 * error * error;
    let dV = error;
    if (options.clipVloss && clipCoef !== null) {
      const old = batch.value[t]!;
      const moved = Math.min(Math.max(V - old, -clipCoef), clipCoef);
      const clippedError = old + moved - batch.valueTarget[t]!;
      if (0.5 * clippedError * clippedError > half) {
        half = 0.5 * clippedError * clippedError;
        dV = moved === V - old ? clippedError : 0;
      }
    }
    valueLoss += half;
    head.dValue[i * head.valueStride] = (vfCoef * dV) / n;
  }
  stats.policyLoss = policyLoss / n;
  stats.valueLoss = valueLoss / n;
  stats.entropy = entropy / n;
  stats.approxKl = approxKl / n;
  stats.clipFraction = clipped / n;
  stats.loss = stats.policyLoss + vfCoef * stats.valueLoss - entCoef * stats.entropy;
}

/** In place: zero mean, unit sample standard deviation, over the first n numbers. */
function normalise(x: Float64Array, n: number): void {
  let sum = 0;
  for (let i = 0; i < n; i++) sum += x[i]!;
  const mean = sum / n;
  let squares = 0;
  for (let i = 0; i < n; i++) squares += (x[i]! - mean) * (x[i]! - mean);
  const std = Math.sqrt(squares / (n - 1)) + 1e-8;
  for (let i = 0; i < n; i++) x[i] = (x[i]! - mean) / std;
}
