/**
 * Proximal policy optimisation, from the first step to the last. Read top to bottom.
 *
 * The thirteen core details (Huang et al., "The 37 implementation details of PPO", ICLR blog track 2022), each an option:
 *    1 vectorised worlds            numEnvs                        8 clipped surrogate          clipCoef (null: off), annealClip
 *    2 orthogonal init, biases 0    orthogonalInit                 9 value loss clipping        clipVloss
 *    3 Adam's epsilon               adamEps                       10 entropy in the loss        entCoef
 *    4 learning rate annealing      annealLr                      11 global gradient clipping   maxGradNorm (null: off)
 *    5 GAE                          gaeLambda (1: off)            12 debug variables            always, through `log`
 *    6 minibatches, redrawn         numMinibatches, shuffle       13 shared or separate nets    separate
 *    7 advantage normalisation      normAdv
 * Beyond them: truncated is not terminated (bootstrapTruncated; Pardo et al., arXiv:1712.00378), targetKl, and for continuous
 * control a state-independent log-std (logStdInit), unclipped actions in the loss, normObs and normReward (normalise.ts).
 * Sources: Schulman et al., arXiv:1707.06347; names and defaults of details after CleanRL's ppo.py and Stable-Baselines3.
 */
import { DivergedError } from '../contract/errors.ts';
import type { PpoOptions } from '../contract/ppo.ts';
import type { VecEnv } from '../envs/vecenv.ts';
import { type Distribution, makeDistribution } from '../math/distribution.ts';
import type { AdamState, Network } from '../math/engine.ts';
import type { Stream } from '../math/rng/threefry.ts';
import { type LossStats, ppoLoss } from './loss.ts';
import { makeObservationNorm, makeRewardNorm } from './normalise.ts';

/** T(s): what is forbidden in row `row` of `obs`, as math/distribution.ts numbers it. */
export type ActionMask = (obs: Float32Array, row: number) => number;

export interface TrainInput {
  /** Already reset. */
  readonly world: VecEnv;
  /** With its initial parameters; trained in place. maxRows >= `rowsNeeded(options)`. */
  readonly network: Network;
  readonly options: PpoOptions;
  readonly action: Stream;
  readonly shuffle: Stream;
  /** Masks actions out, in the rollout and in the loss; a continuous action is moved out of T(s) on its way into the world. */
  readonly mask?: ActionMask;
  /** What the mask's numbers mean, where the network's shape does not say it. */
  readonly policy?: Distribution;
  /** Called after every iteration; must not change anything. */
  readonly log: (iteration: Iteration) => void;
}

/** Core detail 12. `loss` statistics are of the iteration's last minibatch. */
export interface Iteration extends LossStats {
  readonly iteration: number;
  readonly iterations: number;
  readonly environmentSteps: number;
  readonly gradientSteps: number;
  /** Returns of the training episodes that ended in this iteration. */
  readonly returns: readonly number[];
  /** 1 − Var(valueTarget − value)/Var(valueTarget). */
  readonly explainedVariance: number;
}

export const batchSize = (o: PpoOptions): number => o.numEnvs * o.numSteps;
export const iterations = (o: PpoOptions): number => Math.ceil(o.totalTimesteps / batchSize(o));
/** Rows to make a training network for: what it is sent at once, and at least an eighth of the batch, since its memory must hold the rollout. */
export const rowsNeeded = (o: PpoOptions): number => Math.max(o.numEnvs, batchSize(o) / o.numMinibatches, Math.ceil(batchSize(o) / 8));

export function train(input: TrainInput): { environmentSteps: number; gradientSteps: number; samples: number } {
  const { network, options, log } = input;
  const total = iterations(options);
  const rollout = makeRollout(input);
  const learner = makeLearner(network, options);
  const observations = options.normObs ? makeObservationNorm(network) : null;
  for (let i = 0; i < total; i++) {
    const returns = collect(rollout, input);
    estimateAdvantages(rollout, network, options);
    const remaining = 1 - i / total; // detail 4
    update(learner, rollout, input, remaining);
    observations?.see(rollout.obs); // after the update, so that old and new probabilities are of the same inputs
    const environmentSteps = (i + 1) * batchSize(options);
    const gradientSteps = learner.adam.step;
    const explainedVariance = 1 - variance(rollout.advantage) / variance(rollout.valueTarget); // valueTarget − value = advantage
    log({ ...learner.stats, iteration: i + 1, iterations: total, environmentSteps, gradientSteps, returns, explainedVariance });
  }
  return { environmentSteps: total * batchSize(options), gradientSteps: learner.adam.step, samples: learner.samples };
}

type Rollout = ReturnType<typeof makeRollout>;

/** Shapes: [numSteps, numEnvs], obs [numSteps, numEnvs, obsDim]. */
function makeRollout({ network, options, world, policy = makeDistribution(network.shape) }: TrainInput) {
  const size = batchSize(options);
  const vector = () => network.vector(size);
  return {
    obs: network.vector(size * world.obsDim),
    policy,
    action: policy.room(size),
    forbidden: new Int32Array(size),
    logProb: new Float64Array(size),
    numEnvs: options.numEnvs,
    reward: vector(),
    value: vector(),
    nextValue: vector(),
    terminated: vector(),
    ended: vector(),
    advantage: vector(),
    valueTarget: vector(),
    rewardNorm: options.normReward ? makeRewardNorm(options) : null,
    finalObs: new Float32Array(options.numEnvs * world.obsDim),
  };
}

