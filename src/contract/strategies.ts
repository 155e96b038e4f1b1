import { z } from 'zod';
import type { Json } from './ids.ts';

/** What a strategy may see: the base, the constraint and the boxes; also recorded pairs and states; or the world itself. */
export type Needs = 'nothing' | 'bounds' | 'states' | 'environment';

const count = z.int().positive();
const whole = z.int().min(0);
const weight = z.number().min(0);

/** Read by every arm: what is recorded of the base before anything is corrected. */
const collection = {
  episodes: z
    .int()
    .min(5)
    .default(100)
    .describe('episodes of the base with sampled actions: 60 % for correcting, 20 % validation, 20 % held out'),
  forgetPairs: count.default(8192).describe('at most so many violating pairs'),
  retainStates: count
    .default(8192)
    .describe('at most so many states outside the region and its margin, visited, and as many uniform in the box'),
  regionMargin: weight.default(0.02).describe('width of the margin around the region, as a share of the box per dimension'),
};

/** Read by every arm that descends a loss on the policy. */
const descent = {
  steps: count.default(500).describe('K, steps of unlearning'),
  learningRate: z.number().positive().default(2e-2),
  annealLr: z.boolean().default(true).describe('learning rate falls linearly to 0'),
  adamEps: z.number().positive().default(1e-5),
  maxGradNorm: z.number().positive().default(0.5).describe('global L2 norm'),
  forgetBatch: count.default(256).describe('forget rows per step'),
  retainBatch: count.default(256).describe('retain rows per step'),
};

/** Forget objectives by name, each with its weight in their sum. */
const forgetWeights = z
  .strictObject({
    literal: weight.optional().describe('log π(T|s) + λH, descended as the paper prints it'),
    signfix: weight.optional().describe('log π(T|s) - λH'),
    unlikelihood: weight.optional().describe('-log(1 - π(T|s))'),
    npo: weight.optional().describe('(2/β) log(1 + (π(T|s)/π0(T|s))^β)'),
    renormalised: weight.optional().describe('cross-entropy to the base renormalised off T'),
    margin: weight.optional().describe('relu(LSE_T z - LSE_notT z + log((1 - ε)/ε))'),
    diversity: weight.optional().describe('-H of what remains off T'),
  })
  .refine((weights) => Object.values(weights).some((w) => w !== undefined && w > 0), {
    message: 'must give some objective a positive weight',
  });

/** What goes into the forget and the retain rows of a step, and how the two are weighed. */
const composition = {
  forget: forgetWeights.default({ unlikelihood: 1, margin: 1 }).describe('objectives of forgetting and their weights'),
  entropy: weight.default(0.01).describe('λ of literal and signfix'),
  npoBeta: z.number().positive().default(0.1),
  marginEpsilon: z.number().gt(0).lt(1).default(0.01).describe('ε of margin, which is zero exactly when π(T|s) <= ε'),
  worstCase: whole.default(64).describe('of the forget rows, so many are the worst of the region samples'),
  regionSamples: count
    .default(512)
    .describe('samples of the region per step among which the worst are sought: the last worst, and fresh ones'),
  inverted: whole.default(0).describe('of the forget rows, so many are states found by ascending log π(T|s) from uniform ones'),
  inversionSteps: count.default(50).describe('Adam steps of that ascent'),
  inversionRate: z.number().positive().default(0.05).describe('its learning rate, in half widths of the box'),
  inversionSpread: weight.default(0.1).describe('weight of the mean pairwise similarity that it descends'),
  inversionEvery: count.default(100).describe('it starts anew after so many steps'),
  retainKl: weight.default(3).describe('weight of KL(π0‖π)'),
  temperature: z.number().positive().default(1).describe('τ of τ² KL between softmax(z/τ)'),
  retainValue: weight.default(0.01).describe('weight of ½(V - V0)²'),
  alternate: z.boolean().default(false).describe('a step of unlearning, then one of stabilising, instead of both in one'),
  weighting: z
    .enum(['fixed', 'prob', 'primal-dual', 'proj'])
    .default('fixed')
    .describe(
      'prob: forgetting by p̄/p̄0; primal-dual: retaining by λ; proj: the forget gradient without its part against the retain gradient',
    ),
  dualRate: z.number().positive().default(20).describe('ρ of λ ← max(0, λ + ρ (KL - κ))'),
  dualKl: z.number().positive().default(0.05).describe('κ'),
  protect: z
    .enum(['none', 'hard', 'ratio', 'soft', 'ewc'])
    .default('none')
    .describe('of weights that matter where the policy is to stay: freeze, freeze by ratio, damp, or pull back'),
  protectShare: z
    .number()
    .gt(0)
    .lt(1)
    .default(0.3)
    .describe('hard: this share of the weights with the largest Fisher information is frozen'),
  protectRatio: z
    .number()
    .positive()
    .default(10)
    .describe('ratio: frozen where Fisher information of retaining exceeds this times that of forgetting'),
  protectStrength: z
    .number()
    .positive()
    .default(1)
    .describe('soft: steps are divided by 1 + c F/mean F; ewc: weight of ½ Σ F/mean F (θ - θ0)²'),
};

