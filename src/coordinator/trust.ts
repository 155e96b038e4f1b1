import type { JobResult } from '../contract/job.ts';

/** So many bad rows of one worker, with no good one between them: the jobs are not to blame. */
const STREAK = 3;

/** Which workers are to be held: one that sent what no honest one can have, or whose jobs crash one after the other. */
export class Trust {
  readonly #hold: (worker: string, reason: string) => void;
  readonly #streaks = new Map<string, number>();

  constructor(hold: (worker: string, reason: string) => void) {
    this.#hold = hold;
  }

  /** A row that was taken. */
  took({ row, provenance: { worker } }: JobResult): void {
    if (worker === undefined) return;
    if (row.ok || row.failure.kind !== 'crashed') this.#streaks.delete(worker);
    else this.#bad(worker, `${STREAK} jobs in a row crashed there, the last of them ${row.id}`);
  }

  /** A row that was refused. `forged`: no accident explains it. */
  refused({ provenance: { worker } }: JobResult, reason: string, forged: boolean): void {
    if (worker === undefined) return;
    if (forged) this.#hold(worker, reason);
    else this.#bad(worker, `${STREAK} rows in a row without their files; ${reason}`);
  }

  #bad(worker: string, reason: string): void {
    const streak = (this.#streaks.get(worker) ?? 0) + 1;
    this.#streaks.set(worker, streak % STREAK);
    if (streak === STREAK) this.#hold(worker, reason);
  }
}
