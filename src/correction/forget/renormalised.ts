import { logSoftmax } from '../../math/categorical.ts';
import { exp } from '../../math/elementary.ts';
import type { ForgetObjective } from './objective.ts';

/**
 * mean −Σ_a π̃0(a|s) log π(a|s), π̃0 the base renormalised off T: the nearest policy to the base, in both directions of KL, with π(T) = 0.
 *   ∂/∂z_j = π_j − π̃0_j
 * With two actions and one of them toxic it is `unlikelihood`.
 */
export const renormalised: ForgetObjective = {
  name: 'renormalised',
  source: 'CE-U, arXiv:2503.01224, with the base for target',
  needsBase: true,
  descend: ({ head, actions, from, count, toxic, base }, _knobs, weight) => {
    if (!base) throw new TypeError('renormalised: expected the outputs of the base, got none');
    const logProb = new Float64Array(actions);
    const target = new Float64Array(actions);
    let loss = 0;
    for (let i = 0; i < count; i++) {
      const at = (from + i) * head.stride;
      logSoftmax(head.logits, at, actions, 0, logProb);
      logSoftmax(base.logits, i * actions, actions, toxic[i]!, target);
      for (let a = 0; a < actions; a++) {
        const p0 = exp(target[a]!);
        if (p0 > 0) loss -= p0 * logProb[a]!;
        head.dLogits[at + a] = head.dLogits[at + a]! + (weight * (exp(logProb[a]!) - p0)) / count;
      }
    }
    return loss / count;
  },
};
