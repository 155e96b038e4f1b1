import { performance } from 'node:perf_hooks';
import { AbortedError, DivergedError, MemoryError, RefusedError } from '../../contract/errors.ts';
import { failureRow, type Job } from '../../contract/job.ts';
import type { Observe, Phase } from '../../contract/observe.ts';
import type { BaseRow, Failure, TrialRow } from '../../contract/rows.ts';
import type { BaseSpec, EngineName, TrialSpec } from '../../contract/spec.ts';
import type { Engine, Network } from '../../math/engine.ts';
import { collect, held, type MemoryWatch, watchMemory } from './memory.ts';
import { type Answer, cells, type Facts, type Finished, type SelfTest, type Work } from './protocol.ts';

/** What a thread can do: the pure functions of jobs.ts, or those of a test. */
export interface Jobs {
  makeEngine(name: EngineName): Engine;
  trainBase(spec: BaseSpec, engine: Engine, observe: Observe): { row: BaseRow; policy: Uint8Array };
  runTrial(
    spec: TrialSpec,
    base: { row: BaseRow; policy: Uint8Array },
    engine: Engine,
    observe: Observe,
  ): { row: TrialRow; policy: Uint8Array; forgetSet: Uint8Array };
}

/**
 * The function that runs in a Piscina thread. Here, and nowhere else, an exception becomes a `Failure` row:
 * its message goes into the row, its stack into provenance. What kills the thread cannot be caught here: see pool.ts.
 */
export function makeThread(jobs: Jobs): (task: Work | SelfTest) => Answer | string {
  const engines = new Map<EngineName, Engine>();
  const engineOf = (name: EngineName): Engine => {
    const engine = engines.get(name) ?? jobs.makeEngine(name);
    engines.set(name, engine);
    return engine;
  };
  return (task) => {
    if ('selfTest' in task) return task.selfTest.map((name) => engineOf(name).version).join();
    const shared = new Int32Array(task.cells);
    Atomics.store(shared, cells.started, 1);
    let chosen: Engine | null = null;
    const memory = watchMemory(task.memoryMb, shared, () => held(chosen?.heldBytes?.()));
    const watch = stopwatch(shared);
    const startedAt = new Date().toISOString();
    const start = performance.now();
    const { job } = task;
    const networks: Network[] = [];
    let engine = '';
    const facts = (): Facts => ({
      node: process.version,
      engine,
      startedAt,
      wallMs: round(performance.now() - start),
      phasesMs: watch.phasesMs(),
    });
    try {
      chosen = engineOf(job.kind === 'base' ? job.spec.engine : job.spec.base.engine);
      engine = `${chosen.name} ${chosen.version}`;
      const done = compute(jobs, job, task.policy, watchedEngine(chosen, memory, networks), watchedObserve(watch.observe, memory));
      memory.check();
      return { ...done, facts: facts() };
    } catch (thrown) {
      if (thrown instanceof AbortedError) return 'aborted';
      const error = memory.explain(thrown);
      if (error instanceof MemoryError) collect(); // what it held is garbage now, and the next job's memory is counted with it
      return { row: failureRow(job, failureOf(error)), files: [], facts: { ...facts(), stack: stackOf(error) } };
    } finally {
      for (const network of networks) network.free(); // who fails does not, and not every engine's memory is collected
    }
  };
}

/** A network is the largest thing that a job asks for, and costs nothing until it is touched: judged before. `made` has them all afterwards. */
const watchedEngine = (engine: Engine, memory: MemoryWatch, made: Network[]): Engine => ({
  ...engine,
  network: (shape, maxRows) => {
    const network = engine.network(shape, maxRows);
    made.push(network);
    memory.check();
    return network;
  },
});

const watchedObserve = (observe: Observe, memory: MemoryWatch): Observe => ({
  phase: (name, work) =>
    observe.phase(name, () => {
      const done = work();
      memory.check();
      return done;
    }),
  progress: (done, total) => {
    observe.progress(done, total);
    memory.sample();
  },
});

function compute(jobs: Jobs, job: Job, policy: Uint8Array | null, engine: Engine, observe: Observe): Omit<Finished, 'facts'> {
  if (job.kind === 'base') {
    const made = jobs.trainBase(job.spec, engine, observe);
    return { row: made.row, files: [['policies', made.policy]] };
  }
  if (!policy) throw new TypeError(`trial ${job.id}: expected the policy of its base, got none`);
  const made = jobs.runTrial(job.spec, { row: job.base, policy }, engine, observe);
  return {
    row: made.row,
    files: [
      ['policies', made.policy],
      ['forget', made.forgetSet],
    ],
  };
}

/** The message alone: it must be the same bytes wherever the job fails. */
function failureOf(error: unknown): Failure {
  if (error instanceof DivergedError) return { kind: 'diverged', message: error.message };
  if (error instanceof MemoryError) return { kind: 'limit', message: error.message };
  if (error instanceof RefusedError) return { kind: 'refused', message: error.message };
  return { kind: 'bug', message: error instanceof Error ? `${error.name}: ${error.message}` : `thrown: ${String(error)}` };
}

/** The folders of the compiled project and of the clone are cut out of the paths: where they lie is nobody's business. */
function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return '';
  const roots = ['../../', '../../../'].map((up) => new URL(up, import.meta.url));
  const cause = error.cause instanceof Error ? `\ncaused by ${error.cause.stack ?? error.cause.message}` : '';
  const stack = `${error.stack ?? error.message}${cause}`;
  return roots.reduce((text, { href, pathname }) => text.replaceAll(href, '').replaceAll(pathname, ''), stack);
}

const round = (ms: number): number => Math.round(ms * 1000) / 1000;

/** Times the phases: what is inside a nested phase is charged to that one alone. */
export function stopwatch(
  shared: Int32Array,
  now: () => number = () => performance.now(),
): { observe: Observe; phasesMs(): Record<string, number> } {
  const spent = new Map<Phase, number>();
  const open: Phase[] = [];
  let since = now();
  const charge = (): void => {
    const at = now();
    const phase = open.at(-1);
    if (phase) spent.set(phase, (spent.get(phase) ?? 0) + at - since);
    since = at;
  };
  return {
    observe: {
      phase: (name, work) => {
        charge();
        open.push(name);
        try {
          return work();
        } finally {
          charge();
          open.pop();
        }
      },
      progress: (done, total) => {
        if (Atomics.load(shared, cells.abort) !== 0) throw new AbortedError('the work was asked to stop');
        Atomics.store(shared, cells.done, done);
        Atomics.store(shared, cells.total, total);
      },
    },
    phasesMs: () => Object.fromEntries([...spent].map(([phase, ms]) => [phase, round(ms)])),
  };
}
