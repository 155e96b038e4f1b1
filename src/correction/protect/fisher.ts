import type { Actions, Distribution } from '../../math/distribution.ts';
import type { Floats, Head, Network } from '../../math/engine.ts';
import { weightCount } from '../../math/layout.ts';
import type { Stream } from '../../math/rng/threefry.ts';
import type { States } from '../states.ts';

/**
 * F_i = mean over states of (∂_i log π(a|s))², squared per sample and not per batch; `choose` writes a for the head's row of a state.
 * Shapes: result [size], in the network's memory, 0 for the value head. Uses the network's present weights.
 * Source: the diagonal Fisher information of Kirkpatrick et al., arXiv:1612.00796, when a is drawn from π.
 */
export function fisherOf(network: Network, policy: Distribution, states: States, choose: Choose): Floats {
  const { obsDim } = network.shape;
  const total = network.vector(network.size);
  const action = policy.room(1);
  for (let first = 0; first < states.count; first += network.maxRows) {
    const rows = Math.min(network.maxRows, states.count - first);
    const head = network.forward(states.obs.subarray(first * obsDim, (first + rows) * obsDim), rows);
    for (let i = 0; i < rows; i++) {
      policy.read(head, i, 0);
      choose(action, first + i, head, i);
      policy.logProb(action, 0);
      policy.pull(1, 0, 1);
      policy.spreadNorm(total, weightCount(network.shape));
      head.dValue[i * head.valueStride] = 0;
    }
    network.backward(rows, {});
    network.fisher(rows, total);
  }
  for (let i = 0; i < total.length; i++) total[i] = total[i]! / Math.max(1, states.count);
  return total;
}

type Choose = (out: Actions, state: number, head: Head, row: number) => void;

/** Actions drawn from the policy itself: a ∼ π(·|s). */
export function drawn(rng: Stream, policy: Distribution): Choose {
  return (out) => policy.draw(rng, out, 0);
}
