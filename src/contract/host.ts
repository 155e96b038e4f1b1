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

const WORDS: Readonly<Record<string, string>> = {
  EISDIR: 'expected a file, got a folder',
  ENOTDIR: 'expected a folder, got a file on the way there',
  ENOENT: 'expected something there, got nothing',
  EACCES: 'expected permission, got none; look at who may read and write it',
  EPERM: 'expected permission, got none; look at who may read and write it',
  EROFS: 'expected a disk that can be written, got one for reading only',
  EEXIST: 'expected nothing there, got something',
  ELOOP: 'expected a file, got links that lead to each other',
  ENAMETOOLONG: 'expected a name as short as the system wants, got a longer one',
  ENOTEMPTY: 'expected an empty folder, got one with something in it',
  ENOSPC: 'expected room on the disk, got none; make room, and the same command goes on',
  EDQUOT: 'expected room on the disk, got none; make room, and the same command goes on',
  EMFILE: 'expected to open one more file, got as many as are allowed; ulimit -n 1024 allows this shell more',
  EBUSY: 'expected it to be free, got it in use',
};

interface Refused {
  readonly message: string;
  readonly code?: string | undefined;
  readonly path?: string | undefined;
  readonly syscall?: string | undefined;
}

/** What the system refused, in words; with its own where they are not known. */
export function refused({ code = '', message, path, syscall }: Refused): string {
  const words = WORDS[code];
  return words === undefined ? message : `${path ?? syscall ?? 'the system'}: ${words} (${code})`;
}
