import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { interval95, studentT975, summaryOf } from '../../src/report/statistics.ts';

const numbers = fc.array(fc.double({ min: -1000, max: 1000, noNaN: true }), { minLength: 1, maxLength: 30 });
const mean = (values: readonly number[]): number => values.reduce((sum, x) => sum + x, 0) / values.length;

describe('summaryOf(…)', () => {
  it('is computed by hand: n, mean, std ÷(n-1), interquartile mean', () => {
    // 1, 2, 3, 4, 100: std from squares 441 + 400 + 361 + 324 + 6084 = 7610, ÷4; IQM (0.75·2 + 3 + 0.75·4) / 2.5
    expect(summaryOf([3, 100, 1, 4, 2])).toEqual({ n: 5, mean: 22, std: Math.sqrt(7610 / 4), iqm: 3 });
    expect(summaryOf([8])).toEqual({ n: 1, mean: 8, std: null, iqm: 8 });
    expect(summaryOf([1, 5])).toMatchObject({ mean: 3, iqm: 3 });
    expect(summaryOf([])).toEqual({ n: 0, mean: null, std: null, iqm: null });
  });

  it('has the interquartile mean of its slow definition: four of every value, a quarter of them off at either end', () => {
    const slow = (values: readonly number[]): number => {
      const four = values.flatMap((x) => [x, x, x, x]).sort((a, b) => a - b);
      return mean(four.slice(values.length, 3 * values.length));
    };
    fc.assert(
      fc.property(numbers, (values) => {
        expect(summaryOf(values).iqm).toBeCloseTo(slow(values), 8);
      }),
      { seed: 1 },
    );
  });

  it('is rliable’s (scipy’s trim_mean) where 4 divides n', () => {
    expect(summaryOf([9, 1, 7, 3, 5, 2, 8, 100]).iqm).toBe(mean([3, 5, 7, 8]));
  });

  it('does not depend on order', () => {
    fc.assert(
      fc.property(numbers, (values) => {
        expect(summaryOf([...values].reverse()).iqm).toBe(summaryOf(values).iqm);
      }),
      { seed: 1 },
    );
  });
});

describe('studentT975(…)', () => {
  /** P(T <= t): with t = √df · tan θ the density is that of cos^(df-1) θ. Simpson's rule. */
  function cdf(t: number, df: number): number {
    const area = (to: number): number => {
      const n = 20_000;
      const f = (i: number): number => Math.cos((i * to) / n) ** (df - 1) * (i === 0 || i === n ? 1 : i % 2 === 1 ? 4 : 2);
      return Array.from({ length: n + 1 }, (_, i) => f(i)).reduce((sum, x) => sum + x, 0) * (to / n / 3);
    };
    return 0.5 + area(Math.atan(t / Math.sqrt(df))) / (2 * area(Math.PI / 2));
  }

  it.each([...Array.from({ length: 34 }, (_, i) => i + 1), 50, 99, 1000])('%i degrees of freedom leave 0.025 above it', (df) => {
    expect(Math.abs(cdf(studentT975(df), df) - 0.975)).toBeLessThan(1e-8);
  });
});

describe('interval95(…)', () => {
  it('is mean ± t·std/√n, and nothing below n = 2', () => {
    const { low, high } = interval95(summaryOf([1, 2, 3, 4, 5]));
    expect([low, high]).toEqual([3 - 1.963243, 3 + 1.963243].map((x) => expect.closeTo(x, 5))); // 2.776445 · 1.581139 / 2.236068
    expect(interval95(summaryOf([1]))).toEqual({ low: null, high: null });
    expect(interval95(summaryOf([2, 2]))).toEqual({ low: 2, high: 2 });
  });
});
