/**
 * The child process in which jobs are computed. Apart from the agent, because a thread that exhausts its heap may take
 * the whole process with it (nodejs/node#47224). It holds no state and no secret, so the best way for it to end is at once.
 * Argument 1 is an `ExecutorArguments` as JSON.
 */
import { Piscina } from 'piscina';
import type { EngineName } from '../../contract/spec.ts';
import { MB } from './memory.ts';
import { type Answer, cells, type Order, type Report, type SelfTest, type Work } from './protocol.ts';

export interface ExecutorArguments {
  readonly slots: number;
  /** What the threads are tested with before the first job. */
  readonly engines: readonly EngineName[];
  /** Heap of a thread: the largest limit that a job here can have. */
  readonly heapMb: number;
  readonly threadModule: string;
  /** For the self-test, and for every job until its thread has begun. */
  readonly startMs: number;
}

/** A thread that was asked to stop does so at its next `progress`, or is terminated after this. */
const ABORT_GRACE_MS = 1_000;
const PROGRESS_MS = 1_000;
/** How often the process looks at its own size: a job that fills memory as fast as it can adds some 100 MB meanwhile. */
const GUARD_MS = 50;
/** A thread that has measured itself within so many looks is believed; one that is alone, or just began, has less time. */
const FRESH_LOOKS = 5;
const FRESH_LOOKS_ALONE = 1;
/** So many looks after a thread was ended its memory must be gone; a large copy cannot be interrupted, so that takes a while. */
const SETTLING_LOOKS = 60;

const { slots, engines, heapMb, threadModule, startMs } = JSON.parse(process.argv[2] ?? '{}') as ExecutorArguments;

// Ctrl-C reaches the whole process group; what it means is the agent's to say.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});
process.on('SIGHUP', () => {});
// The agent is gone, even by kill -9: nobody wants the results. SIGKILL, because busy threads would delay an exit.
const vanish = (): void => void process.kill(process.pid, 'SIGKILL');
process.on('disconnect', vanish);
if (!process.connected) vanish();

const report = (message: Report): void => void process.send?.(message);

const pool = new Piscina<Work | SelfTest, Answer | string>({
  filename: threadModule,
  minThreads: slots,
  maxThreads: slots,
  concurrentTasksPerWorker: 1,
  idleTimeout: Number.POSITIVE_INFINITY,
  maxQueue: slots, // reaching it would be a bug: a job is given for a free thread only
  atomics: 'sync',
  niceIncrement: 10, // the loop that answers goes before the threads that compute
  resourceLimits: { maxOldGenerationSizeMb: heapMb, maxYoungGenerationSizeMb: 64 },
});
pool.on('error', () => {}); // a thread that dies idle is replaced; one that dies with a job rejects it

interface Running {
  readonly memoryMb: number;
  readonly shared: Int32Array;
  readonly controller: AbortController;
  reported: number;
  /** Samples of the thread's own memory that were seen, and how many looks ago the last was new. */
  samples: number;
  silent: number;
  /** Why the guard ended it. */
  outgrown: string | null;
}
const running = new Map<number, Running>();

async function broken(message: string): Promise<never> {
  const last: Report = { type: 'broken', message };
  await new Promise((resolve) => process.send?.(last, resolve));
  process.exit(1);
}

