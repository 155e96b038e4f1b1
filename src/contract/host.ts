/** The machine does not do its part: a full disk, a file that was altered, a process that does not start. Its owner must act; there is no bug to report. */
export class HostError extends Error {
  override readonly name = 'HostError';
}

const FULL: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT']);

/** What a refused write is called, and what to do about it. */
export function writeRefused(what: string, error: unknown, aside = ''): HostError {
  const { code, message } = error as { code?: string; message?: string };
  const remedy = code !== undefined && FULL.has(code) ? '; the disk is full: make room, and the same command goes on' : '';
  return new HostError(`${what} could not be written (${code ?? message})${aside}${remedy}`, { cause: error });
}
