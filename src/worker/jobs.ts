/**
 * The heart. Two pure functions: same spec and engine, same bytes, in any thread of any worker.
 *   table = summarize(expand(sweep).map((trial) => runTrial(trial, trainBase(trial.base))))
 */
import { environment } from '../contract/environments.ts';
import { DivergedError, RefusedError } from '../contract/errors.ts';
import { EVALUATION_EPISODES } from '../contract/evaluate.ts';
import { canonicalJson, contentDigest } from '../contract/ids.ts';
import type { Observe } from '../contract/observe.ts';
import type { BaseResult, BaseRow, Curve, TrialResult, TrialRow } from '../contract/rows.ts';
import { type BaseSpec, baseId, type TrialSpec, trialId } from '../contract/spec.ts';
import type { CollectOptions } from '../contract/strategies.ts';
import { makeConstraint } from '../correction/constraint.ts';
import { chooseForgetSet, judgeInfluence } from '../correction/identify/influence.ts';
import { encodeForgetSet, identify } from '../correction/identify/rules.ts';
import { judge } from '../correction/metrics/acceptance.ts';
import { retainStability } from '../correction/metrics/effectiveness.ts';
import { forgetting, makeMeter } from '../correction/metrics/meter.ts';
import { strategyNamed } from '../correction/strategies/index.ts';
import { makeEnv } from '../envs/make.ts';
import type { VecEnv } from '../envs/vecenv.ts';
import type { Engine, Shape } from '../math/engine.ts';
import { makeStream, worldSeed } from '../math/rng/streams.ts';
import { episodeStreams, evaluate, moments } from '../ppo/episodes.ts';
import { initialParams } from '../ppo/init.ts';
import { decodeBase, encodePolicy, policyOf, weightsDigest } from '../ppo/policy.ts';
import { type Iteration, rowsNeeded, train } from '../ppo/train.ts';

const CURVE_POINTS = 128;

/** Trains the policy that is to be corrected, and measures it. `policy` is a safetensors file. */
export function trainBase(spec: BaseSpec, engine: Engine, observe: Observe): { row: BaseRow; policy: Uint8Array } {
  const { ppo } = spec;
  const key = worldKey(spec);
  const network = engine.network(shapeOf(spec), rowsNeeded(ppo));
  network.set(initialParams(network.shape, ppo, makeStream('init', key, spec.seed)));
  const recorder = makeRecorder(() => weightsDigest(network.get()));
  const used = observe.phase('train', () =>
    train({
      world: trainingWorld(spec, ppo.numEnvs),
      network,
      options: ppo,
      action: makeStream('action', key, spec.seed),
      shuffle: makeStream('shuffle', key, spec.seed),
      log: (iteration) => {
        recorder.record(iteration);
        observe.progress(iteration.iteration, iteration.iterations);
      },
    }),
  );
  const policy = policyOf(network);
  network.free();
  const file = encodePolicy(policy);
  const player = engine.network(policy.shape, EVALUATION_EPISODES);
  player.set(policy.params);
  const play = { makeWorld: (n: number) => makeEnv(spec.environment, spec.options, n), network: player };
  const measured = (mode: 'greedy' | 'sampled' | 'random') =>
    evaluate({ ...play, mode, streams: episodeStreams('evaluate', key, spec.seed, EVALUATION_EPISODES) });
  const result: BaseResult = observe.phase('evaluate', () => ({
    policy: contentDigest(file),
    environmentSteps: used.environmentSteps,
    gradientSteps: used.gradientSteps,
    ...recorder.curve(),
    greedy: measured('greedy'),
    sampled: measured('sampled'),
    random: measured('random'),
  }));
  player.free();
  return { row: finite({ id: baseId(spec), spec, ok: true, result }), policy: file };
}

