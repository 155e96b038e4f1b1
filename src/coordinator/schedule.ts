import { hostname } from 'node:os';
import type { CoordinatorBus, Delivery, Files, Malformed } from '../bus/bus.ts';
import { type Clock, type Stop, systemClock } from '../bus/clock.ts';
import { Underway } from '../bus/underway.ts';
import { identityOf } from '../contract/cards.ts';
import { ContentError } from '../contract/errors.ts';
import { shortId } from '../contract/ids.ts';
import {
  contradicts,
  type FileKind,
  filesOf,
  type Job,
  type JobResult,
  type Limits,
  type Row,
  type TrainedRow,
  unlimited,
} from '../contract/job.ts';
import type { BaseRow, Failure } from '../contract/rows.ts';
import type { TrialSpec } from '../contract/spec.ts';
import { type Check, type Checks, called, isFinding, type Present, type Verdict } from './checks.ts';
import type { Ids, Kind, Store } from './store.ts';
import { Trust } from './trust.ts';

/** What the scheduler reads of a planned trial. */
export interface Planned {
  readonly id: string;
  readonly baseId: string;
  readonly spec: TrialSpec;
}

/** What the scheduler needs of a results folder. */
export type Rows = Pick<Store, 'state' | 'row' | 'append' | 'formerly'> & { readonly files: Files };

/** Throws RangeError for a file that is not what the row says of it; its digest is right. */
export type JudgeFile = (row: Row, kind: FileKind, bytes: Uint8Array) => void;

export interface ScheduleOptions {
  /** In the order in which they are wanted: seed-major, so that partial tables are balanced. */
  readonly trials: readonly Planned[];
  readonly store: Rows;
  readonly bus: CoordinatorBus;
  /** At most so many jobs are on the bus, until `resize`: enough that no slot waits, few enough that the order holds. */
  readonly window: number;
  readonly numerics: string;
  readonly limits?: Limits;
  readonly warn?: (message: string) => void;
  /** Reads what a worker sent before its row counts. */
  readonly judgeFile?: JudgeFile;
  /** Has some jobs done again by others; without them, the first row of a job stays whatever comes later. */
  readonly checks?: Checks;
  /** An identity whose rows are not to be trusted. */
  readonly hold?: (identity: string, reason: string) => void;
  /** After every row. */
  readonly onRow?: (result: JobResult) => void;
  /** How often the bus is asked whether it still has what it was given. */
  readonly auditMs?: number;
  readonly clock?: Clock;
}

/** What is wanted and what there is of it, trials and bases. */
export interface Tally {
  readonly trials: number;
  readonly bases: number;
  done: { trial: number; base: number };
  failed: { trial: number; base: number };
}

/** Jobs that are given to the bus at the same time: the way there and back is longer than the work. */
const AT_ONCE = 16;
/** A worker says that it has done a check just after its row has come. */
const SOON_MS = 500;

/** A row says who made it, for people; where that is another's name, or none, it gets its sender's. */
function named({ result, from }: Delivery): JobResult {
  const { worker } = result.provenance;
  if (from === null || (worker !== undefined && identityOf(worker) === from)) return result;
  return { ...result, provenance: { ...result.provenance, worker: from } } as JobResult;
}

/** Why the trials of a failed base have no numbers. The same words wherever it happens: they are part of a row. */
export const baseFailed = (base: string, failure: Failure): Failure => ({
  kind: 'refused',
  message: `base ${base} ${failure.kind}: ${failure.message}`,
});

/**
 * Keeps computing *wanted - rows on disk - queued* and tops up the bus with it, in order. A trial is released when its base's row is there;
 * when its base failed, its own row says so and nothing is run. Every result is appended, on the disk, and then acknowledged.
 * In memory: the plan it was given, ids and states; rows pass through.
 */
