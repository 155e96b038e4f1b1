/**
 * What the runner itself costs, on this machine. Build first; then `node bench/runner.mjs`.
 *   overhead   wall time per empty trial through everything: coordinator, bus, agent, executor, two files and a row on the disk
 *   threads    real bases on 1 and on 2 threads: CPU time per job, and how much sooner the last one is done
 * Rounds are interleaved, so that a noisy neighbour disturbs both sides; medians with the number of rounds.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
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

const ROUNDS = Number(process.argv[2] ?? 5);
const EMPTY = 400;
const REAL = 4;
const TICK_MS = 10; // Linux: /proc counts hundredths of a second

const emptyThread = new URL('../test/worker/fake/thread.mjs', import.meta.url).href;
const [ppo, evaluate] = [ppoSchema.parse({}), evaluateSchema.parse({})];
const worldOptions = environment('CartPole-v1').options.parse({});
const baseSpec = (seed, options = ppo) => ({ environment: 'CartPole-v1', options: worldOptions, ppo: options, seed, engine: 'wasm' });

/** All threads of a process, user and system. */
function cpuMs(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};
const span = (values) => `${median(values).toFixed(2)}  [${Math.min(...values).toFixed(2)}, ${Math.max(...values).toFixed(2)}]`;

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

const overhead = { 1: [], 2: [] };
for (let round = 0; round < ROUNDS; round++) for (const slots of [1, 2]) overhead[slots].push(await empty(slots));
console.log(`${cpus()[0]?.model}, ${cpus().length} cores, Node ${process.version}; median [min, max] of n = ${ROUNDS} rounds`);
for (const slots of [1, 2]) console.log(`overhead per empty trial, ${slots} thread(s), ${EMPTY} trials: ${span(overhead[slots])} ms`);

const options = ppoSchema.parse({ totalTimesteps: 16_384 });
const pools = { 1: new ExecutorPool({ slots: 1 }), 2: new ExecutorPool({ slots: 2 }) };
for (const slots of [1, 2]) await real({ run: (...job) => pools[slots].run(...job), pid: process.pid }, options); // compiles, warms up
const rounds = [];
for (let round = 0; round < ROUNDS; round++) rounds.push({ 1: await real(pools[1], options), 2: await real(pools[2], options) });
for (const slots of [1, 2]) {
  pools[slots].stop();
  console.log(
    `real bases, ${slots} thread(s), ${REAL} jobs: CPU per job ${span(rounds.map((r) => r[slots].cpu))} ms, wall ${span(rounds.map((r) => r[slots].wall))} ms`,
  );
}
console.log(
  `2 threads against 1: CPU per job x ${span(rounds.map((r) => r[2].cpu / r[1].cpu))}, sooner by x ${span(rounds.map((r) => r[1].wall / r[2].wall))}`,
);
