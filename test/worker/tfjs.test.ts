/** TensorFlow where it runs: in the threads of an executor. Where it is not installed, test/math/engines.ts says so. */
import { afterEach, describe, expect, it } from 'vitest';
import type { Job } from '../../src/contract/job.ts';
import { unlimited } from '../../src/contract/job.ts';
import { baseId } from '../../src/contract/spec.ts';
import { watchMemory } from '../../src/worker/executor/memory.ts';
import { cells } from '../../src/worker/executor/protocol.ts';
import { ENGINES, installed } from '../math/engines.ts';
import { ExecutorPool, numericsOf } from './compiled.ts';
import { smallBase } from './specs.ts';

const names = ENGINES.map(({ name }) => name).filter((name) => name === 'tfjs' || name === 'tfjs-cpu');
const pools: InstanceType<typeof ExecutorPool>[] = [];
afterEach(() => {
  for (const pool of pools.splice(0)) pool.stop();
});

const jobOf = (seed: number, engine: (typeof names)[number], hidden = [16]): Job => {
  const spec = smallBase(seed, { hidden }, engine);
  return { kind: 'base', id: baseId(spec), spec, limits: unlimited };
};

describe.each(names)('engine %s in an executor', (name) => {
  const pool = (): InstanceType<typeof ExecutorPool> => {
    const made = new ExecutorPool({ slots: 2, engines: [name] });
    pools.push(made);
    return made;
  };

  it('two threads that start at once train two bases, to the same bytes in another process', async () => {
    const both = async () => {
      const finished = await Promise.all([1, 2].map((seed) => pools.at(-1)!.run(jobOf(seed, name), null)));
      return finished.map(({ row }) => row);
    };
    pool();
    const first = await both();
    expect(first.map(({ ok }) => ok)).toEqual([true, true]);
    pool();
    expect(await both()).toEqual(first);
  });

  it('a network that fits into no memory is a Failure row, and the executor goes on', async () => {
    const made = pool();
    const [huge, small] = await Promise.all([made.run(jobOf(1, name, [200_000, 200_000]), null), made.run(jobOf(2, name), null)]);
    expect(huge.row).toMatchObject({ ok: false, failure: { kind: 'limit', message: expect.stringMatching(/^memory: more than 700 MB/) } });
    expect(small.row.ok).toBe(true);
  });

  it('says in its version what decides its bits, and numerics knows its code', () => {
    const { engine, files } = numericsOf([name]);
    expect(engine).toMatch(name === 'tfjs' ? /^tfjs-node 4\.\d+\.\d+, TensorFlow 2\.\d+\.\d+, at most AVX2$/ : /^tfjs 4\.\d+\.\d+$/);
    expect(Object.keys(files)).toContain('worker/tfjs/engine.js');
  });
});

describe('numericsOf(engines)', () => {
  it('is of one engine what it always was, and of several whatever their order', () => {
    expect(numericsOf(['wasm', 'wasm']).engine).toMatch(/^[0-9a-f]{12}$/);
    expect(numericsOf(['wasm', 'reference'])).toEqual(numericsOf(['reference', 'wasm']));
    expect(numericsOf(['wasm', 'reference']).engine).toMatch(/^reference 1, wasm [0-9a-f]{12}$/);
    expect(numericsOf(['wasm', 'reference']).all).not.toBe(numericsOf(['wasm']).all);
    expect(Object.keys(numericsOf(['wasm']).files).filter((path) => path.startsWith('worker/tfjs'))).toEqual([]);
  });
});

describe('a tensor that TensorFlow has no memory for', () => {
  const engine = installed('tfjs');
  it.skipIf(typeof engine === 'string')('is explained as a limit, and TensorFlow goes on', async () => {
    const { loadTensorFlow } = await import('../../src/worker/tfjs/load.ts');
    const { tf } = loadTensorFlow('tfjs');
    const memory = watchMemory(700, new Int32Array(cells.length));
    const column = tf.zeros([1 << 20, 1]);
    let thrown: unknown;
    try {
      tf.matMul(column, tf.zeros([1, 1 << 20]));
    } catch (error) {
      thrown = memory.explain(error);
    }
    expect(String(thrown)).toMatch(
      /^MemoryError: memory: more than 700 MB \(refused: allocating tensor with shape\[1048576,1048576\], with /,
    );
    expect(tf.sum(column, 0).dataSync()[0]).toBe(0);
  });
});
