import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readFileSync, unlinkSync, writeSync } from 'node:fs';
import { HostError } from '../contract/host.ts';
import { contend } from './contend.ts';
import { Contest, refusal } from './contest.ts';
import { ourselves, parseHolder } from './holder.ts';

/** A holder writes its file again this often, for those who cannot ask the system whether it lives. */
const BEAT_MS = 5_000;

/** One writer per results folder. Held by a living process; what a dead one left behind is taken over. */
export class Lock {
  readonly #path: string;
  readonly #text: string;
  readonly #file: number;
  readonly #beat: NodeJS.Timeout;
  #released = false;
  /** Told once when the lock was taken away; `expectHeld` tells as well. */
  lost: (error: HostError) => void = () => {};

  private constructor(path: string, text: string) {
    this.#path = path;
    this.#text = text;
    try {
      this.#file = openSync(path, 'r+');
    } catch (error) {
      unlinkSync(path);
      throw error;
    }
    this.#beat = setInterval(() => this.#live(), BEAT_MS);
    this.#beat.unref();
  }

  /** Throws ConfigError when somebody else holds it. */
  static async take(path: string, warn: (message: string) => void): Promise<Lock> {
    const me = ourselves(randomBytes(8).toString('hex'));
    const text = `${JSON.stringify(me)}\n`;
    const contest = new Contest(path, me, text, warn);
    try {
      const rival = await contend(me.token, contest);
      if (rival !== null) throw refusal(path, rival, me);
    } catch (error) {
      await contest.withdraw();
      throw error;
    }
    return new Lock(path, text);
  }

  /** Throws HostError when the lock was taken away: to be asked before every write that somebody else could make as well. */
  expectHeld(): void {
    let text = '';
    try {
      text = readFileSync(this.#path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return; // that says nothing about others
    }
    if (text === this.#text) return;
    const other = parseHolder(text);
    const who = other ? `process ${other.pid} on ${other.host} works on this folder now` : 'somebody removed the file';
    throw new HostError(`${this.#path}: expected to be alone still, but ${who}; nothing more is written, and what was is safe`);
  }

  /** Synchronous, so that it works on the way out. Removes nothing but its own. */
  release(): void {
    if (this.#released) return; // its number may be that of another open file by now
    this.#released = true;
    clearInterval(this.#beat);
    try {
      closeSync(this.#file);
      if (readFileSync(this.#path, 'utf8') === this.#text) unlinkSync(this.#path);
    } catch {
      // somebody cleaned up
    }
  }

  /** The same bytes, so that readers see no others; through the open file, which is ours whatever the name stands for by now. */
  #live(): void {
    try {
      writeSync(this.#file, this.#text, 0);
    } catch {
      // a full disk, or one that is away for a while
    }
    try {
      this.expectHeld();
    } catch (error) {
      clearInterval(this.#beat);
      this.lost(error as HostError);
    }
  }
}
