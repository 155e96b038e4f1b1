/**
 * A correction from the first step to the last: every composition of forget objective, retain protection and weighting.
 *   1 draw       forget rows (recorded, inverted, worst of the region) and retain rows (visited, uniform), labelled by the base
 *   2 forget     descend the objectives on π(T|s)
 *   3 retain     descend KL(π0‖π) and ½(V − V0)², in the same gradient step or in the next
 *   4 protect    freeze, damp or pull back the weights that matter where the policy is to stay
 * and return the checkpoint with the best validation selectivity, or the last.
 * Which of these a preset does, and how much, is data: contract/strategies.ts.
 * Source: the three phases of Takács & Gulyás 2025; the pieces name theirs.
 */
import { DivergedError, RefusedError } from '../contract/errors.ts';
import type { Observe } from '../contract/observe.ts';
import type { Overrun } from '../contract/rows.ts';
import type { BoundsOptions, StatesOptions } from '../contract/strategies.ts';
import type { Actions } from '../math/distribution.ts';
import type { Engine, Floats, Network } from '../math/engine.ts';
import type { Stream } from '../math/rng/threefry.ts';
import { policyOf } from '../ppo/policy.ts';
import { makeBatch, type Recorded, uniform } from './batch.ts';
import type { Constraint } from './constraint.ts';
import { makeDescent, project } from './descent.ts';
import { weightedSum } from './forget/index.ts';
import type { ForgetRows } from './forget/objective.ts';
import { clearCotangents, klToBase, type Rows, valueToBase } from './losses.ts';
import { drawn, fisherOf } from './protect/fisher.ts';
import { makeProtection } from './protect/index.ts';
import { makeSelection } from './selection.ts';
import { outputs } from './states.ts';
import type { BoundsInput, Corrected, StatesInput } from './strategy.ts';
import { makeWeighting } from './weighting.ts';

type Options = BoundsOptions & Partial<StatesOptions>;

/** Data-free: of the base, the constraint and the boxes alone. Returns the last policy: there are no validation states to choose by. */
export function correctFromBounds(input: BoundsInput, options: BoundsOptions, engine: Engine, rng: Stream, observe: Observe): Corrected {
  return descend(input, null, options, engine, rng, observe);
}

/** Also of recorded pairs and states. */
export function correctFromStates(input: StatesInput, options: StatesOptions, engine: Engine, rng: Stream, observe: Observe): Corrected {
  return descend(input, input.recorded, options, engine, rng, observe);
}

function descend(
  input: BoundsInput,
  recorded: StatesInput['recorded'] | null,
  options: Options,
  engine: Engine,
  rng: Stream,
  observe: Observe,
): Corrected {
  const { base, constraint } = input;
  const { steps, forgetBatch, retainBatch } = options;
  const capacity = Math.max(forgetBatch + retainBatch, 1024);
  const network = engine.network(base.shape, capacity);
  const teacher = engine.network(base.shape, capacity);
  network.set(base.params);
  teacher.set(base.params);
  const step = makeStep(network, teacher, constraint, recorded, options, rng);
  const selection = recorded && options.keep === 'best' ? makeSelection(recorded.validation, constraint, teacher) : null;
  const due = new Set(input.checkpoints(steps));

  for (let round = 0; ; round++) {
    if (due.has(round)) {
      input.checkpoint(round, network);
      selection?.offer(round, network);
    }
    if (round === steps) break;
    observe.progress(round, steps);
    step.advance(round);
  }

  const cost = { gradientSteps: step.gradientSteps, environmentSteps: 0, samples: step.samples };
  const last = network.get();
  const checkpoint = selection ? selection.restore(network) : steps;
  const policy = policyOf(network);
  network.set(last);
  const goesOn = input.overrun.multiples.length > 0;
  const overrun = goesOn ? observe.phase('overrun', () => keepOn(input, network, steps, step.advance, observe)) : null;
  network.free();
  teacher.free();
  return { policy, cost, checkpoint, overrun };
}

/** Goes on beyond the budget of K, up to the largest multiple that is asked for. What diverges there is no failure of the correction. */
function keepOn({ overrun }: BoundsInput, network: Network, steps: number, advance: (round: number) => void, observe: Observe): Overrun {
  const multiple = [...overrun.multiples].sort((a, b) => a - b);
  const finalFe: (number | null)[] = [];
  const meanReturn: (number | null)[] = [];
  let round = steps;
  let alive = true;
  for (const until of multiple) {
    try {
      for (; alive && round < until * steps; round++) {
        observe.progress(round, multiple.at(-1)! * steps);
        advance(round);
      }
    } catch (error) {
      if (!(error instanceof DivergedError)) throw error;
      alive = false;
    }
    let reached: ReturnType<typeof overrun.measure> | null = alive ? overrun.measure(network) : null;
    if (reached && ![reached.finalFe ?? 0, reached.meanReturn].every(Number.isFinite)) reached = null; // its last step left the finite numbers
    alive = reached !== null;
    finalFe.push(reached?.finalFe ?? null);
    meanReturn.push(reached?.meanReturn ?? null);
  }
  return { multiple, finalFe, meanReturn };
}

