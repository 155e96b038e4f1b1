import { join } from 'node:path';
import type { CommandModule } from 'yargs';
import { isTransient, type Row } from '../contract/job.ts';
import { type Estimate, estimate, type Quartiles, type Unknown } from '../coordinator/estimate.ts';
import { expand, type PlannedTrial } from '../coordinator/expand.ts';
import { wholeArm } from '../coordinator/labels.ts';
import { loadSweep } from '../coordinator/load.ts';
import { type Plan, planOf } from '../coordinator/plan.ts';
import { readRows } from '../coordinator/store.ts';
import { explainEmpty, parseWhere, type Subject, WHERE_HELP } from '../coordinator/where.ts';
import { groups } from '../report/groups.ts';
import { duration } from './progress.ts';
import { prospectOf } from './prospects.ts';
import { threadCount, threadsOption } from './run.ts';
import { say, WIDTH, wrap } from './text.ts';

interface PlanArgs {
  file: string;
  overrides: string[];
  results: string;
  where: string;
  threads: number;
  list: boolean;
  json: boolean;
  check: boolean;
}

/** Which of the wanted rows a results folder has, by id; `failed` of them are failures that would fail the same way again. */
export interface Cached {
  readonly bases: ReadonlySet<string>;
  readonly trials: ReadonlySet<string>;
  readonly failed: ReadonlySet<string>;
}

/** Reads the rows of a folder one by one and writes nothing; a missing folder has none. What the next run would try again does not count. */
export async function cachedIn(folder: string, trials: readonly PlannedTrial[]): Promise<Cached> {
  const wanted = new Set<string>();
  for (const { id, baseId } of trials) wanted.add(id).add(baseId);
  const again = new Set<string>();
  const cached = { bases: new Set<string>(), trials: new Set<string>(), failed: new Set<string>() };
  const count = (ids: Set<string>, row: Row): void => {
    if (!wanted.has(row.id)) return;
    ids.add(row.id);
    if (!row.ok) cached.failed.add(row.id);
  };
  for await (const { row } of readRows(folder, 'base')) {
    if (!row.ok && isTransient(row.failure)) again.add(row.id);
    else count(cached.bases, row);
  }
  for await (const { row } of readRows(folder, 'trial')) {
    if (row.ok || !(isTransient(row.failure) || again.has(row.base))) count(cached.trials, row);
  }
  return cached;
}

const COUNT = 10;

/** A label and its counts; a label that is too long gets lines of its own. */
function row(label: string, counts: readonly (string | number)[]): string[] {
  const numbers = counts.map((count) => String(count).padStart(COUNT)).join('');
  const room = WIDTH - numbers.length;
  return label.length <= room ? [label.padEnd(room) + numbers] : [...wrap(label), ' '.repeat(room) + numbers];
}

const many = (n: number, one: string): string => `${n} ${one}${n === 1 ? '' : 's'}`;

/** What is planned, what of it there is, and how long the rest may take. */
export interface Outlook {
  readonly plan: Plan;
  readonly description: string;
  /** What `--where` chose; all of them without it. */
  readonly trials: readonly PlannedTrial[];
  /** How many trials the sweep has, chosen or not. */
  readonly of: number;
  readonly cached: Cached;
  readonly estimate: Estimate;
}

/** A plan for people: arms x seeds = trials, on how many bases, what is there already, and how long the rest may take. Fits 80 columns. */
export function printPlan({ plan, description, trials, of, cached, estimate }: Outlook): string {
  const there = new Map<string, number>();
  for (const { arm, id } of trials) if (cached.trials.has(id)) there.set(arm, (there.get(arm) ?? 0) + 1);
  const repeats = plan.correctionSeeds.length > 1 ? ` x ${plan.correctionSeeds.length} correction seeds where a strategy draws` : '';
  const total = `${many(plan.trials, 'trial')} on ${many(plan.bases, 'base')}`;
  const grid = `${many(plan.arms.length, 'arm')} x ${many(plan.seeds.length, 'seed')}${repeats} = ${total}`;
  const left = `${many(plan.bases - cached.bases.size, 'base')} and ${many(plan.trials - cached.trials.size, 'trial')}`;
  return [
    `${plan.name} (${plan.engines.length > 1 ? 'engines' : 'engine'} ${plan.engines.join(', ')})`,
    ...(description.trim() === '' ? [] : wrap(description.trim())),
    '',
    ...wrap(plan.trials < of ? `chosen: ${total}, of ${many(of, 'trial')}` : grid),
    '',
    ...row('arm', ['trials', 'cached']),
    ...plan.arms.flatMap((arm) => row(arm.arm, [arm.trials, there.get(arm.arm) ?? 0])),
    ...row('(bases)', [plan.bases, cached.bases.size]),
    '',
    `to run: ${left}${cached.failed.size > 0 ? `; ${cached.failed.size} of the cached failed` : ''}`,
    ...printEstimate(estimate),
  ].join('\n');
}

