import { shortener } from './digests.ts';
import { isMasked, METRICS, type Metric } from './metrics.ts';
import { columnsOf, type Difference, type Report, type Row, type ScenarioTable, type SeedRow } from './report.ts';
import type { SeedLine } from './summarize.ts';

/** Which part of a report is printed. */
export type Sheet = 'summary' | 'seeds' | 'unfinished';

/** A number and its spread, formatted alike in every view. `–` is no number: with n < 2 there is no std. */
export interface CellText {
  readonly mean: string;
  /** Empty where there is no mean either. */
  readonly std: string;
  readonly marks: readonly number[];
}

export const NO_NUMBER = '–';
const NO_MARKS: readonly number[] = [];

type Spread = { readonly mean: number | null; readonly std: number | null; readonly marks: readonly number[] };

export function spreadText({ mean, std, marks }: Spread, decimals: number, print = fixed): CellText {
  if (mean === null) return { mean: NO_NUMBER, std: '', marks };
  return { mean: print(mean, decimals), std: std === null ? NO_NUMBER : std.toFixed(decimals), marks };
}

/** A positive number that would be rounded to nothing is said to be less than the last digit; there is no minus zero. */
export function fixed(x: number, decimals: number): string {
  const text = x.toFixed(decimals);
  if (Number(text) !== 0) return text;
  const zero = (0).toFixed(decimals);
  return x > 0 ? `<${(10 ** -decimals).toFixed(decimals)}` : zero;
}

/** Of a difference the sign is the point. */
export function signed(x: number, decimals: number): string {
  const text = x.toFixed(decimals);
  return Number(text) === 0 ? (0).toFixed(decimals) : x > 0 ? `+${text}` : text;
}

export const numberText = (x: number | null | undefined, decimals: number): string =>
  typeof x === 'number' ? fixed(x, decimals) : NO_NUMBER;

/** One column of one kind of number. */
export interface Column {
  readonly metric: Metric;
  readonly text: (row: Row) => CellText;
}

/** Columns that stand together: what each row says in `lead`, and then numbers. */
export interface Block {
  readonly kind: 'mean' | 'iqm' | 'difference';
  readonly caption: string;
  readonly columns: readonly Column[];
}

const EMPTY_CELL: CellText = { mean: '', std: '', marks: NO_MARKS };

export function meanText({ cells }: Row, { key, decimals }: Metric): CellText {
  const cell = cells[key];
  return cell ? spreadText(cell, decimals) : EMPTY_CELL;
}

/** A share says its own n: failed trials count in it, and in no mean. */
function robustText(row: Row, metric: Metric): CellText {
  const cell = row.cells[metric.key];
  if (!cell) return EMPTY_CELL;
  if (metric.block !== 'success') return { mean: numberText(cell.iqm, metric.decimals), std: '', marks: cell.marks };
  return { mean: cell.mean === null ? NO_NUMBER : `${fixed(cell.mean, metric.decimals)} (${cell.n})`, std: '', marks: cell.marks };
}

const differenceOf = (row: Row, { key }: Metric): Difference | null => row.cells[key]?.difference ?? null;

function differenceText(row: Row, metric: Metric): CellText {
  const found = differenceOf(row, metric);
  return found ? spreadText(found, metric.decimals, signed) : EMPTY_CELL;
}

/** `[95.1, 97.3]`; empty where there is nothing to compare, `–` where an interval is not defined. */
export function intervalText(row: Row, metric: Metric): string {
  const found = differenceOf(row, metric);
  if (!found || found.mean === null) return '';
  const { low, high } = found;
  return low === null || high === null ? NO_NUMBER : `[${signed(low, metric.decimals)}, ${signed(high, metric.decimals)}]`;
}

/** What is said of a table, in the order in which it is said. */
export function blocksOf(table: ScenarioTable, baseline: string | null): Block[] {
  const columns = columnsOf(table);
  const of = (...blocks: readonly Metric['block'][]): Metric[] => columns.filter(({ block }) => blocks.includes(block));
  const make = (kind: Block['kind'], caption: string, metrics: readonly Metric[], text: (row: Row, metric: Metric) => CellText): Block => ({
    ...{ kind, caption, columns: metrics.map((metric) => ({ metric, text: (row) => text(row, metric) })) },
  });
  const minus = `minus ${baseline}`;
  const blocks = [
    make('mean', '', of('effect'), meanText),
    make('mean', '', of('overrun'), meanText),
    make('mean', '', of('cost'), meanText),
    make('iqm', 'IQM', of('effect', 'overrun', 'success'), robustText),
    ...(baseline === null
      ? []
      : [
          make('difference', minus, of('effect', 'overrun', 'success'), differenceText),
          make('difference', minus, of('cost'), differenceText),
        ]),
  ];
  return blocks.filter((block) => block.columns.length > 0);
}

/** Rows that a block of differences has: those that are compared with something. */
export const rowsOf = (block: Block, rows: readonly Row[]): Row[] =>
  rows.filter((row) => block.kind !== 'difference' || row.pairs !== null);

/** Footnote marks: `¹`, `²`, ... */
export const superscripts = (marks: readonly number[]): string =>
  marks.map((mark) => [...String(mark)].map((digit) => '⁰¹²³⁴⁵⁶⁷⁸⁹'[Number(digit)] ?? '').join('')).join('·');

