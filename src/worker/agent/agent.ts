import { hostname } from 'node:os';
import type { AgentBus, Lease } from '../../bus/bus.ts';
import { type Clock, systemClock } from '../../bus/clock.ts';
import { AbortedError, ContentError, TransportError } from '../../contract/errors.ts';
import { shortId } from '../../contract/ids.ts';
import { cutStack, failureRow, filesOf, type Job, type JobResult, type Row } from '../../contract/job.ts';
import type { BaseRow, Provenance, TrialRow } from '../../contract/rows.ts';
import type { ExecutorPool } from '../executor/pool.ts';
import type { Finished } from '../executor/protocol.ts';
import { PROCESSOR } from '../processor.ts';

export interface AgentOptions {
  readonly bus: AgentBus;
  readonly pool: ExecutorPool;
  /** Digest of the code behind the rows; goes into provenance. */
  readonly numerics: string;
  /** What it is called where there are others; goes into provenance. */
  readonly name?: string;
  readonly warn?: (message: string) => void;
  readonly clock?: Clock;
}

/** How long one `next` waits; bounds how long an idle agent takes to notice that it drains. */
const NEXT_MS = 5_000;
/** After the network failed. */
const AGAIN_MS = 1_000;
/** While it is held. */
const HELD_MS = 250;
/** A job that was handed out so often may be what its workers died of: it runs alone. */
const SUSPECT = 3;
/** And when it comes once more after so many it is not run again. Six condemned innocents in 4 of 3,000 simulated histories. */
const POISON = 10;

/** A job that is being computed. */
export interface Serving {
  readonly lease: Lease;
  /** By the agent's clock. */
  readonly since: number;
}

/** The host's name is nobody's business: tables need to know only whether two rows share one. */
const HOST = shortId(hostname()).slice(0, 8);

/** Takes jobs from the bus, one per free slot and what it is asked to check, has them computed, and gives back rows. Holds leases and no other state. */
export class Agent {
  readonly #options: AgentOptions;
  readonly #clock: Clock;
  readonly #serving = new Map<Lease, { readonly work: Promise<void>; readonly since: number; readonly unwanted: AbortController }>();
  /** Leases that ran out: what is made of their jobs is welcome, but somebody else makes it too. */
  readonly #lost = new Set<Lease>();
  /** Of those that are served: what others have done before. One such job may wait for a thread, more only where threads are free. */
  #checking = 0;
  #draining = false;
  /** Takes no jobs for now; what runs goes on. */
  held = false;
  readonly tally = { done: 0, failed: 0 };

