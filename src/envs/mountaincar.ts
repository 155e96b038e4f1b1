import { cos } from '../math/elementary.ts';
import type { RunOptions, VecEnv } from './vecenv.ts';
import { Worlds } from './worlds.ts';

/** Options, resolved; Gymnasium's own. */
export interface MountainCarOptions {
  /** The goal counts from this velocity on; position units per step. */
  readonly goalVelocity: number;
  /** The position is uniform in [resetLow, resetHigh) at reset. */
  readonly resetLow: number;
  readonly resetHigh: number;
}

const OBS_DIM = 2;

const GRAVITY = 0.0025; // per step², the pull of a slope of 1
const MAX_SPEED = 0.07; // per step
export const MIN_POSITION = -1.2;
export const MAX_POSITION = 0.6;

/**
 * What both cars share: a state of position and velocity, and its reset: the position is drawn, the velocity 0.
 * `state` and `setState`: position, velocity (position units, and those per step).
 */
abstract class MountainCars extends Worlds {
  protected readonly options: MountainCarOptions;
  /** [n, 2]: position, velocity. */
  protected readonly states: Float64Array;

  constructor(
    id: string,
    action: { actions: number; continuous: boolean },
    maxSteps: number,
    options: MountainCarOptions,
    n: number,
    run: RunOptions,
  ) {
    super({ id, n, obsDim: OBS_DIM, ...action, maxSteps, sceneSize: 0, frameSize: 1, ...run });
    this.options = options;
    this.states = new Float64Array(n * OBS_DIM);
  }

  protected override start(i: number): void {
    const { resetLow, resetHigh } = this.options;
    this.#write(i, this.rng[i]!.uniform(resetLow, resetHigh), 0);
  }

  override state(i: number, out: Float64Array): void {
    out[0] = this.states[i * OBS_DIM]!;
    out[1] = this.states[i * OBS_DIM + 1]!;
  }

  override setState(i: number, state: ArrayLike<number>): void {
    this.#write(i, state[0]!, state[1]!);
  }

  #write(i: number, position: number, velocity: number): void {
    const at = i * OBS_DIM;
    this.states[at] = this.obs[at] = position;
    this.states[at + 1] = this.obs[at + 1] = velocity;
  }

  /** The position. */
  override frame(i: number, out: Float32Array): void {
    out[0] = this.states[i * OBS_DIM]!;
  }
}

const FORCE = 0.001; // per step²
export const GOAL = 0.5;

/**
 * MountainCar-v0 as Gymnasium 1.4.0 computes it, in float64; float32 only in the returned observation.
 *   v ← clip(v + (a − 1)·0.001 − 0.0025 cos 3p, ±0.07)     action a: left, coast, right
 *   p ← clip(p + v, −1.2, 0.6)                             the left wall stops the car, the right one does not
 * Reward −1 per step, terminated when p ≥ 0.5 and v ≥ goalVelocity.
 * Source: gymnasium/envs/classic_control/mountain_car.py. Ours: the cosine (see elementary.ts; at most the last bit of the state differs).
 */
class MountainCar extends MountainCars {
  constructor(options: MountainCarOptions, n: number, run: RunOptions) {
    super('MountainCar-v0', { actions: 3, continuous: false }, 200, options, n, run);
  }

  protected override advance(): void {
    const { n, obs, reward, terminated, action, states } = this;
    const { goalVelocity } = this.options;
    for (let i = 0; i < n; i++) {
      const at = i * OBS_DIM;
      let p = states[at]!;
      let v = states[at + 1]! + ((action[i]! - 1) * FORCE + cos(3 * p) * -GRAVITY);
      if (v > MAX_SPEED) v = MAX_SPEED;
      if (v < -MAX_SPEED) v = -MAX_SPEED;
      p += v;
      if (p > MAX_POSITION) p = MAX_POSITION;
      if (p < MIN_POSITION) p = MIN_POSITION;
      if (p === MIN_POSITION && v < 0) v = 0;
      terminated[i] = p >= GOAL && v >= goalVelocity ? 1 : 0;
      reward[i] = -1;
      states[at] = obs[at] = p;
      states[at + 1] = obs[at + 1] = v;
    }
  }
}

const POWER = 0.0015; // per step²
export const CONTINUOUS_GOAL = 0.45;
const GOAL_REWARD = 100;
const EFFORT = 0.1;

