import type { Failure } from '../contract/rows.ts';
import { baseFailed } from '../coordinator/schedule.ts';
import type { Asked } from './asked.ts';
import { correctionMs, isMasked, type Metric } from './metrics.ts';
import type { FoundBase, FoundTrial, Source, Timed } from './source.ts';

/** What the tables need of one trial; everything else of its row is let go as soon as it is read. */
export interface TrialRecord {
  readonly trial: Asked;
  readonly state: 'ok' | 'failed' | 'missing';
  /** Where its numbers stand in the columns. */
  readonly at: number;
  readonly failure?: Failure;
  /** Of the base, where there is a row that names it. */
  readonly base: string;
  /** Its own id, where it has a row. */
  readonly id: string | null;
  /** SHA-256 of the policy file of the corrected policy, and of its base's; null where there is none. */
  readonly policy: string | null;
  readonly basePolicy: string | null;
  /** A trial without a row waits for its base. */
  readonly baseIsThere: boolean;
  /** Why its base and scenario were not accepted; empty when they were. */
  readonly notAccepted: readonly string[];
  /** Both halves of its time overhead are on record; null where they are not, or come to nothing. */
  readonly timedOn: 'one host' | 'two hosts' | null;
}

const NOTHING = { policy: null, notAccepted: [], timedOn: null } as const;

export interface Column {
  readonly metric: Metric;
  readonly values: Float64Array;
}

export interface Records {
  /** What was read, and its numbers by `at`: NaN where one is not defined. */
  readonly columns: readonly Column[];
  /** One per trial that was asked for, in the order in which that was, whatever order the rows came in. */
  readonly records: readonly TrialRecord[];
  /** How many rows nobody asked for. */
  readonly strangers: number;
}

export async function readRecords(asked: readonly Asked[], source: Source, metrics: readonly Metric[]): Promise<Records> {
  const bases = new Map<string, Omit<FoundBase, 'id'>>();
  for await (const batch of source.bases) for (const { id, ...base } of batch) bases.set(id, base);
  // An id may have several lines: of a run that was lost, and of the row that is there. The last counts.
  const timings = new Map<string, Timed>();
  for await (const batch of source.provenance) for (const record of batch) timings.set(record.id, record);

  const indexOf = new Map<string, Map<number, number>>();
  asked.forEach(({ template, seed }, i) => {
    const ofTemplate = indexOf.get(template) ?? new Map<number, number>();
    indexOf.set(template, ofTemplate.set(seed, i));
  });
  const columns = metrics.map((metric) => ({ metric, values: new Float64Array(asked.length).fill(Number.NaN) }));
  const records = new Array<TrialRecord | undefined>(asked.length).fill(undefined);
  let strangers = 0;
  const take = (row: FoundTrial): void => {
    const i = indexOf.get(row.template)?.get(row.seed);
    const trial = i === undefined ? undefined : asked[i];
    if (i === undefined || !trial) strangers++;
    else records[i] = recordOf(row, trial, i);
  };
  const recordOf = (row: FoundTrial, trial: Asked, at: number): TrialRecord => {
    const { strategy } = trial;
    const basePolicy = bases.get(row.base)?.policy || null;
    const found = { trial, at, id: row.id, base: row.base, basePolicy, baseIsThere: true };
    if (!row.ok) {
      writeFailed(columns, trial, at);
      return { ...found, ...NOTHING, state: 'failed', failure: row.failure };
    }
    const mine = timings.get(row.id);
    const theirs = timings.get(row.base);
    const { identify = 0, correct } = mine?.phasesMs ?? {};
    const spentMs = correct === undefined ? undefined : correctionMs(strategy, identify, correct);
    const { cost, returns: baseReturns } = bases.get(row.base) ?? {};
    const base = cost ?? undefined;
    const context = { strategy, result: row.result, base, baseReturns, correctionMs: spentMs, trainMs: theirs?.phasesMs['train'] };
    for (const { metric, values } of columns) values[at] = isMasked(strategy, metric) ? Number.NaN : (metric.of(context) ?? Number.NaN);
    const { accepted, reasons } = row.result.acceptance;
    const notAccepted = accepted ? [] : reasons.length > 0 ? reasons : ['no reason given'];
    const timedOn = !spentMs || context.trainMs === undefined ? null : mine?.host === theirs?.host ? 'one host' : 'two hosts';
    return { ...found, state: 'ok', policy: row.result.policy || null, notAccepted, timedOn };
  };
  for await (const batch of source.trials) batch.forEach(take);
  for (const [at, trial] of asked.entries()) records[at] ??= withoutRow(trial, at, bases, columns);
  return { columns, records: records.flatMap((record) => record ?? []), strangers };
}

/** A trial waits for its base; where that failed, it waits for ever. */
function withoutRow(trial: Asked, at: number, bases: ReadonlyMap<string, Omit<FoundBase, 'id'>>, columns: readonly Column[]): TrialRecord {
  const base = trial.baseId;
  const there = bases.get(base);
  const found = { trial, at, id: null, base, basePolicy: there?.policy || null, baseIsThere: there !== undefined, ...NOTHING };
  if (!there?.failure) return { ...found, state: 'missing' };
  writeFailed(columns, trial, at);
  return { ...found, state: 'failed', failure: baseFailed(base, there.failure) };
}

/** In some columns a failure counts. */
function writeFailed(columns: readonly Column[], { strategy }: Asked, at: number): void {
  for (const { metric, values } of columns) values[at] = isMasked(strategy, metric) ? Number.NaN : (metric.ofFailed ?? Number.NaN);
}
