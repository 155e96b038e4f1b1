import { wholeArm } from '../coordinator/labels.ts';
import {
  type Block,
  blocksOf,
  type Column,
  digestTexts,
  intervalText,
  legend,
  meanText,
  policyKeys,
  reportShortener,
  rowNames,
  rowsOf,
  type Sheet,
  seedState,
  seedText,
  superscripts,
  titleText,
} from './cells.ts';
import { groups } from './groups.ts';
import { METRICS, type Metric } from './metrics.ts';
import { columnsOf, type Report, type Row, type ScenarioTable, strangersText } from './report.ts';
import { layOut, left, numbers, type Strip, width, wrap } from './strips.ts';

/**
 * Text for a terminal of 80 columns: per scenario what the corrections did and what they cost, then what there is to say of it, and last,
 * where the eye falls, every row with what matters most.
 */
export function printReport(report: Report, sheet: Sheet = 'summary'): string {
  const said = [...strangersText(report), ...legend(report, sheet)].map((text) => wrap(text, '').join('\n')).join('\n');
  const above = sheet === 'unfinished' ? [printUnfinished(report)] : report.tables.map((table) => printTable(report, table, sheet));
  return `${[...above, said, sheet === 'summary' ? printLast(report) : ''].filter((text) => text !== '').join('\n\n')}\n`;
}

/** What stands in the last table, the most wanted first: as many as have room beside a row's name and its failures, the first two always. */
const WANTED = ['rsi', 'fe', 'finalFe', 'worstCase', 'closedLoop'];
const ALWAYS = 2;

/** All rows of all scenarios in one table, a line each where their names leave room. Nothing where it would have no column. */
function printLast(report: Report): string {
  const { sweep, tables } = report;
  const [only] = tables;
  const wanted = WANTED.flatMap((key) =>
    METRICS.filter((metric) => metric.key === key && tables.some((table) => table.columns.includes(key))),
  );
  if (only === undefined || wanted.length === 0) return '';
  const title = tables.length > 1 ? severalText(report) : `${only.scenario}, ${titleText(report, only)}`;
  const tries = [Number.POSITIVE_INFINITY, NAME, 0].flatMap((room) =>
    wanted
      .map((_, i) => ({ room, metrics: wanted.slice(0, wanted.length - i) }))
      .filter(({ metrics }, i) => i === 0 || metrics.length >= ALWAYS),
  );
  const blocks = tries.map(({ room, metrics }) =>
    lastBlocks(
      tables,
      METRICS.filter((metric) => metrics.includes(metric)),
      room,
    ),
  );
  return [...wrap(`${sweep}: ${title}`, ''), ...(blocks.find(({ length }) => length === 1) ?? blocks.at(-1) ?? [])].join('\n');
}

/** More than one block where it is too wide. Names for which there is `room` stand beside their numbers, others above them. */
function lastBlocks(tables: readonly ScenarioTable[], metrics: readonly Metric[], room: number): string[] {
  const rows = tables.flatMap((table) => table.rows.map((row) => ({ row, scenario: table.scenario })));
  const names = rows.map(({ row }) =>
    rowNames(row)
      .filter((text) => text !== '')
      .join(' '),
  );
  const several = tables.length > 1;
  const beside = (i: number): boolean => width(names[i] ?? '') <= room;
  const column = (header: string, texts: readonly string[], align: Strip['align'] = 'left'): Strip => ({
    header: ['', header],
    cells: texts.map((text) => [text]),
    align,
  });
  const lead = [
    ...(several && room > 0
      ? [
          column(
            'scenario',
            rows.map(({ scenario }, i) => (beside(i) ? scenario : '')),
          ),
        ]
      : []),
    column(
      'strategy',
      names.map((name, i) => (beside(i) ? name : '')),
    ),
    // Marks of several tables would be of several lists of notes.
    column(
      'n',
      rows.map(({ row }) => `${row.n}/${row.asked}${several ? '' : superscripts(row.marks)}`),
    ),
    column(
      'failed',
      rows.map(({ row }) => String(row.failed)),
      'right',
    ),
  ];
  const over = rows.map(({ scenario }, i) => (beside(i) ? [] : wrap(several ? `${scenario} ${names[i]}` : (names[i] ?? ''), '')));
  return layOut({ lead, over, under: rows.map(() => []) }, metrics, (metric, plusMinus) => ({
    header: metric.header,
    cells: numbers(
      rows.map(({ row }) => ({ ...meanText(row, metric), ...(several && { marks: [] }) })),
      plusMinus,
    ).map((text) => [text]),
    align: 'right',
  }));
}

/** As the title of one table. */
function severalText({ tables, where }: Report): string {
  const [asked, ok, failed] = (['asked', 'ok', 'failed'] as const).map((key) => tables.reduce((sum, { trials }) => sum + trials[key], 0));
  return `${tables.length} scenarios${where === null ? '' : ` where ${where}`}; ${ok} of ${asked} trials finished, ${failed} failed`;
}

