import type { Distribution, Outputs } from '../../math/distribution.ts';
import type { Rows } from '../losses.ts';

/** Rows whose toxic actions are to go. */
export interface ForgetRows extends Rows {
  /** [count] what is to go in each row: T(s), or (as the set of it alone) the one discrete action that was recorded. Never 0, never every action. */
  readonly toxic: Int32Array;
  /** What those numbers mean. */
  readonly policy: Distribution;
  /** The base's outputs on these rows, where the objective asks for them. */
  readonly base: Outputs | null;
}

/** Knobs of all objectives; each reads its own. */
export interface ForgetKnobs {
  /** λ of `literal` and `signfix`. */
  readonly entropy: number;
  readonly npoBeta: number;
  /** ε of `margin`. */
  readonly marginEpsilon: number;
}

/**
 * What a correction descends so that π(T|s) falls; π(T|s) = Σ_{a in T} π(a|s). `descend` returns the mean over rows and
 * adds `weight` times its cotangents to the head's.
 */
export interface ForgetObjective {
  readonly name: string;
  readonly source: string;
  readonly needsBase: boolean;
  readonly descend: (rows: ForgetRows, knobs: ForgetKnobs, weight: number) => number;
}
