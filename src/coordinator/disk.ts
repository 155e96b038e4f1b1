import { randomBytes } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Files } from '../bus/bus.ts';
import { HostError, writeRefused } from '../contract/host.ts';
import { contentDigest } from '../contract/ids.ts';
import type { FileKind } from '../contract/job.ts';

/** Makes the names in a folder survive a power failure. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/**
 * Makes a folder and those above it. Level by level: where a file system has no new folders, as /proc, Node's own way asks it again for ever.
 */
export async function makeFolder(path: string): Promise<void> {
  const parent = dirname(path);
  if (parent !== path && !(await exists(parent))) await makeFolder(parent);
  await mkdir(path).catch(async (error: NodeJS.ErrnoException) => {
    const isThere = error.code === 'EEXIST' && (await stat(path).catch(() => null))?.isDirectory();
    if (!isThere) throw error;
  });
}

/** The names of files that `writeWhole` has not finished. */
const TEMPORARY = /^\..+\.[0-9a-f]{8}$/;

/** Writes a file so that its name never stands for half of it: to a temporary name, to the disk, then renamed. */
export async function writeWhole(path: string, bytes: Uint8Array | string | AsyncIterable<string>): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(4).toString('hex')}`);
  try {
    const file = await open(temporary, 'wx');
    try {
      if (typeof bytes === 'string' || bytes instanceof Uint8Array) await file.writeFile(bytes);
      else for await (const part of bytes) await file.writeFile(part);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await unlink(temporary).catch(() => {});
    throw writeRefused(`${path}:`, error);
  }
  await syncFolder(dirname(path));
}

export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

const REMEDY: Readonly<Record<FileKind, string>> = {
  policies: '; if it is of a base, `spc run` trains it anew',
  forget: '',
};

const DIGEST = /^[0-9a-f]{64}$/;

/** Files of a results folder under the digest of their content: `policies/<digest>.safetensors`, `forget/<digest>.safetensors`. */
export class DiskFiles implements Files {
  readonly #folder: string;
  readonly #warn: (message: string) => void;

  constructor(folder: string, warn: (message: string) => void = () => {}) {
    this.#folder = folder;
    this.#warn = warn;
  }

  /** Makes the folders, and removes what a killed writer left half-written. For the one who holds the lock. */
  static async prepare(folder: string): Promise<void> {
    for (const kind of ['policies', 'forget'] as const) await mkdir(join(folder, kind), { recursive: true });
    for (const path of [folder, join(folder, 'policies'), join(folder, 'forget')])
      for (const name of await readdir(path)) if (TEMPORARY.test(name)) await unlink(join(path, name));
  }

  path(kind: FileKind, digest: string): string {
    if (!DIGEST.test(digest)) throw new TypeError(`${kind}: expected a SHA-256 in hex, got ${JSON.stringify(digest)}`);
    return join(this.#folder, kind, `${digest}.safetensors`);
  }

  /** A file that is there already is read and compared; one that was altered is replaced, for here are the right bytes. */
  async put(kind: FileKind, bytes: Uint8Array): Promise<string> {
    const digest = contentDigest(bytes);
    const path = this.path(kind, digest);
    const there = await readFile(path).catch(() => null);
    if (there && contentDigest(there) === digest) return digest;
    if (there) this.#warn(`${path}: was altered; written anew`);
    await writeWhole(path, bytes);
    return digest;
  }

  async get(kind: FileKind, digest: string): Promise<Uint8Array> {
    const path = this.path(kind, digest);
    const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
      throw new HostError(`${path}: could not be read (${error.code})${REMEDY[kind]}`, { cause: error });
    });
    const actual = contentDigest(bytes);
    if (actual === digest) return bytes;
    throw new HostError(
      `${path}: expected SHA-256 ${digest}, got ${actual} over ${bytes.length} bytes; the file was truncated or altered${REMEDY[kind]}`,
    );
  }

  has(kind: FileKind, digest: string): Promise<boolean> {
    return exists(this.path(kind, digest));
  }
}
