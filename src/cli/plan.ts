import { join } from 'node:path';
import type { CommandModule } from 'yargs';
import { isTransient, type Row } from '../contract/job.ts';
import { expand, type PlannedTrial } from '../coordinator/expand.ts';
import { loadSweep } from '../coordinator/load.ts';
import { type Plan, planOf } from '../coordinator/plan.ts';
import { readRows } from '../coordinator/store.ts';

interface PlanArgs {
  file: string;
  overrides: string[];
  results: string;
  list: boolean;
  json: boolean;
  check: boolean;
}

/** Which of the wanted rows a results folder has; `failed` of them are failures that would fail the same way again. */
export interface Cached {
  readonly bases: ReadonlySet<string>;
  readonly trials: ReadonlySet<string>;
  readonly failed: number;
}

/** Reads the rows of a folder one by one and writes nothing; a missing folder has none. What the next run would try again does not count. */
export async function cachedIn(folder: string, trials: readonly PlannedTrial[]): Promise<Cached> {
  const wanted = new Set(trials.flatMap(({ id, baseId }) => [id, baseId]));
  const again = new Set<string>();
  const cached = { bases: new Set<string>(), trials: new Set<string>(), failed: 0 };
  const count = (ids: Set<string>, row: Row): void => {
    if (!wanted.has(row.id)) return;
    ids.add(row.id);
    if (!row.ok) cached.failed++;
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

const WIDTH = 80;
const COUNT = 10;

/** Words of `text` in lines of at most 80 columns. */
function wrap(text: string): string[] {
  const lines: string[] = [];
  for (const word of text.split(/\s+/)) {
    const longer = `${lines.at(-1)} ${word}`;
    if (lines.length > 0 && longer.length <= WIDTH) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

/** A label and its counts; a label that is too long gets lines of its own. */
function row(label: string, counts: readonly (string | number)[]): string[] {
  const numbers = counts.map((count) => String(count).padStart(COUNT)).join('');
  const room = WIDTH - numbers.length;
  return label.length <= room ? [label.padEnd(room) + numbers] : [...wrap(label), ' '.repeat(room) + numbers];
}

const many = (n: number, one: string): string => `${n} ${one}${n === 1 ? '' : 's'}`;

/** A plan for people: arms x seeds = trials, on how many bases, and what is there already. Fits 80 columns. */
export function printPlan(plan: Plan, description: string, trials: readonly PlannedTrial[], cached: Cached): string {
  const there = new Map<string, number>();
  for (const { arm, id } of trials) if (cached.trials.has(id)) there.set(arm, (there.get(arm) ?? 0) + 1);
  const repeats = plan.correctionSeeds.length > 1 ? ` x ${plan.correctionSeeds.length} correction seeds where a strategy corrects` : '';
  const left = `${many(plan.bases - cached.bases.size, 'base')} and ${many(plan.trials - cached.trials.size, 'trial')}`;
  return [
    `${plan.name} (engine ${plan.engine})`,
    ...(description.trim() === '' ? [] : wrap(description.trim())),
    '',
    ...wrap(
      `${many(plan.arms.length, 'arm')} x ${many(plan.seeds.length, 'seed')}${repeats} = ${many(plan.trials, 'trial')} on ${many(plan.bases, 'base')}`,
    ),
    '',
    ...row('arm', ['trials', 'cached']),
    ...plan.arms.flatMap((arm) => row(arm.arm, [arm.trials, there.get(arm.arm) ?? 0])),
    ...row('(bases)', [plan.bases, cached.bases.size]),
    '',
    `to run: ${left}${cached.failed > 0 ? `; ${cached.failed} of the cached failed` : ''}`,
  ].join('\n');
}

/** One trial, one line: id, base, seed/correctionSeed, whether it is there, arm. */
const printTrial = (trial: PlannedTrial, cached: ReadonlySet<string>): string =>
  [trial.id, trial.baseId, `${trial.seed}/${trial.correctionSeed}`.padEnd(8), cached.has(trial.id) ? 'cached' : 'to run', trial.arm].join(
    '  ',
  );

async function plan({ file, overrides, results, list, json, check }: PlanArgs): Promise<void> {
  const { sweep } = loadSweep(file, overrides);
  const trials = expand(sweep);
  const content = planOf(sweep, trials);
  const cached = await cachedIn(join(results, sweep.name), trials);
  const left = { bases: content.bases - cached.bases.size, trials: content.trials - cached.trials.size };
  if (json) {
    const listed = trials.map(({ spec: _, ...trial }) => ({ ...trial, cached: cached.trials.has(trial.id) }));
    const counts = { cached: { bases: cached.bases.size, trials: cached.trials.size }, toRun: left };
    process.stdout.write(`${JSON.stringify({ ...content, ...counts, ...(list ? { list: listed } : {}) }, null, 2)}\n`);
  } else if (list) process.stdout.write(trials.map((trial) => `${printTrial(trial, cached.trials)}\n`).join(''));
  else process.stdout.write(`${printPlan(content, sweep.description, trials, cached)}\n`);
  if (check && left.bases + left.trials > 0) process.exitCode = 6;
}

/** `spc plan`: validates, expands and prints; never writes a file. Exit codes: 0; 2 for an invalid file (thrown as ConfigError); 6 with `--check`. */
export const planCommand: CommandModule<object, PlanArgs> = {
  command: 'plan <file> [overrides..]',
  describe: 'check a sweep file and show what it would run',
  builder: (yargs) =>
    yargs
      .positional('file', { type: 'string', demandOption: true, describe: 'the sweep file' })
      .positional('overrides', { type: 'string', array: true, default: [] as string[], describe: 'key=value, applied after the file' })
      .option('results', { type: 'string', default: 'results', describe: 'folder of results' })
      .option('list', { type: 'boolean', default: false, describe: 'one line per trial' })
      .option('json', { type: 'boolean', default: false, describe: 'for programs' })
      .option('check', { type: 'boolean', default: false, describe: 'exit with 6 if there is work left' }),
  handler: plan,
};
