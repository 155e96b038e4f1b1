import { constants } from 'node:fs';
import { type FileHandle, open, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isatty } from 'node:tty';
import { ConfigError } from '../contract/errors.ts';
import { HostError, writeRefused } from '../contract/host.ts';
import { writeWhole } from '../coordinator/disk.ts';
import { descriptorOf, whatIsThere } from '../coordinator/there.ts';

const PATIENCE_MS = 10_000;
const POLL_MS = 20;

/**
 * Writes what `--out` asks for: to stdout (`-`) or another open descriptor, into a pipe or a device, else to a new file, whole or not at all.
 * A file that holds these very bytes is left as it is. Returns whether it went to stdout. Throws ConfigError, before a byte is written, where
 * it cannot be; HostError where the system refuses.
 */
export async function writeOutput(out: string, bytes: Uint8Array, content: 'text' | 'binary'): Promise<boolean> {
  const refuse = (expected: string, got: string, remedy?: string): never => {
    throw new ConfigError(`--out: expected ${expected}, got ${got}${remedy ? `; ${remedy}` : ''}`);
  };
  const descriptor = out === '-' ? 1 : descriptorOf(out);
  if (descriptor !== undefined) {
    if (content === 'binary' && isatty(descriptor)) refuse('a file or a pipe for bytes that are no text', 'a terminal', 'name a file');
    await writeDescriptor(out, descriptor, bytes);
    return descriptor === 1;
  }
  const there = whatIsThere(out);
  if (there.kind === 'nothing') {
    const folder = dirname(out);
    if (out === '' || out.endsWith('/')) refuse('a file', out === '' ? 'nothing' : `${out}, which can only be a folder`, 'name a file');
    const parent = whatIsThere(folder);
    if (parent.kind === 'nothing') refuse('a file in a folder that is there', out, `make ${folder} first`);
    if (parent.kind !== 'folder') refuse('a file in a folder', `${out}, where ${folder} is ${parent.what}`);
    await writeWhole(out, bytes);
  } else if (there.kind === 'file') {
    const same = there.sizeBytes === bytes.length && (await readFile(out)).equals(bytes);
    if (!same) refuse('a new file', `${out}, which is there and another`, 'remove it, or choose another name');
  } else if (there.kind === 'pipe') await writePipe(out, bytes);
  else if (there.kind === 'device') {
    if (content === 'binary' && (await isTerminal(out))) refuse('a file or a pipe for bytes that are no text', 'a terminal', 'name a file');
    await writeHandle(out, await opened(out, constants.O_WRONLY), bytes);
  } else refuse('a new file', `${out}, ${there.what}`, there.kind === 'folder' ? 'name a file in it' : there.remedy);
  return false;
}

/** stdout by way of the process, which knows whether it is a pipe, a socket or a file. */
async function writeDescriptor(out: string, descriptor: number, bytes: Uint8Array): Promise<void> {
  const stream = descriptor === 1 ? process.stdout : descriptor === 2 ? process.stderr : undefined;
  if (stream === undefined) return writeHandle(out, await opened(out, constants.O_WRONLY), bytes);
  return new Promise((resolve, reject) => {
    stream.write(bytes, (error) => (error ? reject(writeRefused(`${out}:`, error)) : resolve()));
  });
}

const opened = (out: string, flags: number): Promise<FileHandle> =>
  open(out, flags).catch((error: unknown) => {
    throw writeRefused(`${out}:`, error);
  });

async function isTerminal(path: string): Promise<boolean> {
  const file = await opened(path, constants.O_WRONLY | constants.O_NOCTTY);
  try {
    return isatty(file.fd);
  } finally {
    await file.close();
  }
}

/** Opened so that it does not block, for a pipe without a reader would for ever. */
async function writePipe(out: string, bytes: Uint8Array): Promise<void> {
  for (let waitedMs = 0; waitedMs < PATIENCE_MS; waitedMs += POLL_MS) {
    const file = await open(out, constants.O_WRONLY | constants.O_NONBLOCK).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENXIO') return undefined; // nobody reads
      throw writeRefused(`${out}:`, error);
    });
    if (file !== undefined) return writeHandle(out, file, bytes);
    if (waitedMs === 1000) process.stderr.write(`${out}: a pipe; waiting for somebody to read it\n`);
    await sleep(POLL_MS);
  }
  throw new HostError(
    `${out}: could not be written: a pipe that nobody opened to read within ${PATIENCE_MS / 1000} s; start its reader first`,
  );
}

/** All of it, however little the other side takes at once; then closes. */
async function writeHandle(out: string, file: FileHandle, bytes: Uint8Array): Promise<void> {
  try {
    for (let at = 0; at < bytes.length; ) {
      const written = await file.write(bytes, at).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'EAGAIN') throw writeRefused(`${out}:`, error, error.code === 'EPIPE' ? '; its reader went away' : '');
      });
      if (written === undefined) await sleep(POLL_MS);
      else at += written.bytesWritten;
    }
  } finally {
    await file.close();
  }
}
