import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { makespan, type Task } from '../../src/coordinator/makespan.ts';

const task = (base: number, ...trials: readonly number[]): Task[] => {
  const shared = { ms: base };
  return trials.map((ms) => ({ ms, base: shared }));
};

describe('makespan', () => {
  it.each<[string, Task[], number, number]>([
    ['nothing', [], 2, 0],
    ['a base and its trials on one thread', task(10, 1, 2), 1, 13],
    ['a base, while its trials wait', task(10, 4, 4), 2, 14],
    ['a base that is there', task(0, 3, 3), 2, 3],
    ['trials that are done, and their base is not', task(5, 0, 0), 2, 5],
    ['a second base beside the first, and then its trials', [...task(10, 1, 1), ...task(10, 1, 1)], 2, 12],
    ['trials of a base that has come before a later base', [...task(1, 5), ...task(1, 5), ...task(100, 1)], 1, 113],
    [
      'a long trial as soon as it can run, not after all bases',
      [...task(1, 40), ...Array.from({ length: 20 }, () => task(1, 1)[0] as Task)],
      2,
      41,
    ],
  ])('makespan(%s)', (_, tasks, threads, ms) => expect(makespan(tasks, threads)).toBe(ms));

  it('makespan(anything) is the sum on one thread, and between sum / threads and the sum on more', () => {
    const groups = fc.array(fc.tuple(fc.nat(50), fc.array(fc.nat(50), { minLength: 1, maxLength: 4 })), { maxLength: 12 });
    fc.assert(
      fc.property(groups, fc.integer({ min: 1, max: 9 }), (sets, threads) => {
        const tasks = sets.flatMap(([base, trials]) => task(base, ...trials));
        const sum = sets.reduce((all, [base, trials]) => all + base + trials.reduce((some, ms) => some + ms, 0), 0);
        const ms = makespan(tasks, threads);
        expect(makespan(tasks, 1)).toBe(sum);
        expect([ms >= sum / threads, ms <= sum]).toEqual([true, true]);
      }),
    );
  });

  it('makespan(very many) is the sum by threads', () => {
    expect(
      makespan(
        Array.from({ length: 30_000 }, () => task(1, 1)[0] as Task),
        3,
      ),
    ).toBe(20_000);
  });
});
