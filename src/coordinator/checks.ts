import { randomInt } from 'node:crypto';
import { type Machine, sameBits } from '../contract/bits.ts';
import { identityOf } from '../contract/cards.ts';
import type { CheckEntry } from '../contract/checks.ts';
import { shortId } from '../contract/ids.ts';
import { isTransient, type JobResult, type Row } from '../contract/job.ts';
import type { EngineName } from '../contract/spec.ts';
import type { Ledger, Made } from './ledger.ts';
import type { Ids, Kind, Store } from './store.ts';

/** A worker that takes jobs now. */
export interface Present extends Machine {
  readonly identity: string;
}

/** What the coordinator's own process is called among identities: no key has this name. */
const OURSELVES = '';
/** A check that nobody has done so many times is left, and a row of which so many different ones were sent. */
const MOST_OFFERS = 10;
const MOST_CLAIMS = 8;
/** Nobody waits longer for a check than for so many times its job, and this. */
const PATIENCE = 3;
const LEAST_PATIENCE_MS = 120_000;
const LONGEST_JOB_MS = 3_600_000;

interface Claim {
  readonly by: string;
  /** Short digest of the whole row. */
  readonly row: string;
}

/** A job that somebody else shall do, or that several did with different rows. */
export interface Check {
  readonly kind: Kind;
  readonly id: string;
  readonly engine: EngineName;
  /** Where its first row was made. */
  readonly on: Machine;
  readonly wallMs: number;
  readonly claims: Claim[];
  /** Whom the bus has it for, and since when; null when it has not. */
  sent: { readonly to: string; readonly at: number } | null;
  offers: number;
}

/** Two say the same, and these something else. */
export interface Verdict {
  readonly kind: Kind;
  readonly id: string;
  readonly by: readonly string[];
  readonly liars: readonly string[];
  /** The row that is stored is theirs. */
  readonly replaces: boolean;
}

export interface ChecksOptions {
  readonly store: Pick<Store, 'row' | 'state'>;
  readonly ledger: Ledger;
  /** Of the rows of workers, how many are computed again. */
  readonly share: number;
  readonly warn: (message: string) => void;
  /** Of [0, 1). No worker must be able to foresee it. */
  readonly random?: () => number;
}

const patienceOf = ({ wallMs }: Check): number => LEAST_PATIENCE_MS + PATIENCE * Math.min(wallMs, LONGEST_JOB_MS);
const unforeseen = (): number => randomInt(2 ** 47) / 2 ** 47;
const engineOf = ({ spec }: Row): EngineName => ('base' in spec ? spec.base.engine : spec.engine);
/** A crash or a limit is no finding: another row may stand beside it. */
export const isFinding = (row: Row): boolean => row.ok || !isTransient(row.failure);
const makerOf = ({ worker }: Pick<Made, 'worker'>): string => (worker === undefined ? OURSELVES : identityOf(worker));
/** As people read it. */
export const called = (identity: string): string => (identity === OURSELVES ? 'this machine' : identity);
const names = (identities: readonly string[]): string => identities.map(called).join(' and ');

/**
 * Spot checks: a share of the rows is computed again by a worker of another identity, and compared as a whole. Two identities that say the
 * same are believed against those that say something else. What is chosen, said and decided is on record before anything is done about it.
 */
export class Checks {
  readonly #options: ChecksOptions;
  readonly #random: () => number;
  readonly #open = new Map<string, Check>();
  /** What somebody else has computed, too: which row it is, and who says so. */
  readonly #vouched = new Map<string, { readonly row: string; readonly by: readonly string[] }>();
  /** Whose rows were to be taken out when the last coordinator ended. */
  #unfinished: string[] = [];
  #present: readonly Present[] = [];
  #isFresh = false;

  private constructor(options: ChecksOptions) {
    this.#options = options;
    this.#random = options.random ?? unforeseen;
  }

  static async open(options: ChecksOptions): Promise<Checks> {
    const checks = new Checks(options);
    for await (const entry of options.ledger.entries()) checks.#replay(entry);
    await checks.#meetRows();
    return checks;
  }

