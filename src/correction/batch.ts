import type { BoundsOptions, StatesOptions } from '../contract/strategies.ts';
import type { Outputs } from '../math/distribution.ts';
import type { Network } from '../math/engine.ts';
import type { Stream } from '../math/rng/threefry.ts';
import type { Constraint } from './constraint.ts';
import type { ForgetSet } from './identify/rules.ts';
import { invert } from './inversion.ts';
import { outputs, type States, toxicProbabilities } from './states.ts';

/** What a step draws from, beside the constraint: nothing for a data-free strategy. */
export interface Recorded {
  readonly forget: ForgetSet;
  readonly retain: States;
}

type Options = BoundsOptions & Partial<Pick<StatesOptions, 'target' | 'influenceSampling' | 'uniformRetain'>>;

/**
 * The rows of a step: [recorded pairs | inverted | worst region samples | visited retain states | uniform retain states].
 * Without recorded pairs their place is taken by uniform samples of the region, and every retain state is uniform.
 * A mean hides counterexamples, hence the worst; the corrected policy goes where the base never was, hence the uniform.
 * Shapes: obs [forgetBatch + retainBatch, obsDim], toxic [forgetBatch], retain outputs [retainBatch].
 */
export function makeBatch(constraint: Constraint, teacher: Network, recorded: Recorded | null, options: Options, rng: Stream) {
  const { obsDim, policy } = constraint;
  const { actions } = policy;
  const { forgetBatch, retainBatch, worstCase, regionSamples, inverted, inversionEvery, retainStates } = options;
  const { target = 'set', influenceSampling = false, uniformRetain = retainBatch } = recorded ? options : {};
  const pairs = forgetBatch - worstCase - inverted;
  const visited = retainBatch - uniformRetain;
  const obs = new Float32Array((forgetBatch + retainBatch) * obsDim);
  const rowsFrom = (from: number, count: number) => obs.subarray(from * obsDim, (from + count) * obsDim);
  const toxic = new Int32Array(forgetBatch);
  const region = new Float32Array(regionSamples * obsDim);
  const found = new Float32Array(inverted * obsDim);
  // Asked of the base once, and drawn from again and again: the base's answer never changes.
  const visitedPool = visited > 0 && recorded ? labelled(teacher, recorded.retain) : null;
  const uniformPool = uniformRetain > 0 ? labelled(teacher, uniform(constraint, rng, retainStates)) : null;
  const labels = uniformPool ?? visitedPool;
  const logStd = labels?.outputs.logStd ?? new Float64Array(0);
  const reference: Outputs = { logits: new Float64Array(retainBatch * actions), value: new Float64Array(retainBatch), logStd };
  const pickPair = recorded && pairs > 0 ? picker(recorded.forget, influenceSampling, rng) : null;

  function drawRetain(pool: Labelled | null, from: number, count: number): void {
    if (!pool) return;
    for (let i = from; i < from + count; i++) {
      const k = rng.int(pool.count);
      const at = (forgetBatch + i) * obsDim;
      for (let d = 0; d < obsDim; d++) obs[at + d] = pool.obs[k * obsDim + d]!;
      for (let a = 0; a < actions; a++) reference.logits[i * actions + a] = pool.outputs.logits[k * actions + a]!;
      reference.value[i] = pool.outputs.value[k]!;
    }
  }

  return {
    obs,
    toxic,
    rowsFrom,
    /** The base's outputs on the retain rows. */
    reference,
    /** Fills the rows of step `round`; `network` is the policy as it is now. */
    draw(network: Network, round: number): void {
      if (pickPair && recorded) {
        const { forget } = recorded;
        for (let i = 0; i < pairs; i++) {
          const k = pickPair();
          for (let d = 0; d < obsDim; d++) obs[i * obsDim + d] = forget.obs[k * obsDim + d]!;
          toxic[i] = target === 'pair' && !policy.continuous ? 1 << forget.action[k]! : constraint.toxic(obs, i);
        }
      } else if (pairs > 0) {
        constraint.sampleRegion(rng, rowsFrom(0, pairs), pairs);
        for (let i = 0; i < pairs; i++) toxic[i] = constraint.toxic(obs, i);
      }
      if (inverted > 0) {
        if (round % inversionEvery === 0) invert(network, constraint, options, rng, found, inverted);
        obs.set(found, pairs * obsDim);
      }
      if (worstCase > 0) {
        // The worst so far stay in the running: what is hard is met again until it is no longer the worst.
        const kept = round === 0 ? 0 : Math.min(worstCase, regionSamples - 1);
        region.set(obs.subarray((pairs + inverted) * obsDim, (pairs + inverted + kept) * obsDim));
        constraint.sampleRegion(rng, region.subarray(kept * obsDim), regionSamples - kept);
        const score = toxicProbabilities(network, { obs: region, count: regionSamples }, constraint);
        highest(score, worstCase).forEach((k, i) => {
          obs.set(region.subarray(k * obsDim, (k + 1) * obsDim), (pairs + inverted + i) * obsDim);
        });
      }
      for (let i = pairs; i < forgetBatch; i++) toxic[i] = constraint.toxic(obs, i);
      drawRetain(visitedPool, 0, visited);
      drawRetain(uniformPool, visited, uniformRetain);
    },
  };
}

interface Labelled extends States {
  readonly outputs: Outputs;
}

const labelled = (teacher: Network, states: States): Labelled => ({ ...states, outputs: outputs(teacher, states) });

/** States uniform in the box, outside the region and its margin. */
export function uniform(constraint: Constraint, rng: Stream, count: number): States {
  const obs = new Float32Array(count * constraint.obsDim);
  constraint.sampleOutside(rng, obs, count);
  return { obs, count };
}

/** Draws the index of a pair: uniform, or in proportion to its weight. */
function picker({ weight, count }: ForgetSet, weighted: boolean, rng: Stream): () => number {
  if (!weighted) return () => rng.int(count);
  const cumulated = new Float64Array(count);
  let total = 0;
  for (let i = 0; i < count; i++) cumulated[i] = total += weight[i]!;
  return () => {
    const u = rng.uniform() * total;
    let [low, high] = [0, count - 1]; // the first whose cumulated weight exceeds u
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (cumulated[middle]! > u) high = middle;
      else low = middle + 1;
    }
    return low;
  };
}

/** Indices of the `count` largest scores, in their order; of equals at the edge, the earlier. */
export function highest(score: Float64Array, count: number): number[] {
  const sorted = score.toSorted();
  const edge = sorted[score.length - count]!;
  let equals = 0;
  for (let i = score.length - count; i < score.length && sorted[i] === edge; i++) equals++;
  const chosen: number[] = [];
  for (let i = 0; i < score.length; i++) {
    if (score[i]! > edge) chosen.push(i);
    else if (score[i] === edge && equals > 0) {
      equals--;
      chosen.push(i);
    }
  }
  return chosen;
}