/** Only where recorded pairs and states are given. */
const recordedOnly = {
  pairs: z
    .enum(['violating', 'any'])
    .default('violating')
    .describe('which recorded pairs are forgotten; any: whatever the base did, a control'),
  target: z.enum(['set', 'pair']).default('set').describe('in a recorded state all of T(s) is to go, or the one action that was taken'),
  influenceScore: z
    .enum(['printed', 'unsaturated'])
    .default('printed')
    .describe('π‖∇ log π‖ as printed, or π/(1 - π)‖∇ log π‖, which does not vanish where the policy is sure'),
  influenceThreshold: weight.default(0).describe('τ: only pairs with a larger score are forgotten; 0 keeps all'),
  influenceSampling: z.boolean().default(false).describe('pairs are drawn in proportion to their score'),
  uniformRetain: whole
    .default(128)
    .describe('of the retain rows, so many are uniform in the box outside region and margin, labelled by the base'),
  keep: z.enum(['best', 'last']).default('best').describe('which checkpoint is returned: the best validation selectivity, or the last'),
};

/** As if a preset were a shape with some defaults of its own. */
function withDefaults<Shape extends Readonly<Record<string, z.ZodType>>>(shape: Shape, defaults: Readonly<Record<string, Json>>): Shape {
  const changed = Object.entries(defaults).map(([key, value]) => {
    const field = shape[key];
    if (!field) throw new TypeError(`strategy: expected a parameter, got ${key}`);
    return [key, (field as z.ZodType<Json, Json>).default(value).describe(field.description ?? '')];
  });
  return { ...shape, ...Object.fromEntries(changed) } as Shape;
}

const notAbove = <T extends Readonly<Record<string, unknown>>>(
  schema: z.ZodType<T>,
  small: keyof T & string,
  large: keyof T & string,
): z.ZodType<T> => schema.refine((o) => Number(o[small]) <= Number(o[large]), { path: [small], message: `must not exceed ${large}` });

const consistent = (schema: z.ZodType<Record<string, unknown>>): z.ZodType<Record<string, unknown>> =>
  notAbove(
    notAbove(schema, 'worstCase', 'regionSamples').refine(
      (o) => Number(o['worstCase']) + Number(o['inverted']) <= Number(o['forgetBatch']),
      {
        path: ['worstCase'],
        message: 'and inverted together must not exceed forgetBatch',
      },
    ),
    'worstCase',
    'forgetBatch',
  )
    .refine((o) => !(o['weighting'] === 'proj' && o['alternate'] === true), {
      path: ['weighting'],
      message: 'proj needs both gradients in one step: alternate must be false',
    })
    .refine((o) => !(o['pairs'] === 'any' && o['target'] === 'set'), {
      path: ['target'],
      message: 'must be pair where any pair is forgotten: outside the region T(s) is empty',
    });

const boundsShape = { ...collection, ...descent, ...composition };
const statesShape = { ...boundsShape, ...recordedOnly };
const collectionOnly = z.strictObject(collection);
const boundsOptions = z.strictObject(boundsShape);
const statesOptions = z.strictObject(statesShape);

const penalty = { penalty: z.number().positive().default(1).describe('taken from the reward of a step with a toxic action') };
const retrainPenaltyOptions = z.strictObject({ ...collection, ...penalty });
const finetuneOptions = z.strictObject({
  ...collection,
  ...penalty,
  timesteps: count
    .default(43_008)
    .describe('environment steps of further training: about as many gradient steps as K = 500 with 24 a batch of 2048'),
  learningRate: z.number().positive().default(3e-3).describe('the other options are those the base was trained with'),
});

/** A named way to correct, as data; the code behind a name is in src/correction/strategies. */
export interface Preset {
  readonly needs: Needs;
  readonly options: z.ZodType<Record<string, unknown>>;
  /** The keys of `options`: what this strategy reads. */
  readonly reads: readonly string[];
  readonly describe: string;
  /** Defaults that differ where actions are continuous. */
  readonly continuous: Readonly<Record<string, Json>>;
  /** Draws random numbers, so that correction seeds differ. */
  readonly draws: boolean;
  /** Acts under a mask of toxic actions: what its unmasked logits have forgotten is no number. */
  readonly masked: boolean;
}

const preset = (needs: Needs, options: z.ZodObject, describe: string, { draws = true, masked = false } = {}): Preset => ({
  needs,
  options,
  reads: Object.keys(options.shape),
  describe,
  continuous: {},
  draws,
  masked,
});

/** A Gaussian pushed off T has nothing that stops it beyond: its target is the base cut off at T, and the margin makes that less than 1 %. */
const nearestOff = { renormalised: 1, margin: 3 };

