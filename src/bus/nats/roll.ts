import type { JetStreamPublishOptions, StreamConfig } from '@nats-io/jetstream';
import { errors, headers, nanos } from '@nats-io/transport-node';
import { parseSweepCard, parseWish, parseWorkerCard, type Seen, type SweepCard, type Wish, type WorkerCard } from '../../contract/cards.ts';
import { HostError } from '../../contract/host.ts';
import { canonicalJson, type Json } from '../../contract/ids.ts';
import type { Roll, Wished } from '../bus.ts';
import { CODE, codeOf, type NatsLink } from './link.ts';
import { isNoRoom } from './streams.ts';

/** A card that was not renewed for so long is gone. Ages are the server's: no two clocks are compared. */
const TTL_MS = 30_000;
const SMALL = 64 * 1024;

const common = {
  retention: 'limits',
  discard: 'new',
  max_msgs_per_subject: 1,
  max_msg_size: SMALL,
  allow_direct: true,
  allow_rollup_hdrs: false,
  deny_delete: true,
  num_replicas: 1,
} as const;

const BUCKETS = {
  workers: { max_age: nanos(TTL_MS), storage: 'memory', max_bytes: 16 * 1024 * 1024, max_msgs: 10_000 },
  sweeps: { max_age: nanos(TTL_MS), storage: 'memory' },
  ctl: { storage: 'file' },
} as const satisfies Record<string, Partial<StreamConfig>>;
export type Bucket = keyof typeof BUCKETS;

/** Said after a wish was written; its content is in the bucket. */
const HINT = 'lab.hint.ctl';

const IDENTITY = 'identity.';
function ctlKey(of: Wished): string {
  if ('worker' in of) return `worker.${of.worker}`;
  return 'identity' in of ? `${IDENTITY}${of.identity}` : `sweep.${of.cap}.${of.sweep}`;
}
const sweepKey = ({ cap, key }: SweepCard): string => `${cap}.${key}`;

/**
 * The roll in three buckets of the broker, as key-value clients know them: keys are read one by one, so nobody who reads needs a consumer.
 * They take no roll-ups, which those of the client's library do: with one a worker that may write its card could remove all others.
 */
export class NatsRoll implements Roll {
  readonly #link: NatsLink;
  readonly #mayMake: boolean;
  /** Forgotten when something failed: the broker may have lost its disk. */
  readonly #made = new Set<Bucket>();

  /** `mayMake`: makes buckets that are not there. Workers and viewers may not, and wait for who may. */
  constructor(link: NatsLink, { mayMake }: { readonly mayMake: boolean }) {
    this.#link = link;
    this.#mayMake = mayMake;
  }

  showWorker(card: WorkerCard): Promise<void> {
    return this.#put('workers', card.id, card);
  }

  hideWorker(id: string): Promise<void> {
    return this.#remove('workers', id);
  }

  workers(): Promise<readonly Seen<WorkerCard>[]> {
    return this.#all('workers', parseWorkerCard);
  }

  async claimSweep(card: SweepCard): Promise<SweepCard | null> {
    const last = await this.#last('sweeps', sweepKey(card));
    if (last === null || last.data.length === 0) {
      try {
        await this.#put('sweeps', sweepKey(card), card, { expect: { lastSubjectSequence: last?.seq ?? 0 } });
        return null;
      } catch (error) {
        if (codeOf(error) !== CODE.wrongLastSequence) throw error; // somebody was faster
      }
    }
    const there = (await this.#all('sweeps', parseSweepCard)).find((other) => sweepKey(other) === sweepKey(card));
    if (there !== undefined && there.origin !== card.origin) return there;
    await this.showSweep(card);
    return null;
  }

  showSweep(card: SweepCard): Promise<void> {
    return this.#put('sweeps', sweepKey(card), card);
  }

  hideSweep(card: SweepCard): Promise<void> {
    return this.#remove('sweeps', sweepKey(card));
  }

  sweeps(): Promise<readonly SweepCard[]> {
    return this.#all('sweeps', parseSweepCard);
  }

  async wish(of: Wished): Promise<Wish | null> {
    const text = await this.#text('ctl', ctlKey(of));
    return text === null ? null : parseWish(text);
  }

  async held(): Promise<ReadonlySet<string>> {
    const names = (await this.#keys('ctl', `${IDENTITY}*`)).keys.map((key) => key.slice(IDENTITY.length));
    const wishes = await Promise.all(names.map((identity) => this.wish({ identity })));
    return new Set(names.filter((_, i) => wishes[i]?.state === 'hold'));
  }

  async want(of: Wished, wish: Wish): Promise<void> {
    await this.#put('ctl', ctlKey(of), wish);
    this.#link.nc.publish(HINT);
  }

  onWish(heard: () => void): () => void {
    const listening = this.#link.nc.subscribe(HINT, { callback: heard });
    return () => listening.unsubscribe();
  }

  async #make(bucket: Bucket): Promise<void> {
    const { streams } = this.#link.jsm;
    const config = { ...common, ...BUCKETS[bucket], name: `KV_${bucket}`, subjects: [`$KV.${bucket}.>`] };
    try {
      await streams.add(config);
      this.#link.nc.publish(HINT); // those who had nowhere to write
    } catch (error) {
      if (isNoRoom(error))
        throw new HostError(
          `broker: expected room for its cards (16 MB of memory), got less; raise max_memory_store in its configuration`,
          { cause: error },
        );
      if (codeOf(error) !== CODE.nameInUse) throw error;
      await streams.update(config.name, { allow_rollup_hdrs: false }); // an earlier version's, or somebody chose other sizes
    }
  }

  #put(bucket: Bucket, key: string, value: WorkerCard | SweepCard | Wish, options: Partial<JetStreamPublishOptions> = {}): Promise<void> {
    return this.#write(bucket, key, canonicalJson(value as unknown as Json), options);
  }

