import type { BaseSpec } from '../contract/spec.ts';
import type { PlannedTrial } from './expand.ts';
import { type Kind, type Place, readHistory, type Sized, sameSize, sizer, type Took } from './history.ts';
import { makespan, type Task } from './makespan.ts';
import { PARTS, type Part, total, type Work } from './operations.ts';
import { ENGINES, RATES, SPREAD } from './rates.ts';

/** What jobs may take, in ms: if they took what a quarter, half, three quarters of those behind the estimate took at most. */
export interface Quartiles {
  readonly low: number;
  readonly median: number;
  readonly high: number;
}

/** Jobs of one kind that are still to run. */
export interface ClassEstimate extends Kind {
  readonly jobs: number;
  /** How many jobs of this kind are recorded. */
  readonly records: number;
  /** What it is judged by: recorded jobs, or the rates of operations and the speed of this machine; null where neither says anything. */
  readonly by: 'records' | 'rates' | null;
  /** Of all these jobs together; null where nothing is known. */
  readonly coreMs: Quartiles | null;
}

/** Jobs of which nothing is known. */
export interface Unknown {
  readonly scenario: string;
  /** Null for bases. */
  readonly strategy: string | null;
  readonly engine: string;
  readonly jobs: number;
}

export interface Estimate {
  readonly threads: number;
  readonly classes: readonly ClassEstimate[];
  /** Of the jobs of which something is known; null where nothing is of any. The rest is `unknown`: then it takes at least so long. */
  readonly coreMs: Quartiles | null;
  /** The same on so many threads. */
  readonly wallMs: Quartiles | null;
  readonly unknown: readonly Unknown[];
  /** Folders whose records were used. */
  readonly from: readonly string[];
  /** How long the yardstick takes here, in ms of CPU time; null where it was not needed. */
  readonly yardstickMs: number | null;
}

/** What is left of a plan, in its order: trials that have no row, and ids of the bases that have none. */
export interface Left {
  readonly trials: readonly PlannedTrial[];
  readonly bases: ReadonlySet<string>;
}

/** One job: what it may take; null where nothing is known. `by` as in a class. */
export interface Expected {
  readonly kind: Sized;
  readonly ms: Quartiles | null;
}

/** What every job of a plan may take. */
export interface Prospect {
  trial(trial: PlannedTrial): Expected;
  base(trial: PlannedTrial): Expected;
  readonly records: ReadonlyMap<string, readonly Took[]>;
  readonly from: readonly string[];
  readonly yardstickMs: number | null;
}

export interface ProspectOptions extends Place {
  readonly threads: number;
  /** Measures the yardstick. Asked only where some kind of job is not recorded. */
  readonly yardstick: () => Promise<number>;
}

const each = (of: (key: keyof Quartiles) => number): Quartiles => ({ low: of('low'), median: of('median'), high: of('high') });
const NOTHING = each(() => 0);
const plus = (a: Quartiles, b: Quartiles, times = 1): Quartiles => each((q) => a[q] + times * b[q]);
const rounded = (ms: Quartiles): Quartiles => each((q) => Math.round(ms[q]));

/** Linear between the two nearest of sorted values. */
function quantile(sorted: readonly number[], q: number): number {
  const at = q * (sorted.length - 1);
  const [below = 0, above = below] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]];
  return below + (at - Math.floor(at)) * (above - below);
}

const quartiles = (values: readonly number[]): Quartiles => {
  const sorted = values.toSorted((a, b) => a - b);
  return { low: quantile(sorted, 0.25), median: quantile(sorted, 0.5), high: quantile(sorted, 0.75) };
};

/** A recorded job of another size: every part as it would take by the rates, in proportion. A part that it did not have costs what it costs beside its main part. */
function resized({ work, parts, restMs }: Took, wanted: Work): number {
  const by = (of: Work, part: Part): number => total(of[part], RATES);
  const pace = by(work, 'main') > 0 ? parts.main / by(work, 'main') : 0;
  return PARTS.reduce((sum, part) => {
    const [was, is] = [by(work, part), by(wanted, part)];
    return sum + (was > 0 ? (parts[part] * is) / was : pace * is);
  }, restMs);
}

/** Of recorded jobs: the finished ones, and those that failed by their share; of the same size, if there are enough of it. */
function byRecords(took: readonly Took[], { work }: Sized): Quartiles {
  const done = took.filter(({ ok }) => ok);
  const alike = done.filter((one) => sameSize(one.work, work));
  const finished = quartiles((alike.length >= ENOUGH ? alike : done).map((one) => resized(one, work)));
  const failed = took.flatMap(({ ok, wallMs }) => (ok ? [] : [wallMs]));
  if (failed.length === 0) return finished;
  const share = failed.length / took.length;
  return plus(
    plus(NOTHING, finished, 1 - share),
    each(() => quartiles(failed).median),
    share,
  );
}
const ENOUGH = 3;

/** Two threads on two cores take 1.03 times the CPU time of one each: README, how fast. */
const TOGETHER = 1.03;
/** What TensorFlow takes is mostly calls, whatever is in them: known near what was recorded, and nowhere else. */
const NEAR = { macs: [2_000, 10_000], minibatch: [256, 1024] } as const;
const within = (x: number, [low, high]: readonly [number, number]): boolean => low <= x && x <= high;

