import { everyAction, logSumExp } from '../../math/categorical.ts';
import { exp, log1p } from '../../math/elementary.ts';
import type { ForgetObjective } from './objective.ts';

/**
 * Negative preference optimisation: mean (2/β) log(1 + ρ^β), ρ = π(T|s)/π0(T|s).
 *   ∂/∂z_j = 2 ρ^β/(1 + ρ^β) · (1[j in T] π_j/π(T) − π_j)
 * `literal` without entropy as β → 0; fades once π(T) is small against the base's, and, as `literal`, where it is near 1.
 */
export const npo: ForgetObjective = {
  name: 'npo',
  source: 'Zhang et al., arXiv:2404.05868',
  needsBase: true,
  descend: ({ head, actions, from, count, toxic, base }, { npoBeta: beta }, weight) => {
    if (!base) throw new TypeError('npo: expected the outputs of the base, got none');
    const all = everyAction(actions);
    let loss = 0;
    for (let i = 0; i < count; i++) {
      const at = (from + i) * head.stride;
      const mask = toxic[i]!;
      const whole = logSumExp(head.logits, at, actions, all);
      const inside = logSumExp(head.logits, at, actions, mask);
      const before = logSumExp(base.logits, i * actions, actions, mask) - logSumExp(base.logits, i * actions, actions, all);
      const exponent = beta * (inside - whole - before);
      const size = exp(-Math.abs(exponent)); // of the smaller of ρ^β and its inverse, so that nothing overflows
      loss += (2 / beta) * (Math.max(exponent, 0) + log1p(size));
      const slope = (2 * (exponent > 0 ? 1 : size)) / (1 + size);
      for (let a = 0; a < actions; a++) {
        const z = head.logits[at + a]!;
        const d = slope * (((mask >>> a) & 1 ? exp(z - inside) : 0) - exp(z - whole));
        head.dLogits[at + a] = head.dLogits[at + a]! + (weight * d) / count;
      }
    }
    return loss / count;
  },
};
