import { describe, expect, it } from 'vitest';
import { drawn, fisherOf } from '../../../src/correction/protect/fisher.ts';
import { logSoftmax } from '../../../src/math/categorical.ts';
import type { Actions } from '../../../src/math/distribution.ts';
import type { Head } from '../../../src/math/engine.ts';
import { linears } from '../../../src/math/layout.ts';
import { Stream } from '../../../src/math/rng/threefry.ts';
import { ENGINES } from '../../math/engines.ts';
import { distance } from '../../math/harness.ts';
import { networkOf, outsideStates, TOY, TOY_SHAPE, untrained } from '../probe.ts';

const STATES = outsideStates(TOY, 37);
const action = (state: number): number => (state * 7) % 3;
const chosen = (out: Actions, state: number): void => {
  out[0] = action(state);
};

describe.each(ENGINES)('fisherOf(…) on $name', (engine) => {
  it.each([false, true])('is the mean of squared gradients of log π(a|s), state by state (separate networks: %s)', (separate) => {
    const policy = untrained({ ...TOY_SHAPE, separate });
    const network = networkOf(engine, policy, 16); // 37 states in three parts
    const F = fisherOf(network, TOY.policy, STATES, chosen);

    const plain = new Float64Array(network.size);
    const one = networkOf(engine, policy, 1);
    const logProb = new Float64Array(3);
    for (let state = 0; state < STATES.count; state++) {
      const head = one.forward(STATES.obs.subarray(2 * state, 2 * state + 2), 1);
      logSoftmax(head.logits, 0, 3, 0, logProb);
      for (let a = 0; a < 3; a++) head.dLogits[a] = Number(a === action(state)) - Math.exp(logProb[a]!);
      head.dValue[0] = 0;
      one.backward(1, { weights: true }).weights.forEach((g, i) => {
        plain[i] = plain[i]! + (g * g) / STATES.count;
      });
    }
    expect(distance(F, plain)).toBeLessThan(engine.name === 'reference' ? 1e-13 : 1e-5);

    const { weights, bias } = linears(policy.shape).at(-1)!;
    expect(F.slice(weights, bias + 1).every((f) => f === 0)).toBe(true);
    expect(F.filter((f) => f > 0).length).toBe(
      linears(policy.shape).reduce((n, l) => n + (l.name.startsWith('value') ? 0 : (l.inputs + 1) * l.outputs), 0),
    );
  });

  it('is nothing for no states', () => {
    const network = networkOf(engine, untrained(TOY_SHAPE), 16);
    expect(
      fisherOf(network, TOY.policy, { obs: new Float32Array(0), count: 0 }, drawn(new Stream(1, 1), TOY.policy)).every((f) => f === 0),
    ).toBe(true);
  });
});

describe('drawn(rng, policy)', () => {
  it('draws actions from the policy itself, one word each', () => {
    const p = [0.2, 0.5, 0.3];
    const rng = new Stream(4, 4);
    const { policy } = TOY;
    const head = { logits: Float64Array.from(p, Math.log), stride: 3 } as unknown as Head;
    policy.read(head, 0, 0);
    const draw = drawn(rng, policy);
    const counts = [0, 0, 0];
    const action = policy.room(1);
    for (let i = 0; i < 4000; i++) {
      draw(action, i, head, 0);
      counts[action[0]!]!++;
    }
    const chi = counts.reduce((sum, c, a) => sum + (c - 4000 * p[a]!) ** 2 / (4000 * p[a]!), 0);
    expect(chi).toBeLessThan(13.8); // 2 degrees of freedom, p = 0.001
    expect(rng.uint32()).toBe(new Stream(4, 4).at(4000));
  });
});
