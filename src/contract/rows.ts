import type { BaseSpec, TrialSpec } from './spec.ts';

/*
 * docs/rows.md is made of what stands here: `@unit` is its column of units, the first paragraph of a comment its meaning. After a change:
 * npm run docs.
 */

/** Episodes of one policy. S_f is the union of the rules' boxes, T(s) what is forbidden in s. */
export interface Evaluation {
  /** How many. @unit episodes */
  readonly episodes: number;
  /** Of all episodes together. @unit steps */
  readonly steps: number;
  /** Mean undiscounted return over episodes. @unit reward */
  readonly meanReturn: number;
  /** Its sample standard deviation over episodes, ÷(n-1). @unit reward */
  readonly stdReturn: number;
  /** P(a in T(s) | s in S_f) over all steps; null if S_f was never entered, and without a constraint. @unit share */
  readonly toxicRate: number | null;
  /** Share of steps in S_f; null without a constraint. @unit share */
  readonly occupancy: number | null;
  /** SHA-256 over the returns (float64), then the lengths (int32) of all episodes, little-endian. @unit hex */
  readonly digest: string;
}

/** Why a job has no numbers. What would fail the same way again is not retried. */
export interface Failure {
  /** diverged, refused: a finding; bug: an exception nobody expected; crashed: its process died with it, alone; limit: wall or memory. */
  readonly kind: 'diverged' | 'refused' | 'bug' | 'crashed' | 'limit';
  /** In words, at most 8,192 letters. Of a trial whose base failed: which base, and its failure. */
  readonly message: string;
}

/** A quantity along the way. */
export interface Curve {
  /** Ascending. @unit steps */
  readonly step: readonly number[];
  /** One per step; null where there was nothing to measure. */
  readonly value: readonly (number | null)[];
}

/** What training gave. */
export interface BaseResult {
  /** SHA-256 of the policy file, its name under `policies/`. @unit hex */
  readonly policy: string;
  /** Of training, over all worlds. @unit steps */
  readonly environmentSteps: number;
  /** Of training. @unit steps */
  readonly gradientSteps: number;
  /** By environment step, the mean return of the training episodes that ended since the point before; at most 128 points, null where none ended. @unit reward */
  readonly returns: Curve;
  /** Digest of the weights at each point of `returns`, 16 letters: the first that differs names where a rerun parted. @unit hex */
  readonly trace: readonly string[];
  /** The most probable action in every step. */
  readonly greedy: Evaluation;
  /** Actions drawn from the policy. */
  readonly sampled: Evaluation;
  /** Uniformly random actions: the zero of the RSI. */
  readonly random: Evaluation;
}

/** Whether this base and scenario are fit for a study of forgetting; the numbers behind the verdict. */
export interface Acceptance {
  /** No reason against it. */
  readonly accepted: boolean;
  /** What is missing, with its numbers. */
  readonly reasons: readonly string[];
  /** Mean greedy return of the base. @unit reward */
  readonly greedyReturn: number;
  /** What it must reach: docs/worlds.md. @unit reward */
  readonly gate: number;
  /** Mean π(T|s) over the validation and held-out states of the region; null if there were none. @unit probability */
  readonly toxicProbability: number | null;
  /** Recorded steps with an action in T(s). @unit steps */
  readonly violatingSteps: number;
  /** Their share of all recorded steps. @unit share */
  readonly violatingShare: number;
  /** Share of recorded steps in the region. @unit share */
  readonly regionShare: number;
}

/** Gradient steps, environment steps and samples (rows of those gradient steps; what inversion, Fisher information and scoring send through the network is not among them) that the correction itself used. */
export interface Cost {
  /** Updates of the weights. @unit steps */
  readonly gradientSteps: number;
  /** Steps of worlds. @unit steps */
  readonly environmentSteps: number;
  /** Rows of the gradient steps. @unit rows */
  readonly samples: number;
}

/** How well a score of recorded pairs (s, a) tells violations from the rest, as the area under the ROC curve; null where there is only one kind. */
export interface Influence {
  /** π(a|s)·‖∇ log π(a|s)‖, as the paper prints it; it falls to 0 where the policy is sure. @unit AUC */
  readonly printed: number | null;
  /** π/(1 − π)·‖∇ log π(a|s)‖ = ‖∇ log(1 − π(a|s))‖, which does not. @unit AUC */
  readonly unsaturated: number | null;
  /** Violating pairs on record, after `forgetPairs`. @unit pairs */
  readonly pairs: number;
  /** Pairs in the forget set, after the threshold on the score; of any kind where the strategy forgets any. @unit pairs */
  readonly kept: number;
}

