export const WIDTH = 80;

/** `1 worker`, `2 workers`. */
export const many = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;

/** Words of `text` in lines of at most so many columns; a longer word has a line of its own. */
export function wrap(text: string, width: number = WIDTH): string[] {
  const lines: string[] = [];
  for (const word of text.split(/\s+/)) {
    const longer = `${lines.at(-1)} ${word}`;
    if (lines.length > 0 && longer.length <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

/** Narrower terminals are not folded for: every word would have a line of its own. */
const NARROWEST = 24;

/** What is printed to, if it is a terminal. */
interface Stream {
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/**
 * A message in lines that fit the terminal, what goes on indented by two more; a longer word has a line of its own. Elsewhere, a pipe or a
 * file, a message stays one line, for whoever looks for it with grep.
 */
function fold(message: string, { isTTY = false, columns = 0 }: Stream): string {
  if (!isTTY || columns < NARROWEST) return message;
  return message
    .split('\n')
    .flatMap((line) => {
      if (line.length <= columns) return [line];
      const indent = line.match(/^ */)?.[0] ?? '';
      const table = line.match(/^ {2}\S+ {2,}(?=\S)/)?.[0]; // a list with a word, and what it is, on each line
      const hanging = table !== undefined && table.length < columns / 2 ? ' '.repeat(table.length) : `${indent}  `;
      const lines: string[] = [];
      for (const word of line.slice(indent.length).split(/(?<=\S) /)) {
        const last = lines.at(-1);
        if (last !== undefined && last.length + 1 + word.length <= columns) lines[lines.length - 1] = `${last} ${word}`;
        else lines.push(`${last === undefined ? indent : hanging}${word}`);
      }
      return lines;
    })
    .join('\n');
}

/** Help fits 80 columns, or a narrower terminal. */
export const helpWidth = ({ isTTY = false, columns = WIDTH }: Stream = process.stdout): number =>
  isTTY ? Math.max(NARROWEST, Math.min(WIDTH, columns)) : WIDTH;

/** A message to whoever is there, not part of what was asked for. */
export const say = (message: string): void => void process.stderr.write(`${fold(message, process.stderr)}\n`);
