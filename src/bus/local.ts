import { contradicts, type Job, type JobResult } from '../contract/job.ts';
import type { AgentBus, Completion, CoordinatorBus, Delivery, Files, Lease } from './bus.ts';

interface Entry {
  readonly job: Job;
  attempt: number;
  /** Counts leases: an older one than this is lost. */
  holder: number;
  state: 'waiting' | 'leased' | 'finished';
  result: JobResult | null;
  delivered: boolean;
  expiry: NodeJS.Timeout | null;
}

/** The bus of one process. First come, first served; what it holds is bounded by what the coordinator enqueues. */
export class LocalBus implements CoordinatorBus, AgentBus {
  readonly files: Files;
  readonly leaseMs: number;
  readonly #entries = new Map<string, Entry>();
  readonly #waiting: Entry[] = [];
  #pulls: ((entry: Entry | null) => void)[] = [];
  #arrived: (() => void) | null = null;
  #closed = false;

  constructor(files: Files, options: { leaseMs?: number } = {}) {
    this.files = files;
    this.leaseMs = options.leaseMs ?? 30_000;
  }

  get closed(): boolean {
    return this.#closed;
  }

  async enqueue(job: Job): Promise<boolean> {
    if (this.#closed || this.#entries.has(job.id)) return false;
    const entry: Entry = { job, attempt: 0, holder: 0, state: 'waiting', result: null, delivered: false, expiry: null };
    this.#entries.set(job.id, entry);
    this.#offer(entry, 'last');
    return true;
  }

  async queued(): Promise<ReadonlySet<string>> {
    return new Set(this.#entries.keys());
  }

  async withdraw(ids: readonly string[]): Promise<void> {
    for (const id of ids) {
      const at = this.#waiting.findIndex((entry) => entry.job.id === id);
      if (at < 0) continue;
      this.#waiting.splice(at, 1);
      this.#entries.delete(id);
    }
  }

  distrust(_held: ReadonlySet<string>): void {} // its agents are ours

  async *results(): AsyncGenerator<Delivery> {
    for (const entry of this.#entries.values()) entry.delivered = false;
    for (;;) {
      const entry = this.#undelivered();
      if (entry?.result) {
        entry.delivered = true;
        yield {
          result: entry.result,
          from: null,
          file: (kind, digest) => this.files.get(kind, digest),
          ack: async () => void this.#entries.delete(entry.job.id),
        };
      } else if (this.#closed) {
        return;
      } else {
        await new Promise<void>((resolve) => {
          this.#arrived = resolve;
        });
      }
    }
  }

  async next(waitMs: number): Promise<Lease | null> {
    const entry = this.#closed ? null : (this.#waiting.shift() ?? (await this.#pull(waitMs)));
    // While it was on its way here, a former holder may have finished it after all.
    return entry?.state === 'waiting' ? this.#lease(entry) : null;
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const entry of this.#entries.values()) if (entry.expiry) clearTimeout(entry.expiry);
    for (const pull of this.#pulls.splice(0)) pull(null);
    this.#arrived?.();
  }

  #undelivered(): Entry | undefined {
    for (const entry of this.#entries.values()) if (entry.state === 'finished' && !entry.delivered) return entry;
    return undefined;
  }

  #pull(waitMs: number): Promise<Entry | null> {
    return new Promise((resolve) => {
      const pull = (entry: Entry | null): void => {
        clearTimeout(timer);
        resolve(entry);
      };
      const timer = setTimeout(() => {
        this.#pulls = this.#pulls.filter((p) => p !== pull);
        resolve(null);
      }, waitMs);
      this.#pulls.push(pull);
    });
  }

  #offer(entry: Entry, where: 'first' | 'last'): void {
    entry.state = 'waiting';
    const pull = this.#pulls.shift();
    if (pull) pull(entry);
    else if (where === 'first') this.#waiting.unshift(entry);
    else this.#waiting.push(entry);
  }

  #lease(entry: Entry): Lease {
    entry.state = 'leased';
    entry.attempt++;
    const holder = ++entry.holder;
    const ours = (): boolean => entry.state === 'leased' && entry.holder === holder && this.#entries.get(entry.job.id) === entry;
    const arm = (): void => {
      if (entry.expiry) clearTimeout(entry.expiry);
      entry.expiry = setTimeout(() => ours() && this.#offer(entry, 'first'), this.leaseMs);
      entry.expiry.unref();
    };
    arm();
    return {
      job: entry.job,
      sweep: '',
      attempt: entry.attempt,
      extend: async () => {
        if (ours()) arm();
        return ours();
      },
      complete: async (result) => this.#complete(entry, result),
      release: async () => {
        if (!ours()) return;
        if (entry.expiry) clearTimeout(entry.expiry);
        this.#offer(entry, 'first');
      },
      drop: async () => {
        if (!ours()) return;
        if (entry.expiry) clearTimeout(entry.expiry);
        this.#entries.delete(entry.job.id);
      },
    };
  }

  /** A finished job whose lease was lost counts all the same: its row is as good as any other. */
  #complete(entry: Entry, result: JobResult): Completion {
    const there = this.#entries.get(entry.job.id);
    if (there !== entry) return 'exists';
    if (entry.result) return contradicts(entry.result.row, result.row) ? 'conflict' : 'exists';
    if (entry.expiry) clearTimeout(entry.expiry);
    const at = this.#waiting.indexOf(entry);
    if (at >= 0) this.#waiting.splice(at, 1);
    entry.state = 'finished';
    entry.result = result;
    this.#arrived?.();
    return 'stored';
  }
}
