// CartPole-v1 by PPO with Stable-Baselines3's default hyper-parameters and a shared 64-64 trunk: 2048 transitions per iteration,
// 10 epochs over minibatches of 64. Every measurement trains a fresh policy, so that all go through the same part of the learning curve.
import { environment } from '../dist/contract/environments.js';
import { ppoSchema } from '../dist/contract/ppo.js';
import { makeEnv } from '../dist/envs/make.js';
import { makeEngine } from '../dist/math/engines/index.js';
import { makeStream, worldSeed } from '../dist/math/rng/streams.js';
import { initialParams } from '../dist/ppo/init.js';
import { rowsNeeded, train } from '../dist/ppo/train.js';
import { startPeer } from './peers/peer.mjs';
import { ratio, row } from './stats.mjs';

const ROUNDS = 5;
const ENGINES = ['wasm', 'reference'];
const STEPS = 5 * 2048;
/** A round of the fast engine is short: its measurement takes as many more steps. */
const TIMES = { wasm: 8, reference: 1 };

export async function ppo(say) {
  say('starting the peer');
  const { peer, absent } = await startPeer('sb3_cartpole.py', say);
  if (absent) say(`no peer: ${absent}`);
  const samples = Object.fromEntries([...ENGINES, ...(peer ? ['peer'] : [])].map((name) => [name, []]));
  try {
    for (const engine of ENGINES) trainOnce(engine, 2048, 0); // warm-up; the peer had its own
    for (let round = 0; round < ROUNDS; round++) {
      say(`round ${round + 1} of ${ROUNDS}`);
      for (const engine of ENGINES) samples[engine].push(trainOnce(engine, STEPS * TIMES[engine], round));
      if (peer) samples.peer.push(await peer.ask(STEPS));
    }
  } finally {
    peer?.stop();
  }
  const label = (name) => (name === 'peer' ? peer.about.name : name);
  const of = (name, what) => samples[name].map((sample) => sample[what]);
  const names = Object.keys(samples);
  return {
    title: 'CartPole-v1, default hyper-parameters, shared 64-64 trunk, one thread; CPU time of the whole process',
    rows: [
      ...names.map((name) => row(label(name), 'environment steps/s, learning included', of(name, 'stepsPerCpuSecond'))),
      ...names.map((name) => row(label(name), 'ms per update (2048 transitions x 10 epochs)', of(name, 'msPerUpdate'))),
      ...(peer
        ? ENGINES.flatMap((engine) => [
            ratio(`${engine} / ${label('peer')}, steps/s`, of(engine, 'stepsPerCpuSecond'), of('peer', 'stepsPerCpuSecond')),
            ratio(`${label('peer')} / ${engine}, ms per update`, of('peer', 'msPerUpdate'), of(engine, 'msPerUpdate')),
          ])
        : [ratio('wasm / reference, steps/s', of('wasm', 'stepsPerCpuSecond'), of('reference', 'stepsPerCpuSecond'))]),
    ],
    notes: peer ? [`peer: ${JSON.stringify(peer.about)}`] : [`no peer: ${absent}`],
  };
}

/** ms of CPU time that this process has used, in all its threads. */
const cpuMs = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

function trainOnce(name, totalTimesteps, seed) {
  const options = ppoSchema.parse({ totalTimesteps });
  const { observation, actions, options: worldOptions } = environment('CartPole-v1');
  const shape = {
    obsDim: observation.length,
    hidden: options.hidden,
    actions: actions.length,
    gaussian: false,
    separate: options.separate,
  };
  const network = makeEngine(name).network(shape, rowsNeeded(options));
  network.set(initialParams(shape, options, makeStream('init', 'bench', seed)));
  const world = makeEnv('CartPole-v1', worldOptions.parse({}), options.numEnvs);
  world.resetEach([worldSeed(makeStream('world', 'bench', seed, 0))]);

  // An update begins where the advantages are known and ends where the iteration is logged.
  let [updates, updateMs, updateStart] = [0, 0, 0];
  const gae = network.gae.bind(network);
  network.gae = (...args) => {
    gae(...args);
    updateStart = cpuMs();
  };
  const log = () => {
    updateMs += cpuMs() - updateStart;
    updates++;
  };
  const [action, shuffle] = [makeStream('action', 'bench', seed), makeStream('shuffle', 'bench', seed)];
  const start = cpuMs();
  const { environmentSteps } = train({ world, network, options, action, shuffle, log });
  const used = cpuMs() - start;
  network.free();
  return { stepsPerCpuSecond: (1000 * environmentSteps) / used, msPerUpdate: updateMs / updates };
}
