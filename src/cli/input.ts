import { createReadStream } from 'node:fs';
import { constants, open, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { isatty } from 'node:tty';
import { ConfigError } from '../contract/errors.ts';
import { HostError } from '../contract/host.ts';
import { formatOf } from '../coordinator/formats.ts';
import { descriptorOf, type There, whatIsThere } from '../coordinator/there.ts';

/** How long a pipe that nobody has opened to write is waited for: its writer may be a command that starts a moment later. */
const PATIENCE_MS = 10_000;
const POLL_MS = 20;
const HEAD = 1 << 16;

/** What `judge` sees of a file, or of the first bytes of a pipe. */
export type Found = Pick<There, 'what' | 'remedy' | 'format'>;

/** `-` is stdin. */
export const nameOf = (given: string): string => (given === '-' ? 'stdin' : given);

/**
 * Everything in a file, a pipe, a device or stdin. `judge` says of how many bytes it may be, and throws for what is not wanted: before the rest
 * is read, which may have no end. Throws ConfigError for more.
 */
export async function readInput(given: string, judge: (found: Found) => number): Promise<Uint8Array> {
  const name = nameOf(given);
  const tooMuch = (what: string, most: number, got: string): ConfigError =>
    new ConfigError(`${name}: expected at most ${mebibytes(most)} of ${what}, got ${got}`);
  const descriptor = given === '-' ? 0 : descriptorOf(given);
  const there: There = descriptor === undefined ? whatIsThere(given) : { kind: 'pipe', what: 'a pipe' };
  if (there.kind === 'file') {
    const { sizeBytes = 0, what } = there;
    const most = judge(there);
    if (sizeBytes > most) throw tooMuch(what, most, mebibytes(sizeBytes));
    return readFile(given).catch((error: NodeJS.ErrnoException) => {
      throw unread(name, error);
    });
  }
  if (there.kind !== 'pipe' && there.kind !== 'device') {
    judge(there);
    throw new ConfigError(`${name}: expected a file, got ${there.what}`);
  }
  const parts: Uint8Array[] = [];
  let length = 0;
  let judged: { what: string; most: number } | undefined;
  const look = (): typeof judged => {
    const { name: format, what, remedy } = formatOf(Buffer.concat(parts).subarray(0, HEAD));
    return { what, most: judge({ format, what: length === 0 ? 'nothing: it ended at once' : what, remedy }) };
  };
  for await (const chunk of bytesOf(given, there.kind, descriptor)) {
    parts.push(chunk);
    length += chunk.length;
    if (length >= HEAD) judged ??= look();
    if (judged !== undefined && length > judged.most) throw tooMuch(judged.what, judged.most, 'more');
  }
  if (judged === undefined) look();
  return Buffer.concat(parts);
}

const mebibytes = (bytes: number): string =>
  bytes < 2 ** 30 ? `${Math.ceil(bytes / 2 ** 20)} MiB` : `${Number((bytes / 2 ** 30).toPrecision(3))} GiB`;

async function* bytesOf(given: string, kind: There['kind'], descriptor: number | undefined): AsyncGenerator<Uint8Array> {
  try {
    if (descriptor !== undefined) yield* fromDescriptor(given, descriptor);
    else if (kind === 'pipe') yield* fromPipe(given);
    else yield* createReadStream(given) as AsyncIterable<Uint8Array>;
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw unread(nameOf(given), error as NodeJS.ErrnoException);
  }
}

const unread = (name: string, error: NodeJS.ErrnoException): HostError =>
  new HostError(`${name}: could not be read (${error.code ?? error.message})`, { cause: error });

/** What is open already: opened again by its name, a socket would refuse and a file begin anew. */
function fromDescriptor(given: string, descriptor: number): AsyncIterable<Uint8Array> {
  if (isatty(descriptor))
    throw new ConfigError(`${nameOf(given)}: expected a file or a pipe, got a terminal; write < FILE behind the command`);
  return descriptor === 0 ? process.stdin : createReadStream('', { fd: descriptor, autoClose: false });
}

/** Opened so that it does not block, for a pipe without a writer would for ever. */
async function* fromPipe(path: string): AsyncGenerator<Uint8Array> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    let hasWriter = false;
    for (let waitedMs = 0; ; waitedMs += POLL_MS) {
      const buffer = Buffer.allocUnsafe(HEAD);
      const count = await file.read(buffer, 0, HEAD).then(({ bytesRead }) => bytesRead, whetherBusy);
      if (count === 0 && hasWriter) return;
      hasWriter ||= count !== 0;
      if (count !== undefined && count > 0) yield buffer.subarray(0, count);
      else await sleep(POLL_MS);
      if (hasWriter) continue;
      if (waitedMs >= PATIENCE_MS)
        throw new ConfigError(
          `${path}: expected something to read, got a pipe that nobody wrote to within ${PATIENCE_MS / 1000} s; start its writer first, as in: cat FILE > ${path} &`,
        );
      if (waitedMs === 1000) process.stderr.write(`${path}: a pipe; waiting for somebody to write to it\n`);
    }
  } finally {
    await file.close();
  }
}

/** Undefined for a writer that has written nothing yet. */
function whetherBusy(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'EAGAIN') throw error;
}
