import type { Agent } from '../worker/agent/agent.ts';
import { duration } from './progress.ts';
import { many } from './text.ts';

/** What a worker has done, and does. */
export interface Doing extends Readonly<Agent['tally']> {
  readonly busy: number;
  readonly slots: number;
}

/** A worker that does nothing says so this rarely. */
const IDLE_MS = 600_000;

/** What a worker says of itself in its log: a line a minute where something was done, few where nothing is, one at the end. */
export class WorkLog {
  readonly #startMs: number;
  #saidMs: number;
  #said = 0;

  constructor(nowMs: number) {
    this.#startMs = nowMs;
    this.#saidMs = nowMs;
  }

  /** Null where there is nothing to say. */
  line({ done, failed, busy, slots }: Doing, nowMs: number): string | null {
    const [all, sinceMs] = [done + failed, nowMs - this.#saidMs];
    const fresh = all - this.#said;
    if (fresh === 0 && busy === 0 && sinceMs < IDLE_MS) return null;
    this.#said = all;
    this.#saidMs = nowMs;
    if (fresh === 0 && busy === 0) return `nothing to do for ${duration(sinceMs)}; ${counted(done, failed)} so far`;
    return `${many(fresh, 'job')} in ${duration(sinceMs)}, ${busy} of ${many(slots, 'thread')} busy; ${counted(done, failed)} so far`;
  }

  last({ done, failed }: Doing, nowMs: number): string {
    return `leaves after ${duration(nowMs - this.#startMs)}: ${counted(done, failed)}`;
  }
}

const counted = (done: number, failed: number): string => `${done} done${failed > 0 ? `, ${failed} failed` : ''}`;
