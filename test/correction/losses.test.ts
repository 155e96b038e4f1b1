import { describe, expect, it } from 'vitest';
import { clearCotangents, klToBase, literal, margin, type Rows, unlikelihood, valueToBase } from '../../src/correction/losses.ts';
import type { Engine } from '../../src/math/engine.ts';
import { makeEngine } from '../../src/math/engines/index.ts';
import { type Case, distance, flatten, loadCases } from '../math/golden.ts';

const TOLERANCE = { reference: 1e-11, wasm: 2e-5 } as const;
const LOG_99 = Math.log(99);
const cases = loadCases().filter((c) => !c.shape.gaussian);

const toxic = (c: Case) => Int32Array.from(c.toxicMask!, (row) => row.reduce((mask, t, a) => mask | (t << a), 0));
const outputs = (c: Case) => ({ logits: Float64Array.from(c.ref.flat()), value: Float64Array.from(c.oldValue) });

/** Name in the recording, and our loss; `literal` is log π + λH in one. */
const LOSSES: [string, (rows: Rows, c: Case) => number, (c: Case) => { loss: number; grad: (name: string) => number[] }][] = [
  ['unlikelihood', (rows, c) => unlikelihood(rows, toxic(c), 1), recorded('unlikelihood')],
  ['margin', (rows, c) => margin(rows, toxic(c), LOG_99, 1), recorded('margin')],
  ['klDistil', (rows, c) => klToBase(rows, outputs(c), 1), recorded('klDistil')],
  ['valueDistil', (rows, c) => valueToBase(rows, outputs(c), 1), recorded('valueDistil')],
  ['logProb', (rows, c) => literal(rows, Int32Array.from(c.action as number[]), 0, 1), recorded('logProb')],
  [
    'logProb + 0.3 entropy',
    (rows, c) => literal(rows, Int32Array.from(c.action as number[]), 0.3, 1),
    (c) => {
      const p = recorded('logProb')(c);
      const h = recorded('entropy')(c);
      return { loss: p.loss + 0.3 * h.loss, grad: (name) => p.grad(name).map((g, i) => g + 0.3 * h.grad(name)[i]!) };
    },
  ],
];

function recorded(name: string) {
  return (c: Case) => ({ loss: c.losses[name]!.loss, grad: (parameter: string) => c.losses[name]!.grad[parameter] as number[] });
}

/** The network of a case with `before` rows in front of the recorded ones, forwarded. */
function forwarded(engine: Engine, c: Case, before: number) {
  const network = engine.network(c.shape, c.obs.length + before);
  network.set(flatten(c.shape, ({ name }) => c.params.find((p) => p.name === name)!.values));
  const padding = Array.from({ length: before }, (_, i) => c.obs[i]!);
  const head = network.forward(Float64Array.from([...padding, ...c.obs].flat()), c.obs.length + before);
  const rows: Rows = { head, actions: c.shape.actions, from: before, count: c.obs.length };
  clearCotangents(rows, c.obs.length + before);
  return { network, rows };
}

describe.each([makeEngine('reference'), makeEngine('wasm')])('a correction loss on $name', (engine) => {
  it.each(LOSSES)('%s has the value and the gradient of float64 autograd, also behind other rows', (_name, loss, expectation) => {
    expect(cases).toHaveLength(3);
    for (const c of cases) {
      const { network, rows } = forwarded(engine, c, 2);
      const expected = expectation(c);
      expect(Math.abs(loss(rows, c) - expected.loss)).toBeLessThan(TOLERANCE[engine.name] * Math.max(1, Math.abs(expected.loss)));
      const gradient = network.backward(rows.from + rows.count, { weights: true }).weights;
      expect(
        distance(
          gradient,
          flatten(c.shape, ({ name }) => expected.grad(name)),
        ),
      ).toBeLessThan(TOLERANCE[engine.name]);
    }
  });

  it.each(LOSSES)('%s adds to what is there, times its weight', (_name, loss) => {
    const c = cases[1]!;
    const once = forwarded(engine, c, 0);
    loss(once.rows, c);
    const single = once.network.backward(c.obs.length, { weights: true }).weights.slice();
    const twice = forwarded(engine, c, 0);
    loss(twice.rows, c);
    loss(twice.rows, c);
    const double = twice.network.backward(c.obs.length, { weights: true }).weights;
    expect(
      distance(
        double,
        single.map((g) => 2 * g),
      ),
    ).toBeLessThan(TOLERANCE[engine.name]);
  });
});

describe('margin(…)', () => {
  it('is exactly zero, with no push, where π(T|s) <= ε', () => {
    const network = makeEngine('reference').network({ obsDim: 1, hidden: [1], actions: 2, gaussian: false, separate: false }, 1);
    const params = new Float64Array(network.size);
    params[4] = -4.7; // the toxic logit's bias, the other's is 0: π(T) = 0.009
    network.set(params);
    const rows: Rows = { head: network.forward(Float64Array.of(0), 1), actions: 2, from: 0, count: 1 };
    clearCotangents(rows, 1);
    expect(margin(rows, Int32Array.of(0b01), LOG_99, 1)).toBe(0);
    expect([...rows.head.dLogits.slice(0, 2)]).toEqual([0, 0]);
  });
});

describe('unlikelihood(…)', () => {
  it('stays finite where the toxic action is all but certain', () => {
    const network = makeEngine('reference').network({ obsDim: 1, hidden: [1], actions: 2, gaussian: false, separate: false }, 1);
    const params = new Float64Array(network.size);
    params[4] = 200;
    network.set(params);
    const rows: Rows = { head: network.forward(Float64Array.of(0), 1), actions: 2, from: 0, count: 1 };
    clearCotangents(rows, 1);
    expect(unlikelihood(rows, Int32Array.of(0b01), 1)).toBeCloseTo(200, 6);
    expect([...rows.head.dLogits.slice(0, 2)]).toEqual([1, -1]);
  });
});
