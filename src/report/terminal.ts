import { wholeArm } from '../coordinator/labels.ts';
import {
  type Block,
  blocksOf,
  type Column,
  digestTexts,
  intervalText,
  legend,
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
import { columnsOf, type Report, type Row, type ScenarioTable, strangersText } from './report.ts';
import { layOut, left, numbers, type Strip, width, wrap } from './strips.ts';

/** Text for a terminal of 80 columns: per scenario what the corrections did, what they cost, and the footnotes. */
export function printReport(report: Report, sheet: Sheet = 'summary'): string {
  const below = [...strangersText(report), ...legend(report, sheet)].map((text) => wrap(text, '').join('\n')).join('\n');
  const above = sheet === 'unfinished' ? [printUnfinished(report)] : report.tables.map((table) => printTable(report, table, sheet));
  return `${[...above, ...(below === '' ? [] : [below])].join('\n\n')}\n`;
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
