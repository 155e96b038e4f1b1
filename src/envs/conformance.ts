import type { VecEnv } from './vecenv.ts';

/** An episode as somebody else's world had it: from `reset(seed)`, T actions in order. */
export interface RecordedEpisode {
  readonly seed: number | bigint;
  /** T + 1 rows of float32 values. */
  readonly obs: readonly (readonly number[])[];
  /** T integers, or rows of float32 values. */
  readonly act: readonly (number | readonly number[])[];
  readonly rew: readonly number[];
  readonly term: readonly boolean[];
  readonly trunc: readonly boolean[];
}

/** What is compared. `length`: our episode had ended where the recorded one goes on. */
export const QUANTITIES = ['observation', 'reward', 'terminated', 'truncated', 'length'] as const;
export type Quantity = (typeof QUANTITIES)[number];

/** Where two episodes part: step 0 is the reset; `quantity` with its index, of an observation. */
export interface Parting {
  readonly step: number;
  readonly quantity: string;
  readonly expected: string;
  readonly got: string;
}

export interface Conformance {
  /** Steps compared. */
  readonly steps: number;
  /** Steps in which a quantity differs; an observation counts once, however many of its components do. */
  readonly mismatches: Readonly<Record<Quantity, number>>;
  readonly first: Parting | null;
}

/**
 * Plays the recorded actions from the recorded seed and compares every number, to the bit (0 is not −0).
 * `world` is a single one, made with `autoreset: false`. After a difference it goes on, for as long as the world has not ended.
 * Throws RangeError for an action that is not there.
 */
export function conform(world: VecEnv, { seed, obs, act, rew, term, trunc }: RecordedEpisode): Conformance {
  const mismatches = { observation: 0, reward: 0, terminated: 0, truncated: 0, length: 0 };
  let first: Parting | null = null;
  let steps = 0;
  const note = (kind: Quantity, quantity: string, expected: unknown, got: unknown): void => {
    mismatches[kind]++;
    first ??= { step: steps, quantity, expected: print(expected), got: print(got) };
  };
  const compareObservation = (expected: readonly number[]): void => {
    const k = expected.findIndex((value, d) => !Object.is(value, world.obs[d]));
    if (k >= 0) note('observation', `observation[${k}]`, expected[k], world.obs[k]);
  };

  world.reset(seed);
  compareObservation(obs[0]!);
  for (const [t, action] of act.entries()) {
    if (typeof action === 'number') world.action[0] = action;
    else world.continuousAction.set(action);
    world.step();
    steps++;
    compareObservation(obs[t + 1]!);
    if (!Object.is(rew[t], world.reward[0])) note('reward', 'reward', rew[t], world.reward[0]);
    const [terminated, truncated] = [world.terminated[0] === 1, world.truncated[0] === 1];
    if (term[t] !== terminated) note('terminated', 'terminated', term[t], terminated);
    if (trunc[t] !== truncated) note('truncated', 'truncated', trunc[t], truncated);
    if (world.ended[0] === 1 && steps < act.length) {
      note('length', 'length', `${act.length} steps`, `an end after ${steps}`);
      break;
    }
  }
  return { steps, mismatches, first };
}

const print = (value: unknown): string => (Object.is(value, -0) ? '-0' : String(value));
