import { type ConsumerConfig, JetStreamApiError, type StreamConfig } from '@nats-io/jetstream';
import type { Stop } from '../../src/bus/clock.ts';
import { FILES, TASKS } from '../../src/bus/nats/streams.ts';
import type { Process, World } from './world.ts';

/** What JetStream does with the calls that our buses make, as it was seen to behave (2.10 to 2.15): state and rules, no network. */

export interface Stored {
  readonly seq: number;
  readonly subject: string;
  readonly data: string;
  readonly at: number;
}

interface Stream {
  readonly config: Partial<StreamConfig>;
  readonly created: string;
  last: number;
  /** By sequence number, in order. */
  readonly messages: Map<number, Stored>;
  readonly consumers: Map<string, Consumer>;
}

interface Pull {
  readonly by: Process;
  readonly until: number;
  readonly give: (message: Delivered) => void;
}

interface Leased {
  readonly count: number;
  stop: Stop;
}

interface Consumer {
  readonly name: string;
  readonly prefix: string;
  readonly leaseMs: number;
  /** The next sequence number that was never delivered. */
  next: number;
  delivered: number;
  readonly counts: Map<number, number>;
  readonly pending: Map<number, Leased>;
  readonly again: number[];
  pulls: Pull[];
  /** Gives out nothing new until it is made anew. */
  stuck: boolean;
}

export interface Delivered extends Stored {
  readonly count: number;
  readonly reply: string;
}

const apiError = (err_code: number, description: string): Error => new JetStreamApiError({ code: 400, err_code, description });
const noResponders = (): Error => new Error('no responders');
/** Of virtual time. */
export const dateOf = (ms: number): Date => new Date(ms);
const prefixOf = (subject: string): string => subject.replace(/[*>]$/, '');
/** One `*` for a whole token anywhere, one `>` or `*` for the rest at the end. */
function matches(subject: string, filter: string): boolean {
  const [before = '', after] = filter.split('.*.', 2);
  if (after === undefined) return /[*>]$/.test(filter) ? subject.startsWith(prefixOf(filter)) : subject === filter;
  if (!subject.startsWith(`${before}.`)) return false;
  return matches(subject.slice(subject.indexOf('.', before.length + 1) + 1), after);
}

export class Broker {
  up = true;
  /** No space for anything new. */
  full = false;
  readonly #world: World;
  readonly #streams = new Map<string, Stream>();
  #files = new Map<string, Uint8Array>();
  readonly #listeners = new Set<{ readonly by: Process; readonly filter: string; readonly hear: () => void }>();
  /** What was acknowledged last, for servers that forget it in a crash. */
  #acked: { readonly at: number; readonly stream: Stream; readonly message: Stored }[] = [];

  constructor(world: World) {
    this.#world = world;
  }

  // What a test wants to know.

