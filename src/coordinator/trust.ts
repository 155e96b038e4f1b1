import type { Row } from '../contract/job.ts';

/** So many bad rows of one identity, with no good one between them: the jobs are not to blame. */
const STREAK = 3;

/**
 * Who is to be held: who sent what no honest worker can have, or whose jobs crash one after the other. It goes by the identity that the
 * bus found, never by what a row says of its maker; null is this process itself, which is not held.
 */
export class Trust {
  readonly #hold: (identity: string, reason: string) => void;
  readonly #streaks = new Map<string, number>();
  #held: ReadonlySet<string> = new Set();

  constructor(hold: (identity: string, reason: string) => void) {
    this.#hold = hold;
  }

  get held(): ReadonlySet<string> {
    return this.#held;
  }

  /** Who is held from now on, whoever wanted it. */
  set held(identities: ReadonlySet<string>) {
    this.#held = identities;
  }

  /** A row that was taken. */
  took(row: Row, from: string | null): void {
    if (from === null) return;
    if (row.ok || row.failure.kind !== 'crashed') this.#streaks.delete(from);
    else this.#bad(from, `${STREAK} jobs in a row crashed there, the last of them ${row.id}`);
  }

  /** A row that was refused. `forged`: no accident explains it. */
  refused(from: string | null, reason: string, forged: boolean): void {
    if (from === null) return;
    if (forged) this.lied(from, reason);
    else this.#bad(from, `${STREAK} rows in a row that could not be taken; the last: ${reason}`);
  }

  #bad(from: string, reason: string): void {
    const streak = (this.#streaks.get(from) ?? 0) + 1;
    this.#streaks.set(from, streak % STREAK);
    if (streak === STREAK) this.lied(from, reason);
  }

  /** Holds it at once. */
  lied(from: string, reason: string): void {
    this.#held = new Set([...this.#held, from]);
    this.#hold(from, reason);
  }
}
