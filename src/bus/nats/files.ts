import type { ObjectInfo, ObjectStore } from '@nats-io/obj';
import { ContentError } from '../../contract/errors.ts';
import { contentDigest } from '../../contract/ids.ts';
import type { FileKind } from '../../contract/job.ts';
import type { Files } from '../bus.ts';
import type { NatsLink } from './link.ts';
import { BUCKET } from './streams.ts';

/** No policy and no forget set is larger; who says so wants our memory. */
const MOST_BYTES = 256 * 1024 * 1024;
/** What the client stores a file in, but for the last: in smaller ones it would take as many requests as somebody likes. */
const CHUNK_BYTES = 64 * 1024;

/**
 * Files in the broker's object store. A name whose content is right is never written twice: that would take the old chunks away from who is
 * reading them.
 */
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
      if (!(await this.#holds(store, name, digest))) await store.putBlob({ name }, bytes);
    });
    return digest;
  }

  async get(kind: FileKind, digest: string): Promise<Uint8Array> {
    const name = nameOf(kind, digest);
    return this.#retry(name, (store) => this.#content(store, name, digest));
  }

  async has(kind: FileKind, digest: string): Promise<boolean> {
    const name = nameOf(kind, digest);
    return this.#retry(name, (store) => isThere(store, name));
  }

  async #content(store: ObjectStore, name: string, digest: string): Promise<Uint8Array> {
    const info = await infoOf(store, name);
    if (info === null || info.deleted) throw new ContentError(`${name}: expected it in the broker's store, found nothing`, false);
    const bytes = await this.#read(name, info);
    if (contentDigest(bytes) !== digest) throw new ContentError(`${name}: expected the content that its name says, got another`, true);
    return bytes;
  }

  /** Whether the file is there, whole: somebody may have written another under its name, and who relied on it would be blamed. */
  async #holds(store: ObjectStore, name: string, digest: string): Promise<boolean> {
    try {
      await this.#content(store, name, digest);
      return true;
    } catch (error) {
      if (error instanceof ContentError) return false;
      throw error;
    }
  }

  /**
   * Chunk by chunk. The client's own way is a consumer per file, which the server keeps for five minutes: after a thousand it refuses
   * more, and to make one is a right that no worker should need. What a worker wrote of a file is a promise: it is read as far as an honest
   * file of that size goes, and what is missing then will not come, for chunks are stored before what speaks of them.
   */
  async #read(name: string, { nuid, size }: ObjectInfo): Promise<Uint8Array> {
    const bad = (expected: string, got: string): ContentError => new ContentError(`${name}: expected ${expected}, got ${got}`, true);
    if (!Number.isSafeInteger(size) || size < 0 || size > MOST_BYTES) throw bad(`at most ${MOST_BYTES} bytes`, String(size));
    if (!/^[0-9A-Za-z-]{1,80}$/.test(nuid)) throw bad("a file's key", JSON.stringify(nuid));
    const chunks: Uint8Array[] = [];
    for (let [have, seq] = [0, 1]; have < size; ) {
      const chunk = await this.#link.jsm.direct.getMessage(`OBJ_${BUCKET}`, { seq, next_by_subj: `$O.${BUCKET}.C.${nuid}` });
      if (chunk === null) throw new ContentError(`${name}: expected ${size} bytes in the broker's store, found ${have}`, false);
      chunks.push(chunk.data);
      [have, seq] = [have + chunk.data.length, chunk.seq + 1];
      if (have > size) throw bad(`${size} bytes`, 'more');
      if (have < size && chunk.data.length < CHUNK_BYTES) throw bad(`chunks of at least ${CHUNK_BYTES} bytes`, String(chunk.data.length));
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
  const info = await infoOf(store, name);
  return info !== null && !info.deleted;
}

/** What the store says of a file. It is JSON that a worker wrote: what cannot be read is that worker's fault, and not the network's. */
async function infoOf(store: ObjectStore, name: string): Promise<ObjectInfo | null> {
  try {
    return await store.info(name);
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof TypeError)) throw error;
    throw new ContentError(`${name}: expected a description of a file, got what is none (${error.message})`, true);
  }
}
