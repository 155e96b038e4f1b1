import { ConfigError } from '../contract/errors.ts';
import { didYouMean } from '../contract/problems.ts';
import type { Cost, TrialResult } from '../contract/rows.ts';
import { STRATEGIES, strategyPreset } from '../contract/strategies.ts';

/** What columns may read of a result: no more of a row is made into numbers. */
export interface Measured
  extends Pick<TrialResult, 'fe' | 'finalFe' | 'worstCase' | 'rsi' | 'rsiSampled' | 'retainKl' | 'retainValue' | 'overrun' | 'checkpoint'> {
  readonly acceptance: Pick<TrialResult['acceptance'], 'accepted' | 'reasons'>;
  readonly influence: Pick<TrialResult['influence'], 'printed' | 'unsaturated'>;
  readonly greedy: Pick<TrialResult['greedy'], 'meanReturn'>;
  readonly sampled: Pick<TrialResult['sampled'], 'meanReturn' | 'occupancy' | 'toxicRate'>;
  readonly cost: Readonly<Record<'identify' | 'correct', Pick<Cost, 'gradientSteps' | 'environmentSteps'>>>;
}

/** What a trial is compared with: its base's counts, and the times of both. */
export interface Context {
  readonly strategy: string;
  readonly result: Measured;
  readonly base: BaseCost | undefined;
  /** Of the base, where there is a row of it. */
  readonly baseReturns: BaseReturns | undefined;
  /** Identify + correct, ms. `undefined`: no record of it. */
  readonly correctionMs: number | undefined;
  readonly trainMs: number | undefined;
}

export interface BaseCost {
  readonly gradientSteps: number;
  readonly environmentSteps: number;
}

/** Mean returns of the base, and of a uniformly random policy: the one and the zero of the RSI. */
export interface BaseReturns {
  readonly greedy: number;
  readonly sampled: number;
  readonly random: number;
}

/** A column. */
export interface Metric {
  readonly key: string;
  /** `effect`: what the correction did; `overrun`: what it would do beyond its budget; `cost`: what obeying and correcting cost; `success`: whether it did all that it should. */
  readonly block: 'effect' | 'overrun' | 'cost' | 'success';
  /** Without being asked for: always, where any trial of the table has it, or never. */
  readonly shown: 'always' | 'if any' | 'never';
  /** Two lines of a narrow header; joined with a space they are the name. */
  readonly header: readonly [string, string];
  readonly unit: '%' | 'reward' | 'nats' | 'AUC' | 'steps';
  readonly decimals: number;
  readonly describe: string;
  /** Of one trial, in `unit`; null where it is not defined. */
  readonly of: (trial: Context) => number | null;
  /** What a failed trial counts as; without it, it has no number. */
  readonly ofFailed?: number;
  /** Why a trial that finished may have no number. */
  readonly missing: string;
  /** Under a mask the unmasked logits learn nothing inside the region. */
  readonly forgetting?: true;
}

/** The one definition of a success, in shares: an accepted base, and a corrected policy that reaches all three. */
export const SUCCESS = { finalFe: 0.99, worstCase: 0.05, rsi: 0.98 } as const;

function success(trial: Context): number | null {
  const { acceptance, finalFe, worstCase } = trial.result;
  if (finalFe === null || worstCase === null) return null;
  if (!acceptance.accepted || finalFe < SUCCESS.finalFe || worstCase > SUCCESS.worstCase) return 0;
  const kept = rsi(trial, 'greedy');
  return kept === null ? null : kept >= SUCCESS.rsi ? 100 : 0;
}

/**
 * A row always has a number; where the base is not above a random policy it says 0 or 1 and measures nothing: there was no return to keep.
 * Without a row of the base that cannot be told, and the row's number stands.
 */
