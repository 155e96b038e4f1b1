// How long `spc table` takes over a large sweep, from the start of its process to its end.
// The rows are synthetic, as long and as deep as real ones: curves of 21 points, traces of 21 digests, a provenance record each.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { canonicalJson } from '../dist/contract/ids.js';
import { expand } from '../dist/coordinator/expand.js';
import { loadSweep } from '../dist/coordinator/load.js';
import { row } from './stats.mjs';

const ROUNDS = 7;
const CLI = fileURLToPath(new URL('../dist/cli/cli.js', import.meta.url));
// 2 strategies x 10 learning rates x 100 seeds x 5 correction seeds, and `none` once per seed.
const SWEEP = `version: 1
name: large
seeds: 100
correctionSeeds: 5
axes:
  scenario: [cartpole/angle]
  strategy: [none, tsf:paper, tsf]
  correct.learningRate: [1.0e-4, 2.0e-4, 5.0e-4, 1.0e-3, 2.0e-3, 5.0e-3, 1.0e-2, 2.0e-2, 5.0e-2, 1.0e-1]
`;
const POINTS = 21;
const BASE_POINTS = 128;

/** Reproducible numbers in [0, 1): what they are does not matter here, only that they have 16 digits. */
function numbers(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.123456789) / 2 ** 32;
  };
}

/** A results folder of `SWEEP` as a run leaves it; returns its number of trials. */
function synthesise(folder) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'sweep.yaml'), SWEEP);
  const next = numbers(1);
  const hex = () =>
    Array.from({ length: 8 }, () =>
      Math.floor(next() * 2 ** 32)
        .toString(16)
        .padStart(8, '0'),
    ).join('');
  const many = (n, make) => Array.from({ length: n }, make);
  const curve = (n) => ({ step: many(n, (_, i) => i * 25), value: many(n, next) });
  const evaluation = () => ({
    ...{ episodes: 100, steps: 50_000, meanReturn: 500 * next(), stdReturn: 10 * next() },
    ...{ toxicRate: next(), occupancy: next(), digest: hex() },
  });
  const cost = (environmentSteps, gradientSteps) => ({ environmentSteps, gradientSteps, samples: 512 * gradientSteps });
  const trials = expand(loadSweep(join(folder, 'sweep.yaml')).sweep);
  const bases = [...new Map(trials.map(({ baseId, spec }) => [baseId, spec.base]))].map(([id, spec]) => ({
    ...{ id, spec, ok: true },
    result: {
      ...{ policy: hex(), environmentSteps: 200_000, gradientSteps: 31_250, returns: curve(BASE_POINTS), trace: many(BASE_POINTS, hex) },
      ...{ greedy: evaluation(), sampled: evaluation(), random: evaluation() },
    },
  }));
  const rows = trials.map(({ id, baseId, spec }) => ({
    ...{ id, base: baseId, spec, ok: true },
    result: {
      acceptance: {
        ...{ accepted: true, reasons: [], greedyReturn: 500, gate: 475, toxicProbability: next(), violatingSteps: 5000 },
        ...{ violatingShare: next(), regionShare: next() },
      },
      influence: { printed: next(), unsaturated: next(), pairs: 3000, kept: 3000 },
      overrun: null,
      ...{ fe: next(), finalFe: next(), worstCase: next(), rsi: next(), rsiSampled: next(), retainKl: next(), retainValue: next() },
      ...{ forgetCurve: curve(POINTS), returnCurve: curve(POINTS), greedy: evaluation(), sampled: evaluation() },
      cost: { identify: cost(40_000, 0), correct: cost(0, 500) },
      ...{ checkpoint: 500, policy: hex(), forgetSet: hex(), trace: many(POINTS, hex) },
    },
  }));
  const facts = { ok: true, attempt: 1, host: 'bench', cpu: 'Intel(R) Xeon(R) CPU @ 2.50GHz', node: process.version, numerics: hex() };
  const record = (id, kind, phasesMs) => ({
    ...{ id, kind, ...facts, engine: `wasm ${hex()}`, startedAt: '2026-01-01T00:00:00.000Z', wallMs: 3000 * next(), phasesMs },
  });
  const provenance = [
    ...bases.map(({ id }) => record(id, 'base', { train: 3000 * next(), evaluate: 500 * next() })),
    ...rows.map(({ id }) =>
      record(id, 'trial', { identify: 300 * next(), correct: 900 * next(), curve: 900 * next(), evaluate: 900 * next() }),
    ),
  ];
  for (const [name, lines] of Object.entries({ bases, trials: rows, provenance }))
    writeFileSync(join(folder, `${name}.jsonl`), lines.map((line) => `${canonicalJson(line)}\n`).join(''));
  return trials.length;
}

/** ms of CPU time of the children that have ended. Linux counts hundredths of a second; elsewhere there is none. */
function childrenCpuMs() {
  if (!existsSync('/proc/self/stat')) return Number.NaN;
  const stat = readFileSync('/proc/self/stat', 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return 10 * (Number(fields[13]) + Number(fields[14]));
}

/** Wall and CPU time of a whole process, ms: on a busy machine only the second means something. */
function timed(args) {
  const [start, cpu] = [performance.now(), childrenCpuMs()];
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', maxBuffer: 1 << 28 });
  const ms = performance.now() - start;
  if (status !== 0) throw new Error(`${args.join(' ')}: exit code ${status}\n${stderr}`);
  return { ms, cpuMs: childrenCpuMs() - cpu };
}

export async function table(say) {
  const root = mkdtempSync(join(tmpdir(), 'spc-bench-'));
  try {
    say('writing rows');
    const folder = join(root, 'large');
    const trials = synthesise(folder);
    const mib = statSync(join(folder, 'trials.jsonl')).size / 2 ** 20;
    const samples = { start: [], table: [] };
    for (let round = 0; round <= ROUNDS; round++) {
      say(round === 0 ? 'warm-up' : `round ${round} of ${ROUNDS}`);
      const start = timed([CLI, '--version']);
      const whole = timed([CLI, 'table', folder]);
      if (round === 0) continue;
      samples.start.push(start);
      samples.table.push(whole);
    }
    const of = (name, what) => samples[name].map((sample) => sample[what]);
    return {
      title: `spc table over ${trials} trials (${mib.toFixed(0)} MiB of rows); the whole process`,
      rows: [
        row('spc --version', 'ms of wall time', of('start', 'ms')),
        row('spc table', 'ms of wall time', of('table', 'ms')),
        row('spc --version', 'ms of CPU time', of('start', 'cpuMs')),
        row('spc table', 'ms of CPU time', of('table', 'cpuMs')),
      ],
      notes: [],
    };
  } finally {
    rmSync(root, { recursive: true });
  }
}
