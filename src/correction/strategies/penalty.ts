import { EVALUATION_EPISODES } from '../../contract/evaluate.ts';
import type { Observe } from '../../contract/observe.ts';
import type { PpoOptions } from '../../contract/ppo.ts';
import type { FinetuneOptions, RetrainPenaltyOptions } from '../../contract/strategies.ts';
import { penalised } from '../../envs/penalised.ts';
import type { Engine, Floats } from '../../math/engine.ts';
import { initialParams } from '../../ppo/init.ts';
import { policyOf } from '../../ppo/policy.ts';
import { iterations, rowsNeeded, train } from '../../ppo/train.ts';
import { makeSelection } from '../selection.ts';
import { type Corrected, type EnvironmentInput, strategy } from '../strategy.ts';

/** Training goes on in the world itself, with a penalty on toxic actions; of its checkpoints the best on validation states, as for `tsf`. */
export const finetune = strategy<FinetuneOptions>({
  name: 'finetune',
  source: 'fine-tuning with a penalty; the usual approximate control',
  needs: 'environment',
  correct: (input, { penalty, timesteps, learningRate }, engine, _rng, observe) =>
    // The base's normalising layer stays as it is: running moments would begin anew, and its inputs would jump.
    trainPenalised(
      input,
      { ...input.ppo, totalTimesteps: timesteps, learningRate, normObs: false },
      penalty,
      input.base.params,
      true,
      engine,
      observe,
    ),
});

/** Trained from scratch like the base, with a penalty instead of a mask. */
export const retrainPenalty = strategy<RetrainPenaltyOptions>({
  name: 'retrain-penalty',
  source: 'retraining with a penalty; a soft constraint from the first step',
  needs: 'environment',
  correct: (input, { penalty }, engine, _rng, observe) => {
    const { base, ppo, trainingStreams } = input;
    const start = initialParams(base.shape, ppo, trainingStreams.init);
    return trainPenalised(input, ppo, penalty, start, false, engine, observe);
  },
});

function trainPenalised(
  { base, constraint, recorded, makeWorld, trainingStreams: { action, shuffle }, checkpoints, checkpoint }: EnvironmentInput,
  ppo: PpoOptions,
  penalty: number,
  start: Floats,
  keepBest: boolean,
  engine: Engine,
  observe: Observe,
): Corrected {
  const network = engine.network(base.shape, Math.max(rowsNeeded(ppo), EVALUATION_EPISODES));
  network.set(base.params);
  const selection = keepBest ? makeSelection(recorded.validation, constraint, network) : null;
  network.set(start);
  const due = new Set(checkpoints(iterations(ppo)));
  checkpoint(0, network);
  selection?.offer(0, network);
  const cost = train({
    world: penalised(makeWorld(ppo.numEnvs), constraint.policy, constraint.toxic, penalty),
    network,
    options: ppo,
    action,
    shuffle,
    log: ({ iteration, iterations: total, gradientSteps }) => {
      observe.progress(iteration, total);
      if (!due.has(iteration)) return;
      checkpoint(gradientSteps, network);
      selection?.offer(gradientSteps, network);
    },
  });
  const chosen = selection ? selection.restore(network) : cost.gradientSteps;
  const policy = policyOf(network);
  network.free();
  return { policy, cost, checkpoint: chosen, overrun: null };
}
