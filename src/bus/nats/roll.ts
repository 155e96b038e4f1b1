import { type KV, Kvm, type KvOptions } from '@nats-io/kv';
import { errors } from '@nats-io/transport-node';
import { parseSweepCard, parseWish, parseWorkerCard, type SweepCard, type Wish, type WorkerCard } from '../../contract/cards.ts';
import { canonicalJson, type Json } from '../../contract/ids.ts';
import type { Roll, Wished } from '../bus.ts';
import { CODE, codeOf, type NatsLink } from './link.ts';

/** A card that was not renewed for so long is gone. Ages are the server's: no two clocks are compared. */
const TTL_MS = 30_000;
const SMALL = 64 * 1024;

const BUCKETS = {
  workers: { ttl: TTL_MS, storage: 'memory' },
  sweeps: { ttl: TTL_MS, storage: 'memory' },
  ctl: { storage: 'file' },
} as const satisfies Record<string, Partial<KvOptions>>;
export type Bucket = keyof typeof BUCKETS;

/** Said after a wish was written; its content is in the bucket. */
const HINT = 'lab.hint.ctl';

const ctlKey = (of: Wished): string => ('worker' in of ? `worker.${of.worker}` : `sweep.${of.cap}.${of.sweep}`);
const sweepKey = ({ cap, key }: SweepCard): string => `${cap}.${key}`;

/** The roll in three buckets of the broker: keys are read one by one, so nobody who reads needs a consumer. */
export class NatsRoll implements Roll {
  readonly #link: NatsLink;
  readonly #mayMake: boolean;
  /** Forgotten when something failed: the broker may have lost its disk. */
  readonly #opened = new Map<Bucket, Promise<KV>>();

  /** `mayMake`: makes buckets that are not there. Workers and viewers may not, and wait for who may. */
  constructor(link: NatsLink, { mayMake }: { readonly mayMake: boolean }) {
    this.#link = link;
    this.#mayMake = mayMake;
  }

  showWorker(card: WorkerCard): Promise<void> {
    return this.#put('workers', card.id, card);
  }

  hideWorker(id: string): Promise<void> {
    return this.#in('workers', (kv) => kv.delete(id));
  }

  workers(): Promise<readonly WorkerCard[]> {
    return this.#all('workers', parseWorkerCard);
  }

  async claimSweep(card: SweepCard): Promise<SweepCard | null> {
    try {
      await this.#in('sweeps', (kv) => kv.create(sweepKey(card), canonicalJson(card as unknown as Json)));
      return null;
    } catch (error) {
      if (codeOf(error) !== CODE.wrongLastSequence) throw error;
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
    return this.#in('sweeps', (kv) => kv.delete(sweepKey(card)));
  }

  sweeps(): Promise<readonly SweepCard[]> {
    return this.#all('sweeps', parseSweepCard);
  }

  async wish(of: Wished): Promise<Wish | null> {
    const text = await this.#text('ctl', ctlKey(of));
    return text === null ? null : parseWish(text);
  }

  async want(of: Wished, wish: Wish): Promise<void> {
    await this.#put('ctl', ctlKey(of), wish);
    this.#link.nc.publish(HINT);
  }

  onWish(heard: () => void): () => void {
    const listening = this.#link.nc.subscribe(HINT, { callback: heard });
    return () => listening.unsubscribe();
  }

  async #in<T>(bucket: Bucket, work: (kv: KV) => Promise<T>): Promise<T> {
    const opened = this.#opened.get(bucket) ?? this.#open(bucket);
    this.#opened.set(bucket, opened);
    try {
      return await work(await opened);
    } catch (error) {
      this.#opened.delete(bucket);
      throw error;
    }
  }

  #open(bucket: Bucket): Promise<KV> {
    const buckets = new Kvm(this.#link.js);
    if (!this.#mayMake) return buckets.open(bucket, { allow_direct: true });
    return buckets.create(bucket, { history: 1, maxValueSize: SMALL, ...BUCKETS[bucket] });
  }

  async #put(bucket: Bucket, key: string, value: WorkerCard | SweepCard | Wish): Promise<void> {
    await this.#in(bucket, (kv) => kv.put(key, canonicalJson(value as unknown as Json)));
  }

  async #text(bucket: Bucket, key: string): Promise<string | null> {
    const entry = await this.#in(bucket, (kv) => kv.get(key)).catch((error: unknown) => {
      if (error instanceof errors.RequestError && error.isNoResponders()) return null; // there is no such bucket yet
      throw error;
    });
    return entry === null || entry.operation !== 'PUT' ? null : entry.string();
  }

  /** Sorted by key. What is no card is as good as absent. */
  async #all<T>(bucket: Bucket, parse: (text: string) => T): Promise<readonly T[]> {
    const keys = await this.#keys(bucket);
    const texts = await Promise.all(keys.sort().map((key) => this.#text(bucket, key)));
    return texts.flatMap((text) => {
      try {
        return text === null ? [] : [parse(text)];
      } catch {
        return [];
      }
    });
  }

  /** None when nobody has been here yet, or the broker lost its disk. */
  async #keys(bucket: Bucket): Promise<string[]> {
    const prefix = `$KV.${bucket}.`;
    try {
      const { state } = await this.#link.jsm.streams.info(`KV_${bucket}`, { subjects_filter: `${prefix}>` });
      return Object.keys(state.subjects ?? {}).map((subject) => subject.slice(prefix.length));
    } catch (error) {
      if (codeOf(error) !== CODE.noStream) throw error;
      if (this.#mayMake) await this.#open(bucket);
      return [];
    }
  }
}
