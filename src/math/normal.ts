/** The standard normal distribution, tails included: its probabilities are needed as logarithms, where they themselves have long become 0. */
import { exp, log, log1p } from './elementary.ts';

export const LOG_SQRT_2PI = 0.9189385332046727;
const SQRT_2PI = 2.5066282746310002;

/** Below, the series; from here up the continued fraction, whose last level it begins with. */
const TAIL = 3;
const LEVELS = 64;

/** φ(x) = exp(−x²/2)/√(2π) */
const density = (x: number): number => exp(-0.5 * x * x) / SQRT_2PI;

/**
 * Mills ratio M(x) = (1 − Φ(x))/φ(x) for x >= 0, relative error below 1e-13.
 *   x < 3:  ½/φ(x) − (x + x³/3 + x⁵/(3·5) + ...)        x >= 3:  1/(x + 1/(x + 2/(x + 3/(x + ...))))
 * Sources: Marsaglia, Evaluating the Normal Distribution, J. Stat. Softw. 11(4), 2004; the fraction is Laplace's (Abramowitz & Stegun 26.2.14).
 */
function mills(x: number): number {
  if (x >= TAIL) {
    let below = x;
    for (let k = LEVELS; k >= 1; k--) below = x + k / below;
    return 1 / below;
  }
  let term = x;
  let sum = x;
  for (let k = 3; term > 1e-17 * sum; k += 2) {
    term *= (x * x) / k;
    sum += term;
  }
  return 0.5 / density(x) - sum;
}

/** log Φ(x); falls like −x²/2, so it stays finite where Φ does not. */
export function logNormalCdf(x: number): number {
  return x < 0 ? -0.5 * x * x - LOG_SQRT_2PI + log(mills(-x)) : log1p(-density(x) * mills(x));
}

/** d log Φ(x)/dx = φ(x)/Φ(x). */
export function normalHazard(x: number): number {
  return x < 0 ? 1 / mills(-x) : density(x) / (1 - density(x) * mills(x));
}
