/**
 * The forget objectives where actions are continuous and T(s) is a half-space. With u = ±(μ_d − c)/σ_d, how far the mean lies inside,
 *   π(T|s) = Φ(u),  1 − π(T|s) = Φ(−u),  ∂u/∂μ_d = ±1/σ_d,  ∂u/∂ log σ_d = −u
 * so that most of them are the formula of their discrete namesake in log π(T|s) and log(1 − π(T|s)).
 * Units: those of the action, as the policy draws it. Derivatives are checked against float64 autograd and finite differences.
 */
import type { HalfSpace } from '../../contract/spec.ts';
import { depth } from '../../math/distribution.ts';
import { exp, log, log1p } from '../../math/elementary.ts';
import { LOG_SQRT_2PI, logNormalCdf, normalHazard } from '../../math/normal.ts';
import type { ForgetKnobs, ForgetObjective, ForgetRows } from './objective.ts';

/** A row's value, and its slope in u and (beyond the way through u) in every log σ. */
interface Share {
  readonly value: number;
  readonly slope: number;
  readonly spread: number;
}

/** How far inside the mean of row i lies, of the policy now and of the base (NaN for an objective that does not ask for it). */
interface Depths {
  readonly now: number;
  readonly base: number;
}

type Formula = (depths: Depths, rows: ForgetRows, knobs: ForgetKnobs) => Share;

/** An objective that is a function of u (and of the policy's entropy). */
const ofDepth = (name: ForgetObjective['name'], source: string, needsBase: boolean, formula: Formula): ForgetObjective => ({
  name,
  source,
  needsBase,
  descend: (rows, knobs, weight) => {
    const { head, from, count, toxic, base, policy } = rows;
    const origin = needsBase ? { ...known(base, name), stride: policy.actions } : null;
    let loss = 0;
    for (let i = 0; i < count; i++) {
      const T = policy.halfSpaces[toxic[i]! - 1]!;
      const now = depth(T, head, from + i);
      const before = origin === null ? Number.NaN : depth(T, origin, i);
      const { value, slope, spread } = formula({ now, base: before }, rows, knobs);
      loss += value;
      push(rows, T, from + i, (weight * slope) / count, now);
      for (let d = 0; d < policy.actions; d++) head.dLogStd[d] = head.dLogStd[d]! + (weight * spread) / count;
    }
    return loss / count;
  },
});

function known<T>(base: T | null, name: string): T {
  if (base === null) throw new TypeError(`${name}: expected the outputs of the base, got none`);
  return base;
}

/** Adds slope·∂u to the cotangents of one row. */
function push({ head }: ForgetRows, { dimension, above }: HalfSpace, row: number, slope: number, u: number): void {
  const at = row * head.stride + dimension;
  head.dLogits[at] = head.dLogits[at]! + (above ? slope : -slope) * exp(-head.logStd[dimension]!);
  head.dLogStd[dimension] = head.dLogStd[dimension]! - slope * u;
}

/** log π(T|s) ± λH, H = Σ log σ + ½ log 2πe */
const logProbability =
  (sign: number): Formula =>
  ({ now }, { head, policy }, { entropy }) => {
    let H = 0;
    if (entropy !== 0) for (let d = 0; d < policy.actions; d++) H += head.logStd[d]! + LOG_SQRT_2PI + 0.5;
    return { value: logNormalCdf(now) + sign * entropy * H, slope: normalHazard(now), spread: sign * entropy };
  };

const literal = ofDepth('literal', 'Takács & Gulyás 2025, phase 2', false, logProbability(1));
const signfix = ofDepth('signfix', 'doctoral-research/rl-unlearning, trajectory-selective forgetting (MIT)', false, logProbability(-1));

/** −log Φ(−u) */
const unlikelihood = ofDepth('unlikelihood', 'Welleck et al., arXiv:1908.04319', false, ({ now }) => ({
  value: -logNormalCdf(-now),
  slope: normalHazard(-now),
  spread: 0,
}));

