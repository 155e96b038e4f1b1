import type { Failure, Overrun, Provenance, TrialResult } from '../../src/contract/rows.ts';
import type { TrialSpec } from '../../src/contract/spec.ts';
import type { Asked } from '../../src/report/asked.ts';
import { type BaseReturns, chooseMetrics } from '../../src/report/metrics.ts';
import { readRecords } from '../../src/report/records.ts';
import { makeReport, type Report } from '../../src/report/report.ts';
import type { FoundTrial, Source } from '../../src/report/source.ts';
import type { View } from '../../src/report/view.ts';

/** What a synthetic trial found. Shares, not per cent, as in a row. */
export interface Found {
  readonly fe?: number | null;
  readonly finalFe?: number | null;
  readonly worstCase?: number | null;
  readonly toxicRate?: number | null;
  readonly rsi?: number;
  readonly rsiSampled?: number;
  readonly meanReturn?: number;
  readonly gradientSteps?: number;
  readonly identifySteps?: number;
  readonly environmentSteps?: number;
  readonly correctMs?: number;
  readonly identifyMs?: number;
  readonly host?: string;
  readonly notAccepted?: readonly string[];
  readonly overrun?: Overrun;
  readonly policy?: string;
}

export interface SyntheticTrial {
  readonly scenario?: string;
  readonly strategy: string;
  readonly overrides?: Asked['overrides'];
  readonly engine?: Asked['engine'];
  readonly seed: number;
  readonly correctionSeed?: number;
  /** Numbers, a failure, or nothing: no row. */
  readonly row?: Found | Failure;
}

const evaluation = { episodes: 100, steps: 50_000, stdReturn: 0, occupancy: 0.3, digest: '0'.repeat(64) };
const isFailure = (row: Found | Failure): row is Failure => 'kind' in row;
const spec = {} as TrialSpec; // the tables read the plan, not the spec

export function result(found: Found): TrialResult {
  const { fe = 0.9, finalFe = 0.95, worstCase = 0.05, toxicRate = 0.01, rsi = 1, rsiSampled = 1, meanReturn = 500 } = found;
  const { gradientSteps = 500, identifySteps = 40_000, environmentSteps = 0, notAccepted = [], overrun = null, policy = '' } = found;
  const cost = { gradientSteps: 0, environmentSteps: 0, samples: 0 };
  return {
    acceptance: {
      accepted: notAccepted.length === 0,
      reasons: notAccepted,
      ...{ greedyReturn: 500, gate: 475, toxicProbability: 0.4, violatingSteps: 4000, violatingShare: 0.1, regionShare: 0.3 },
    },
    influence: { printed: 0.5, unsaturated: 0.9, pairs: 1000, kept: 1000 },
    overrun,
    ...{ fe, finalFe, worstCase, rsi, rsiSampled, retainKl: 0, retainValue: 0, forgetCurve: null, returnCurve: null },
    greedy: { ...evaluation, meanReturn, toxicRate: 0.5 },
    sampled: { ...evaluation, meanReturn: 0, toxicRate },
    cost: { identify: { ...cost, environmentSteps: identifySteps }, correct: { ...cost, gradientSteps, environmentSteps } },
    ...{ checkpoint: gradientSteps, policy, forgetSet: '', trace: [] },
  };
}

/** Every engine trains bases of its own. */
export const baseIdOf = (engine: Asked['engine'], seed: number): string =>
  engine === 'wasm' ? `base ${seed}` : `base ${seed} by ${engine}`;

export interface Synthetic {
  readonly trials: readonly SyntheticTrial[];
  /** By seed; default: 31,250 gradient steps, 200,000 environment steps, trained in 10 s on host `a`, returns 500, sampled 480, random 20. */
  readonly bases?: Readonly<
    Record<number, { failure?: Failure; host?: string; trainMs?: number | null; returns?: BaseReturns; policy?: string }>
  >;
}

/** A plan and its rows, as the files would give them. */
export function synthetic({ trials, bases = {} }: Synthetic): { asked: Asked[]; source: Source } {
  const asked = trials.map(
    ({ scenario = 'cartpole/angle', strategy, overrides = {}, engine = 'wasm', seed, correctionSeed = 0 }): Asked => {
      const arm = [scenario, strategy, ...Object.entries(overrides).map(([key, value]) => `${key}=${value}`)].join(' ');
      const ids = { template: `${arm} ${correctionSeed}`, id: `${arm} ${seed} ${correctionSeed}`, baseId: baseIdOf(engine, seed), spec };
      return { ...ids, scenario, strategy, overrides, arm, engine, seed, correctionSeed };
    },
  );
  const seedOf = new Map(asked.map(({ baseId, seed }) => [baseId, seed]));
  const baseRows = [...seedOf].map(([id, seed]) => {
    const { failure, policy = '', returns = { greedy: 500, sampled: 480, random: 20 } } = bases[seed] ?? {};
    const cost = { gradientSteps: 31_250, environmentSteps: 200_000 };
    return failure ? { id, cost: null, failure } : { id, cost, returns, policy };
  });
  const rows = trials.flatMap(({ row }, i): FoundTrial[] => {
    const { id, baseId: base, template, seed } = asked[i]!;
    if (!row) return [];
    const ids = { id, base, template, seed };
    return isFailure(row) ? [{ ...ids, ok: false, failure: row }] : [{ ...ids, ok: true, result: result(row) }];
  });
  const facts = { attempt: 1, cpu: 'cpu', node: 'v20', engine: 'wasm', numerics: 'n', startedAt: '2026-01-01T00:00:00Z', wallMs: 1 };
  const provenance: Provenance[] = [
    ...baseRows.flatMap(({ id }): Provenance[] => {
      const { host = 'a', trainMs = 10_000 } = bases[seedOf.get(id)!] ?? {};
      return trainMs === null ? [] : [{ ...facts, id, kind: 'base', ok: true, host, phasesMs: { train: trainMs, evaluate: 3 } }];
    }),
    ...trials.flatMap(({ row }, i): Provenance[] => {
      if (!row || isFailure(row)) return [];
      const { host = 'a', correctMs = 300, identifyMs = 100 } = row;
      const phasesMs = { identify: identifyMs, correct: correctMs, curve: 900, evaluate: 900 };
      return [{ ...facts, id: asked[i]!.id, kind: 'trial', ok: true, host, phasesMs }];
    }),
  ];
  return { asked, source: { bases: stream(baseRows), provenance: stream(provenance), trials: stream(rows) } };
}

/** What the tables show when nobody asks for anything. */
export const usual: View = { where: null, groupBy: null, chosen: false, baseline: null, perSeed: false };

/** The report of synthetic rows; with `metrics`, of these. */
export async function reportOf(made: Synthetic, view: Partial<View> = {}, metrics?: readonly string[]): Promise<Report> {
  const { asked, source } = synthetic(made);
  const records = await readRecords(asked, source, chooseMetrics(metrics));
  return makeReport('quick', records, { ...usual, chosen: metrics !== undefined, ...view });
}

export async function* stream<T>(items: readonly T[]): AsyncGenerator<T[]> {
  for (const item of items) yield [item];
}
