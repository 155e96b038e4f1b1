import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Provenance } from '../contract/rows.ts';
import type { BaseSpec, TrialSpec } from '../contract/spec.ts';
import { exists } from './disk.ts';
import { expand, type PlannedTrial } from './expand.ts';
import { readLines } from './lines.ts';
import { loadFrozen } from './load.ts';
import { PARTS, type Part, partOf, type Work, workOf } from './operations.ts';

/** Jobs that take alike, but for their size: same kind, engine, world and strategy. */
export interface Kind {
  readonly kind: 'base' | 'trial';
  readonly environment: string;
  readonly engine: string;
  /** Of a trial; null for a base. */
  readonly strategy: string | null;
}

/** A kind of one size. */
export interface Sized extends Kind {
  readonly key: string;
  readonly work: Work;
}

const ofBase = ({ environment, engine }: BaseSpec): Kind => ({ kind: 'base', environment, engine, strategy: null });
const ofTrial = ({ base, strategy }: TrialSpec): Kind => ({ ...ofBase(base), kind: 'trial', strategy });
const sized = (kind: Kind, spec: BaseSpec | TrialSpec): Sized => ({
  ...kind,
  key: `${kind.kind} ${kind.engine} ${kind.environment} ${kind.strategy}`,
  work: workOf(spec),
});

/** Says of each trial of a sweep, and of its base, what kind it is: once for all seeds of an arm. */
export function sizer(): (trial: PlannedTrial) => { readonly trial: Sized; readonly base: Sized } {
  const arms = new Map<string, { trial: Sized; base: Sized }>();
  return ({ arm, spec }) => {
    const known = arms.get(arm) ?? { trial: sized(ofTrial(spec), spec), base: sized(ofBase(spec.base), spec.base) };
    arms.set(arm, known);
    return known;
  };
}

/** What one finished job took, in ms: its parts, and what is in none of them. */
export interface Took {
  readonly work: Work;
  readonly parts: Readonly<Record<Part, number>>;
  readonly restMs: number;
  readonly wallMs: number;
  readonly ok: boolean;
  /** Model of the processor. */
  readonly cpu: string;
}

function tookOf({ wallMs, phasesMs, ok, cpu = '' }: Provenance, { work, kind }: Sized): Took {
  const parts = { main: 0, identify: 0, curve: 0, evaluate: 0 };
  let left = wallMs;
  for (const [phase, ms] of Object.entries(phasesMs)) {
    const part = partOf(phase);
    if (part === null || typeof ms !== 'number' || (phase === 'train') !== (kind === 'base' && part === 'main')) continue;
    const counted = Math.min(left, ms);
    parts[part] += counted;
    left -= counted;
  }
  return { work, parts, restMs: left, wallMs, ok, cpu };
}

/** Of a kind the last so many: of earlier ones there is nothing new to learn. */
const MOST = 200;

/** Records by kind, of jobs whose spec is known. What is no record is passed over: an estimate is no reason to fail. */
async function readRecords(folder: string, trials: readonly PlannedTrial[]): Promise<Map<string, Took[]>> {
  const sizes = sizer();
  const kinds = new Map<string, Sized>();
  for (const trial of trials) kinds.set(trial.id, sizes(trial).trial).set(trial.baseId, sizes(trial).base);
  const found = new Map<string, Took[]>();
  for await (const { text } of readLines(join(folder, 'provenance.jsonl'))) {
    const record = parse(text);
    const kind = record && kinds.get(record.id);
    if (!kind || record.attempt === 0) continue;
    const records = found.get(kind.key) ?? [];
    found.set(kind.key, records);
    records.push(tookOf(record, kind));
    if (records.length > 2 * MOST) records.splice(0, MOST);
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

export interface Place {
  /** Folder of results folders, and the sweep's own in it. */
  readonly root: string;
  readonly name: string;
  /** Model of this machine's processor: what was recorded on another one counts where there is nothing else. */
  readonly cpu: string;
}

/** What is recorded of the wanted kinds: in the sweep's own folder, and where that has no finished job of a kind, in the others under `root`. */
export async function readHistory(
  wanted: ReadonlySet<string>,
  planned: readonly PlannedTrial[],
  { root, name, cpu }: Place,
): Promise<{ readonly records: ReadonlyMap<string, readonly Took[]>; readonly from: readonly string[] }> {
  const own = join(root, name);
  const records = new Map<string, readonly Took[]>();
  const foreign = new Map<string, { readonly took: readonly Took[]; readonly folder: string }>();
  const from = new Set<string>();
  const use = (folder: string, found: ReadonlyMap<string, readonly Took[]>): void => {
    for (const [key, all] of found) {
      const here = all.filter((took) => took.cpu === cpu).slice(-MOST);
      if (!wanted.has(key) || records.has(key) || !all.some(({ ok }) => ok)) continue;
      if (here.some(({ ok }) => ok)) {
        records.set(key, here);
        from.add(folder);
      } else if (!foreign.has(key)) foreign.set(key, { took: all.slice(-MOST), folder });
    }
  };
  if (wanted.size > 0 && (await exists(join(own, 'provenance.jsonl'))))
    use(own, await readRecords(own, [...frozenTrials(own), ...planned]));
  if (records.size < wanted.size) {
    for (const folder of await otherFolders(root, own)) {
      use(folder, await readRecords(folder, frozenTrials(folder)));
      if (records.size === wanted.size) break;
    }
  }
  for (const [key, { took, folder }] of foreign) {
    if (records.has(key)) continue;
    records.set(key, took);
    from.add(folder);
  }
  return { records, from: [...from] };
}

/** Whether two works have the same counts. */
export const sameSize = (a: Work, b: Work): boolean =>
  a === b || PARTS.every((part) => a[part].size === b[part].size && [...a[part]].every(([operation, n]) => b[part].get(operation) === n));
