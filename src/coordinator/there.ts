import { closeSync, existsSync, lstatSync, openSync, readSync, type Stats, statSync } from 'node:fs';
import { join } from 'node:path';
import { type Format, formatOf } from './formats.ts';

/** What lies at a path. `what`: a noun with its article, to stand behind "got" in a message. */
export interface There {
  readonly kind: 'nothing' | 'unreadable' | 'file' | 'folder' | 'pipe' | 'socket' | 'device';
  readonly what: string;
  readonly remedy?: string | undefined;
  /** Of files. */
  readonly sizeBytes?: number;
  readonly format?: Format['name'];
}

const HEAD = 1 << 16;

/**
 * Looks at a path without waiting and without reading more than 128 KiB: at the bytes of files, not of pipes and devices, where they would be gone.
 * Throws nothing: what the system refuses is `unreadable`, with its code.
 */
export function whatIsThere(path: string): There {
  try {
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats !== undefined) return ofStats(path, stats);
    const link = lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ?? false;
    return { kind: 'nothing', what: link ? 'nothing: a link to what is not there' : 'nothing' };
  } catch (error) {
    const { code = String(error) } = error as NodeJS.ErrnoException;
    if (code === 'ENOTDIR') return { kind: 'nothing', what: 'nothing: a part of that path is a file' };
    if (code === 'ENAMETOOLONG') return { kind: 'nothing', what: 'nothing: no file can have so long a name' };
    return {
      kind: 'unreadable',
      what: `what could not be read (${code})`,
      ...(code === 'EACCES' && { remedy: 'look at its permissions' }),
    };
  }
}

function ofStats(path: string, stats: Stats): There {
  if (stats.isDirectory()) return { kind: 'folder', what: folder(path), remedy: 'name a file in it' };
  if (stats.isFIFO()) return { kind: 'pipe', what: 'a pipe' };
  if (stats.isSocket()) return { kind: 'socket', what: 'a socket' };
  if (!stats.isFile()) return { kind: 'device', what: 'a device' };
  const { name, what, remedy } = formatOf(...ends(path, stats.size));
  return { kind: 'file', what, remedy, sizeBytes: stats.size, format: name };
}

const folder = (path: string): string =>
  existsSync(join(path, 'sweep.yaml'))
    ? 'a results folder'
    : existsSync(join(path, 'saved_model.pb'))
      ? 'a TensorFlow SavedModel'
      : 'a folder';

function ends(path: string, size: number): [head: Uint8Array, tail: Uint8Array] {
  const file = openSync(path, 'r');
  try {
    const part = (from: number): Uint8Array => {
      const buffer = new Uint8Array(HEAD);
      return buffer.subarray(0, readSync(file, buffer, 0, HEAD, from));
    };
    return [part(0), size > HEAD ? part(Math.max(HEAD, size - HEAD)) : new Uint8Array()];
  } finally {
    closeSync(file);
  }
}

/** The open file that a path stands for: 0, 1, 2 and those of a shell's <( ). A pipe or socket that has no other name is reached only so. */
export function descriptorOf(path: string): number | undefined {
  const standard = ['/dev/stdin', '/dev/stdout', '/dev/stderr'].indexOf(path);
  if (standard >= 0) return standard;
  const [, number] = path.match(/^\/(?:dev|proc\/self)\/fd\/(\d{1,9})$/) ?? [];
  return number === undefined ? undefined : Number(number);
}
