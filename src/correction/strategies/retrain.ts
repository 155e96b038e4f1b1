import { initialParams } from '../../ppo/init.ts';
import { policyOf } from '../../ppo/policy.ts';
import { rowsNeeded, train } from '../../ppo/train.ts';
import { strategy } from '../strategy.ts';

/**
 * The gold: trained from scratch like the base, but with toxic actions masked and probabilities renormalised, and evaluated with the mask on.
 * Continuous actions are moved out of T(s) on their way into the world, which is part of the world it learns.
 * It says what obeying costs. Nothing is learnt about the unmasked logits inside S_f, so it has no forgetting to speak of.
 * Source of the mask: Huang & Ontañón, arXiv:2006.14171.
 */
export const retrain = strategy({
  name: 'retrain',
  source: 'exact unlearning by retraining under the constraint',
  needs: 'environment',
  correct: ({ base, constraint, ppo, makeWorld, trainingStreams: { init, action, shuffle } }, _options, engine, _rng, observe) => {
    const network = engine.network(base.shape, rowsNeeded(ppo));
    network.set(initialParams(base.shape, ppo, init));
    const mask = constraint.toxic;
    const cost = train({
      world: makeWorld(ppo.numEnvs),
      network,
      options: ppo,
      action,
      shuffle,
      mask,
      policy: constraint.policy,
      log: ({ iteration, iterations }) => observe.progress(iteration, iterations),
    });
    const policy = policyOf(network);
    network.free();
    return { policy, cost, checkpoint: cost.gradientSteps, mask, overrun: null };
  },
});
