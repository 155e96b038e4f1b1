import type { Asked } from './asked.ts';
import { groups } from './groups.ts';
import { isMasked, METRICS, type Metric, metricName } from './metrics.ts';
import { acceptanceNotes, cellNotes, engineNotes, failureLine, rowEngineNotes, rowNotes } from './notes.ts';
import type { Column, Records, TrialRecord } from './records.ts';
import { type Interval, interval95, type Summary, summaryOf } from './statistics.ts';
import { type SeedLine, seedLines } from './summarize.ts';
import { rowKey, rowOf, type View } from './view.ts';

/**
 * Tables of results as data: what every view prints, and what `--format json` is, version 2 (docs/tables.md). Full precision; null where
 * a number is not defined. A mark k stands for `notes[k - 1]` of its table.
 */
export interface Report {
  readonly version: 2;
  readonly sweep: string;
  /** The filter, null without one. */
  readonly where: string | null;
  /** What the rows are grouped by, null for a row per arm. Whatever is not in it is averaged within each training seed. */
  readonly groupBy: readonly string[] | null;
  /** The strategy that differences are taken from, null without one. */
  readonly baseline: string | null;
  /** What the keys of `cells` are. */
  readonly metrics: Readonly<Record<string, { readonly name: string; readonly unit: Metric['unit']; readonly describe: string }>>;
  readonly tables: readonly ScenarioTable[];
  /** The trials without numbers. */
  readonly unfinished: readonly Unfinished[];
  /** Rows on disk that belong to no trial of the sweep. */
  readonly strangers: number;
}

export interface ScenarioTable {
  readonly scenario: string;
  readonly seeds: number;
  readonly correctionSeeds: number;
  /** How many were asked for, have numbers, and failed. */
  readonly trials: { readonly asked: number; readonly ok: number; readonly failed: number };
  /** Keys, in the order of the columns. */
  readonly columns: readonly string[];
  /** Of the whole table. */
  readonly marks: readonly number[];
  readonly rows: readonly Row[];
  readonly notes: readonly string[];
}

/** Counts are of training seeds: `n` with a number, of `asked`; `failed` with at least one failed trial. */
export interface Row {
  /** Null where rows are not grouped by it. */
  readonly strategy: string | null;
  readonly overrides: Asked['overrides'];
  readonly asked: number;
  readonly n: number;
  readonly failed: number;
  readonly marks: readonly number[];
  readonly cells: Readonly<Record<string, Cell>>;
  /** Seeds that finished both here and in the baseline; null without one, and in its own row. */
  readonly pairs: number | null;
  /** With `--per-seed`. */
  readonly seeds?: readonly SeedRow[];
}

/** A training seed, and the policies behind its numbers. */
export interface SeedRow extends SeedLine {
  readonly policies: readonly PolicyOf[];
}

/** The corrected policy of one trial and the policy of its base, by the SHA-256 of their files; null where there is none. */
export interface PolicyOf {
  readonly trial: string | null;
  readonly arm: string;
  readonly correctionSeed: number;
  readonly policy: string | null;
  readonly basePolicy: string | null;
}

export interface Cell extends Summary {
  readonly unit: Metric['unit'];
  readonly marks: readonly number[];
  readonly difference: Difference | null;
}

/** Of this row minus the baseline's, seed by seed. */
export interface Difference extends Pick<Summary, 'n' | 'mean' | 'std'>, Interval {
  readonly marks: readonly number[];
}

export interface Unfinished {
  readonly scenario: string;
  readonly strategy: string;
  readonly overrides: Asked['overrides'];
  readonly engine: Asked['engine'];
  readonly seed: number;
  readonly correctionSeed: number;
  readonly state: 'failed' | 'missing';
  readonly why: string;
}

