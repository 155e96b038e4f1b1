import type { ConsumerConfig, StreamConfig } from '@nats-io/jetstream';
import type { Client } from '../../src/bus/nats/link.ts';
import { CHECKS, FILES, RESULTS, TASKS } from '../../src/bus/nats/streams.ts';
import { type Broker, type Delivered, dateOf } from './broker.ts';
import type { Process, World } from './world.ts';

/** What the network does to messages; all of it is off when nothing goes wrong. */
export interface Weather {
  /** Chances for each message, request or answer. */
  lose: number;
  duplicate: number;
  slow: number;
  /** How long the slow ones take, at most. */
  slowMs: number;
}

export interface Watch {
  /** A request arrives at the broker. */
  onArrival(by: Process): void;
  /** An agent says that a job is done. */
  onAck(by: Process, subject: string): void;
  /** An agent gives a job back although its lease is over for all it knows. */
  onLateNak(by: Process, reply: string): void;
  onPurge(by: Process, subject: string): void;
  /** A part of a file arrives there. */
  onPut(subject: string): void;
  /** A result is in the broker. */
  onStored(subject: string, data: string): void;
}

/** Nothing goes wrong. */
export const calm: Readonly<Weather> = { lose: 0, duplicate: 0, slow: 0, slowMs: 0 };

const STREAM_OF: Readonly<Record<string, string>> = { 'lab.task': TASKS, 'lab.check': CHECKS, 'lab.result': RESULTS };
const REQUEST_MS = 5_000;

/** The client of one process: the calls that our buses make, over a network that may do anything but alter a message. */
export class SimulatedClient {
  readonly #by: Process;
  readonly #world: World;
  readonly #broker: Broker;
  readonly #weather: Weather;
  readonly #watch: Watch;
  readonly #leaseMs: number;
  /** Until when a delivery is its receiver's, for all that was confirmed; by where its acknowledgements go. */
  readonly #ours = new Map<string, number>();
  #closed = false;

  constructor(by: Process, broker: Broker, weather: Weather, watch: Watch, leaseMs: number) {
    this.#by = by;
    this.#world = by.world;
    this.#broker = broker;
    this.#weather = weather;
    this.#watch = watch;
    this.#leaseMs = leaseMs;
  }

  /** How long a message is on its way; null when it never arrives. */
  #journey(): number | null {
    const { lose, slow, slowMs } = this.#weather;
    const quick = this.#world.between(0.1, 1);
    if (this.#by.cut || this.#world.happens(lose)) return null;
    return this.#world.happens(slow) ? this.#world.between(1, slowMs) : quick;
  }

