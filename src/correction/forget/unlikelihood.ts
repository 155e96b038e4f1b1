import { everyAction, logSumExp } from '../../math/categorical.ts';
import { exp } from '../../math/elementary.ts';
import type { ForgetObjective } from './objective.ts';

/**
 * mean −log(1 − π(T|s)) = mean (LSE z − LSE_notT z).
 *   ∂/∂z_j = π_j for j in T;  π_j − π_j/(1 − π(T)) otherwise: proportional to π(T), so it ends by itself.
 */
export const unlikelihood: ForgetObjective = {
  name: 'unlikelihood',
  source: 'Welleck et al., arXiv:1908.04319',
  needsBase: false,
  descend: ({ head, actions, from, count, toxic }, _knobs, weight) => {
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
    return loss / count;
  },
};