  #remove(bucket: Bucket, key: string): Promise<void> {
    const deleted = headers();
    deleted.set('KV-Operation', 'DEL');
    return this.#write(bucket, key, '', { headers: deleted });
  }

  async #write(bucket: Bucket, key: string, text: string, options: Partial<JetStreamPublishOptions>): Promise<void> {
    if (this.#mayMake && !this.#made.has(bucket)) await this.#make(bucket);
    this.#made.add(bucket);
    try {
      await this.#link.js.publish(`$KV.${bucket}.${key}`, text, options);
    } catch (error) {
      this.#made.delete(bucket);
      throw error;
    }
  }

  /** Null for what was deleted, too: that leaves an empty message. */
  async #text(bucket: Bucket, key: string): Promise<string | null> {
    const last = await this.#last(bucket, key);
    return last === null || last.data.length === 0 ? null : new TextDecoder().decode(last.data);
  }

  #last(bucket: Bucket, key: string): Promise<Last | null> {
    const { direct, streams } = this.#link.jsm;
    // A worker's card comes with headers of its own making, and in a direct answer they decide how the client takes it.
    const at = bucket === 'workers' ? streams : direct;
    return at.getMessage(`KV_${bucket}`, { last_by_subj: `$KV.${bucket}.${key}` }).catch((error: unknown) => {
      if (codeOf(error) === CODE.noStream) return null; // there is no such bucket yet
      if (error instanceof errors.RequestError && error.isNoResponders()) return null;
      throw error;
    });
  }

  /** Sorted by key. What is no card is as good as absent. Ages are by the server's clock alone. */
  async #all<T>(bucket: Bucket, parse: (text: string) => T): Promise<readonly Seen<T>[]> {
    const { keys, now } = await this.#keys(bucket);
    const cards = await Promise.all(keys.sort().map((key) => this.#last(bucket, key)));
    return cards.flatMap((card) => {
      try {
        if (card === null || card.data.length === 0) return [];
        return [{ ...parse(new TextDecoder().decode(card.data)), silentMs: Math.max(0, now - card.time.getTime()) }];
      } catch {
        return [];
      }
    });
  }

  /** None when nobody has been here yet, or the broker lost its disk. */
  async #keys(bucket: Bucket, filter = '>'): Promise<{ readonly keys: string[]; readonly now: number }> {
    const prefix = `$KV.${bucket}.`;
    try {
      const { state, ts } = await this.#link.jsm.streams.info(`KV_${bucket}`, { subjects_filter: `${prefix}${filter}` });
      return {
        keys: Object.keys(state.subjects ?? {}).map((subject) => subject.slice(prefix.length)),
        now: ts === undefined ? 0 : Date.parse(ts),
      };
    } catch (error) {
      if (codeOf(error) !== CODE.noStream) throw error;
      if (this.#mayMake) await this.#make(bucket);
      return { keys: [], now: 0 };
    }
  }
}

/** The last message of a key. */
interface Last {
  readonly data: Uint8Array;
  readonly seq: number;
  /** When the server took it. */
  readonly time: Date;
}
