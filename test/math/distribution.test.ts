import { describe, expect, it } from 'vitest';
import type { HalfSpace } from '../../src/contract/spec.ts';
import { type Actions, makeDistribution, type Outputs } from '../../src/math/distribution.ts';
import type { Head } from '../../src/math/engine.ts';
import { Stream } from '../../src/math/rng/threefry.ts';

const f32 = Math.fround;

/** A head of one Gaussian row behind another, so that a wrong row shows. */
function headOf(mean: readonly number[], logStd: readonly number[]): Head {
  const zeros = (n: number) => new Float64Array(n);
  return {
    logits: Float64Array.from([...mean.map(() => 99), ...mean]),
    stride: mean.length,
    value: zeros(2),
    valueStride: 1,
    logStd: Float64Array.from(logStd),
    dLogits: zeros(2 * mean.length),
    dValue: zeros(2),
    dLogStd: zeros(mean.length),
  };
}

const MEAN = [0.3, -0.7];
const LOG_STD = [-0.4, 0.2];
const SPACES: readonly HalfSpace[] = [
  { dimension: 0, from: f32(0.5), above: true },
  { dimension: 1, from: f32(-0.9), above: false },
];
const gaussian = makeDistribution({ actions: 2, gaussian: true }, SPACES);
const density = (a: readonly number[], mean = MEAN, logStd = LOG_STD): number =>
  a.reduce((sum, x, d) => sum - 0.5 * ((x - mean[d]!) / Math.exp(logStd[d]!)) ** 2 - logStd[d]! - 0.5 * Math.log(2 * Math.PI), 0);
const referenceOf = (mean: readonly number[], logStd: readonly number[]): Outputs => ({
  logits: Float64Array.from(mean),
  value: new Float64Array(1),
  logStd: Float64Array.from(logStd),
});