/** A composition that sees `needs`, with some defaults of its own. */
function composed(
  needs: 'bounds' | 'states',
  describe: string,
  defaults: Readonly<Record<string, Json>> = {},
  continuous: Readonly<Record<string, Json>> = 'forget' in defaults ? {} : { forget: nearestOff },
): Preset {
  const shape: Readonly<Record<string, z.ZodType>> = needs === 'states' ? statesShape : boundsShape;
  const own = withDefaults(shape, defaults);
  const options = consistent(z.strictObject(own) as z.ZodType<Record<string, unknown>>);
  return {
    needs,
    options: needs === 'states' ? notAbove(options, 'uniformRetain', 'retainBatch') : options,
    reads: Object.keys(own),
    describe,
    continuous,
    draws: true,
    masked: false,
  };
}

/** What the paper's presets share: its loss, its alternation, constant learning rate, no worst case. Their learning rates: sweeps/tuning.yaml. */
const asPrinted = { forget: { literal: 1 }, worstCase: 0, alternate: true, annealLr: false, retainKl: 1, retainValue: 0 };
const printedPairs = { target: 'pair', uniformRetain: 0, keep: 'last' };
/** Hard Fisher masks, and distillation at temperature 2 with weight 0.2 (the authors' later code). */
const printedProtection = { protect: 'hard', temperature: 2, retainKl: 0.2, retainValue: 0.2 };
/** Soft masks on the step, and distillation at temperature 2. */
const ourProtection = { protect: 'soft', protectStrength: 0.1, temperature: 2, retainKl: 6 };

export const STRATEGIES: Readonly<Record<string, Preset>> = {
  none: preset('nothing', collectionOnly, 'the base as it is', { draws: false }),
  retrain: preset('environment', collectionOnly, 'the gold: trained from scratch with toxic actions masked, evaluated with the mask on', {
    masked: true,
  }),
  shield: preset('bounds', collectionOnly, 'the base with toxic actions masked at inference', { draws: false, masked: true }),
  random: composed('states', 'control: tsf on random recorded pairs', {
    pairs: 'any',
    target: 'pair',
    worstCase: 0,
    keep: 'last',
    learningRate: 1e-4,
  }),
  finetune: preset('environment', finetuneOptions, 'control: training goes on, with a penalty on toxic actions'),
  'retrain-penalty': preset('environment', retrainPenaltyOptions, 'control: trained from scratch with a penalty on toxic actions'),
  'tsf:paper': composed('states', 'targeted state forgetting as the paper prints it', {
    ...asPrinted,
    ...printedPairs,
    learningRate: 3e-3,
  }),
  'zsi:paper': composed('bounds', 'zero-shot strategy inversion as the paper prints it, truly data-free', {
    ...asPrinted,
    inverted: 256,
    learningRate: 3e-2,
  }),
  'mrp+tsf:paper': composed('states', 'tsf:paper under memory replay protection as printed', {
    ...asPrinted,
    ...printedPairs,
    ...printedProtection,
    learningRate: 3e-2,
  }),
  'mrp+zsi:paper': composed('bounds', 'zsi:paper under memory replay protection as printed', {
    ...asPrinted,
    inverted: 256,
    ...printedProtection,
    learningRate: 3e-2,
  }),
  'tsf+zsi:paper': composed('states', 'tsf:paper on recorded pairs and inverted states, half and half', {
    ...asPrinted,
    ...printedPairs,
    inverted: 128,
    learningRate: 1e-2,
  }),
  tsf: composed('states', 'targeted state forgetting: unlikelihood and margin on recorded and worst-case states'),
  zsi: composed('bounds', 'zero-shot: unlikelihood and margin on worst-case and inverted states, data-free', { inverted: 64 }),
  'mrp+tsf': composed('states', 'tsf under memory replay protection', ourProtection),
  'mrp+zsi': composed('bounds', 'zsi under memory replay protection', { inverted: 64, ...ourProtection }),
  'tsf+zsi': composed('states', 'tsf on recorded, worst-case and inverted states', { inverted: 64 }),
};

export type CollectOptions = z.output<typeof collectionOnly>;
export type BoundsOptions = z.output<typeof boundsOptions>;
export type StatesOptions = z.output<typeof statesOptions>;
export type ForgetWeights = z.output<typeof forgetWeights>;
export type FinetuneOptions = z.output<typeof finetuneOptions>;
export type RetrainPenaltyOptions = z.output<typeof retrainPenaltyOptions>;

/** Throws RangeError for a name that is not there. */
export function strategyPreset(name: string): Preset {
  const found = Object.hasOwn(STRATEGIES, name) ? STRATEGIES[name] : undefined;
  if (!found) throw new RangeError(`strategy: expected one of ${Object.keys(STRATEGIES).join(', ')}, got ${name}`);
  return found;
}
