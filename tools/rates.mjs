// npm run rates: what the operations of a job take, for plans on a machine that has run nothing. Writes src/coordinator/rates.ts.
//   episodes  lengths of trained and of random policies: of bases of sweeps/worlds.yaml that are trained here
//   engines   how many times as long as wasm another engine takes: from the provenance of results/reference/engines
//   rates     CPU time per operation, in yardsticks: jobs of the sweeps behind results/reference (their first seeds) and some of other
//             sizes are run here, between measurements of the yardstick, and non-negative rates are fitted to their parts
// About five minutes for the first two seeds; `npm run rates -- SEEDS FILE` keeps what was measured, with `--fit` it is read from there.
// CPU time, and in turns with the yardstick, so that what else runs on the machine changes little.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { measureYardstick } from '../dist/cli/yardstick.js';
import { EVALUATION_EPISODES } from '../dist/contract/evaluate.js';
import { expand } from '../dist/coordinator/expand.js';
import { loadSweep, parseSweepText } from '../dist/coordinator/load.js';
import { PARTS, partOf, total, workOf } from '../dist/coordinator/operations.js';
import { makeEnv } from '../dist/envs/make.js';
import { episodeStreams, playEpisodes } from '../dist/ppo/episodes.js';
import { decodePolicy } from '../dist/ppo/policy.js';
import { makeEngine } from '../dist/worker/engines.js';
import { runTrial, trainBase } from '../dist/worker/jobs.js';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const reference = (...parts) => join(root, 'results', 'reference', ...parts);
const lines = (file) =>
  readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
const mean = (numbers) => numbers.reduce((sum, x) => sum + x, 0) / numbers.length;
const median = (numbers) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1];
const digits = (x) => Number(x.toPrecision(3));

/** Lengths of a hundred episodes of a base, by mode: their mean, and the longest. */
function episodesOf({ row, policy: file }) {
  const { environment: id, options, ppo, seed } = row.spec;
  const { shape, params } = decodePolicy(file);
  const network = makeEngine('wasm').network(shape, EVALUATION_EPISODES);
  network.set(params);
  const play = (mode) => {
    const streams = episodeStreams('evaluate', { environment: id, options }, seed, EVALUATION_EPISODES);
    const { lengths } = playEpisodes({ makeWorld: (n) => makeEnv(id, options, n), network, mode, streams });
    return { mean: Math.round(mean([...lengths])), longest: Math.max(...lengths) };
  };
  const lengths = Object.fromEntries(['greedy', 'sampled', 'random'].map((mode) => [mode, play(mode)]));
  network.free();
  return { ...lengths, timesteps: ppo.totalTimesteps };
}

const map = (object, change) => Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value, key)]));

/** How many times as long as wasm, by part. */
function engines() {
  const folder = reference('engines');
  const specs = new Map(['bases', 'trials'].flatMap((name) => lines(join(folder, `${name}.jsonl`)).map((row) => [row.id, row.spec])));
  const took = {};
  for (const { id, ok, phasesMs } of lines(join(folder, 'provenance.jsonl'))) {
    const spec = specs.get(id);
    if (!ok || spec === undefined || spec.strategy === 'none') continue;
    const engine = (spec.base ?? spec).engine;
    for (const [phase, ms] of Object.entries(phasesMs)) {
      const key = phase === 'train' ? 'train' : partOf(phase) === 'main' ? 'correct' : 'play';
      took[engine] ??= {};
      took[engine][key] ??= [];
      took[engine][key].push(ms);
    }
  }
  const { wasm, ...others } = map(took, (by) => map(by, median));
  return map(others, (by) => map(by, (ms, key) => digits(ms / wasm[key])));
}

