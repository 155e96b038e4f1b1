import {
  type Block,
  blocksOf,
  type CellText,
  digestTexts,
  intervalText,
  overridesText,
  policyKeys,
  reportShortener,
  rowNames,
  rowsOf,
  type Sheet,
  seedState,
  seedText,
} from './cells.ts';
import { type Metric, metricName } from './metrics.ts';
import { columnsOf, type Report, type Row, type ScenarioTable } from './report.ts';

/** A cell of a page: text, a number with its spread, or texts below one another. */
export type PageCell = string | CellText | readonly PageCell[];

/** A table for a page, which may be as wide as it likes: Markdown and TeX. The first column is text. */
export interface Page {
  readonly caption: string;
  readonly header: readonly string[];
  readonly rows: readonly (readonly PageCell[])[];
}

const title = (metric: Metric): string => `${metricName(metric)} (${metric.unit})`;

/** The strategy, and below it what else tells the row from others. */
const name = (row: Pick<Row, 'strategy' | 'overrides'>): PageCell => rowNames(row).filter((text) => text !== '');
const n = (row: Row): CellText => ({ mean: `${row.n}/${row.asked}`, std: '', marks: row.marks });

const CAPTIONS: Readonly<Record<Block['kind'], (report: Report) => string>> = {
  mean: () => 'mean ± sample standard deviation',
  iqm: () => 'interquartile means, and the share of seeds that succeed',
  difference: ({ baseline }) => `minus ${baseline}, at equal seeds: mean ± sample standard deviation, and 95 % interval of the mean`,
};

/** The pages of one table. Blocks of one kind stand in one page: what is narrow in a terminal is not here. */
export function pagesOf(report: Report, table: ScenarioTable, sheet: Sheet): Page[] {
  if (sheet === 'unfinished') return [];
  if (sheet === 'seeds') return [seedPage(report, table)];
  const blocks = blocksOf(table, report.baseline);
  return [...new Set(blocks.map(({ kind }) => kind))].flatMap((kind): Page[] => {
    const of = blocks.filter((block) => block.kind === kind);
    const columns = of.flatMap((block) => block.columns);
    const rows = rowsOf(of[0] ?? { kind, caption: '', columns }, table.rows);
    if (rows.length === 0) return [];
    const compared = kind === 'difference';
    const lead = (row: Row): PageCell[] => [name(row), ...(compared ? [String(row.pairs)] : [n(row), String(row.failed)])];
    return [
      {
        caption: CAPTIONS[kind](report),
        header: ['strategy', ...(compared ? ['pairs'] : ['n', 'failed']), ...columns.map(({ metric }) => title(metric))],
        rows: rows.map((row) => [
          ...lead(row),
          ...columns.map(({ metric, text }) => (compared ? [text(row), intervalText(row, metric)] : text(row))),
        ]),
      },
    ];
  });
}

function seedPage(report: Report, table: ScenarioTable): Page {
  const [columns, policies, short] = [columnsOf(table), policyKeys(table), reportShortener(report)];
  return {
    caption: 'by training seed',
    header: ['strategy', 'seed', 'state', ...columns.map(title), ...policies.map((key) => PAGE_HEADER[key])],
    rows: table.rows.flatMap((row) =>
      (row.seeds ?? []).map((line) => [
        name(row),
        String(line.seed),
        seedState(line),
        ...columns.map((metric) => seedText(line, row, metric)),
        ...policies.map((key) => digestTexts(line, key, short)),
      ]),
    ),
  };
}

const PAGE_HEADER = { policy: 'policy', basePolicy: 'base policy' } as const;

/** All scenarios in one. */
export const unfinishedPage = ({ unfinished }: Report): Page => ({
  caption: 'trials without numbers',
  header: ['scenario', 'strategy', 'overrides', 'engine', 'seed', 'correction seed', 'state', 'why'],
  rows: unfinished.map((u) => [
    u.scenario,
    u.strategy,
    overridesText(u.overrides),
    u.engine,
    String(u.seed),
    String(u.correctionSeed),
    u.state,
    u.why,
  ]),
});

/** The texts of a cell, one below the other. */
export function linesOf(cell: PageCell, print: (cell: CellText) => string): string[] {
  if (typeof cell === 'string') return cell === '' ? [] : [print({ mean: cell, std: '', marks: [] })];
  if ('mean' in cell) return [print(cell)];
  return cell.flatMap((one) => linesOf(one, print));
}
