import { makeCartPole } from './cartpole.ts';
import { makeLunarLander } from './lunarlander/lunarlander.ts';
import { makeMountainCar, makeMountainCarContinuous } from './mountaincar.ts';
import type { RunOptions, VecEnv } from './vecenv.ts';

type Make = (options: never, n: number, run: RunOptions) => VecEnv;

const MAKERS: Readonly<Record<string, Make>> = {
  'CartPole-v1': makeCartPole,
  'MountainCar-v0': makeMountainCar,
  'MountainCarContinuous-v0': makeMountainCarContinuous,
  'LunarLander-v3': (options, n, run) => makeLunarLander('LunarLander-v3', options, n, run),
  'LunarLanderContinuous-v3': (options, n, run) => makeLunarLander('LunarLanderContinuous-v3', options, n, run),
};

/** n worlds by Gymnasium's id. `options` are resolved: src/contract/environments.ts has parsed them and filled in what was left out. */
export function makeEnv(id: string, options: Record<string, unknown>, n: number, run: RunOptions = {}): VecEnv {
  const make = Object.hasOwn(MAKERS, id) ? MAKERS[id] : undefined;
  if (!make) throw new RangeError(`makeEnv: expected one of ${Object.keys(MAKERS).join(', ')}, got ${id}`);
  return make(options as never, n, run);
}
