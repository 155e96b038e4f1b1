import { ContentError } from '../../contract/errors.ts';
import { contentDigest } from '../../contract/ids.ts';
import { type FileKind, MOST_FILE_BYTES } from '../../contract/job.ts';
import type { Files } from '../bus.ts';
import { CODE, codeOf, type NatsLink } from './link.ts';
import { FILES, fileSubject, PART_BYTES } from './streams.ts';

export interface FilesOptions {
  /** Under whose name files are written. */
  readonly own: string;
  /** Whose files are read. */
  readonly from: string;
  /** Makes a stream that was lost; who may not make one waits for who may. */
  readonly mend?: () => Promise<void>;
}

/**
 * Files in the broker, part by part: a part that is shorter than the others is the last. Nobody can write under another's name, nothing is
 * written twice, and the first part is written last, so what is there is there whole. The client's own object store can be told by any
 * writer to forget everything (it needs roll-ups), and reads through consumers, which no worker may make.
 */
export class NatsFiles implements Files {
  readonly mostBytes = MOST_FILE_BYTES;
  readonly #link: NatsLink;
  readonly #options: FilesOptions;

  constructor(link: NatsLink, options: FilesOptions) {
    this.#link = link;
    this.#options = options;
  }

  async put(kind: FileKind, bytes: Uint8Array): Promise<string> {
    const { own } = this.#options;
    const digest = contentDigest(bytes);
    const name = nameOf(kind, digest);
    await this.#retry(name, async () => {
      if (bytes.length >= PART_BYTES && (await this.#isThere(name))) return;
      for (let part = Math.floor(bytes.length / PART_BYTES); part >= 0; part--) {
        const content = bytes.subarray(part * PART_BYTES, (part + 1) * PART_BYTES);
        try {
          const expect = { streamName: FILES, lastSubjectSequence: 0 };
          await this.#link.js.publish(fileSubject(own, name, part), content, { expect });
        } catch (error) {
          if (codeOf(error) !== CODE.wrongLastSequence) throw error; // it is there
        }
      }
    });
    return digest;
  }

  /** Of who writes what we may believe. */
  async get(kind: FileKind, digest: string): Promise<Uint8Array> {
    return this.#get(kind, digest, this.#options.from, (subject) => this.#link.jsm.direct.getMessage(FILES, { last_by_subj: subject }));
  }

  /**
   * Of somebody who may be a liar: what is not what its name says is removed, so that an honest copy has room. In an answer of the
   * direct kind the writer's headers decide how the client takes it; in this kind they are data.
   */
  async getFrom(who: string, kind: FileKind, digest: string): Promise<Uint8Array> {
    const { streams } = this.#link.jsm;
    try {
      return await this.#get(kind, digest, who, (subject) => streams.getMessage(FILES, { last_by_subj: subject }));
    } catch (error) {
      if (error instanceof ContentError)
        await this.#retry(error.message, () => streams.purge(FILES, { filter: `lab.file.${who}.${nameOf(kind, digest)}.*` }));
      throw error;
    }
  }

  /** Whether `put` would have nothing to do. */
  async has(kind: FileKind, digest: string): Promise<boolean> {
    const name = nameOf(kind, digest);
    return this.#retry(name, () => this.#isThere(name));
  }

  async #isThere(name: string): Promise<boolean> {
    return (await this.#link.jsm.direct.getMessage(FILES, { last_by_subj: fileSubject(this.#options.own, name, 0) })) !== null;
  }

  async #get(kind: FileKind, digest: string, who: string, read: Read): Promise<Uint8Array> {
    const name = nameOf(kind, digest);
    const parts: Uint8Array[] = [];
    for (let part = 0, last = false; !last; part++) {
      // Who says that a file is larger wants our memory.
      if (part * PART_BYTES > MOST_FILE_BYTES) throw new ContentError(`${name}: expected at most ${MOST_FILE_BYTES} bytes, got more`, true);
      const found = await this.#retry(name, () => read(fileSubject(who, name, part)));
      if (found === null) {
        const what = part === 0 ? 'found nothing' : `found its first ${part} part(s) alone`;
        throw new ContentError(`${name}: expected it in the broker's store, ${what}`, false, part === 0);
      }
      if (found.data.length > PART_BYTES)
        throw new ContentError(`${name}: expected parts of ${PART_BYTES} bytes, got ${found.data.length}`, true);
      parts.push(found.data);
      last = found.data.length < PART_BYTES;
    }
    const bytes = new Uint8Array(Buffer.concat(parts)); // not a Buffer
    if (contentDigest(bytes) !== digest) throw new ContentError(`${name}: expected the content that its name says, got another`, true);
    return bytes;
  }

  #retry<T>(name: string, work: () => Promise<T>): Promise<T> {
    return this.#link.retry(name, work, this.#options.mend);
  }
}

type Read = (subject: string) => Promise<{ readonly data: Uint8Array } | null>;

const nameOf = (kind: FileKind, digest: string): string => `${kind}-${digest}`;
