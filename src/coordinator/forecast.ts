import type { JobResult } from '../contract/job.ts';
import type { Left, Prospect } from './estimate.ts';
import type { PlannedTrial } from './expand.ts';
import { makespan, type Task } from './makespan.ts';

/** A job that is being computed. */
export interface Running {
  readonly id: string;
  /** Of its main part, from 0 to 1. */
  readonly share: number;
  readonly ms: number;
}

/** How long the rest takes; `atLeast` where nothing is known of some of it. */
export interface Remaining {
  readonly ms: number;
  readonly atLeast: boolean;
}

/** Jobs of one kind: what was expected of those that have finished, and what they took. */
interface Seen {
  /** As many jobs of experience are worth as much as the expectation. */
  readonly trust: number;
  expected: number;
  took: number;
  jobs: number;
}

interface Job {
  readonly seen: Seen;
  /** By the plan; null where it knows nothing. */
  readonly ms: number | null;
}

/** Recorded jobs of a kind say more of it than rates do. */
const TRUST = { records: 6, rates: 1 } as const;
/** A share that was reported lags behind: before so long it says nothing. */
const TELLS_MS = 3_000;
/** And a job that is not done is not over, however long it takes. */
const REST = 0.1;

/**
 * How long what is left of a run takes: first as its plan says, then more and more as its jobs really take. Told of every row and asked
 * whenever somebody wants to know. Knows no clock.
 */
export class Forecast {
  readonly #jobs = new Map<string, Job>();
  /** Ids, in the order of the schedule. */
  readonly #order: readonly (readonly [trial: string, base: string])[];
  readonly #all: Seen = { trust: 1, expected: 0, took: 0, jobs: 0 };

  constructor(left: Left, planned: readonly PlannedTrial[], { trial, base, records }: Pick<Prospect, 'trial' | 'base' | 'records'>) {
    const kinds = new Map<string, Seen>();
    const add = (id: string, { kind, ms }: ReturnType<Prospect['trial']>): void => {
      if (this.#jobs.has(id)) return;
      const trust = records.has(kind.key) ? TRUST.records : TRUST.rates;
      const seen = kinds.get(kind.key) ?? { trust, expected: 0, took: 0, jobs: 0 };
      kinds.set(kind.key, seen);
      this.#jobs.set(id, { seen, ms: ms?.median ?? null });
    };
    const order: [string, string][] = [];
    const wanted = new Set(left.trials.map(({ id }) => id));
    for (const one of planned) {
      if (left.bases.has(one.baseId)) add(one.baseId, base(one));
      if (wanted.has(one.id)) add(one.id, trial(one));
      order.push([one.id, one.baseId]);
    }
    this.#order = order;
  }

  row({ row, provenance: { attempt, wallMs } }: Pick<JobResult, 'row' | 'provenance'>): void {
    const job = this.#jobs.get(row.id);
    if (job === undefined) return;
    this.#jobs.delete(row.id);
    if (attempt > 0 && row.ok) saw(job, this.#all, wallMs, 1);
  }

  /** Null where nothing is known of anything that is left. */
  left(running: readonly Running[], threads: number): Remaining | null {
    const now = new Map(running.map((one) => [one.id, one]));
    const [kinds, all] = this.#withRunning(running);
    let [known, unknown] = [0, 0];
    const of = (id: string): number => {
      const job = this.#jobs.get(id);
      if (job === undefined) return 0;
      const whole = expected(job, kinds.get(job.seen) ?? job.seen, all);
      if (whole === null) {
        unknown++;
        return Number.MIN_VALUE;
      }
      known++;
      const here = now.get(id);
      if (here === undefined) return whole;
      const rest = here.share > 0 ? (1 - here.share) * whole : whole - here.ms;
      return Math.max(rest, REST * (1 - here.share) * Math.min(whole, here.ms), 1);
    };
    const bases = new Map<string, { ms: number }>();
    const tasks: Task[] = [];
    for (const [trial, base] of this.#order) {
      const shared = bases.get(base) ?? { ms: of(base) };
      bases.set(base, shared);
      const ms = of(trial);
      if (ms > 0 || shared.ms > 0) tasks.push({ ms, base: shared });
    }
    if (known === 0 && unknown > 0) return null;
    return { ms: makespan(tasks, Math.max(1, threads)), atLeast: unknown > 0 };
  }

  /** What runs has told something, too: by the share that is done. */
  #withRunning(running: readonly Running[]): readonly [ReadonlyMap<Seen, Seen>, Seen] {
    const kinds = new Map<Seen, Seen>();
    const all = { ...this.#all };
    for (const { id, share, ms } of running) {
      const job = this.#jobs.get(id);
      if (job === undefined || share <= 0 || ms < TELLS_MS) continue;
      const seen = kinds.get(job.seen) ?? { ...job.seen };
      kinds.set(job.seen, seen);
      saw({ seen, ms: job.ms }, all, ms, share);
    }
    return [kinds, all];
  }
}

/** `share` of a job took so long. */
function saw({ seen, ms }: Job, all: Seen, took: number, share: number): void {
  for (const one of [seen, all]) {
    if (ms === null && one === all) continue;
    one.jobs += share;
    one.took += took;
    one.expected += share * (ms ?? 0);
  }
}

/** What is expected is corrected by how much longer such jobs took than expected, and at first by how much longer all did. */
function expected({ ms }: Job, seen: Seen, all: Seen): number | null {
  if (ms === null) return seen.jobs > 0 ? seen.took / seen.jobs : null;
  const general = (all.trust * ms + all.took) / (all.trust * ms + all.expected);
  return ms * ((seen.trust * ms * general + seen.took) / (seen.trust * ms + seen.expected));
}
