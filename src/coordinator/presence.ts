import type { Roll } from '../bus/bus.ts';
import { type Clock, systemClock } from '../bus/clock.ts';
import {
  identityOf,
  MOST_NAMES,
  NAME_LETTERS,
  REASON_LETTERS,
  SILENT_MS,
  type SweepCard,
  type Wish,
  type WorkerCard,
} from '../contract/cards.ts';
import { ConfigError } from '../contract/errors.ts';
import type { JobResult } from '../contract/job.ts';
import type { Running } from './forecast.ts';
import type { Schedule } from './schedule.ts';
import { RunningMedian, windowOf } from './share.ts';

export interface PresenceOptions {
  readonly roll: Roll;
  /** Who we are; what changes is filled in here. */
  readonly who: Pick<SweepCard, 'name' | 'key' | 'cap' | 'origin' | 'host' | 'pid' | 'startedAt' | 'weight'>;
  readonly warn?: (message: string) => void;
  /** Nobody wants the rest of the sweep. */
  readonly cancelled: (reason: string) => void;
  /** How a worker joins, as a command. */
  readonly howToJoin: string;
  readonly clock?: Clock;
}

const EVERY_MS = 5_000;
/** Workers show themselves within so long. */
const ALONE_MS = 4_000;
const RATE_MS = 60_000;
/** Until the first look. */
export const FIRST_WINDOW = 16;

/** A coordinator among others: shows how far its sweep is, takes its share of the workers, does what is wanted of it. */
export class Presence {
  readonly #options: PresenceOptions;
  readonly #clock: Clock;
  readonly #median = new RunningMedian();
  #schedule: Schedule | null = null;
  #card: SweepCard;
  #workers = { count: 0, slots: 0 };
  #running: readonly Running[] = [];
  readonly #startedMs: number;
  /** When the rows of the last minute came. */
  #rowsAt: number[] = [];
  /** Since when nobody computes, and whether that was said. */
  #alone: { readonly sinceMs: number; said: boolean } | null;
  #describe: Describe = { left: () => null, nameOf: () => new Map() };
  #end: () => void = () => {};
  #lookNow: () => unknown = () => {};
  #looks = 0;
  #turn: Promise<void> = Promise.resolve();
  /** Identities that are held, by anybody; and those of which we could not say it yet. */
  #held: ReadonlySet<string> = new Set();
  readonly #untold = new Map<string, string>();

  private constructor(options: PresenceOptions) {
    const none = { trial: 0, base: 0 };
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#startedMs = this.#clock.now();
    this.#alone = { sinceMs: this.#startedMs, said: false };
    this.#card = { v: 1, ...options.who, state: 'running', window: FIRST_WINDOW, queued: 0, wanted: none, done: none, failed: none };
  }

