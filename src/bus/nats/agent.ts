import type { Consumer, JsMsg } from '@nats-io/jetstream';
import { millis } from '@nats-io/transport-node';
import { identityOf } from '../../contract/cards.ts';
import { canonicalJson } from '../../contract/ids.ts';
import { contradicts, type Job, type JobResult } from '../../contract/job.ts';
import { parseJob } from '../../contract/messages.ts';
import type { AgentBus, Completion, Files, Lease } from '../bus.ts';
import { NatsFiles } from './files.ts';
import { CODE, codeOf, forbidden, type NatsLink } from './link.ts';
import { CHECKS, COORDINATOR, consumerOf, expectName, type Place, placeOf, RESULTS, resultSubject, TASKS } from './streams.ts';

/** The client refuses shorter ones. */
const LEAST_WAIT_MS = 1_000;
const AGAIN_MS = 500;
const ACK_MS = 2_000;
/** Of a lease, when its job arrives: the server counts from when it sent it. */
const BEGUN = 0.9;

/** No coordinator has made a consumer for our checks: most make none. */
const NO_CHECKS_MS = 5_000;

/** Where jobs come from. */
interface Source {
  readonly stream: string;
  readonly name: string;
  /** How soon it is looked for again where it is not there. */
  readonly againMs: number;
  consumer: Promise<Consumer> | null;
}

/** An agent's view of the broker. Streams and consumer are the coordinator's to make: until it has, and whenever they are away, nothing comes. */
export class NatsAgentBus implements AgentBus {
  readonly files: Files;
  readonly #link: NatsLink;
  readonly #cap: string;
  /** What ends those that wait. */
  readonly #pulls = new Set<() => void>();
  #over = false;
  readonly #jobs: Source;
  readonly #checks: Source;
  #leaseMs = 30_000;

  constructor(link: NatsLink, { cap }: { readonly cap: string }) {
    this.#link = link;
    this.#cap = expectName('capability', cap);
    const own = expectName('worker', identityOf(link.name));
    this.#jobs = { stream: TASKS, name: consumerOf(cap), againMs: AGAIN_MS, consumer: null };
    this.#checks = { stream: CHECKS, name: own, againMs: NO_CHECKS_MS, consumer: null };
    this.files = new NatsFiles(link, { own: expectName('worker', link.name), from: COORDINATOR });
  }

  /** What the consumer says, once it was seen. */
  get leaseMs(): number {
    return this.#leaseMs;
  }

  get closed(): boolean {
    return this.#over || this.#link.closed;
  }

  /** Waits at least a second. */
  next(waitMs: number): Promise<Lease | null> {
    return this.#next(this.#jobs, waitMs);
  }

  /** Waits at least a second, and longer while there is nothing to check. */
  nextCheck(waitMs: number): Promise<Lease | null> {
    return this.#next(this.#checks, waitMs);
  }

  async #next(source: Source, waitMs: number): Promise<Lease | null> {
    for (const end = this.#link.clock.now() + waitMs; !this.closed; ) {
      const message = await this.#pull(source, Math.max(LEAST_WAIT_MS, end - this.#link.clock.now()));
      const lease = message && this.#open(message);
      if (lease) return lease;
      if (this.#link.clock.now() >= end) return null;
    }
    return null;
  }

  /** Ends every `next` at once. Leases stay what they are. */
  async close(): Promise<void> {
    this.#over = true;
    for (const end of this.#pulls) end();
  }

  /** Null when nothing came, and when the broker or its consumer is away. */
  async #pull(source: Source, expires: number): Promise<JsMsg | null> {
    try {
      const consumer = await this.#untilEnd(this.#found(source));
      if (consumer === null) return null;
      const pull = consumer.next({ expires });
      const message = await this.#untilEnd(pull);
      if (message === null && this.#over) pull.then((late) => late?.nak()).catch(() => {}); // a pull cannot be taken back
      return message;
    } catch (error) {
      const refused = forbidden('jobs', error);
      if (refused !== null && source === this.#jobs) throw refused;
      source.consumer = null;
      await this.#untilEnd(this.#link.clock.sleep(Math.min(source.againMs, expires)));
      return null;
    }
  }

  /** Null when the end came first. No `Promise.race` with the end: that would keep every message for as long as the end has not come. */
  #untilEnd<T>(work: Promise<T>): Promise<T | null> {
    return new Promise((resolve, reject) => {
      const end = (): void => resolve(null);
      this.#pulls.add(end);
      work.then(resolve, reject).finally(() => this.#pulls.delete(end));
    });
  }

  async #found(source: Source): Promise<Consumer> {
    source.consumer ??= this.#link.js.consumers.get(source.stream, source.name).then(async (consumer) => {
      this.#leaseMs = millis((await consumer.info(true)).config.ack_wait ?? 0) || this.#leaseMs;
      return consumer;
    });
    return source.consumer;
  }

  /** Null for what is no job: it must not come again, here or elsewhere. */
  #open(message: JsMsg): Lease | null {
    try {
      const place = placeOf(message.subject);
      const job = parseJob(message.string());
      if (place?.id !== job.id) throw new Error(`id: expected the subject's, got ${job.id}`);
      if (place.cap !== this.#cap) throw new Error(`code: expected jobs for ${this.#cap}, got one for ${place.cap}`); // two builds under one key
      return new NatsLease(this.#link, { message, job, place, leaseMs: this.#leaseMs });
    } catch (error) {
      this.#link.warn(`${message.subject}: dropped what is no job (${error instanceof Error ? error.message : String(error)})`);
      message.term();
      return null;
    }
  }
}

