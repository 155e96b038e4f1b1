import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CommandModule } from 'yargs';
import { environment } from '../contract/environments.ts';
import { ConfigError } from '../contract/errors.ts';
import { canonicalJson, contentDigest, type Json, shortId } from '../contract/ids.ts';
import { suggest } from '../contract/problems.ts';
import type { TrialRow } from '../contract/rows.ts';
import { SCENARIO_NAMES, SCENARIOS, type Scenario } from '../contract/scenarios.ts';
import type { Sweep } from '../contract/sweep.ts';
import { resolveArms } from '../coordinator/arms.ts';
import { type Loaded, loadSweep, parseSweepText } from '../coordinator/load.ts';
import { isPlanar, PRICE_DEFAULTS, type Price, planarPrice } from '../correction/price.ts';
import { moments } from '../ppo/episodes.ts';
import { numericsOf } from '../worker/engines.ts';
import { compute, threadCount, threadsOption } from './run.ts';
import { wrap } from './text.ts';

interface PriceArguments {
  readonly scenario: string;
  readonly overrides: readonly string[];
  readonly sweep: string;
  readonly results: string;
  readonly threads: number;
  readonly json: boolean;
  readonly quiet: boolean;
}

interface Spread {
  readonly mean: number;
  readonly std: number | null;
}

/** What `--json` gives. Returns; `price` is free minus obeying, pair by pair. */
interface PriceJson {
  readonly version: 1;
  readonly scenario: string;
  readonly method: 'dynamic programming' | 'masked oracle';
  /** Episodes from the same starts, or training seeds. */
  readonly n: number;
  readonly free: Spread;
  /** The best that was found under the mask. */
  readonly obeying: Spread;
  readonly price: Spread;
  /** The same with half as many grid points per dimension: how far the grid can be trusted. */
  readonly coarser?: Price;
  readonly steps?: Price['steps'];
  /** Under the mask: the base as it is, and trained anew. */
  readonly shield?: Spread;
  readonly retrain?: Spread;
  readonly notes: readonly string[];
}

const FOLDER = 'price';
const WORLDS = 'sweeps/worlds.yaml';

/** Read commands never write; this one keeps what it has computed, under a digest of all that went into it. */
async function price(args: PriceArguments): Promise<void> {
  const scenario = find(args);
  if (scenario.rules.length === 0)
    throw new ConfigError(`price: expected a scenario with rules, got ${args.scenario}; a bare environment forbids nothing`);
  const found = isPlanar(scenario.environment) ? planar(args, scenario) : await oracle(args);
  if (found === null) return;
  process.stdout.write(args.json ? `${JSON.stringify(found, null, 2)}\n` : print(found, environment(scenario.environment).maxSteps));
}

/** A built-in scenario, or one of the sweep file's own. */
function find({ scenario, sweep }: PriceArguments): Scenario {
  const builtIn = Object.hasOwn(SCENARIOS, scenario) ? SCENARIOS[scenario] : undefined;
  if (builtIn) return builtIn;
  if (SCENARIO_NAMES.includes(scenario)) return { environment: scenario, options: {}, rules: [] };
  const own = sweep === WORLDS && !existsSync(sweep) ? {} : loadSweep(sweep).sweep.scenarios;
  const there = Object.hasOwn(own, scenario) ? own[scenario] : undefined;
  if (there) return there;
  const known = [...Object.keys(SCENARIOS), ...Object.keys(own)];
  const isFile = /\.ya?ml$/i.test(scenario);
  const remedy = isFile ? `write the scenario first, and --sweep ${scenario}` : suggest(scenario, known);
  throw new ConfigError(`price: expected a scenario, got ${scenario || 'nothing'}; ${remedy}`);
}

