import { constants } from 'node:fs';
import { type FileHandle, open, readdir, rename, stat, unlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ConfigError } from '../contract/errors.ts';
import { writeRefused } from '../contract/host.ts';
import type { Ring } from './contend.ts';
import { type Holder, parseHolder, sightOf } from './holder.ts';

/** Who is silent for so long by the clock of the file system, and while being watched for so long, is taken for dead. */
const SILENT_MS = 60_000;
const WATCHED_MS = 12_000;
/** For those who want the lock at the same time, and for the watching. */
const PATIENCE_MS = 20_000;
const PAUSE_MS = { first: 2, longest: 50 };
/** More than a holder writes. */
const MOST_BYTES = 4096;

/** What stands in a lock or a claim. */
export interface Seen {
  readonly path: string;
  readonly token: string;
  readonly holds: boolean;
  /** Null: no process wrote it whole. */
  readonly holder: Holder | null;
  /** When it was last written, by the clock of the file system, and how long ago that is. */
  readonly writtenMs: number;
  readonly ageMs: number;
}

/**
 * A contest for a lock, as files: beside `.lock` stands `.lock.<token>` for everybody who wants it, and becomes the lock by its name alone.
 * Hard links and locks of the kernel are not to be had everywhere; this needs names that come and go at once, and a folder that lists
 * what is there.
 */
export class Contest implements Ring<Seen> {
  readonly #path: string;
  readonly #me: Holder;
  readonly #text: string;
  readonly #warn: (message: string) => void;
  readonly #mine: string;
  /** Milliseconds of the clock of the file system, less those of our own. */
  #clock = 0;
  /** When what only its silence tells about was first seen as it is. */
  readonly #watched = new Map<string, number>();
  readonly #began = performance.now();
  #pauseMs = PAUSE_MS.first;
  #stale: Seen | null = null;

  constructor(path: string, me: Holder, text: string, warn: (message: string) => void) {
    this.#path = path;
    this.#me = me;
    this.#text = text;
    this.#warn = warn;
    this.#mine = `${path}.${me.token}`;
  }

