import { logSoftmax, sampleAction } from '../../math/categorical.ts';
import { exp } from '../../math/elementary.ts';
import type { Floats, Head, Network } from '../../math/engine.ts';
import type { Stream } from '../../math/rng/threefry.ts';
import type { States } from '../states.ts';

/**
 * F_i = mean over states of (∂_i log π(a|s))², squared per sample and not per batch; `action` says which a for the head's row of a state.
 * Shapes: result [size], in the network's memory, 0 for the value head. Uses the network's present weights.
 * Source: the diagonal Fisher information of Kirkpatrick et al., arXiv:1612.00796, when a is drawn from π.
 */
export function fisherOf(
  network: Network,
  states: States,
  action: (head: Head, row: number, state: number, logProb: Float64Array) => number,
): Floats {
  const { obsDim, actions } = network.shape;
  const total = network.vector(network.size);
  const logProb = new Float64Array(actions);
  for (let first = 0; first < states.count; first += network.maxRows) {
    const rows = Math.min(network.maxRows, states.count - first);
    const head = network.forward(states.obs.subarray(first * obsDim, (first + rows) * obsDim), rows);
    for (let i = 0; i < rows; i++) {
      logSoftmax(head.logits, i * head.stride, actions, 0, logProb);
      const chosen = action(head, i, first + i, logProb);
      for (let a = 0; a < actions; a++) head.dLogits[i * head.stride + a] = (a === chosen ? 1 : 0) - exp(logProb[a]!);
      head.dValue[i * head.valueStride] = 0;
    }
    network.backward(rows, {});
    network.fisher(rows, total);
  }
  for (let i = 0; i < total.length; i++) total[i] = total[i]! / Math.max(1, states.count);
  return total;
}

/** Actions drawn from the policy itself: a ∼ π(·|s). */
export function drawn(rng: Stream, actions: number): Parameters<typeof fisherOf>[2] {
  return (_head, _row, _state, logProb) => sampleAction(logProb, actions, rng.uniform());
}