function planar({ scenario, results, overrides, quiet }: PriceArguments, { environment: id, options, rules }: Scenario): PriceJson {
  if (overrides.length > 0)
    throw new ConfigError(
      `price: expected no overrides, got ${overrides[0]}; ${scenario} is priced by dynamic programming, without training`,
    );
  const code = numericsOf(['wasm']);
  const key = { environment: id, options, rules: rules as unknown as Json, how: { ...PRICE_DEFAULTS }, code: code.all };
  const file = join(results, FOLDER, `${shortId(key as unknown as Json)}.json`);
  const kept = stored(file);
  if (kept) return { ...kept, scenario };
  try {
    mkdirSync(join(file, '..'), { recursive: true });
  } catch (cause) {
    throw new ConfigError(`--results: expected a folder that can be written, got ${results}: ${(cause as Error).message}`, { cause });
  }
  if (!quiet) process.stderr.write(`dynamic programming on ${PRICE_DEFAULTS.points} x ${PRICE_DEFAULTS.points} points\n`);
  const fine = planarPrice(id, options, rules);
  const coarser = planarPrice(id, options, rules, { ...PRICE_DEFAULTS, points: Math.ceil(PRICE_DEFAULTS.points / 2) });
  const { free, obeying, price: paid, steps } = fine;
  const method = 'dynamic programming' as const;
  const found: PriceJson = {
    ...{ version: 1, scenario, method, n: PRICE_DEFAULTS.episodes, free, obeying, price: paid, coarser, steps, notes: [] },
  };
  keep(file, found);
  return found;
}

/** What was computed before; a damaged file counts as none. */
function stored(file: string): PriceJson | null {
  try {
    const { digest, found } = JSON.parse(readFileSync(file, 'utf8')) as { digest: string; found: PriceJson };
    return contentDigest(Buffer.from(JSON.stringify(found))) === digest ? found : null;
  } catch {
    return null;
  }
}

/** Whole or not at all. */
function keep(file: string, found: PriceJson): void {
  const digest = contentDigest(Buffer.from(JSON.stringify(found)));
  writeFileSync(`${file}.part`, `${JSON.stringify({ digest, found })}\n`);
  renameSync(`${file}.part`, file);
}

/** What is trained for a price: the training options, seeds and limits that a sweep has for this scenario, and three strategies. */
function framed(scenario: string, sweep: Sweep): Loaded {
  const found = new Map(
    resolveArms(sweep)
      .arms.filter((arm) => arm.scenario === scenario)
      .map(({ ppo, engine }) => [canonicalJson([ppo, engine]), { ppo, engine }]),
  );
  const [way, ...others] = found.values();
  if (!way) throw new ConfigError(`price: expected an arm of ${scenario} in the sweep, got none; name another with --sweep`);
  if (others.length > 0)
    throw new ConfigError(
      `price: expected one way to train for ${scenario} in the sweep, got ${found.size}; choose one by overrides such as ppo.gamma=0.99 or engine=wasm`,
    );
  const { seeds, scenarios, limits } = sweep;
  const own = Object.hasOwn(scenarios, scenario) ? { [scenario]: scenarios[scenario] } : {};
  const axes = { scenario: [scenario], strategy: ['none', 'shield', 'retrain'] };
  const written = {
    version: 1,
    name: `price-${scenario.replaceAll('/', '-')}`,
    seeds,
    axes,
    ...way,
    scenarios: own,
    acceptance: 'report',
  };
  const loaded = parseSweepText(JSON.stringify(written), 'price');
  return { ...loaded, sweep: { ...loaded.sweep, limits } };
}

/**
 * The best policy under the mask is not known; two good ones are: the base with the mask on, and one trained with it from the first step.
 * They are computed as any sweep is, with the training options of the sweep file, into a folder of their own: the second time it is read.
 */
async function oracle({ scenario, overrides, sweep, results, threads, quiet }: PriceArguments): Promise<PriceJson | null> {
  const loaded = framed(scenario, loadSweep(sweep, [`scenario=${scenario}`, ...overrides]).sweep);
  const code = numericsOf([loaded.sweep.engine]);
  const folder = join(results, FOLDER, shortId({ sweep: loaded.sweep as unknown as Json, code: code.all }));
  const complete = await compute({ loaded, folder, slots: threadCount(threads), extend: false, recompute: false, quiet });
  if (complete === null) return null;
  const rows = readFileSync(join(folder, 'trials.jsonl'), 'utf8').trim().split('\n');
  const trials = rows.map((row) => JSON.parse(row) as TrialRow);
  const of = (strategy: string): Map<number, number> =>
    new Map(
      trials.flatMap((row) => (row.ok && row.spec.strategy === strategy ? [[row.spec.base.seed, row.result.greedy.meanReturn]] : [])),
    );
  const [none, shield, retrain] = [of('none'), of('shield'), of('retrain')];
  const seeds = [...none.keys()].filter((seed) => shield.has(seed) && retrain.has(seed)).sort((a, b) => a - b);
  if (seeds.length === 0)
    throw new ConfigError(`price: expected a seed that all three of none, shield, retrain finished, got none; see ${folder}`);
  const list = (values: ReadonlyMap<number, number>): number[] => seeds.map((seed) => values.get(seed) as number);
  const [free, shielded, retrained] = [list(none), list(shield), list(retrain)];
  const obeying = seeds.map((_, i) => Math.max(shielded[i] as number, retrained[i] as number));
  const low = trials.filter(
    (row) => row.ok && row.spec.strategy === 'none' && row.result.acceptance.greedyReturn < row.result.acceptance.gate,
  );
  const failed = trials.filter((row) => !row.ok);
  return {
    ...{ version: 1, scenario, method: 'masked oracle', n: seeds.length },
    ...{ free: spread(free), obeying: spread(obeying), price: spread(free.map((r, i) => r - (obeying[i] as number))) },
    ...{ shield: spread(shielded), retrain: spread(retrained) },
    notes: [
      ...(low.length > 0 ? [`${low.length} of ${none.size} bases are below their gate: train longer before you trust this`] : []),
      ...(failed.length > 0 ? [`${failed.length} trials failed: spc table ${folder}`] : []),
    ],
  };
}

