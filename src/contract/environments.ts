import { z } from 'zod';

/** A named component of an observation. `low`, `high`: the box for region samples, data-free correction and certificates (velocities are unbounded in the world itself). */
export interface Dimension {
  readonly name: string;
  readonly unit: string;
  readonly low: number;
  readonly high: number;
  /** Only whole numbers occur there: a leg touches the ground or not. */
  readonly integer?: boolean;
}

/** A world as data: everything the coordinator must know of it without running it. */
export interface Environment {
  readonly id: string;
  readonly observation: readonly Dimension[];
  /** Names of the discrete actions by index, or of the dimensions of a continuous action. */
  readonly actions: readonly string[];
  /** The interval to which the world clips every dimension of a continuous action; null where actions are discrete. */
  readonly actionBounds: { readonly low: number; readonly high: number } | null;
  readonly maxSteps: number;
  /** A base counts as trained from this mean greedy return on. */
  readonly gate: number;
  readonly options: z.ZodType<Record<string, unknown>>;
  /** Which options, as somebody wrote them, change nothing: whoever wrote them expects something else. A spec, where all are filled in, may have them. */
  readonly idle: (written: Readonly<Record<string, unknown>>) => readonly Idle[];
}

/** An option without effect. `expected` and `remedy` are the words of a message. */
interface Idle {
  readonly path: readonly string[];
  readonly expected: string;
  readonly got: string;
  readonly remedy: string;
}

/** Beyond, arithmetic in float32 and trigonometry mean nothing. */
const bounded = z.number().min(-1000).max(1000);

const CARTPOLE_STEPS = 500;
const cartPoleOptions = z.strictObject({
  suttonBartoReward: z.boolean().default(false).describe('reward 0 per step and -1 at the end instead of 1 per step'),
  resetLow: bounded.default(-0.05).describe('lower bound of every component at reset'),
  resetHigh: bounded.default(0.05).describe('upper bound of every component at reset'),
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
  actionBounds: null,
  maxSteps: CARTPOLE_STEPS,
  gate: 475,
  idle: ({ impulse }) => {
    const every = (impulse as { readonly every?: unknown } | null | undefined)?.every;
    if (typeof every !== 'number' || every < CARTPOLE_STEPS) return [];
    const expected = `fewer steps than the ${CARTPOLE_STEPS} of an episode`;
    return [{ path: ['impulse', 'every'], expected, got: `${every}`, remedy: 'no impulse would ever come: set less, or impulse: null' }];
  },
  options: cartPoleOptions.refine((o) => o.resetLow <= o.resetHigh, { path: ['resetLow'], message: 'must not exceed resetHigh' }),
};

const UNIT = { low: -1, high: 1 };

const mountainCarOptions = z
  .strictObject({
    goalVelocity: bounded.default(0).describe('the goal counts from this velocity on'),
    resetLow: bounded.default(-0.6).describe('lower bound of the position at reset'),
    resetHigh: bounded.default(-0.4).describe('upper bound of the position at reset'),
  })
  .refine((o) => o.resetLow <= o.resetHigh, { path: ['resetLow'], message: 'must not exceed resetHigh' });

const mountainCar: Environment = {
  id: 'MountainCar-v0',
  observation: [
    { name: 'position', unit: 'm', low: -1.2, high: 0.6 },
    { name: 'velocity', unit: 'm/step', low: -0.07, high: 0.07 },
  ],
  actions: ['left', 'coast', 'right'],
  actionBounds: null,
  maxSteps: 200,
  gate: -130,
  options: mountainCarOptions,
  idle: () => [],
};

const mountainCarContinuous: Environment = {
  ...mountainCar,
  id: 'MountainCarContinuous-v0',
  actions: ['push'],
  actionBounds: UNIT,
  maxSteps: 999,
  gate: 80,
};

const WIND = { windPower: 15, turbulencePower: 1.5 };
const lunarLanderOptions = z.strictObject({
  gravity: z.number().gt(-12).lt(0).default(-10).describe('vertical, m/s²'),
  enableWind: z.boolean().default(false).describe('wind pushes and turns the lander while no leg touches the ground'),
  windPower: z.number().min(0).max(20).default(WIND.windPower).describe('largest force of the wind'),
  turbulencePower: z.number().min(0).max(2).default(WIND.turbulencePower).describe('largest torque of the wind'),
});

const lunarLander: Environment = {
  id: 'LunarLander-v3',
  observation: [
    { name: 'x', unit: '10 m', low: -1, high: 1 },
    { name: 'y', unit: '6.67 m', low: -0.1, high: 1.5 },
    { name: 'vx', unit: '5 m/s', low: -1, high: 1 },
    { name: 'vy', unit: '7.5 m/s', low: -1, high: 0.5 },
    { name: 'angle', unit: 'rad', low: -0.6, high: 0.6 },
    { name: 'omega', unit: '2.5 rad/s', low: -0.8, high: 0.8 },
    { name: 'leg1', unit: 'contact', low: 0, high: 1, integer: true },
    { name: 'leg2', unit: 'contact', low: 0, high: 1, integer: true },
  ],
  actions: ['nothing', 'left', 'main', 'right'],
  actionBounds: null,
  maxSteps: 1000,
  gate: 200,
  options: lunarLanderOptions,
  // With `enableWind: false` beside them the defaults are no surprise: so a resolved scenario has them.
  idle: ({ enableWind, ...others }) => {
    if (enableWind === true) return [];
    return Object.entries(WIND).flatMap(([option, byDefault]): Idle[] => {
      const written = others[option];
      if (written === undefined || (enableWind === false && written === byDefault)) return [];
      const remedy = `without wind ${option} changes nothing: set enableWind: true, or remove ${option}`;
      return [{ path: [option], expected: 'enableWind: true beside it', got: 'enableWind: false', remedy }];
    });
  },
};

const lunarLanderContinuous: Environment = {
  ...lunarLander,
  id: 'LunarLanderContinuous-v3',
  actions: ['main', 'lateral'],
  actionBounds: UNIT,
};

export const ENVIRONMENTS: Readonly<Record<string, Environment>> = Object.fromEntries(
  [cartPole, mountainCar, mountainCarContinuous, lunarLander, lunarLanderContinuous].map((world) => [world.id, world]),
);

/** Throws RangeError for an id that is not there. */
export function environment(id: string): Environment {
  const found = Object.hasOwn(ENVIRONMENTS, id) ? ENVIRONMENTS[id] : undefined;
  if (!found) throw new RangeError(`environment: expected one of ${Object.keys(ENVIRONMENTS).join(', ')}, got ${id}`);
  return found;
}
