import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { AbortedError } from '../../contract/errors.ts';
import { HostError } from '../../contract/host.ts';
import { failureRow, type Job, type Limits, unlimited } from '../../contract/job.ts';
import type { Failure } from '../../contract/rows.ts';
import type { EngineName } from '../../contract/spec.ts';
import { expectFit } from '../engines.ts';
import { TENSORFLOW_ENVIRONMENT } from '../tfjs/load.ts';
import type { ExecutorArguments } from './executor.ts';
import { memoryMessage } from './memory.ts';
import type { Answer, Finished, Order, Report } from './protocol.ts';

export interface PoolOptions {
  readonly slots: number;
  /** Who is going to compute: loaded before the first job, so that what is missing is an error and no row. */
  readonly engines?: readonly EngineName[];
  /** What a job may hold that has no limit of its own: heap, array buffers and WASM memory. */
  readonly memoryMb?: number;
  /** What a job gets here at most, whatever it asks for. */
  readonly most?: Limits;
  /** A job that reports no progress for so long is ended and rejected: it hangs, or this machine does. */
  readonly stallMs?: number;
  /** File URL or absolute path of the compiled module whose default export runs in a thread. Tests bring their own; it never comes over the bus. */
  readonly threadModule?: string;
  /** How long the executor, and a job in it, may take to begin. */
  readonly startMs?: number;
  /** Told in words what went wrong and was mended. */
  readonly warn?: (message: string) => void;
}

export interface RunOptions {
  /** Nobody wants the row any more: the job is ended, and rejected with AbortedError. */
  readonly signal?: AbortSignal | undefined;
  /** It may be what killed others: nothing runs beside it, in a new executor. */
  readonly alone?: boolean;
}

/** Why a job is being ended. */
type Ending = 'wall' | 'stalled' | 'unwanted';

interface Task {
  readonly job: Job;
  readonly policy: Uint8Array | null;
  readonly resolve: (finished: Finished) => void;
  readonly reject: (error: Error) => void;
  readonly createdAt: number;
  /** The executor died while this was on it: it runs with nothing beside it from now on. */
  suspect: boolean;
  /** It wants an executor that has run nothing. */
  fresh: boolean;
  /** Threads that died with this job, and executors that died with it alone. */
  deaths: number;
  /** What was seen, for provenance. */
  evidence: string[];
  readonly limits: { readonly wallMs: number | null; readonly memoryMb: number };
  /** While it runs: of its wall time and, renewed with all progress, of its silence; then of its obedience. */
  timers: NodeJS.Timeout[];
  stall: NodeJS.Timeout | null;
  /** It was told to end. */
  ending: Ending | null;
  /** Share of it that is done. */
  progress: number;
  /** When its thread got it, for the last time. */
  sentAt: number;
}

/** How often a job may take its thread, or alone its executor, down with it. */
const TRIES = 2;
/** Exhausted heaps end one way or the other, by luck; Node says the same in both. */
const OUT_OF_MEMORY = /heap out of memory|ERR_WORKER_OUT_OF_MEMORY/i;
/** Executors in a row that do not start, before that is an error. */
const STARTS = 3;
/** An executor that does not obey an abort for so long is killed. */
const OBEY_MS = 10_000;
const STALL_MS = 600_000;
const STDERR_CHARS = 4_000;

/**
 * The agent's side of the executor process: starts it, gives it jobs, and notices its death at once.
 * A row comes back for every job, whatever the job does to its thread or its process; the sole exceptions are `stop`
 * and an executor that cannot start.
 */
export class ExecutorPool {
  readonly slots: number;
  readonly #arguments: Omit<ExecutorArguments, 'heapMb'>;
  readonly #memoryMb: number;
  readonly #most: Limits;
  readonly #stallMs: number;
  readonly #warn: (message: string) => void;
  #child: ChildProcess | null = null;
  #ready = false;
  #stopped = false;
  #draining = false;
  /** It said itself that it cannot go on: no job is to blame. */
  #broken = false;
  /** Executors in a row of which no job was heard again. */
  #failedStarts = 0;
  #stderr = '';
  /** Of the threads of this executor. */
  #heapMb = 0;
  /** This executor has run a job. */
  #used = false;
  #key = 0;
  readonly #waiting: Task[] = [];
  readonly #running = new Map<number, Task>();

