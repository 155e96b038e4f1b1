import type { Json } from '../contract/ids.ts';
import type { Observe } from '../contract/observe.ts';
import type { PpoOptions } from '../contract/ppo.ts';
import type { Cost, Overrun } from '../contract/rows.ts';
import type { VecEnv } from '../envs/vecenv.ts';
import type { Engine, Network } from '../math/engine.ts';
import type { Stream } from '../math/rng/threefry.ts';
import type { Policy } from '../ppo/policy.ts';
import type { ActionMask, TrainInput } from '../ppo/train.ts';
import type { Constraint } from './constraint.ts';
import type { Identified } from './identify/rules.ts';

/** What every strategy is given. `base` must stay untouched. */
export interface BoundsInput {
  readonly base: Policy;
  readonly constraint: Constraint;
  /** Of `steps` steps those at which `checkpoint` is to be called, the first and the last included. A step that alternates is two gradient steps, and one here. */
  readonly checkpoints: (steps: number) => readonly number[];
  /** Measures the forget and return curves; changes nothing but the network's last `forward`. */
  readonly checkpoint: (step: number, network: Network) => void;
  /** How far beyond its K steps a correction is to be kept up, in multiples of K, and what is measured there; changes nothing, as above. */
  readonly overrun: {
    readonly multiples: readonly number[];
    readonly measure: (network: Network) => { finalFe: number | null; meanReturn: number };
  };
}

/** Also what was recorded of the base. Held-out states are not among it. */
export interface StatesInput extends BoundsInput {
  readonly recorded: Pick<Identified, 'forget' | 'retain' | 'validation'>;
}

/** Also the world itself. */
export interface EnvironmentInput extends StatesInput {
  readonly ppo: PpoOptions;
  /** `n` worlds for training, each from its own stream. */
  readonly makeWorld: (n: number) => VecEnv;
  readonly trainingStreams: Pick<TrainInput, 'action' | 'shuffle'> & { readonly init: Stream };
}

export interface Corrected {
  readonly policy: Policy;
  readonly cost: Cost;
  /** The step whose policy is returned: of the K, or of a training the gradient step. */
  readonly checkpoint: number;
  /** Actions that are masked out at inference. */
  readonly mask?: ActionMask;
  /** null where there is no budget of steps to exceed, or nothing was asked. */
  readonly overrun: Overrun | null;
}

type Correct<Input, Options> = (input: Input, options: Options, engine: Engine, rng: Stream, observe: Observe) => Corrected;

type Definition<Options> = { readonly name: string; readonly source: string } & (
  | { readonly needs: 'nothing' | 'bounds'; readonly correct: Correct<BoundsInput, Options> }
  | { readonly needs: 'states'; readonly correct: Correct<StatesInput, Options> }
  | { readonly needs: 'environment'; readonly correct: Correct<EnvironmentInput, Options> }
);

/** What a spec says of a strategy: judged by the preset's schema before it became one. */
export type Judged = Readonly<Record<string, Json>>;

/**
 * How to correct, as a value. `needs` says what it may see, and the type gives it nothing else.
 * Adding one is one file here and one line in index.ts (and its options in contract/strategies.ts).
 */
export type Strategy = Definition<Judged>;

/** The one place where options that a schema has judged get their type. */
export const strategy = <Options>(definition: Definition<Options>): Strategy => definition as unknown as Strategy;
