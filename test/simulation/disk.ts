import type { Files } from '../../src/bus/bus.ts';
import type { CheckEntry } from '../../src/contract/checks.ts';
import { canonicalJson, contentDigest } from '../../src/contract/ids.ts';
import type { JobResult, Row } from '../../src/contract/job.ts';
import type { Provenance } from '../../src/contract/rows.ts';
import type { Ledger, Made } from '../../src/coordinator/ledger.ts';
import type { Ids, Kind, Rows } from '../../src/coordinator/store.ts';
import type { Process } from './world.ts';

/** What of a results folder outlives its coordinator: lines, of which the last may be torn, and files, which are there whole or not at all. */
export class Disk {
  readonly text: Record<Kind, string> = { base: '', trial: '' };
  readonly files = new Map<string, Uint8Array>();
  /** Lines of provenance.jsonl and of checks.jsonl. */
  readonly provenance: string[] = [];
  readonly checks: string[] = [];
  /** Rows were taken out again. */
  retracted = false;
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

  async append({ kind, row, provenance }: JobResult): Promise<void> {
    if (this.#rows[kind].has(row.id)) throw new RangeError(`${kind} ${row.id}: a row of that id is there already`);
    const line = canonicalJson(row);
    // A crash in between leaves some of it.
    const half = Math.floor(this.#by.world.between(0, line.length + 1));
    await this.#write(() => {
      this.#disk.provenance.push(JSON.stringify(provenance));
      this.#disk.text[kind] += line.slice(0, half);
    });
    await this.#write(() => {
      this.#disk.text[kind] += `${line.slice(half)}\n`;
      this.#disk.whole.add(row.id);
    });
    this.#rows[kind].set(row.id, line);
    this.#by.note(`has the row of ${kind} ${row.id} on its disk`);
  }

  /** A new file in place of the old one, trials first. */
  async retract(ids: Ids): Promise<void> {
    for (const kind of ['trial', 'base'] as const) {
      if (ids[kind].size === 0) continue;
      this.#disk.retracted = true;
      await this.#write(() => {
        const left = [...this.#disk.rows(kind)].filter(([id]) => !ids[kind].has(id));
        this.#disk.text[kind] = left.map(([, line]) => `${line}\n`).join('');
        for (const id of ids[kind]) this.#disk.whole.delete(id);
        this.#rows[kind] = new Map(left);
      });
    }
  }

  /** As `Ledger`. */
  get ledger(): Ledger {
    const [disk, write] = [this.#disk, this.#write.bind(this)];
    return {
      entries: async function* () {
        for (const line of disk.checks) yield JSON.parse(line);
      },
      append: (entry: CheckEntry) => write(() => disk.checks.push(JSON.stringify(entry))),
      setAside: async () => {},
      made: async function* () {
        for (const line of disk.provenance) yield madeIn(line);
      },
      madeOf: async (id: string) => disk.provenance.map(madeIn).findLast(([its]) => its === id)?.[1],
      rows: async function* (kind: Kind) {
        for (const line of disk.rows(kind).values()) yield { row: JSON.parse(line) };
      },
      retract: (ids: Ids) => this.retract(ids),
    } as unknown as Ledger;
  }

  /** Takes a while; a process that is killed before does not write. */
  #write(work: () => unknown): Promise<void> {
    return new Promise((resolve) => {
      this.#by.after(this.#by.world.between(0.2, 4), () => {
        work();
        resolve();
      });
    });
  }
}

function madeIn(line: string): readonly [string, Made] {
  const made = JSON.parse(line) as Provenance;
  return [made.id, made];
}
