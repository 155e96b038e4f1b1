import type { JobResult } from '../contract/job.ts';
import type { Tally } from '../coordinator/schedule.ts';

export interface ProgressOptions {
  readonly name: string;
  readonly tally: Tally;
  /** 0 where others compute. */
  readonly slots: number;
  /** Threads that compute now, and the sum of the shares of their jobs that are done. */
  readonly threads: () => { readonly busy: number; readonly done: number };
  /** Where others compute: who they are. */
  readonly others: () => string;
  readonly quiet: boolean;
  readonly stream?: Pick<NodeJS.WriteStream, 'write' | 'columns' | 'isTTY'>;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly everyMs?: number;
}

const REDRAW_MS = 500;
const LOG_MS = 30_000;

/** One line on stderr: rewritten on a terminal, every 30 s elsewhere, and once at the end. */
export class Progress {
  readonly #options: ProgressOptions;
  readonly #stream: Pick<NodeJS.WriteStream, 'write' | 'columns' | 'isTTY'>;
  readonly #animated: boolean;
  readonly #timer: NodeJS.Timeout;
  /** Of this run, for the estimate. */
  readonly #spent = { base: { n: 0, ms: 0 }, trial: { n: 0, ms: 0 } };
  #draining = false;

  constructor(options: ProgressOptions) {
    const { stream = process.stderr, env = process.env, quiet } = options;
    this.#options = options;
    this.#stream = stream;
    this.#animated = stream.isTTY === true && env['TERM'] !== 'dumb' && !env['CI'] && !quiet;
    this.#timer = setInterval(() => this.#draw(), options.everyMs ?? (this.#animated ? REDRAW_MS : LOG_MS));
    this.#timer.unref();
    if (this.#animated) this.#draw();
  }

  row({ kind, provenance }: JobResult): void {
    if (provenance.attempt === 0) return; // nothing ran
    this.#spent[kind].n++;
    this.#spent[kind].ms += provenance.wallMs;
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
    if (this.#options.quiet) return;
    this.#stream.write(`${this.#animated ? ERASE : ''}${this.line()}\n`);
  }

  line(): string {
    const { name, tally, slots, threads, others } = this.#options;
    const { busy } = threads();
    const failed = tally.failed.trial > 0 ? `, ${tally.failed.trial} failed` : '';
    const done = `${name}: ${tally.done.trial}/${tally.trials} trials${failed}, ${tally.done.base}/${tally.bases} bases`;
    if (this.#draining) return slots === 0 ? `${done}, leaving` : `${done}, ${busy} running to their end`;
    const complete = tally.done.trial === tally.trials && tally.done.base === tally.bases;
    if (complete) return done;
    return slots === 0 ? `${done}, ${others()}` : `${done}, ${busy}/${slots} threads busy${this.#left()}`;
  }

  /** Mean wall time of the jobs of this run, times what is left, by threads. Says nothing before it has seen both kinds. */
  #left(): string {
    const { tally, slots, threads } = this.#options;
    const kinds = ['base', 'trial'] as const;
    const todo = { base: tally.bases - tally.done.base, trial: tally.trials - tally.done.trial };
    const needed = kinds.filter((kind) => todo[kind] > 0);
    if (needed.some((kind) => this.#spent[kind].n === 0)) return '';
    const mean = (kind: 'base' | 'trial'): number => (this.#spent[kind].n > 0 ? this.#spent[kind].ms / this.#spent[kind].n : 0);
    const ms = needed.reduce((sum, kind) => sum + todo[kind] * mean(kind), 0);
    const running = threads().done * mean(needed.at(0) ?? 'trial');
    return `, about ${duration(Math.max(0, ms - running) / slots)} left`;
  }

  #draw(): void {
    if (this.#options.quiet) return;
    const line = this.line();
    this.#stream.write(this.#animated ? `${ERASE}${line.slice(0, (this.#stream.columns || 80) - 1)}` : `${line}\n`);
  }
}

const ERASE = '\r\x1b[2K';

/** `42 s`, `3 min 20 s`, `2 h 5 min`. */
export function duration(ms: number): string {
  const s = Math.round(ms / 1000);
  if (s < 60) return `${s} s`;
  const min = Math.floor(s / 60);
  return min < 60 ? `${min} min ${s % 60} s` : `${Math.floor(min / 60)} h ${min % 60} min`;
}
