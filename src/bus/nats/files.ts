import type { ObjectInfo, ObjectStore } from '@nats-io/obj';
import { ContentError } from '../../contract/errors.ts';
import { contentDigest } from '../../contract/ids.ts';
import type { FileKind } from '../../contract/job.ts';
import type { Files } from '../bus.ts';
import type { NatsLink } from './link.ts';
import { BUCKET } from './streams.ts';

/** No policy and no forget set is larger; who says so wants our memory. */
const MOST_BYTES = 256 * 1024 * 1024;

/** Files in the broker's object store. A name is never written twice: that would take the old chunks away from who is reading them. */
export class NatsFiles implements Files {
  readonly #link: NatsLink;
  readonly #mend: (() => Promise<void>) | undefined;
  #opened: Promise<ObjectStore> | null = null;

  /** `mend` makes a store that was lost; who may not make one waits for who may. */
  constructor(link: NatsLink, mend?: () => Promise<void>) {
    this.#link = link;
    this.#mend = mend;
  }

  async put(kind: FileKind, bytes: Uint8Array): Promise<string> {
    const digest = contentDigest(bytes);
    const name = nameOf(kind, digest);
    await this.#retry(name, async (store) => {
      if (!(await isThere(store, name))) await store.putBlob({ name }, bytes);
    });
    return digest;
  }

  async get(kind: FileKind, digest: string): Promise<Uint8Array> {
    const name = nameOf(kind, digest);
    return this.#retry(name, async (store) => {
      const info = await store.info(name);
      if (info === null || info.deleted) throw new ContentError(`${name}: expected it in the broker's store, found nothing`, false);
      if (info.size > MOST_BYTES) throw new ContentError(`${name}: expected at most ${MOST_BYTES} bytes, got ${info.size}`, true);
      const bytes = await this.#read(info);
      if (contentDigest(bytes) !== digest) throw new ContentError(`${name}: expected the content that its name says, got another`, true);
      return bytes;
    });
  }

  async has(kind: FileKind, digest: string): Promise<boolean> {
    const name = nameOf(kind, digest);
    return this.#retry(name, (store) => isThere(store, name));
  }

  /**
   * Chunk by chunk. The client's own way is a consumer per file, which the server keeps for five minutes: after a thousand it refuses
   * more, and to make one is a right that no worker should need.
   */
  async #read({ nuid, size }: ObjectInfo): Promise<Uint8Array> {
    const chunks: Uint8Array[] = [];
    for (let [have, seq] = [0, 1]; have < size; ) {
      const chunk = await this.#link.jsm.direct.getMessage(`OBJ_${BUCKET}`, { seq, next_by_subj: `$O.${BUCKET}.C.${nuid}` });
      if (chunk === null) throw new Error('a part of it is missing');
      chunks.push(chunk.data);
      [have, seq] = [have + chunk.data.length, chunk.seq + 1];
    }
    return new Uint8Array(Buffer.concat(chunks)); // not a Buffer
  }

  #retry<T>(name: string, work: (store: ObjectStore) => Promise<T>): Promise<T> {
    return this.#link.retry(
      name,
      async () => {
        this.#opened ??= this.#link.objects.open(BUCKET, false);
        return work(await this.#opened);
      },
      async () => {
        this.#opened = null;
        await this.#mend?.();
      },
    );
  }
}

const nameOf = (kind: FileKind, digest: string): string => `${kind}-${digest}`;

async function isThere(store: ObjectStore, name: string): Promise<boolean> {
  const info = await store.info(name);
  return info !== null && !info.deleted;
}
