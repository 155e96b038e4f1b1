import { describe, expect, it } from 'vitest';
import { AbortedError, MemoryError } from '../../src/contract/errors.ts';
import { watchMemory } from '../../src/worker/executor/memory.ts';
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

describe('watchMemory(limit)', () => {
  const MB = 2 ** 20;
  const make = (...measured: { heap: number; outside: number }[]) => {
    const shared = new Int32Array(cells.length);
    return { shared, ...watchMemory(64, shared, () => measured.shift() ?? { heap: 0, outside: 0 }) };
  };

  it('check() tells the executor what is held, and throws with the numbers what is too much even without garbage', () => {
    const { check, shared } = make(
      { heap: 60 * MB, outside: 4 * MB },
      { heap: 60 * MB, outside: 5 * MB },
      { heap: 10 * MB, outside: 5 * MB },
    );
    check();
    check(); // 65 MB, of which 50 were garbage
    expect([shared[cells.heldMb], shared[cells.samples]]).toEqual([65, 2]);
    const over = make({ heap: 60 * MB, outside: 5 * MB }, { heap: 59.5 * MB, outside: 5 * MB });
    expect(over.check).toThrow(new MemoryError('memory: more than 64 MB (65 MB: 60 of heap, 5 of array buffers and wasm)'));
  });

  it('sample() measures at once, and then not again for 20 ms', () => {
    const { sample, shared } = make();
    for (let i = 0; i < 1000; i++) sample();
    expect(shared[cells.samples]).toBeGreaterThanOrEqual(1);
    expect(shared[cells.samples]).toBeLessThan(10);
  });

  const thrown = (work: () => unknown): unknown => {
    try {
      return work();
    } catch (error) {
      return error;
    }
  };

  it.each([
    [
      () => new ArrayBuffer(1e15),
      'memory: more than 64 MB (Array buffer allocation failed, with 3 MB: 1 of heap, 2 of array buffers and wasm)',
    ],
    [() => new Float64Array(1e13), 'memory: more than 64 MB (Invalid typed array length: 10000000000000, with 3 MB'],
    [() => new WebAssembly.Memory({ initial: 100_000 }), 'memory: more than 64 MB (refused: 6250 MB of wasm memory at once, with 3 MB'],
    [() => new WebAssembly.Memory({ initial: 1e15 }), 'must be in the unsigned long range, with 3 MB'],
    [() => new WebAssembly.Memory({ initial: 1, maximum: 2 }).grow(2), 'Maximum memory size exceeded, with 3 MB'],
  ])('explain(error) knows what V8 throws for %s', (work, message) => {
    const { explain } = make({ heap: MB, outside: 2 * MB });
    const error = explain(thrown(work));
    expect(error).toBeInstanceOf(MemoryError);
    expect((error as Error).message).toContain(message);
  });

  it.each([() => new Float32Array(-1), () => new Array(-1), () => 'x'.repeat(-1), () => (1.5).toFixed(200)])(
    'explain(error) leaves a mistake what it is: %s',
    (work) => {
      const error = thrown(work);
      expect(error).toBeInstanceOf(RangeError);
      expect(make().explain(error)).toBe(error);
    },
  );
});
