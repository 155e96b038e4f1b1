import { cellText, LEGEND, overridesText, superscripts } from './cells.ts';
import { METRICS, type Metric } from './metrics.ts';
import { type Report, type Row, type ScenarioTable, strangersText } from './report.ts';

const WIDTH = 80;
const GAP = '  ';

/** Text for a terminal of 80 columns: per scenario what the corrections did, what they cost, and the footnotes. */
export const printReport = (report: Report): string =>
  `${[...report.tables.map((table) => printTable(report.sweep, table)), ...[...strangersText(report), LEGEND].map((text) => wrap(text, '').join('\n'))].join('\n\n')}\n`;

function printTable(sweep: string, table: ScenarioTable): string {
  const blocks = (['effect', 'cost'] as const).flatMap((block) =>
    layOut(
      table.rows,
      METRICS.filter((metric) => metric.block === block),
    ),
  );
  const notes = table.notes.flatMap((note, i) => wrap(note, `${superscripts([i + 1])} `));
  return [
    wrap(`${sweep}: ${table.scenario}, ${titleText(table)}`, '').join('\n'),
    ...blocks,
    ...(notes.length > 0 ? [notes.join('\n')] : []),
  ].join('\n\n');
}

/** Failures are in sight, whether or not there are any. */
export const titleText = ({ seeds, correctionSeeds, marks, trials }: ScenarioTable): string => {
  const each = correctionSeeds > 1 ? ` × ${correctionSeeds} correction seeds` : '';
  return `${count(seeds, 'seed')}${each}${superscripts(marks)}; ${trials.ok} of ${trials.asked} trials finished, ${trials.failed} failed`;
};

const count = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? '' : 's'}`;

/** Blocks of lines that fit: with spaces around ± if there is room, else without, else with the last columns in a block of their own. */
function layOut(rows: readonly Row[], metrics: readonly Metric[]): string[] {
  for (const plusMinus of [' ± ', '±']) {
    const block = printBlock(rows, metrics, plusMinus);
    if (fits(block)) return [block];
  }
  if (metrics.length < 2) return [printBlock(rows, metrics, '±')];
  let first = metrics.length - 1;
  while (first > 1 && !fits(printBlock(rows, metrics.slice(0, first), '±'))) first--;
  return [printBlock(rows, metrics.slice(0, first), '±'), ...layOut(rows, metrics.slice(first))];
}

const fits = (block: string): boolean => block.split('\n').every((line) => width(line) <= WIDTH);
const width = (text: string): number => [...text].length;
const left = (text: string, to: number): string => text + ' '.repeat(Math.max(0, to - width(text)));
const right = (text: string, to: number): string => ' '.repeat(Math.max(0, to - width(text))) + text;

function printBlock(rows: readonly Row[], metrics: readonly Metric[], plusMinus: string): string {
  const withFailed = metrics.some((m) => m.block === 'cost');
  const columns: string[][] = [
    alignLeft(['', 'strategy', ...rows.map((r) => r.strategy)]),
    alignLeft(['', 'n', ...rows.map((r) => `${r.n}/${r.asked}${superscripts(r.marks)}`)]),
    ...(withFailed ? [alignRight(['', 'failed', ...rows.map((r) => String(r.failed))])] : []),
    ...metrics.map((metric) => numbers(rows, metric, plusMinus)),
  ];
  const line = (i: number): string =>
    columns
      .map((column) => column[i] ?? '')
      .join(GAP)
      .trimEnd();
  const body = rows.flatMap((row, i) => [line(i + 2), ...wrap(overridesText(row.overrides), '  ')]);
  return [line(0), line(1), ...body].join('\n');
}

const alignLeft = (cells: readonly string[]): string[] => cells.map((cell) => left(cell, Math.max(...cells.map(width))));
const alignRight = (cells: readonly string[]): string[] => cells.map((cell) => right(cell, Math.max(...cells.map(width))));

/** Means end, and stds begin, in one column. */
function numbers(rows: readonly Row[], { key, header, decimals }: Metric, plusMinus: string): string[] {
  const cells = rows.map(({ cells: { [key]: cell } }) => (cell ? cellText(cell, decimals) : { mean: '', std: '', marks: '' }));
  const means = alignRight(cells.map((cell) => cell.mean));
  const stds = alignRight(cells.map((cell) => cell.std));
  const marks = alignLeft(cells.map((cell) => cell.marks));
  const texts = cells.map((cell, i) => {
    const between = cell.std === '' ? ' '.repeat(plusMinus.length) : plusMinus;
    return `${means[i] ?? ''}${between}${stds[i] ?? ''}${marks[i] ?? ''}`;
  });
  return alignRight([...header, ...texts]);
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