const HOUR_MS = 3_600_000;
const hours = (ms: number): string => (ms / HOUR_MS).toLocaleString('en-US', { maximumSignificantDigits: 2 });
const interval = ({ low, high }: Quartiles, print: (ms: number) => string): string =>
  print(low) === print(high) ? '' : ` (${print(low)} to ${print(high)})`;

/** Brackets: if every job took what the quicker, or the slower, quarter of those behind the estimate took. */
function printEstimate({ classes, coreMs, wallMs, threads, unknown, from, yardstickMs }: Estimate): string[] {
  if (classes.length === 0) return [];
  const about = unknown.length > 0 ? 'at least' : 'about';
  const sum = (by: 'records' | 'rates', of: (one: Estimate['classes'][number]) => number): number =>
    classes.filter((one) => one.by === by).reduce((all, one) => all + of(one), 0);
  const rated = sum('rates', ({ jobs }) => jobs);
  const jobs = classes.reduce((all, one) => all + one.jobs, 0);
  return [
    ...(coreMs === null || wallMs === null
      ? ['time: unknown']
      : [
          `time: ${about} ${duration(wallMs.median)}${interval(wallMs, duration)} on ${many(threads, 'thread')}`,
          `core-hours: ${about} ${hours(coreMs.median)}${interval(coreMs, hours)}`,
        ]),
    ...(from.length > 0
      ? wrap(
          `judged by ${many(
            sum('records', ({ records }) => records),
            'job',
          )} in ${from.join(', ')}`,
        )
      : []),
    ...(rated > 0 && yardstickMs !== null
      ? wrap(
          `${rated === jobs ? 'judged' : `${rated} of ${jobs} jobs`} by rates of operations and the speed of this machine, measured now: no such job is recorded yet`,
        )
      : []),
    ...(unknown.length > 0 ? wrap(printUnknown(unknown, jobs)) : []),
  ];
}

/** `not counted, as nothing is known of them: 60 of 180 jobs (33 %), by tfjs-cpu: cartpole/angle 20 bases, 20 none, 20 tsf`. */
function printUnknown(unknown: readonly Unknown[], of: number): string {
  const jobs = unknown.reduce((sum, one) => sum + one.jobs, 0);
  const by = [...groups(unknown, ({ engine }) => engine)].map(([engine, ofEngine]) => {
    const scenarios = [...groups(ofEngine, ({ scenario }) => scenario)].map(([scenario, those]) => {
      return `${scenario} ${those.map(({ strategy, jobs: n }) => (strategy === null ? many(n, 'base') : `${n} ${strategy}`)).join(', ')}`;
    });
    return `by ${engine}: ${scenarios.join('; ')}`;
  });
  return `not counted, as nothing is known of them: ${jobs} of ${many(of, 'job')} (${Math.round((100 * jobs) / of)} %), ${by.join('; ')}`;
}

type State = Subject['state'];
const stateOf = ({ id }: PlannedTrial, cached: Cached): State =>
  !cached.trials.has(id) ? 'missing' : cached.failed.has(id) ? 'failed' : 'ok';
const STATES: Readonly<Record<State, string>> = { ok: 'cached', failed: 'failed', missing: 'to run' };

/** One trial, one line: id, base, seed/correctionSeed, whether it is there, arm. */
const printTrial = (trial: PlannedTrial, cached: Cached): string =>
  [
    trial.id,
    trial.baseId,
    `${trial.seed}/${trial.correctionSeed}`.padEnd(8),
    STATES[stateOf(trial, cached)],
    wholeArm(trial.arm, trial.spec.base.engine),
  ].join('  ');

/** What `--json` gives, besides the plan as it is frozen: `version` is that of both. */
interface PlanJson extends Plan {
  readonly cached: { readonly bases: number; readonly trials: number; readonly failed: number };
  readonly toRun: { readonly bases: number; readonly trials: number };
  readonly estimate: Estimate;
  /** With `--list`. */
  readonly list?: readonly (Omit<PlannedTrial, 'spec'> & { readonly cached: boolean; readonly state: State })[];
}

const EXIT = { empty: 5, left: 6 } as const;

