import type { Delivery, Malformed } from '../bus/bus.ts';
import { identityOf } from '../contract/cards.ts';
import { ContentError } from '../contract/errors.ts';
import { contradicts, type FileKind, filesOf, type JobResult, type Row } from '../contract/job.ts';
import { type Checks, called, isFinding, type Verdict } from './checks.ts';
import type { Ids, Rows } from './store.ts';
import { Trust } from './trust.ts';

/** Throws RangeError for a file that is not what the row says of it; its digest is right. */
export type JudgeFile = (row: Row, kind: FileKind, bytes: Uint8Array) => void;

export interface IntakeOptions {
  readonly store: Rows;
  /** Ids of rows that somebody asked for. */
  readonly wanted: Ids;
  readonly checks: Checks | undefined;
  readonly warn: (message: string) => void;
  readonly judgeFile: JudgeFile;
  readonly hold: (identity: string, reason: string) => void;
  /** Hears who is held, whenever that may have changed. */
  readonly distrust: (held: ReadonlySet<string>) => void;
}

/** What is to be done about a row that arrived: to keep it, or to do what a dispute that it ended asks for. */
export type Taken =
  | { readonly is: 'row'; readonly result: JobResult }
  | { readonly is: 'verdict'; readonly result: JobResult; readonly verdict: Verdict };

/** Why a row is refused. `lost`: it costs no trust. */
interface Fault {
  readonly why: string;
  readonly forged: boolean;
  readonly lost: boolean;
}

/** Judges what arrives: whether it is to be believed, is wanted, and has its files. What is refused is said, and may cost its sender its trust. */
export class Intake {
  readonly #options: IntakeOptions;
  readonly #trust: Trust;
  /** Of whom it was said that their rows are refused. */
  readonly #ignored = new Set<string>();

  constructor(options: IntakeOptions) {
    this.#options = options;
    this.#trust = new Trust(options.hold);
  }

  /** Who is held from now on, whoever wanted it. */
  set held(identities: ReadonlySet<string>) {
    this.#trust.held = identities;
    this.#tell();
  }

  /** Null: there is nothing to do about it. */
  async take(delivery: Delivery): Promise<Taken | null> {
    const { store, wanted, warn } = this.#options;
    const { from } = delivery;
    const result = named(delivery);
    const { kind, row } = result;
    if (this.#isIgnored(result, from)) return null;
    if (store.state(kind, row.id) !== undefined) return this.#compare(delivery, result);
    if (!wanted[kind].has(row.id)) {
      if (store.formerly(kind, row.id)) warn(`${kind} ${row.id}: an earlier plan of this sweep asked for it; its row is dropped`);
      else this.#refuse(result, from, { why: 'nobody asked for it', forged: true, lost: false });
      return null;
    }
    if ((await this.#isOfOldBase(result)) || !(await this.#hasFiles(delivery, result))) return null;
    return { is: 'row', result };
  }

  /** A row that was taken is on the disk. */
  took(row: Row, from: string | null): void {
    this.#trust.took(row, from);
    this.#tell();
  }

  /** An honest worker of another version may send such a thing, but not one after the other. */
  refuseMalformed({ from, malformed }: Malformed): void {
    if (from !== null && this.#trust.held.has(from)) return; // that was said
    this.#options.warn(malformed);
    this.#trust.refused(from, malformed, false);
  }

  #tell(): void {
    this.#options.distrust(this.#trust.held);
  }

  #isIgnored({ kind, row }: JobResult, from: string | null): boolean {
    if (from === null) return false;
    if (!this.#trust.held.has(from)) {
      this.#ignored.delete(from);
      return false;
    }
    if (!this.#ignored.has(from))
      this.#options.warn(`${from} is held: its rows are refused until it is released, ${kind} ${row.id} is the first`);
    this.#ignored.add(from);
    return true;
  }

  /** A base that was found to be forged has left trials on their way: what they say is of a policy that is not its. */
  async #isOfOldBase({ kind, row, provenance: { basePolicy } }: JobResult): Promise<boolean> {
    const { store, checks, warn } = this.#options;
    if (kind !== 'trial' || checks === undefined || basePolicy === undefined) return false;
    const base = store.state('base', row.base) === 'ok' ? await store.row('base', row.base) : null;
    if (base?.ok && base.result.policy === basePolicy) return false;
    warn(`trial ${row.id}: it started from a policy that its base has no longer; its row is dropped`);
    return true;
  }

  /** A job that has a row was done again. */
  async #compare(delivery: Delivery, result: JobResult): Promise<Taken | null> {
    const { store, checks, warn } = this.#options;
    const { from } = delivery;
    const { kind, row } = result;
    const stored = await store.row(kind, row.id);
    const differs = contradicts(stored, row);
    if (checks === undefined || from === null) {
      if (differs) warn(`determinism alarm: ${kind} ${row.id} came again with a different row; the first one stays`);
      return null;
    }
    if (!isFinding(stored) || !isFinding(row) || (await this.#isOfOldBase(result))) return null;
    if (differs && !(await this.#hasFiles(delivery, result))) return null;
    const verdict = await checks.heard(result, from, stored);
    if (verdict === null) return null;
    const { by, liars } = verdict;
    const name = `${kind} ${row.id}`;
    const lie =
      by.length > 0 ? `its row of ${name} is not the one of ${by.map(called).join(' and ')}` : `it sent two different rows of ${name}`;
    for (const liar of liars) if (liar !== '') this.#trust.lied(liar, lie);
    this.#tell();
    return { is: 'verdict', result, verdict };
  }

  /** A row counts when its files are here too, and are what it says they are. False: it is refused. */
  async #hasFiles({ from, file }: Delivery, result: JobResult): Promise<boolean> {
    const { store, judgeFile } = this.#options;
    try {
      for (const [kind, digest] of filesOf(result.row)) {
        const there = await store.files.has(kind, digest);
        const bytes = there ? await store.files.get(kind, digest) : await file(kind, digest);
        judged(`${kind}-${digest}`, () => judgeFile(result.row, kind, bytes));
        if (!there) await store.files.put(kind, bytes);
      }
      return true;
    } catch (error) {
      if (!(error instanceof ContentError)) throw error;
      this.#refuse(result, from, { why: error.message, forged: error.forged, lost: error.lost });
      return false;
    }
  }

  /** It is as if the row had never come; the audit finds that its job is missing. */
  #refuse({ kind, row }: JobResult, from: string | null, { why, forged, lost }: Fault): void {
    const reason = `${kind} ${row.id}: row refused, ${why}`;
    this.#options.warn(from === null ? reason : `${reason} (from ${from})`);
    if (!lost) this.#trust.refused(from, reason, forged);
    this.#tell();
  }
}

function judged(name: string, judge: () => void): void {
  try {
    judge();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new ContentError(`${name}: ${error.message}`, true);
  }
}

/** A row says who made it, for people; where that is another's name, or none, it gets its sender's. */
function named({ result, from }: Delivery): JobResult {
  const { worker } = result.provenance;
  if (from === null || (worker !== undefined && identityOf(worker) === from)) return result;
  return { ...result, provenance: { ...result.provenance, worker: from } } as JobResult;
}
