import { basesOf, expand, type PlannedTrial } from '../coordinator/expand.ts';
import { baseArm, wholeArm } from '../coordinator/labels.ts';
import { loadFrozen } from '../coordinator/load.ts';
import { explainEmpty, parseWhere, type Subject } from '../coordinator/where.ts';
import { type Asked, templateOf } from './asked.ts';
import { groups } from './groups.ts';
import { chooseMetrics, METRICS } from './metrics.ts';
import { type Records, readRecords, type TrialRecord } from './records.ts';
import { type FoundBase, readSource, type Source } from './source.ts';

type State = TrialRecord['state'];

/** A base as `spc list --json` has it. */
export interface ListedBase {
  readonly id: string;
  /** Scenario and the parameters of training in which it differs from other bases. */
  readonly name: string;
  readonly seed: number;
  readonly state: State;
  /** SHA-256 of the policy file. */
  readonly policy: string | null;
  readonly greedyReturn: number | null;
  /** Why it has no policy. */
  readonly why: string | null;
}

/** A trial as `spc list --json` has it. */
export interface ListedTrial {
  readonly id: string;
  /** Scenario, strategy and every parameter in which it differs from other arms. */
  readonly arm: string;
  readonly scenario: string;
  readonly strategy: string;
  readonly overrides: Asked['overrides'];
  readonly engine: Asked['engine'];
  readonly seed: number;
  readonly correctionSeed: number;
  readonly state: State;
  readonly policy: string | null;
  readonly base: { readonly id: string; readonly policy: string | null };
  /** By the keys of `spc table`, in their units. */
  readonly values: Readonly<Record<string, number | null>>;
  /** Why it has no numbers. */
  readonly why: string | null;
}

export interface Listing {
  readonly sweep: string;
  readonly where: string | null;
  readonly counts: Readonly<Record<State, number>>;
  readonly bases: readonly ListedBase[];
  /** Arm by arm; made one by one, because there may be a hundred thousand. */
  readonly trials: Iterable<ListedTrial>;
  /** Rows that belong to no trial of the sweep. */
  readonly strangers: number;
  /** Lines of the files that are no rows. */
  readonly broken: readonly string[];
}

/** Times would need provenance, which nothing else here does. */
const KEYS = METRICS.filter(({ key }) => key !== 'timeOverhead').map(({ key }) => key);

/** Every trial and every base of a results folder; null, with what there is, where none meets `where`. Reads line by line and keeps numbers, not rows. */
export async function readListing(folder: string, where: string): Promise<Listing | { readonly empty: string }> {
  const terms = parseWhere(where);
  const { sweep } = loadFrozen(folder);
  const planned = expand(sweep);
  const asked = askedOf(planned);
  const broken: string[] = [];
  const source = readSource(folder, asked, (message) => void broken.push(message));
  const bases = await collect(source.bases);
  const found = await readRecords(asked, { ...source, bases: again(bases), provenance: none() }, chooseMetrics(KEYS));
  const subject = ({ trial, state }: TrialRecord): Subject => ({ id: trial.id, spec: trial.spec, scenario: trial.scenario, state });
  const chosen = found.records.filter((record) => terms.every((term) => term.matches(subject(record))));
  if (chosen.length === 0) return { empty: explainEmpty(terms, found.records.map(subject), 'trial') };
  const byArm = [...groups(chosen, ({ trial }) => trial.arm).values()].flat();
  const count = (state: State): number => chosen.filter((record) => record.state === state).length;
  return {
    sweep: sweep.name,
    where: where.trim() || null,
    counts: { ok: count('ok'), failed: count('failed'), missing: count('missing') },
    bases: listBases(
      chosen.map(({ at }) => planned[at] as PlannedTrial),
      bases,
    ),
    trials: { [Symbol.iterator]: () => listTrials(byArm, found) },
    strangers: found.strangers,
    broken,
  };
}

/** Trials of the plan as the tables know them: their ids are there already. */
function askedOf(planned: readonly PlannedTrial[]): Asked[] {
  const templates = new Map<string, string>();
  return planned.map((trial) => {
    const key = `${trial.correctionSeed} ${trial.arm}`;
    const template = templates.get(key) ?? templateOf(trial.spec);
    templates.set(key, template);
    return { ...trial, engine: trial.spec.base.engine, template };
  });
}

/** Read first, because a list has them, too; they are few. */
async function collect(batches: Source['bases']): Promise<ReadonlyMap<string, FoundBase>> {
  const bases = new Map<string, FoundBase>();
  for await (const batch of batches) for (const base of batch) bases.set(base.id, base);
  return bases;
}

async function* again(bases: ReadonlyMap<string, FoundBase>): AsyncGenerator<readonly FoundBase[]> {
  yield [...bases.values()];
}

async function* none(): AsyncGenerator<never> {}

function listBases(trials: readonly PlannedTrial[], bases: ReadonlyMap<string, FoundBase>): ListedBase[] {
  const users = new Map(trials.toReversed().map((trial) => [trial.baseId, trial]));
  return basesOf(trials).map(({ id, spec }) => {
    const there = bases.get(id);
    const name = baseArm(users.get(id) as PlannedTrial);
    const state: State = there === undefined ? 'missing' : there.failure ? 'failed' : 'ok';
    const why = there?.failure ? `${there.failure.kind}: ${there.failure.message}` : there === undefined ? 'no row yet' : null;
    return { id, name, seed: spec.seed, state, policy: there?.policy || null, greedyReturn: there?.returns?.greedy ?? null, why };
  });
}

function* listTrials(records: readonly TrialRecord[], { columns }: Pick<Records, 'columns'>): Generator<ListedTrial> {
  for (const record of records) {
    const { trial, state, at, failure, policy, base, basePolicy, baseIsThere } = record;
    const { scenario, strategy, overrides, engine, seed, correctionSeed } = trial;
    const missing = baseIsThere ? 'no row yet' : 'its base is not trained yet';
    const values = columns.map(({ metric, values: all }) => {
      const value = all[at] ?? Number.NaN;
      return [metric.key, state !== 'ok' || Number.isNaN(value) ? null : value] as const;
    });
    yield {
      ...{ id: trial.id, arm: wholeArm(trial.arm, engine), scenario, strategy, overrides, engine, seed, correctionSeed, state, policy },
      base: { id: base, policy: basePolicy },
      values: Object.fromEntries(values),
      why: state === 'ok' ? null : failure ? `${failure.kind}: ${failure.message}` : missing,
    };
  }
}
