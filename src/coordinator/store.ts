import { dirname, join } from 'node:path';
import type { Files } from '../bus/bus.ts';
import { ConfigError } from '../contract/errors.ts';
import { writeRefused } from '../contract/host.ts';
import { canonicalJson } from '../contract/ids.ts';
import { isTransient, type JobResult, type Row } from '../contract/job.ts';
import type { BaseRow, TrialRow } from '../contract/rows.ts';
import { DiskFiles, exists, makeFolder, syncFolder, writeWhole } from './disk.ts';
import { type FreezeOptions, type Frozen, formerIds, freeze } from './freeze.ts';
import { Lines, readLines } from './lines.ts';
import { Lock } from './lock.ts';

/** The two files of rows. */
export type Kind = 'base' | 'trial';
const FILE: Readonly<Record<Kind, string>> = { base: 'bases.jsonl', trial: 'trials.jsonl' };

/** Which rows. */
export type Ids = Readonly<Record<Kind, ReadonlySet<string>>>;

export type State = 'ok' | 'failed';

/**
 * A results folder: one line per row in bases.jsonl and trials.jsonl, which are the truth. Row by row on the disk before anybody
 * is told, never changed, ids unique. In memory are ids, states and the byte at which a row starts, never the rows.
 *
 * Provenance is written before its row, so a row always has one; an id may have several, of which the last counts.
 *
 * Failures that are not the trial's fault (`crashed`, `limit`) are taken out of the files when a run opens them, so that they run again and
 * their ids stay unique; the trials that were refused for such a base go with it. What they were is still in provenance.jsonl.
 * So are bases whose policy file is gone or altered: no trial could start from them, and training gives the same bytes again.
 */
export class Store {
  readonly folder: string;
  readonly files: DiskFiles;
  readonly #lock: Lock;
  readonly #lines: Record<Kind, Lines>;
  readonly #warn: (message: string) => void;
  readonly #provenance: Lines;
  /** id -> 2 * (byte at which its row starts) + (1 if it is ok). */
  readonly #rows: Readonly<Record<Kind, Map<string, number>>>;
  /** Ids of earlier plans: read when somebody asks. */
  #former: Ids | null = null;
  #closed = false;

  private constructor(
    folder: string,
    lock: Lock,
    files: DiskFiles,
    lines: Record<Kind, Lines>,
    provenance: Lines,
    rows: Readonly<Record<Kind, Map<string, number>>>,
    warn: (message: string) => void,
  ) {
    this.#warn = warn;
    this.folder = folder;
    this.#lock = lock;
    this.files = files;
    this.#lines = lines;
    this.#provenance = provenance;
    this.#rows = rows;
  }

