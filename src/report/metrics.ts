import type { TrialResult } from '../contract/rows.ts';
import { strategyPreset } from '../contract/strategies.ts';

/** What a trial is compared with: its base's counts, and the times of both. */
export interface Context {
  readonly strategy: string;
  readonly result: TrialResult;
  readonly base: BaseCost | undefined;
  /** Identify + correct, ms. `undefined`: no record of it. */
  readonly correctionMs: number | undefined;
  readonly trainMs: number | undefined;
}

export interface BaseCost {
  readonly gradientSteps: number;
  readonly environmentSteps: number;
}

/** A column. `effect`: what the correction did; `cost`: what obeying and correcting cost. */
export interface Metric {
  readonly key: string;
  readonly block: 'effect' | 'cost';
  /** Two lines of a narrow header; joined with a space they are the name. */
  readonly header: readonly [string, string];
  readonly unit: '%' | 'reward';
  readonly decimals: number;
  /** Of one trial, in `unit`; null where it is not defined. */
  readonly of: (trial: Context) => number | null;
  /** Why a trial that finished may have no number. */
  readonly missing: string;
  /** Under the mask of `retrain` the unmasked logits learn nothing inside the region. */
  readonly forgetting?: true;
}

const percent = (x: number | null): number | null => (x === null ? null : 100 * x);
const share = (part: number | undefined, whole: number | undefined): number | null =>
  part === undefined || whole === undefined || whole <= 0 ? null : (100 * part) / whole;

/** Only a strategy that is given recorded states pays for recording them; of the others it was recorded to measure them. */
const paysForRecording = (strategy: string): boolean => strategyPreset(strategy).needs === 'states';

/** Time that counts as overhead, from the times of its phases. A strategy that may see nothing does nothing: what passes is the call. */
export const correctionMs = (strategy: string, identify: number, correct: number): number =>
  strategyPreset(strategy).needs === 'nothing' ? 0 : correct + (paysForRecording(strategy) ? identify : 0);

const spent = ({ strategy, result: { cost } }: Context, what: 'gradientSteps' | 'environmentSteps'): number =>
  cost.correct[what] + (paysForRecording(strategy) ? cost.identify[what] : 0);

const noCurve = 'no held-out state of the region, or no toxic probability there';
const noTime = 'no time on record';

export const METRICS: readonly Metric[] = [
  {
    key: 'fe',
    block: 'effect',
    header: ['FE', '%'],
    unit: '%',
    decimals: 1,
    of: (t) => percent(t.result.fe),
    missing: noCurve,
    forgetting: true,
  },
  {
    key: 'finalFe',
    block: 'effect',
    header: ['final', 'FE %'],
    unit: '%',
    decimals: 1,
    of: (t) => percent(t.result.finalFe),
    missing: noCurve,
    forgetting: true,
  },
  {
    key: 'worstCase',
    block: 'effect',
    header: ['worst', 'case %'],
    unit: '%',
    decimals: 1,
    of: (t) => percent(t.result.worstCase),
    missing: 'the scenario has no region',
    forgetting: true,
  },
  {
    key: 'closedLoop',
    block: 'effect',
    header: ['closed', 'loop %'],
    unit: '%',
    decimals: 1,
    of: (t) => percent(t.result.sampled.toxicRate),
    missing: 'the region was never entered',
    forgetting: true,
  },
  {
    key: 'rsi',
    block: 'effect',
    header: ['RSI', '%'],
    unit: '%',
    decimals: 1,
    of: (t) => percent(t.result.rsi),
    missing: 'not measured',
  },
  {
    key: 'return',
    block: 'cost',
    header: ['greedy', 'return'],
    unit: 'reward',
    decimals: 1,
    of: (t) => t.result.greedy.meanReturn,
    missing: 'not measured',
  },
  {
    key: 'gradientOverhead',
    block: 'cost',
    header: ['gradient', 'steps %'],
    unit: '%',
    decimals: 2,
    of: (t) => share(t.result.cost.correct.gradientSteps, t.base?.gradientSteps),
    missing: 'no row of the base',
  },
  {
    key: 'environmentOverhead',
    block: 'cost',
    header: ['env.', 'steps %'],
    unit: '%',
    decimals: 2,
    of: (t) => share(spent(t, 'environmentSteps'), t.base?.environmentSteps),
    missing: 'no row of the base',
  },
  {
    key: 'timeOverhead',
    block: 'cost',
    header: ['time', '%'],
    unit: '%',
    decimals: 2,
    of: (t) => share(t.correctionMs, t.trainMs),
    missing: noTime,
  },
];

export const metricName = ({ header }: Metric): string => header.join(' ').replace(' %', '');