export class Schedule {
  readonly tally: Tally;
  readonly #options: ScheduleOptions;
  readonly #wanted: Readonly<Record<Kind, ReadonlySet<string>>>;
  /** Indices of trials whose base is on its way. */
  readonly #waiting = new Map<string, number[]>();
  /** Indices of trials whose base is there, released but not yet on the bus. */
  #ready: number[] = [];
  /** The first trial that was not looked at. */
  #cursor = 0;
  /** Jobs that were given to the bus and have no row yet, with the index of the trial that wanted them first. */
  readonly #queued = new Map<string, number>();
  /** The base that was read last: the next trial usually wants the same. */
  #base: BaseRow | null = null;
  /** When something came last. */
  #heardAt = 0;
  /** Ends a later try to give a check to the bus. */
  #again: Stop = () => {};
  #stopped = false;
  #paused = false;
  #window: number;
  readonly #trust: Trust;
  /** Of whom it was said that their rows are refused. */
  readonly #ignored = new Set<string>();
  #turn: Promise<void> = Promise.resolve();
  /** Jobs on their way to the bus. */
  readonly #sending = new Underway(AT_ONCE);
  #failure: unknown = null;

  constructor(options: ScheduleOptions) {
    this.#options = options;
    this.#window = options.window;
    this.#trust = new Trust(options.hold ?? (() => {}));
    const { trials } = options;
    this.#wanted = { trial: new Set(trials.map(({ id }) => id)), base: new Set(trials.map(({ baseId }) => baseId)) };
    const [all, bases] = [this.#wanted.trial.size, this.#wanted.base.size];
    this.tally = { trials: all, bases, done: { trial: 0, base: 0 }, failed: { trial: 0, base: 0 } };
    this.#recount();
  }

  get complete(): boolean {
    return this.tally.done.trial === this.tally.trials && this.tally.done.base === this.tally.bases;
  }

  /** Nothing is left to do, or nobody does it. */
  get #finished(): boolean {
    const { checks, clock = systemClock } = this.#options;
    return this.complete && (checks === undefined || !checks.waiting || clock.now() - this.#heardAt > checks.patienceMs);
  }

  /** Resolves when every wanted trial and every base has its row, and what was to be checked is, or after `stop` when the bus has no more results. Then the bus is closed. */
  async run(): Promise<void> {
    const { bus, checks, auditMs = 5_000, clock = systemClock } = this.#options;
    this.#heardAt = clock.now();
    const stop = clock.every(auditMs, () => {
      this.#inTurn(() => this.#audit()).catch((error: unknown) => this.#fail(error));
    });
    try {
      await this.#inTurn(async () => {
        if (checks !== undefined && checks.unfinished.length > 0) await this.#retract(checks, checks.unfinished);
        await this.#topUp();
      });
      if (this.#finished) return;
      for await (const delivery of bus.results()) {
        await this.#inTurn(async () => {
          this.#heardAt = clock.now();
          if ('malformed' in delivery) this.#refuseMalformed(delivery);
          else {
            await this.#take(delivery);
            await delivery.ack();
          }
          await this.#topUp();
        });
        if (this.#finished) return;
      }
      if (this.#failure !== null) throw this.#failure;
    } finally {
      stop();
      this.#again();
      await bus.close();
    }
  }

  /** Gives nothing more to the bus. What is finished there is still recorded. */
  stop(): void {
    this.#stopped = true;
  }

  /** Jobs on the bus that have no row yet. */
  get queued(): number {
    return this.#queued.size;
  }

  get window(): number {
    return this.#window;
  }

