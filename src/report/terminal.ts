import {
  type Block,
  blocksOf,
  type CellText,
  type Column,
  intervalText,
  legend,
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

const WIDTH = 80;
const GAP = '  ';

/** Text for a terminal of 80 columns: per scenario what the corrections did, what they cost, and the footnotes. */
export function printReport(report: Report, sheet: Sheet = 'summary'): string {
  const below = [...strangersText(report), ...legend(report, sheet)].map((text) => wrap(text, '').join('\n')).join('\n');
  const above = sheet === 'unfinished' ? [printUnfinished(report)] : report.tables.map((table) => printTable(report, table, sheet));
  return `${[...above, ...(below === '' ? [] : [below])].join('\n\n')}\n`;
}

function printTable(report: Report, table: ScenarioTable, sheet: Sheet): string {
  const blocks = sheet === 'seeds' ? seedBlocks(table) : blocksOf(table, report.baseline).flatMap((block) => summaryBlocks(block, table));
  const notes = table.notes.flatMap((note, i) => wrap(note, `${superscripts([i + 1])} `));
  return [
    wrap(`${report.sweep}: ${table.scenario}, ${titleText(report, table)}`, '').join('\n'),
    ...blocks,
    ...(notes.length > 0 ? [notes.join('\n')] : []),
  ].join('\n\n');
}

/** A column of a block: a header of two lines, and for every row one line or more. */
interface Strip {
  readonly header: readonly [string, string];
  readonly cells: readonly (readonly string[])[];
  readonly align: 'left' | 'right';
}

/** Rows of a block, and what is said over and under each. */
interface Frame {
  readonly lead: readonly Strip[];
  readonly over: readonly (readonly string[])[];
  readonly under: readonly (readonly string[])[];
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

function seedBlocks(table: ScenarioTable): string[] {
  const lines = table.rows.flatMap((row) => (row.seeds ?? []).map((line, i) => ({ row, line, isFirst: i === 0 })));
  const over = lines.map(({ row, isFirst }) => {
    const [name, more] = rowNames(row);
    return isFirst ? [...wrap(`${name}${superscripts(row.marks)}`, ''), ...wrap(more, '  ')] : [];
  });
  const lead: Strip[] = [
    { header: ['', '  seed'], cells: lines.map(({ line }) => [String(line.seed)]), align: 'right' },
    { header: ['', 'state'], cells: lines.map(({ line }) => [seedState(line)]), align: 'left' },
  ];
  return layOut({ lead, over, under: lines.map(() => []) }, columnsOf(table), (metric) => ({
    header: metric.header,
    cells: lines.map(({ row, line }) => [seedText(line, row, metric)]),
    align: 'right',
  }));
}

function printUnfinished({ sweep, unfinished, tables, where }: Report): string {
  const asked = tables.reduce((sum, { trials }) => sum + trials.asked, 0);
  const only = where === null ? '' : ` where ${where}`;
  const byArm = groups(unfinished, (u) => [u.scenario, ...rowNames(u)].filter((text) => text !== '').join(' '));
  const arms = [...byArm].map(([arm, trials]) => {
    const seeds = trials.map((u) => `${u.seed}/${u.correctionSeed}`);
    const lines = trials.flatMap((u, i) => wrap(u.why, `  ${left(seeds[i] ?? '', Math.max(...seeds.map(width)))}  ${u.state.padEnd(7)}  `));
    return [...wrap(arm, ''), ...lines].join('\n');
  });
  const head = `${sweep}${only}: ${unfinished.length} of ${asked} trials have no numbers${arms.length > 0 ? '; seed/correction seed:' : ''}`;
  return [wrap(head, '').join('\n'), ...arms].join('\n\n');
}

/** Blocks of lines that fit: with spaces around ± if there is room, else without, else with the last columns in a block of their own. */
function layOut<C>(frame: Frame, columns: readonly C[], make: (column: C, plusMinus: string) => Strip): string[] {
  const print = (some: readonly C[], plusMinus: string): string =>
    printBlock(
      frame,
      some.map((column) => make(column, plusMinus)),
    );
  for (const plusMinus of [' ± ', '±']) {
    const block = print(columns, plusMinus);
    if (fits(block)) return [block];
  }
  if (columns.length < 2) return [print(columns, '±')];
  let first = columns.length - 1;
  while (first > 1 && !fits(print(columns.slice(0, first), '±'))) first--;
  return [print(columns.slice(0, first), '±'), ...layOut(frame, columns.slice(first), make)];
}

const fits = (block: string): boolean => block.split('\n').every((line) => width(line) <= WIDTH);
const width = (text: string): number => [...text].length;
const left = (text: string, to: number): string => text + ' '.repeat(Math.max(0, to - width(text)));
const right = (text: string, to: number): string => ' '.repeat(Math.max(0, to - width(text))) + text;

function printBlock({ lead, over, under }: Frame, strips: readonly Strip[]): string {
  const columns = [...lead, ...strips].map(({ header, cells, align }) => {
    const to = Math.max(...[...header, ...cells.flat()].map(width));
    const pad = (text: string): string => (align === 'left' ? left(text, to) : right(text, to));
    return { header: header.map(pad), cells: cells.map((lines) => lines.map(pad)), blank: ' '.repeat(to) };
  });
  const join = (texts: readonly string[]): string => texts.join(GAP).trimEnd();
  const body = over.flatMap((above, i) => {
    const height = Math.max(1, ...columns.map(({ cells }) => cells[i]?.length ?? 0));
    const lines = Array.from({ length: height }, (_, k) => join(columns.map(({ cells, blank }) => cells[i]?.[k] ?? blank)));
    return [...above, ...lines.filter((line, k) => k === 0 || line !== ''), ...(under[i] ?? [])];
  });
  return [...[0, 1].map((k) => join(columns.map(({ header }) => header[k] ?? ''))), ...body].join('\n');
}

const alignLeft = (cells: readonly string[]): string[] => cells.map((cell) => left(cell, Math.max(...cells.map(width))));
const alignRight = (cells: readonly string[]): string[] => cells.map((cell) => right(cell, Math.max(...cells.map(width))));

/** Means end, and stds begin, in one column. */
function numbers(cells: readonly CellText[], plusMinus: string): string[] {
  const means = alignRight(cells.map((cell) => cell.mean));
  const stds = alignRight(cells.map((cell) => cell.std));
  const marks = alignLeft(cells.map((cell) => superscripts(cell.marks)));
  const spread = cells.some((cell) => cell.std !== '');
  return cells.map((cell, i) => {
    const between = !spread ? '' : cell.std === '' ? ' '.repeat(plusMinus.length) : plusMinus;
    return `${means[i] ?? ''}${between}${stds[i] ?? ''}${marks[i] ?? ''}`;
  });
}

/** Lines of at most 80 columns; the first begins with `indent`, the others with as many spaces. No lines for no text. */
function wrap(text: string, indent: string): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ').filter((w) => w !== '')) {
    for (const piece of pieces(word, WIDTH - width(indent))) {
      if (line !== '' && width(indent) + width(line) + 1 + width(piece) > WIDTH) {
        lines.push(line);
        line = '';
      }
      line = line === '' ? piece : `${line} ${piece}`;
    }
  }
  if (line !== '') lines.push(line);
  return lines.map((l, i) => (i === 0 ? indent : ' '.repeat(width(indent))) + l);
}

/** A word longer than a line is broken. */
const pieces = (word: string, size: number): string[] => {
  const letters = [...word];
  return Array.from({ length: Math.ceil(letters.length / size) }, (_, i) => letters.slice(i * size, (i + 1) * size).join(''));
};
