import { ConfigError } from '../contract/errors.ts';
import { canonicalJson, type Json } from '../contract/ids.ts';
import { suggest } from '../contract/problems.ts';
import type { Asked } from './asked.ts';
import { groups } from './groups.ts';
import { type Metric, metricName } from './metrics.ts';
import { acceptanceNotes, cellNotes, engineNotes, rowNotes } from './notes.ts';
import { comparable, type Parting, partingOf, partingStep, type Way, type Ways } from './partings.ts';
import type { Column, Records, TrialRecord } from './records.ts';
import { type Cell, difference, type Mark, type Row } from './report.ts';
import { summaryOf } from './statistics.ts';
import { type SeedLine, seedLines } from './summarize.ts';

/**
 * The same quantities under each value of one axis, everything else equal: what `spc compare` prints, and what `--json` is, version 1
 * (docs/tables.md). Full precision; null where a number is not defined. A mark k stands for `notes[k - 1]` of its combination.
 */
export interface Comparison {
  readonly version: 1;
  readonly sweep: string;
  readonly where: string | null;
  readonly axis: string;
  readonly values: readonly Json[];
  /** The value that differences are taken from. */
  readonly to: Json;
  readonly trials: { readonly asked: number; readonly ok: number; readonly failed: number };
  readonly metrics: Readonly<Record<string, { readonly name: string; readonly unit: Metric['unit']; readonly describe: string }>>;
  readonly combinations: readonly Combination[];
  /** Arms that stand alone: none other differs from them in the axis only. */
  readonly alone: readonly string[];
}

/** Arms that differ in the axis only: what they have in common, null for what the axis is. */
export interface Combination {
  readonly scenario: string | null;
  readonly strategy: string | null;
  readonly overrides: Asked['overrides'];
  /** Keys, in the order of the rows. */
  readonly quantities: readonly string[];
  readonly sides: readonly Side[];
  readonly notes: readonly string[];
}

/** One arm, as a row of a table whose baseline is the arm at `to`. */
export interface Side extends Pick<Row, 'asked' | 'n' | 'failed' | 'marks' | 'cells' | 'pairs'> {
  readonly value: Json;
  /** Of the axis `engine`, against `to`. */
  readonly partings: Partings | null;
}

/** Where what two engines did parted: null where there is nothing to compare. */
export interface Partings {
  /** Mean returns of training episodes, by environment steps. */
  readonly episodes: Parting | null;
  /** Weights in training, by environment steps. */
  readonly base: Parting | null;
  /** Weights in correcting, by gradient steps. */
  readonly correction: Parting | null;
  readonly marks: readonly number[];
}

/** Of a base, not of a trial: a base that was refused counts. */
const BASE_RETURN: Metric = {
  key: 'baseReturn',
  block: 'effect',
  shown: 'always',
  header: ['base', 'return'],
  unit: 'reward',
  decimals: 1,
  describe: 'mean greedy return of the base, whether it was accepted or not',
  of: () => null,
  missing: 'no trained base',
};

export interface Question {
  readonly axis: string;
  /** A value of it, as it is printed; absent: the first. */
  readonly to?: string | undefined;
  readonly where?: string | undefined;
}

export const valueText = (value: Json): string => (typeof value === 'string' ? value : JSON.stringify(value));

/** Undefined for an arm that the axis does not reach. */
function valueAlong(axis: string, { scenario, strategy, engine, overrides }: Asked): Json | undefined {
  if (axis === 'scenario') return scenario;
  if (axis === 'strategy') return strategy;
  return axis === 'engine' ? engine : overrides[axis];
}

/** The values of an axis, in the order of the sweep. Throws ConfigError where it is none, or has only one. */
function valuesOf(axis: string, trials: readonly Asked[]): Json[] {
  const distinct = (name: string): Json[] => {
    const found = new Map(
      trials.map((trial) => valueAlong(name, trial)).flatMap((value) => (value === undefined ? [] : [[valueText(value), value]])),
    );
    return [...found.values()];
  };
  const names = ['scenario', 'strategy', 'engine', ...new Set(trials.flatMap(({ overrides }) => Object.keys(overrides)))];
  const known = [...new Set(names)].filter((name) => distinct(name).length > 1);
  if (known.includes(axis)) return distinct(axis);
  const there = known.length > 0 ? suggest(axis, known, 'there are') : 'this sweep has none';
  throw new ConfigError(`--axis: expected an axis of this sweep with several values, got ${axis || 'nothing'}; ${there}`);
}