/** Jobs of other sizes: without them a rate per row and one per multiply-add could not be told apart. */
const SIZES = [
  'hidden: [16]',
  'hidden: [256, 256]',
  'hidden: [64, 64], separate: true',
  'numEnvs: 1, numSteps: 2048, numMinibatches: 32, updateEpochs: 4',
  'numEnvs: 4, numSteps: 512, numMinibatches: 8, updateEpochs: 2',
  'numEnvs: 64, numSteps: 128, numMinibatches: 2, updateEpochs: 10',
];
const sweepOf = (name, ppo, more = '') =>
  parseSweepText(
    `version: 1\nname: ${name}\nseeds: 1\nacceptance: report\naxes: { scenario: [cartpole/angle], strategy: [none, shield, tsf, zsi, 'tsf:paper'] }\nppo: { totalTimesteps: 60000, learningRate: 0.002, gamma: 0.98, vfCoef: 0.01, numEnvs: 16, numSteps: 128, numMinibatches: 4, updateEpochs: 6, ${ppo} }\n${more}`.replace(
      /(\w+): [^,{}[\]]+, (?=.*\b\1: )/g,
      '',
    ),
    name,
  ).sweep;

function sweeps(seeds) {
  const sized = SIZES.map((ppo, i) => sweepOf(`size-${i}`, ppo));
  const corrected = [
    sweepOf('long', 'hidden: [64, 64]', 'correct: { steps: 2000, forgetBatch: 128, retainBatch: 128 }\nevaluate: { curvePoints: 2 }\n'),
    sweepOf(
      'wide',
      'hidden: [64, 64]',
      'correct: { steps: 100, forgetBatch: 512, retainBatch: 1024 }\nevaluate: { curvePoints: 51, curveEpisodes: 50 }\n',
    ),
  ];
  const known = ['quick', 'worlds', 'cartpole'].map((name) => loadSweep(join(root, 'sweeps', `${name}.yaml`), [`seeds=${seeds}`]).sweep);
  return [...known, ...sized, ...corrected];
}

/** Every base once, and every arm of it at its first correction seed; times by part, in yardsticks. */
function measure(seeds) {
  const engine = makeEngine('wasm');
  const [found, episodes] = [[], {}];
  measureYardstick(600);
  let latest = measureYardstick(400);
  for (const sweep of sweeps(seeds)) {
    const bases = new Map();
    for (const { baseId, spec, arm, correctionSeed } of expand(sweep)) {
      if (correctionSeed > 1) continue;
      if (!bases.has(baseId))
        bases.set(
          baseId,
          timed(`${sweep.name} base`, spec.base, (observe) => trainBase(spec.base, engine, observe)),
        );
      const base = bases.get(baseId);
      if (sweep.name === 'worlds') episodes[spec.base.environment] ??= episodesOf(base);
      try {
        timed(`${sweep.name} ${arm}`, spec, (observe) => runTrial(spec, base, engine, observe));
      } catch (error) {
        console.error(`${sweep.name} ${arm}: ${error.message}`);
      }
    }
  }
  return { found, episodes };

  function timed(name, spec, work) {
    const before = latest;
    const spent = { main: 0, identify: 0, curve: 0, evaluate: 0 };
    const open = ['main'];
    let since = process.cpuUsage();
    const charge = () => {
      const { user, system } = process.cpuUsage(since);
      spent[open.at(-1)] += (user + system) / 1000;
      since = process.cpuUsage();
    };
    const phase = (named, inside) => {
      charge();
      open.push(partOf(named));
      try {
        return inside();
      } finally {
        charge();
        open.pop();
      }
    };
    const result = work({ phase, progress: () => {} });
    charge();
    latest = measureYardstick(400);
    const yardstick = (before + latest) / 2;
    found.push({ name, spec, yardstick, took: map(spent, (ms) => ms / yardstick) });
    console.error(
      `${name}: ${PARTS.map((part) => `${part} ${Math.round(spent[part])} ms`).join(', ')}; yardstick ${yardstick.toFixed(1)} ms`,
    );
    return result;
  }
}

