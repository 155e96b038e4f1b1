/**
 * n worlds of one kind that move in step. Batch first; a single world is n = 1.
 * Every array is owned by the worlds, allocated once, and overwritten by the next `step`.
 */
export interface VecEnv {
  readonly id: string;
  readonly n: number;
  readonly obsDim: number;
  /** Number of discrete actions, or dimensions of a continuous one. */
  readonly actions: number;
  readonly continuous: boolean;
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
  /** [n], the caller fills it before `step`; empty where actions are continuous. */
  readonly action: Int32Array;
  /** [n, actions], the same for continuous ones: as a policy drew them, the world clips; empty where actions are discrete. */
  readonly continuousAction: Float32Array;
  /** Lengths of `scene` and `frame`. */
  readonly sceneSize: number;
  readonly frameSize: number;
  /** Starts every world anew; world i gets seed + i, and then its episodes are those of Gymnasium's `reset(seed=seed + i)`. */
  reset(seed: number | bigint): void;
  /** Starts every world anew, each from its own seed. */
  resetEach(seeds: ArrayLike<number | bigint>): void;
  /**
   * Advances all worlds one timestep with `action` or `continuousAction`. An ended world starts its next episode in the same step,
   * from where its generator stands; made with `autoreset: false` it stays as it ended and waits for a reset.
   * Throws, always and before any world moves: RangeError for an action that is not there (a continuous one that is not finite);
   * Error before the first reset, and for an ended world that waits for one.
   */
  step(): void;
  /** The state of world i in float64, layout in its own file. Neither the step within the episode nor the generator is part of it. */
  state(i: number, out: Float64Array): void;
  setState(i: number, state: ArrayLike<number>): void;
  /** What a drawing of world i needs once per episode and after every step; layouts and shapes in geometry.ts. */
  scene(i: number, out: Float32Array): void;
  frame(i: number, out: Float32Array): void;
}

/** How worlds are run; no part of what they are. */
export interface RunOptions {
  /** Default true: an ended world starts its next episode in the same step. */
  readonly autoreset?: boolean;
}