function chooseTo(to: string | undefined, values: readonly Json[]): Json {
  const found = to === undefined ? values[0] : values.find((value) => valueText(value) === to);
  if (found !== undefined) return found;
  throw new ConfigError(
    `--to: expected a value of the axis, got ${to || 'nothing'}; ${suggest(to ?? '', values.map(valueText), 'there are')}`,
  );
}

type Common = Pick<Combination, 'scenario' | 'strategy' | 'overrides'>;

function commonOf(axis: string, { scenario, strategy, overrides }: Asked): Common {
  return {
    scenario: axis === 'scenario' ? null : scenario,
    strategy: axis === 'strategy' ? null : strategy,
    overrides: Object.fromEntries(Object.entries(overrides).filter(([name]) => name !== axis)),
  };
}

/** `columns`: what was read of the trials. Throws ConfigError for an axis or a value that is not there. */
export function makeComparison(
  sweep: string,
  { columns, records }: Omit<Records, 'strangers'>,
  ways: Ways,
  question: Question,
): Comparison {
  const { axis, where = '' } = question;
  const values = valuesOf(
    axis,
    records.map(({ trial }) => trial),
  );
  const to = chooseTo(question.to, values);
  const read = [baseReturns(records, ways), ...columns];
  const along = records.filter(({ trial }) => valueAlong(axis, trial) !== undefined);
  const sets = [...groups(along, ({ trial }) => canonicalJson({ ...commonOf(axis, trial) })).values()];
  const arms = (of: readonly TrialRecord[]): string[] => [...new Set(of.map(({ trial }) => trial.arm))];
  const compared = sets.filter((trials) => arms(trials).length > 1);
  const together = new Set(compared.flat());
  const alone = arms(records.filter((record) => !together.has(record)));
  const combinations = compared.map((trials) => combine(trials, read, ways, { axis, values, to }));
  const shown = new Set(combinations.flatMap(({ quantities }) => quantities));
  const metrics = read.flatMap(({ metric: m }) =>
    shown.has(m.key) ? [[m.key, { name: metricName(m), unit: m.unit, describe: m.describe }] as const] : [],
  );
  const count = (state: TrialRecord['state']): number => records.filter((r) => r.state === state).length;
  return {
    ...{ version: 1, sweep, where: where.trim() || null, axis, values, to },
    trials: { asked: records.length, ok: count('ok'), failed: count('failed') },
    ...{ metrics: Object.fromEntries(metrics), combinations, alone },
  };
}

/** By the base that a trial corrects, whatever became of the trial. */
function baseReturns(records: readonly TrialRecord[], { bases }: Ways): Column {
  const values = new Float64Array(Math.max(0, ...records.map(({ at }) => at + 1))).fill(Number.NaN);
  for (const { at, base } of records) values[at] = bases.get(base)?.greedyReturn ?? Number.NaN;
  return { metric: BASE_RETURN, values };
}

interface Along {
  readonly axis: string;
  readonly values: readonly Json[];
  readonly to: Json;
}

/** An arm before it is compared. */
interface Draft {
  readonly value: Json;
  readonly trials: readonly TrialRecord[];
  readonly lines: readonly SeedLine[];
}

function combine(trials: readonly TrialRecord[], read: readonly Column[], ways: Ways, { axis, values, to }: Along): Combination {
  const notes: string[] = [];
  const mark: Mark = (texts) => texts.map((text) => (notes.includes(text) ? notes.indexOf(text) + 1 : notes.push(text)));
  const has = ({ metric, values: numbers }: Column): boolean =>
    metric === BASE_RETURN || trials.some(({ at }) => !Number.isNaN(numbers[at]));
  const columns = read.filter(has);
  const keyOf = ({ trial }: TrialRecord): string => valueText(valueAlong(axis, trial) ?? null);
  const [byValue, lines] = [groups(trials, keyOf), seedLines(trials, keyOf, columns)];
  const drafts = values.flatMap((value): Draft[] => {
    const ofValue = byValue.get(valueText(value));
    return ofValue ? [{ value, trials: ofValue, lines: lines.get(valueText(value)) ?? [] }] : [];
  });
  const base = drafts.find(({ value }) => value === to) ?? null;
  const sides = drafts.map((draft): Side => {
    const n = draft.lines.filter(({ ok }) => ok > 0).length;
    const failed = draft.lines.filter((line) => line.failed > 0).length;
    const unmatched = base === null ? [`no difference: there is no such arm at ${valueText(to)}`] : [];
    const marks = mark([
      ...engineNotes(draft.trials),
      ...acceptanceNotes(draft.trials),
      ...rowNotes(draft.trials, draft.lines),
      ...unmatched,
    ]);
    const other = base === draft ? null : base;
    const counts = { value: draft.value, asked: draft.lines.length, n, failed, marks };
    return { ...counts, ...against(draft, other, columns, mark), partings: axis === 'engine' ? partings(draft, other, ways, mark) : null };
  });
  const [first] = trials;
  const common = first ? commonOf(axis, first.trial) : { scenario: null, strategy: null, overrides: {} };
  return { ...common, quantities: columns.map(({ metric }) => metric.key), sides, notes };
}

