import { hostname } from 'node:os';
import type { CoordinatorBus, Delivery } from '../bus/bus.ts';
import { type Clock, type Stop, systemClock } from '../bus/clock.ts';
import { Underway } from '../bus/underway.ts';
import { shortId } from '../contract/ids.ts';
import { type Job, type JobResult, type Limits, type TrainedRow, unlimited } from '../contract/job.ts';
import type { BaseRow, Failure } from '../contract/rows.ts';
import type { TrialSpec } from '../contract/spec.ts';
import type { Check, Checks, Present } from './checks.ts';
import { Intake, type JudgeFile } from './intake.ts';
import type { Ids, Kind, Rows } from './store.ts';

/** What the scheduler reads of a planned trial. */
export interface Planned {
  readonly id: string;
  readonly baseId: string;
  readonly spec: TrialSpec;
}

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
  readonly #wanted: Ids;
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
  readonly #intake: Intake;
  #turn: Promise<void> = Promise.resolve();
  /** Jobs on their way to the bus. */
  readonly #sending = new Underway(AT_ONCE);
  #failure: unknown = null;

  constructor(options: ScheduleOptions) {
    this.#options = options;
    this.#window = options.window;
    const { trials, store, bus, checks, warn = () => {}, judgeFile = () => {}, hold = () => {} } = options;
    this.#wanted = { trial: new Set(trials.map(({ id }) => id)), base: new Set(trials.map(({ baseId }) => baseId)) };
    const distrust = (held: ReadonlySet<string>): void => bus.distrust(held);
    this.#intake = new Intake({ store, wanted: this.#wanted, checks, warn, judgeFile, hold, distrust });
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
        if (checks !== undefined && checks.unfinished.length > 0) await this.#retract(checks.unfinished);
        await this.#topUp();
      });
      if (this.#finished) return;
      for await (const delivery of bus.results()) {
        await this.#inTurn(async () => {
          this.#heardAt = clock.now();
          if ('malformed' in delivery) this.#intake.refuseMalformed(delivery);
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
    this.#intake.held = held;
  }

  async #take(delivery: Delivery): Promise<void> {
    const taken = await this.#intake.take(delivery);
    if (taken === null) return;
    const { result } = taken;
    if (taken.is === 'verdict') {
      const gone = await this.#retract(taken.verdict.liars);
      const isOfGone = result.kind === 'trial' && gone.base.has(result.row.base);
      if (!taken.verdict.replaces || isOfGone) return;
    }
    await this.#append(result, delivery.from);
    if (result.kind === 'base') this.#release(result.row.id);
  }

  /** Nothing that these alone have said stays, and nothing that was made of it. It is wanted as if it had never been there. */
  async #retract(liars: readonly string[]): Promise<Ids> {
    const { trials, checks } = this.#options;
    const gone = (await checks?.retract(liars)) ?? { base: new Set(), trial: new Set() };
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

  async #append(result: JobResult, from: string | null): Promise<void> {
    await this.#options.store.append(result);
    await this.#options.checks?.took(result, from);
    this.#intake.took(result.row, from);
    this.#queued.delete(result.row.id);
    // What ended a dispute may be of an earlier plan.
    if (this.#wanted[result.kind].has(result.row.id)) this.#count(result.kind, result.row.ok ? 'ok' : 'failed');
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
