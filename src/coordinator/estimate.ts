import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Provenance } from '../contract/rows.ts';
import type { BaseSpec, TrialSpec } from '../contract/spec.ts';
import { strategyPreset } from '../contract/strategies.ts';
import { exists } from './disk.ts';
import { expand, type PlannedTrial } from './expand.ts';
import { readLines } from './lines.ts';
import { loadFrozen } from './load.ts';

/** What a job may take, in ms: if it took what a quarter, half, three quarters of the recorded ones took at most. */
export interface Quartiles {
  readonly low: number;
  readonly median: number;
  readonly high: number;
}

/** Jobs of one kind that are still to run. */
export interface ClassEstimate {
  readonly kind: 'base' | 'trial';
  readonly environment: string;
  readonly engine: string;
  /** Of a trial; null for a base. */
  readonly strategy: string | null;
  readonly jobs: number;
  /** How many finished jobs of this kind are recorded. */
  readonly records: number;
  /** Of all these jobs together; null where nothing is recorded. */
  readonly coreMs: Quartiles | null;
}

export interface Estimate {
  readonly threads: number;
  readonly classes: readonly ClassEstimate[];
  /** Of the jobs of which something is recorded; null where nothing is of any. */
  readonly coreMs: Quartiles | null;
  /** The same on so many threads: never less than the longest base and, after it, the longest trial. */
  readonly wallMs: Quartiles | null;
  /** Folders whose records were used. */
  readonly from: readonly string[];
}

/** What is left of a plan. */
export interface Left {
  readonly bases: readonly BaseSpec[];
  readonly trials: readonly TrialSpec[];
}

/** Jobs of one class, by how much of their main phase there is to do. */
interface Group {
  readonly work: Work;
  readonly units: Map<number, number>;
}

function groupsOf({ bases, trials }: Left): Map<string, Group> {
  const groups = new Map<string, Group>();
  const count = (spec: BaseSpec | TrialSpec): void => {
    const work = workOf(spec);
    const key = classOf(work);
    const group = groups.get(key) ?? { work, units: new Map<number, number>() };
    if (group.work === work) groups.set(key, group);
    group.units.set(work.units, (group.units.get(work.units) ?? 0) + 1);
  };
  bases.forEach(count);
  trials.forEach(count);
  return groups;
}

/** A kind of job, and how much of its main phase there is to do. */
interface Work {
  readonly kind: 'base' | 'trial';
  readonly environment: string;
  readonly engine: string;
  readonly strategy: string | null;
  readonly units: number;
}

/** `train` grows with the timesteps; `correct` with the steps or timesteps that a strategy asks for, and with those of the base where it trains anew. */
function workOf(spec: BaseSpec | TrialSpec): Work {
  if (!('base' in spec)) {
    const { environment, engine, ppo } = spec;
    return { kind: 'base', environment, engine, strategy: null, units: ppo.totalTimesteps };
  }
  const { environment, engine, ppo } = spec.base;
  const { steps, timesteps } = spec.correct;
  const anew = strategyPreset(spec.strategy).needs === 'environment' ? ppo.totalTimesteps : 1;
  const units = [steps, timesteps].find((amount) => typeof amount === 'number') ?? anew;
  return { kind: 'trial', environment, engine, strategy: spec.strategy, units };
}

const classOf = ({ kind, environment, engine, strategy }: Work): string => `${kind} ${engine} ${environment} ${strategy}`;

/** What one finished job took: a part that grows with its units, and the rest. */
interface Took {
  readonly restMs: number;
  readonly msPerUnit: number;
}

function tookOf({ wallMs, phasesMs }: Provenance, work: Work): Took {
  const main = Math.min(wallMs, phasesMs[work.kind === 'base' ? 'train' : 'correct'] ?? 0);
  return { restMs: wallMs - main, msPerUnit: main / work.units };
}

/** Records by class, of jobs whose spec is known. What is no record is passed over: an estimate is no reason to fail. */
async function readRecords(folder: string, specs: ReadonlyMap<string, BaseSpec | TrialSpec>): Promise<Map<string, Took[]>> {
  const found = new Map<string, Took[]>();
  for await (const { text } of readLines(join(folder, 'provenance.jsonl'))) {
    const record = parse(text);
    const spec = record && specs.get(record.id);
    if (!record?.ok || record.attempt === 0 || !spec) continue;
    const work = workOf(spec);
    const records = found.get(classOf(work)) ?? [];
    found.set(classOf(work), records);
    records.push(tookOf(record, work));
  }
  return found;
}

function parse(text: string): Provenance | null {
  try {
    const value = JSON.parse(text) as Provenance;
    return typeof value.wallMs === 'number' && typeof value.phasesMs === 'object' && value.phasesMs !== null ? value : null;
  } catch {
    return null;
  }
}

