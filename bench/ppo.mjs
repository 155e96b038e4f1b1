// CartPole-v1 by PPO with Stable-Baselines3's default hyper-parameters and a shared 64-64 trunk: 2048 transitions per iteration,
// 10 epochs over minibatches of 64. Every measurement trains a fresh policy, so that all go through the same part of the learning curve.
import { startPeer } from './peers/peer.mjs';
import { ratio, row } from './stats.mjs';
import { trainTimed } from './training.mjs';

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

function trainOnce(engine, totalTimesteps, seed) {
  const { environmentSteps, updates, ms } = trainTimed({ id: 'CartPole-v1', engine, seed, options: { totalTimesteps } });
  return { stepsPerCpuSecond: (1000 * environmentSteps) / ms.all, msPerUpdate: ms.update / updates };
}
