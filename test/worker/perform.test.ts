import { describe, expect, it } from 'vitest';
import { AbortedError } from '../../src/contract/errors.ts';
import { stopwatch } from '../../src/worker/executor/perform.ts';
import { cells } from '../../src/worker/executor/protocol.ts';

describe('stopwatch()', () => {
  const make = () => {
    let time = 0;
    const shared = new Int32Array(cells.length);
    const watch = stopwatch(shared, () => time);
    const pass = (ms: number): void => {
      time += ms;
    };
    return { ...watch, shared, pass };
  };

  it('charges a nested phase to itself and not to the one around it', () => {
    const { observe, pass, phasesMs } = make();
    pass(5); // outside of every phase: charged to none
    observe.phase('correct', () => {
      pass(10);
      observe.phase('curve', () => pass(100));
      pass(20);
      observe.phase('curve', () => pass(200));
      return 'value';
    });
    expect(phasesMs()).toEqual({ correct: 30, curve: 300 });
  });

  it('ends a phase that throws', () => {
    const { observe, pass, phasesMs } = make();
    const doomed = (): void => {
      pass(7);
      throw new Error('no');
    };
    expect(() => observe.phase('correct', () => observe.phase('curve', doomed))).toThrow('no');
    observe.phase('evaluate', () => pass(1));
    expect(phasesMs()).toEqual({ correct: 0, curve: 7, evaluate: 1 });
  });

  it('tells how far the work is, and throws AbortedError once it was asked to stop', () => {
    const { observe, shared } = make();
    observe.progress(3, 12);
    expect([shared[cells.done], shared[cells.total]]).toEqual([3, 12]);
    Atomics.store(shared, cells.abort, 1);
    expect(() => observe.progress(4, 12)).toThrow(AbortedError);
  });
});