/** (2/β) log(1 + (π(T)/π0(T))^β) */
const npo = ofDepth('npo', 'Zhang et al., arXiv:2404.05868', true, ({ now, base }, _rows, { npoBeta: beta }) => {
  const exponent = beta * (logNormalCdf(now) - logNormalCdf(base));
  const size = exp(-Math.abs(exponent)); // of the smaller of ρ^β and its inverse, so that nothing overflows
  const slope = (2 * (exponent > 0 ? 1 : size)) / (1 + size);
  return { value: (2 / beta) * (Math.max(exponent, 0) + log1p(size)), slope: slope * normalHazard(now), spread: 0 };
});

/** relu(log Φ(u) − log Φ(−u) + m): zero exactly where π(T|s) <= ε. */
const margin = ofDepth('margin', 'ours; a hinge on the log-odds of T', false, ({ now }, _rows, { marginEpsilon }) => {
  const gap = logNormalCdf(now) - logNormalCdf(-now) + log((1 - marginEpsilon) / marginEpsilon);
  return gap <= 0 ? { value: 0, slope: 0, spread: 0 } : { value: gap, slope: normalHazard(now) + normalHazard(-now), spread: 0 };
});

/**
 * −H of the Gaussian cut off at T:  H = Σ log σ + ½ log 2πe + log Φ(b) − ½ b h, b = −u, h = φ(b)/Φ(b);  ∂H/∂b = ½ h (1 + b² + b h)
 */
const diversity = ofDepth(
  'diversity',
  'ours; the entropy bonus that cannot pull a toxic action back',
  false,
  ({ now }, { head, policy }) => {
    const b = -now;
    const h = normalHazard(b);
    let H = logNormalCdf(b) - 0.5 * b * h;
    for (let d = 0; d < policy.actions; d++) H += head.logStd[d]! + LOG_SQRT_2PI + 0.5;
    return { value: -H, slope: 0.5 * h * (1 + b * b + b * h), spread: -1 };
  },
);

/**
 * −E log π under the base cut off at T, whose mean and variance are m = μ0 ∓ σ0 h, v = σ0² (1 − b h − h²) in dimension d (b, h of the base) and μ0, σ0² elsewhere:
 *   Σ log σ + ½ log 2π + (v + (m − μ)²)/(2σ²);   ∂/∂μ = (μ − m)/σ²;   ∂/∂ log σ = 1 − (v + (m − μ)²)/σ²
 */
const renormalised: ForgetObjective = {
  name: 'renormalised',
  source: 'CE-U, arXiv:2503.01224, with the base for target',
  needsBase: true,
  descend: ({ head, from, count, toxic, base, policy }, _knobs, weight) => {
    const { logits, logStd } = known(base, 'renormalised');
    const { actions } = policy;
    let loss = 0;
    for (let i = 0; i < count; i++) {
      const T = policy.halfSpaces[toxic[i]! - 1]!;
      const b = -depth(T, { logits, stride: actions, logStd }, i);
      const h = normalHazard(b);
      for (let d = 0; d < actions; d++) {
        const at = (from + i) * head.stride + d;
        const s0 = exp(logStd[d]!);
        const cut = d === T.dimension;
        const m = logits[i * actions + d]! - (cut ? (T.above ? 1 : -1) * s0 * h : 0);
        const v = s0 * s0 * (cut ? 1 - b * h - h * h : 1);
        const precision = exp(-2 * head.logStd[d]!);
        const gap = head.logits[at]! - m;
        const spread = (v + gap * gap) * precision;
        loss += head.logStd[d]! + LOG_SQRT_2PI + 0.5 * spread;
        head.dLogits[at] = head.dLogits[at]! + (weight * gap * precision) / count;
        head.dLogStd[d] = head.dLogStd[d]! + (weight * (1 - spread)) / count;
      }
    }
    return loss / count;
  },
};

/** In the order of their discrete namesakes. */
export const HALF_SPACE_OBJECTIVES: readonly ForgetObjective[] = [literal, signfix, unlikelihood, npo, renormalised, margin, diversity];
