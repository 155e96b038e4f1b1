/** How long workers should have work while the coordinator is away, and so how long a newcomer waits behind others at most. */
const OUTAGE_MS = 60_000;
const LEAST = 8;
/** Beyond that the broker's list of subjects becomes long. */
const MOST = 5_000;

export interface Shared {
  /** Of all workers that may take these jobs. */
  readonly slots: number;
  /** Of one job; null while none is known. */
  readonly medianMs: number | null;
  readonly weight: number;
  /** Of all sweeps that are being run on these slots, this one included. */
  readonly weights: readonly number[];
}

/**
 * How many jobs a sweep may have in the broker.
 *   all = clamp(max(2·slots, slots·outage/median), 8, 5000),   window = ⌈all·weight/Σ weights⌉
 * The broker hands out in the order of arrival, so every job waits as long as any other, and by Little's law sweeps are served in
 * proportion to their windows: shares are fair without anybody who deals them.
 */
export function windowOf({ slots, medianMs, weight, weights }: Shared): number {
  const wanted = Math.max(2 * slots, medianMs === null ? 0 : (slots * OUTAGE_MS) / Math.max(1, medianMs));
  const all = Math.min(MOST, Math.max(LEAST, wanted));
  const sum = weights.reduce((total, other) => total + other, 0);
  return Math.min(MOST, Math.max(1, Math.ceil((all * weight) / Math.max(sum, weight)))); // a quotient may round to above all
}

const KEPT = 101;

/** Median of the last 101 numbers; null while there is none. */
export class RunningMedian {
  readonly #last: number[] = [];
  #next = 0;

  see(x: number): void {
    this.#last[this.#next] = x;
    this.#next = (this.#next + 1) % KEPT;
  }

  get value(): number | null {
    const sorted = [...this.#last].sort((a, b) => a - b);
    return sorted[Math.floor(sorted.length / 2)] ?? null;
  }
}
