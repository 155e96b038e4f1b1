import { makeCartPole } from './cartpole.ts';
import { makeMountainCar, makeMountainCarContinuous } from './mountaincar.ts';
import type { RunOptions, VecEnv } from './vecenv.ts';

const MAKERS = {
  'CartPole-v1': makeCartPole,
  'MountainCar-v0': makeMountainCar,
  'MountainCarContinuous-v0': makeMountainCarContinuous,
} as unknown as Readonly<Record<string, (options: Record<string, unknown>, n: number, run: RunOptions) => VecEnv>>;

/** n worlds by Gymnasium's id. `options` are resolved: src/contract/environments.ts has parsed them and filled in what was left out. */
export function makeEnv(id: string, options: Record<string, unknown>, n: number, run: RunOptions = {}): VecEnv {
  const make = Object.hasOwn(MAKERS, id) ? MAKERS[id] : undefined;
  if (!make) throw new RangeError(`makeEnv: expected one of ${Object.keys(MAKERS).join(', ')}, got ${id}`);
  return make(options, n, run);
}
