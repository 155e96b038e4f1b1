import type { TsfOptions } from '../../contract/strategies.ts';
import { log } from '../../math/elementary.ts';
import type { Stream } from '../../math/rng/threefry.ts';
import { policyOf } from '../../ppo/policy.ts';
import { makeDescent } from '../descent.ts';
import { clearCotangents, klToBase, margin, unlikelihood, valueToBase } from '../losses.ts';
import { makeSelection } from '../selection.ts';
import { outputs, type States, toxicProbabilities } from '../states.ts';
import type { StatesInput, Strategy } from '../strategy.ts';

/**
 * Targeted state forgetting as it should be. Each step descends, in one batch,
 *   forget rows   unlikelihood + margin on π(T|s), half of them recorded, half the worst of fresh region samples:
 *                 a mean hides counterexamples, and the corrected policy goes where the base never was
 *   retain rows   KL(π0‖π) + ½(V − V0)², half of them visited by the base, half uniform outside the region, labelled by the base
 * Returns the checkpoint with the best validation selectivity.
 * Source: TSF of Takács & Gulyás 2025; unlikelihood, Welleck et al., arXiv:1908.04319. The margin, the worst-case and the uniform rows are ours.
 */
export const tsf: Strategy<TsfOptions> = {
  name: 'tsf',
  source: 'targeted state forgetting, Takács & Gulyás 2025, with a loss that does not fade and worst-case rows',
  needs: 'states',
  correct: (input, options, engine, rng, observe) => {
    const { base, constraint, recorded, checkpoints, checkpoint } = input;
    const { forgetBatch, retainBatch, steps } = options;
    const rows = forgetBatch + retainBatch;
    const capacity = Math.max(rows, 1024);
    const network = engine.network(base.shape, capacity);
    const teacher = engine.network(base.shape, capacity);
    network.set(base.params);
    teacher.set(base.params);
    const batch = makeBatch(input, options, rng);
    const descent = makeDescent(network, options);
    const selection = makeSelection(recorded.validation, constraint, teacher);
    const m = log((1 - options.marginEpsilon) / options.marginEpsilon);
    const due = new Set(checkpoints(steps));

    for (let step = 0; ; step++) {
      if (due.has(step)) {
        checkpoint(step, network);
        selection.offer(step, network);
      }
      if (step === steps) break;
      observe.progress(step, steps);
      batch.draw((samples) => toxicProbabilities(network, samples, constraint.toxic));
      const reference = outputs(teacher, batch.retain);
      const head = network.forward(batch.obs, rows);
      const forget = { head, actions: constraint.actions, from: 0, count: forgetBatch };
      const retain = { head, actions: constraint.actions, from: forgetBatch, count: retainBatch };
      clearCotangents(forget, rows);
      unlikelihood(forget, batch.toxic, options.unlikelihood);
      margin(forget, batch.toxic, m, options.margin);
      klToBase(retain, reference, options.retainKl);
      valueToBase(retain, reference, options.retainValue);
      descent.step(rows);
    }

    const chosen = selection.restore(network);
    const policy = policyOf(network);
    network.free();
    teacher.free();
    return { policy, cost: { gradientSteps: steps, environmentSteps: 0, samples: steps * rows }, checkpoint: chosen };
  },
};

/**
 * The rows of a step: [recorded pairs | worst region samples | visited retain states | uniform retain states].
 * Shapes: obs [forgetBatch + retainBatch, obsDim], toxic [forgetBatch].
 */
function makeBatch({ constraint, recorded: { forget, retain } }: StatesInput, options: TsfOptions, rng: Stream) {
  const { obsDim } = constraint;
  const { forgetBatch, retainBatch, worstCase, uniformRetain, regionSamples } = options;
  const pairs = forgetBatch - worstCase;
  const visited = retainBatch - uniformRetain;
  const obs = new Float32Array((forgetBatch + retainBatch) * obsDim);
  const toxic = new Int32Array(forgetBatch);
  const region: States = { obs: new Float32Array(regionSamples * obsDim), count: regionSamples };
  const rows = (from: number, count: number) => obs.subarray(from * obsDim, (from + count) * obsDim);
  const drawFrom = (source: States, into: Float32Array, count: number): void => {
    for (let i = 0; i < count; i++) {
      const k = rng.int(source.count);
      into.set(source.obs.subarray(k * obsDim, (k + 1) * obsDim), i * obsDim);
    }
  };
  return {
    obs,
    toxic,
    retain: { obs: rows(forgetBatch, retainBatch), count: retainBatch } satisfies States,
    draw(score: (samples: States) => Float64Array): void {
      drawFrom(forget, rows(0, pairs), pairs);
      if (worstCase > 0) {
        constraint.sampleRegion(rng, region.obs, regionSamples);
        const worst = highest(score(region), worstCase);
        worst.forEach((k, i) => {
          obs.set(region.obs.subarray(k * obsDim, (k + 1) * obsDim), (pairs + i) * obsDim);
        });
      }
      for (let i = 0; i < forgetBatch; i++) toxic[i] = constraint.toxic(obs, i);
      drawFrom(retain, rows(forgetBatch, visited), visited);
      if (uniformRetain > 0) constraint.sampleOutside(rng, rows(forgetBatch + visited, uniformRetain), uniformRetain);
    },
  };
}

/** Indices of the `count` largest scores, largest first; of equals, the earlier. */
function highest(score: Float64Array, count: number): number[] {
  const order = Array.from(score, (_, i) => i);
  order.sort((i, j) => score[j]! - score[i]! || i - j);
  return order.slice(0, count);
}
