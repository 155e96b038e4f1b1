import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { AbortedError } from '../../contract/errors.ts';
import { HostError } from '../../contract/host.ts';
import { failureRow, type Job } from '../../contract/job.ts';
import type { Failure } from '../../contract/rows.ts';
import type { ExecutorArguments } from './executor.ts';
import { memoryMessage } from './memory.ts';
import type { Answer, Finished, Order, Report } from './protocol.ts';

export interface PoolOptions {
  readonly slots: number;
  /** What a job may hold that has no limit of its own: heap, array buffers and WASM memory. */
  readonly memoryMb?: number;
  /** File URL or absolute path of the compiled module whose default export runs in a thread. Tests bring their own; it never comes over the bus. */
  readonly threadModule?: string;
  /** How long the executor, and a job in it, may take to begin. */
  readonly startMs?: number;
  /** Told in words what went wrong and was mended. */
  readonly warn?: (message: string) => void;
}

interface Task {
  readonly job: Job;
  readonly policy: Uint8Array | null;
  readonly resolve: (finished: Finished) => void;
  readonly reject: (error: Error) => void;
  readonly createdAt: number;
  /** The executor died while this was on it: it runs with nothing beside it from now on. */
  suspect: boolean;
  /** Threads that died with this job, and executors that died with it alone. */
  deaths: number;
  /** What was seen, for provenance. */
  evidence: string[];
  readonly memoryMb: number;
  wall: NodeJS.Timeout | null;
  /** Its time was up, and it was told. */
  late: boolean;
  progress: number;
}

/** How often a job may take its thread, or alone its executor, down with it. */
const TRIES = 2;
/** Exhausted heaps end one way or the other, by luck; Node says the same in both. */
const OUT_OF_MEMORY = /heap out of memory|ERR_WORKER_OUT_OF_MEMORY/i;
/** Executors in a row that do not start, before that is an error. */
const STARTS = 3;
/** An executor that does not obey an abort for so long is killed. */
const OBEY_MS = 10_000;
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
  readonly #warn: (message: string) => void;
  #child: ChildProcess | null = null;
  #ready = false;
  #stopped = false;
  /** It said itself that it cannot go on: no job is to blame. */
  #broken = false;
  /** Executors in a row of which no job was heard again. */
  #failedStarts = 0;
  #stderr = '';
  /** Of the threads of this executor. */
  #heapMb = 0;
  #key = 0;
  readonly #waiting: Task[] = [];
  readonly #running = new Map<number, Task>();

  constructor(options: PoolOptions) {
    this.slots = options.slots;
    this.#warn = options.warn ?? (() => {});
    this.#memoryMb = options.memoryMb ?? 700;
    this.#arguments = {
      slots: options.slots,
      threadModule: options.threadModule ?? new URL('./thread.js', import.meta.url).href,
      startMs: options.startMs ?? 60_000,
    };
  }

  /** Jobs in a thread now. */
  get busy(): number {
    return this.#running.size;
  }

  /** Sum over the running jobs of the share that each has done. */
  get progress(): number {
    let sum = 0;
    for (const task of this.#running.values()) sum += task.progress;
    return sum;
  }

  /** Process id of the executor, for drills; null while there is none. */
  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  /** Runs one job. `policy` is the file of a trial's base. Throws AbortedError after `stop`, HostError when no executor starts. */
  run(job: Job, policy: Uint8Array | null): Promise<Finished> {
    if (this.#stopped) return Promise.reject(new AbortedError(`job ${job.id}: the executor was stopped`));
    return new Promise((resolve, reject) => {
      this.#waiting.push({
        job,
        policy,
        resolve,
        reject,
        createdAt: Date.now(),
        suspect: false,
        deaths: 0,
        evidence: [],
        memoryMb: job.limits.memoryMb ?? this.#memoryMb,
        wall: null,
        late: false,
        progress: 0,
      });
      if (this.#child) this.#dispatch();
      else this.#start();
    });
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
    this.#heapMb = Math.max(this.#memoryMb, ...this.#waiting.map(({ memoryMb }) => memoryMb));
    const { PATH, SystemRoot, TMPDIR } = process.env;
    const its: ExecutorArguments = { ...this.#arguments, heapMb: this.#heapMb };
    const child = fork(fileURLToPath(new URL('./executor.js', import.meta.url)), [JSON.stringify(its)], {
      serialization: 'advanced',
      execArgv: ['--expose-gc'], // and no NODE_OPTIONS: a heap size given there would override the threads' own
      env: { ...(PATH && { PATH }), ...(SystemRoot && { SystemRoot }), ...(TMPDIR && { TMPDIR }) },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.#child = child;
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_CHARS);
    });
    child.on('message', (message) => this.#child === child && this.#heard(message as Report));
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
        task.progress = report.total > 0 ? report.done / report.total : 0;
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
    if (answer === 'aborted') this.#fail(task, wallFailure(task.job));
    else task.resolve(answer);
  }

  /** A thread died; its siblings did not. */
  #lost(task: Task, cause: 'aborted' | 'memory' | 'died', message: string): void {
    if (cause === 'aborted') {
      this.#fail(task, wallFailure(task.job));
      return;
    }
    task.evidence.push(`thread lost (${cause}): ${message}`);
    if (!this.#blame(task, cause === 'memory' ? message : null)) {
      this.#warn(`job ${task.job.id}: its thread died (${message}); once more`);
      this.#waiting.unshift(task);
    }
  }

  /** One more death, of memory as measured or of another cause. True: that was the last, and the job has its Failure. */
  #blame(task: Task, memory: string | null): boolean {
    if (++task.deaths < TRIES) return false;
    this.#fail(
      task,
      memory !== null
        ? { kind: 'limit', message: memoryMessage(task.memoryMb, memory) }
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
    if (this.#waiting.length > 0) this.#start();
  }

  /** Who of them did it is not to be known from here. Retried one by one, in front of all others. */
  #suspectAll(how: string, last: string): void {
    const suspects = [...this.#running];
    const guilty = suspects.length === 1 && !this.#broken;
    for (const [key, task] of suspects.reverse()) {
      this.#leave(key, task);
      task.suspect = true;
      task.evidence.push(`executor died (${how}) with ${suspects.length} job(s) on it${last}`);
      // Killed because it did not end a job whose time was up: that is no crash.
      if (task.late) this.#fail(task, wallFailure(task.job));
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
      if (next.memoryMb > this.#heapMb) {
        if (this.#running.size === 0) this.#restart();
        return;
      }
      this.#waiting.shift();
      this.#send(next);
    }
  }

  #send(task: Task): void {
    const key = ++this.#key;
    const { wallMs } = task.job.limits;
    task.progress = 0;
    task.late = false;
    if (wallMs !== null) task.wall = setTimeout(() => this.#abort(key, task), wallMs);
    this.#running.set(key, task);
    this.#order({ type: 'run', key, job: task.job, policy: task.policy, memoryMb: task.memoryMb });
  }

  #abort(key: number, task: Task): void {
    task.late = true;
    this.#order({ type: 'abort', key });
    task.wall = setTimeout(() => this.#child?.kill('SIGKILL'), OBEY_MS);
  }

  /** A message to a dead process is no news: its end comes as `close`. */
  #order(order: Order): void {
    this.#child?.send(order, () => {});
  }

  #leave(key: number, task: Task): void {
    this.#running.delete(key);
    if (task.wall) clearTimeout(task.wall);
    task.wall = null;
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

const wallFailure = (job: Job): Failure => ({ kind: 'limit', message: `wall: more than ${(job.limits.wallMs ?? 0) / 1000} s` });
