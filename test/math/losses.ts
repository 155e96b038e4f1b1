/**
 * Each loss and its cotangents on the head, as plainly as they can be said, in float64. What the project's losses must equal.
 * Every loss is a mean over the B rows, so every cotangent carries 1/B. π = softmax(z); T is the set of toxic actions.
 */
import type { Case } from './golden.ts';

/** What a loss reads. Shapes: z (logits or means) [B][actions], value [B], logStd [actions] or []. */
export interface Rows {
  readonly z: number[][];
  readonly value: number[];
  readonly logStd: number[];
}

export interface Cotangents {
  readonly loss: number;
  readonly dz: number[][];
  readonly dValue: number[];
  readonly dLogStd: number[];
}

export type Loss = (data: Case, rows: Rows) => Cotangents;

/** One row's share: its loss and cotangents, before the 1/B. */
interface Share {
  readonly loss: number;
  readonly dz?: number[];
  readonly dValue?: number;
  readonly dLogStd?: number[];
}

const sum = (x: readonly number[]) => x.reduce((a, b) => a + b, 0);

function mean(shareOf: (data: Case, rows: Rows, r: number) => Share): Loss {
  return (data, rows) => {
    const B = rows.value.length;
    const shares = rows.z.map((_, r) => shareOf(data, rows, r));
    return {
      loss: sum(shares.map(({ loss }) => loss)) / B,
      dz: shares.map(({ dz }, r) => rows.z[r]!.map((_, j) => (dz?.[j] ?? 0) / B)),
      dValue: shares.map(({ dValue }) => (dValue ?? 0) / B),
      dLogStd: rows.logStd.map((_, j) => sum(shares.map(({ dLogStd }) => dLogStd?.[j] ?? 0)) / B),
    };
  };
}

/** log Σ exp z over the actions where `where` is not 0. */
function logSumExp(z: readonly number[], where: readonly number[] = z.map(() => 1)): number {
  const top = Math.max(...z.filter((_, j) => where[j] !== 0));
  return top + Math.log(sum(z.map((zj, j) => (where[j] === 0 ? 0 : Math.exp(zj - top)))));
}

/** softmax(z) over the actions where `where` is not 0, and 0 elsewhere. */
function softmax(z: readonly number[], where: readonly number[] = z.map(() => 1)): number[] {
  const total = logSumExp(z, where);
  return z.map((zj, j) => (where[j] === 0 ? 0 : Math.exp(zj - total)));
}

const toxic = (data: Case, r: number) => data.toxicMask![r]!;
const allowed = (data: Case, r: number) => toxic(data, r).map((t) => 1 - t);

/** log π(a|s).  dz_j = 1[j = a] − π_j;  Gaussian: dμ = (a − μ)/σ², dlogσ = (a − μ)²/σ² − 1. */
function logProbOf(data: Case, { z, logStd }: Rows, r: number): Required<Omit<Share, 'dValue'>> {
  const zr = z[r]!;
  const a = data.action[r]!;
  if (typeof a === 'number') {
    const pi = softmax(zr);
    return { loss: zr[a]! - logSumExp(zr), dz: pi.map((p, j) => (j === a ? 1 : 0) - p), dLogStd: [] };
  }
  const precision = logStd.map((s) => Math.exp(-2 * s));
  const error = a.map((aj, j) => aj - zr[j]!);
  const squared = error.map((e, j) => e * e * precision[j]!);
  return {
    loss: -sum(squared.map((e, j) => e / 2 + logStd[j]! + Math.log(2 * Math.PI) / 2)),
    dz: error.map((e, j) => e * precision[j]!),
    dLogStd: squared.map((e) => e - 1),
  };
}

/** H(π).  dz_j = −π_j (log π_j + H);  Gaussian: H = Σ logσ + ½ log 2πe, dlogσ = 1. `where` restricts the actions. */
function entropyOf({ z, logStd }: Rows, r: number, where?: readonly number[]): Required<Omit<Share, 'dValue'>> {
  const zr = z[r]!;
  if (logStd.length > 0) {
    return { loss: sum(logStd.map((s) => s + Math.log(2 * Math.PI * Math.E) / 2)), dz: zr.map(() => 0), dLogStd: logStd.map(() => 1) };
  }
  const pi = softmax(zr, where);
  const H = -sum(pi.map((p) => (p === 0 ? 0 : p * Math.log(p))));
  return { loss: H, dz: pi.map((p) => (p === 0 ? 0 : -p * (Math.log(p) + H))), dLogStd: [] };
}

/** mean log π(a|s) */
export const logProb: Loss = mean(logProbOf);

/** mean H(π(·|s)) */
export const entropy: Loss = mean((_, rows, r) => entropyOf(rows, r));

/** mean H(π(·|s, a ∉ T)) */
export const conditionalEntropy: Loss = mean((data, rows, r) => entropyOf(rows, r, allowed(data, r)));

/** mean ½(V − Vold)².  dV = V − Vold */
export const valueDistil: Loss = mean((data, { value }, r) => {
  const error = value[r]! - data.oldValue[r]!;
  return { loss: (error * error) / 2, dValue: error };
});