  /** To the broker, where `work` is done if the message arrives and somebody is there. */
  #send(what: string, work: () => void): void {
    if (!this.#by.alive) return;
    const copies = this.#world.happens(this.#weather.duplicate) ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      const ms = this.#journey();
      if (ms === null) this.#note(`${what}: lost on its way to the broker`);
      else
        this.#world.in(ms, () => {
          this.#watch.onArrival(this.#by);
          if (this.#broker.up && !this.#by.cut) work();
          else this.#note(`${what}: nobody there`);
        });
    }
  }

  /** From the broker. */
  #receive(what: string, work: () => void): void {
    const ms = this.#journey();
    if (ms === null) this.#note(`${what}: the answer was lost`);
    else this.#world.in(ms, () => this.#by.receive(work));
  }

  #note(what: string): void {
    if (this.#world.tracing) this.#by.note(what);
  }

  #request<T>(what: string, work: () => T, timeoutMs = REQUEST_MS): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(new Error('closed connection'));
      const stop = this.#by.after(timeoutMs, () => {
        this.#note(`${what}: timeout`);
        reject(new Error('timeout'));
      });
      this.#send(what, () => {
        let settle: () => void;
        try {
          const value = work();
          if (this.#world.tracing) this.#by.note(`${what}: ${brief(value)}`);
          settle = () => resolve(value);
        } catch (error) {
          this.#note(`${what}: ${(error as Error).message}`);
          settle = () => reject(error);
        }
        this.#receive(what, () => {
          stop();
          settle();
        });
      });
    });
  }

  #pull(stream: string, consumer: string, expires: number): Promise<object | null> {
    if (!Number.isInteger(expires)) return Promise.reject(new Error('bad request'));
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(new Error('closed connection'));
      const stop = this.#by.after(expires + 100, () => resolve(null)); // what comes later is nobody's
      this.#send('pull', () => {
        const give = (message: Delivered): void => {
          this.#note(`gets ${message.subject} (${message.count})`);
          this.#receive(`delivery of ${message.subject}`, () => {
            stop();
            this.#ours.set(message.reply, this.#world.now + this.#leaseMs);
            resolve(this.#message(message));
          });
        };
        try {
          this.#broker.pull(stream, consumer, { by: this.#by, until: this.#world.now + expires, give });
        } catch (error) {
          this.#receive('pull', () => {
            stop();
            reject(error);
          });
        }
      });
    });
  }

  #message(message: Delivered): object {
    const tell = (what: '+ACK' | '-NAK' | '+TERM'): void => this.#send(what, () => this.#broker.tell(message.reply, what));
    return {
      subject: message.subject,
      reply: message.reply,
      info: { deliveryCount: message.count },
      string: () => message.data,
      nak: () => tell('-NAK'),
      term: () => tell('+TERM'),
      ack: () => {
        this.#watch.onAck(this.#by, message.subject);
        tell('+ACK');
      },
      ackAck: ({ timeout }: { timeout: number }) => {
        this.#watch.onAck(this.#by, message.subject);
        return this.#request(`ack of ${message.subject}`, () => this.#broker.tell(message.reply, '+ACK'), timeout);
      },
    };
  }

  /** `+WPI` and `-NAK`. */
  async #extend(reply: string, what: '+WPI' | '-NAK', timeoutMs: number): Promise<void> {
    const sent = this.#world.now;
    if (what === '-NAK' && sent > (this.#ours.get(reply) ?? 0)) this.#watch.onLateNak(this.#by, reply);
    await this.#request(`${what} ${reply}`, () => this.#broker.tell(reply, what), timeoutMs);
    if (what === '+WPI' && this.#world.now <= (this.#ours.get(reply) ?? 0)) this.#ours.set(reply, sent + this.#leaseMs);
  }

  /** As the buses see it. */
  get client(): Client {
    const broker = this.#broker;
    const request = this.#request.bind(this);
    const nc = {
      isClosed: () => this.#closed,
      drain: async () => {},
      close: async () => {
        this.#closed = true;
      },
      request: (reply: string, what: '+WPI' | '-NAK', { timeout }: { timeout: number }) => this.#extend(reply, what, timeout),
      subscribe: (subject: string, { callback }: { callback: () => void }) => {
        const unsubscribe = broker.listen(this.#by, subject, () => this.#receive('hint', callback));
        return { unsubscribe };
      },
    };
    type Query = { last_by_subj: string } | { seq: number; next_by_subj: string };
    /** Files are small here: the first part of one is all of it. */
    const stored = (stream: string, query: Query) => {
      const subject = 'seq' in query ? query.next_by_subj : query.last_by_subj;
      return request(`get ${'seq' in query ? `${query.seq} of ` : ''}${subject}`, () => {
        if (stream === FILES) return broker.file(subject);
        const found = 'seq' in query ? broker.nextBySubject(stream, subject, query.seq) : broker.lastBySubject(stream, subject);
        return found && { ...found, time: dateOf(found.at), data: new TextEncoder().encode(found.data), string: () => found.data };
      });
    };
    const js = {
      publish: (
        subject: string,
        data: string | Uint8Array,
        { expect = {} }: { expect?: { streamName?: string; lastSubjectSequence?: number } } = {},
      ) => {
        if (typeof data !== 'string')
          return request(`put ${subject}`, () => {
            this.#watch.onPut(subject);
            broker.putFile(subject, data);
          });
        const stream = STREAM_OF[subject.slice(0, subject.indexOf('.', 4))] ?? '';
        return request(`publish ${subject}`, () => {
          const seq = broker.publish(stream, subject, data, expect.lastSubjectSequence);
          if (stream === RESULTS) this.#watch.onStored(subject, data);
          return seq;
        });
      },
      consumers: {
        get: async (stream: string, name: string) => {
          const info = await request(`consumer ${name}`, () => broker.consumerInfo(stream, name));
          return { info: async () => info, next: ({ expires }: { expires: number }) => this.#pull(stream, name, expires) };
        },
      },
    };
    const jsm = {
      direct: { getMessage: stored },
      streams: {
        getMessage: stored,
        add: (config: Partial<StreamConfig> & { readonly name: string }) => request(`make ${config.name}`, () => broker.addStream(config)),
        info: (name: string, { subjects_filter }: { subjects_filter?: string } = {}) =>
          request(`info of ${name}`, () => broker.streamInfo(name, subjects_filter)),
        purge: (name: string, { filter }: { filter: string }) =>
          request(`purge ${filter}`, () => {
            if (name !== FILES) this.#watch.onPurge(this.#by, filter);
            broker.purge(name, filter);
          }),
        deleteMessage: (name: string, seq: number) =>
          request(`delete ${seq}`, () => {
            const there = broker.messagesOf(name).find((message) => message.seq === seq);
            if (there) this.#watch.onPurge(this.#by, there.subject);
            broker.deleteMessage(name, seq);
          }),
      },
      consumers: {
        info: (stream: string, name: string) => request(`consumer ${name}`, () => broker.consumerInfo(stream, name)),
        add: (stream: string, config: Partial<ConsumerConfig>) => request('make the consumer', () => broker.addConsumer(stream, config)),
        delete: (stream: string, name: string) => request(`delete consumer ${name}`, () => broker.deleteConsumer(stream, name)),
      },
    };
    return { nc, js, jsm } as unknown as Client;
  }
}

const brief = (value: unknown): string => {
  if (value === undefined) return 'done';
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
};
