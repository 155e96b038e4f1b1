import { ConfigError } from '../contract/errors.ts';
import { isTransient } from '../contract/job.ts';
import { nearest } from '../contract/problems.ts';
import type { BaseRow, TrialRow } from '../contract/rows.ts';
import { between, type Difference, fieldsOf } from './differences.ts';
import type { PlannedTrial } from './expand.ts';
import { labelOf, namesOf, wholeArm } from './labels.ts';
import { readRows } from './store.ts';
import { explainEmpty, parseWhere, type Subject } from './where.ts';

/** A trial that is wanted, has a row, or both. */
export interface Candidate extends Subject {
  readonly baseId: string;
  readonly arm: string;
  readonly wanted: boolean;
  readonly row: Extract<TrialRow, { ok: false }>['failure'] | 'ok' | null;
}

export interface Why {
  readonly id: string;
  readonly scenario: string;
  readonly strategy: string;
  /** Scenario, strategy, and every parameter in which it differs from other arms. */
  readonly arm: string;
  readonly seed: number;
  readonly correctionSeed: number;
  /** Whether the sweep asks for it. */
  readonly wanted: boolean;
  /** `again`: it crashed or met a limit, and runs again; `waiting`: for its base; `refused`: its base failed, so it will not run. */
  readonly state: 'cached' | 'failed' | 'again' | 'missing' | 'waiting' | 'refused';
  readonly base: { readonly id: string; readonly state: 'ok' | 'failed' | 'missing' };
  readonly reason: string;
  /** Of what has no row: the row that differs from it in the fewest fields. Of a row that nobody wants: the wanted trial that does. */
  readonly nearest: { readonly id: string; readonly differences: readonly Difference[] } | null;
}

/** What a results folder has, without the numbers; rows pass through. */
export async function readCandidates(
  folder: string,
  planned: readonly PlannedTrial[],
): Promise<{ readonly candidates: readonly Candidate[]; readonly bases: ReadonlyMap<string, BaseRow> }> {
  const wanted = new Set(planned.map(({ id }) => id));
  const nameOf = namesOf(planned);
  const bases = new Map<string, BaseRow>();
  for await (const { row } of readRows(folder, 'base')) bases.set(row.id, row);
  const rows = new Map<string, Candidate>();
  for await (const { row } of readRows(folder, 'trial')) {
    const { id, base: baseId, spec } = row;
    const state = row.ok ? 'ok' : runsAgain(row) || runsAgain(bases.get(baseId)) ? 'missing' : 'failed';
    rows.set(id, { ...{ id, baseId, spec, ...nameOf(id, spec), state, wanted: wanted.has(id) }, row: row.ok ? 'ok' : row.failure });
  }
  const missing = planned.flatMap(({ id, baseId, spec, scenario, arm }): Candidate[] =>
    rows.has(id) ? [] : [{ id, baseId, spec, scenario, arm, state: 'missing', wanted: true, row: null }],
  );
  return { candidates: [...rows.values(), ...missing], bases };
}

const runsAgain = (row: BaseRow | TrialRow | undefined): boolean => row !== undefined && !row.ok && isTransient(row.failure);

const SHOWN = 20;

/**
 * The one trial that a beginning of an id, or a filter, chooses. Throws ConfigError where several do, with a list of them.
 * Where none does: what could have been meant.
 */
export function choose(given: string, candidates: readonly Candidate[]): Candidate | string {
  const terms = given.includes('=') ? parseWhere(given) : null;
  const prefix = given.trim().toLowerCase();
  const found = candidates.filter((candidate) =>
    terms ? terms.every((term) => term.matches(candidate)) : prefix !== '' && candidate.id.startsWith(prefix),
  );
  // A filter speaks of what the sweep asks for, if it can; an id says itself which it means.
  const asked = terms ? found.filter(({ wanted }) => wanted) : [];
  const chosen = asked.length > 0 ? asked : found;
  const [first, second] = chosen;
  if (first && (!second || first.id === prefix)) return first;
  if (first) {
    const shown = chosen.slice(0, SHOWN).map((candidate) => `  ${labelOf(candidate)}`);
    const more = chosen.length > SHOWN ? [`  ... and ${chosen.length - SHOWN} more`] : [];
    const remedy = terms ? 'narrow the filter' : 'write more of the id';
    throw new ConfigError([`${given}: expected one trial, got ${chosen.length}; ${remedy}`, ...shown, ...more].join('\n'));
  }
  if (terms) return explainEmpty(terms, candidates, 'trial');
  const trial = candidates.find(({ baseId }) => prefix !== '' && baseId.startsWith(prefix));
  if (trial) return `${given}: no trial has such an id; it is that of a base, of ${labelOf(trial)} among others`;
  const meant = nearestId(prefix, candidates);
  return `${given}: no trial has an id that begins so${meant ? `; nearest is ${labelOf(meant)}` : ', there is none at all'}`;
}

