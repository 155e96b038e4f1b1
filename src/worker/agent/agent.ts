import { cpus, hostname } from 'node:os';
import type { AgentBus, Lease } from '../../bus/bus.ts';
import { type Clock, systemClock } from '../../bus/clock.ts';
import { AbortedError, TransportError } from '../../contract/errors.ts';
import { shortId } from '../../contract/ids.ts';
import { filesOf, type JobResult, type Row } from '../../contract/job.ts';
import type { BaseRow, Provenance, TrialRow } from '../../contract/rows.ts';
import type { ExecutorPool } from '../executor/pool.ts';
import type { Finished } from '../executor/protocol.ts';

export interface AgentOptions {
  readonly bus: AgentBus;
  readonly pool: ExecutorPool;
  /** Digest of the code behind the rows; goes into provenance. */
  readonly numerics: string;
  readonly warn?: (message: string) => void;
  readonly clock?: Clock;
}

/** How long one `next` waits; bounds how long an idle agent takes to notice that it drains. */
const NEXT_MS = 5_000;
/** After the network failed. */
const AGAIN_MS = 1_000;

/** Takes jobs from the bus, one per free slot, has them computed, and gives back rows. Holds leases and no other state. */
export class Agent {
  readonly #options: AgentOptions;
  readonly #clock: Clock;
  /** The host's name is nobody's business: tables need to know only whether two rows share one. */
  readonly #host = shortId(hostname()).slice(0, 8);
  readonly #cpu = cpus()[0]?.model ?? 'unknown';
  readonly #serving = new Set<Promise<void>>();
  #draining = false;

  constructor(options: AgentOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /**
   * Works until `drain`, `stop` or the end of the bus. What the network prevents is given back and tried again. Rejects at once for
   * what no other job would survive either: an executor that does not start, files that cannot be read or stored.
   */
  async run(): Promise<void> {
    await Promise.all(Array.from({ length: this.#options.pool.slots }, () => this.#slot()));
  }

  /** Takes nothing more, and resolves when what runs is finished. */
  async drain(): Promise<void> {
    this.#draining = true;
    await Promise.allSettled(this.#serving);
  }

  /** Leaves at once; what ran is given back, uncharged. */
  stop(): void {
    this.#draining = true;
    this.#options.pool.stop();
  }

  async #slot(): Promise<void> {
    const { bus } = this.#options;
    while (!this.#draining && !bus.closed) {
      const lease = await bus.next(NEXT_MS);
      if (!lease) continue;
      if (this.#draining) return lease.release('draining');
      const work = this.#serve(lease);
      this.#serving.add(work);
      try {
        await work;
      } catch (error) {
        if (!(error instanceof TransportError)) {
          this.#draining = true;
          throw error;
        }
        this.#warn(error.message);
        await this.#clock.sleep(AGAIN_MS);
      } finally {
        this.#serving.delete(work);
      }
    }
  }

  async #serve(lease: Lease): Promise<void> {
    const { bus } = this.#options;
    const stop = this.#clock.every(bus.leaseMs / 4, () => void lease.extend().catch(() => {}));
    try {
      const { row, provenance } = await this.#compute(lease);
      const result = { kind: lease.job.kind, row, provenance } as JobResult;
      if ((await lease.complete(result)) === 'conflict') {
        this.#warn(`determinism alarm: ${lease.job.kind} ${lease.job.id} was computed twice, with different rows`);
      }
    } catch (error) {
      await lease.release(error instanceof Error ? error.message : String(error));
      if (!(error instanceof AbortedError)) throw error;
    } finally {
      stop();
    }
  }

  async #compute(lease: Lease): Promise<{ row: BaseRow | TrialRow; provenance: Provenance }> {
    const { bus, pool, numerics } = this.#options;
    const { job } = lease;
    const policy = job.kind === 'trial' ? await bus.files.get('policies', job.base.result.policy) : null;
    const finished = await pool.run(job, policy);
    await this.#store(finished);
    return {
      row: finished.row,
      provenance: {
        id: job.id,
        kind: job.kind,
        ok: finished.row.ok,
        attempt: lease.attempt,
        host: this.#host,
        cpu: this.#cpu,
        numerics,
        ...finished.facts,
      },
    };
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

const nameOf = (row: Row): string => ('base' in row ? `trial ${row.id}` : `base ${row.id}`);
