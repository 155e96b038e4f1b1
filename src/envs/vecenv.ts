import { Pcg64 } from '../math/rng/pcg64.ts';

/**
 * n worlds of one kind that move in step. Batch first; a single world is n = 1.
 * Every array is owned by the worlds, allocated once, and overwritten by the next `step`.
 */
export interface VecEnv {
  readonly id: string;
  readonly n: number;
  readonly obsDim: number;
  /** Number of discrete actions. */
  readonly actions: number;
  /** An episode is truncated at this step. */
  readonly maxSteps: number;
  /** [n, obsDim], what the policy reads next: after an ended episode the first observation of the new one. */
  readonly obs: Float32Array;
  /** [n, obsDim], the last observation of the episode that has just ended; valid where `ended` is 1. */
  readonly finalObs: Float32Array;
  /** [n], of the last step. */
  readonly reward: Float64Array;
  /** [n], 1 where the task has ended, our patience has, or either. The first two may both be 1. */
  readonly terminated: Uint8Array;
  readonly truncated: Uint8Array;
  readonly ended: Uint8Array;
  /** [n], undiscounted sum of rewards and number of steps of the episode that has just ended; valid where `ended` is 1. */
  readonly episodeReturn: Float64Array;
  readonly episodeLength: Int32Array;
  /** [n], the caller fills it before `step`. */
  readonly action: Int32Array;
  /** Starts every world anew; world i gets seed + i, and then its episodes are those of Gymnasium's `reset(seed=seed + i)`. */
  reset(seed: number | bigint): void;
  /** Starts every world anew, each from its own seed. */
  resetEach(seeds: ArrayLike<number | bigint>): void;
  /**
   * Advances all worlds one timestep with `action`. An ended world starts its next episode in the same step, from where its generator stands.
   * Throws: RangeError for an action that is not there, before any world moves; Error before the first reset.
   */
  step(): void;
  /** The state of world i in float64, layout in its own file. Neither the step within the episode nor the generator is part of it. */
  state(i: number, out: Float64Array): void;
  setState(i: number, state: ArrayLike<number>): void;
}

/** What a world's own file knows; `makeVecEnv` adds episodes, time limit and restarts. */
export interface Dynamics {
  /** Moves all n worlds one timestep: reads `action` and `elapsed`, writes `obs`, `reward` and `terminated`. */
  advance(): void;
  /** Draws the initial state of world i from its generator and writes its row of `obs`. */
  start(i: number): void;
  state(i: number, out: Float64Array): void;
  /** Writes the row of `obs`, too. */
  setState(i: number, state: ArrayLike<number>): void;
}

/** What the dynamics see of their worlds. */
export interface Worlds extends Pick<VecEnv, 'n' | 'obs' | 'reward' | 'terminated' | 'action'> {
  /** [n], steps done in the running episode, without the one that `advance` makes. */
  readonly elapsed: Int32Array;
  /** [n], one generator per world, so that a world's episodes do not depend on n. */
  readonly rng: readonly Pcg64[];
}

/** Makes n worlds out of `dynamics`: what all of them share, done once. Allocates here and at no step. */
export function makeVecEnv(
  size: Pick<VecEnv, 'id' | 'n' | 'obsDim' | 'actions' | 'maxSteps'>,
  dynamics: (worlds: Worlds) => Dynamics,
): VecEnv {
  const { id, n, obsDim, actions, maxSteps } = size;
  if (!(Number.isInteger(n) && n >= 1)) throw new RangeError(`makeVecEnv: expected a number of worlds from 1 up, got ${n}`);
  const obs = new Float32Array(n * obsDim);
  const finalObs = new Float32Array(n * obsDim);
  const reward = new Float64Array(n);
  const terminated = new Uint8Array(n);
  const truncated = new Uint8Array(n);
  const ended = new Uint8Array(n);
  const episodeReturn = new Float64Array(n);
  const episodeLength = new Int32Array(n);
  const action = new Int32Array(n);
  const elapsed = new Int32Array(n);
  const runningReturn = new Float64Array(n);
  const rng = Array.from({ length: n }, () => new Pcg64(0));
  const { advance, start, state, setState } = dynamics({ n, obs, reward, terminated, action, elapsed, rng });
  let started = false;

  const restart = (seed: (i: number) => number | bigint): void => {
    for (let i = 0; i < n; i++) rng[i]!.seed(seed(i));
    for (let i = 0; i < n; i++) start(i);
    for (const flags of [reward, terminated, truncated, ended, elapsed, runningReturn]) flags.fill(0);
    started = true;
  };

  return {
    ...{ id, n, obsDim, actions, maxSteps },
    ...{ obs, finalObs, reward, terminated, truncated, ended, episodeReturn, episodeLength, action },
    reset: (seed) => restart((i) => (typeof seed === 'bigint' ? seed + BigInt(i) : seed + i)),
    resetEach: (seeds) => {
      if (seeds.length !== n) throw new RangeError(`${id}.resetEach: expected ${n} seeds, got ${seeds.length}`);
      restart((i) => seeds[i]!);
    },
    step: () => {
      if (!started) throw new Error(`${id}.step: expected a reset first`);
      for (let i = 0; i < n; i++) {
        if (action[i]! >>> 0 >= actions)
          throw new RangeError(`${id}.step: expected an action from 0 to ${actions - 1}, got ${action[i]} in world ${i}`);
      }
      advance();
      for (let i = 0; i < n; i++) {
        const length = elapsed[i]! + 1;
        const sum = runningReturn[i]! + reward[i]!;
        truncated[i] = length >= maxSteps ? 1 : 0;
        ended[i] = truncated[i]! | terminated[i]!;
        if (ended[i] === 0) {
          elapsed[i] = length;
          runningReturn[i] = sum;
          continue;
        }
        episodeReturn[i] = sum;
        episodeLength[i] = length;
        elapsed[i] = 0;
        runningReturn[i] = 0;
        for (let k = i * obsDim; k < (i + 1) * obsDim; k++) finalObs[k] = obs[k]!;
        start(i);
      }
    },
    state,
    setState,
  };
}