async function run({ key, job, policy, memoryMb }: Order & { type: 'run' }): Promise<void> {
  const buffer = new SharedArrayBuffer(4 * cells.length);
  const shared = new Int32Array(buffer);
  const controller = new AbortController();
  const task: Running = { memoryMb, shared, controller, reported: 0, samples: 0, silent: 0, outgrown: null };
  running.set(key, task);
  // A pool whose threads fail to start leaves later jobs waiting forever.
  const deadline = setTimeout(() => {
    if (Atomics.load(shared, cells.started) === 0) void broken(`no thread began job ${job.id} within ${startMs} ms`);
  }, startMs);
  try {
    // A copy: the view may be a window into a larger message, which would be cloned whole.
    const work: Work = { job, policy: policy && new Uint8Array(policy), memoryMb, cells: buffer };
    report({ type: 'answer', key, answer: (await pool.run(work, { signal: controller.signal })) as Answer });
  } catch (error) {
    const { code, message } = error as { code?: string; message?: string };
    if (task.outgrown !== null) report({ type: 'lost', key, cause: 'memory', message: task.outgrown });
    else if (code === 'ERR_WORKER_OUT_OF_MEMORY') report({ type: 'lost', key, cause: 'memory', message: `heap exhausted at ${heapMb} MB` });
    else report({ type: 'lost', key, cause: controller.signal.aborted ? 'aborted' : 'died', message: message ?? String(error) });
  } finally {
    clearTimeout(deadline);
    running.delete(key);
  }
}

function abort(key: number): void {
  const task = running.get(key);
  if (!task) return;
  Atomics.store(task.shared, cells.abort, 1);
  setTimeout(() => running.get(key) === task && task.controller.abort(), ABORT_GRACE_MS);
}

setInterval(() => {
  for (const [key, task] of running) {
    const done = Atomics.load(task.shared, cells.done);
    if (done === task.reported) continue;
    task.reported = done;
    report({ type: 'progress', key, done, total: Atomics.load(task.shared, cells.total) });
  }
}, PROGRESS_MS).unref();

let settling = 0;

/**
 * A thread that does not measure itself, because it never reports progress, is measured from here: by what the process holds beyond
 * its size at rest and beyond what the threads say of themselves. Where several are silent nobody knows whose it is:
 * then the process ends, and they run again one by one.
 */
function guard(atRestMb: number): void {
  const tasks = [...running.values()];
  for (const task of tasks) {
    const samples = Atomics.load(task.shared, cells.samples);
    task.silent = samples === task.samples ? task.silent + 1 : 0;
    task.samples = samples;
  }
  const heldMb = (task: Running): number => Atomics.load(task.shared, cells.heldMb);
  const sizeMb = process.memoryUsage.rss() / MB - atRestMb;
  const unclaimedMb = Math.max(0, sizeMb - tasks.reduce((sum, task) => sum + heldMb(task), 0));
  const looks = tasks.length > 1 ? FRESH_LOOKS : FRESH_LOOKS_ALONE;
  const tooMuch = tasks.filter((task) => heldMb(task) + unclaimedMb > task.memoryMb);
  if (tooMuch.length === 0) settling = 0;
  if (settling > 0) {
    // Whose it is is known: of the thread that was ended.
    if (--settling === 0) void broken('a thread was ended for its memory, and did not give it back');
    return;
  }
  const over = tooMuch.filter((task) => task.silent > looks);
  const [first] = over;
  if (!first) return;
  const message = `about ${Math.round(heldMb(first) + unclaimedMb)} MB, measured from outside`;
  if (over.length > 1) {
    clearInterval(guarding);
    process.stderr.write(`${over.length} silent jobs hold ${message}`, vanish);
  } else {
    settling = SETTLING_LOOKS;
    first.outgrown = message;
    first.controller.abort();
  }
}

const deadline = setTimeout(() => void broken(`no answer to the self-test within ${startMs} ms`), startMs);
try {
  await Promise.all(Array.from({ length: slots }, () => pool.run({ selfTest: engines })));
} catch (error) {
  const { stack = String(error), message } = error as Partial<Error>;
  await broken(`self-test: ${stack.startsWith('HostError: ') ? message : stack}`); // where it was thrown is no news to who must act
}
clearTimeout(deadline);
const atRestMb = process.memoryUsage.rss() / MB;
const guarding = setInterval(() => guard(atRestMb), GUARD_MS);

process.on('message', (order: Order) => {
  if (order.type === 'run') void run(order);
  else abort(order.key);
});
report({ type: 'ready' });
