import { join } from 'node:path';
import { ConfigError } from '../contract/errors.ts';
import type { Failure, Provenance, TrialRow } from '../contract/rows.ts';
import type { PlannedTrial } from '../coordinator/expand.ts';
import { readLines } from '../coordinator/lines.ts';
import { baseFailed } from '../coordinator/schedule.ts';
import { readRows } from '../coordinator/store.ts';
import { type BaseCost, type Context, correctionMs, METRICS } from './metrics.ts';

/** What was asked, in the order in which it was asked: all that the tables need of the plan. */
export type Asked = Pick<PlannedTrial, 'id' | 'baseId' | 'scenario' | 'strategy' | 'overrides' | 'arm' | 'seed' | 'correctionSeed'>;

/** What the tables need of one trial; everything else of its row is let go as soon as it is read. */
export interface TrialRecord extends Asked {
  readonly state: 'ok' | 'failed' | 'missing';
  /** By metric key, null where it is not defined. */
  readonly values: Readonly<Record<string, number | null>>;
  readonly failure?: Failure;
  /** Why its base and scenario were not accepted; empty when they were. */
  readonly notAccepted: readonly string[];
  /** The two halves of its time overhead come from different hosts. */
  readonly mixedHosts: boolean;
}

/** Where the numbers come from: the files of a results folder, or a test. */
export interface Source {
  readonly bases: AsyncIterable<{ readonly id: string; readonly cost: BaseCost | null; readonly failure?: Failure }>;
  readonly provenance: AsyncIterable<Provenance>;
  readonly trials: AsyncIterable<TrialRow>;
}

export function readSource(folder: string): Source {
  return {
    bases: (async function* () {
      for await (const { row } of readRows(folder, 'base'))
        yield row.ok ? { id: row.id, cost: row.result } : { id: row.id, cost: null, failure: row.failure };
    })(),
    provenance: (async function* () {
      const path = join(folder, 'provenance.jsonl');
      for await (const { text, number } of readLines(path)) yield parseProvenance(text, `${path}:${number}`);
    })(),
    trials: (async function* () {
      for await (const { row } of readRows(folder, 'trial')) yield row;
    })(),
  };
}

function parseProvenance(text: string, where: string): Provenance {
  try {
    const value = JSON.parse(text) as Provenance;
    if (typeof value.id === 'string' && typeof value.phasesMs === 'object') return value;
  } catch {
    // judged below
  }
  throw new ConfigError(
    `${where}: expected a record of provenance, got ${JSON.stringify(text.slice(0, 60))}; delete the line, and the time of its row is unknown`,
  );
}

interface Timing {
  readonly host: string;
  readonly ms: number | undefined;
}

const NOTHING = { values: {}, notAccepted: [], mixedHosts: false } as const;

/** One record per trial that was asked for, in the order of `asked`, whatever order the rows came in; `strangers` counts the rows nobody asked for. */
export async function readRecords(
  asked: readonly Asked[],
  source: Source,
): Promise<{ readonly records: TrialRecord[]; readonly strangers: number }> {
  const strategyOf = new Map(asked.map((trial) => [trial.id, trial.strategy]));
  const bases = new Map<string, { cost: BaseCost | null; failure?: Failure }>();
  for await (const { id, cost, failure } of source.bases) {
    const counts = cost && { gradientSteps: cost.gradientSteps, environmentSteps: cost.environmentSteps };
    bases.set(id, { cost: counts, ...(failure && { failure }) });
  }
  // An id may have several lines: of a run that was lost, and of the row that is there. The last counts.
  const timings = new Map<string, Timing>();
  for await (const { id, kind, host, phasesMs } of source.provenance) {
    const { train, identify = 0, correct } = phasesMs;
    const strategy = strategyOf.get(id);
    const corrected = correct === undefined || strategy === undefined ? undefined : correctionMs(strategy, identify, correct);
    timings.set(id, { host, ms: kind === 'base' ? train : corrected });
  }

  const read = new Map<string, Omit<TrialRecord, keyof Asked>>();
  let strangers = 0;
  for await (const row of source.trials) {
    const strategy = strategyOf.get(row.id);
    if (strategy === undefined) {
      strangers++;
      continue;
    }
    if (!row.ok) {
      read.set(row.id, { ...NOTHING, state: 'failed', failure: row.failure });
      continue;
    }
    const mine = timings.get(row.id);
    const theirs = timings.get(row.base);
    const base = bases.get(row.base)?.cost ?? undefined;
    const values = measure({ strategy, result: row.result, base, correctionMs: mine?.ms, trainMs: theirs?.ms });
    const { accepted, reasons } = row.result.acceptance;
    read.set(row.id, {
      state: 'ok',
      values,
      notAccepted: accepted ? [] : reasons.length > 0 ? reasons : ['no reason given'],
      mixedHosts: Boolean(values[TIME]) && mine?.host !== theirs?.host,
    });
  }

  const records = asked.map((trial): TrialRecord => {
    const found = read.get(trial.id);
    if (found) return { ...trial, ...found };
    // A trial waits for its base; where that failed, it waits for ever.
    const failure = bases.get(trial.baseId)?.failure;
    if (!failure) return { ...trial, ...NOTHING, state: 'missing' };
    return { ...trial, ...NOTHING, state: 'failed', failure: baseFailed(trial.baseId, failure) };
  });
  return { records, strangers };
}

const TIME = 'timeOverhead';

function measure(context: Context): Record<string, number | null> {
  const masked = context.strategy === 'retrain';
  return Object.fromEntries(METRICS.map(({ key, of, forgetting }) => [key, forgetting && masked ? null : of(context)]));
}