/** mean KL(π0‖π), π0 = softmax(ref).  dz = π − π0;  Gaussian: π0 has mean ref and the recorded logStd + 0.1. */
export const klDistil: Loss = mean((data, { z, logStd }, r) => {
  const zr = z[r]!;
  const ref = data.ref[r]!;
  if (logStd.length === 0) {
    const pi = softmax(zr);
    const pi0 = softmax(ref);
    return { loss: sum(pi0.map((p, j) => p * Math.log(p / pi[j]!))), dz: pi.map((p, j) => p - pi0[j]!) };
  }
  const s0 = data.params.find(({ name }) => name === 'logStd')!.values.map((s) => s + 0.1);
  const spread = logStd.map((s, j) => (Math.exp(2 * s0[j]!) + (ref[j]! - zr[j]!) ** 2) * Math.exp(-2 * s));
  return {
    loss: sum(spread.map((w, j) => logStd[j]! - s0[j]! + w / 2 - 1 / 2)),
    dz: zr.map((mu, j) => (mu - ref[j]!) * Math.exp(-2 * logStd[j]!)),
    dLogStd: spread.map((w) => 1 - w),
  };
});

/** mean −log(1 − P), P = π(T|s).  dz_j = π_j (1[j ∈ T] − P) / (1 − P) */
export const unlikelihood: Loss = mean((data, { z }, r) => {
  const t = toxic(data, r);
  const pi = softmax(z[r]!);
  const P = sum(pi.map((p, j) => p * t[j]!));
  return { loss: -Math.log(1 - P), dz: pi.map((p, j) => (p * (t[j]! - P)) / (1 - P)) };
});

/** mean (2/β) log(1 + ρ^β), ρ = π(a)/π0(a), β = 0.1.  d log π(a) = 2 ρ^β / (1 + ρ^β) */
export const npo: Loss = mean((data, rows, r) => {
  const beta = 0.1;
  const { loss, dz } = logProbOf(data, rows, r);
  const reference = logProbOf(data, { ...rows, z: data.ref as number[][] }, r).loss;
  const power = Math.exp(beta * (loss - reference));
  return { loss: (2 / beta) * Math.log(1 + power), dz: dz.map((d) => (d * 2 * power) / (1 + power)) };
});

/** mean −Σ π̃0 log π, π̃0 ∝ π0 off T, 0 on T.  dz = π − π̃0 */
export const renormalisedTarget: Loss = mean((data, { z }, r) => {
  const zr = z[r]!;
  const target = softmax(data.ref[r]!, allowed(data, r));
  const total = logSumExp(zr);
  return { loss: -sum(target.map((p, j) => p * (zr[j]! - total))), dz: softmax(zr).map((p, j) => p - target[j]!) };
});

/** mean relu(LSE_T z − LSE_notT z + m), m = log(0.99 / 0.01).  dz = softmax_T − softmax_notT where it is positive */
export const margin: Loss = mean((data, { z }, r) => {
  const zr = z[r]!;
  const t = toxic(data, r);
  const excess = logSumExp(zr, t) - logSumExp(zr, allowed(data, r)) + Math.log(0.99 / 0.01);
  if (excess <= 0) return { loss: 0 };
  const off = softmax(zr, allowed(data, r));
  return { loss: excess, dz: softmax(zr, t).map((p, j) => p - off[j]!) };
});

/**
 * mean max(−A ρ, −A clip(ρ, 0.8, 1.2)) + mean value loss − 0.01 mean H, ρ = π(a)/πold(a), A normalised by mean and std (÷(n − 1)), + 1e-8.
 * Value loss: ½(V − target)², or with `clip` ½ max((V − target)², (Vc − target)²), Vc = Vold + clip(V − Vold, ±0.2).
 */
function ppoWith(clipValue: boolean): Loss {
  return mean((data, rows, r) => {
    const n = data.advantage.length;
    const center = sum(data.advantage as number[]) / n;
    const std = Math.sqrt(sum(data.advantage.map((a) => (a - center) ** 2)) / (n - 1));
    const A = (data.advantage[r]! - center) / (std + 1e-8);
    const p = logProbOf(data, rows, r);
    const H = entropyOf(rows, r);
    const ratio = Math.exp(p.loss - data.oldLogProb[r]!);
    const clipped = Math.min(Math.max(ratio, 0.8), 1.2);
    const slope = -A * ratio >= -A * clipped ? -A * ratio : 0; // d(policy loss)/d log π(a); the clipped branch is flat
    const error = rows.value[r]! - data.valueTarget[r]!;
    const old = data.oldValue[r]!;
    const bounded = old + Math.min(Math.max(rows.value[r]! - old, -0.2), 0.2) - data.valueTarget[r]!;
    const useBounded = clipValue && Math.abs(rows.value[r]! - old) > 0.2 && bounded * bounded > error * error; // flat out there
    return {
      loss: Math.max(-A * ratio, -A * clipped) + (useBounded ? bounded * bounded : error * error) / 2 - 0.01 * H.loss,
      dz: p.dz.map((d, j) => slope * d - 0.01 * H.dz[j]!),
      dValue: useBounded ? 0 : error,
      dLogStd: p.dLogStd.map((d, j) => slope * d - 0.01 * H.dLogStd[j]!),
    };
  });
}

export const ppo = ppoWith(false);
export const ppoValueClip = ppoWith(true);

/** By the names of the recording. The Gaussian `halfSpace` is missing: it needs Φ, which belongs to the strategy that uses it. */
export const losses: Readonly<Record<string, Loss>> = {
  ppo,
  ppoValueClip,
  logProb,
  entropy,
  valueDistil,
  klDistil,
  unlikelihood,
  npo,
  renormalisedTarget,
  margin,
  conditionalEntropy,
};
