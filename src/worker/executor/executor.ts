/**
 * The child process in which jobs are computed. Apart from the agent, because a thread that exhausts its heap may take
 * the whole process with it (nodejs/node#47224). It holds no state and no secret, so the best way for it to end is at once.
 * Argument 1 is an `ExecutorArguments` as JSON.
 */
import { Piscina } from 'piscina';
import { type Answer, cells, type Order, type Report, type SelfTest, type Work } from './protocol.ts';

export interface ExecutorArguments {
  readonly slots: number;
  readonly memoryMb: number;
  readonly threadModule: string;
  /** For the self-test, and for every job until its thread has begun. */
  readonly startMs: number;
}

/** A thread that was asked to stop does so at its next `progress`, or is terminated after this. */
const ABORT_GRACE_MS = 1_000;
const PROGRESS_MS = 1_000;

const { slots, memoryMb, threadModule, startMs } = JSON.parse(process.argv[2] ?? '{}') as ExecutorArguments;

// Ctrl-C reaches the whole process group; what it means is the agent's to say.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});
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
  resourceLimits: { maxOldGenerationSizeMb: memoryMb, maxYoungGenerationSizeMb: 64 },
});
pool.on('error', () => {}); // a thread that dies idle is replaced; one that dies with a job rejects it

interface Running {
  readonly shared: Int32Array;
  readonly controller: AbortController;
  reported: number;
}
const running = new Map<number, Running>();

async function broken(message: string): Promise<never> {
  const last: Report = { type: 'broken', message };
  await new Promise((resolve) => process.send?.(last, resolve));
  process.exit(1);
}

async function run({ key, job, policy }: Order & { type: 'run' }): Promise<void> {
  const buffer = new SharedArrayBuffer(4 * cells.length);
  const shared = new Int32Array(buffer);
  const controller = new AbortController();
  running.set(key, { shared, controller, reported: 0 });
  // A pool whose threads fail to start leaves later jobs waiting forever.
  const deadline = setTimeout(() => {
    if (Atomics.load(shared, cells.started) === 0) void broken(`no thread began job ${job.id} within ${startMs} ms`);
  }, startMs);
  try {
    // A copy: the view may be a window into a larger message, which would be cloned whole.
    const work: Work = { job, policy: policy && new Uint8Array(policy), cells: buffer };
    report({ type: 'answer', key, answer: (await pool.run(work, { signal: controller.signal })) as Answer });
  } catch (error) {
    const { code, message } = error as { code?: string; message?: string };
    const cause = controller.signal.aborted ? 'aborted' : code === 'ERR_WORKER_OUT_OF_MEMORY' ? 'memory' : 'died';
    report({ type: 'lost', key, cause, message: message ?? String(error) });
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

const deadline = setTimeout(() => void broken(`no answer to the self-test within ${startMs} ms`), startMs);
try {
  await Promise.all(Array.from({ length: slots }, () => pool.run({ selfTest: true })));
} catch (error) {
  await broken(`self-test: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
}
clearTimeout(deadline);

process.on('message', (order: Order) => {
  if (order.type === 'run') void run(order);
  else abort(order.key);
});
report({ type: 'ready' });