  /** Whole when it appears. */
  async claim(): Promise<void> {
    const draft = `${this.#mine}${DRAFT}`;
    try {
      await writeFile(draft, this.#text);
      await rename(draft, this.#mine);
      this.#clock = (await stat(this.#mine)).mtimeMs - performance.now();
    } catch (error) {
      await unlink(draft).catch(() => {});
      throw writeRefused(`${this.#path}:`, error);
    }
  }

  async withdraw(): Promise<void> {
    await unlink(this.#mine).catch(() => {});
  }

  async promote(): Promise<boolean> {
    try {
      await rename(this.#mine, this.#path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false; // we slept for so long that we were taken for dead
      throw writeRefused(`${this.#path}:`, error);
    }
    const holder = this.#stale?.holder;
    if (holder) this.#warn(`${this.#path}: taken over from process ${holder.pid}, which is gone`);
    else if (this.#stale) this.#warn(`${this.#path}: taken over from a process that died while writing it`);
    return true;
  }

  async pause(): Promise<boolean> {
    if (performance.now() - this.#began > PATIENCE_MS) return false;
    await sleep(this.#pauseMs);
    this.#pauseMs = Math.min(2 * this.#pauseMs, PAUSE_MS.longest);
    return true;
  }

  async look(): Promise<readonly Seen[]> {
    for (;;) {
      const { claims, removed } = await this.#claims();
      if (removed) continue; // its owner may have woken, and have made it the lock just before
      const lock = await this.#read(this.#path, '', true);
      const mayLive = lock === null ? null : this.#mayLive(lock);
      this.#stale = mayLive === null ? lock : null;
      return mayLive === null ? claims : [...claims, mayLive];
    }
  }

  async #claims(): Promise<{ claims: Seen[]; removed: boolean }> {
    const claims: Seen[] = [];
    let removed = false;
    const prefix = `${basename(this.#path)}.`;
    for (const name of await readdir(dirname(this.#path))) {
      const [, token, draft] = (name.startsWith(prefix) && CLAIM.exec(name.slice(prefix.length))) || [];
      if (token === undefined || token === this.#me.token) continue;
      const path = join(dirname(this.#path), name);
      const seen = await this.#read(path, token, false);
      if (seen === null || (draft !== undefined && seen.ageMs < SILENT_MS)) continue;
      const mayLive = draft === undefined ? this.#mayLive(seen) : null;
      if (mayLive !== null) {
        claims.push(mayLive);
        continue;
      }
      await unlink(path).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw writeRefused(`${path}:`, error);
      });
      removed = true;
    }
    return { claims, removed };
  }

  /** Itself; as somebody to wait for, while its silence is not long enough; null when it is dead for ever. */
  #mayLive(seen: Seen): Seen | null {
    if (seen.holder === null) return null;
    const sight = sightOf(seen.holder, this.#me);
    if (sight === 'dead') return null;
    if (sight === 'alive' || sight === 'elsewhere' || seen.ageMs < SILENT_MS) return seen;
    if (sight === 'restarted') return null;
    // A machine that slept has a late clock, and nobody on it has had time to write.
    const key = `${seen.path} ${seen.writtenMs}`;
    const since = this.#watched.get(key);
    if (since === undefined) {
      this.#watched.set(key, performance.now());
      const { pid } = seen.holder;
      this.#warn(`${seen.path}: process ${pid} of another container has been silent for ${seconds(seen.ageMs)}; watching it for a while`);
    } else if (performance.now() - since > WATCHED_MS) return null;
    return { ...seen, token: '', holds: false };
  }

  /** Null: it is not there. Throws ConfigError for what is no file of ours. */
  async #read(path: string, token: string, holds: boolean): Promise<Seen | null> {
    let file: FileHandle;
    try {
      file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)); // a named pipe would wait for a writer
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT' || code === 'ELOOP') return null; // or a link to nothing, which is replaced
      if (code === 'EACCES' || code === 'EPERM')
        throw new ConfigError(
          `${path}: expected to read who works on this folder, got ${code}; ask its owner, or remove it when nobody does`,
        );
      if (code === 'ENXIO') throw strange(path, 'a socket');
      throw error;
    }
    try {
      const about = await file.stat();
      if (!about.isFile()) throw strange(path, about.isDirectory() ? 'a folder' : about.isFIFO() ? 'a named pipe' : 'a device');
      const { buffer, bytesRead } = await file.read(Buffer.alloc(MOST_BYTES), 0, MOST_BYTES, 0);
      const holder = parseHolder(buffer.toString('utf8', 0, bytesRead));
      const { mtimeMs } = about;
      return { path, token, holds, holder, writtenMs: mtimeMs, ageMs: Math.max(0, this.#clock + performance.now() - mtimeMs) };
    } finally {
      await file.close();
    }
  }
}

const DRAFT = '.new';
const CLAIM = /^([0-9a-f]{16})(\.new)?$/;

const strange = (path: string, what: string): ConfigError =>
  new ConfigError(`${path}: expected the lock of this folder, a file, or nothing, got ${what}; remove it, or move it away`);

const seconds = (ms: number): string => `${Math.round(ms / 1000)} s`;

/** Who works on the folder, since when, and what to do. */
export function refusal(lock: string, { path, holds, holder, ageMs }: Seen, me: Holder): ConfigError {
  if (holder === null) return new ConfigError(`${path}: expected to be alone, but somebody works on this folder; wait for it`);
  const { pid, host, since, command } = holder;
  const sight = sightOf(holder, me);
  const where = sight === 'walled' ? ', in another container,' : '';
  const does = holds ? 'works' : 'is about to work';
  const file = path === lock ? 'the file' : path;
  const remedy = {
    alive: `or end it with kill ${pid}`,
    dead: 'or try again',
    restarted: 'or, if it ended when this machine was restarted, try again in a minute',
    walled: `or, if that container is gone, try again in a minute`,
    elsewhere: `or remove ${file} if ${host} is gone`,
  }[sight];
  const began = since === '' ? '' : ` since ${since.replace(/\.\d+Z$/, 'Z')}`;
  const what = command === '' ? '' : `; it is "${command}"${began}`;
  const life = sight === 'alive' ? '' : `, last heard of ${seconds(ageMs)} ago`;
  return new ConfigError(
    `${lock}: expected to be alone, but process ${pid} on ${host}${where} ${does} on this folder; wait for it, ${remedy}${what}${life}`,
  );
}