/** Numbers of one side, and their differences to the other, seed by seed. */
function against(draft: Draft, other: Draft | null, columns: readonly Column[], mark: Mark): Pick<Side, 'cells' | 'pairs'> {
  const { lines, trials } = draft;
  const strategy = trials[0]?.trial.strategy ?? null;
  const theirs = new Map(other?.lines.map((line) => [line.seed, line]));
  const paired = lines.flatMap((line) => {
    const match = theirs.get(line.seed);
    return match ? [{ line, other: match }] : [];
  });
  const pairs = other ? paired.filter(({ line, other: match }) => line.ok > 0 && match.ok > 0).length : null;
  const cells = columns.map((column): [string, Cell] => {
    const { metric } = column;
    const { key, unit } = metric;
    const summary = summaryOf(lines.flatMap(({ values }) => values[key] ?? []));
    const lost = lines.length - summary.n;
    const finished = lines.filter(({ ok }) => ok > 0).length;
    const ofBase = [
      ...(lost > 0 ? [`base return: n = ${summary.n} of ${lines.length} seeds; the rest have no trained base`] : []),
      ...(lost === 0 && summary.n > finished ? [`base return: of all ${summary.n} bases, whether their trials finished or not`] : []),
    ];
    const marks = mark(metric === BASE_RETURN ? ofBase : cellNotes(column, strategy, summary, lines, trials));
    const both = paired.filter(({ line, other: match }) => (line.values[key] ?? null) !== null && (match.values[key] ?? null) !== null);
    const expected = metric === BASE_RETURN ? both.length : (pairs ?? 0);
    return [key, { ...summary, unit, marks, difference: other ? difference(metric, strategy, paired, expected, mark) : null }];
  });
  return { cells: Object.fromEntries(cells), pairs };
}

/** Seeds and correction seeds are matched; of a seed with several correction seeds the first to part counts. */
function partings(draft: Draft, other: Draft | null, { bases, trials }: Ways, mark: Mark): Partings | null {
  const [mine, theirs] = [draft.trials[0]?.trial.engine, other?.trials[0]?.trial.engine];
  if (mine === undefined || theirs === undefined) return null;
  const keyOf = ({ trial }: TrialRecord): string => `${trial.seed} ${trial.correctionSeed}`;
  const matches = new Map(other?.trials.map((record) => [keyOf(record), record]));
  const over = <W extends Way>(wayOf: (record: TrialRecord) => W | undefined, partOf: (a: W, b: W) => number | null): Parting | null => {
    const bySeed = new Map<number, number | null>();
    for (const record of draft.trials) {
      const match = matches.get(keyOf(record));
      const [a, b] = [wayOf(record), match && wayOf(match)];
      if (!a || !b) continue;
      const { seed } = record.trial;
      const [before = null, step] = [bySeed.get(seed), partOf(a, b)];
      bySeed.set(seed, step === null || before === null ? (step ?? before) : Math.min(step, before));
    }
    return bySeed.size > 0 ? partingOf([...bySeed.values()]) : null;
  };
  const weights = (a: Way, b: Way): number | null => partingStep(a.step, a.weights, b.weights);
  const canTell = comparable(mine, theirs);
  const reason = `weights: no step. Those of reference are float64, the others float32: digests of their bytes differ from the first to the last, also where the numbers agree to float32`;
  const baseOf = ({ base }: TrialRecord) => bases.get(base);
  return {
    episodes: over(baseOf, (a, b) => partingStep(a.step, a.returns, b.returns)),
    base: canTell ? over(baseOf, weights) : null,
    correction: canTell ? over(({ trial, state }) => (state === 'ok' ? trials.get(trial.id) : undefined), weights) : null,
    marks: canTell ? [] : mark([reason]),
  };
}
