import { environment } from './environments.ts';
import { ConfigError } from './errors.ts';
import { judge, printGot, printProblem, suggest } from './problems.ts';

/** Gymnasium's name of an option, and ours. */
type Names = Readonly<Record<string, string>>;

interface Keywords {
  /** Of `gym.make`. */
  readonly options: Names;
  /** Of `reset(options=...)`. */
  readonly resetOptions: Names;
}

const BOUNDS: Names = { low: 'resetLow', high: 'resetHigh' };
const mountainCar: Keywords = { options: { goal_velocity: 'goalVelocity' }, resetOptions: BOUNDS };
const lunarLander: Keywords = {
  options: { gravity: 'gravity', enable_wind: 'enableWind', wind_power: 'windPower', turbulence_power: 'turbulencePower' },
  resetOptions: {},
};

const KEYWORDS: Readonly<Record<string, Keywords>> = {
  'CartPole-v1': { options: { sutton_barto_reward: 'suttonBartoReward' }, resetOptions: BOUNDS },
  'MountainCar-v0': mountainCar,
  'MountainCarContinuous-v0': mountainCar,
  'LunarLander-v3': lunarLander,
  'LunarLanderContinuous-v3': lunarLander,
};

/** Gymnasium registers one world under two names, of which `continuous` chooses whatever the name says. */
const [LANDER, LANDER_CONTINUOUS] = ['LunarLander-v3', 'LunarLanderContinuous-v3'];

/** What Gymnasium was asked for. */
interface GymnasiumWorld {
  readonly environment: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly resetOptions: Readonly<Record<string, unknown>>;
}

/** Our world for it: the id, and options as `makeEnv` takes them. Throws ConfigError for a world or an option that we do not have. */
export function fromGymnasium({ environment: id, options, resetOptions }: GymnasiumWorld): {
  id: string;
  options: Record<string, unknown>;
} {
  const keywords = Object.hasOwn(KEYWORDS, id) ? KEYWORDS[id] : undefined;
  if (!keywords) throw new ConfigError(`environment: expected one of ${Object.keys(KEYWORDS).join(', ')}, got ${id}`);
  const { continuous, ...others } = options;
  const chooses = (id === LANDER || id === LANDER_CONTINUOUS) && continuous !== undefined;
  if (chooses && typeof continuous !== 'boolean') {
    throw new ConfigError(`options continuous: expected true or false, got ${printGot(continuous)}`);
  }
  const ours = chooses ? (continuous ? LANDER_CONTINUOUS : LANDER) : id;
  const named = {
    ...rename('options', chooses ? others : options, keywords.options),
    ...rename('resetOptions', resetOptions, keywords.resetOptions),
  };
  const judged = judge(environment(ours).options, named);
  if (!judged.ok) throw new ConfigError(judged.problems.map((problem) => printProblem(problem, 'options')).join('\n'));
  return { id: ours, options: judged.value };
}

function rename(where: string, values: Readonly<Record<string, unknown>>, names: Names): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => {
      const ours = Object.hasOwn(names, name) ? names[name] : undefined;
      if (ours !== undefined) return [ours, value];
      throw new ConfigError(
        `${where}: expected Gymnasium's options of this world that are ours, too, got ${name}; ${suggest(name, Object.keys(names))}`,
      );
    }),
  );
}