const spread = (x: readonly number[]): Spread => (({ mean, std }) => ({ mean, std: x.length > 1 ? std : null }))(moments(x));
/** Without the sign of what rounds to 0. */
const fixed = (x: number, digits: number): string => x.toFixed(digits).replace(/^-(0\.?0*)$/, '$1');
const printSpread = ({ mean, std }: Spread): string => `${fixed(mean, 2).padStart(9)} ± ${std === null ? '–' : std.toFixed(2)}`;

function print(found: PriceJson, maxSteps: number): string {
  const { scenario, method, n, free, obeying, price: paid, coarser, steps, shield, retrain, notes } = found;
  const share = free.mean !== 0 ? ` (${fixed((100 * paid.mean) / Math.abs(free.mean), 1)} % of it)` : '';
  const lines = [
    `${scenario}: what obeying costs, by ${method}`,
    '',
    `free       ${printSpread(free)}${steps ? `   ${steps.free.toFixed(1)} steps` : ''}`,
    ...(shield ? [`shield     ${printSpread(shield)}   the base, toxic actions masked`] : []),
    ...(retrain ? [`retrain    ${printSpread(retrain)}   trained with the mask`] : []),
    `obeying    ${printSpread(obeying)}${steps ? `   ${steps.obeying.toFixed(1)} steps` : '   the better of both, seed by seed'}`,
    `price      ${printSpread(paid)}${share}`,
    '',
  ];
  const grid =
    coarser && `With half the grid points per dimension: ${fixed(coarser.price.mean, 2)}; less than that difference means nothing.`;
  const what =
    method === 'dynamic programming'
      ? `Returns of the best policy on the grid, played from ${n} starts of the world, at most ${maxSteps} steps; mean ± std over them, the price start by start.`
      : `Greedy returns over ${n} training seed${n === 1 ? '' : 's'}; mean ± std, the price seed by seed. An upper bound of the price: better obeying policies may exist.`;
  return `${[...lines, ...wrap([what, grid, ...notes].filter(Boolean).join(' '))].join('\n')}\n`;
}

/** `spc price`: exit codes 0; 2 for an unknown scenario or an invalid file; 130 and 143 interrupted. */
export const priceCommand: CommandModule<object, PriceArguments> = {
  command: 'price <scenario> [overrides..]',
  describe: 'say what obeying a constraint costs whoever obeys it best',
  builder: (yargs) =>
    yargs
      .positional('scenario', { type: 'string', demandOption: true, describe: 'a built-in scenario, or one of the sweep file' })
      .positional('overrides', {
        type: 'string',
        array: true,
        default: [] as string[],
        describe: 'key=value, applied after the sweep file',
      })
      .option('sweep', {
        type: 'string',
        default: WORLDS,
        requiresArg: true,
        describe: 'where training options and seeds come from, and scenarios of your own',
      })
      .option('results', {
        type: 'string',
        default: 'results',
        requiresArg: true,
        describe: 'folder of results; prices are kept in price/',
      })
      .option('threads', threadsOption)
      .option('json', { type: 'boolean', default: false, describe: 'for programs' })
      .option('quiet', { type: 'boolean', default: false, describe: 'no progress, only warnings' })
      .epilogue(
        'Worlds of two dimensions by dynamic programming, in seconds; others by training under the mask, in minutes. Computed once, then read.',
      ),
  handler: price,
};