/** How many times as long as by wasm a part takes; null where that is not known. */
function slowness(engine: string, part: Part, kind: Kind['kind'], { ppo }: BaseSpec): number | null {
  if (engine === 'wasm') return 1;
  const known = ENGINES[engine];
  if (!known) return null;
  const [first = 0, second = first] = ppo.hidden;
  const minibatch = (ppo.numEnvs * ppo.numSteps) / ppo.numMinibatches;
  if (engine !== 'reference' && !(within(first * second, NEAR.macs) && within(minibatch, NEAR.minibatch))) return null;
  return part !== 'main' ? known.play : kind === 'base' ? known.train : known.correct;
}

function byRates({ kind, engine, work }: Sized, base: BaseSpec, yardstickMs: number, threads: number): Quartiles | null {
  let sum = 0;
  for (const part of PARTS) {
    const times = slowness(engine, part, kind, base);
    if (times === null) return null;
    sum += times * total(work[part], RATES);
  }
  const ms = sum * yardstickMs * (threads > 1 ? TOGETHER : 1);
  return { low: SPREAD.low * ms, median: ms, high: SPREAD.high * ms };
}

/** What the jobs of a plan may take, from what such jobs took before, or else from rates and the speed of this machine. Reads, never writes. */
export async function prospect(left: Left, planned: readonly PlannedTrial[], options: ProspectOptions): Promise<Prospect> {
  const sizes = sizer();
  const wanted = new Set<string>();
  for (const trial of left.trials) wanted.add(sizes(trial).trial.key);
  for (const trial of planned) if (left.bases.has(trial.baseId)) wanted.add(sizes(trial).base.key);
  const { records, from } = await readHistory(wanted, planned, options);
  const yardstickMs = records.size < wanted.size ? await options.yardstick() : null;
  const known = new Map<Sized, Quartiles | null>();
  const expected = (kind: Sized, base: BaseSpec): Expected => {
    let ms = known.get(kind);
    if (ms === undefined) {
      const took = records.get(kind.key);
      ms = took ? byRecords(took, kind) : yardstickMs === null ? null : byRates(kind, base, yardstickMs, options.threads);
      known.set(kind, ms);
    }
    return { kind, ms };
  };
  return {
    trial: (trial) => expected(sizes(trial).trial, trial.spec.base),
    base: (trial) => expected(sizes(trial).base, trial.spec.base),
    records,
    from,
    yardstickMs,
  };
}

/** Beside the jobs: threads that start, and for every job the way there and back and its row on the disk. README, how fast. */
const START_MS = 600;
const JOB_MS = 5;

/** All that is left, summed up. */
export function estimate(
  left: Left,
  planned: readonly PlannedTrial[],
  { trial, base, records, from, yardstickMs }: Prospect,
  threads: number,
): Estimate {
  const classes = new Map<string, { kind: Sized; jobs: number; ms: Quartiles | null }>();
  const unknown = new Map<string, { scenario: string; strategy: string | null; engine: string; jobs: number }>();
  const count = ({ kind, ms }: Expected, scenario: string): void => {
    const one = classes.get(kind.key) ?? { kind, jobs: 0, ms: null };
    classes.set(kind.key, one);
    one.jobs++;
    if (ms !== null) {
      one.ms = plus(one.ms ?? NOTHING, ms);
      return;
    }
    const where = `${scenario} ${kind.strategy} ${kind.engine}`;
    const stranger = unknown.get(where) ?? { scenario, strategy: kind.strategy, engine: kind.engine, jobs: 0 };
    stranger.jobs++;
    unknown.set(where, stranger);
  };
  const tasks: Task[] = [];
  const bases = new Map<string, { ms: number }>();
  const wanted = new Set(left.trials.map(({ id }) => id));
  const job = (ms: Quartiles | null): number => (ms?.median ?? 0) + JOB_MS;
  for (const one of planned) {
    const { id, baseId, scenario } = one;
    let shared = bases.get(baseId);
    if (shared === undefined) {
      const missing = left.bases.has(baseId);
      const expected = missing ? base(one) : null;
      if (expected) count(expected, scenario);
      shared = { ms: expected ? job(expected.ms) : 0 };
      bases.set(baseId, shared);
    }
    const expected = wanted.has(id) ? trial(one) : null;
    if (expected) count(expected, scenario);
    tasks.push({ ms: expected ? job(expected.ms) : 0, base: shared });
  }
  const known = [...classes.values()].flatMap(({ ms }) => (ms === null ? [] : [ms]));
  const core = known.length > 0 ? known.reduce((sum, ms) => plus(sum, ms), NOTHING) : null;
  const wall = START_MS + makespan(tasks, threads);
  return {
    threads,
    classes: [...classes]
      .toSorted(([, a], [, b]) => Number(a.kind.strategy !== null) - Number(b.kind.strategy !== null))
      .map(([key, { kind: one, jobs, ms }]) => {
        const recorded = records.get(key)?.length ?? 0;
        const { key: _, work: __, ...kind } = one;
        return { ...kind, jobs, records: recorded, by: ms === null ? null : recorded > 0 ? 'records' : 'rates', coreMs: ms && rounded(ms) };
      }),
    coreMs: core && rounded(core),
    wallMs: core && rounded(each((q) => (core.median > 0 ? (wall * core[q]) / core.median : wall))),
    unknown: [...unknown.values()],
    from,
    yardstickMs,
  };
}