  messages(name: string): Stored[] {
    return [...(this.#streams.get(name)?.messages.values() ?? [])];
  }

  get leased(): number {
    let sum = 0;
    for (const { consumers } of this.#streams.values()) for (const { pending } of consumers.values()) sum += pending.size;
    return sum;
  }

  // Streams.

  addStream(config: Partial<StreamConfig> & { readonly name: string }): void {
    if (this.#streams.has(config.name)) return;
    this.#streams.set(config.name, {
      config,
      created: dateOf(this.#world.now).toISOString(),
      last: 0,
      messages: new Map(),
      consumers: new Map(),
    });
  }

  streamInfo(name: string, filter?: string): object {
    const { config, created, messages } = this.#stream(name);
    const subjects: Record<string, number> = {};
    for (const { subject } of messages.values()) if (filter !== undefined && matches(subject, filter)) subjects[subject] = 1;
    return { config, created, state: { messages: messages.size, subjects } };
  }

  purge(name: string, subject: string): void {
    const { messages } = this.#stream(name);
    if (name === FILES) for (const its of this.#files.keys()) if (matches(its, subject)) this.#files.delete(its);
    for (const { seq, subject: its } of messages.values()) if (matches(its, subject)) messages.delete(seq);
  }

  deleteMessage(name: string, seq: number): void {
    if (!this.#stream(name).messages.delete(seq)) throw apiError(10043, 'no message found');
  }

  publish(name: string, subject: string, data: string, lastSubjectSequence?: number): number {
    for (const { by, filter, hear } of this.#listeners) if (by.alive && matches(subject, filter)) hear();
    const stream = this.#streams.get(name);
    if (!stream) throw noResponders();
    const there = [...stream.messages.values()].filter((message) => message.subject === subject);
    if (lastSubjectSequence !== undefined && (there.at(-1)?.seq ?? 0) !== lastSubjectSequence)
      throw apiError(10071, `wrong last sequence: ${there.at(-1)?.seq}`);
    if (this.full) throw apiError(10077, 'no space left on device');
    if (stream.config.discard_new_per_subject && there.length >= (stream.config.max_msgs_per_subject ?? 1))
      throw apiError(10077, 'maximum messages per subject exceeded');
    const seq = ++stream.last;
    stream.messages.set(seq, { seq, subject, data, at: this.#world.now });
    for (const consumer of stream.consumers.values()) this.#offer(stream, consumer);
    return seq;
  }

  lastBySubject(name: string, subject: string): Stored | null {
    return this.messagesOf(name).findLast((message) => message.subject === subject) ?? null;
  }

  nextBySubject(name: string, filter: string, from: number): Stored | null {
    return this.messagesOf(name).find((message) => message.seq >= from && matches(message.subject, filter)) ?? null;
  }

  listen(by: Process, filter: string, hear: () => void): Stop {
    const listener = { by, filter, hear };
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  // Consumers.

  addConsumer(name: string, config: Partial<ConsumerConfig>): void {
    const stream = this.#stream(name);
    const { durable_name = '', filter_subject = '', ack_wait = 0 } = config;
    if (stream.consumers.has(durable_name)) return;
    stream.consumers.set(durable_name, {
      name: durable_name,
      prefix: prefixOf(filter_subject),
      leaseMs: ack_wait / 1e6,
      next: 1,
      delivered: 0,
      counts: new Map(),
      pending: new Map(),
      again: [],
      pulls: [],
      stuck: false,
    });
  }

  deleteConsumer(name: string, consumer: string): void {
    for (const { stop } of this.#consumer(name, consumer).pending.values()) stop();
    this.#stream(name).consumers.delete(consumer);
  }

  consumerInfo(name: string, consumerName: string): object {
    const stream = this.#stream(name);
    const consumer = this.#consumer(name, consumerName);
    const waiting = [...stream.messages.values()].filter(({ seq, subject }) => seq >= consumer.next && subject.startsWith(consumer.prefix));
    return {
      config: { ack_wait: consumer.leaseMs * 1e6 },
      num_pending: waiting.length,
      num_waiting: this.#pulls(consumer).length,
      num_ack_pending: consumer.pending.size,
      delivered: { consumer_seq: consumer.delivered },
    };
  }

  pull(name: string, consumerName: string, pull: Pull): void {
    const consumer = this.#consumer(name, consumerName);
    consumer.pulls.push(pull);
    this.#offer(this.#stream(name), consumer);
  }

  /** Where nobody checks who speaks: the word of a former holder counts like that of the present one. */
  tell(reply: string, what: '+ACK' | '-NAK' | '+WPI' | '+TERM'): void {
    const [, , streamName = '', consumerName = '', , number = ''] = reply.split('.');
    const stream = this.#streams.get(streamName);
    const consumer = stream?.consumers.get(consumerName);
    if (!stream || !consumer) throw noResponders();
    const seq = Number(number);
    if (seq >= consumer.next) return; // this consumer never gave it out
    const leased = consumer.pending.get(seq);
    if (what === '+WPI') {
      if (leased) this.#lease(stream, consumer, seq, leased.count, leased);
    } else if (what === '-NAK') {
      if (leased) this.#redeliver(stream, consumer, seq);
    } else {
      leased?.stop();
      consumer.pending.delete(seq);
      const message = stream.messages.get(seq);
      if (message) this.#acked.push({ at: this.#world.now, stream, message });
      stream.messages.delete(seq);
    }
  }

  /** Somebody says that a job is done that is not, whoever has it: every worker may say so of any. */
  dropJob(subject: string): void {
    const messages = this.#streams.get(TASKS)?.messages;
    for (const { seq, subject: its } of messages?.values() ?? []) if (its === subject) messages?.delete(seq);
  }

  // Files: a stream like the others, but of bytes.

  file(subject: string): { readonly data: Uint8Array } | null {
    this.#stream(FILES);
    const data = this.#files.get(subject);
    return data ? { data } : null;
  }

  putFile(subject: string, data: Uint8Array): void {
    if (!this.#streams.has(FILES)) throw noResponders();
    if (this.full) throw apiError(10077, 'no space left on device');
    if (this.#files.has(subject)) throw apiError(10071, 'wrong last sequence');
    this.#files.set(subject, data);
  }

  // What befalls it.

  /** Its consumers give out nothing new, or do so again. */
  stick(stuck: boolean): void {
    for (const stream of this.#streams.values())
      for (const consumer of stream.consumers.values()) {
        consumer.stuck = stuck;
        this.#offer(stream, consumer);
      }
  }

  crash(): void {
    this.up = false;
    for (const { consumers } of this.#streams.values()) for (const consumer of consumers.values()) consumer.pulls = [];
  }

  wipe(): void {
    for (const { consumers } of this.#streams.values())
      for (const { pending } of consumers.values()) for (const { stop } of pending.values()) stop();
    this.#streams.clear();
    this.#files = new Map();
    this.#acked = [];
  }

  /** `forgetful`: some of the leases, and what was acknowledged in its last second, as 2.9 did. */
  restart(forgetful: boolean): void {
    this.up = true;
    for (const stream of this.#streams.values()) {
      if (forgetful && stream.config.retention === 'workqueue') {
        for (const { at, stream: its, message } of this.#acked)
          if (
            its === stream &&
            at > this.#world.now - 2_000 &&
            !stream.messages.has(message.seq) &&
            !this.#occupied(stream, message.subject)
          )
            stream.messages.set(message.seq, message);
        const inOrder = [...stream.messages].sort(([a], [b]) => a - b);
        stream.messages.clear();
        for (const [seq, message] of inOrder) stream.messages.set(seq, message);
      }
      for (const consumer of stream.consumers.values()) {
        for (const seq of [...consumer.pending.keys()]) if (forgetful && this.#world.happens(0.5)) this.#redeliver(stream, consumer, seq);
        if (forgetful)
          for (const { seq } of stream.messages.values()) if (seq < consumer.next && !consumer.pending.has(seq)) consumer.again.push(seq);
        this.#offer(stream, consumer);
      }
    }
    this.#acked = [];
  }

  messagesOf(name: string): Stored[] {
    const stream = this.#streams.get(name);
    if (!stream) throw noResponders();
    return [...stream.messages.values()];
  }

  #occupied(stream: Stream, subject: string): boolean {
    for (const message of stream.messages.values()) if (message.subject === subject) return true;
    return false;
  }

  #stream(name: string): Stream {
    const stream = this.#streams.get(name);
    if (!stream) throw apiError(10059, 'stream not found');
    return stream;
  }

  #consumer(stream: string, name: string): Consumer {
    const consumer = this.#stream(stream).consumers.get(name);
    if (!consumer) throw apiError(10014, 'consumer not found');
    return consumer;
  }

  /** Those that are over, and those of dead clients, are discarded. */
  #pulls(consumer: Consumer): Pull[] {
    consumer.pulls = consumer.pulls.filter(({ by, until }) => by.alive && until > this.#world.now);
    return consumer.pulls;
  }

  #offer(stream: Stream, consumer: Consumer): void {
    if (!this.up) return;
    while (this.#pulls(consumer).length > 0) {
      const seq = this.#due(stream, consumer);
      const message = seq === null ? undefined : stream.messages.get(seq);
      if (seq === null || !message) return;
      const pull = consumer.pulls.shift();
      const count = (consumer.counts.get(seq) ?? 0) + 1;
      consumer.counts.set(seq, count);
      consumer.delivered++;
      this.#lease(stream, consumer, seq, count, undefined);
      const reply = `$JS.ACK.${stream.config.name}.${consumer.name}.${count}.${seq}.${consumer.delivered}`;
      pull?.give({ ...message, count, reply });
    }
  }

  /** What was given back or whose lease is over goes before what is new. */
  #due(stream: Stream, consumer: Consumer): number | null {
    for (let seq = consumer.again.shift(); seq !== undefined; seq = consumer.again.shift())
      if (stream.messages.get(seq)?.subject.startsWith(consumer.prefix) && !consumer.pending.has(seq)) return seq;
    if (consumer.stuck) return null;
    for (const { seq, subject } of stream.messages.values()) {
      if (seq < consumer.next || !subject.startsWith(consumer.prefix)) continue;
      consumer.next = seq + 1;
      return seq;
    }
    return null;
  }

  #lease(stream: Stream, consumer: Consumer, seq: number, count: number, before: Leased | undefined): void {
    before?.stop();
    const expire = (): void => {
      if (this.up) this.#redeliver(stream, consumer, seq);
      else consumer.pending.set(seq, { count, stop: this.#world.in(100, expire) });
    };
    consumer.pending.set(seq, { count, stop: this.#world.in(consumer.leaseMs, expire) });
  }

  #redeliver(stream: Stream, consumer: Consumer, seq: number): void {
    consumer.pending.get(seq)?.stop();
    consumer.pending.delete(seq);
    consumer.again.push(seq);
    this.#offer(stream, consumer);
  }
}
