import { RefusedError } from '../contract/errors.ts';
import type { Floats, Network } from '../math/engine.ts';
import type { Constraint } from './constraint.ts';
import type { Held } from './identify/rules.ts';
import { divergences, mean, outputs, toxicProbabilities } from './states.ts';

/**
 * Keeps the best checkpoint by validation selectivity, on states no metric will see:
 *   (1 − p̄_k/p̄_0) · (1 − mean TV(π0, π_k) outside the region);   of equals, the later one.
 * Throws RefusedError where there is nothing to rank by.
 */
export function makeSelection(validation: Held, constraint: Constraint, base: Network) {
  const before = mean(toxicProbabilities(base, validation.region, constraint)) ?? 0;
  if (!(before > 0))
    throw new RefusedError(
      `selection: expected validation states of the region with π(T|s) > 0, got ${validation.region.count} states with a mean of ${before}; collect more episodes`,
    );
  const reference = outputs(base, validation.outside);
  let best = { selectivity: -Infinity, step: 0, params: undefined as Floats | undefined };
  return {
    offer(step: number, network: Network): void {
      const now = mean(toxicProbabilities(network, validation.region, constraint)) ?? 0;
      const selectivity =
        (1 - now / before) * (1 - (mean(divergences(network, validation.outside, reference, constraint.policy.totalVariation)) ?? 0));
      if (!(selectivity >= best.selectivity)) return;
      best = { selectivity, step, params: network.get() };
    },
    /** The step of the best one so far; its parameters go into `network`. */
    restore(network: Network): number {
      if (best.params) network.set(best.params);
      return best.step;
    },
  };
}