  /** Throws ConfigError when another coordinator runs a sweep of that name. What was wanted of an earlier run is over. */
  static async open(options: PresenceOptions): Promise<Presence> {
    const presence = new Presence(options);
    const { roll, who } = options;
    const other = await roll.claimSweep(presence.#card);
    if (other !== null) {
      const since = other.startedAt.slice(0, 16).replace('T', ' ');
      throw new ConfigError(
        `${who.name}: expected to be the only one that runs it, got ${other.host} (process ${other.pid}, since ${since}); stop that one, wait 30 s if it is gone, or give this sweep another name`,
      );
    }
    const last = await roll.wish({ sweep: who.key, cap: who.cap });
    presence.#held = await roll.held();
    if (last !== null && last.state !== 'run') await roll.want({ sweep: who.key, cap: who.cap }, wish('run', 'run again'));
    return presence;
  }

  get workers(): { readonly count: number; readonly slots: number } {
    return this.#workers;
  }

  /** Jobs of ours that workers said they compute, when they were last looked at. */
  get running(): readonly Running[] {
    return this.#running;
  }

  get paused(): boolean {
    return this.#card.state === 'paused';
  }

  /** From now on, until `close`. */
  attend(schedule: Schedule, describe: Describe = this.#describe): void {
    this.#schedule = schedule;
    this.#describe = describe;
    schedule.distrust(this.#held);
    const look = (): void => {
      this.#looks++;
      this.#inTurn(() => this.#look());
      void this.#turn.then(() => this.#looks--);
    };
    this.#lookNow = () => this.#looks === 0 && look();
    const [still, deaf] = [this.#clock.every(EVERY_MS, look), this.#options.roll.onWish(look)];
    this.#end = () => {
      still();
      deaf();
    };
    look();
  }

  row({ provenance }: JobResult): void {
    if (provenance.attempt > 0) this.#median.see(provenance.wallMs);
    this.#rowsAt.push(this.#clock.now());
    // Somebody computes who was not there at the last look; or all is there but what others shall check.
    if (this.#workers.count === 0 || this.#schedule?.complete) this.#lookNow();
  }

  /** All workers of an identity are told to take nothing more until somebody releases it. The schedule refuses their rows already. */
  hold(identity: string, reason: string): void {
    this.#options.warn?.(`${identity} is held (${reason}); spc workers release ${identity} takes it back`);
    this.#untold.set(identity, reason);
    this.#inTurn(() => this.#tell());
  }

  #inTurn(work: () => Promise<void>): void {
    this.#turn = this.#turn.then(work).catch(() => {}); // the roll may be away; the work goes on without it
  }

  /** What cannot be said now is said at the next look. */
  async #tell(): Promise<void> {
    for (const [identity, reason] of this.#untold) {
      await this.#options.roll.want({ identity }, wish('hold', reason));
      this.#untold.delete(identity);
    }
  }

  async close(): Promise<void> {
    this.#end();
    this.#lookNow = () => {};
    await this.#turn;
    await this.#options.roll.hideSweep(this.#card).catch(() => {});
  }

  /** Rows of the last minute; of a younger run, as if it had been a minute. */
  #perMinute(): number {
    const now = this.#clock.now();
    this.#rowsAt = this.#rowsAt.filter((at) => now - at <= RATE_MS);
    return Math.round((10 * this.#rowsAt.length * RATE_MS) / Math.min(RATE_MS, Math.max(1_000, now - this.#startedMs))) / 10;
  }

  /** A sweep that nobody computes waits without an end, and mostly for one of two reasons. */
  #tellAlone(ours: number, heard: readonly WorkerCard[]): void {
    const { who, warn, howToJoin } = this.#options;
    if (ours > 0) {
      this.#alone = null;
      return;
    }
    this.#alone ??= { sinceMs: this.#clock.now() - ALONE_MS, said: false };
    if (this.#alone.said || this.#schedule?.complete || this.#clock.now() - this.#alone.sinceMs < ALONE_MS) return;
    this.#alone.said = true;
    const [others, resting] = [
      heard.filter(({ cap }) => cap !== who.cap),
      heard.filter(({ cap, state }) => cap === who.cap && state !== 'leaving'),
    ];
    const strangers =
      others.length === 0
        ? ''
        : `; ${others.length} worker(s) of other code or other engines are there, which take none of its jobs: build the same commit on both sides, and name the engines of the sweep with spc worker --engine`;
    const asleep = resting.length === 0 ? '' : `; ${resting.length} worker(s) are drained or held: spc workers release takes them back`;
    warn?.(`no worker computes ${who.name}${strangers}${asleep}; one joins with: ${howToJoin}`);
  }

  async #look(): Promise<void> {
    const { roll, who, cancelled, warn } = this.#options;
    const schedule = this.#schedule;
    if (schedule === null) return;
    await this.#tell();
    const held = await roll.held();
    if (this.#untold.size === 0) schedule.distrust(held); // somebody may have been released, or held by another coordinator
    const [workers, sweeps, wanted] = [await roll.workers(), await roll.sweeps(), await roll.wish({ sweep: who.key, cap: who.cap })];
    if (wanted?.state === 'cancel') {
      cancelled(wanted.reason);
      return;
    }
    const heard = workers.filter(({ silentMs }) => silentMs <= SILENT_MS);
    const ours = heard.filter(({ cap, state }) => cap === who.cap && state === 'working');
    this.#workers = { count: ours.length, slots: ours.reduce((sum, { slots }) => sum + slots, 0) };
    this.#tellAlone(ours.length, heard);
    await schedule.present(ours.map(({ id, cpu = '', node }) => ({ identity: identityOf(id), cpu, node })));
    this.#running = workers.flatMap(({ running }) =>
      running.filter(({ sweep }) => sweep === who.key).map(({ id, share, seconds }) => ({ id, share, ms: 1000 * seconds })),
    );
    const paused = wanted === null ? this.#card.state === 'paused' : wanted.state === 'pause';
    if (paused !== (this.#card.state === 'paused')) {
      warn?.(paused ? `paused (${wanted?.reason}); spc resume ${who.name} goes on` : 'goes on');
      await (paused ? schedule.pause(new Set(this.#running.map(({ id }) => id))) : schedule.resume());
    }
    const rivals = sweeps.filter(({ cap, key, state }) => cap === who.cap && key !== who.key && state === 'running');
    const weights = [who.weight, ...rivals.map(({ weight }) => weight)];
    await schedule.resize(windowOf({ slots: this.#workers.slots, medianMs: this.#median.value, weight: who.weight, weights }));
    const { trials, bases, done, failed } = schedule.tally;
    this.#card = {
      ...this.#card,
      state: paused ? 'paused' : 'running',
      window: schedule.window,
      queued: schedule.queued,
      wanted: { trial: trials, base: bases },
      done: { ...done },
      failed: { ...failed },
      perMinute: this.#perMinute(),
      left: this.#describe.left(),
      names: [...this.#describe.nameOf(new Set(this.#running.map(({ id }) => id)))]
        .slice(0, MOST_NAMES)
        .map(([id, name]) => ({ id, name: name.slice(0, NAME_LETTERS) })),
    };
    await roll.showSweep(this.#card);
  }
}

/** What the coordinator knows of its sweep that is not in the schedule. */
export interface Describe {
  readonly left: () => { readonly ms: number; readonly atLeast: boolean } | null;
  /** What those of these jobs are called that are known. */
  readonly nameOf: (ids: ReadonlySet<string>) => ReadonlyMap<string, string>;
}

/** Said now, by us or by whom a command speaks for. */
export const wish = (state: Wish['state'], reason: string): Wish => ({
  state,
  reason: reason.slice(0, REASON_LETTERS),
  at: new Date().toISOString(),
});