function specsOf(trials: readonly PlannedTrial[]): Map<string, BaseSpec | TrialSpec> {
  const specs = new Map<string, BaseSpec | TrialSpec>();
  for (const { id, baseId, spec } of trials) specs.set(id, spec).set(baseId, spec.base);
  return specs;
}

/** The trials that a folder was made for; none where its file is of a time when files said other things. */
function frozenTrials(folder: string): PlannedTrial[] {
  try {
    return expand(loadFrozen(folder).sweep);
  } catch {
    return [];
  }
}

const MAX_FOLDERS = 20;

/** The other results folders under a root that have records, the latest first. */
async function otherFolders(root: string, own: string): Promise<string[]> {
  const names = await readdir(root).catch(() => []);
  const dated = await Promise.all(
    names.map(async (name) => {
      const folder = join(root, name);
      const at = await stat(join(folder, 'provenance.jsonl')).then(
        ({ mtimeMs }) => mtimeMs,
        () => null,
      );
      return at === null || folder === own ? [] : [{ folder, at }];
    }),
  );
  return dated
    .flat()
    .toSorted((a, b) => b.at - a.at)
    .slice(0, MAX_FOLDERS)
    .map(({ folder }) => folder);
}

/**
 * How long what is left of a sweep will take, from what such jobs took before: in its own folder, and where that has no record of a kind,
 * in the other folders under `root`. Reads, never writes.
 */
export async function estimate(
  left: Left,
  planned: readonly PlannedTrial[],
  { root, name, threads }: { readonly root: string; readonly name: string; readonly threads: number },
): Promise<Estimate> {
  const wanted = groupsOf(left);
  const own = join(root, name);
  const records = new Map<string, readonly Took[]>();
  const from: string[] = [];
  const use = (folder: string, found: ReadonlyMap<string, readonly Took[]>): void => {
    const fresh = [...found].filter(([key]) => wanted.has(key) && !records.has(key));
    for (const [key, took] of fresh) records.set(key, took);
    if (fresh.length > 0) from.push(folder);
  };
  if (wanted.size > 0 && (await exists(join(own, 'provenance.jsonl'))))
    use(own, await readRecords(own, specsOf([...frozenTrials(own), ...planned])));
  if (records.size < wanted.size) {
    for (const folder of await otherFolders(root, own)) {
      use(folder, await readRecords(folder, specsOf(frozenTrials(folder))));
      if (records.size === wanted.size) break;
    }
  }
  return summarize(wanted, records, threads, from);
}

const NOTHING: Quartiles = { low: 0, median: 0, high: 0 };
const each = (of: (key: keyof Quartiles) => number): Quartiles => ({ low: of('low'), median: of('median'), high: of('high') });

const rounded = (ms: Quartiles): Quartiles => each((q) => Math.round(ms[q]));

/** Linear between the two nearest of sorted values. */
function quantile(sorted: readonly number[], q: number): number {
  const at = q * (sorted.length - 1);
  const [below = 0, above = below] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]];
  return below + (at - Math.floor(at)) * (above - below);
}

function summarize(
  groups: ReadonlyMap<string, Group>,
  records: ReadonlyMap<string, readonly Took[]>,
  threads: number,
  from: readonly string[],
): Estimate {
  let total = NOTHING;
  const longest = { base: NOTHING, trial: NOTHING };
  const classes = [...groups].map(([key, { work, units }]): ClassEstimate => {
    const { units: _, ...kind } = work;
    const jobs = [...units.values()].reduce((sum, n) => sum + n, 0);
    const took = records.get(key) ?? [];
    if (took.length === 0) return { ...kind, jobs, records: 0, coreMs: null };
    let core = NOTHING;
    for (const [amount, n] of units) {
      const sorted = took.map(({ restMs, msPerUnit }) => restMs + msPerUnit * amount).toSorted((a, b) => a - b);
      const one = { low: quantile(sorted, 0.25), median: quantile(sorted, 0.5), high: quantile(sorted, 0.75) };
      const before = core;
      core = each((q) => before[q] + n * one[q]);
      const most = longest[kind.kind];
      longest[kind.kind] = each((q) => Math.max(most[q], one[q]));
    }
    const sum = total;
    total = each((q) => sum[q] + core[q]);
    return { ...kind, jobs, records: took.length, coreMs: core };
  });
  const known = classes.some(({ coreMs }) => coreMs !== null);
  const wall = each((q) => Math.max(total[q] / threads, longest.base[q] + longest.trial[q]));
  const whole = classes.map((one) => ({ ...one, coreMs: one.coreMs && rounded(one.coreMs) }));
  return { threads, classes: whole, coreMs: known ? rounded(total) : null, wallMs: known ? rounded(wall) : null, from };
}