describe('a Gaussian distribution', () => {
  it('draw(…) has the mean and the spread of the head, two words a dimension, and logProb(…) is its density', () => {
    const head = headOf(MEAN, LOG_STD);
    const rng = new Stream(3, 1);
    const out = gaussian.room(1);
    const n = 20_000;
    const sums = [0, 0, 0, 0, 0];
    gaussian.read(head, 1, 0);
    for (let i = 0; i < n; i++) {
      gaussian.draw(rng, out, 0);
      const [x, y] = [0, 1].map((d) => (out[d]! - MEAN[d]!) / Math.exp(LOG_STD[d]!));
      [x!, y!, x! * x!, y! * y!, x! * y!].forEach((term, k) => {
        sums[k]! += term / n;
      });
    }
    sums.forEach((got, k) => {
      expect(Math.abs(got - [0, 0, 1, 1, 0][k]!)).toBeLessThan(4.5 * Math.sqrt((k === 2 || k === 3 ? 2 : 1) / n));
    });
    expect(rng.uint32()).toBe(new Stream(3, 1).at(4 * n));
    expect(gaussian.logProb(out, 0)).toBeCloseTo(density([...out]), 12);
  });

  it('pull(…) is the derivative of d·log π − c/rows·H, of the last action and the last entropy', () => {
    const action = Float64Array.of(1.1, 0.4);
    const objective = (mean: readonly number[], logStd: readonly number[]): number => {
      gaussian.read(headOf(mean, logStd), 1, 0);
      return 0.7 * gaussian.logProb(action, 0) - (0.3 / 4) * gaussian.entropy();
    };
    const head = headOf(MEAN, LOG_STD);
    gaussian.read(head, 1, 0);
    gaussian.logProb(action, 0);
    gaussian.entropy();
    gaussian.pull(0.7, 0.3, 4);
    const moved = (x: readonly number[], d: number, by: number): number[] => x.map((v, k) => (k === d ? v + by : v));
    for (const d of [0, 1]) {
      const mean = (objective(moved(MEAN, d, 1e-5), LOG_STD) - objective(moved(MEAN, d, -1e-5), LOG_STD)) / 2e-5;
      const spread = (objective(MEAN, moved(LOG_STD, d, 1e-5)) - objective(MEAN, moved(LOG_STD, d, -1e-5))) / 2e-5;
      expect(head.dLogits[2 + d]).toBeCloseTo(mean, 8);
      expect(head.dLogStd[d]).toBeCloseTo(spread, 8);
    }
    expect([...head.dLogits.slice(0, 2)]).toEqual([0, 0]);
  });

  it('probability(…) is the share of draws in T, and slope(…) its logarithm’s derivative', () => {
    const head = headOf(MEAN, LOG_STD);
    const rng = new Stream(4, 4);
    const out = gaussian.room(1);
    for (const T of [1, 2]) {
      let hits = 0;
      gaussian.read(head, 1, 0);
      for (let i = 0; i < 10_000; i++) {
        gaussian.draw(rng, out, 0);
        if (gaussian.contains(T, out, 0)) hits++;
      }
      const p = gaussian.probability(head, 1, T);
      expect(Math.abs(hits / 10_000 - p)).toBeLessThan(4.5 * Math.sqrt((p * (1 - p)) / 10_000));
      const log = (by: number): number => {
        const mean = MEAN.map((m, d) => (d === SPACES[T - 1]!.dimension ? m + by : m));
        return Math.log(gaussian.probability(headOf(mean, LOG_STD), 1, T));
      };
      gaussian.slope(head, 1, T);
      const at = SPACES[T - 1]!.dimension;
      expect(head.dLogits[2 + at]).toBeCloseTo((log(1e-5) - log(-1e-5)) / 2e-5, 8);
      expect(head.dLogits[2 + (1 - at)]).toBe(0);
    }
    expect(gaussian.probability(head, 1, 0)).toBe(0);
  });

  it('contains(…) closes its half-spaces; pass(…) moves what lies inside to the float32 beside them, and nothing else', () => {
    const passed = (forbidden: number, ...action: number[]): number[] => {
      const out = gaussian.room(1);
      gaussian.pass(forbidden, Float32Array.from(action), 0, out, 0);
      if (forbidden > 0) expect(gaussian.contains(forbidden, out, 0)).toBe(false);
      return [...out];
    };
    expect([0.5, 0.49999997].map((x) => gaussian.contains(1, Float32Array.of(x, 0), 0))).toEqual([true, false]);
    expect(gaussian.contains(0, Float32Array.of(9, -9), 0)).toBe(false);
    expect(passed(1, 7, -3)).toEqual([f32(0.49999997), -3]);
    expect(passed(2, 7, -3)).toEqual([7, f32(-0.89999992)]);
    expect(passed(1, 0.25, 5)).toEqual([0.25, 5]);
    expect(passed(0, 7, -3)).toEqual([7, -3]);
    const atZero = makeDistribution({ actions: 1, gaussian: true }, [
      { dimension: 0, from: 0, above: false },
      { dimension: 0, from: 0, above: true },
    ]);
    const out = atZero.room(1);
    atZero.pass(1, Float32Array.of(-1), 0, out, 0);
    expect(out[0]).toBe(2 ** -149);
    atZero.pass(2, Float32Array.of(1), 0, out, 0);
    expect(out[0]).toBe(-(2 ** -149));
  });

  it('typical(…) is the mean, moved into T where it is not', () => {
    const out = gaussian.room(1);
    gaussian.typical(headOf(MEAN, LOG_STD), 1, 1, out, 0);
    expect([...out]).toEqual([0.5, f32(-0.7)]);
    gaussian.typical(headOf([0.3, -2], LOG_STD), 1, 2, out, 0);
    expect([...out]).toEqual([f32(0.3), -2]);
  });

  it('kl(…) is E[log π0 − log π], and totalVariation(…) bounds what integration gives', () => {
    const one = makeDistribution({ actions: 1, gaussian: true });
    for (const [mean, logStd] of [
      [0.1, -0.3],
      [1.5, 0.4],
      [0.3, -0.4],
    ] as const) {
      const reference = referenceOf([mean], [logStd]);
      const head = headOf([MEAN[0]!], [LOG_STD[0]!]);
      let kl = 0;
      let variation = 0;
      const h = 1e-3;
      for (let a = -14; a <= 14; a += h) {
        const [p0, p] = [density([a], [mean], [logStd]), density([a], [MEAN[0]!], [LOG_STD[0]!])];
        kl += Math.exp(p0) * (p0 - p) * h;
        variation += 0.5 * Math.abs(Math.exp(p0) - Math.exp(p)) * h;
      }
      expect(one.kl(reference, 0, head, 1)).toBeCloseTo(kl, 9);
      expect(one.totalVariation(reference, 0, head, 1)).toBeGreaterThanOrEqual(variation - 1e-9);
    }
    expect(one.kl(referenceOf(MEAN.slice(0, 1), LOG_STD.slice(0, 1)), 0, headOf(MEAN.slice(0, 1), LOG_STD.slice(0, 1)), 1)).toBe(0);
  });

  it('spreadNorm(…) is the squared gradient by logStd, part by part where asked', () => {
    const head = headOf(MEAN, LOG_STD);
    const action: Actions = Float64Array.of(1.1, 0.4);
    gaussian.read(head, 1, 0);
    gaussian.logProb(action, 0);
    const parts = [0, 1].map((d) => (((action[d]! - MEAN[d]!) / Math.exp(LOG_STD[d]!)) ** 2 - 1) ** 2);
    const out = new Float64Array(4).fill(1);
    expect(gaussian.spreadNorm(out, 2)).toBeCloseTo(parts[0]! + parts[1]!, 12);
    expect([...out]).toEqual([1, 1, 1 + parts[0]!, 1 + parts[1]!].map((x) => expect.closeTo(x, 12)));
  });

  it('any(…) is uniform over the box of the action, mode(…) the mean', () => {
    const out = gaussian.room(1);
    const rng = new Stream(1, 9);
    const seen = Array.from({ length: 4000 }, () => {
      gaussian.any(rng, out, 0);
      return [...out];
    }).flat();
    expect(Math.min(...seen) >= -1 && Math.max(...seen) < 1).toBe(true);
    expect(Math.abs(seen.reduce((a, b) => a + b) / seen.length)).toBeLessThan(0.03);
    gaussian.mode(headOf(MEAN, LOG_STD), 1, 0, out, 0);
    expect([...out]).toEqual(MEAN.map(f32));
  });
});
