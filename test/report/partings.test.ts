import { describe, expect, it } from 'vitest';
import { comparable, partingOf, partingStep } from '../../src/report/partings.ts';

describe('partingStep(step, a, b)', () => {
  const step = [100, 200, 300];
  it.each([
    [['x', 'y', 'z'], ['x', 'y', 'z'], null],
    [['x', 'y', 'z'], ['x', 'q', 'z'], 200],
    [['x', 'y', 'z'], ['q', 'y', 'z'], 100],
    [[1, null, 3], [1, null, 3], null],
    [[1, null, 3], [1, 2, 3], 200],
    [['x', 'y', 'z'], ['x', 'y'], 300],
    [['x', 'y'], ['x', 'y', 'z'], 300],
    [[], [], null],
  ])('of %j and %j is %j', (a, b, at) => {
    expect(partingStep<string | number | null>(step, a, b)).toBe(at);
  });
});

describe('partingOf(steps)', () => {
  it('gives median, least and most of those that parted, and counts the others', () => {
    expect(partingOf([300, null, 100])).toEqual({ n: 3, same: 1, median: 200, min: 100, max: 300 });
    expect(partingOf([700, 100, 200])).toEqual({ n: 3, same: 0, median: 200, min: 100, max: 700 });
    expect(partingOf([null, null])).toEqual({ n: 2, same: 2, median: null, min: null, max: null });
  });
});

it('comparable(a, b) is false where one of them keeps float64: the bytes are others, whatever the numbers', () => {
  expect([comparable('wasm', 'tfjs'), comparable('tfjs', 'tfjs-cpu'), comparable('reference', 'reference')]).toEqual([true, true, true]);
  expect([comparable('wasm', 'reference'), comparable('reference', 'tfjs')]).toEqual([false, false]);
});
