import type { Files } from '../../src/bus/bus.ts';
import { canonicalJson, contentDigest } from '../../src/contract/ids.ts';
import type { JobResult, Row } from '../../src/contract/job.ts';
import type { Kind, Rows } from '../../src/coordinator/store.ts';
import type { Process } from './world.ts';

/** What of a results folder outlives its coordinator: lines, of which the last may be torn, and files, which are there whole or not at all. */
export class Disk {
  readonly text: Record<Kind, string> = { base: '', trial: '' };
  readonly files = new Map<string, Uint8Array>();
  /** Ids of complete lines. */
  readonly whole = new Set<string>();

  /** The rows that stand on it, by id. Throws for an id that is there twice. */
  rows(kind: Kind): Map<string, string> {
    const rows = new Map<string, string>();
    for (const line of this.text[kind].split('\n').slice(0, -1)) {
      const { id } = JSON.parse(line) as Row;
      if (rows.has(id)) throw new Error(`${kind} ${id}: two rows`);
      rows.set(id, line);
    }
    return rows;
  }
}

/** The store of one coordinator's life: as `Store`, a row at a time, on the disk before anybody is told; but memory, and virtual time. */
export class SimulatedStore implements Rows {
  readonly files: Files;
  readonly #disk: Disk;
  readonly #by: Process;
  readonly #former: ReadonlySet<string>;
  readonly #rows: Record<Kind, Map<string, string>>;

  constructor(disk: Disk, by: Process, former: ReadonlySet<string> = new Set()) {
    this.#former = former;
    this.#disk = disk;
    this.#by = by;
    for (const kind of ['base', 'trial'] as const) {
      const whole = disk.text[kind].lastIndexOf('\n') + 1;
      if (whole < disk.text[kind].length) by.note(`cuts a torn line off ${kind}s`);
      disk.text[kind] = disk.text[kind].slice(0, whole);
    }
    this.#rows = { base: disk.rows('base'), trial: disk.rows('trial') };
    const nameOf = (kind: string, digest: string): string => `${kind}-${digest}`;
    this.files = {
      put: async (kind, bytes) => {
        const digest = contentDigest(bytes);
        await this.#write(() => disk.files.set(nameOf(kind, digest), bytes));
        return digest;
      },
      get: async (kind, digest) => {
        const bytes = disk.files.get(nameOf(kind, digest));
        if (!bytes) throw new Error(`${kind} ${digest}: not on the disk`);
        return bytes;
      },
      has: async (kind, digest) => disk.files.has(nameOf(kind, digest)),
    };
  }

  state(kind: Kind, id: string): 'ok' | 'failed' | undefined {
    const text = this.#rows[kind].get(id);
    return text === undefined ? undefined : text.includes('"ok":true') ? 'ok' : 'failed';
  }

  formerly(_kind: Kind, id: string): boolean {
    return this.#former.has(id);
  }

  row: Rows['row'] = async (kind: Kind, id: string): Promise<never> => JSON.parse(this.#rows[kind].get(id) ?? '') as never;

  async append({ kind, row }: JobResult): Promise<void> {
    if (this.#rows[kind].has(row.id)) throw new RangeError(`${kind} ${row.id}: a row of that id is there already`);
    const line = canonicalJson(row);
    // A crash in between leaves some of it.
    const half = Math.floor(this.#by.world.between(0, line.length + 1));
    await this.#write(() => {
      this.#disk.text[kind] += line.slice(0, half);
    });
    await this.#write(() => {
      this.#disk.text[kind] += `${line.slice(half)}\n`;
      this.#disk.whole.add(row.id);
    });
    this.#rows[kind].set(row.id, line);
    this.#by.note(`has the row of ${kind} ${row.id} on its disk`);
  }

  /** Takes a while; a process that is killed before does not write. */
  #write(work: () => void): Promise<void> {
    return new Promise((resolve) => {
      this.#by.after(this.#by.world.between(0.2, 4), () => {
        work();
        resolve();
      });
    });
  }
}
