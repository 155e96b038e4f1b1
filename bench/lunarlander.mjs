// PPO on LunarLander-v3 in the public configuration of rl-baselines3-zoo (16 worlds x 1024 steps, minibatches of 64, 4 epochs, separate
// networks): steps per second, learning included, and where the time goes.
import { environment } from '../dist/contract/environments.js';
import { ppoSchema } from '../dist/contract/ppo.js';
import { makeEnv } from '../dist/envs/make.js';
import { makeEngine } from '../dist/math/engines/index.js';
import { makeStream, worldSeed } from '../dist/math/rng/streams.js';
import { initialParams } from '../dist/ppo/init.js';
import { rowsNeeded, train } from '../dist/ppo/train.js';
import { row } from './stats.mjs';

const ROUNDS = 5;
const ITERATIONS = 4;
const ID = 'LunarLander-v3';
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
    title: `${ID} by PPO, zoo configuration, one thread, fresh policies; CPU time of the whole process`,
    rows: [
      row('environment steps, learning included', 'steps/s', of('stepsPerCpuSecond')),
      row('  of the time: stepping the worlds', '%', of('world')),
      row('  choosing actions', '%', of('choice')),
      row('  updating', '%', of('update')),
    ],
    notes: [],
  };
}

const cpuMs = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

function trainOnce(seed, iterations) {
  const options = ppoSchema.parse({ ...OPTIONS, totalTimesteps: iterations * OPTIONS.numEnvs * OPTIONS.numSteps });
  const { observation, actions, options: worldOptions } = environment(ID);
  const { hidden, separate } = options;
  const shape = { obsDim: observation.length, hidden, actions: actions.length, gaussian: false, separate };
  const network = makeEngine('wasm').network(shape, rowsNeeded(options));
  network.set(initialParams(shape, options, makeStream('init', 'bench', seed)));
  const world = makeEnv(ID, worldOptions.parse({}), options.numEnvs);
  world.resetEach(Array.from({ length: options.numEnvs }, (_, i) => worldSeed(makeStream('world', 'bench', seed, i))));

  let [worldMs, updateMs, updateStart] = [0, 0, 0];
  const step = world.step.bind(world);
  world.step = () => {
    const start = cpuMs();
    step();
    worldMs += cpuMs() - start;
  };
  // An update begins where the advantages are known and ends where the iteration is logged.
  const gae = network.gae.bind(network);
  network.gae = (...args) => {
    gae(...args);
    updateStart = cpuMs();
  };
  const log = () => {
    updateMs += cpuMs() - updateStart;
  };
  const [action, shuffle] = [makeStream('action', 'bench', seed), makeStream('shuffle', 'bench', seed)];
  const start = cpuMs();
  const { environmentSteps } = train({ world, network, options, action, shuffle, log });
  const used = cpuMs() - start;
  network.free();
  const share = (ms) => (100 * ms) / used;
  return {
    stepsPerCpuSecond: (1000 * environmentSteps) / used,
    ...{ world: share(worldMs), update: share(updateMs), choice: share(used - worldMs - updateMs) },
  };
}
