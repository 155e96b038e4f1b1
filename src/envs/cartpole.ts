import { cos, sin } from '../math/elementary.ts';
import type { RunOptions, VecEnv } from './vecenv.ts';
import { Worlds } from './worlds.ts';

/** Options, resolved. All but the last three are Gymnasium's own. */
export interface CartPoleOptions {
  /** Reward 0 per step and −1 for a fall, instead of 1 per step. */
  readonly suttonBartoReward: boolean;
  /** Every component of the state is uniform in [resetLow, resetHigh) at reset. */
  readonly resetLow: number;
  readonly resetHigh: number;
  /** theta is uniform in [−resetAngle, resetAngle) at reset instead; radians. */
  readonly resetAngle: number | null;
  /** The pole has fallen beyond ± this; radians. */
  readonly thetaLimit: number;
  /** After steps `every`, 2·`every`, ... of an episode the pole is pushed: thetaDot changes by a uniform ± `thetaDot` rad/s. */
  readonly impulse: { readonly every: number; readonly thetaDot: number } | null;
}

const OBS_DIM = 4;
const MAX_STEPS = 500;

const GRAVITY = 9.8; // m/s²
const MASS_CART = 1.0; // kg
const MASS_POLE = 0.1;
const MASS_TOTAL = MASS_POLE + MASS_CART;
const LENGTH = 0.5; // m, half the pole's
const POLE_MASS_LENGTH = MASS_POLE * LENGTH;
const FORCE = 10.0; // N
const TAU = 0.02; // s
const X_LIMIT = 2.4; // m

/**
 * CartPole-v1 as Gymnasium 1.4.0 computes it: float64 state (x, xDot, theta, thetaDot in m, m/s, rad, rad/s; theta 0 is upright),
 * explicit Euler, float32 only in the returned observation.
 *   a    = (F + m_p l·thetaDot²·sin theta) / m                 F = ±10, action 0 pushes left
 *   α    = (g sin theta − a cos theta) / (l (4/3 − m_p cos² theta / m))
 *   xAcc = a − m_p l·α·cos theta / m
 * Products and quotients are evaluated left to right as there: the last bits depend on it.
 * Source: gymnasium/envs/classic_control/cartpole.py. Ours: sin and cos (see elementary.ts; at most the last bit of the state differs),
 * and the options resetAngle, thetaLimit and impulse.
 */
class CartPole extends Worlds {
  readonly #options: CartPoleOptions;
  /** [n, 4]: x, xDot, theta, thetaDot. */
  readonly #state: Float64Array;

  constructor(options: CartPoleOptions, n: number, run: RunOptions) {
    const size = { obsDim: OBS_DIM, actions: 2, continuous: false, maxSteps: MAX_STEPS, sceneSize: 0, frameSize: 2 };
    super({ id: 'CartPole-v1', n, ...size, ...run });
    this.#options = options;
    this.#state = new Float64Array(n * OBS_DIM);
  }

  protected override advance(): void {
    const { n, obs, reward, terminated, action, elapsed, rng } = this;
    const state = this.#state;
    const { thetaLimit, suttonBartoReward, impulse } = this.#options;
    const alive = suttonBartoReward ? 0 : 1;
    const fallen = suttonBartoReward ? -1 : 1;
    const every = impulse === null ? 0 : impulse.every;
    const kick = impulse === null ? 0 : impulse.thetaDot;
    for (let i = 0; i < n; i++) {
      const at = i * OBS_DIM;
      const velocity = state[at + 1]!;
      const angle = state[at + 2]!;
      const omega = state[at + 3]!;
      const cosine = cos(angle);
      const sine = sin(angle);
      const force = (2 * action[i]! - 1) * FORCE; // no branch: an exploring policy's actions cannot be predicted
      const push = (force + POLE_MASS_LENGTH * (omega * omega) * sine) / MASS_TOTAL;
      const thetaAcc = (GRAVITY * sine - cosine * push) / (LENGTH * (4.0 / 3.0 - (MASS_POLE * (cosine * cosine)) / MASS_TOTAL));
      const xAcc = push - (POLE_MASS_LENGTH * thetaAcc * cosine) / MASS_TOTAL;
      const x = state[at]! + TAU * velocity;
      const xDot = velocity + TAU * xAcc;
      const theta = angle + TAU * omega;
      let thetaDot = omega + TAU * thetaAcc;
      const fell = x < -X_LIMIT || x > X_LIMIT || theta < -thetaLimit || theta > thetaLimit;
      terminated[i] = fell ? 1 : 0;
      reward[i] = fell ? fallen : alive;
      if (every > 0) {
        const step = elapsed[i]! + 1;
        if (step % every === 0 && !fell && step < MAX_STEPS) thetaDot += rng[i]!.uniform(-kick, kick);
      }
      state[at] = obs[at] = x;
      state[at + 1] = obs[at + 1] = xDot;
      state[at + 2] = obs[at + 2] = theta;
      state[at + 3] = obs[at + 3] = thetaDot;
    }
  }

  protected override start(i: number): void {
    const { resetLow, resetHigh, resetAngle } = this.#options;
    const at = i * OBS_DIM;
    for (let k = 0; k < OBS_DIM; k++) {
      const own = k === 2 && resetAngle !== null;
      const value = this.rng[i]!.uniform(own ? -resetAngle : resetLow, own ? resetAngle : resetHigh);
      this.#state[at + k] = this.obs[at + k] = value;
    }
  }

  override state(i: number, out: Float64Array): void {
    for (let k = 0; k < OBS_DIM; k++) out[k] = this.#state[i * OBS_DIM + k]!;
  }

  override setState(i: number, state: ArrayLike<number>): void {
    const at = i * OBS_DIM;
    for (let k = 0; k < OBS_DIM; k++) this.#state[at + k] = this.obs[at + k] = state[k]!;
  }

  /** x, theta. */
  override frame(i: number, out: Float32Array): void {
    out[0] = this.#state[i * OBS_DIM]!;
    out[1] = this.#state[i * OBS_DIM + 2]!;
  }
}

/** n worlds; `options` are resolved. */
export function makeCartPole(options: CartPoleOptions, n: number, run: RunOptions = {}): VecEnv {
  return new CartPole(options, n, run);
}
