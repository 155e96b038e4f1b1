import { RefusedError } from '../../contract/errors.ts';
import type { Influence } from '../../contract/rows.ts';
import type { StatesOptions } from '../../contract/strategies.ts';
import { everyAction, logSumExp } from '../../math/categorical.ts';
import { type Distribution, makeDistribution } from '../../math/distribution.ts';
import { exp } from '../../math/elementary.ts';
import type { Network } from '../../math/engine.ts';
import type { Constraint } from '../constraint.ts';
import { pick } from '../states.ts';
import { type ForgetSet, type Identified, pickActions } from './rules.ts';

export type Score = StatesOptions['influenceScore'];

/**
 * How much a recorded pair (s, a) bears on the policy, by the gradient of its own log-probability over all weights:
 *   printed       I  = π(a|s)·‖∇ log π(a|s)‖               = (1 − π) I*, which falls to 0 as π → 1
 *   unsaturated   I* = π/(1 − π)·‖∇ log π(a|s)‖            = ‖∇ log(1 − π(a|s))‖, which does not
 * Of a continuous action π(a|s) is a density: it has no odds, and the unsaturated score is ‖∇ log π(a|s)‖ alone.
 * Shapes: results [count]. Uses the network's present weights.
 * Source: Takács & Gulyás 2025, phase 1; the second is ours.
 */
export function influence(network: Network, pairs: Pick<ForgetSet, 'obs' | 'action' | 'count'>): Record<Score, Float64Array> {
  return network.shape.gaussian ? densityInfluence(network, pairs) : oddsInfluence(network, pairs);
}

function densityInfluence(
  network: Network,
  { obs, action, count }: Pick<ForgetSet, 'obs' | 'action' | 'count'>,
): Record<Score, Float64Array> {
  const { obsDim } = network.shape;
  const policy: Distribution = makeDistribution(network.shape);
  const printed = new Float64Array(count);
  const unsaturated = new Float64Array(count);
  const squares = network.vector(network.maxRows);
  for (let first = 0; first < count; first += network.maxRows) {
    const rows = Math.min(network.maxRows, count - first);
    const head = network.forward(obs.subarray(first * obsDim, (first + rows) * obsDim), rows);
    for (let i = 0; i < rows; i++) {
      policy.read(head, i, 0);
      printed[first + i] = exp(policy.logProb(action, (first + i) * policy.width));
      policy.pull(1, 0, 1);
      unsaturated[first + i] = policy.spreadNorm();
      head.dValue[i * head.valueStride] = 0;
    }
    network.backward(rows, {});
    network.sampleNorms(rows, squares);
    for (let i = first; i < first + rows; i++) {
      unsaturated[i] = Math.sqrt(unsaturated[i]! + squares[i - first]!);
      printed[i] = printed[i]! * unsaturated[i]!;
    }
  }
  return { printed, unsaturated };
}

function oddsInfluence(network: Network, { obs, action, count }: Pick<ForgetSet, 'obs' | 'action' | 'count'>): Record<Score, Float64Array> {
  const { obsDim, actions } = network.shape;
  const printed = new Float64Array(count);
  const unsaturated = new Float64Array(count);
  const others = new Float64Array(network.maxRows); // 1 − π(a|s)
  const squares = network.vector(network.maxRows);
  for (let first = 0; first < count; first += network.maxRows) {
    const rows = Math.min(network.maxRows, count - first);
    const head = network.forward(obs.subarray(first * obsDim, (first + rows) * obsDim), rows);
    for (let i = 0; i < rows; i++) {
      const at = i * head.stride;
      const a = action[first + i]!;
      // ∂ log(1 − π(a))/∂z_b = π(a)·π(b)/(1 − π(a)), and −π(a) for b = a: exact where π(a) is all but 1.
      const rest = logSumExp(head.logits, at, actions, everyAction(actions) & ~(1 << a));
      const whole = logSumExp(head.logits, at, actions, everyAction(actions));
      const p = exp(head.logits[at + a]! - whole);
      for (let b = 0; b < actions; b++) head.dLogits[at + b] = a === b ? -p : p * exp(head.logits[at + b]! - rest);
      head.dValue[i * head.valueStride] = 0;
      others[i] = exp(rest - whole);
    }
    network.backward(rows, {});
    network.sampleNorms(rows, squares);
    for (let i = 0; i < rows; i++) {
      unsaturated[first + i] = Math.sqrt(squares[i]!);
      printed[first + i] = others[i]! * unsaturated[first + i]!;
    }
  }
  return { printed, unsaturated };
}

/**
 * Area under the ROC curve: P(score of a positive > score of a negative), ties count half. 1: ranks all positives first; 0.5: says nothing.
 * By ranks (Mann-Whitney). null where there is only one kind.
 */
export function areaUnderRoc(score: Float64Array, positive: (i: number) => boolean): number | null {
  const order = Array.from(score, (_, i) => i).sort((i, j) => score[i]! - score[j]! || i - j);
  let positives = 0;
  let rankSum = 0;
  for (let from = 0; from < order.length; ) {
    let to = from;
    while (to < order.length && score[order[to]!] === score[order[from]!]) to++;
    const rank = (from + 1 + to) / 2; // ties share the mean of their ranks
    for (let k = from; k < to; k++) {
      if (!positive(order[k]!)) continue;
      positives++;
      rankSum += rank;
    }
    from = to;
  }
  const negatives = order.length - positives;
  return positives > 0 && negatives > 0 ? (rankSum - (positives * (positives + 1)) / 2) / (positives * negatives) : null;
}

type Choice = Partial<Pick<StatesOptions, 'pairs' | 'influenceScore' | 'influenceThreshold' | 'influenceSampling'>>;

/** The pairs that are to be forgotten: those that violate (or, for a control, any), above the threshold, weighted. `network` holds the base's weights. */
export function chooseForgetSet({ forget, visited }: Identified, network: Network, options: Choice): ForgetSet {
  const { pairs = 'violating', influenceScore = 'printed', influenceThreshold = 0, influenceSampling = false } = options;
  const set = pairs === 'any' ? visited : forget;
  if (influenceThreshold === 0 && !influenceSampling) return set;
  const score = influence(network, set)[influenceScore];
  const kept = Array.from(score, (_, i) => i).filter((i) => influenceThreshold === 0 || score[i]! > influenceThreshold);
  if (kept.length === 0 && set.count > 0)
    throw new RefusedError(
      `influence: expected pairs with a score above ${influenceThreshold}, got none of ${set.count}; the largest has ${score.reduce((max, x) => Math.max(max, x), 0)}`,
    );
  const one = (source: Int32Array): Int32Array => Int32Array.from(kept, (i) => source[i]!);
  return {
    obs: pick(set.obs, network.shape.obsDim, kept),
    count: kept.length,
    action: pickActions(set.action, set.action instanceof Int32Array ? 1 : network.shape.actions, kept),
    weight: Float32Array.from(kept, (i) => (influenceSampling ? score[i]! : 1)),
    episode: one(set.episode),
    step: one(set.step),
  };
}

/** How well both scores tell violations from whatever else the base did: of the base alone, the same for all arms. */
export function judgeInfluence(recorded: Identified, network: Network, constraint: Constraint, kept: number): Influence {
  const { visited, forget } = recorded;
  const { policy, toxic } = constraint;
  const violates = (i: number): boolean => policy.contains(toxic(visited.obs, i), visited.action, i * policy.width);
  const { printed, unsaturated } = influence(network, visited);
  return {
    printed: areaUnderRoc(printed, violates),
    unsaturated: areaUnderRoc(unsaturated, violates),
    pairs: forget.count,
    kept,
  };
}
