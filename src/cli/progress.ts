import type { JobResult } from '../contract/job.ts';
import type { Left } from '../coordinator/estimate.ts';
import type { PlannedTrial } from '../coordinator/expand.ts';
import { Forecast, type Remaining, type Running } from '../coordinator/forecast.ts';
import type { Tally } from '../coordinator/schedule.ts';
import { prospectOf } from './prospects.ts';

export interface ProgressOptions {
  readonly name: string;
  readonly tally: Tally;
  /** 0 where others compute. */
  readonly slots: number;
  /** Jobs that can be computed at the same time as things are now. */
  readonly threads: () => number;
  readonly running: () => readonly Running[];
  /** Where others compute: who they are. */
  readonly others: () => string;
  /** Rows that are computed a second time now, to compare them. */
  readonly checking?: () => number;
  readonly quiet: boolean;
  readonly stream?: Pick<NodeJS.WriteStream, 'write' | 'columns' | 'isTTY'>;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly everyMs?: number;
}

const REDRAW_MS = 500;
const LOG_MS = 30_000;
/** A run begins meanwhile, and waits for it at most. */
const YARDSTICK_MS = 300;
/** Shares of so many running jobs are said one by one. */
const FEW = 4;

/** One line on stderr: rewritten on a terminal; elsewhere when it is known how long it takes, every 30 s, and at the end. */
export class Progress {
  readonly #options: ProgressOptions;
  readonly #stream: Pick<NodeJS.WriteStream, 'write' | 'columns' | 'isTTY'>;
  readonly #animated: boolean;
  readonly #timer: NodeJS.Timeout;
  readonly #start = performance.now();
  #forecast: Forecast | null = null;
  /** Rows that came before there was a forecast to tell. */
  #rows: Pick<JobResult, 'row' | 'provenance'>[] = [];
  #draining = false;
  #worked = false;
  #ended = false;

  constructor(options: ProgressOptions) {
    const { stream = process.stderr, env = process.env, quiet } = options;
    this.#options = options;
    this.#stream = stream;
    this.#animated = stream.isTTY === true && env['TERM'] !== 'dumb' && !env['CI'] && !quiet;
    this.#timer = setInterval(() => this.#draw(), options.everyMs ?? (this.#animated ? REDRAW_MS : LOG_MS));
    this.#timer.unref();
    if (this.#animated) this.#draw();
  }

  /** From now on it says how long the rest takes: as a plan would, and then as it goes. Never fails. */
  async foresee(left: Left, planned: readonly PlannedTrial[], place: Parameters<typeof prospectOf>[2]): Promise<void> {
    if (left.trials.length + left.bases.size === 0) return;
    const prospect = await prospectOf(left, planned, place, YARDSTICK_MS).catch(() => null); // it is only a courtesy
    if (prospect !== null) this.forecast(new Forecast(left, planned, prospect));
  }

  forecast(forecast: Forecast): void {
    for (const row of this.#rows.splice(0)) forecast.row(row);
    this.#forecast = forecast;
    if (!this.#ended && this.#left() !== '') this.#draw();
  }

  row(result: Pick<JobResult, 'row' | 'provenance'>): void {
    this.#worked = true;
    if (this.#forecast) this.#forecast.row(result);
    else if (this.#rows.length < BACKLOG) this.#rows.push(result);
  }

  /** What is running now is all that will be waited for. */
  drain(): void {
    this.#draining = true;
  }

  /** A line that stays. */
  note(message: string): void {
    this.#stream.write(`${this.#animated ? ERASE : ''}${message}\n`);
    if (this.#animated) this.#draw();
  }

  end(): void {
    clearInterval(this.#timer);
    this.#ended = true;
    if (this.#options.quiet) return;
    this.#stream.write(`${this.#animated ? ERASE : ''}${this.line()}\n`);
  }

  /** What matters most comes first; what does not fit into `width` is left out. */
  line(width = Number.POSITIVE_INFINITY): string {
    const { name, tally, slots, running, others } = this.#options;
    const failed = tally.failed.trial > 0 ? `, ${tally.failed.trial} failed` : '';
    const done = `${short(name, Math.max(8, width - COUNTS))}: ${tally.done.trial}/${tally.trials} trials${failed}, ${tally.done.base}/${tally.bases} bases`;
    const spentMs = performance.now() - this.#start;
    const spent = spentMs < LEAST_MS ? '' : ` in ${roughly(spentMs)}`;
    const checking = this.#options.checking?.() ?? 0;
    const checked = checking === 0 ? '' : `, ${checking} being checked`;
    if (tally.done.trial === tally.trials && tally.done.base === tally.bases)
      return this.#worked ? `${done}${checked} in ${duration(spentMs)}` : `${done}${checked}`;
    const now = running();
    const shares = now.map(({ share }) => `${Math.floor(100 * share)} %`).join(', ');
    const here = now.length === 0 || now.length > FEW ? `, ${now.length} running` : `, at ${shares}`;
    const who = slots === 0 ? `, ${others()}${checked}` : here;
    if (this.#draining) return `${done}, ${slots === 0 ? 'leaving' : `${now.length} running to their end`}`;
    const left = this.#left();
    const lines = [`${done}${spent}${left}${who}`, `${done}${spent}${left}`, `${done}${left}`];
    return lines.find((line) => line.length <= width) ?? done;
  }

  /** How long the rest takes; null where nothing is known, or nobody computes. */
  remaining(): Remaining | null {
    const { threads, running } = this.#options;
    return threads() === 0 ? null : (this.#forecast?.left(running(), threads()) ?? null);
  }

  #left(): string {
    const left = this.remaining();
    if (left === null) return '';
    return `, ${left.atLeast ? 'at least' : 'about'} ${roughly(Math.max(LEAST_MS, left.ms))} left`;
  }

  #draw(): void {
    if (this.#options.quiet) return;
    if (this.#animated) this.#stream.write(`${ERASE}${cut(this.line(this.#width()), this.#width())}`);
    else this.#stream.write(`${this.line()}\n`);
  }

  /** The last column stays free: some terminals would begin a new line. */
  #width(): number {
    return (this.#stream.columns || 80) - 1;
  }
}

/** While there is work to do it is not over. */
const LEAST_MS = 1_000;
const BACKLOG = 10_000;
const short = (name: string, width: number): string => (name.length <= width ? name : `${name.slice(0, width - 1)}…`);
/** What counts and the time that is left take of a line, about. */
const COUNTS = 50;
const cut = (line: string, width: number): string => line.slice(0, Math.max(1, width));
const ERASE = '\r\x1b[2K';

/** As exact as an estimate, and short: `95 s`, `17 min`, `2 h 5 min`. */
export const roughly = (ms: number): string => {
  const s = Math.round(ms / 1000);
  if (s < 120) return `${s} s`;
  return s < 7200 ? `${Math.round(s / 60)} min` : duration(ms);
};

/** `42 s`, `3 min 20 s`, `2 h 5 min`. */
export function duration(ms: number): string {
  const s = Math.round(ms / 1000);
  if (s < 60) return `${s} s`;
  const min = Math.floor(s / 60);
  return min < 60 ? `${min} min ${s % 60} s` : `${Math.floor(min / 60)} h ${min % 60} min`;
}
