import type { Seen, SweepCard, Wish, WorkerCard } from '../contract/cards.ts';
import type { FileKind, Job, JobResult } from '../contract/job.ts';

/**
 * What coordinator and agents say to each other. Two implementations: in one process (local.ts) and over JetStream (nats/).
 * The bus is a cache of work, never the record: it may forget everything at any time, and the coordinator fills it again.
 */

/** Bytes under the SHA-256 of their content. */
export interface Files {
  /** No larger file is taken; absent where there is no such limit. */
  readonly mostBytes?: number;
  /** Returns the digest. Idempotent. Over a broker it is the coordinator whose files agents get, and a delivery has the sender's. */
  put(kind: FileKind, bytes: Uint8Array): Promise<string>;
  /** Throws ContentError when it is not there, or is not what its name says. */
  get(kind: FileKind, digest: string): Promise<Uint8Array>;
  has(kind: FileKind, digest: string): Promise<boolean>;
}

/** A finished job on its way to the coordinator, which acknowledges it once the row is on disk; before that it may come again. */
export interface Delivery {
  readonly result: JobResult;
  /** Whose it is: the name of the key that let its sender in, not what it says of itself. Null in one process. */
  readonly from: string | null;
  /** What the sender put; throws as `Files.get` does. */
  file(kind: FileKind, digest: string): Promise<Uint8Array>;
  ack(): Promise<void>;
}

/** What came where a result should be, and is none. It is taken off the bus; its job will be missed. */
export interface Malformed {
  /** As in a `Delivery`. */
  readonly from: string | null;
  /** What was wrong with it. */
  readonly malformed: string;
}

/** `exists`: somebody was first, with the same row. `conflict`: with another row, so the same spec gave other bytes. */
export type Completion = 'stored' | 'exists' | 'conflict';

/** A job that is ours for `leaseMs`, and for so long again after every `extend`. */
export interface Lease {
  readonly job: Job;
  /** Key of the sweep that wants it; empty on a bus that has only one. */
  readonly sweep: string;
  /** How often the job was handed out, this time included. Counted by the bus: it forgets with it. */
  readonly attempt: number;
  /** False when the lease was lost: the job may be running elsewhere, and all that is left to say is `complete`. */
  extend(): Promise<boolean>;
  /** The first writer wins. The files that the row speaks of must have been put before. */
  complete(result: JobResult): Promise<Completion>;
  /** Gives the job back, to be handed out at once. Does nothing when the lease was lost. */
  release(reason: string): Promise<void>;
  /** Takes the job off the bus, which has lost what it needs: the coordinator misses it, and gives all of it anew. Nothing when the lease was lost. */
  drop(): Promise<void>;
}

export interface CoordinatorBus {
  readonly files: Files;
  /** False when a job of that id is there already: waiting, leased, or finished and not yet acknowledged. With `who`: for agents of that identity alone. */
  enqueue(job: Job, who?: string): Promise<boolean>;
  /** Ids of the jobs that are there, for anybody or for somebody. What was enqueued, has no row and is not among them was lost. */
  queued(): Promise<ReadonlySet<string>>;
  /** Takes jobs off the bus that nobody has finished. Whoever runs one already may go on; its result counts. */
  withdraw(ids: readonly string[]): Promise<void>;
  /** Results of these do not count as being there, until it is said anew. They are delivered all the same. */
  distrust(held: ReadonlySet<string>): void;
  /** Every result that was not acknowledged, then those that come, until `close`. One reader at a time. */
  results(): AsyncIterable<Delivery | Malformed>;
  /** Ends `results` once what is finished was delivered, and every `next`. */
  close(): Promise<void>;
}

export interface AgentBus {
  readonly files: Files;
  readonly leaseMs: number;
  /** Nothing will come any more: `next` gives null without waiting. */
  readonly closed: boolean;
  /** One job for one free slot, or null after `waitMs` or when the bus was closed. Nothing is fetched ahead. */
  next(waitMs: number): Promise<Lease | null>;
  /** The same of jobs that are for agents of our identity alone: others have done them before. Absent on a bus that has none. */
  nextCheck?(waitMs: number): Promise<Lease | null>;
}

/** Whose wish it is: of a worker by its id, of all workers of an identity, of a sweep by its key under the capability that it asks for. */
export type Wished = { readonly worker: string } | { readonly identity: string } | { readonly sweep: string; readonly cap: string };

/**
 * Who is there, and what is wanted of them. For people, shares and manners, never a record: cards vanish some time after their owner
 * stops renewing them, and everything goes on without them.
 */
export interface Roll {
  showWorker(card: WorkerCard): Promise<void>;
  hideWorker(id: string): Promise<void>;
  workers(): Promise<readonly Seen<WorkerCard>[]>;
  /** Shows a sweep that nobody runs, or that we run; otherwise returns the card of who does. */
  claimSweep(card: SweepCard): Promise<SweepCard | null>;
  showSweep(card: SweepCard): Promise<void>;
  hideSweep(card: SweepCard): Promise<void>;
  sweeps(): Promise<readonly SweepCard[]>;
  /** What was wanted last; null when nothing ever was. */
  wish(of: Wished): Promise<Wish | null>;
  /** Identities that are to be held: not one by one, but all workers that have it. */
  held(): Promise<ReadonlySet<string>>;
  /** Stays until something else is wanted. Those whom it concerns hear of it at once if they listen, and within seconds if they do not. */
  want(of: Wished, wish: Wish): Promise<void>;
  /** Calls when somebody wants something. Returns how to stop. */
  onWish(heard: () => void): () => void;
}