  constructor(options: AgentOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /**
   * Works until `drain`, `stop` or the end of the bus. What the network prevents is given back and tried again. Rejects at once for
   * what no other job would survive either: an executor that does not start, files that cannot be read or stored.
   */
  async run(): Promise<void> {
    const { bus, pool } = this.#options;
    const { nextCheck } = bus;
    const jobs = (): Promise<Lease | null> => bus.next(NEXT_MS);
    const loops = Array.from({ length: pool.slots }, () => this.#loop(jobs, () => this.held));
    if (nextCheck !== undefined) {
      const checks = (): Promise<Lease | null> => nextCheck.call(bus, NEXT_MS);
      const wait = (): boolean => this.held || (this.#checking > 0 && this.#serving.size >= pool.slots);
      loops.push(...Array.from({ length: pool.slots }, () => this.#loop(checks, wait, 1)));
    }
    await Promise.all(loops);
  }

  /** Takes nothing more, and resolves when what runs is finished; what has gone to others by now is not waited for. */
  async drain(): Promise<void> {
    this.#draining = true;
    for (const lease of this.#lost) this.#leave(lease);
    await Promise.allSettled([...this.#serving.values()].map(({ work }) => work));
  }

  get serving(): readonly Serving[] {
    return [...this.#serving].map(([lease, { since }]) => ({ lease, since }));
  }

  /** Ends what runs of a sweep that nobody wants any more. */
  cancel(sweep: string): void {
    for (const [lease, { unwanted }] of this.#serving) if (lease.sweep === sweep) unwanted.abort();
  }

  /** Leaves at once; what ran is given back, uncharged. */
  stop(): void {
    this.#draining = true;
    this.#options.pool.stop();
  }

  #leave(lease: Lease): void {
    this.#serving.get(lease)?.unwanted.abort(LOST);
  }

  /** One job after the other, while there is no reason to wait. */
  async #loop(next: () => Promise<Lease | null>, wait: () => boolean, checks: 0 | 1 = 0): Promise<void> {
    const { bus } = this.#options;
    while (!this.#draining && !bus.closed) {
      if (wait()) {
        await this.#clock.sleep(HELD_MS);
        continue;
      }
      const lease = await next();
      if (!lease) continue;
      if (this.#draining || this.held) {
        await lease.release('nothing more is taken here');
        continue;
      }
      const unwanted = new AbortController();
      const work = this.#serve(lease, unwanted.signal);
      this.#serving.set(lease, { work, since: this.#clock.now(), unwanted });
      this.#checking += checks;
      try {
        await work;
      } catch (error) {
        if (!(error instanceof TransportError || error instanceof ContentError)) {
          this.#draining = true;
          throw error;
        }
        this.#warn(error.message);
        await this.#clock.sleep(AGAIN_MS);
      } finally {
        this.#checking -= checks;
        this.#serving.delete(lease);
        this.#lost.delete(lease);
      }
    }
  }

  async #serve(lease: Lease, unwanted: AbortSignal): Promise<void> {
    const { bus } = this.#options;
    const extend = async (): Promise<void> => {
      if (await lease.extend()) return;
      this.#lost.add(lease);
      if (this.#draining) this.#leave(lease);
    };
    const stop = this.#clock.every(bus.leaseMs / 4, () => void extend().catch(() => {}));
    try {
      const { row, provenance } = await this.#compute(lease, unwanted);
      const result = { kind: lease.job.kind, row, provenance } as JobResult;
      this.tally[row.ok ? 'done' : 'failed']++;
      if ((await untilLost(lease.complete(result), unwanted)) === 'conflict') {
        this.#warn(`determinism alarm: ${lease.job.kind} ${lease.job.id} was computed twice, with different rows`);
      }
    } catch (error) {
      // Nobody else would find what the bus has lost, and a job that is given back goes before all others.
      if (error instanceof ContentError && !error.forged) await lease.drop();
      else await lease.release(error instanceof Error ? error.message : String(error));
      if (!(error instanceof AbortedError)) throw error;
    } finally {
      stop();
    }
  }

  async #compute(lease: Lease, signal: AbortSignal): Promise<{ row: BaseRow | TrialRow; provenance: Provenance }> {
    const { numerics, name } = this.#options;
    const { job } = lease;
    const made = lease.attempt >= POISON ? poisoned(lease) : await this.#run(lease, signal);
    const finished = bounded(job, made, this.#options.bus.files.mostBytes);
    await this.#store(finished);
    return {
      row: finished.row,
      provenance: {
        id: job.id,
        kind: job.kind,
        ok: finished.row.ok,
        attempt: lease.attempt,
        ...(name !== undefined && { worker: name }),
        host: HOST,
        cpu: PROCESSOR,
        numerics,
        ...(job.kind === 'trial' && { basePolicy: job.base.result.policy }),
        ...finished.facts,
        ...(finished.facts.stack !== undefined && { stack: cutStack(finished.facts.stack) }),
      },
    };
  }

  async #run({ job, attempt }: Lease, signal: AbortSignal): Promise<Finished> {
    const { bus, pool } = this.#options;
    const policy = job.kind === 'trial' ? await bus.files.get('policies', job.base.result.policy) : null;
    return pool.run(job, policy, { signal, alone: attempt >= SUSPECT });
  }

  /** Files go first: a row that is on its way speaks of nothing that is not there. */
  async #store({ row, files }: Finished): Promise<void> {
    const expected = new Set(filesOf(row).map(([kind, digest]) => `${kind}/${digest}`));
    for (const [kind, bytes] of files) expected.delete(`${kind}/${await this.#options.bus.files.put(kind, bytes)}`);
    if (expected.size > 0) throw new Error(`${nameOf(row)}: expected the file ${[...expected].join(' and ')}, the job made another`);
  }

  #warn(message: string): void {
    this.#options.warn?.(message);
  }
}

const LOST = 'the lease of it is lost';

/** A broker that is away may take ten minutes to be given up: who leaves does not wait for it with a job that is another's. */
function untilLost<T>(work: Promise<T>, unwanted: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const leave = (): void => {
      if (unwanted.reason === LOST) reject(new AbortedError(LOST));
    };
    unwanted.addEventListener('abort', leave);
    leave();
    work.then(resolve, reject).finally(() => unwanted.removeEventListener('abort', leave));
  });
}

/** It took its workers down, or every one of them lost it: its row says so, and the next run tries it again. */
const poisoned = ({ job, attempt }: Lease): Finished => ({
  row: failureRow(job, { kind: 'crashed', message: `handed out ${attempt - 1} times, and never finished` }),
  files: [],
  facts: { node: process.version, engine: '', startedAt: new Date().toISOString(), wallMs: 0, phasesMs: {} },
});

/** A file that the bus does not take is a limit that the job meets here: elsewhere there may be none. */
function bounded(job: Job, finished: Finished, most = Number.POSITIVE_INFINITY): Finished {
  const [kind, bytes] = finished.files.find(([, content]) => content.length > most) ?? [];
  if (bytes === undefined) return finished;
  const message = `${kind}: expected at most ${most} bytes, which is what goes through a broker, got ${bytes.length}; run it without one`;
  return { ...finished, row: failureRow(job, { kind: 'limit', message }), files: [] };
}

const nameOf = (row: Row): string => ('base' in row ? `trial ${row.id}` : `base ${row.id}`);