  /** Throws HostError where an engine is not fit for so many threads. */
  constructor(options: PoolOptions) {
    const { slots, engines = ['wasm'] } = options;
    expectFit(engines, slots);
    this.slots = slots;
    this.#warn = options.warn ?? (() => {});
    this.#memoryMb = options.memoryMb ?? 700;
    this.#most = options.most ?? unlimited;
    this.#stallMs = options.stallMs ?? STALL_MS;
    this.#arguments = {
      slots,
      engines,
      threadModule: options.threadModule ?? new URL('./thread.js', import.meta.url).href,
      startMs: options.startMs ?? 60_000,
    };
  }

  /** Jobs in a thread now. */
  get busy(): number {
    return this.#running.size;
  }

  /** What runs now: the share of each job that is done, and for how long it has run. */
  get running(): { readonly id: string; readonly share: number; readonly ms: number }[] {
    return [...this.#running.values()].map(({ job, progress, sentAt }) => ({ id: job.id, share: progress, ms: Date.now() - sentAt }));
  }

  /** Process id of the executor, for drills; null while there is none. */
  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  /**
   * Runs one job. `policy` is the file of a trial's base. Throws AbortedError after `stop`, when its signal says so and when it
   * makes no progress; HostError when no executor starts.
   */
  run(job: Job, policy: Uint8Array | null, { signal, alone = false }: RunOptions = {}): Promise<Finished> {
    if (this.#stopped || this.#draining) return Promise.reject(new AbortedError(`job ${job.id}: the executor was stopped`));
    const { promise, resolve, reject } = withResolvers<Finished>();
    const task: Task = {
      ...{ job, policy, resolve, reject },
      createdAt: Date.now(),
      suspect: alone,
      fresh: alone,
      deaths: 0,
      evidence: [],
      limits: {
        wallMs: least(job.limits.wallMs, this.#most.wallMs),
        memoryMb: least(job.limits.memoryMb ?? this.#memoryMb, this.#most.memoryMb) ?? this.#memoryMb,
      },
      timers: [],
      stall: null,
      ending: null,
      progress: 0,
      sentAt: Date.now(),
    };
    this.#waiting.push(task);
    const unwanted = (): void => this.#unwanted(task);
    signal?.addEventListener('abort', unwanted);
    if (signal?.aborted) unwanted();
    else if (this.#child) this.#dispatch();
    else this.#start();
    return promise.finally(() => signal?.removeEventListener('abort', unwanted));
  }

  /** Share of a running job that is done; null when it does not run. */
  progressOf(id: string): number | null {
    for (const task of this.#running.values()) if (task.job.id === id) return task.progress;
    return null;
  }

  /** Lets finish what is in a thread; rejects what is not with AbortedError. An executor that has not started is not waited for. */
  drain(): void {
    this.#draining = true;
    this.#giveBack();
    if (!this.#ready) this.stop();
  }

  #giveBack(): void {
    for (const { job, reject } of this.#waiting.splice(0)) reject(new AbortedError(`job ${job.id}: the executor takes nothing more`));
  }

  /** Leaves at once: the executor is killed, what runs is rejected with AbortedError. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#rejectAll((task) => new AbortedError(`job ${task.job.id}: the executor was stopped`));
    this.#child?.kill('SIGKILL');
  }

  #start(): void {
    this.#ready = false;
    this.#broken = false;
    this.#stderr = '';
    this.#used = false;
    this.#heapMb = Math.max(this.#memoryMb, ...this.#waiting.map(({ limits }) => limits.memoryMb));
    const { PATH, SystemRoot, TMPDIR } = process.env;
    const its: ExecutorArguments = { ...this.#arguments, heapMb: this.#heapMb };
    const child = fork(fileURLToPath(new URL('./executor.js', import.meta.url)), [JSON.stringify(its)], {
      serialization: 'advanced',
      execArgv: ['--expose-gc'], // and no NODE_OPTIONS: a heap size given there would override the threads' own
      env: { ...(PATH && { PATH }), ...(SystemRoot && { SystemRoot }), ...(TMPDIR && { TMPDIR }), ...TENSORFLOW_ENVIRONMENT },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.#child = child;
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_CHARS);
    });
    child.on('message', (message) => this.#child === child && this.#heard(message as Report));
    // It says itself when it cannot; one that is not even given its first threads by the system says nothing.
    const silent = setTimeout(() => {
      if (this.#child === child && !this.#ready) child.kill('SIGKILL');
    }, this.#arguments.startMs + OBEY_MS);
    child.once('close', () => clearTimeout(silent)).once('error', () => clearTimeout(silent));
    child.on('error', (error) => this.#died(child, error.message));
    child.on('close', (code, signal) => this.#died(child, signal ? `signal ${signal}` : `exit code ${code}`));
  }

  /** With threads that have room for what waits now. */
  #restart(): void {
    const old = this.#child;
    this.#start();
    old?.kill('SIGKILL');
  }

  #heard(report: Report): void {
    if (report.type === 'ready') {
      this.#ready = true;
      this.#dispatch();
    } else if (report.type === 'broken') {
      this.#broken = true;
      this.#stderr += `\n${report.message}`;
    } else {
      const task = this.#running.get(report.key);
      if (!task) return;
      if (report.type === 'progress') {
        task.stall?.refresh();
        task.progress = shareOf(task.job, report);
        return;
      }
      this.#failedStarts = 0;
      this.#leave(report.key, task);
      if (report.type === 'answer') this.#answered(task, report.answer);
      else this.#lost(task, report.cause, report.message);
      this.#dispatch();
    }
  }

  #answered(task: Task, answer: Answer): void {
    if (answer === 'aborted') this.#ended(task);
    else task.resolve(answer);
  }

  /** A thread died; its siblings did not. */
  #lost(task: Task, cause: 'aborted' | 'memory' | 'died', message: string): void {
    if (cause === 'aborted') {
      this.#ended(task);
      return;
    }
    task.evidence.push(`thread lost (${cause}): ${message}`);
    if (!this.#blame(task, cause === 'memory' ? message : null)) {
      this.#warn(`job ${task.job.id}: its thread died (${message}); once more`);
      this.#waiting.unshift(task);
      if (this.#draining) this.#giveBack();
    }
  }

  /** One more death, of memory as measured or of another cause. True: that was the last, and the job has its Failure. */
  #blame(task: Task, memory: string | null): boolean {
    if (++task.deaths < TRIES) return false;
    this.#fail(
      task,
      memory !== null
        ? { kind: 'limit', message: memoryMessage(task.limits.memoryMb, memory) }
        : { kind: 'crashed', message: `its thread or its process died with it, ${TRIES} times` },
    );
    return true;
  }

  #died(child: ChildProcess, how: string): void {
    if (this.#child !== child) return;
    const wasReady = this.#ready;
    this.#child = null;
    this.#ready = false;
    if (this.#stopped) return;
    const words = this.#stderr.trim();
    const last = words === '' ? '' : `: ${words}`;
    if ((!wasReady || this.#broken) && ++this.#failedStarts >= STARTS) {
      this.#rejectAll(() => new HostError(`the executor process does not start (${how}, ${STARTS} times)${last}`));
      return;
    }
    this.#suspectAll(how, last);
    if (this.#draining) this.#giveBack();
    else if (this.#waiting.length > 0) this.#start();
  }

  /** Who of them did it is not to be known from here. Retried one by one, in front of all others. */
  #suspectAll(how: string, last: string): void {
    const suspects = [...this.#running];
    const guilty = suspects.length === 1 && !this.#broken;
    for (const [key, task] of suspects.reverse()) {
      this.#leave(key, task);
      task.suspect = true;
      task.evidence.push(`executor died (${how}) with ${suspects.length} job(s) on it${last}`);
      // Killed because it did not end a job that was told to: that is no crash.
      if (task.ending !== null) this.#ended(task);
      else if (!guilty || !this.#blame(task, OUT_OF_MEMORY.test(last) ? `heap exhausted at ${this.#heapMb} MB` : null))
        this.#waiting.unshift(task);
    }
    if (suspects.length > 0) this.#warn(`the executor process died (${how}); ${suspects.length} job(s) again, one by one`);
  }

  #dispatch(): void {
    if (!this.#ready || !this.#child) return;
    while (this.#running.size < this.slots) {
      const runningSuspect = [...this.#running.values()].some((task) => task.suspect);
      const next = this.#waiting[0];
      if (!next || runningSuspect || (next.suspect && this.#running.size > 0)) return;
      const unfit = next.limits.memoryMb > this.#heapMb || (next.fresh && this.#used);
      if (unfit) {
        if (this.#running.size === 0) this.#restart();
        return;
      }
      this.#waiting.shift();
      this.#send(next);
    }
  }

  #send(task: Task): void {
    const key = ++this.#key;
    const { wallMs, memoryMb } = task.limits;
    Object.assign(task, { progress: 0, sentAt: Date.now(), ending: null, fresh: false });
    this.#used = true;
    if (wallMs !== null) task.timers.push(setTimeout(() => this.#end(key, task, 'wall'), wallMs));
    task.stall = setTimeout(() => this.#end(key, task, 'stalled'), this.#stallMs);
    this.#running.set(key, task);
    this.#order({ type: 'run', key, job: task.job, policy: task.policy, memoryMb });
  }

  #unwanted(task: Task): void {
    const [key] = [...this.#running].find(([, running]) => running === task) ?? [];
    if (key !== undefined) {
      this.#end(key, task, 'unwanted');
      return;
    }
    const at = this.#waiting.indexOf(task);
    if (at < 0) return;
    this.#waiting.splice(at, 1);
    task.reject(new AbortedError(`job ${task.job.id}: nobody wants it any more`));
  }

  /** Asks, and after a while does not ask any more. */
  #end(key: number, task: Task, why: Ending): void {
    if (task.ending !== null) return;
    task.ending = why;
    this.#order({ type: 'abort', key });
    task.timers.push(setTimeout(() => this.#child?.kill('SIGKILL'), OBEY_MS));
  }

  #ended(task: Task): void {
    const { id } = task.job;
    if (task.ending === 'unwanted') task.reject(new AbortedError(`job ${id}: nobody wants it any more`));
    else if (task.ending === 'stalled') {
      const message = `job ${id}: no progress for ${this.#stallMs / 1000} s; given back`;
      this.#warn(message);
      task.reject(new AbortedError(message));
    } else this.#fail(task, wallFailure(task.limits.wallMs ?? 0, task.job.limits.wallMs));
  }

  /** A message to a dead process is no news: its end comes as `close`. */
  #order(order: Order): void {
    this.#child?.send(order, () => {});
  }

  #leave(key: number, task: Task): void {
    this.#running.delete(key);
    for (const timer of task.timers.splice(0)) clearTimeout(timer);
    if (task.stall) clearTimeout(task.stall);
    task.stall = null;
  }

  #fail(task: Task, failure: Failure): void {
    const facts = {
      node: process.version,
      engine: '',
      startedAt: new Date(task.createdAt).toISOString(),
      wallMs: Date.now() - task.createdAt,
      phasesMs: {},
    };
    const stack = task.evidence.join('\n');
    task.resolve({ row: failureRow(task.job, failure), files: [], facts: stack === '' ? facts : { ...facts, stack } });
  }

  #rejectAll(errorOf: (task: Task) => Error): void {
    for (const [key, task] of this.#running) {
      this.#leave(key, task);
      this.#waiting.push(task);
    }
    for (const task of this.#waiting.splice(0)) task.reject(errorOf(task));
  }
}

const wallFailure = (wallMs: number, asked: number | null): Failure => ({
  kind: 'limit',
  message: `wall: more than ${wallMs / 1000} s${wallMs === asked ? '' : ', the most that its worker gives'}`,
});

/** Of two limits; null is none. */
/** A correction reports its K steps first and, where it is kept up beyond them, then all of those: its share never falls. */
function shareOf(job: Job, { done, total }: { readonly done: number; readonly total: number }): number {
  const { steps } = job.kind === 'trial' ? job.spec.correct : {};
  const beyond = job.kind === 'trial' && total === steps ? Math.max(1, ...job.spec.evaluate.overrun) : 1;
  return total > 0 ? Math.min(1, done / (total * beyond)) : 0;
}

const least = (a: number | null, b: number | null): number | null => (a === null ? b : b === null ? a : Math.min(a, b));

function withResolvers<T>(): { promise: Promise<T>; resolve(value: T): void; reject(error: Error): void } {
  let [resolve, reject]: [(value: T) => void, (error: Error) => void] = [() => {}, () => {}];
  const promise = new Promise<T>((yes, no) => {
    [resolve, reject] = [yes, no];
  });
  return { promise, resolve, reject };
}
