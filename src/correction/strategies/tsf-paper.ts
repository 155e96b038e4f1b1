import type { TsfPaperOptions } from '../../contract/strategies.ts';
import { policyOf } from '../../ppo/policy.ts';
import { makeDescent } from '../descent.ts';
import { clearCotangents, klToBase, literal } from '../losses.ts';
import { outputs } from '../states.ts';
import type { Strategy } from '../strategy.ts';

/**
 * Targeted state forgetting as the paper prints it: unlearning and stabilising steps in turn,
 *   θ ← θ − η ∇ mean [log π(a|s) + λ H(π(·|s))]   over recorded forget pairs
 *   θ ← θ − η ∇ mean KL(π_old‖π)                  over recorded states outside the region
 * and the last policy is returned. Where the paper is silent: Adam with global-norm clipping (the authors' later code),
 * one step counts as one of K whichever kind it is, and no influence threshold.
 * Source: Takács & Gulyás 2025, phases 2 and 3.
 */
export const tsfPaper: Strategy<TsfPaperOptions> = {
  name: 'tsf:paper',
  source: 'targeted state forgetting, Takács & Gulyás 2025, literal',
  needs: 'states',
  correct: ({ base, constraint, recorded: { forget, retain }, checkpoints, checkpoint }, options, engine, rng, observe) => {
    const { forgetBatch, retainBatch, steps } = options;
    const { actions, obsDim } = constraint;
    const capacity = Math.max(forgetBatch, retainBatch, 1024);
    const network = engine.network(base.shape, capacity);
    const teacher = engine.network(base.shape, capacity);
    network.set(base.params);
    teacher.set(base.params);
    const descent = makeDescent(network, options);
    const due = new Set(checkpoints(steps));
    const obs = new Float32Array(Math.max(forgetBatch, retainBatch) * obsDim);
    const action = new Int32Array(forgetBatch);
    let samples = 0;

    for (let step = 0; ; step++) {
      if (due.has(step)) checkpoint(step, network);
      if (step === steps) break;
      observe.progress(step, steps);
      const unlearning = step % 2 === 0;
      const source = unlearning ? forget : retain;
      const count = unlearning ? forgetBatch : retainBatch;
      for (let i = 0; i < count; i++) {
        const k = rng.int(source.count);
        obs.set(source.obs.subarray(k * obsDim, (k + 1) * obsDim), i * obsDim);
        if (unlearning) action[i] = forget.action[k]!;
      }
      const reference = unlearning ? undefined : outputs(teacher, { obs, count });
      const rows = { head: network.forward(obs.subarray(0, count * obsDim), count), actions, from: 0, count };
      clearCotangents(rows, count);
      if (reference) klToBase(rows, reference, 1);
      else literal(rows, action, options.entropy, 1);
      descent.step(count);
      samples += count;
    }

    const policy = policyOf(network);
    network.free();
    teacher.free();
    return { policy, cost: { gradientSteps: steps, environmentSteps: 0, samples }, checkpoint: steps };
  },
};