/** By edits of the same number of letters, else by the longest common beginning. */
function nearestId(prefix: string, candidates: readonly Candidate[]): Candidate | undefined {
  const cut = new Map(candidates.toReversed().map((candidate) => [candidate.id.slice(0, prefix.length), candidate]));
  const meant = nearest(prefix, [...cut.keys()]);
  if (meant !== undefined) return cut.get(meant);
  const common = ({ id }: Candidate): number => {
    const at = [...prefix].findIndex((letter, i) => id[i] !== letter);
    return at < 0 ? prefix.length : at;
  };
  return candidates.reduce<Candidate | undefined>((best, one) => (best && common(best) >= common(one) ? best : one), undefined);
}

/** Why a trial is cached, or not: its row, its base, and what is nearest to it. */
export function explain(trial: Candidate, candidates: readonly Candidate[], bases: ReadonlyMap<string, BaseRow>, folder: string): Why {
  const { id, scenario, spec, wanted } = trial;
  const arm = wholeArm(trial.arm, spec.base.engine);
  const base = stateOf(bases.get(trial.baseId));
  const { state, reason } = verdict(trial, base, bases.get(trial.baseId), folder);
  const others = candidates.filter((other) => other.id !== id && (wanted ? other.row !== null : other.wanted));
  const compare = trial.row === null || !wanted;
  return {
    ...{ id, scenario, strategy: spec.strategy, arm, seed: spec.base.seed, correctionSeed: spec.correctionSeed, wanted, state },
    base: { id: trial.baseId, state: base },
    reason: wanted ? reason : `${reason}; no trial of the sweep asks for it`,
    nearest: compare ? nearestTrial(trial, others, wanted) : null,
  };
}

function stateOf(row: BaseRow | undefined): Why['base']['state'] {
  if (row === undefined || runsAgain(row)) return 'missing';
  return row.ok ? 'ok' : 'failed';
}

function verdict(
  { row, baseId, wanted, state }: Candidate,
  base: Why['base']['state'],
  baseRow: BaseRow | undefined,
  folder: string,
): Pick<Why, 'state' | 'reason'> {
  if (row === 'ok') return { state: 'cached', reason: `its row is in ${folder}/trials.jsonl` };
  if (row !== null) {
    const said = `${row.kind}: ${row.message.split('\n', 1)[0]}`;
    if (state === 'missing') return { state: 'again', reason: `${said}; the next run tries it again` };
    return { state: 'failed', reason: `${said}; it would fail the same way again, so run leaves it` };
  }
  if (!wanted) return { state: 'missing', reason: 'it has no row' };
  if (base === 'failed' && baseRow && !baseRow.ok)
    return {
      state: 'refused',
      reason: `its base ${baseId} failed (${baseRow.failure.kind}: ${baseRow.failure.message.split('\n', 1)[0]})`,
    };
  if (base === 'missing') return { state: 'waiting', reason: `it has no row, and waits for its base ${baseId}, which has none either` };
  return { state: 'missing', reason: `it has no row; its base ${baseId} is there, so it can run` };
}

/** The one with the fewest differing fields, the first of several. `towards`: from the other one to this trial. */
function nearestTrial(trial: Candidate, others: readonly Candidate[], towards: boolean): Why['nearest'] {
  const mine = fieldsOf(trial.spec);
  let best: { id: string; differences: readonly Difference[] } | null = null;
  for (const { id, spec } of others) {
    const theirs = fieldsOf(spec);
    const found = towards ? between(theirs, mine) : between(mine, theirs);
    if (best === null || found.length < best.differences.length) best = { id, differences: found };
  }
  return best;
}