function printTable(report: Report, table: ScenarioTable, sheet: Sheet): string {
  const blocks =
    sheet === 'seeds' ? seedBlocks(report, table) : blocksOf(table, report.baseline).flatMap((block) => summaryBlocks(block, table));
  const notes = table.notes.flatMap((note, i) => wrap(note, `${superscripts([i + 1])} `));
  return [
    wrap(`${report.sweep}: ${table.scenario}, ${titleText(report, table)}`, '').join('\n'),
    ...blocks,
    ...(notes.length > 0 ? [notes.join('\n')] : []),
  ].join('\n\n');
}

function summaryBlocks(block: Block, table: ScenarioTable): string[] {
  const rows = rowsOf(block, table.rows);
  if (rows.length === 0) return [];
  const names = rows.map(rowNames);
  const under = names.map(([, more]) => wrap(more, '  '));
  const counts: Strip[] =
    block.kind === 'difference'
      ? [{ header: ['', 'pairs'], cells: rows.map((r) => [String(r.pairs)]), align: 'right' }]
      : [{ header: ['', 'n'], cells: rows.map((r) => [`${r.n}/${r.asked}${superscripts(r.marks)}`]), align: 'left' }];
  const withFailed = block.columns.some(({ metric }) => metric.block === 'cost') && block.kind === 'mean';
  const failed: Strip[] = withFailed ? [{ header: ['', 'failed'], cells: rows.map((r) => [String(r.failed)]), align: 'right' }] : [];
  const name: Strip = {
    header: [block.caption, 'strategy'],
    cells: names.map(([text]) => [width(text) <= NAME ? text : '']),
    align: 'left',
  };
  const over = names.map(([text]) => (width(text) <= NAME ? [] : wrap(text, '')));
  return layOut({ lead: [name, ...counts, ...failed], over, under }, block.columns, (column, plusMinus) =>
    strip(column, rows, block, plusMinus),
  );
}

/** A longer name has a line of its own: the numbers matter more. */
const NAME = 18;

function strip({ metric, text }: Column, rows: readonly Row[], block: Block, plusMinus: string): Strip {
  const firsts = numbers(
    rows.map((row) => text(row)),
    plusMinus,
  );
  const seconds = rows.map((row) => (block.kind === 'difference' ? [intervalText(row, metric)] : []));
  return { header: metric.header, cells: firsts.map((first, i) => [first, ...(seconds[i] ?? [])]), align: 'right' };
}

function seedBlocks(report: Report, table: ScenarioTable): string[] {
  const lines = table.rows.flatMap((row) => (row.seeds ?? []).map((line, i) => ({ row, line, isFirst: i === 0 })));
  const over = lines.map(({ row, isFirst }) => {
    const [name, more] = rowNames(row);
    return isFirst ? [...wrap(`${name}${superscripts(row.marks)}`, ''), ...wrap(more, '  ')] : [];
  });
  const lead: Strip[] = [
    { header: ['', '  seed'], cells: lines.map(({ line }) => [String(line.seed)]), align: 'right' },
    { header: ['', 'state'], cells: lines.map(({ line }) => [seedState(line)]), align: 'left' },
  ];
  const short = reportShortener(report);
  return layOut({ lead, over, under: lines.map(() => []) }, [...columnsOf(table), ...policyKeys(table)], (column) => {
    if (typeof column === 'string')
      return { header: ['', POLICY_HEADER[column]], cells: lines.map(({ line }) => digestTexts(line, column, short)), align: 'left' };
    const texts = lines.map(({ row, line }) => seedText(line, row, column));
    return { header: column.header, cells: numbers(texts, '').map((text) => [text]), align: 'right' };
  });
}

const POLICY_HEADER = { policy: 'policy', basePolicy: 'base' } as const;

function printUnfinished({ sweep, unfinished, tables, where }: Report): string {
  const asked = tables.reduce((sum, { trials }) => sum + trials.asked, 0);
  const only = where === null ? '' : ` where ${where}`;
  const byArm = groups(unfinished, (u) => wholeArm([u.scenario, ...rowNames(u)].filter((text) => text !== '').join(' '), u.engine));
  const arms = [...byArm].map(([arm, trials]) => {
    const seeds = trials.map((u) => `${u.seed}/${u.correctionSeed}`);
    const lines = trials.flatMap((u, i) => wrap(u.why, `  ${left(seeds[i] ?? '', Math.max(...seeds.map(width)))}  ${u.state.padEnd(7)}  `));
    return [...wrap(arm, ''), ...lines].join('\n');
  });
  const head = `${sweep}${only}: ${unfinished.length} of ${asked} trials have no numbers${arms.length > 0 ? '; seed/correction seed:' : ''}`;
  return [wrap(head, '').join('\n'), ...arms].join('\n\n');
}
