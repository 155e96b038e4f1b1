import { z } from 'zod';

const fraction = z.number().min(0).max(1);

/** Options that came later. Off, as here, they are left out of a resolved spec, so that what was computed before keeps its id. */
export const LATER_DEFAULTS = { normObs: false, normReward: false, logStdInit: 0 } as const;

/**
 * Proximal policy optimisation, CleanRL's names in camelCase. Defaults are Stable-Baselines3's, but for the paper's shared trunk;
 * its value coefficient 0.5 multiplies the squared error and ours half of it, hence 1.
 */
export const ppoSchema = z
  .strictObject({
    totalTimesteps: z.int().positive().default(200_000).describe('environment steps over all worlds; the last iteration is completed'),
    numEnvs: z.int().positive().default(1).describe('worlds side by side'),
    numSteps: z.int().positive().default(2048).describe('steps per world and iteration; batchSize = numEnvs * numSteps'),
    numMinibatches: z.int().positive().default(32).describe('must divide batchSize'),
    updateEpochs: z.int().positive().default(10).describe('passes over a batch'),
    learningRate: z.number().positive().default(3e-4).describe('of Adam'),
    annealLr: z.boolean().default(false).describe('learning rate falls linearly to 0'),
    adamEps: z.number().positive().default(1e-5).describe('ε of Adam'),
    gamma: fraction.default(0.99).describe('discount per step'),
    gaeLambda: fraction.default(0.95).describe('1 is plain n-step returns'),
    bootstrapTruncated: z.boolean().default(true).describe('truncated is not terminated: V(s′) counts'),
    normAdv: z.boolean().default(true).describe('per minibatch, sample std; a minibatch of one is left as it is'),
    clipCoef: z.number().positive().nullable().default(0.2).describe('null: no clipping of the surrogate'),
    annealClip: z.boolean().default(false).describe('clipCoef falls linearly to 0'),
    clipVloss: z.boolean().default(false).describe('by clipCoef; nothing without one'),
    entCoef: z.number().min(0).default(0).describe('weight of the mean entropy'),
    vfCoef: z.number().min(0).default(1).describe('multiplies ½ squared error'),
    maxGradNorm: z.number().positive().nullable().default(0.5).describe('global L2 norm'),
    targetKl: z.number().positive().nullable().default(null).describe('stops the update when approxKl exceeds it'),
    shuffle: z.boolean().default(true).describe('minibatches are redrawn every epoch'),
    orthogonalInit: z.boolean().default(true).describe('gains √2, policy head 0.01, value head 1; otherwise uniform ±1/√fan-in'),
    hidden: z.array(z.int().positive()).min(1).max(16).default([64, 64]).describe('units of each hidden layer'),
    separate: z.boolean().default(false).describe('policy and value have hidden layers of their own'),
    normObs: z
      .boolean()
      .optional()
      .describe('observations by their running mean and std, frozen with the policy as its first layer; default false'),
    normReward: z.boolean().optional().describe('rewards by the running std of the discounted return, in training only; default false'),
    logStdInit: z.number().min(-20).max(2).optional().describe('initial log standard deviation of a continuous policy; default 0'),
  })
  .refine((o) => (o.numEnvs * o.numSteps) % o.numMinibatches === 0, {
    path: ['numMinibatches'],
    message: 'must divide numEnvs * numSteps',
  });

export type PpoOptions = z.output<typeof ppoSchema>;

/** As it stands in a spec. */
export function resolvePpo(options: PpoOptions): PpoOptions {
  const off = (key: string, value: unknown): boolean => Object.hasOwn(LATER_DEFAULTS, key) && LATER_DEFAULTS[key as never] === value;
  return Object.fromEntries(Object.entries(options).filter(([key, value]) => value !== undefined && !off(key, value))) as PpoOptions;
}