  #replay(entry: CheckEntry): void {
    if (entry.state === 'retracted') {
      this.#unfinished = [];
      this.#forget(entry.of, [...entry.base, ...entry.trial]);
      return;
    }
    const { kind, id } = entry;
    if (entry.state === 'chosen') {
      const { by, row, on, wallMs } = entry;
      this.#open.set(id, { kind, id, engine: 'wasm', on, wallMs, claims: this.#claimsOf(id, { by, row }), sent: null, offers: 0 });
    } else if (entry.state === 'unlike') {
      this.#open.get(id)?.claims.push({ by: entry.by, row: entry.row });
    } else {
      if (entry.by.length > 0) this.#close(entry);
      if (entry.state === 'decided') this.#unfinished.push(...entry.against);
    }
  }

  #close({ id, row, by }: { readonly id: string; readonly row: string; readonly by: readonly string[] }): void {
    this.#open.delete(id);
    this.#vouched.set(id, { row, by: [...new Set([...(this.#vouched.get(id)?.by ?? []), ...by])] });
  }

  /** Of the maker of a row, and of those who have vouched for it since. */
  #claimsOf(id: string, claim: Claim): Claim[] {
    const vouched = this.#vouched.get(id);
    const others = vouched?.row === claim.row ? vouched.by.filter((by) => by !== claim.by) : [];
    return [claim, ...others.map((by) => ({ by, row: claim.row }))];
  }

  /** What these said counts no more, and nothing that was said of rows that are gone. */
  #forget(liars: readonly string[], gone: Iterable<string>): void {
    for (const id of gone) {
      this.#open.delete(id);
      this.#vouched.delete(id);
    }
    for (const [id, check] of this.#open) this.#open.set(id, { ...check, claims: check.claims.filter(({ by }) => !liars.includes(by)) });
  }

  /** A row that was chosen may have been taken out since, or be another one. */
  async #meetRows(): Promise<void> {
    const { store } = this.#options;
    for (const [id, check] of this.#open) {
      const row = store.state(check.kind, id) === undefined ? null : await store.row(check.kind, id);
      if (row !== null && shortId(row) === check.claims[0]?.row) this.#open.set(id, { ...check, engine: engineOf(row) });
      else this.#open.delete(id);
    }
  }

  /** Who takes jobs now. It counts as seen until the next row comes. */
  set present(workers: readonly Present[]) {
    this.#isFresh = true;
    this.#present = workers;
  }

  /** Whose rows must go before anything else: a coordinator decided it, and ended before it was done. */
  get unfinished(): readonly string[] {
    return [...new Set(this.#unfinished)];
  }

  /** Whether somebody is there, or may have come, who can do what is left. */
  get waiting(): boolean {
    return [...this.#open.values()].some((check) => !this.#isFresh || this.#doable(check));
  }

  /** Jobs that others have on their desk, to compare. */
  get underway(): number {
    return [...this.#open.values()].filter(({ sent }) => sent !== null).length;
  }

  /** How long it is waited for when nothing else is left. */
  get patienceMs(): number {
    return Math.max(0, ...[...this.#open.values()].map(patienceOf));
  }

  #doable(check: Check): boolean {
    return (check.offers < MOST_OFFERS || check.sent !== null) && check.claims.length < MOST_CLAIMS && this.#able(check).length > 0;
  }

  /** Who is there, has said nothing of it, and makes the same bytes. */
  #able({ claims, engine, on }: Check): string[] {
    const able = this.#present.filter(
      ({ identity, ...machine }) => !claims.some(({ by }) => by === identity) && sameBits(engine, on, machine, 'other'),
    );
    return [...new Set(able.map(({ identity }) => identity))];
  }

  /** What should be on the bus and is not, and whom to give it to: any of those who can, so that nobody knows who checks whom. */
  due(): { readonly check: Check; readonly to: string }[] {
    return [...this.#open.values()].flatMap((check) => {
      const able = check.sent === null && this.#doable(check) ? this.#able(check) : [];
      const to = able[Math.floor(this.#random() * able.length)];
      return to === undefined ? [] : [{ check, to }];
    });
  }

  /** Given to somebody who has left, or who has not done it for long while others could: for others to do. */
  stale(now: number): Check[] {
    return [...this.#open.values()].filter((check) => {
      if (check.sent === null) return false;
      const able = this.#able(check);
      return able.length > 0 && (!able.includes(check.sent.to) || (able.length > 1 && now - check.sent.at > patienceOf(check)));
    });
  }

  /** What the bus no longer has is offered again. */
  meet(there: ReadonlySet<string>): void {
    for (const check of this.#open.values()) if (check.sent !== null && !there.has(check.id)) check.sent = null;
  }

  /** A row was taken. Some of them are chosen, by a chance that nobody foresees. */
  async took({ kind, row, provenance }: JobResult, by: string | null): Promise<void> {
    this.#isFresh = false;
    if (by === null || !isFinding(row) || this.#vouched.has(row.id) || !(this.#random() < this.#options.share)) return;
    await this.#choose(kind, row, by, provenance);
  }

  async #choose(kind: Kind, row: Row, by: string, { cpu, node, wallMs }: Made): Promise<Check> {
    const claim = { by, row: shortId(row) };
    const claims = this.#claimsOf(row.id, claim);
    const check: Check = { kind, id: row.id, engine: engineOf(row), on: { cpu, node }, wallMs, claims, sent: null, offers: 0 };
    await this.#options.ledger.append({ state: 'chosen', kind, id: row.id, ...claim, on: check.on, wallMs });
    this.#open.set(row.id, check);
    return check;
  }

  /** Somebody has sent a row of a job that has one, both of them findings. Null when that decides nothing. */
  async heard({ kind, row, provenance }: JobResult, by: string, stored: Row): Promise<Verdict | null> {
    const { ledger, warn } = this.#options;
    const { id } = row;
    const [claim, first] = [{ by, row: shortId(row) }, shortId(stored)];
    let check = this.#open.get(id);
    if (check === undefined) {
      if (claim.row === first) {
        await this.#agreed(kind, id, first, [by]);
        return null;
      }
      const made = (await ledger.madeOf(id)) ?? { cpu: '', node: '', wallMs: 0 };
      if (!sameBits(engineOf(row), made, provenance, 'other')) return null;
      check = await this.#choose(kind, stored, makerOf(made), made);
    }
    check.sent = null;
    if (!sameBits(check.engine, check.on, provenance, 'other')) return null;
    const { claims } = check;
    const before = claims.find((one) => one.by === by);
    const isNew = before?.row !== claim.row;
    if (isNew && claim.row !== first) await ledger.setAside(kind, row, called(by), 'another row is there');
    if (isNew && before !== undefined) {
      await ledger.append({ state: 'decided', kind, id, row: '', by: [], against: [by] });
      return { kind, id, by: [], liars: [by], replaces: false };
    }
    if (isNew) {
      claims.push(claim);
      if (claim.row !== first) await ledger.append({ state: 'unlike', kind, id, ...claim });
    }
    const saying = (its: string): string[] => claims.filter((one) => one.row === its).map((one) => one.by);
    const believed = [claim.row, first].find((its) => saying(its).length >= 2);
    if (believed === undefined) {
      const others = names(claims.filter((one) => one.row !== claim.row).map((one) => one.by));
      if (isNew)
        warn(`${kind} ${id}: ${called(by)} sent another row than ${others}; a further worker decides, the first row stays meanwhile`);
      return null;
    }
    const verdict = { kind, id, by: saying(believed) };
    const liars = claims.filter((one) => one.row !== believed).map((one) => one.by);
    if (liars.length === 0) {
      await this.#agreed(kind, id, first, verdict.by);
      return null;
    }
    await ledger.append({ state: 'decided', ...verdict, row: believed, against: liars });
    this.#close({ ...verdict, row: believed });
    return { ...verdict, liars, replaces: believed !== first };
  }

  async #agreed(kind: Kind, id: string, row: string, by: readonly string[]): Promise<void> {
    const known = this.#vouched.get(id)?.by ?? [];
    if (!by.every((one) => known.includes(one))) await this.#options.ledger.append({ state: 'same', kind, id, row, by: [...by] });
    this.#close({ id, row, by });
  }

  /** Takes out the rows of these that nobody else vouches for, those that were found to be others, and all trials of such bases. Returns what is gone. */
  async retract(liars: readonly string[]): Promise<Ids> {
    const { ledger } = this.#options;
    const whose = new Map<string, string>();
    for await (const [id, made] of ledger.made()) whose.set(id, makerOf(made));
    const doubtful = (row: Row): boolean => {
      const vouched = this.#vouched.get(row.id);
      if (vouched !== undefined && vouched.row !== shortId(row)) return true;
      return liars.includes(whose.get(row.id) ?? OURSELVES) && !vouched?.by.some((by) => !liars.includes(by));
    };
    const gone = { base: new Set<string>(), trial: new Set<string>() };
    for await (const { row } of ledger.rows('base')) if (doubtful(row)) gone.base.add(row.id);
    for await (const { row } of ledger.rows('trial'))
      if (doubtful(row) || ('base' in row && gone.base.has(row.base))) gone.trial.add(row.id);
    await ledger.retract(
      gone,
      (id) => called(whose.get(id) ?? OURSELVES),
      `of ${names(liars)}, or of a base of theirs, are computed again`,
    );
    await ledger.append({ state: 'retracted', of: [...liars], base: [...gone.base], trial: [...gone.trial] });
    this.#unfinished = [];
    this.#forget(liars, [...gone.base, ...gone.trial]);
    return gone;
  }

  /** What could not be checked, in words. */
  leftover(): string[] {
    const open = [...this.#open.values()];
    const disputed = open.filter(({ claims }) => new Set(claims.map(({ row }) => row)).size > 1);
    const alone = open.length - disputed.length;
    const said = disputed.map(
      ({ kind, id, claims }) =>
        `${kind} ${id}: ${names([...new Set(claims.map(({ by }) => by))])} sent different rows, and nobody else was there to decide; the first one stays, aside.jsonl has the others, and spc rerun tells which is right`,
    );
    if (alone > 0)
      said.push(
        `${alone} row(s) were chosen to be computed again by another worker, and there was none that could; a check takes workers of two keys, --recheck 0 makes none`,
      );
    return said;
  }
}
