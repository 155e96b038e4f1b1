import type { BaseSpec, TrialSpec } from './spec.ts';

/** Episodes of one policy. `return*` over episodes, std ÷(n-1). `toxicRate`: P(a in T(s) | s in S_f) over all steps, null if S_f was never entered. */
export interface Evaluation {
  readonly episodes: number;
  readonly steps: number;
  readonly meanReturn: number;
  readonly stdReturn: number;
  readonly toxicRate: number | null;
  /** Share of steps in the forget region, null without a constraint. */
  readonly occupancy: number | null;
  /** SHA-256 over the returns and lengths of all episodes. */
  readonly digest: string;
}

/** Why a job has no numbers. What would fail the same way again is not retried. */
export interface Failure {
  /** diverged, refused: a finding; bug: an exception nobody expected; crashed: its process died with it, alone; limit: wall or memory. */
  readonly kind: 'diverged' | 'refused' | 'bug' | 'crashed' | 'limit';
  readonly message: string;
}

export interface Curve {
  /** Environment steps or gradient steps. */
  readonly step: readonly number[];
  readonly value: readonly (number | null)[];
}

export interface BaseResult {
  /** SHA-256 of the policy file. */
  readonly policy: string;
  readonly environmentSteps: number;
  readonly gradientSteps: number;
  /** Mean return of training episodes between two points; at most 128 points, null where no episode ended. */
  readonly returns: Curve;
  /** Digests of the weights at the curve's points: the first that differs names where a rerun parted. */
  readonly trace: readonly string[];
  readonly greedy: Evaluation;
  readonly sampled: Evaluation;
  /** Uniformly random actions: the zero of the RSI. */
  readonly random: Evaluation;
}

/** Whether this base and scenario are fit for a study of forgetting; the numbers behind the verdict. */
export interface Acceptance {
  readonly accepted: boolean;
  readonly reasons: readonly string[];
  readonly greedyReturn: number;
  readonly gate: number;
  /** Mean π(T|s) over the validation and held-out states of the region, null if there were none. */
  readonly toxicProbability: number | null;
  readonly violatingSteps: number;
  readonly violatingShare: number;
  readonly regionShare: number;
}

/** Gradient steps, environment steps and samples (rows of those gradient steps; what inversion, Fisher information and scoring send through the network is not among them) that the correction itself used. */
export interface Cost {
  readonly gradientSteps: number;
  readonly environmentSteps: number;
  readonly samples: number;
}

/** How well a score of recorded pairs (s, a) tells violations from the rest, as the area under the ROC curve; null where there is only one kind. */
export interface Influence {
  /** π(a|s)·‖∇ log π(a|s)‖, as the paper prints it; it falls to 0 where the policy is sure. */
  readonly printed: number | null;
  /** π/(1 − π)·‖∇ log π(a|s)‖ = ‖∇ log(1 − π(a|s))‖, which does not. */
  readonly unsaturated: number | null;
  /** Violating pairs on record. */
  readonly pairs: number;
  /** Pairs in the forget set, after the threshold on the score; of any kind where the strategy forgets any. */
  readonly kept: number;
}

/** What becomes of the policy when the correction is kept up beyond its budget of K steps. */
export interface Overrun {
  /** Multiples of K; all arrays have this length. */
  readonly multiple: readonly number[];
  /** 1 - p̄/p̄(0) of the policy there, not of the one that was returned; null where it diverged. */
  readonly finalFe: readonly (number | null)[];
  /** Mean greedy return there, of as many episodes as the return curve's points. */
  readonly meanReturn: readonly (number | null)[];
}

export interface TrialResult {
  readonly acceptance: Acceptance;
  readonly influence: Influence;
  /** Forget effectiveness by area, 1 - ∫ min(1, p̄(u)/p̄(0)) du along the way; null where it means nothing (`retrain`). In [0, 1], not per cent; so are all below.
   *  With 21 points a trapezoid cannot exceed 0.975. */
  readonly fe: number | null;
  /** 1 - p̄(returned policy)/p̄(0); negative if it does the toxic thing more often. */
  readonly finalFe: number | null;
  /** Largest π(T|s) over the region samples. */
  readonly worstCase: number | null;
  /** Retain stability, one-sided and normalised by the range to a random policy. */
  readonly rsi: number;
  readonly rsiSampled: number;
  /** Mean KL(π0‖π) and |V - V0| over held-out states outside the region. */
  readonly retainKl: number | null;
  readonly retainValue: number | null;
  /** Mean π(T|s) on held-out states of the region, by gradient step. */
  readonly forgetCurve: Curve | null;
  readonly returnCurve: Curve | null;
  /** null where nothing was asked, or where the strategy has no budget of steps to exceed. */
  readonly overrun: Overrun | null;
  readonly greedy: Evaluation;
  readonly sampled: Evaluation;
  /** By phase; `identify` is what collecting cost, shared by all arms of a base. */
  readonly cost: { readonly identify: Cost; readonly correct: Cost };
  /** The checkpoint that was returned: the step of K (two gradient steps where they alternate), or of a training the gradient step. */
  readonly checkpoint: number;
  readonly policy: string;
  readonly forgetSet: string;
  /** Digests of the weights at the checkpoints. */
  readonly trace: readonly string[];
}

/** One line of bases.jsonl. Never a time in it: a rerun gives the same bytes. */
export type BaseRow = { readonly id: string; readonly spec: BaseSpec } & (
  | { readonly ok: true; readonly result: BaseResult }
  | { readonly ok: false; readonly failure: Failure }
);

/** One line of trials.jsonl. */
export type TrialRow = { readonly id: string; readonly base: string; readonly spec: TrialSpec } & (
  | { readonly ok: true; readonly result: TrialResult }
  | { readonly ok: false; readonly failure: Failure }
);

/** One line of provenance.jsonl: everything about how a row came to be that may differ between two identical rows. */
export interface Provenance {
  readonly id: string;
  readonly kind: 'base' | 'trial';
  readonly ok: boolean;
  readonly attempt: number;
  /** Who computed it, where workers have names. */
  readonly worker?: string;
  readonly host: string;
  readonly cpu: string;
  readonly node: string;
  readonly engine: string;
  readonly numerics: string;
  readonly startedAt: string;
  readonly wallMs: number;
  /** Process CPU time of the thread is not to be had; these are wall times by phase. */
  readonly phasesMs: Readonly<Record<string, number>>;
  /** Stack of a failure. */
  readonly stack?: string;
}