/** Steps every world numSteps times with sampled actions. Returns what the episodes that ended on the way returned. */
function collect(r: Rollout, { world, network, options, action, mask }: TrainInput): number[] {
  const { n, obsDim } = world;
  const { policy } = r;
  const handed = world.continuous ? world.continuousAction : world.action;
  const returns: number[] = [];
  let head = network.forward(world.obs, n);
  for (let t = 0; t < options.numSteps; t++) {
    r.obs.set(world.obs, t * n * obsDim);
    for (let e = 0; e < n; e++) {
      const i = t * n + e;
      const forbidden = mask?.(world.obs, e) ?? 0;
      policy.read(head, e, forbidden);
      policy.draw(action, r.action, i * policy.width);
      policy.pass(forbidden, r.action, i * policy.width, handed, e * policy.width);
      r.forbidden[i] = forbidden;
      r.logProb[i] = policy.logProb(r.action, i * policy.width);
      r.value[i] = head.value[e * head.valueStride]!;
    }
    world.step();
    r.rewardNorm?.see(world);
    let truncated = 0;
    for (let e = 0; e < n; e++) {
      const i = t * n + e;
      r.reward[i] = r.rewardNorm ? r.rewardNorm.scale(world.reward[e]!) : world.reward[e]!;
      r.ended[i] = world.ended[e]!;
      if (world.ended[e]) returns.push(world.episodeReturn[e]!);
      const bootstraps = world.truncated[e] && !world.terminated[e] && options.bootstrapTruncated;
      r.terminated[i] = world.ended[e] && !bootstraps ? 1 : 0;
      if (bootstraps) r.finalObs.set(world.finalObs.subarray(e * obsDim, (e + 1) * obsDim), truncated++ * obsDim);
    }
    if (truncated > 0) {
      // V(s′) of the observation before the reset
      head = network.forward(r.finalObs, truncated);
      for (let e = 0, k = 0; e < n; e++) {
        const i = t * n + e;
        if (r.ended[i] && !r.terminated[i]) r.nextValue[i] = head.value[k++ * head.valueStride]!;
      }
    }
    head = network.forward(world.obs, n);
    for (let e = 0; e < n; e++) if (!world.ended[e]) r.nextValue[t * n + e] = head.value[e * head.valueStride]!;
  }
  return returns;
}

function estimateAdvantages(r: Rollout, network: Network, { gamma, gaeLambda }: PpoOptions): void {
  for (let i = 0; i < r.terminated.length; i++) if (r.terminated[i]) r.nextValue[i] = 0; // stale numbers must not meet 0·∞
  network.gae(r, gamma, gaeLambda, r.advantage);
  r.valueTarget.set(r.value);
  network.axpy(1, r.advantage, r.valueTarget);
}

type Learner = ReturnType<typeof makeLearner>;

function makeLearner(network: Network, options: PpoOptions) {
  const minibatch = batchSize(options) / options.numMinibatches;
  const adam: AdamState = { m: network.vector(network.size), v: network.vector(network.size), step: 0 };
  const stats: LossStats = { loss: 0, policyLoss: 0, valueLoss: 0, entropy: 0, approxKl: 0, clipFraction: 0 };
  return {
    adam,
    stats,
    samples: 0,
    minibatch,
    order: Int32Array.from({ length: batchSize(options) }, (_, i) => i),
    obs: network.vector(minibatch * network.shape.obsDim),
    advantage: new Float64Array(minibatch),
  };
}

/** updateEpochs passes over the batch; `remaining` falls from 1 to 0 over the training. */
function update(l: Learner, r: Rollout, { network, options, shuffle }: TrainInput, remaining: number): void {
  const { obsDim } = network.shape;
  const learningRate = options.learningRate * (options.annealLr ? remaining : 1);
  const clipCoef = options.clipCoef === null ? null : options.clipCoef * (options.annealClip ? remaining : 1);
  const loss = { ...options, clipCoef };
  for (let epoch = 0; epoch < options.updateEpochs; epoch++) {
    if (options.shuffle) shuffle.shuffle(l.order); // detail 6
    for (let start = 0; start < l.order.length; start += l.minibatch) {
      const rows = l.order.subarray(start, start + l.minibatch);
      network.gather(r.obs, rows, obsDim, l.obs);
      const head = network.forward(l.obs, rows.length);
      ppoLoss(head, r, rows, r.policy, loss, l.advantage, l.stats);
      if (options.targetKl !== null && l.stats.approxKl > options.targetKl) return;
      const gradient = network.backward(rows.length, { weights: true }).weights;
      const scale = clippingScale(network.norm(gradient), options.maxGradNorm, `PPO gradient step ${l.adam.step + 1}`);
      network.adam(l.adam, gradient, { learningRate, beta1: 0.9, beta2: 0.999, eps: options.adamEps, scale });
      l.samples += rows.length;
    }
  }
}

/** min(1, max/(norm + 1e-6)), torch's rule for the global L2 norm (detail 11). Throws DivergedError where the norm is not finite. */
export function clippingScale(norm: number, maxGradNorm: number | null, where: string): number {
  if (!Number.isFinite(norm)) throw new DivergedError(`${where}: expected a finite gradient, got norm ${norm}`);
  return maxGradNorm === null ? 1 : Math.min(1, maxGradNorm / (norm + 1e-6));
}

function variance(x: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += x[i]!;
  const mean = sum / x.length;
  let squares = 0;
  for (let i = 0; i < x.length; i++) squares += (x[i]! - mean) * (x[i]! - mean);
  return squares / x.length;
}
