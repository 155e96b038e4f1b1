// PPO on LunarLander-v3 in the public configuration of rl-baselines3-zoo (16 worlds x 1024 steps, minibatches of 64, 4 epochs, separate
// networks): steps per second, learning included, and where the time goes.
import { row } from './stats.mjs';
import { trainTimed } from './training.mjs';

const ROUNDS = 5;
const ITERATIONS = 4;
const OPTIONS = {
  ...{ numEnvs: 16, numSteps: 1024, numMinibatches: 256, updateEpochs: 4, learningRate: 3e-4 },
  ...{ gamma: 0.999, gaeLambda: 0.98, entCoef: 0.01, separate: true },
};

export async function lunarlander(say) {
  const samples = [];
  trainOnce(0, 1); // warm-up
  for (let round = 0; round < ROUNDS; round++) {
    say(`round ${round + 1} of ${ROUNDS}`);
    samples.push(trainOnce(round, ITERATIONS));
  }
  const of = (what) => samples.map((sample) => sample[what]);
  return {
    title: `LunarLander-v3 by PPO, zoo configuration, one thread, fresh policies; CPU time of the whole process`,
    rows: [
      row('environment steps, learning included', 'steps/s', of('stepsPerCpuSecond')),
      row('  of the time: stepping the worlds', '%', of('world')),
      row('  choosing actions', '%', of('choice')),
      row('  updating', '%', of('update')),
    ],
    notes: [],
  };
}

function trainOnce(seed, iterations) {
  const options = { ...OPTIONS, totalTimesteps: iterations * OPTIONS.numEnvs * OPTIONS.numSteps };
  const { environmentSteps, ms } = trainTimed({ id: 'LunarLander-v3', seed, timeWorlds: true, options });
  const share = (part) => (100 * part) / ms.all;
  return {
    stepsPerCpuSecond: (1000 * environmentSteps) / ms.all,
    ...{ world: share(ms.worlds), update: share(ms.update), choice: share(ms.all - ms.worlds - ms.update) },
  };
}