/** `correct.steps=500, correct.learningRate=0.001`; empty for an arm that only its strategy names. */
export const overridesText = (overrides: Row['overrides']): string =>
  Object.entries(overrides)
    .map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(', ');

/** What a row is called, and what stands below that. A row by other axes than the strategy is called by them. */
export function rowNames({ strategy, overrides }: Pick<Row, 'strategy' | 'overrides'>): readonly [string, string] {
  const text = overridesText(overrides);
  return strategy !== null ? [strategy, text] : [text || '(all)', ''];
}

const count = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? '' : 's'}`;

/** Failures are in sight, whether or not there are any; so is what was left out. */
export function titleText(
  { where, groupBy }: Report,
  { seeds, correctionSeeds, marks, trials }: ScenarioTable,
  print = superscripts,
): string {
  const each = correctionSeeds > 1 ? ` × ${correctionSeeds} correction seeds` : '';
  const only = where === null ? '' : ` where ${where}`;
  const by = groupBy === null ? '' : `; rows by ${groupBy.join(', ')}, the rest averaged within each seed`;
  return `${count(seeds, 'seed')}${each}${print(marks)}${only}; ${trials.ok} of ${trials.asked} trials finished, ${trials.failed} failed${by}`;
}

/** `ok`, `failed` or `missing`; counted where a seed has several trials that do not agree. */
export function seedState({ asked, ok, failed }: SeedLine): string {
  const states = Object.entries({ ok, failed, missing: asked - ok - failed }).filter(([, n]) => n > 0);
  return states.length === 1 ? (states[0]?.[0] ?? '') : states.map(([state, n]) => `${n} ${state}`).join(', ');
}

/** How many digests stand below one another in a cell. */
const STACKED = 6;

export type PolicyKey = 'policy' | 'basePolicy';
/** The columns of digests that a table by seeds has something to say in. */
export const policyKeys = ({ rows }: ScenarioTable): PolicyKey[] =>
  (['policy', 'basePolicy'] as const).filter((key) => rows.some(({ seeds = [] }) => seeds.some((line) => digestsOf(line, key).length > 0)));

/** The digests of a seed, in the order of its arms and correction seeds; that of a base that all of them share stands once. */
export function digestsOf({ policies }: SeedRow, key: PolicyKey): string[] {
  const all = policies.flatMap((policy) => policy[key] ?? []);
  return key === 'basePolicy' && new Set(all).size === 1 ? all.slice(0, 1) : all;
}

/** The same, short, and no more of them than a cell holds. */
export function digestTexts(line: SeedRow, key: PolicyKey, short: (digest: string) => string): string[] {
  const all = digestsOf(line, key);
  if (all.length === 0) return [NO_NUMBER];
  if (all.length <= STACKED) return all.map(short);
  return [...all.slice(0, STACKED - 1).map(short), `+${all.length - STACKED + 1} more`];
}

/** How every digest of a report is cut. */
export const reportShortener = ({ tables }: Report): ((digest: string) => string) =>
  shortener(
    tables.flatMap(({ rows }) =>
      rows.flatMap(({ seeds = [] }) => seeds.flatMap((line) => [...digestsOf(line, 'policy'), ...digestsOf(line, 'basePolicy')])),
    ),
  );

/** Of one seed; one without a number has the footnotes of its row, which say why. */
export function seedText({ values }: SeedLine, { strategy, cells }: Row, metric: Metric): CellText {
  const value = isMasked(strategy, metric) ? null : (values[metric.key] ?? null);
  const marks = value === null ? cells[metric.key]?.marks : undefined;
  return { mean: numberText(value, metric.decimals), std: '', marks: marks ?? NO_MARKS };
}

/** What every view says below its numbers: only of what it shows. */
export function legend(report: Report, sheet: Sheet): string[] {
  if (sheet === 'unfinished') return [];
  const shown = new Set(report.tables.flatMap((table) => table.columns));
  const none = '–: no number (no ± below n = 2; retrain and shield act under a mask, their forgetting is not measured).';
  const success = METRICS.filter(({ key, block }) => block === 'success' && shown.has(key)).map(
    (m) => `success: ${m.describe}; n in brackets.`,
  );
  if (sheet === 'seeds') {
    const policies = report.tables.some((table) => policyKeys(table).length > 0)
      ? [
          'policy, base: the beginnings of the SHA-256 of the corrected policy and of the base, for spc export; spc list has them trial by trial.',
        ]
      : [];
    return ['A line per training seed; its correction seeds are averaged.', ...policies, ...success, none];
  }
  const iqm = report.tables.some((table) => columnsOf(table).some(({ block }) => block === 'effect' || block === 'overrun'))
    ? ['IQM: mean of the middle half of the seeds, those on its border in part (arXiv:2108.13264).']
    : [];
  const minus =
    report.baseline !== null
      ? [`minus ${report.baseline}: mean ± std of the differences at equal seeds, and 95 % interval of their mean (Student's t).`]
      : [];
  return [
    'n/asked: training seeds with numbers; failed: those with a failed trial. mean ± sample standard deviation (÷(n-1)) over seeds; correction seeds are averaged within their training seed first.',
    ...iqm,
    ...success,
    ...minus,
    none,
  ];
}

/** What the columns are. */
export const glossary = ({ metrics }: Report): string =>
  Object.entries(metrics)
    .filter(([key]) => key !== 'success')
    .map(([, { name, describe }]) => `${name}: ${describe}`)
    .join('; ');
