import { logSoftmax } from '../../math/categorical.ts';
import { exp } from '../../math/elementary.ts';
import type { ForgetObjective } from './objective.ts';

/**
 * mean −H(π(·|s, a not in T)): keeps the remaining actions diverse and never opposes forgetting, since π(T) is not in it.
 *   q = π renormalised off T;  ∂(−H)/∂z_j = q_j (log q_j + H),  0 for j in T
 */
export const diversity: ForgetObjective = {
  name: 'diversity',
  source: 'ours; the entropy bonus that cannot pull a toxic action back',
  needsBase: false,
  descend: ({ head, actions, from, count, toxic }, _knobs, weight) => {
    const logProb = new Float64Array(actions);
    let loss = 0;
    for (let i = 0; i < count; i++) {
      const at = (from + i) * head.stride;
      logSoftmax(head.logits, at, actions, toxic[i]!, logProb);
      let H = 0;
      for (let a = 0; a < actions; a++) if (logProb[a]! > -Infinity) H -= exp(logProb[a]!) * logProb[a]!;
      loss -= H;
      for (let a = 0; a < actions; a++) {
        if (logProb[a]! === -Infinity) continue;
        head.dLogits[at + a] = head.dLogits[at + a]! + (weight * exp(logProb[a]!) * (logProb[a]! + H)) / count;
      }
    }
    return loss / count;
  },
};
