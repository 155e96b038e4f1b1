import { everyAction, logSumExp } from '../../math/categorical.ts';
import { exp, log } from '../../math/elementary.ts';
import type { ForgetObjective } from './objective.ts';

/**
 * mean relu(LSE_T z − LSE_notT z + m), m = log((1 − ε)/ε): zero exactly where π(T|s) <= ε.
 *   where active, ∂/∂z_j = softmax over T for j in T, −softmax over notT otherwise: a push that does not fade.
 */
export const margin: ForgetObjective = {
  name: 'margin',
  source: 'ours; a hinge on the log-odds of T',
  needsBase: false,
  descend: ({ head, actions, from, count, toxic }, { marginEpsilon }, weight) => {
    const all = everyAction(actions);
    const m = log((1 - marginEpsilon) / marginEpsilon);
    let loss = 0;
    for (let i = 0; i < count; i++) {
      const at = (from + i) * head.stride;
      const inside = logSumExp(head.logits, at, actions, toxic[i]!);
      const rest = logSumExp(head.logits, at, actions, all & ~toxic[i]!);
      const gap = inside - rest + m;
      if (gap <= 0) continue;
      loss += gap;
      for (let a = 0; a < actions; a++) {
        const z = head.logits[at + a]!;
        const d = (toxic[i]! >>> a) & 1 ? exp(z - inside) : -exp(z - rest);
        head.dLogits[at + a] = head.dLogits[at + a]! + (weight * d) / count;
      }
    }
    return loss / count;
  },
};