/** One round: a gradient step on forget and retain rows together, or one on each in turn. */
function makeStep(network: Network, teacher: Network, constraint: Constraint, recorded: Recorded | null, options: Options, rng: Stream) {
  const { policy, obsDim } = constraint;
  const { actions } = policy;
  const { forgetBatch, retainBatch } = options;
  if (policy.continuous && options.pairs === 'any')
    throw new RefusedError(
      'pairs: expected violating pairs, got any; outside the region a continuous action belongs to no set that could be forgotten',
    );
  const objectives = weightedSum(options.forget, options, policy.continuous);
  const protection = makeProtection(network, options, {
    retain: () => fisherOf(network, policy, recorded?.retain ?? uniform(constraint, rng, options.retainStates), drawn(rng, policy)),
    forget: () => forgetInformation(network, constraint, recorded, options, rng),
  });
  const batch = makeBatch(constraint, teacher, recorded, options, rng);
  const descent = makeDescent(network, options, protection);
  const weighting = makeWeighting(options);
  let samples = 0;

  const forgetLoss = (rows: Rows): void => {
    const states = { obs: batch.rowsFrom(0, forgetBatch), count: forgetBatch };
    const forget: ForgetRows = { ...rows, policy, toxic: batch.toxic, base: objectives.needsBase ? outputs(teacher, states) : null };
    objectives.descend(
      forget,
      weighting.forget(() => meanToxic(forget)),
    );
  };
  const retainLoss = (rows: Rows): void => {
    const weight = weighting.retain();
    weighting.saw(klToBase(rows, batch.reference, weight * options.retainKl, options.temperature));
    if (options.retainValue > 0) valueToBase(rows, batch.reference, weight * options.retainValue);
  };

  return {
    get gradientSteps(): number {
      return descent.steps;
    },
    get samples(): number {
      return samples;
    },
    advance(round: number): void {
      batch.draw(network, round);
      if (options.alternate) {
        for (const [loss, from, count] of [[forgetLoss, 0, forgetBatch] as const, [retainLoss, forgetBatch, retainBatch] as const]) {
          const rows = { head: network.forward(batch.rowsFrom(from, count), count), actions, from: 0, count };
          clearCotangents(rows, count);
          loss(rows);
          descent.step(descent.gradientOf(count), round);
        }
      } else {
        const count = forgetBatch + retainBatch;
        const head = network.forward(batch.obs.subarray(0, count * obsDim), count);
        const forget = { head, actions, from: 0, count: forgetBatch };
        const retain = { head, actions, from: forgetBatch, count: retainBatch };
        clearCotangents(forget, count);
        forgetLoss(forget);
        if (options.weighting === 'proj') {
          const toForget = descent.keep(count);
          clearCotangents(forget, count);
          retainLoss(retain);
          const toRetain = descent.gradientOf(count);
          project(network, toForget, toRetain);
          network.axpy(1, toForget, toRetain);
          descent.step(toRetain, round);
        } else {
          retainLoss(retain);
          descent.step(descent.gradientOf(count), round);
        }
      }
      samples += forgetBatch + retainBatch;
    },
  };
}

/** Fisher information of log π(a|s) on what is to go: recorded pairs with their action, or samples of the region with the last of T(s), or the nearest to the mean. */
function forgetInformation(
  network: Network,
  constraint: Constraint,
  recorded: Recorded | null,
  { retainStates }: Options,
  rng: Stream,
): Floats {
  const { policy } = constraint;
  if (recorded) return fisherOf(network, policy, recorded.forget, (out, state) => copyAction(recorded.forget.action, state, out));
  const obs = new Float32Array(retainStates * constraint.obsDim);
  constraint.sampleRegion(rng, obs, retainStates);
  return fisherOf(network, policy, { obs, count: retainStates }, (out, state, head, row) => {
    policy.typical(head, row, constraint.toxic(obs, state), out, 0);
  });
}

function copyAction(from: Actions, index: number, out: Actions): void {
  for (let d = 0; d < out.length; d++) out[d] = from[index * out.length + d]!;
}

/** mean π(T|s) of the rows. */
function meanToxic({ head, policy, from, count, toxic }: ForgetRows): number {
  let sum = 0;
  for (let i = 0; i < count; i++) sum += policy.probability(head, from + i, toxic[i]!);
  return sum / count;
}
