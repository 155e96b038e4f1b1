// Written by tools/rates.mjs (npm run rates). Not to be edited.

interface Lengths {
  readonly mean: number;
  readonly longest: number;
}

/** Steps of a hundred episodes of trained policies and of random ones, and for how many timesteps they were trained. */
export const EPISODES: Readonly<
  Record<string, { readonly greedy: Lengths; readonly sampled: Lengths; readonly random: Lengths; readonly timesteps: number }>
> = {
  'CartPole-v1': {
    greedy: { mean: 500, longest: 500 },
    sampled: { mean: 479, longest: 500 },
    random: { mean: 27, longest: 72 },
    timesteps: 200000,
  },
  'MountainCar-v0': {
    greedy: { mean: 103, longest: 172 },
    sampled: { mean: 107, longest: 168 },
    random: { mean: 200, longest: 200 },
    timesteps: 300000,
  },
  'MountainCarContinuous-v0': {
    greedy: { mean: 69, longest: 72 },
    sampled: { mean: 70, longest: 73 },
    random: { mean: 997, longest: 999 },
    timesteps: 300000,
  },
  'LunarLander-v3': {
    greedy: { mean: 264, longest: 529 },
    sampled: { mean: 256, longest: 1000 },
    random: { mean: 88, longest: 150 },
    timesteps: 500000,
  },
  'LunarLanderContinuous-v3': {
    greedy: { mean: 391, longest: 681 },
    sampled: { mean: 788, longest: 1000 },
    random: { mean: 109, longest: 206 },
    timesteps: 500000,
  },
};

/** What an operation takes by `wasm`, in yardsticks (cli/yardstick.ts): fitted to 104 jobs on a machine whose yardstick took 40.7 ms. */
export const RATES: Readonly<Record<string, number>> = {
  act: 0.00000637,
  call: 0,
  draw: 0.0000113,
  invert: 0.00000246,
  job: 0.326,
  learnMac: 3.57e-9,
  learnRow: 0.00000774,
  mac: 1.45e-9,
  norm: 0.00000827,
  pair: 3.54e-7,
  record: 0.0000115,
  row: 0,
  score: 0.0000142,
  update: 0,
  weight: 2.22e-7,
  'world CartPole-v1': 0,
  'world LunarLander-v3': 0.0000501,
  'world LunarLanderContinuous-v3': 0.0000657,
  'world MountainCar-v0': 0.000012,
  'world MountainCarContinuous-v0': 0.0000157,
};

/** What jobs took by what was expected of them: the quarter that took least, and the one that took most. */
export const SPREAD = { low: 0.971, high: 1.14 };

/** How many times as long another engine takes, for minibatches of 512 and hidden layers of 64 and 64: results/reference/engines. */
export const ENGINES: Readonly<Record<string, { readonly train: number; readonly correct: number; readonly play: number }>> = {
  tfjs: { play: 2.61, train: 3.32, correct: 2.15 },
  reference: { play: 16.5, train: 29.6, correct: 21.4 },
};