const fround = Math.fround; // to float32
const POWER_32 = fround(POWER);
const MAX_SPEED_32 = fround(MAX_SPEED);
const MIN_POSITION_32 = fround(MIN_POSITION);
const MAX_POSITION_32 = fround(MAX_POSITION);
const CONTINUOUS_GOAL_32 = fround(CONTINUOUS_GOAL);

/**
 * MountainCarContinuous-v0 as Gymnasium 1.4.0 computes it under numpy 2.
 *   v ← clip(v + 0.0015·clip(a, ±1) − 0.0025 cos 3p, ±0.07)
 *   p ← clip(p + v, −1.2, 0.6)                             the left wall stops the car, the right one does not
 * Reward −0.1·a² with a as it was given, in float64, and +100 when p ≥ 0.45 and v ≥ goalVelocity, which terminates.
 *
 * Precision: the state is float64 only until the first step after a reset; Gymnasium then keeps it as a float32 array, with which numpy 2
 * computes in float32: constants, products and sums are rounded, except the cosine and its factor, which are Python's. An action beyond ±1
 * becomes one of Python's numbers, too, when it is clipped. A set state is float64 before the first step of an episode, rounded to float32
 * later on. Source: gymnasium/envs/classic_control/continuous_mountain_car.py; NumPy Enhancement Proposal 50 for the rounding.
 */
class MountainCarContinuous extends MountainCars {
  constructor(options: MountainCarOptions, n: number, run: RunOptions) {
    super('MountainCarContinuous-v0', { actions: 1, continuous: true }, 999, options, n, run);
  }

  protected override advance(): void {
    const { n, obs, reward, terminated, continuousAction, elapsed, states } = this;
    const { goalVelocity } = this.options;
    const goalVelocity32 = fround(goalVelocity);
    for (let i = 0; i < n; i++) {
      const at = i * OBS_DIM;
      const action = continuousAction[i]!;
      let p = states[at]!;
      let v = states[at + 1]!;
      let arrived: boolean;
      if (elapsed[i] === 0) {
        v += acceleration(action, GRAVITY * cos(3 * p));
        if (v > MAX_SPEED) v = MAX_SPEED;
        if (v < -MAX_SPEED) v = -MAX_SPEED;
        p += v;
        if (p > MAX_POSITION) p = MAX_POSITION;
        if (p < MIN_POSITION) p = MIN_POSITION;
        if (p === MIN_POSITION && v < 0) v = 0;
        arrived = p >= CONTINUOUS_GOAL && v >= goalVelocity;
      } else {
        v = fround(v + fround(acceleration(action, GRAVITY * cos(fround(3 * p)))));
        if (v > MAX_SPEED_32) v = MAX_SPEED_32;
        if (v < -MAX_SPEED_32) v = -MAX_SPEED_32;
        p = fround(p + v);
        if (p > MAX_POSITION_32) p = MAX_POSITION_32;
        if (p < MIN_POSITION_32) p = MIN_POSITION_32;
        if (p === MIN_POSITION_32 && v < 0) v = 0;
        arrived = p >= CONTINUOUS_GOAL_32 && v >= goalVelocity32;
      }
      terminated[i] = arrived ? 1 : 0;
      reward[i] = (arrived ? GOAL_REWARD : 0) - action * action * EFFORT;
      states[at] = obs[at] = fround(p);
      states[at + 1] = obs[at + 1] = fround(v);
    }
  }

  /** Rounded to float32 unless the next step is the first of an episode. */
  override setState(i: number, state: ArrayLike<number>): void {
    super.setState(i, this.elapsed[i] === 0 ? state : Float32Array.of(state[0]!, state[1]!));
  }
}

/** Of an action, against gravity's pull (float64): float32, or float64 where the action is clipped. */
function acceleration(action: number, pull: number): number {
  if (action > 1) return POWER - pull;
  if (action < -1) return -POWER - pull;
  return fround(fround(action * POWER_32) - fround(pull));
}

/** n worlds; `options` are resolved. */
export function makeMountainCar(options: MountainCarOptions, n: number, run: RunOptions = {}): VecEnv {
  return new MountainCar(options, n, run);
}

/** n worlds; `options` are resolved. */
export function makeMountainCarContinuous(options: MountainCarOptions, n: number, run: RunOptions = {}): VecEnv {
  return new MountainCarContinuous(options, n, run);
}
