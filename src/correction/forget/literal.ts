import { everyAction, logSoftmax, logSumExp } from '../../math/categorical.ts';
import { exp } from '../../math/elementary.ts';
import type { ForgetObjective, ForgetRows } from './objective.ts';

/**
 * mean (log π(T|s) + λ H(π(·|s))), descended; T is one action where pairs are forgotten.
 *   ∂ log π(T)/∂z_j = 1[j in T] π_j/π(T) − π_j        ∂H/∂z_j = −π_j (log π_j + H)
 * The gradient is 1 − π(T): nothing where the policy is sure of the toxic action, most where it is gone.
 */
function logProbability({ head, actions, from, count, toxic }: ForgetRows, entropy: number, weight: number): number {
  const logProb = new Float64Array(actions);
  const all = everyAction(actions);
  let loss = 0;
  for (let i = 0; i < count; i++) {
    const at = (from + i) * head.stride;
    const mask = toxic[i]!;
    logSoftmax(head.logits, at, actions, 0, logProb);
    const inside = logSumExp(head.logits, at, actions, mask);
    let H = 0;
    if (entropy !== 0) for (let a = 0; a < actions; a++) H -= exp(logProb[a]!) * logProb[a]!;
    loss += inside - logSumExp(head.logits, at, actions, all) + entropy * H;
    for (let a = 0; a < actions; a++) {
      const p = exp(logProb[a]!);
      const share = (mask >>> a) & 1 ? exp(head.logits[at + a]! - inside) : 0;
      const d = share - p - (entropy === 0 ? 0 : entropy * p * (logProb[a]! + H));
      head.dLogits[at + a] = head.dLogits[at + a]! + (weight * d) / count;
    }
  }
  return loss / count;
}

/** As the paper prints it: descending + λH lowers the entropy, which the text says it prevents. */
export const literal: ForgetObjective = {
  name: 'literal',
  source: 'Takács & Gulyás 2025, phase 2',
  needsBase: false,
  descend: (rows, { entropy }, weight) => logProbability(rows, entropy, weight),
};

/** With the sign that the text means, and that the authors' later code has: log π − λH. */
export const signfix: ForgetObjective = {
  name: 'signfix',
  source: 'doctoral-research/rl-unlearning, trajectory-selective forgetting (MIT)',
  needsBase: false,
  descend: (rows, { entropy }, weight) => logProbability(rows, -entropy, weight),
};