async function plan({ file, overrides, results, where, threads, list, json, check }: PlanArgs): Promise<void> {
  const terms = parseWhere(where);
  const slots = threadCount(threads);
  const { sweep } = loadSweep(file, overrides);
  const all = expand(sweep);
  const there = await cachedIn(join(results, sweep.name), all);
  const subject = (trial: PlannedTrial): Subject => ({ ...trial, state: stateOf(trial, there) });
  const trials = terms.length === 0 ? all : all.filter((trial) => terms.every((term) => term.matches(subject(trial))));
  if (trials.length === 0) {
    say(`plan ${file}: ${explainEmpty(terms, all.map(subject), 'trial')}`);
    process.exitCode = EXIT.empty;
    return;
  }
  const cached = trials === all ? there : chosenOf(there, trials);
  const content = trials === all ? planOf(sweep, all) : chosenPlan(planOf(sweep, trials), trials);
  const left = {
    bases: new Set(trials.flatMap(({ baseId }) => (cached.bases.has(baseId) ? [] : [baseId]))),
    trials: trials.filter(({ id }) => !cached.trials.has(id)),
  };
  const toRun = { bases: left.bases.size, trials: left.trials.length };
  const outlook = async (): Promise<Estimate> => {
    return estimate(left, trials, await prospectOf(left, all, { root: results, name: sweep.name, threads: slots }), slots);
  };
  if (json) {
    const counts = { bases: cached.bases.size, trials: cached.trials.size, failed: cached.failed.size };
    const listed = trials.map(({ spec: _, ...trial }) => ({
      ...trial,
      cached: cached.trials.has(trial.id),
      state: stateOf(trial as PlannedTrial, cached),
    }));
    const whole: PlanJson = { ...content, cached: counts, toRun, estimate: await outlook(), ...(list ? { list: listed } : {}) };
    process.stdout.write(`${JSON.stringify(whole, null, 2)}\n`);
  } else if (list) process.stdout.write(trials.map((trial) => `${printTrial(trial, cached)}\n`).join(''));
  else {
    const { description } = sweep;
    process.stdout.write(`${printPlan({ plan: content, description, trials, of: all.length, cached, estimate: await outlook() })}\n`);
  }
  if (check && toRun.bases + toRun.trials > 0) process.exitCode = EXIT.left;
}

/** Of what is there, what chosen trials want. */
function chosenOf(there: Cached, trials: readonly PlannedTrial[]): Cached {
  const ids = new Set(trials.flatMap(({ id, baseId }) => [id, baseId]));
  const among = (set: ReadonlySet<string>): Set<string> => new Set([...set].filter((id) => ids.has(id)));
  return { bases: among(there.bases), trials: among(there.trials), failed: among(there.failed) };
}

const distinct = (numbers: readonly number[]): number[] => [...new Set(numbers)];

/** The plan of a part of its trials. */
const chosenPlan = (plan: Plan, trials: readonly PlannedTrial[]): Plan => ({
  ...plan,
  seeds: distinct(trials.map(({ seed }) => seed)),
  correctionSeeds: distinct(trials.map(({ correctionSeed }) => correctionSeed)),
});

/** `spc plan`: validates, expands and prints; never writes a file. Exit codes: 0; 2 for an invalid file (thrown as ConfigError); 5 when `--where` chooses nothing; 6 with `--check`. */
export const planCommand: CommandModule<object, PlanArgs> = {
  command: 'plan <file> [overrides..]',
  describe: 'check a sweep file and show what it would run',
  builder: (yargs) =>
    yargs
      .positional('file', { type: 'string', demandOption: true, describe: 'the sweep file' })
      .positional('overrides', { type: 'string', array: true, default: [] as string[], describe: 'key=value, applied after the file' })
      .option('results', { type: 'string', default: 'results', requiresArg: true, describe: 'folder of results' })
      .option('where', {
        type: 'string',
        default: '',
        requiresArg: true,
        describe: 'only some trials: field=value, !=, a|b, 1..3, joined by commas',
      })
      .option('threads', { ...threadsOption, describe: 'for the estimate of time' })
      .option('list', { type: 'boolean', default: false, describe: 'one line per trial' })
      .option('json', { type: 'boolean', default: false, describe: 'for programs' })
      .option('check', { type: 'boolean', default: false, describe: 'exit with 6 if there is work left' })
      .epilogue(
        `${WHERE_HELP} What is not recorded is judged by rates of operations (npm run rates) and a second of measuring this machine; where neither says anything, the time is "at least". Exit codes: 0; 2 invalid, 5 nothing chosen, 6 work is left (--check).`,
      ),
  handler: plan,
};
