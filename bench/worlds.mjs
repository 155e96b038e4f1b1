// The worlds alone: random actions within their bounds, an ended world starts anew, one thread. Beside them Gymnasium's, where an interpreter
// that has it is named by GYMNASIUM_PYTHON (or the environment of the `ppo` section is there); tools/record_golden.py says how to make one.
import { fileURLToPath } from 'node:url';
import { ENVIRONMENTS } from '../dist/contract/environments.js';
import { makeEnv } from '../dist/envs/make.js';
import { connectPeer, installedPython, peerScript } from './peers/peer.mjs';
import { ratio, row } from './stats.mjs';

const ROUNDS = 5;
const BATCHES = [1, 8, 64];
/** Of Gymnasium: single worlds, and its own vectorised ones. */
const PEER_BATCHES = [1, 64];
const BURST_MS = 400;
/** Random actions crash it in the air; flown well it is on the ground for a third of its steps, which cost more. */
const PILOTED = ['LunarLander-v3'];

export async function worlds(say) {
  const ids = Object.keys(ENVIRONMENTS).filter(isThere);
  const missing = Object.keys(ENVIRONMENTS).filter((id) => !ids.includes(id));
  const python = process.env.GYMNASIUM_PYTHON ?? installedPython();
  const { peer, absent } = python
    ? await connectPeer(python, peerScript('gymnasium_worlds.py'))
    : { absent: 'GYMNASIUM_PYTHON names no Python interpreter that has gymnasium' };
  // A process per world, as in a run: what V8 makes of shared code depends on who used it before.
  const ours = {};
  for (const id of ids) ours[id] = (await connectPeer(process.execPath, ['--expose-gc', script])).peer;
  const samples = new Map();
  const note = (name, value) => samples.set(name, [...(samples.get(name) ?? []), value]);
  try {
    for (const id of ids) for (const n of BATCHES) await ours[id].ask(`${id} ${n} ${2 * BURST_MS}`); // warm-up
    for (let round = 0; round < ROUNDS; round++) {
      say(`round ${round + 1} of ${ROUNDS}`);
      for (const id of ids) {
        for (const n of BATCHES) {
          const { stepsPerCpuSecond, bytesPerStep } = await ours[id].ask(`${id} ${n} ${BURST_MS}`);
          note(`${id} n = ${n}`, stepsPerCpuSecond);
          note(`${id} allocated, n = ${n}`, bytesPerStep);
        }
        if (PILOTED.includes(id)) {
          note(`${id} piloted, n = 64`, (await ours[id].ask(`${id} 64 ${BURST_MS} pilot`)).stepsPerCpuSecond);
        }
        if (peer) for (const n of PEER_BATCHES) note(`${id} peer n = ${n}`, (await peer.ask(`${id} ${n} ${BURST_MS}`)).stepsPerCpuSecond);
      }
    }
  } finally {
    peer?.stop();
    for (const world of Object.values(ours)) world.stop();
  }
  const rows = ids.flatMap((id) => {
    const of = (what) => samples.get(`${id} ${what}`);
    return [
      ...BATCHES.map((n) => row(`${id}, n = ${n}`, 'steps/s', of(`n = ${n}`))),
      ...(PILOTED.includes(id) ? [row('  flown by the scripted pilot, n = 64', 'steps/s', of('piloted, n = 64'))] : []),
      row('  allocated, n = 64', 'bytes/step', of('allocated, n = 64')),
      ...(peer
        ? PEER_BATCHES.flatMap((n) => [
            row(`  Gymnasium, n = ${n}`, 'steps/s', of(`peer n = ${n}`)),
            ratio(`  ours / Gymnasium, both n = ${n}`, of(`n = ${n}`), of(`peer n = ${n}`)),
          ])
        : []),
    ];
  });
  return {
    title: 'steps of all worlds per second of CPU time, one thread, random actions, resets included',
    rows,
    notes: [
      peer ? `peer: ${JSON.stringify(peer.about)}` : `no peer: ${absent}`,
      ...(missing.length > 0 ? [`not measured, for they are not there: ${missing.join(', ')}`] : []),
    ],
  };
}

const script = fileURLToPath(new URL('worldspeed.mjs', import.meta.url));

function isThere(id) {
  try {
    makeEnv(id, ENVIRONMENTS[id].options.parse({}), 1);
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}
