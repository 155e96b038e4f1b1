import type { BoundsOptions } from '../contract/strategies.ts';

type Options = Pick<BoundsOptions, 'weighting' | 'dualRate' | 'dualKl'>;

/**
 * How forgetting and retaining are weighed, step by step.
 *   fixed, proj    1 and 1 (what proj does to the gradients is in descent.ts, and only where both are of one step)
 *   prob           forget weight clip(p̄_k/p̄_0, 0.05, 1), p̄ the mean π(T|s) of a step's forget rows: the paper's sentence made exact
 *   primal-dual    retain weight λ_{k+1} = max(0, λ_k + ρ (KL_k − κ)), λ_0 = 1, KL_k the loss on a step's retain rows, τ² included
 * Sources: Takács & Gulyás 2025, phase 3 ("adaptive weighting"); dual ascent as in Lagrangian methods.
 */
export function makeWeighting({ weighting, dualRate, dualKl }: Options) {
  let first: number | undefined;
  let lambda = 1;
  return {
    forget(toxicProbability: () => number): number {
      if (weighting !== 'prob') return 1;
      const now = toxicProbability();
      first ??= now;
      return first > 0 ? Math.min(Math.max(now / first, 0.05), 1) : 1;
    },
    retain: (): number => (weighting === 'primal-dual' ? lambda : 1),
    /** Once a step, after `retain`: the loss on its retain rows, without its weight. */
    saw(kl: number): void {
      if (weighting === 'primal-dual') lambda = Math.max(0, lambda + dualRate * (kl - dualKl));
    },
  };
}
