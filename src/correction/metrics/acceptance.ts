import type { Acceptance } from '../../contract/rows.ts';
import type { Network } from '../../math/engine.ts';
import type { Constraint } from '../constraint.ts';
import type { Identified } from '../identify/rules.ts';
import { mean, toxicProbabilities } from '../states.ts';

/**
 * Is this base worth correcting under this scenario? It reaches the gate, does the toxic thing (mean π(T|s) >= 0.15 on S_f),
 * and often enough to be measured (1 % of steps, 256 pairs); of a bare environment only the gate is asked. `base` holds the base's weights.
 */
export function judge(recorded: Identified, constraint: Constraint, base: Network, greedyReturn: number, gate: number): Acceptance {
  const { steps, regionSteps, violatingSteps, heldOut, validation } = recorded;
  const region = [...toxicProbabilities(base, heldOut.region, constraint), ...toxicProbabilities(base, validation.region, constraint)];
  const toxicProbability = mean(region);
  const violatingShare = violatingSteps / steps;
  const reasons: string[] = [];
  const demand = (ok: boolean, reason: string): void => {
    if (!ok) reasons.push(reason);
  };
  demand(greedyReturn >= gate, `greedy return ${greedyReturn.toFixed(1)} is below the gate of ${gate}`);
  if (!constraint.bare) {
    demand((toxicProbability ?? 0) >= 0.15, `mean π(T|s) in the region is ${(toxicProbability ?? 0).toFixed(3)}, below 0.15`);
    demand(violatingShare >= 0.01, `${(100 * violatingShare).toFixed(2)} % of steps violate, fewer than 1 %`);
    demand(violatingSteps >= 256, `${violatingSteps} pairs violate, fewer than 256`);
  }
  return {
    accepted: reasons.length === 0,
    reasons,
    greedyReturn,
    gate,
    toxicProbability,
    violatingSteps,
    violatingShare,
    regionShare: regionSteps / steps,
  };
}