/** One table per scenario, in the order of the sweep; `none` and `retrain` frame every one of them and come first. */
export function makeReport(sweep: string, { columns, records, strangers }: Records, view: View): Report {
  const tables = [...groups(records, (r) => r.trial.scenario)].map(([scenario, trials]) => makeTable(scenario, trials, columns, view));
  const shown = new Set(tables.flatMap((table) => table.columns));
  const metrics = METRICS.filter(({ key }) => shown.has(key)).map((m) => {
    return [m.key, { name: metricName(m), unit: m.unit, describe: m.describe }] as const;
  });
  const { where, groupBy, baseline } = view;
  const unfinished = records.flatMap(unfinishedOf);
  return { version: 2, sweep, where, groupBy, baseline, metrics: Object.fromEntries(metrics), tables, unfinished, strangers };
}

/** Said below the tables when there is something to say. */
export const strangersText = ({ strangers }: Report): string[] =>
  strangers > 0 ? [`trials.jsonl has ${strangers} row${strangers === 1 ? '' : 's'} of no trial of this sweep: not in the table.`] : [];

/** True when every trial that was asked for has finished with numbers. */
export const isComplete = (report: Report): boolean => report.unfinished.length === 0;

/** The columns of a table, in its order. */
export const columnsOf = ({ columns }: ScenarioTable): readonly Metric[] =>
  columns.flatMap((key) => METRICS.find((m) => m.key === key) ?? []);

/** Numbers of footnotes, each said once. */
export type Mark = (texts: readonly string[]) => number[];

function makeTable(scenario: string, trials: readonly TrialRecord[], read: readonly Column[], view: View): ScenarioTable {
  const notes: string[] = [];
  const mark: Mark = (texts) => texts.map((text) => (notes.includes(text) ? notes.indexOf(text) + 1 : notes.push(text)));
  const has = ({ values }: Column): boolean => trials.some(({ at }) => !Number.isNaN(values[at]));
  const shown = read.filter((column) => view.chosen || column.metric.shown === 'always' || has(column));
  const columns = shown.map(({ metric }) => metric);
  const keyOf = ({ trial }: TrialRecord): string => rowKey(view, trial);
  const byRow = groups(trials, keyOf);
  const unordered = [...seedLines(trials, keyOf, shown)].map(([key, lines]): Draft => {
    const ofRow = byRow.get(key) ?? [];
    const [first] = ofRow;
    return { ...(first ? rowOf(view, first.trial) : { strategy: null, overrides: {} }), lines, trials: ofRow };
  });
  const frames = ({ strategy }: Draft): boolean => strategy === 'none' || strategy === 'retrain';
  const drafts = [...unordered.filter(frames), ...unordered.filter((draft) => !frames(draft))];
  const marks = mark([...engineNotes(trials), ...acceptanceNotes(trials)]);
  const rows = drafts.map((draft) =>
    makeRow(draft, baselineOf(draft, drafts, view), shown, view, mark, rowEngineNotes(draft.trials, trials)),
  );
  const distinct = (of: (trial: Asked) => number): number => new Set(trials.map(({ trial }) => of(trial))).size;
  const count = (state: TrialRecord['state']): number => trials.filter((r) => r.state === state).length;
  const counts = { asked: trials.length, ok: count('ok'), failed: count('failed') };
  const seeds = { seeds: distinct((trial) => trial.seed), correctionSeeds: distinct((trial) => trial.correctionSeed) };
  return { scenario, ...seeds, trials: counts, columns: columns.map(({ key }) => key), marks, rows, notes };
}

/** A row before anything is computed of it. */
interface Draft extends Pick<Row, 'strategy' | 'overrides'> {
  readonly lines: readonly SeedLine[];
  readonly trials: readonly TrialRecord[];
}