/** Corrects a base and measures what became of it. Throws RefusedError where the forget set is not fit for the strategy. */
export function runTrial(
  spec: TrialSpec,
  base: { row: BaseRow; policy: Uint8Array },
  engine: Engine,
  observe: Observe,
): { row: TrialRow; policy: Uint8Array; forgetSet: Uint8Array } {
  if (!base.row.ok) throw new RangeError(`runTrial: expected a trained base, got the failed ${base.row.id}`);
  const before = base.row.result;
  const { seed, ppo } = spec.base;
  const key = worldKey(spec.base);
  const world = environment(spec.base.environment);
  const options = spec.correct as unknown as CollectOptions;
  const constraint = makeConstraint(world.id, spec.rules, options.regionMargin);
  const policy = decodeBase(base.policy, base.row.id, shapeOf(spec.base));
  const episodes = Math.max(options.episodes, EVALUATION_EPISODES);
  const player = engine.network(policy.shape, Math.max(episodes, 1024));
  player.set(policy.params);
  const makeWorld = (n: number): VecEnv => makeEnv(world.id, spec.base.options, n);

  const { recorded, forget } = observe.phase('identify', () => {
    const streams = episodeStreams('identify', key, seed, options.episodes);
    const found = identify({ makeWorld, network: player, streams }, constraint, world.maxSteps, options);
    return { recorded: found, forget: chooseForgetSet(found, player, spec.correct) };
  });
  const acceptance = judge(recorded, constraint, player, before.greedy.meanReturn, world.gate);
  if (spec.acceptance === 'refuse' && !acceptance.accepted)
    throw new RefusedError(
      `acceptance: expected a base fit for this scenario, got: ${acceptance.reasons.join('; ')}; \`acceptance: report\` runs it all the same`,
    );

  const strategy = strategyNamed(spec.strategy);
  if (strategy.needs === 'states' && (forget.count === 0 || recorded.retain.count === 0))
    throw new RefusedError(
      `${spec.strategy}: expected violating pairs and states to retain, got ${forget.count} pairs and ${recorded.retain.count} states in ${recorded.steps} steps of the base`,
    );
  const meter = makeMeter({ spec, constraint, heldOut: recorded.heldOut, makeWorld, base: player, key, observe });
  const corrected = observe.phase('correct', () =>
    strategy.correct(
      {
        base: policy,
        constraint,
        recorded: { forget, retain: recorded.retain, validation: recorded.validation },
        checkpoints: meter.checkpoints,
        checkpoint: meter.checkpoint,
        overrun: { multiples: spec.evaluate.overrun, measure: meter.beyond },
        ppo,
        makeWorld: (n: number) => trainingWorld(spec.base, n, spec.correctionSeed),
        trainingStreams: {
          init: makeStream('init', key, seed, spec.correctionSeed),
          action: makeStream('action', key, seed, spec.correctionSeed),
          shuffle: makeStream('shuffle', key, seed, spec.correctionSeed),
        },
      },
      spec.correct,
      engine,
      makeStream('correct', key, seed, spec.correctionSeed),
      observe,
    ),
  );

  const file = encodePolicy(corrected.policy);
  const forgetSet = encodeForgetSet(forget);
  const result = observe.phase('evaluate', (): TrialResult => {
    const influence = judgeInfluence(recorded, player, constraint, forget.count);
    player.set(corrected.policy.params);
    const { mask } = corrected;
    const play = { makeWorld, network: player, policy: constraint.policy, ...(mask && { mask }) };
    const measured = (mode: 'greedy' | 'sampled') =>
      evaluate(
        { ...play, mode, streams: episodeStreams('evaluate', key, seed, EVALUATION_EPISODES) },
        constraint.bare ? undefined : constraint.toxic,
      );
    const greedy = measured('greedy');
    const sampled = measured('sampled');
    return {
      acceptance,
      influence,
      overrun: corrected.overrun,
      ...forgetting(meter, player, mask === undefined),
      rsi: retainStability(before.greedy.meanReturn, greedy.meanReturn, before.random.meanReturn),
      rsiSampled: retainStability(before.sampled.meanReturn, sampled.meanReturn, before.random.meanReturn),
      greedy,
      sampled,
      cost: { identify: recorded.cost, correct: corrected.cost },
      checkpoint: corrected.checkpoint,
      policy: contentDigest(file),
      forgetSet: contentDigest(forgetSet),
      trace: meter.trace,
    };
  });
  player.free();
  return { row: finite({ id: trialId(spec), base: base.row.id, spec, ok: true, result }), policy: file, forgetSet };
}

/** The row itself. Throws DivergedError where a measurement is no finite number: weights may be finite and their logits not. */
function finite<Row extends BaseRow | TrialRow>(row: Row): Row {
  try {
    canonicalJson(row);
  } catch (cause) {
    throw new DivergedError('measurements: expected finite numbers, got others; the weights have grown too large', { cause });
  }
  return row;
}

/** What every stream of a base is keyed by, beside its purpose and seed. The strategy is in no key: all arms of a seed share their draws. */
const worldKey = ({ environment: id, options }: BaseSpec) => ({ environment: id, options });

/** The network that PPO trains for a base, and that its corrections have. */
export const shapeOf = ({ environment: id, ppo }: BaseSpec): Shape => {
  const { observation, actions, actionBounds } = environment(id);
  return {
    obsDim: observation.length,
    hidden: ppo.hidden,
    actions: actions.length,
    gaussian: actionBounds !== null,
    separate: ppo.separate,
    ...(ppo.normObs && { normalised: true }),
  };
};

/** `n` worlds, each seeded from its own named stream; after a reset a world's generator goes on, as in Gymnasium. */
function trainingWorld(spec: BaseSpec, n: number, ...correctionSeed: number[]): VecEnv {
  const world = makeEnv(spec.environment, spec.options, n);
  const key = worldKey(spec);
  world.resetEach(Array.from({ length: n }, (_, i) => worldSeed(makeStream('world', key, spec.seed, i, ...correctionSeed))));
  return world;
}

/** Thins the iterations to at most CURVE_POINTS points: mean return of the episodes since the last point, digest of the weights at it. */
function makeRecorder(digest: () => string) {
  const step: number[] = [];
  const value: (number | null)[] = [];
  const trace: string[] = [];
  let returns: number[] = [];
  return {
    record(i: Iteration): void {
      returns.push(...i.returns);
      const stride = Math.ceil(i.iterations / CURVE_POINTS);
      if (i.iteration % stride !== 0 && i.iteration !== i.iterations) return;
      step.push(i.environmentSteps);
      value.push(returns.length > 0 ? moments(returns).mean : null);
      trace.push(digest());
      returns = [];
    },
    curve: (): { returns: Curve; trace: readonly string[] } => ({ returns: { step, value }, trace }),
  };
}