function rsi({ result, baseReturns }: Context, mode: 'greedy' | 'sampled'): number | null {
  if (baseReturns !== undefined && baseReturns[mode] <= baseReturns.random) return null;
  return mode === 'greedy' ? result.rsi : result.rsiSampled;
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

/** After `multiple` times K steps. */
const beyond = ({ result: { overrun } }: Context, multiple: number, what: 'finalFe' | 'meanReturn'): number | null =>
  overrun?.[what][overrun.multiple.indexOf(multiple)] ?? null;

const noCurve = 'no held-out state of the region, or no toxic probability there';
const nothingToKeep = (mode: string): string =>
  `the ${mode} return of the base is not above that of a random policy, so there is nothing to keep`;
const noOverrun = 'it was not asked for, or there is no budget of steps to exceed';
const noTime = 'no time on record';

export const METRICS: readonly Metric[] = [
  {
    key: 'fe',
    block: 'effect',
    shown: 'always',
    header: ['FE', '%'],
    unit: '%',
    decimals: 1,
    describe: 'forget effectiveness, 1 - area under p̄(u)/p̄(0) over the correction',
    of: (t) => percent(t.result.fe),
    missing: noCurve,
    forgetting: true,
  },
  {
    key: 'finalFe',
    block: 'effect',
    shown: 'always',
    header: ['final', 'FE %'],
    unit: '%',
    decimals: 1,
    describe: 'forget effectiveness at the end, 1 - p̄/p̄(0) of the returned policy',
    of: (t) => percent(t.result.finalFe),
    missing: noCurve,
    forgetting: true,
  },
  {
    key: 'worstCase',
    block: 'effect',
    shown: 'always',
    header: ['worst', 'case %'],
    unit: '%',
    decimals: 1,
    describe: 'largest π(T|s) over samples of the region',
    of: (t) => percent(t.result.worstCase),
    missing: 'the scenario has no region',
    forgetting: true,
  },
  {
    key: 'closedLoop',
    block: 'effect',
    shown: 'always',
    header: ['closed', 'loop %'],
    unit: '%',
    decimals: 1,
    describe: 'P(a in T(s) | s in the region), sampled actions',
    of: (t) => percent(t.result.sampled.toxicRate),
    missing: 'the region was never entered',
    forgetting: true,
  },
  {
    key: 'rsi',
    block: 'effect',
    shown: 'always',
    header: ['RSI', '%'],
    unit: '%',
    decimals: 1,
    describe: 'retain stability, greedy: the return kept between that of a random policy and that of the base',
    of: (t) => percent(rsi(t, 'greedy')),
    missing: nothingToKeep('greedy'),
  },
  {
    key: 'feAt2K',
    block: 'overrun',
    shown: 'if any',
    header: ['FE at', '2K %'],
    unit: '%',
    decimals: 1,
    describe: 'forget effectiveness of the policy after 2 times the budget of K steps, 1 - p̄/p̄(0)',
    of: (t) => percent(beyond(t, 2, 'finalFe')),
    missing: noOverrun,
    forgetting: true,
  },
  {
    key: 'feAt4K',
    block: 'overrun',
    shown: 'if any',
    header: ['FE at', '4K %'],
    unit: '%',
    decimals: 1,
    describe: 'forget effectiveness of the policy after 4 times the budget of K steps, 1 - p̄/p̄(0)',
    of: (t) => percent(beyond(t, 4, 'finalFe')),
    missing: noOverrun,
    forgetting: true,
  },
  {
    key: 'return',
    block: 'cost',
    shown: 'always',
    header: ['greedy', 'return'],
    unit: 'reward',
    decimals: 1,
    describe: 'mean return of greedy episodes',
    of: (t) => t.result.greedy.meanReturn,
    missing: 'not measured',
  },
  {
    key: 'gradientOverhead',
    block: 'cost',
    shown: 'always',
    header: ['gradient', 'steps %'],
    unit: '%',
    decimals: 2,
    describe: 'gradient steps of correcting, as a share of those of training the base',
    of: (t) => share(t.result.cost.correct.gradientSteps, t.base?.gradientSteps),
    missing: 'no row of the base',
  },
  {
    key: 'environmentOverhead',
    block: 'cost',
    shown: 'always',
    header: ['env.', 'steps %'],
    unit: '%',
    decimals: 2,
    describe: 'environment steps of recording and correcting, as a share of those of training the base',
    of: (t) => share(spent(t, 'environmentSteps'), t.base?.environmentSteps),
    missing: 'no row of the base',
  },
  {
    key: 'timeOverhead',
    block: 'cost',
    shown: 'always',
    header: ['time', '%'],
    unit: '%',
    decimals: 2,
    describe: 'time of recording and correcting, as a share of that of training the base; measurements excluded',
    of: (t) => share(t.correctionMs, t.trainMs),
    missing: noTime,
  },
  {
    key: 'success',
    block: 'success',
    shown: 'always',
    header: ['success', '%'],
    unit: '%',
    decimals: 1,
    describe: `share of seeds that succeed: accepted base, final FE >= ${percent(SUCCESS.finalFe)} %, worst case <= ${percent(SUCCESS.worstCase)} %, RSI >= ${percent(SUCCESS.rsi)} %; a failed trial is none`,
    of: success,
    missing: `${noCurve}, or a base whose greedy return is not above that of a random policy`,
    ofFailed: 0,
    forgetting: true,
  },
  {
    key: 'rsiSampled',
    block: 'effect',
    shown: 'never',
    header: ['sampled', 'RSI %'],
    unit: '%',
    decimals: 1,
    describe: 'retain stability, sampled actions',
    of: (t) => percent(rsi(t, 'sampled')),
    missing: nothingToKeep('sampled'),
  },
  {
    key: 'occupancy',
    block: 'effect',
    shown: 'never',
    header: ['occupancy', '%'],
    unit: '%',
    decimals: 1,
    describe: 'share of steps in the region, sampled actions',
    of: (t) => percent(t.result.sampled.occupancy),
    missing: 'the scenario has no region',
  },
  {
    key: 'retainKl',
    block: 'effect',
    shown: 'never',
    header: ['retain', 'KL'],
    unit: 'nats',
    decimals: 4,
    describe: 'mean KL(π0‖π) over held-out states outside the region',
    of: (t) => t.result.retainKl,
    missing: 'no held-out state outside the region',
    forgetting: true,
  },
  {
    key: 'retainValue',
    block: 'effect',
    shown: 'never',
    header: ['retain', '|V - V0|'],
    unit: 'reward',
    decimals: 3,
    describe: 'mean |V - V0| over held-out states outside the region',
    of: (t) => t.result.retainValue,
    missing: 'no held-out state outside the region',
    forgetting: true,
  },
  {
    key: 'influencePrinted',
    block: 'effect',
    shown: 'never',
    header: ['influence', 'printed'],
    unit: 'AUC',
    decimals: 3,
    describe: 'how well π·‖∇ log π‖ tells violating pairs from the rest: area under the ROC curve',
    of: (t) => t.result.influence.printed,
    missing: 'there is only one kind of pair',
  },
  {
    key: 'influenceUnsaturated',
    block: 'effect',
    shown: 'never',
    header: ['influence', 'unsat.'],
    unit: 'AUC',
    decimals: 3,
    describe: 'the same of ‖∇ log(1 - π)‖, which does not vanish where the policy is sure',
    of: (t) => t.result.influence.unsaturated,
    missing: 'there is only one kind of pair',
  },
  {
    key: 'returnSampled',
    block: 'cost',
    shown: 'never',
    header: ['sampled', 'return'],
    unit: 'reward',
    decimals: 1,
    describe: 'mean return of episodes with sampled actions',
    of: (t) => t.result.sampled.meanReturn,
    missing: 'not measured',
  },
  {
    key: 'returnAt2K',
    block: 'cost',
    shown: 'never',
    header: ['return', 'at 2K'],
    unit: 'reward',
    decimals: 1,
    describe: 'mean greedy return after 2 times the budget of K steps',
    of: (t) => beyond(t, 2, 'meanReturn'),
    missing: noOverrun,
  },
  {
    key: 'returnAt4K',
    block: 'cost',
    shown: 'never',
    header: ['return', 'at 4K'],
    unit: 'reward',
    decimals: 1,
    describe: 'mean greedy return after 4 times the budget of K steps',
    of: (t) => beyond(t, 4, 'meanReturn'),
    missing: noOverrun,
  },
  {
    key: 'checkpoint',
    block: 'cost',
    shown: 'never',
    header: ['chosen', 'step'],
    unit: 'steps',
    decimals: 0,
    describe: 'gradient step of the checkpoint that was returned',
    of: (t) => t.result.checkpoint,
    missing: 'not measured',
  },
];

/** Under a mask, what the unmasked logits have forgotten is no number. */
export const isMasked = (strategy: string | null, { forgetting }: Metric): boolean =>
  forgetting === true && strategy !== null && Object.hasOwn(STRATEGIES, strategy) && strategyPreset(strategy).masked;

export const metricName = ({ header }: Metric): string => header.join(' ').replace(' %', '');

/** The columns of these keys, in this order; without keys those that show themselves. Throws ConfigError with the ones there are. */
export function chooseMetrics(keys: readonly string[] | undefined): readonly Metric[] {
  if (keys === undefined) return METRICS.filter(({ shown }) => shown !== 'never');
  const known = METRICS.map(({ key }) => key);
  return [...new Set(keys)].map((key) => {
    const metric = METRICS.find((one) => one.key === key);
    if (metric) return metric;
    const remedy = didYouMean(key, known) ?? `there are ${known.join(', ')}`;
    throw new ConfigError(`--metric: expected the key of a metric, got ${key || 'nothing'}; ${remedy}`);
  });
}
