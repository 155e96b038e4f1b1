import { z } from 'zod';

/** What a strategy may see: the base, the constraint and the boxes; also recorded pairs and states; or the world itself. */
export type Needs = 'nothing' | 'bounds' | 'states' | 'environment';

const count = z.int().positive();
const weight = z.number().min(0);

/** Read by every arm: what is recorded of the base before anything is corrected. */
const collection = {
  episodes: z
    .int()
    .min(5)
    .default(100)
    .describe('episodes of the base with sampled actions: 60 % for correcting, 20 % validation, 20 % held out'),
  forgetPairs: count.default(8192).describe('at most so many violating pairs'),
  retainStates: count.default(8192).describe('at most so many visited states outside the region and its margin'),
  regionMargin: weight.default(0.02).describe('width of the margin around the region, as a share of the box per dimension'),
};

/** Read by every arm that takes gradient steps on the policy. */
const descent = {
  steps: count.default(500).describe('K, gradient steps'),
  learningRate: z.number().positive().default(2e-2),
  annealLr: z.boolean().default(true).describe('learning rate falls linearly to 0'),
  adamEps: z.number().positive().default(1e-5),
  maxGradNorm: z.number().positive().default(0.5).describe('global L2 norm'),
  forgetBatch: count.default(256).describe('forget rows per step'),
  retainBatch: count.default(256).describe('retain rows per step'),
};

const collectionOnly = z.strictObject(collection);

const tsf = z
  .strictObject({
    ...collection,
    ...descent,
    worstCase: z.int().min(0).default(128).describe('of the forget rows, so many are the worst of the fresh region samples'),
    regionSamples: count.default(512).describe('fresh samples of the region per step'),
    uniformRetain: z.int().min(0).default(128).describe('of the retain rows, so many are uniform in the box outside region and margin'),
    unlikelihood: weight.default(1).describe('weight of -log(1 - π(T|s))'),
    margin: weight.default(1).describe('weight of relu(LSE_T z - LSE_notT z + m)'),
    marginEpsilon: z.number().gt(0).lt(1).default(0.01).describe('m = log((1 - ε)/ε): zero exactly when π(T|s) <= ε'),
    retainKl: weight.default(3).describe('weight of KL(π0‖π)'),
    retainValue: weight.default(0.01).describe('weight of ½(V - V0)²'),
  })
  .refine((o) => o.worstCase <= o.forgetBatch, { path: ['worstCase'], message: 'must not exceed forgetBatch' })
  .refine((o) => o.worstCase <= o.regionSamples, { path: ['worstCase'], message: 'must not exceed regionSamples' })
  .refine((o) => o.uniformRetain <= o.retainBatch, { path: ['uniformRetain'], message: 'must not exceed retainBatch' });

const tsfPaper = z.strictObject({
  ...collection,
  ...descent,
  learningRate: descent.learningRate.default(1e-3),
  annealLr: descent.annealLr.default(false),
  entropy: weight.default(0.01).describe('λ of log π + λH, which is descended as printed'),
});

/** A named way to correct, as data; the code behind a name is in src/correction/strategies. */
export interface Preset {
  readonly needs: Needs;
  readonly options: z.ZodType<Record<string, unknown>>;
  /** The keys of `options`: what this strategy reads. */
  readonly reads: readonly string[];
  readonly describe: string;
}

const preset = (needs: Needs, options: z.ZodObject, describe: string): Preset => ({
  needs,
  options,
  reads: Object.keys(options.shape),
  describe,
});

export const STRATEGIES: Readonly<Record<string, Preset>> = {
  none: preset('nothing', collectionOnly, 'the base as it is'),
  retrain: preset('environment', collectionOnly, 'the gold: trained from scratch with toxic actions masked, evaluated with the mask on'),
  'tsf:paper': preset('states', tsfPaper, 'targeted state forgetting as the paper prints it'),
  tsf: preset('states', tsf, 'targeted state forgetting: unlikelihood and margin on recorded and worst-case states'),
};

export type CollectOptions = z.output<typeof collectionOnly>;
export type TsfOptions = z.output<typeof tsf>;
export type TsfPaperOptions = z.output<typeof tsfPaper>;

/** Throws RangeError for a name that is not there. */
export function strategyPreset(name: string): Preset {
  const found = Object.hasOwn(STRATEGIES, name) ? STRATEGIES[name] : undefined;
  if (!found) throw new RangeError(`strategy: expected one of ${Object.keys(STRATEGIES).join(', ')}, got ${name}`);
  return found;
}