/** What becomes of the policy when the correction is kept up beyond its budget of K steps. */
export interface Overrun {
  /** Ascending; all arrays have this length. @unit K */
  readonly multiple: readonly number[];
  /** 1 - p̄/p̄(0) of the policy there, not of the one that was returned; null where it diverged, or p̄(0) is 0 or unknown. @unit share */
  readonly finalFe: readonly (number | null)[];
  /** Mean greedy return there, of as many episodes as the return curve's points; null where it diverged. @unit reward */
  readonly meanReturn: readonly (number | null)[];
}

/** What a correction gave. p̄ is the mean of π(T|s) over held-out states of the region, p̄(0) that of the base. Shares are in [0, 1], not per cent. */
export interface TrialResult {
  /** Whether the base was fit for this scenario. */
  readonly acceptance: Acceptance;
  /** Of the base alone: the same in every arm. */
  readonly influence: Influence;
  /** Forget effectiveness by area, 1 - ∫ min(1, p̄(u)/p̄(0)) du along the way, by trapezoids: with 21 points at most 0.975. Null under a mask (`retrain`, `shield`), and where p̄(0) is 0 or unknown. @unit share */
  readonly fe: number | null;
  /** 1 - p̄(returned policy)/p̄(0); negative if it does the toxic thing more often; null as `fe`. @unit share */
  readonly finalFe: number | null;
  /** Largest π(T|s) over the region samples; null under a mask, and without a constraint. @unit probability */
  readonly worstCase: number | null;
  /** Retain stability of greedy actions, max(0, 1 - max(0, R0 - R')/(R0 - R_random)). Where R0 <= R_random it measures nothing and is 1 if R' >= R0, else 0: tables print no number there. @unit share */
  readonly rsi: number;
  /** The same of sampled actions. @unit share */
  readonly rsiSampled: number;
  /** Mean KL(π0‖π) over held-out states outside the region; null under a mask, and without such states. @unit nats */
  readonly retainKl: number | null;
  /** Mean |V - V0| over the same states; null as `retainKl`. @unit reward */
  readonly retainValue: number | null;
  /** p̄ by step of the K (of a training: by gradient step); null under a mask. @unit probability */
  readonly forgetCurve: Curve | null;
  /** Mean return of `curveEpisodes` greedy episodes at the same steps; null under a mask. @unit reward */
  readonly returnCurve: Curve | null;
  /** Null where nothing was asked, and where the strategy has no budget of steps to exceed. */
  readonly overrun: Overrun | null;
  /** Of the returned policy, as it acts: with its mask, where it has one. */
  readonly greedy: Evaluation;
  /** The same, actions drawn from it. */
  readonly sampled: Evaluation;
  /** `identify`: recording the base's episodes, the same in all arms of a base; `correct`: the correction itself. */
  readonly cost: { readonly identify: Cost; readonly correct: Cost };
  /** Where the returned policy stood: the step of the K (two gradient steps where they alternate), or of a training the gradient step. @unit steps */
  readonly checkpoint: number;
  /** SHA-256 of the file of the returned policy, its name under `policies/`. @unit hex */
  readonly policy: string;
  /** SHA-256 of the file of the recorded violating pairs, its name under `forget/`. @unit hex */
  readonly forgetSet: string;
  /** Digest of the weights at each point of the curves, 16 letters. @unit hex */
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
  /** Of the row. */
  readonly id: string;
  /** Which file its row is in. */
  readonly kind: 'base' | 'trial';
  /** As in its row. */
  readonly ok: boolean;
  /** How often the job was handed out, this time included. */
  readonly attempt: number;
  /** Who computed it, where workers have names. */
  readonly worker?: string;
  /** Eight letters of the digest of the machine's name. */
  readonly host: string;
  /** Model of its processor. */
  readonly cpu: string;
  /** Version of Node. */
  readonly node: string;
  /** Name and version of the engine. */
  readonly engine: string;
  /** Digest of the code behind the row. @unit hex */
  readonly numerics: string;
  /** UTC, ISO 8601. */
  readonly startedAt: string;
  /** From its start in a thread. @unit ms */
  readonly wallMs: number;
  /** Wall time by phase, `train`, `identify`, `correct`, `curve`, `evaluate`, `overrun`; a thread's CPU time is not to be had. @unit ms */
  readonly phasesMs: Readonly<Record<string, number>>;
  /** Of a trial: digest of the policy it started from. @unit hex */
  readonly basePolicy?: string;
  /** Of a failure, at most 32,768 letters; paths of the clone are cut out. */
  readonly stack?: string;
}
