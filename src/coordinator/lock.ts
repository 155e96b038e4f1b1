import { randomBytes } from 'node:crypto';
import { readFileSync, unlinkSync } from 'node:fs';
import { link, readFile, rename, unlink, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { ConfigError } from '../contract/errors.ts';
import { writeRefused } from '../contract/host.ts';

interface Holder {
  readonly pid: number;
  readonly host: string;
  /** When the process began, in ticks since boot where the system tells: process ids come again. */
  readonly began: string;
  readonly token: string;
}

/** One writer per results folder. Held by a living process; what a dead one left behind is taken over. */
export class Lock {
  readonly #path: string;
  readonly #text: string;

  private constructor(path: string, text: string) {
    this.#path = path;
    this.#text = text;
  }

  /** Throws ConfigError when somebody else holds it. */
  static async take(path: string, warn: (message: string) => void): Promise<Lock> {
    const me: Holder = { pid: process.pid, host: hostname(), began: began(process.pid), token: randomBytes(8).toString('hex') };
    const text = `${JSON.stringify(me)}\n`;
    const mine = `${path}.${me.token}`;
    try {
      await writeFile(mine, text).catch((error: unknown) => {
        throw writeRefused(`${path}:`, error);
      });
      for (;;) {
        if (await linked(mine, path)) return new Lock(path, text);
        const theirs = await readFile(path, 'utf8').catch(() => null);
        if (theirs === null) continue; // just released
        const holder = parse(theirs);
        if (holder && isAlive(holder)) {
          throw new ConfigError(
            `${path}: expected to be alone, but process ${holder.pid} on ${holder.host} works on this folder; wait for it${holder.host === me.host ? '' : `, or remove the file if ${holder.host} is gone`}`,
          );
        }
        await takeAway(path, theirs, `${mine}.stale`);
        warn(`${path}: taken over from ${holder ? `process ${holder.pid}, which is gone` : 'a process that died while writing it'}`);
      }
    } finally {
      await unlink(mine).catch(() => {});
    }
  }

  /** Synchronous, so that it works on the way out. Removes nothing but its own. */
  release(): void {
    try {
      if (readFileSync(this.#path, 'utf8') === this.#text) unlinkSync(this.#path);
    } catch {
      // somebody cleaned up
    }
  }
}

/** Atomic, and whole: a lock file appears with its content or not at all. */
async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Removes a stale lock. If another process was faster and the lock is a new one by now, that is put back. */
async function takeAway(path: string, stale: string, aside: string): Promise<void> {
  await rename(path, aside).catch(() => {});
  const taken = await readFile(aside, 'utf8').catch(() => null);
  if (taken === null) return;
  if (taken !== stale) await linked(aside, path);
  await unlink(aside);
}

function parse(text: string): Holder | null {
  try {
    const value = JSON.parse(text) as Partial<Holder>;
    const { pid, host, began, token } = value;
    if (typeof pid !== 'number' || typeof host !== 'string') return null;
    return { pid, host, began: began ?? '', token: token ?? '' };
  } catch {
    return null;
  }
}

/** A process of another host cannot be asked: it counts as alive. */
function isAlive({ pid, host, began: since }: Holder): boolean {
  if (host !== hostname()) return true;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  const now = began(pid);
  return now !== 'dead' && (since === '' || now === since);
}

/** Field 22 of /proc/<pid>/stat; `dead` for a zombie, empty where there is no such file. */
function began(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? 'dead' : (fields[19] ?? '');
  } catch {
    return '';
  }
}
