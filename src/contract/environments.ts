import { z } from 'zod';

/** A named component of an observation. `low`, `high`: the box for region samples, data-free correction and certificates (velocities are unbounded in the world itself). */
export interface Dimension {
  readonly name: string;
  readonly unit: string;
  readonly low: number;
  readonly high: number;
}

/** A world as data: everything the coordinator must know of it without running it. */
export interface Environment {
  readonly id: string;
  readonly observation: readonly Dimension[];
  /** Names of the discrete actions, by index. */
  readonly actions: readonly string[];
  readonly maxSteps: number;
  /** A base counts as trained from this mean greedy return on. */
  readonly gate: number;
  readonly options: z.ZodType<Record<string, unknown>>;
}

const cartPoleOptions = z.strictObject({
  suttonBartoReward: z.boolean().default(false).describe('reward 0 per step and -1 at the end instead of 1 per step'),
  resetLow: z.number().default(-0.05).describe('lower bound of every component at reset'),
  resetHigh: z.number().default(0.05).describe('upper bound of every component at reset'),
  resetAngle: z.number().positive().nullable().default(null).describe('theta at reset is uniform in ± this, rad'),
  thetaLimit: z
    .number()
    .positive()
    .default((12 * 2 * Math.PI) / 360)
    .describe('the episode terminates beyond ± this angle, rad'),
  impulse: z
    .strictObject({ every: z.int().positive(), thetaDot: z.number().positive() })
    .nullable()
    .default(null)
    .describe('every `every` steps a uniform ± thetaDot rad/s is added to the pole’s angular velocity'),
});

const cartPole: Environment = {
  id: 'CartPole-v1',
  observation: [
    { name: 'x', unit: 'm', low: -2.4, high: 2.4 },
    { name: 'xDot', unit: 'm/s', low: -3, high: 3 },
    { name: 'theta', unit: 'rad', low: -0.418, high: 0.418 },
    { name: 'thetaDot', unit: 'rad/s', low: -3, high: 3 },
  ],
  actions: ['left', 'right'],
  maxSteps: 500,
  gate: 475,
  options: cartPoleOptions.refine((o) => o.resetLow <= o.resetHigh, { path: ['resetLow'], message: 'must not exceed resetHigh' }),
};

export const ENVIRONMENTS: Readonly<Record<string, Environment>> = { [cartPole.id]: cartPole };

/** Throws RangeError for an id that is not there. */
export function environment(id: string): Environment {
  const found = Object.hasOwn(ENVIRONMENTS, id) ? ENVIRONMENTS[id] : undefined;
  if (!found) throw new RangeError(`environment: expected one of ${Object.keys(ENVIRONMENTS).join(', ')}, got ${id}`);
  return found;
}
