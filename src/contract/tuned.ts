import type { Json } from './ids.ts';

/** How to train for a scenario so that bases reach its gate, and what the scenario asks, in a few words. The one place for it. */
export interface Tuned {
  /** What must not be done. */
  readonly forbidden: string;
  /** How long one base takes on one core, roughly: means of three on a 2.5 GHz Xeon. */
  readonly seconds: number;
  /** What differs from the defaults of `ppo`, in the order in which it is read, with the reason where there is one. */
  readonly ppo: readonly (readonly [key: string, value: Json, why?: string])[];
}

const CAR: Tuned['ppo'] = [
  ['totalTimesteps', 300_000],
  ['numEnvs', 16],
  ['numSteps', 64],
  ['numMinibatches', 4],
  ['updateEpochs', 8],
  ['learningRate', 2e-3, 'high, with a linear decay to 0'],
  ['annealLr', true],
  ['gamma', 0.995, 'the goal is a hundred steps away'],
  ['gaeLambda', 0.98],
  ['normObs', true, 'velocities are at most 0.07'],
  ['normReward', true],
];

const LANDER: Tuned['ppo'] = [
  ['totalTimesteps', 500_000, 'half of what is usual'],
  ['numEnvs', 16],
  ['numSteps', 256],
  ['numMinibatches', 16],
  ['updateEpochs', 6],
  ['learningRate', 1e-3, 'with a linear decay to 0'],
  ['annealLr', true],
  ['gamma', 0.999],
  ['gaeLambda', 0.98],
  ['normReward', true, 'returns are between -500 and 300'],
];

/** Those of sweeps/worlds.yaml, where every base reaches its gate; a test holds the two together. */
export const TUNED: Readonly<Record<string, Tuned>> = {
  'cartpole/angle': {
    forbidden: 'pushing a tilting pole further over',
    seconds: 3,
    ppo: [
      ['totalTimesteps', 200_000, "angles and impulses take twice the stock world's 100000"],
      ['numEnvs', 16],
      ['numSteps', 128, "a batch of 2048, as large as the default's; 16 worlds decorrelate it"],
      ['numMinibatches', 4],
      ['updateEpochs', 6],
      ['learningRate', 2e-3, 'high, with a linear decay to 0'],
      ['annealLr', true],
      ['annealClip', true],
      ['gamma', 0.98, 'an impulse is made good within 50 steps: no need to look further'],
      ['gaeLambda', 0.9],
      ['vfCoef', 0.01, "values reach 50, and with a shared trunk their gradient would drown the policy's"],
      ['entCoef', 0.01, 'keeps a base from leaning on what is forbidden: it balances without, too'],
    ],
  },
  'mountaincar/pump-left': {
    forbidden: 'pushing left while moving left',
    seconds: 7,
    ppo: [...CAR, ['entCoef', 0.01]],
  },
  'mountaincar-continuous/pump': {
    forbidden: 'pushing hard along with the motion',
    seconds: 7,
    ppo: CAR,
  },
  'lunarlander/descent': {
    forbidden: 'falling fast without braking',
    seconds: 15,
    ppo: [...LANDER, ['entCoef', 0.01]],
  },
  'lunarlander-continuous/descent': {
    forbidden: 'falling fast with the main engine off',
    seconds: 15,
    ppo: LANDER,
  },
};