  /** Opens a folder for a run: locked, frozen or compared, repaired. Throws ConfigError where its owner must decide. */
  static async open(folder: string, frozen: Frozen, options: FreezeOptions): Promise<Store> {
    const { warn } = options;
    const isNew = !(await exists(folder));
    await makeFolder(folder).catch((error: unknown) => {
      throw writeRefused(`${folder}: the folder`, error);
    });
    const lock = await Lock.take(join(folder, '.lock'), warn);
    try {
      await freeze(folder, frozen, options);
      await DiskFiles.prepare(folder);
      const open = async (name: string): Promise<Lines> => {
        const lines = await Lines.open(join(folder, name));
        if (lines.torn > 0) warn(`${lines.path}: the last line was torn (${lines.torn} bytes without a newline); cut off`);
        return lines;
      };
      await Promise.all((await Promise.all(Object.values(FILE).map(open))).map((lines) => lines.close()));
      const files = new DiskFiles(folder, warn);
      await dropTransient(folder, warn);
      await dropHollow(folder, files, warn);
      const rows = { base: await index(folder, 'base'), trial: await index(folder, 'trial') };
      const lines = { base: await open(FILE.base), trial: await open(FILE.trial) };
      const provenance = await open('provenance.jsonl');
      await syncFolder(folder);
      if (isNew) await syncFolder(dirname(folder));
      return new Store(folder, lock, files, lines, provenance, rows, warn);
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  /** Undefined: there is no row. */
  state(kind: Kind, id: string): State | undefined {
    const entry = this.#rows[kind].get(id);
    return entry === undefined ? undefined : entry % 2 === 1 ? 'ok' : 'failed';
  }

  count(kind: Kind): number {
    return this.#rows[kind].size;
  }

  ids(kind: Kind): Iterable<string> {
    return this.#rows[kind].keys();
  }

  /** Whether a plan that this folder had before wanted such a row: a worker may have begun it then. */
  formerly(kind: Kind, id: string): boolean {
    this.#former ??= formerIds(this.folder);
    return this.#former[kind].has(id);
  }

  /** Reads a row back from the disk. Throws RangeError when there is none. */
  row(kind: 'base', id: string): Promise<BaseRow>;
  row(kind: Kind, id: string): Promise<Row>;
  async row(kind: Kind, id: string): Promise<Row> {
    const entry = this.#rows[kind].get(id);
    if (entry === undefined) throw new RangeError(`${kind} ${id}: there is no such row`);
    return JSON.parse(await this.#lines[kind].read(Math.floor(entry / 2))) as Row;
  }

  /** On the disk when this returns. Throws when the id is there already, when the folder is no longer ours, and when the disk does not take it: then nothing of it stays. */
  async append({ kind, row, provenance }: JobResult): Promise<void> {
    this.#lock.expectHeld();
    if (this.#rows[kind].has(row.id)) throw new RangeError(`${this.#lines[kind].path}: a row of id ${row.id} is there already`);
    await this.#provenance.append(canonicalJson(provenance), false);
    const offset = await this.#lines[kind].append(canonicalJson(row), true);
    this.#rows[kind].set(row.id, 2 * offset + (row.ok ? 1 : 0));
  }

  /** Takes rows out again, a new file in place of the old one: trials first, none outlives its base. `why` stands behind "row(s)" in a message. */
  async retract(ids: Ids, why: string): Promise<void> {
    this.#lock.expectHeld();
    for (const kind of ['trial', 'base'] as const) {
      if (ids[kind].size === 0) continue;
      await this.#lines[kind].close();
      try {
        await drop(this.folder, kind, ids[kind], this.#warn, why);
      } finally {
        this.#lines[kind] = await Lines.open(join(this.folder, FILE[kind]));
      }
      const rows = await index(this.folder, kind);
      this.#rows[kind].clear();
      for (const [id, entry] of rows) this.#rows[kind].set(id, entry);
    }
  }

  /** Lets the folder go; synchronous, for the way out in a hurry. */
  release(): void {
    this.#lock.release();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await Promise.all([this.#lines.base.close(), this.#lines.trial.close(), this.#provenance.close()]);
    this.release();
  }
}

/** What who schedules needs of a results folder. */
export type Rows = Pick<Store, 'state' | 'row' | 'append' | 'formerly'> & { readonly files: Files };

/** A row as it stands in the file, with the byte at which it starts. */
interface Stored<R> {
  readonly row: R;
  readonly text: string;
  readonly offset: number;
}

export function readRows(folder: string, kind: 'base'): AsyncGenerator<Stored<BaseRow>>;
export function readRows(folder: string, kind: 'trial'): AsyncGenerator<Stored<TrialRow>>;
export function readRows(folder: string, kind: Kind): AsyncGenerator<Stored<Row>>;
/** The rows of a folder, one after the other, without writing or locking anything. Throws ConfigError for a line that is not a row. */
export async function* readRows(folder: string, kind: Kind): AsyncGenerator<Stored<Row>> {
  const path = join(folder, FILE[kind]);
  for await (const { text, offset, number } of readLines(path)) yield { row: parseRow(text, kind, `${path}:${number}`), text, offset };
}

export function parseRow(text: string, kind: Kind, where: string): Row {
  const value = parseObject(text);
  if (value !== null && isRow(value, kind)) return value as unknown as Row;
  const got = text.length > 60 ? `${JSON.stringify(text.slice(0, 60))}...` : JSON.stringify(text);
  throw new ConfigError(`${where}: expected the row of a ${kind}, got ${got}; delete the line, and the next run computes its row anew`);
}

type Fields = Readonly<Record<string, unknown>>;
const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Whether a line has what the coordinator reads of a row; the numbers of a result are the report's to judge. */
function isRow(value: Fields, kind: Kind): boolean {
  const { id, ok, base, spec, result, failure } = value;
  if (typeof id !== 'string' || typeof ok !== 'boolean' || !isFields(spec) || (kind === 'trial' && typeof base !== 'string')) return false;
  return ok ? isFields(result) : isFields(failure) && typeof failure['kind'] === 'string' && typeof failure['message'] === 'string';
}

function parseObject(text: string): Fields | null {
  try {
    const value: unknown = JSON.parse(text);
    return isFields(value) ? value : null;
  } catch {
    return null;
  }
}

async function index(folder: string, kind: Kind): Promise<Map<string, number>> {
  const rows = new Map<string, number>();
  let number = 0;
  for await (const { row, offset } of readRows(folder, kind)) {
    number++;
    if (rows.has(row.id)) {
      throw new ConfigError(
        `${join(folder, FILE[kind])}:${number}: expected every id once, got ${row.id} again; delete one of the two lines`,
      );
    }
    rows.set(row.id, 2 * offset + (row.ok ? 1 : 0));
  }
  return rows;
}

/** Takes out what is to be tried again. */
async function dropTransient(folder: string, warn: (message: string) => void): Promise<void> {
  const bases = new Set<string>();
  for await (const { row } of readRows(folder, 'base')) if (!row.ok && isTransient(row.failure)) bases.add(row.id);
  const trials = new Set<string>();
  for await (const { row } of readRows(folder, 'trial'))
    if (!row.ok && (isTransient(row.failure) || bases.has(row.base))) trials.add(row.id);
  // Trials first: a trial that was refused for a base must not outlive the row that says why.
  await drop(folder, 'trial', trials, warn, 'that crashed or met a limit run again');
  await drop(folder, 'base', bases, warn, 'that crashed or met a limit run again');
}

/** Takes out the bases whose policy is not what the row says, or not there. */
async function dropHollow(folder: string, files: DiskFiles, warn: (message: string) => void): Promise<void> {
  const hollow = new Set<string>();
  for await (const { row } of readRows(folder, 'base')) {
    if (!row.ok) continue;
    await files.get('policies', row.result.policy).catch((error: unknown) => {
      warn((error as Error).message);
      hollow.add(row.id);
    });
  }
  await drop(folder, 'base', hollow, warn, 'whose policy is not there are trained anew');
}

/** A new file in place of the old one, whole or not at all. */
async function drop(folder: string, kind: Kind, ids: ReadonlySet<string>, warn: (message: string) => void, why: string): Promise<void> {
  if (ids.size === 0) return;
  const kept = readRows(folder, kind);
  await writeWhole(
    join(folder, FILE[kind]),
    (async function* () {
      for await (const { row, text } of kept) if (!ids.has(row.id)) yield `${text}\n`;
    })(),
  );
  warn(`${join(folder, FILE[kind])}: ${ids.size} row(s) ${why}`);
}
