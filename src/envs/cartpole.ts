import { cos, sin } from '../math/elementary.ts';
import { type Dynamics, makeVecEnv, type VecEnv, type Worlds } from './vecenv.ts';

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
export function makeCartPole(options: CartPoleOptions, n: number): VecEnv {
  return makeVecEnv({ id: 'CartPole-v1', n, obsDim: OBS_DIM, actions: 2, maxSteps: MAX_STEPS }, (worlds) => cartPole(options, worlds));
}

function cartPole(options: CartPoleOptions, { n, obs, reward, terminated, action, elapsed, rng }: Worlds): Dynamics {
  const { resetLow, resetHigh, thetaLimit } = options;
  const angleLow = options.resetAngle === null ? resetLow : -options.resetAngle;
  const angleHigh = options.resetAngle === null ? resetHigh : options.resetAngle;
  const alive = options.suttonBartoReward ? 0 : 1;
  const fallen = options.suttonBartoReward ? -1 : 1;
  const every = options.impulse === null ? 0 : options.impulse.every;
  const kick = options.impulse === null ? 0 : options.impulse.thetaDot;
  const x = new Float64Array(n);
  const xDot = new Float64Array(n);
  const theta = new Float64Array(n);
  const thetaDot = new Float64Array(n);

  const observe = (i: number): void => {
    const at = i * OBS_DIM;
    obs[at] = x[i]!;
    obs[at + 1] = xDot[i]!;
    obs[at + 2] = theta[i]!;
    obs[at + 3] = thetaDot[i]!;
  };

  return {
    advance: () => {
      for (let i = 0; i < n; i++) {
        const force = (2 * action[i]! - 1) * FORCE; // no branch: an exploring policy's actions cannot be predicted
        const angle = theta[i]!;
        const omega = thetaDot[i]!;
        const velocity = xDot[i]!;
        const cosine = cos(angle);
        const sine = sin(angle);
        const push = (force + POLE_MASS_LENGTH * (omega * omega) * sine) / MASS_TOTAL;
        const thetaAcc = (GRAVITY * sine - cosine * push) / (LENGTH * (4.0 / 3.0 - (MASS_POLE * (cosine * cosine)) / MASS_TOTAL));
        const xAcc = push - (POLE_MASS_LENGTH * thetaAcc * cosine) / MASS_TOTAL;
        const position = x[i]! + TAU * velocity;
        const tilt = angle + TAU * omega;
        x[i] = position;
        xDot[i] = velocity + TAU * xAcc;
        theta[i] = tilt;
        thetaDot[i] = omega + TAU * thetaAcc;
        const fell = position < -X_LIMIT || position > X_LIMIT || tilt < -thetaLimit || tilt > thetaLimit;
        terminated[i] = fell ? 1 : 0;
        reward[i] = fell ? fallen : alive;
        if (every > 0) {
          const step = elapsed[i]! + 1;
          if (step % every === 0 && !fell && step < MAX_STEPS) thetaDot[i] = thetaDot[i]! + rng[i]!.uniform(-kick, kick);
        }
        observe(i);
      }
    },
    start: (i) => {
      const draws = rng[i]!;
      x[i] = draws.uniform(resetLow, resetHigh);
      xDot[i] = draws.uniform(resetLow, resetHigh);
      theta[i] = draws.uniform(angleLow, angleHigh);
      thetaDot[i] = draws.uniform(resetLow, resetHigh);
      observe(i);
    },
    state: (i, out) => {
      out[0] = x[i]!;
      out[1] = xDot[i]!;
      out[2] = theta[i]!;
      out[3] = thetaDot[i]!;
    },
    setState: (i, state) => {
      x[i] = state[0]!;
      xDot[i] = state[1]!;
      theta[i] = state[2]!;
      thetaDot[i] = state[3]!;
      observe(i);
    },
  };
}
