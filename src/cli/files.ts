import { readFileSync } from 'node:fs';

/** The modules of the program and its libraries are opened many at once: 100 is too few, 120 were enough. */
export const FEWEST_FILES = 160;

/** Null: this process may open as many files as it needs to start. Else what to do. */
export function tooFewFiles(): string | null {
  const most = limit();
  return most >= FEWEST_FILES
    ? null
    : `spc: expected to be allowed ${FEWEST_FILES} open files at least, got ${most}; ulimit -n 1024 allows this shell as many`;
}

/** Systems without /proc allow 256 and more. */
function limit(): number {
  try {
    const [, soft] = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EMFILE' ? 0 : Number.POSITIVE_INFINITY;
  }
}
