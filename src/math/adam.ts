import type { AdamOptions, AdamState, Floats } from './engine.ts';

/**
 * One step of Adam on `params`, in PyTorch's form (ε is added after the root, outside the bias correction of v).
 *   g = scale·gradient
 *   m = β1·m + (1 − β1)·g        v = β2·v + (1 − β2)·g²
 *   params −= mask · α / (1 − β1^t) · m / (√v / √(1 − β2^t) + ε)
 * The mask damps the step and not the gradient, whose scale Adam divides out. Where it is 0, parameter and moments stay exactly as they are: a moment left over from earlier must not move them.
 * Shapes: all [size]. Writes `params` and `state`; allocates nothing.
 * Source: Kingma & Ba, arXiv:1412.6980, algorithm 1. Differs: the mask, which is ours.
 */
export function adam(params: Floats, state: AdamState, gradient: Floats, options: AdamOptions, mask?: Floats): void {
  const { m, v } = state;
  const { beta1, beta2, eps, scale } = options;
  state.step++;
  const alpha = stepSize(options, state.step);
  const root = rootScale(options, state.step);
  for (let i = 0; i < params.length; i++) {
    const kept = mask === undefined ? 1 : mask[i]!;
    if (kept === 0) continue;
    const g = scale * gradient[i]!;
    m[i] = beta1 * m[i]! + (1 - beta1) * g;
    v[i] = beta2 * v[i]! + (1 - beta2) * g * g;
    params[i] = params[i]! - kept * ((alpha * m[i]!) / (Math.sqrt(v[i]!) * root + eps));
  }
}

/** α / (1 − β1^t) of update t = `step` >= 1. */
export function stepSize({ learningRate, beta1 }: AdamOptions, step: number): number {
  return learningRate / (1 - power(beta1, step));
}

/** 1 / √(1 − β2^t) */
export function rootScale({ beta2 }: AdamOptions, step: number): number {
  return 1 / Math.sqrt(1 - power(beta2, step));
}

/** base^n for a whole n >= 0, by repeated squaring: the same bits everywhere, which `**` does not promise. */
function power(base: number, n: number): number {
  let result = 1;
  for (let square = base, rest = n; rest > 0; rest = Math.floor(rest / 2), square *= square) {
    if (rest % 2 === 1) result *= square;
  }
  return result;
}
