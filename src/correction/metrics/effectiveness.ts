import type { Curve } from '../../contract/rows.ts';

/**
 * Forget effectiveness by area: FE = 1 − ∫₀¹ min(1, p̄(uK)/p̄(0)) du, by trapezoids over the curve's points; u = step/K.
 * p̄ is the mean of π(T|s) over held-out states of the region. 0 for a curve of one point (nothing was done), null where p̄(0) is 0 or unknown.
 * `before` is p̄(0), the base's: a curve that begins elsewhere, as that of a training from scratch does, is measured against it, too.
 */
export function forgetEffectiveness({ step, value }: Curve, before: number | null): number | null {
  const first = before ?? 0;
  const last = step.at(-1) ?? 0;
  if (first === 0) return null;
  if (last === 0) return 0;
  const ratio = value.map((p) => Math.min(1, (p ?? first) / first));
  let area = 0;
  for (let i = 1; i < step.length; i++) area += ((step[i]! - step[i - 1]!) / last) * 0.5 * (ratio[i]! + ratio[i - 1]!);
  return Math.max(0, 1 - area); // rounding may leave the area a hair above 1
}

/** 1 − p̄(after)/p̄(before); negative where the toxic thing is done more often, null where nothing is known or there was nothing to forget. */
export function finalEffectiveness(before: number | null, after: number | null): number | null {
  return before !== null && before > 0 && after !== null ? 1 - after / before : null;
}

/**
 * Retain stability index, one-sided and range-normalised: RSI = max(0, 1 − max(0, R0 − R′)/(R0 − R_random)).
 * One-sided: a better policy is not unstable. Range-normalised: right for negative returns, too.
 * A base no better than random has nothing to keep: 1 if R′ ≥ R0, else 0.
 */
export function retainStability(base: number, corrected: number, random: number): number {
  const lost = Math.max(0, base - corrected);
  if (base <= random) return lost === 0 ? 1 : 0;
  return Math.max(0, 1 - lost / (base - random));
}
