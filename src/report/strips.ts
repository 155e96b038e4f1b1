/** Columns of text side by side, in 80 columns: what every view for a terminal is made of. */
import { type CellText, superscripts } from './cells.ts';

const WIDTH = 80;
const GAP = '  ';

/** A column of a block: a header of two lines, and for every row one line or more. */
export interface Strip {
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

/** Blocks of lines that fit: with spaces around ± if there is room, else without, else with the last columns in a block of their own. */
export function layOut<C>(frame: Frame, columns: readonly C[], make: (column: C, plusMinus: string) => Strip): string[] {
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
export const width = (text: string): number => [...text].length;
export const left = (text: string, to: number): string => text + ' '.repeat(Math.max(0, to - width(text)));
export const right = (text: string, to: number): string => ' '.repeat(Math.max(0, to - width(text))) + text;

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
export function numbers(cells: readonly CellText[], plusMinus: string): string[] {
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
export function wrap(text: string, indent: string): string[] {
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
