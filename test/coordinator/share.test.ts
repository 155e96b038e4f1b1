import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RunningMedian, windowOf } from '../../src/coordinator/share.ts';

const weight = fc.double({ min: 0.01, max: 100, noNaN: true });
const shared = fc.record({
  slots: fc.nat(2_000),
  medianMs: fc.option(fc.double({ min: 0, max: 1e7, noNaN: true })),
  weight,
  rivals: fc.array(weight, { maxLength: 8 }),
});

describe('windowOf(shared)', () => {
  it('is at least 1 and at most 5000, and enough for every slot of a sweep that is alone', () => {
    fc.assert(
      fc.property(shared, ({ slots, medianMs, weight, rivals }) => {
        const window = windowOf({ slots, medianMs, weight, weights: [weight, ...rivals] });
        expect(window).toBeGreaterThanOrEqual(1);
        expect(window).toBeLessThanOrEqual(5_000);
        if (rivals.length === 0) expect(window).toBeGreaterThanOrEqual(Math.min(5_000, 2 * slots));
      }),
    );
  });

  it('has work for a minute, and not for an hour: jobs of 100 ms on 2 slots are 1200', () => {
    const alone = { weight: 1, weights: [1] };
    expect(windowOf({ slots: 2, medianMs: 100, ...alone })).toBe(1_200);
    expect(windowOf({ slots: 2, medianMs: 60_000, ...alone })).toBe(8);
    expect(windowOf({ slots: 16, medianMs: 600_000, ...alone })).toBe(32);
    expect(windowOf({ slots: 0, medianMs: null, ...alone })).toBe(8);
  });

  it('is shared by weight: windows of sweeps on the same slots add up to that of one alone', () => {
    fc.assert(
      fc.property(fc.array(weight, { minLength: 1, maxLength: 6 }), fc.nat(500), (weights, slots) => {
        const all = { slots, medianMs: 1_000 };
        const sum = weights.reduce((total, weight) => total + windowOf({ ...all, weight, weights }), 0);
        const alone = windowOf({ ...all, weight: 1, weights: [1] });
        expect(sum).toBeGreaterThanOrEqual(alone);
        expect(sum).toBeLessThanOrEqual(alone + weights.length);
      }),
    );
  });

  /** A queue in the order of arrival, `slots` servers, jobs of one tick: what windows make of it. */
  const served = (weights: readonly number[], slots: number, ticks: number): number[] => {
    const windows = weights.map((weight) => windowOf({ slots, medianMs: 10_000, weight, weights }));
    const counts = weights.map(() => 0);
    const queue = windows.flatMap((window, i) => Array<number>(window).fill(i)); // one after the other, the worst start
    for (let t = 0; t < ticks; t++) {
      const done = queue.splice(0, slots);
      for (const i of done) counts[i] = counts[i]! + 1;
      queue.push(...done); // and topped up
    }
    return counts;
  };
  it.each([[[1, 1]], [[1, 3]], [[5, 1, 2]]])('serves sweeps in proportion to their weights %j', (weights) => {
    const counts = served(weights, 8, 10_000);
    const [all, sum] = [counts.reduce((a, b) => a + b), weights.reduce((a, b) => a + b)];
    for (const [i, count] of counts.entries()) expect(count / all).toBeCloseTo(weights[i]! / sum, 1);
  });
});

describe('RunningMedian', () => {
  it('is of the last 101 numbers', () => {
    const median = new RunningMedian();
    expect(median.value).toBeNull();
    for (let i = 0; i < 101; i++) median.see(1_000);
    for (let i = 0; i < 50; i++) median.see(i);
    expect(median.value).toBe(1_000);
    median.see(7);
    expect(median.value).toBe(49);
  });
});
