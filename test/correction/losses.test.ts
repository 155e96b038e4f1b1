import { describe, expect, it } from 'vitest';
import type { HalfSpace } from '../../src/contract/spec.ts';
import { diversity } from '../../src/correction/forget/diversity.ts';
import { HALF_SPACE_OBJECTIVES } from '../../src/correction/forget/halfspace.ts';
import { OBJECTIVES, weightedSum } from '../../src/correction/forget/index.ts';
import { literal, signfix } from '../../src/correction/forget/literal.ts';
import { margin } from '../../src/correction/forget/margin.ts';
import { npo } from '../../src/correction/forget/npo.ts';
import type { ForgetObjective, ForgetRows } from '../../src/correction/forget/objective.ts';
import { renormalised } from '../../src/correction/forget/renormalised.ts';
import { unlikelihood } from '../../src/correction/forget/unlikelihood.ts';
import { clearCotangents, klToBase, type Rows, valueToBase } from '../../src/correction/losses.ts';
import { makeDistribution, type Outputs } from '../../src/math/distribution.ts';
import type { Engine } from '../../src/math/engine.ts';
import { makeEngine } from '../../src/math/engines/index.ts';
import { ENGINES, exactOf } from '../math/engines.ts';
import { type Case, distance, flatten, loadCases } from '../math/golden.ts';

const KNOBS = { entropy: 0, npoBeta: 0.1, marginEpsilon: 0.01 };
const recordings = loadCases();

const toxic = (c: Case) => Int32Array.from(c.toxicMask!, (row) => row.reduce((mask, t, a) => mask | (t << a), 0));
const taken = (c: Case) => Int32Array.from(c.action as number[], (a) => 1 << a);
/** The recording's base has another spread than the policy: its log-std is 0.1 larger. */
const outputs = (c: Case): Outputs => {
  const logStd = c.params.find(({ name }) => name === 'logStd')?.values ?? [];
  return {
    logits: Float64Array.from(c.ref.flat()),
    value: Float64Array.from(c.oldValue),
    logStd: Float64Array.from(logStd, (s) => s + 0.1),
  };
};
/** In row r of the recording {a_0 > c_r} is toxic. */
const thresholds = (c: Case): HalfSpace[] => (c.halfSpaceThreshold ?? []).map((from) => ({ dimension: 0, from, above: true }));

const forget =
  (objective: ForgetObjective, masks = toxic, knobs = KNOBS) =>
  (rows: Rows, c: Case, weight = 1) =>
    objective.descend(
      { ...rows, policy: makeDistribution(c.shape, thresholds(c)), toxic: masks(c), base: objective.needsBase ? outputs(c) : null },
      knobs,
      weight,
    );

type Expectation = (c: Case) => { loss: number; grad: (name: string) => number[] };
const combined =
  (share: number): Expectation =>
  (c) => {
    const p = recorded('logProb')(c);
    const h = recorded('entropy')(c);
    return { loss: p.loss + share * h.loss, grad: (name) => p.grad(name).map((g, i) => g + share * h.grad(name)[i]!) };
  };

/** Name in the recording, and our loss; `literal` is log π + λH in one. */
const LOSSES: [string, (rows: Rows, c: Case, weight?: number) => number, Expectation, 'both' | 'discrete' | 'gaussian'][] = [
  ['unlikelihood', forget(unlikelihood), recorded('unlikelihood'), 'discrete'],
  ['margin', forget(margin), recorded('margin'), 'discrete'],
  ['npo', forget(npo, taken), recorded('npo'), 'discrete'],
  ['renormalisedTarget', forget(renormalised), recorded('renormalisedTarget'), 'discrete'],
  ['klDistil', (rows, c, weight = 1) => klToBase(rows, outputs(c), weight), recorded('klDistil'), 'both'],
  ['valueDistil', (rows, c, weight = 1) => valueToBase(rows, outputs(c), weight), recorded('valueDistil'), 'both'],
  ['logProb', forget(literal, taken), recorded('logProb'), 'discrete'],
  ['logProb + 0.3 entropy', forget(literal, taken, { ...KNOBS, entropy: 0.3 }), combined(0.3), 'discrete'],
  ['logProb - 0.3 entropy', forget(signfix, taken, { ...KNOBS, entropy: 0.3 }), combined(-0.3), 'discrete'],
  ['halfSpace', forget(halfSpace('unlikelihood'), numbered), recorded('halfSpace'), 'gaussian'],
];

