import { join } from 'node:path';
import { type CheckEntry, LEDGER, parseCheckEntry } from '../contract/checks.ts';
import { canonicalJson, type Json } from '../contract/ids.ts';
import type { Row } from '../contract/job.ts';
import type { Provenance } from '../contract/rows.ts';
import { Lines, readLines } from './lines.ts';
import { type Ids, type Kind, readRows, type Store } from './store.ts';

/** What is on record of how a row came to be. */
export type Made = Pick<Provenance, 'worker' | 'cpu' | 'node' | 'wallMs' | 'basePolicy'>;

/** The record of checks in a results folder. It is made with its first line. Whoever has it holds the folder's lock. */
export class Ledger {
  readonly #store: Store;
  readonly #files: Partial<Record<keyof typeof LEDGER, Lines>> = {};

  constructor(store: Store) {
    this.#store = store;
  }

  /** In the order in which they were written. A line that is none, a torn one for example, is passed over. */
  async *entries(): AsyncGenerator<CheckEntry> {
    for await (const { text } of readLines(join(this.#store.folder, LEDGER.checks))) {
      const entry = parseCheckEntry(text);
      if (entry !== null) yield entry;
    }
  }

  async append(entry: CheckEntry): Promise<void> {
    await (await this.#open('checks')).append(canonicalJson(entry), true);
  }

  /** Keeps a row that does not count, for people. */
  async setAside(kind: Kind, row: Row, by: string, why: string): Promise<void> {
    await (await this.#open('aside')).append(canonicalJson({ kind, by, why, row } as unknown as Json), true);
  }

  /** How each row came to be, by its id: of several records of an id the last counts. Reads all of them. */
  async *made(): AsyncGenerator<readonly [string, Made]> {
    for await (const { text } of readLines(join(this.#store.folder, 'provenance.jsonl'))) {
      const record = parse(text);
      if (record !== null) yield [record.id, record];
    }
  }

  async madeOf(wanted: string): Promise<Made | undefined> {
    let found: Made | undefined;
    for await (const [id, made] of this.made()) if (id === wanted) found = made;
    return found;
  }

  rows(kind: Kind): AsyncGenerator<{ readonly row: Row }> {
    return readRows(this.#store.folder, kind);
  }

  /** Takes rows out of their files, and sets them aside. */
  async retract(ids: Ids, whose: (id: string) => string, why: string): Promise<void> {
    for (const kind of ['trial', 'base'] as const)
      if (ids[kind].size > 0)
        for await (const { row } of this.rows(kind)) if (ids[kind].has(row.id)) await this.setAside(kind, row, whose(row.id), why);
    await this.#store.retract(ids, why);
  }

  async close(): Promise<void> {
    for (const lines of Object.values(this.#files)) await lines.close();
  }

  async #open(name: keyof typeof LEDGER): Promise<Lines> {
    this.#files[name] ??= await Lines.open(join(this.#store.folder, LEDGER[name]));
    return this.#files[name];
  }
}

function parse(text: string): (Made & { readonly id: string }) | null {
  try {
    const record = JSON.parse(text) as Partial<Provenance>;
    const { id, cpu, node, wallMs } = record;
    const whole = typeof id === 'string' && typeof cpu === 'string' && typeof node === 'string' && typeof wallMs === 'number';
    return whole ? (record as Provenance) : null;
  } catch {
    return null;
  }
}
