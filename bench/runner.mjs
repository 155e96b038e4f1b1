// What the runner itself costs.
//   overhead   wall time per empty trial through everything: coordinator, bus, agent, executor, two files and a row on the disk
//   threads    real bases on 1 and on 2 threads: CPU time per job, and how much sooner the last one is done
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LocalBus } from '../dist/bus/local.js';
import { environment } from '../dist/contract/environments.js';
import { evaluateSchema } from '../dist/contract/evaluate.js';
import { ppoSchema } from '../dist/contract/ppo.js';
import { baseId, trialId } from '../dist/contract/spec.js';
import { Schedule } from '../dist/coordinator/schedule.js';
import { Store } from '../dist/coordinator/store.js';
import { Agent } from '../dist/worker/agent/agent.js';
import { ExecutorPool } from '../dist/worker/executor/pool.js';
import { ratio, row } from './stats.mjs';

const ROUNDS = 5;
const EMPTY = 400;
const REAL = 4;
const TICK_MS = 10; // Linux: /proc counts hundredths of a second

const emptyThread = new URL('../test/worker/fake/thread.mjs', import.meta.url).href;
const [ppo, evaluate] = [ppoSchema.parse({}), evaluateSchema.parse({})];
const worldOptions = environment('CartPole-v1').options.parse({});
const baseSpec = (seed, options = ppo) => ({ environment: 'CartPole-v1', options: worldOptions, ppo: options, seed, engine: 'wasm' });

/** ms of CPU time of all threads of a process; the executor is another one, so this reads what Linux says of it. */
function cpuMs(pid) {
  if (pid === null) return 0; // not started yet

  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

/** Milliseconds per trial from the first row to the last: starting processes is no part of it. */
async function empty(slots) {
  const root = mkdtempSync(join(tmpdir(), 'spc-bench-'));
  const trials = [];
  for (let seed = 1; trials.length < EMPTY; seed++) {
    const base = baseSpec(seed);
    for (let correctionSeed = 0; correctionSeed < 20; correctionSeed++) {
      const spec = { base, rules: [], strategy: 'tsf', correct: {}, evaluate, correctionSeed };
      trials.push({ id: trialId(spec), baseId: baseId(base), spec });
    }
  }
  const frozen = { sweepYaml: '', plan: { digest: '' }, numerics: { base: '', trial: '', all: '', engine: '', files: {} } };
  const store = await Store.open(join(root, 'x'), frozen, { extend: false, recompute: false, warn: () => {} });
  const bus = new LocalBus(store.files);
  const pool = new ExecutorPool({ slots, threadModule: emptyThread });
  const agent = new Agent({ bus, pool, numerics: '' });
  const at = [];
  const schedule = new Schedule({ trials, store, bus, window: slots + 1, numerics: '', onRow: () => at.push(performance.now()) });
  await Promise.all([schedule.run(), agent.run()]);
  pool.stop();
  await store.close();
  rmSync(root, { recursive: true });
  return (at.at(-1) - at[0]) / (at.length - 1);
}

async function real(pool, ppoOptions) {
  const before = cpuMs(pool.pid);
  const start = performance.now();
  const jobs = Array.from({ length: REAL }, (_, i) => baseSpec(i + 1, ppoOptions));
  const done = await Promise.all(jobs.map((spec) => pool.run({ kind: 'base', id: baseId(spec), spec, limits: { wallMs: null } }, null)));
  for (const { row } of done) if (!row.ok) throw new Error(row.failure.message);
  return { wall: performance.now() - start, cpu: (cpuMs(pool.pid) - before) / REAL };
}

export async function runner(say) {
  const overhead = { 1: [], 2: [] };
  for (let round = 0; round < ROUNDS; round++) {
    say(`empty trials, round ${round + 1} of ${ROUNDS}`);
    for (const slots of [1, 2]) overhead[slots].push(await empty(slots));
  }
  const options = ppoSchema.parse({ totalTimesteps: 16_384 });
  const pools = { 1: new ExecutorPool({ slots: 1 }), 2: new ExecutorPool({ slots: 2 }) };
  const rounds = [];
  for (let round = 0; round <= ROUNDS; round++) {
    say(round === 0 ? 'real bases, warm-up' : `real bases, round ${round} of ${ROUNDS}`);
    const both = { 1: await real(pools[1], options), 2: await real(pools[2], options) };
    if (round > 0) rounds.push(both);
  }
  for (const slots of [1, 2]) pools[slots].stop();
  const of = (slots, what) => rounds.map((r) => r[slots][what]);
  return {
    title: `${EMPTY} empty trials; ${REAL} real bases of ${options.totalTimesteps} timesteps`,
    rows: [
      ...[1, 2].map((slots) => row(`empty trial, ${slots} thread(s)`, 'ms of wall time', overhead[slots])),
      ...[1, 2].map((slots) => row(`real base, ${slots} thread(s)`, 'ms of CPU time', of(slots, 'cpu'))),
      ratio('2 threads / 1, CPU time per base', of(2, 'cpu'), of(1, 'cpu')),
      ratio('1 thread / 2, wall time of all', of(1, 'wall'), of(2, 'wall')),
    ],
    notes: [],
  };
}
