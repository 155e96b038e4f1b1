import { type CartPoleOptions, makeCartPole } from './cartpole.ts';
import type { RunOptions, VecEnv } from './vecenv.ts';

/** n worlds by Gymnasium's id. `options` are resolved: src/contract/environments.ts has parsed them and filled in what was left out. */
export function makeEnv(id: string, options: Record<string, unknown>, n: number, run: RunOptions = {}): VecEnv {
  switch (id) {
    case 'CartPole-v1':
      return makeCartPole(options as unknown as CartPoleOptions, n, run);
    default:
      throw new RangeError(`makeEnv: expected CartPole-v1, got ${id}`);
  }
}