/** Rates >= 0 with the least squared error over all parts, by coordinate descent; weighed between relative (a short part counts as much) and absolute. */
function ratesOf(found) {
  const equations = found.flatMap(({ spec, took }) => {
    const work = workOf(spec);
    return PARTS.flatMap((part) =>
      took[part] > 0.05 && work[part].size > 0 ? [{ work: work[part], took: took[part], weight: took[part] ** -0.75 }] : [],
    );
  });
  const names = [...new Set(equations.flatMap(({ work }) => [...work.keys()]))].sort();
  const rows = equations.map(({ work, weight }) => names.map((name) => (work.get(name) ?? 0) * weight));
  const rates = names.map(() => 0);
  const residual = equations.map(({ took, weight }) => took * weight);
  for (let sweep = 0; sweep < 20_000; sweep++) {
    for (let k = 0; k < names.length; k++) {
      let [slope, curvature] = [0, 0];
      for (let i = 0; i < rows.length; i++) {
        slope += rows[i][k] * residual[i];
        curvature += rows[i][k] ** 2;
      }
      if (curvature === 0) continue;
      const next = Math.max(0, rates[k] + slope / curvature);
      const step = next - rates[k];
      if (step === 0) continue;
      rates[k] = next;
      for (let i = 0; i < rows.length; i++) residual[i] -= rows[i][k] * step;
    }
  }
  return Object.fromEntries(names.map((name, k) => [name, digits(rates[k])]));
}

function judge(found, rates) {
  const ratios = found.map(({ name, spec, took }) => {
    const work = workOf(spec);
    const expected = PARTS.reduce((sum, part) => sum + total(work[part], rates), 0);
    const actual = PARTS.reduce((sum, part) => sum + took[part], 0);
    const by = PARTS.map((part) => `${part} ${(total(work[part], rates) / took[part]).toFixed(2)}`).join(', ');
    console.error(`${name}: expected/actual ${(expected / actual).toFixed(2)} (${by})`);
    return { expected, actual };
  });
  const sorted = ratios.map(({ expected, actual }) => expected / actual).sort((a, b) => a - b);
  const at = (q) => sorted[Math.round(q * (sorted.length - 1))];
  const sum = (key) => ratios.reduce((all, one) => all + one[key], 0);
  console.error(
    `of ${sorted.length} jobs: expected/actual ${at(0.5).toFixed(2)} [${at(0).toFixed(2)}, ${at(1).toFixed(2)}], quartiles ${at(0.25).toFixed(2)} and ${at(0.75).toFixed(2)}; all together ${(sum('expected') / sum('actual')).toFixed(2)}`,
  );
  return { low: digits(1 / at(0.75)), high: digits(1 / at(0.25)) };
}

const [seeds = 2, cache] = process.argv.slice(2);
let measured;
if (cache && process.argv.includes('--fit')) measured = JSON.parse(readFileSync(cache, 'utf8'));
else {
  measured = measure(seeds);
  if (cache) writeFileSync(cache, JSON.stringify(measured));
}
const { found, episodes } = measured;
const rates = ratesOf(found);
const spread = judge(found, rates);
const text = `// Written by tools/rates.mjs (npm run rates). Not to be edited.

interface Lengths {
  readonly mean: number;
  readonly longest: number;
}

/** Steps of a hundred episodes of trained policies and of random ones, and for how many timesteps they were trained. */
export const EPISODES: Readonly<
  Record<string, { readonly greedy: Lengths; readonly sampled: Lengths; readonly random: Lengths; readonly timesteps: number }>
> = ${JSON.stringify(episodes)};

/** What an operation takes by \`wasm\`, in yardsticks (cli/yardstick.ts): fitted to ${found.length} jobs on a machine whose yardstick took ${median(found.map(({ yardstick }) => yardstick)).toFixed(1)} ms. */
export const RATES: Readonly<Record<string, number>> = ${JSON.stringify(rates)};

/** What jobs took by what was expected of them: the quarter that took least, and the one that took most. */
export const SPREAD = ${JSON.stringify(spread)};

/** How many times as long another engine takes, for minibatches of 512 and hidden layers of 64 and 64: results/reference/engines. */
export const ENGINES: Readonly<Record<string, { readonly train: number; readonly correct: number; readonly play: number }>> = ${JSON.stringify(engines())};
`;
const target = join(root, 'src', 'coordinator', 'rates.ts');
writeFileSync(target, text);
execFileSync('npx', ['biome', 'check', '--write', target], { cwd: root, stdio: 'inherit' });