  /** Gives nothing more to the bus until `resume`, and takes back what is there, apart from what runs. */
  pause(running: ReadonlySet<string>): Promise<void> {
    return this.#inTurn(async () => {
      this.#paused = true;
      await this.#withdraw([...this.#queued.keys()].filter((id) => !running.has(id)));
    });
  }

  resume(): Promise<void> {
    return this.#inTurn(async () => {
      this.#paused = false;
      await this.#topUp();
    });
  }

  /** Of a window that has become much smaller the last are taken back: others want the slots, too. */
  resize(window: number): Promise<void> {
    return this.#inTurn(async () => {
      this.#window = window;
      if (this.#queued.size > 2 * window) await this.#withdraw([...this.#queued.keys()].slice(window));
      await this.#topUp();
    });
  }

  /** Who takes jobs now: only others than those who made a row can check it. */
  present(workers: readonly Present[]): Promise<void> {
    const { checks } = this.#options;
    if (checks === undefined) return Promise.resolve();
    return this.#inTurn(async () => {
      checks.present = workers;
      await this.#offerChecks();
      await this.#endIfFinished();
    });
  }

  /** One thing after the other: files have one writer. */
  #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => {});
    return turn;
  }

  /** Whose rows are refused from now on, until it is said anew: their jobs are offered again. */
  distrust(held: ReadonlySet<string>): void {
    this.#trust.held = held;
    this.#options.bus.distrust(held);
  }

  async #take(delivery: Delivery): Promise<void> {
    const { store, warn = () => {} } = this.#options;
    const { from } = delivery;
    const result = named(delivery);
    const { id } = result.row;
    if (from !== null && this.#trust.held.has(from)) {
      if (this.#ignored.has(from)) return;
      this.#ignored.add(from);
      warn(`${from} is held: its rows are refused until it is released, ${result.kind} ${id} is the first`);
      return;
    }
    if (from !== null) this.#ignored.delete(from);
    if (store.state(result.kind, id) !== undefined) {
      await this.#compare(delivery, result);
      return;
    }
    if (!this.#wanted[result.kind].has(id)) {
      if (store.formerly(result.kind, id)) warn(`${result.kind} ${id}: an earlier plan of this sweep asked for it; its row is dropped`);
      else this.#refuseRow(result, from, 'nobody asked for it', true);
      return;
    }
    if (await this.#isOfOldBase(result)) return;
    if (!(await this.#hasFiles(delivery, result))) return;
    await this.#append(result, from);
    if (result.kind === 'base') this.#release(id);
  }

  /** A base that was found to be forged has left trials on their way: what they say is of a policy that is not its. */
  async #isOfOldBase({ kind, row, provenance: { basePolicy } }: JobResult): Promise<boolean> {
    const { store, checks, warn } = this.#options;
    if (kind !== 'trial' || checks === undefined || basePolicy === undefined) return false;
    const base = store.state('base', row.base) === 'ok' ? await store.row('base', row.base) : null;
    if (base?.ok && base.result.policy === basePolicy) return false;
    warn?.(`trial ${row.id}: it started from a policy that its base has no longer; its row is dropped`);
    return true;
  }

  /** False: the row is refused. */
  async #hasFiles(delivery: Delivery, result: JobResult): Promise<boolean> {
    try {
      await this.#fetchFiles(delivery);
      return true;
    } catch (error) {
      if (!(error instanceof ContentError)) throw error;
      this.#refuseRow(result, delivery.from, error.message, error.forged);
      return false;
    }
  }

  /** A job that has a row was done again. */
  async #compare(delivery: Delivery, result: JobResult): Promise<void> {
    const { store, checks, warn = () => {} } = this.#options;
    const { from } = delivery;
    const { kind, row } = result;
    const stored = await store.row(kind, row.id);
    const differs = contradicts(stored, row);
    if (checks === undefined || from === null) {
      if (differs) warn(`determinism alarm: ${kind} ${row.id} came again with a different row; the first one stays`);
      return;
    }
    if (!isFinding(stored) || !isFinding(row) || (await this.#isOfOldBase(result))) return;
    if (differs && !(await this.#hasFiles(delivery, result))) return;
    const verdict = await checks.heard(result, from, stored);
    if (verdict === null) return;
    this.#hold(verdict);
    const gone = await this.#retract(checks, verdict.liars);
    if (verdict.replaces && !(kind === 'trial' && gone.base.has(row.base))) await this.#append(result, from);
  }

  #hold({ kind, id, by, liars }: Verdict): void {
    const reason =
      by.length > 0
        ? `its row of ${kind} ${id} is not the one of ${by.map(called).join(' and ')}`
        : `it sent two different rows of ${kind} ${id}`;
    for (const liar of liars) if (liar !== '') this.#trust.lied(liar, reason);
    this.#options.bus.distrust(this.#trust.held);
  }

  /** Nothing that these alone have said stays, and nothing that was made of it. It is wanted as if it had never been there. */
  async #retract(checks: Checks, liars: readonly string[]): Promise<Ids> {
    const gone = await checks.retract(liars);
    const { trials } = this.#options;
    const isGone = ({ id, baseId }: Planned): boolean => gone.trial.has(id) || gone.base.has(baseId);
    await this.#withdraw([...this.#queued].flatMap(([id, index]) => (gone.base.has(trials[index]?.baseId ?? '') ? [id] : [])));
    this.#base = null;
    this.#recount();
    for (const [index, trial] of trials.entries()) if (index < this.#cursor && isGone(trial)) this.#ready.push(index);
    this.#ready.sort((a, b) => a - b);
    return gone;
  }

  /** Gives the bus what others shall do again. What it does not take now, because its last taker is about to leave it, it takes a little later. */
  async #offerChecks(): Promise<void> {
    const { checks, bus, clock = systemClock } = this.#options;
    if (checks === undefined || this.#stopped || this.#paused) return;
    const stale = checks.stale(clock.now());
    if (stale.length > 0) {
      await bus.withdraw(stale.map(({ id }) => id));
      for (const check of stale) check.sent = null;
    }
    let refused = false;
    for (const { check, to } of checks.due()) {
      const job = await this.#jobOf(check);
      if (job === null) continue;
      if (await bus.enqueue(job, to)) {
        check.sent = { to, at: clock.now() };
        check.offers++;
      } else refused = true;
    }
    this.#again();
    if (!refused) return;
    this.#again = clock.after(SOON_MS, () => void this.#inTurn(() => this.#offerChecks()).catch((error: unknown) => this.#fail(error)));
  }

  async #jobOf({ kind, id }: Check): Promise<Job | null> {
    const { store, limits = unlimited } = this.#options;
    const row = await store.row(kind, id);
    if (!('base' in row)) return { kind: 'base', id, spec: row.spec, limits };
    const base = store.state('base', row.base) === 'ok' ? await store.row('base', row.base) : null;
    return base?.ok ? { kind: 'trial', id, spec: row.spec, base, limits } : null;
  }

  async #endIfFinished(): Promise<void> {
    if (this.#finished) await this.#options.bus.close();
  }

  /** It is as if the row had never come; the audit finds that its job is missing. */
  #refuseRow({ kind, row }: JobResult, from: string | null, why: string, forged: boolean): void {
    const reason = `${kind} ${row.id}: row refused, ${why}`;
    this.#options.warn?.(from === null ? reason : `${reason} (from ${from})`);
    this.#trust.refused(from, reason, forged);
    this.#options.bus.distrust(this.#trust.held);
  }

  /** An honest worker of another version may send such a thing, but not one after the other. */
  #refuseMalformed({ from, malformed }: Malformed): void {
    if (from !== null && this.#trust.held.has(from)) return; // that was said
    this.#options.warn?.(malformed);
    this.#trust.refused(from, malformed, false);
  }

  /** A row counts when its files are here too, and are what it says they are. */
  async #fetchFiles({ result: { row }, file }: Delivery): Promise<void> {
    const { store, judgeFile = () => {} } = this.#options;
    for (const [kind, digest] of filesOf(row)) {
      const there = await store.files.has(kind, digest);
      const bytes = there ? await store.files.get(kind, digest) : await file(kind, digest);
      try {
        judgeFile(row, kind, bytes);
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        throw new ContentError(`${kind}-${digest}: ${error.message}`, true);
      }
      if (!there) await store.files.put(kind, bytes);
    }
  }

  async #append(result: JobResult, from: string | null): Promise<void> {
    await this.#options.store.append(result);
    await this.#options.checks?.took(result, from);
    this.#trust.took(result.row, from);
    this.#options.bus.distrust(this.#trust.held);
    this.#queued.delete(result.row.id);
    this.#count(result.kind, result.row.ok ? 'ok' : 'failed');
    this.#options.onRow?.(result);
  }

  #recount(): void {
    const { store } = this.#options;
    for (const kind of ['trial', 'base'] as const) {
      this.tally.done[kind] = this.tally.failed[kind] = 0;
      for (const id of this.#wanted[kind]) this.#count(kind, store.state(kind, id));
    }
  }

  #count(kind: Kind, state: 'ok' | 'failed' | undefined): void {
    if (state === undefined) return;
    this.tally.done[kind]++;
    if (state === 'failed') this.tally.failed[kind]++;
  }

  #release(baseId: string): void {
    this.#ready.push(...(this.#waiting.get(baseId) ?? []));
    this.#ready.sort((a, b) => a - b);
    this.#waiting.delete(baseId);
  }

  async #topUp(): Promise<void> {
    await this.#offerChecks();
    while (!this.#stopped && !this.#paused && this.#queued.size < this.#window) {
      const index = this.#ready.shift() ?? this.#cursor++;
      const trial = this.#options.trials[index];
      if (!trial) {
        this.#cursor = this.#options.trials.length;
        return;
      }
      if (!this.#queued.has(trial.id)) await this.#offer(trial, index);
    }
  }

  async #offer(trial: Planned, index: number): Promise<void> {
    const { store, limits = unlimited } = this.#options;
    const there = store.state('trial', trial.id) !== undefined;
    if (store.state('base', trial.baseId) === undefined) {
      // A base is wanted for itself, too: its cost is half of every overhead.
      const waiting = this.#waiting.get(trial.baseId) ?? [];
      if (!there) waiting.push(index);
      if (this.#waiting.has(trial.baseId)) return;
      this.#waiting.set(trial.baseId, waiting);
      await this.#enqueue({ kind: 'base', id: trial.baseId, spec: trial.spec.base, limits }, index);
      return;
    }
    if (there) return;
    if (this.#base?.id !== trial.baseId) this.#base = await store.row('base', trial.baseId);
    if (this.#base.ok)
      await this.#enqueue({ kind: 'trial', id: trial.id, spec: trial.spec, base: this.#base as TrainedRow, limits }, index);
    else await this.#refuse(trial, baseFailed(trial.baseId, this.#base.failure));
  }

  async #enqueue(job: Job, index: number): Promise<void> {
    this.#queued.set(job.id, index);
    const sent = this.#options.bus.enqueue(job).then(
      () => {},
      (error: unknown) => this.#fail(error),
    );
    await this.#sending.add(sent);
  }

  /** Ends the run, with the first error. */
  #fail(error: unknown): void {
    this.#failure ??= error;
    void this.#options.bus.close();
  }

  async #refuse(trial: Planned, failure: Failure): Promise<void> {
    const { id, baseId, spec } = trial;
    const result: JobResult = {
      kind: 'trial',
      row: { id, base: baseId, spec, ok: false, failure },
      provenance: {
        id,
        kind: 'trial',
        ok: false,
        attempt: 0,
        host: shortId(hostname()).slice(0, 8),
        cpu: '',
        node: process.version,
        engine: '',
        numerics: this.#options.numerics,
        startedAt: new Date().toISOString(),
        wallMs: 0,
        phasesMs: {},
      },
    };
    await this.#append(result, null);
  }

  /** What the bus lost is offered again: it may forget everything at any time. */
  async #audit(): Promise<void> {
    await this.#sending.settled();
    const asked = [...this.#queued];
    const there = await this.#options.bus.queued();
    this.#options.checks?.meet(there);
    await this.#offerChecks();
    await this.#endIfFinished();
    const lost = asked.filter(([id]) => !there.has(id) && this.#queued.has(id));
    if (lost.length === 0 || this.#stopped) return;
    this.#options.warn?.(`the bus lost ${lost.length} job(s); they are offered again`);
    this.#unqueue(lost.map(([id]) => id));
    await this.#topUp();
    await this.#endIfFinished();
  }

  async #withdraw(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    await this.#sending.settled();
    await this.#options.bus.withdraw(ids);
    this.#unqueue(ids);
  }

  /** They are wanted as if they had never been given to the bus. */
  #unqueue(ids: readonly string[]): void {
    for (const id of ids) {
      const index = this.#queued.get(id);
      if (index === undefined) continue;
      this.#queued.delete(id);
      this.#ready.push(index);
      this.#release(id); // if it was a base
    }
    this.#ready.sort((a, b) => a - b);
  }
}