/** The row of the baseline with the same other axes, of those that both have; null where that is none or more than one. */
function baselineOf(row: Draft, all: readonly Draft[], { baseline }: View): Draft | null {
  if (baseline === null || row.strategy === baseline) return null;
  const agrees = ({ overrides }: Draft): boolean =>
    Object.entries(overrides).every(
      ([name, value]) => !(name in row.overrides) || JSON.stringify(row.overrides[name]) === JSON.stringify(value),
    );
  const [found, ...more] = all.filter((other) => other.strategy === baseline && agrees(other));
  return found && more.length === 0 ? found : null;
}

function makeRow(
  { strategy, overrides, lines, trials }: Draft,
  baseline: Draft | null,
  columns: readonly Column[],
  view: View,
  mark: Mark,
  said: readonly string[],
): Row {
  const n = lines.filter(({ ok }) => ok > 0).length;
  const failed = lines.filter((line) => line.failed > 0).length;
  const ofBaseline = new Map(baseline?.lines.map((line) => [line.seed, line]));
  const paired = lines.flatMap((line) => {
    const other = ofBaseline.get(line.seed);
    return other ? [{ line, other }] : [];
  });
  const unmatched = view.baseline !== null && baseline === null && strategy !== view.baseline;
  const marks = mark([
    ...said,
    ...rowNotes(trials, lines),
    ...(unmatched ? [`no difference: not one row of ${view.baseline} has the same other axes`] : []),
  ]);
  const pairs = baseline ? paired.filter(({ line, other }) => line.ok > 0 && other.ok > 0).length : null;
  const cells = columns.map((column): [string, Cell] => {
    const { metric } = column;
    const { key, unit } = metric;
    const summary = summaryOf(lines.flatMap(({ values }) => values[key] ?? []));
    const cell = { ...summary, unit, marks: mark(cellNotes(column, strategy, summary, lines, trials)) };
    return [key, { ...cell, difference: baseline ? difference(metric, strategy, paired, pairs ?? 0, mark) : null }];
  });
  const counts = { asked: lines.length, n, failed, marks };
  return {
    strategy,
    overrides,
    ...counts,
    cells: Object.fromEntries(cells),
    pairs,
    ...(view.perSeed && { seeds: withPolicies(lines, trials) }),
  };
}

function withPolicies(lines: readonly SeedLine[], trials: readonly TrialRecord[]): SeedRow[] {
  const ofSeed = groups(trials, ({ trial }) => trial.seed);
  return lines.map((line) => {
    const policies = (ofSeed.get(line.seed) ?? []).map(({ trial, id, policy, basePolicy }): PolicyOf => {
      return { trial: id, arm: trial.arm, correctionSeed: trial.correctionSeed, policy, basePolicy };
    });
    return { ...line, policies };
  });
}

/** Over the seeds that have the number on both sides; `pairs` of them finished on both. */
export function difference(
  metric: Metric,
  strategy: string | null,
  paired: readonly { readonly line: SeedLine; readonly other: SeedLine }[],
  pairs: number,
  mark: Mark,
): Difference {
  const summary = summaryOf(
    paired.flatMap(({ line: { values: mine }, other: { values: theirs } }) => {
      const [x, y] = [mine[metric.key] ?? null, theirs[metric.key] ?? null];
      return x === null || y === null ? [] : [x - y];
    }),
  );
  const { n, mean, std } = summary;
  const said = n === 0 || n === pairs || metric.ofFailed !== undefined || isMasked(strategy, metric);
  const marks = said ? [] : mark([`${metricName(metric)}: ${n} of ${pairs} pairs have both numbers`]);
  return { n, mean, std, ...interval95(summary), marks };
}

function unfinishedOf(record: TrialRecord): Unfinished[] {
  const { trial, state, baseIsThere } = record;
  if (state === 'ok') return [];
  const { scenario, strategy, overrides, engine, seed, correctionSeed } = trial;
  const why = state === 'failed' ? failureLine(record) : baseIsThere ? 'no row yet' : 'its base is not trained yet';
  return [{ scenario, strategy, overrides, engine, seed, correctionSeed, state, why }];
}