interface Leased {
  readonly message: JsMsg;
  readonly job: Job;
  readonly place: Place;
  readonly leaseMs: number;
}

/**
 * The server accepts what a former holder says, and acts on it: its `nak` would hand out a third time what the second is computing.
 * So the holder keeps the time itself: what was not confirmed within `leaseMs` is lost, and then all that is said is the result.
 */
class NatsLease implements Lease {
  readonly job: Job;
  readonly sweep: string;
  readonly attempt: number;
  readonly #link: NatsLink;
  readonly #leased: Leased;
  #until: number;
  #over = false;

  constructor(link: NatsLink, leased: Leased) {
    this.#link = link;
    this.#leased = leased;
    this.job = leased.job;
    this.sweep = leased.place.sweep;
    this.attempt = leased.message.info.deliveryCount;
    this.#until = link.clock.now() + BEGUN * leased.leaseMs;
  }

  get #ours(): boolean {
    this.#over ||= this.#link.clock.now() >= this.#until;
    return !this.#over;
  }

  async extend(): Promise<boolean> {
    if (!this.#ours) return false;
    const sent = this.#link.clock.now();
    try {
      await this.#tell('+WPI', this.#until - sent);
      if (this.#ours) this.#until = sent + this.#leased.leaseMs;
    } catch {
      // Ours for as long as was confirmed.
    }
    return this.#ours;
  }

  async complete(result: JobResult): Promise<Completion> {
    const text = canonicalJson(result);
    const completion = await this.#link.retry(`result of ${this.job.kind} ${this.job.id}`, () => this.#publish(result, text));
    this.#over = true;
    // If this gets lost the job comes again, and its result is refused as one that exists.
    await this.#leased.message.ackAck({ timeout: ACK_MS }).catch(() => {});
    return completion;
  }

  release(): Promise<void> {
    return this.#leave('-NAK');
  }

  drop(): Promise<void> {
    return this.#leave('+TERM');
  }

  async #leave(how: '-NAK' | '+TERM'): Promise<void> {
    if (!this.#ours) return;
    this.#over = true;
    await this.#tell(how, ACK_MS).catch(() => {}); // if this gets lost the lease runs out
  }

  /** `working()`, `nak()` and `term()`, with an answer: what the server has seen counts, not what we have said. */
  async #tell(what: '+WPI' | '-NAK' | '+TERM', timeoutMs: number): Promise<void> {
    await this.#link.nc.request(replyOf(this.#leased.message), what, { timeout: Math.max(1, timeoutMs) });
  }

  async #publish(result: JobResult, text: string): Promise<Completion> {
    const { js, jsm, name } = this.#link;
    const subject = resultSubject(this.#leased.place, this.job.id, name);
    try {
      await js.publish(subject, text, { expect: { streamName: RESULTS, lastSubjectSequence: 0 } });
      return 'stored';
    } catch (error) {
      if (codeOf(error) !== CODE.wrongLastSequence) throw error;
    }
    const there = await jsm.direct.getMessage(RESULTS, { last_by_subj: subject });
    if (there === null) return 'exists'; // and the coordinator has it
    const { row } = JSON.parse(there.string()) as JobResult;
    return contradicts(row, result.row) ? 'conflict' : 'exists';
  }
}

/** Where acknowledgements go: the client's type keeps it to itself. */
const replyOf = (message: JsMsg): string => (message as unknown as { readonly reply: string }).reply;