/** T(s) of row r is the half-space of that number. */
function numbered(c: Case): Int32Array<ArrayBuffer> {
  return Int32Array.from(c.obs, (_, r) => r + 1);
}

function halfSpace(name: string): ForgetObjective {
  return HALF_SPACE_OBJECTIVES.find((objective) => objective.name === name)!;
}

function recorded(name: string): Expectation {
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

describe.each(ENGINES)('a correction loss on $name', (engine) => {
  it.each(LOSSES)('%s has the value and the gradient of float64 autograd, also behind other rows', (_name, loss, expectation, kind) => {
    const cases = recordings.filter(({ shape }) => kind === 'both' || shape.gaussian === (kind === 'gaussian'));
    expect(cases).toHaveLength({ both: 4, discrete: 3, gaussian: 1 }[kind]);
    for (const c of cases) {
      const { network, rows } = forwarded(engine, c, 2);
      const expected = expectation(c);
      expect(Math.abs(loss(rows, c) - expected.loss)).toBeLessThan(exactOf(engine) * Math.max(1, Math.abs(expected.loss)));
      const gradient = network.backward(rows.from + rows.count, { weights: true }).weights;
      expect(
        distance(
          gradient,
          flatten(c.shape, ({ name }) => expected.grad(name)),
        ),
      ).toBeLessThan(exactOf(engine));
    }
  });

  it.each(LOSSES)('%s adds to what is there, times its weight', (_name, loss, _expectation, kind) => {
    const c = recordings[kind === 'gaussian' ? 3 : 1]!;
    const once = forwarded(engine, c, 0);
    const value = loss(once.rows, c);
    const single = once.network.backward(c.obs.length, { weights: true }).weights.slice();
    const more = forwarded(engine, c, 0);
    expect(loss(more.rows, c)).toBe(value);
    expect(loss(more.rows, c, 2)).toBe(value); // the mean itself, whatever its weight
    const triple = more.network.backward(c.obs.length, { weights: true }).weights;
    expect(
      distance(
        triple,
        single.map((g) => 3 * g),
      ),
    ).toBeLessThan(exactOf(engine));
  });
});

const NONE = new Float64Array(0);

/** Rows of a network whose logits are `z` whatever it sees: only the heads' biases are not 0. */
function rowsOf(z: readonly number[], mask: number, base: readonly number[] | null = null): ForgetRows {
  const network = makeEngine('reference').network({ obsDim: 1, hidden: [1], actions: z.length, gaussian: false, separate: false }, 1);
  const params = new Float64Array(network.size);
  params.set(z, 2 + z.length);
  network.set(params);
  const rows = { head: network.forward(Float64Array.of(0), 1), actions: z.length, from: 0, count: 1 };
  clearCotangents(rows, 1);
  const policy = makeDistribution(network.shape);
  return { ...rows, policy, toxic: Int32Array.of(mask), base: base && { logits: Float64Array.from(base), value: NONE, logStd: NONE } };
}
const slope = (rows: ForgetRows): number[] => [...rows.head.dLogits.slice(0, rows.actions)];

describe.each(Object.values(OBJECTIVES).map((objective) => [objective.name, objective] as const))('%s', (name, objective) => {
  const z = [0.3, -1.1, 0.8, 2];
  const base = [0.1, 0.4, -0.2, 0.9];
  const knobs = { entropy: 0.3, npoBeta: 0.7, marginEpsilon: 0.2 };
  const value = (logits: readonly number[], mask: number) => objective.descend(rowsOf(logits, mask, base), knobs, 1);

  it.each([0b0001, 0b0110, 0b1011])('has the derivative of its value by finite differences, with T = %s', (mask) => {
    const rows = rowsOf(z, mask, base);
    objective.descend(rows, knobs, 1);
    const numeric = z.map((_, j) => {
      const moved = (by: number) => z.map((x, k) => (k === j ? x + by : x));
      return (value(moved(1e-5), mask) - value(moved(-1e-5), mask)) / 2e-5;
    });
    expect(distance(slope(rows), numeric)).toBeLessThan(1e-8);
  });

  it('stays finite with logits of ±700 and where the toxic action is certain or gone', () => {
    for (const certain of [700, -700]) {
      const rows = rowsOf([certain, 0, -certain, 1], 0b0001, base);
      expect(Number.isFinite(objective.descend(rows, knobs, 1))).toBe(true);
      expect(slope(rows).every(Number.isFinite)).toBe(true);
    }
  });

  it('says so where it needs the base and is not given it', () => {
    if (objective.needsBase) expect(() => objective.descend(rowsOf(z, 1), knobs, 1)).toThrow(`${name}: expected the outputs of the base`);
    else expect(() => objective.descend(rowsOf(z, 1), knobs, 1)).not.toThrow();
  });
});

describe('objectives among one another', () => {
  it('renormalised is unlikelihood up to a constant where two actions are left to choose from', () => {
    const [a, b] = [rowsOf([1.2, -0.4], 0b01, [0.3, 0.1]), rowsOf([1.2, -0.4], 0b01)];
    renormalised.descend(a, KNOBS, 1);
    unlikelihood.descend(b, KNOBS, 1);
    expect(distance(slope(a), slope(b))).toBeLessThan(1e-15);
  });

  it('npo tends to the literal loss as β falls to 0', () => {
    const [a, b] = [rowsOf([1, 0.2, -0.3], 0b010, [0, 0, 0]), rowsOf([1, 0.2, -0.3], 0b010)];
    npo.descend(a, { ...KNOBS, npoBeta: 1e-7 }, 1);
    literal.descend(b, KNOBS, 1);
    expect(distance(slope(a), slope(b))).toBeLessThan(1e-6);
  });

  it('literal does nothing where the policy is sure of the toxic action; unlikelihood pushes hardest there', () => {
    const [a, b] = [rowsOf([50, 0], 0b01), rowsOf([50, 0], 0b01)];
    literal.descend(a, KNOBS, 1);
    unlikelihood.descend(b, KNOBS, 1);
    expect(Math.abs(slope(a)[0]!)).toBeLessThan(1e-15);
    expect(slope(b)[0]).toBeCloseTo(1, 15);
  });

  it('diversity never touches a toxic action', () => {
    const rows = rowsOf([1, 0.2, -0.3], 0b010);
    diversity.descend(rows, KNOBS, 1);
    expect(slope(rows)[1]).toBe(0);
  });

  it('weightedSum(…) is the sum of its parts', () => {
    const parts = [rowsOf([1, 0, 0.5], 0b001), rowsOf([1, 0, 0.5], 0b001), rowsOf([1, 0, 0.5], 0b001)];
    const [u, m] = [unlikelihood.descend(parts[0]!, KNOBS, 2), margin.descend(parts[1]!, KNOBS, 3)];
    const sum = weightedSum({ unlikelihood: 2, margin: 3, npo: 0 }, KNOBS, false);
    expect(sum.needsBase).toBe(false);
    expect(sum.descend(parts[2]!, 1)).toBeCloseTo(2 * u + 3 * m, 14);
    expect(slope(parts[2]!)).toEqual(slope(parts[0]!).map((d, j) => d + slope(parts[1]!)[j]!));
  });
});

describe('klToBase(…) at a temperature', () => {
  it.each([1, 2, 0.5])('τ = %d is τ² times the KL of softened policies, with its derivative', (temperature) => {
    const base = { logits: Float64Array.of(0.2, -0.7, 1.1), value: NONE, logStd: NONE };
    const softened = (z: readonly number[]) => {
      const e = z.map((x) => Math.exp(x / temperature));
      return e.map((x) => x / e.reduce((a, b) => a + b));
    };
    const z = [1, 0.1, -0.4];
    const [p, p0] = [softened(z), softened([...base.logits])];
    const rows = rowsOf(z, 1);
    const plain = temperature ** 2 * p0.reduce((sum, q, j) => sum + q * Math.log(q / p[j]!), 0);
    expect(klToBase(rows, base, 1, temperature)).toBeCloseTo(plain, 13);
    const value = (logits: readonly number[]) => klToBase(rowsOf(logits, 1), base, 1, temperature);
    const numeric = z.map((_, j) => {
      const moved = (by: number) => z.map((x, k) => (k === j ? x + by : x));
      return (value(moved(1e-5)) - value(moved(-1e-5))) / 2e-5;
    });
    expect(distance(slope(rows), numeric)).toBeLessThan(1e-8);
  });
});

describe('margin', () => {
  it('is exactly zero, with no push, where π(T|s) <= ε', () => {
    const rows = rowsOf([-4.7, 0], 0b01); // π(T) = 0.009
    expect(margin.descend(rows, KNOBS, 1)).toBe(0);
    expect(slope(rows)).toEqual([0, 0]);
  });
});

/** One row whose mean and log-std are what is given; T = {a_0 <= -0.2} or {a_1 >= 0.4}. */
function gaussianRow(mean: readonly number[], logStd: readonly number[], T: 1 | 2, base: Outputs | null = null): ForgetRows {
  const network = makeEngine('reference').network({ obsDim: 1, hidden: [1], actions: 2, gaussian: true, separate: false }, 1);
  const params = new Float64Array(network.size);
  params.set(mean, 4);
  params.set(logStd, network.size - 2);
  network.set(params);
  const rows = { head: network.forward(Float64Array.of(0), 1), actions: 2, from: 0, count: 1 };
  clearCotangents(rows, 1);
  const policy = makeDistribution(network.shape, [
    { dimension: 0, from: -0.2, above: false },
    { dimension: 1, from: 0.4, above: true },
  ]);
  return { ...rows, policy, toxic: Int32Array.of(T), base };
}

describe.each(HALF_SPACE_OBJECTIVES.map((objective) => [objective.name, objective] as const))('%s over a half-space', (name, objective) => {
  const mean = [0.1, 0.3];
  const logStd = [-0.5, 0.2];
  const base: Outputs = { logits: Float64Array.of(-0.4, 0.7), value: Float64Array.of(0), logStd: Float64Array.of(-0.2, -0.1) };
  const knobs = { entropy: 0.3, npoBeta: 0.7, marginEpsilon: 0.2 };

  it.each([1, 2] as const)('has the derivative of its value by finite differences, in means and log-stds, with T = %d', (T) => {
    const rows = gaussianRow(mean, logStd, T, base);
    objective.descend(rows, knobs, 1);
    const value = (m: readonly number[], s: readonly number[]) => objective.descend(gaussianRow(m, s, T, base), knobs, 1);
    const moved = (x: readonly number[], d: number, by: number): number[] => x.map((v, k) => (k === d ? v + by : v));
    const numeric = [0, 1].map((d) => (value(moved(mean, d, 1e-5), logStd) - value(moved(mean, d, -1e-5), logStd)) / 2e-5);
    const spread = [0, 1].map((d) => (value(mean, moved(logStd, d, 1e-5)) - value(mean, moved(logStd, d, -1e-5))) / 2e-5);
    expect(distance(slope(rows), numeric)).toBeLessThan(1e-8);
    expect(distance([...rows.head.dLogStd], spread)).toBeLessThan(1e-8);
  });

  it('stays finite where the mean lies 1,000 standard deviations inside or outside', () => {
    for (const far of [-700, 700]) {
      const rows = gaussianRow([far, 0], [-0.4, 0], 1, base);
      expect(Number.isFinite(objective.descend(rows, knobs, 1))).toBe(true);
      expect([...slope(rows), ...rows.head.dLogStd].every(Number.isFinite)).toBe(true);
    }
  });

  it('says so where it needs the base and is not given it; has its discrete namesake', () => {
    if (objective.needsBase)
      expect(() => objective.descend(gaussianRow(mean, logStd, 1), knobs, 1)).toThrow(`${name}: expected the outputs`);
    else expect(() => objective.descend(gaussianRow(mean, logStd, 1), knobs, 1)).not.toThrow();
    const namesake = OBJECTIVES[name as keyof typeof OBJECTIVES];
    expect(namesake.needsBase).toBe(objective.needsBase);
  });
});

describe('over a half-space', () => {
  const density = (a: number, mean: number, logStd: number): number =>
    Math.exp(-0.5 * ((a - mean) / Math.exp(logStd)) ** 2 - logStd) / Math.sqrt(2 * Math.PI);
  const integral = (term: (a: number) => number, from: number, to: number): number => {
    let sum = 0;
    for (let a = from + 5e-5; a < to; a += 1e-4) sum += term(a) * 1e-4;
    return sum;
  };

  it('diversity is −H of the Gaussian cut off at T, by integration', () => {
    const rows = gaussianRow([0.1, 0.3], [-0.5, 0.2], 1);
    const inside = integral((a) => density(a, 0.1, -0.5), -0.2, 6);
    const cut = -integral((a) => (density(a, 0.1, -0.5) / inside) * Math.log(density(a, 0.1, -0.5) / inside), -0.2, 6);
    const other = 0.2 + 0.5 * Math.log(2 * Math.PI * Math.E);
    expect(halfSpace('diversity').descend(rows, KNOBS, 1)).toBeCloseTo(-(cut + other), 6);
  });

  it('renormalised is the cross-entropy to the base cut off at T, by integration', () => {
    const base: Outputs = { logits: Float64Array.of(-0.4, 0.7), value: NONE, logStd: Float64Array.of(-0.2, -0.1) };
    const rows = gaussianRow([0.1, 0.3], [-0.5, 0.2], 2, base);
    const inside = integral((a) => density(a, 0.7, -0.1), -8, 0.4);
    const cut = -integral((a) => (density(a, 0.7, -0.1) / inside) * Math.log(density(a, 0.3, 0.2)), -8, 0.4);
    const other = -integral((a) => density(a, -0.4, -0.2) * Math.log(density(a, 0.1, -0.5)), -8, 8);
    expect(halfSpace('renormalised').descend(rows, KNOBS, 1)).toBeCloseTo(cut + other, 6);
  });

  it('margin is exactly zero, with no push, where π(T|s) <= ε', () => {
    const rows = gaussianRow([2.2, 0], [-0.1, 0], 1); // π(T) = 0.004
    expect(halfSpace('margin').descend(rows, KNOBS, 1)).toBe(0);
    expect([...slope(rows), ...rows.head.dLogStd].every((d) => d === 0)).toBe(true);
  });

  it.each([1, 2, 0.5])('klToBase at τ = %d is τ² times the KL of Gaussians √τ as wide, with its derivative', (temperature) => {
    const base: Outputs = { logits: Float64Array.of(-0.4, 0.7), value: NONE, logStd: Float64Array.of(-0.2, -0.1) };
    const value = (mean: readonly number[], logStd: readonly number[]) => klToBase(gaussianRow(mean, logStd, 1), base, 1, temperature);
    const wide = 0.5 * Math.log(temperature);
    const plain = [0, 1].map((d) => {
      const [p0, p] = [
        (a: number) => density(a, base.logits[d]!, base.logStd[d]! + wide),
        (a: number) => density(a, [0.1, 0.3][d]!, [-0.5, 0.2][d]! + wide),
      ];
      return integral((a) => p0(a) * Math.log(p0(a) / p(a)), -9, 9);
    });
    const rows = gaussianRow([0.1, 0.3], [-0.5, 0.2], 1);
    expect(klToBase(rows, base, 1, temperature)).toBeCloseTo(temperature ** 2 * (plain[0]! + plain[1]!), 6);
    const numeric = (value([0.1 + 1e-5, 0.3], [-0.5, 0.2]) - value([0.1 - 1e-5, 0.3], [-0.5, 0.2])) / 2e-5;
    const spread = (value([0.1, 0.3], [-0.5, 0.2 + 1e-5]) - value([0.1, 0.3], [-0.5, 0.2 - 1e-5])) / 2e-5;
    expect(slope(rows)[0]).toBeCloseTo(numeric, 8);
    expect(rows.head.dLogStd[1]).toBeCloseTo(spread, 8);
  });
});
