import { describe, expect, it } from 'vitest';
import { makeDistribution } from '../../src/math/distribution.ts';
import { makeEngine } from '../../src/math/engines/index.ts';
import { type LossStats, ppoLoss } from '../../src/ppo/loss.ts';
import { ENGINES, exactOf } from '../math/engines.ts';
import { distance, flatten, loadCases } from '../math/golden.ts';

const cases = loadCases();

describe.each(ENGINES)('ppoLoss(…) on $name', (engine) => {
  it.each([
    ['ppo', false],
    ['ppoValueClip', true],
  ])('%s has the value and the gradient of float64 autograd', (name, clipVloss) => {
    expect(cases).toHaveLength(4);
    for (const c of cases) {
      const n = c.obs.length;
      const network = engine.network(c.shape, n + 3);
      network.set(flatten(c.shape, ({ name: p }) => c.params.find((x) => x.name === p)!.values));
      // Rows in another order than the transitions: the loss must look them up.
      const rows = Int32Array.from({ length: n }, (_, i) => (i * 5) % n);
      const head = network.forward(Float64Array.from([...rows].flatMap((r) => c.obs[r]!)), n);
      const batch = {
        action: c.shape.gaussian ? Float64Array.from(c.action.flat()) : Int32Array.from(c.action as number[]),
        forbidden: new Int32Array(n),
        logProb: Float64Array.from(c.oldLogProb),
        advantage: Float64Array.from(c.advantage),
        value: Float64Array.from(c.oldValue),
        valueTarget: Float64Array.from(c.valueTarget),
      };
      const stats = {} as LossStats;
      const options = { clipCoef: 0.2, clipVloss, entCoef: 0.01, vfCoef: 1, normAdv: true };
      ppoLoss(head, batch, rows, makeDistribution(c.shape), options, new Float64Array(n), stats);
      const expected = c.losses[name]!;
      expect(Math.abs(stats.loss - expected.loss) / Math.abs(expected.loss)).toBeLessThan(exactOf(engine));
      const gradient = network.backward(n, { weights: true }).weights;
      expect(
        distance(
          gradient,
          flatten(c.shape, ({ name: p }) => expected.grad[p]!),
        ),
      ).toBeLessThan(exactOf(engine));
    }
  });
});

describe('ppoLoss(…) with a mask', () => {
  it('gives the masked logits no gradient and the others that of a network without them', () => {
    const engine = makeEngine('reference');
    const batch = {
      action: Int32Array.of(2),
      forbidden: Int32Array.of(0b010),
      logProb: Float64Array.of(-0.5),
      advantage: Float64Array.of(1),
      value: Float64Array.of(0),
      valueTarget: Float64Array.of(0),
    };
    const network = engine.network({ obsDim: 1, hidden: [4], actions: 3, gaussian: false, separate: false }, 1);
    network.set(Float64Array.from({ length: network.size }, (_, i) => Math.sin(i)));
    const head = network.forward(Float64Array.of(0.3), 1);
    const options = { clipCoef: null, clipVloss: false, entCoef: 0.1, vfCoef: 1, normAdv: false };
    ppoLoss(head, batch, Int32Array.of(0), makeDistribution(network.shape), options, new Float64Array(1), {} as LossStats);
    const [d0, d1, d2] = head.dLogits;
    expect(Math.abs(d1!)).toBe(0);
    expect(d0! + d2!).toBeCloseTo(0, 12);
    expect(d2).not.toBe(0);
  });
});
