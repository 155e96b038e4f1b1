/** TensorFlow where it runs: in the threads of an executor. Where it is not installed, test/math/engines.ts says so. */
import { afterEach, describe, expect, it } from 'vitest';
import { DivergedError } from '../../src/contract/errors.ts';
import type { Job } from '../../src/contract/job.ts';
import { unlimited } from '../../src/contract/job.ts';
import { baseId, type EngineName } from '../../src/contract/spec.ts';
import type { AdamState, Engine, Network, Shape } from '../../src/math/engine.ts';
import { makeEngine } from '../../src/worker/engines.ts';
import { watchMemory } from '../../src/worker/executor/memory.ts';
import { makeThread } from '../../src/worker/executor/perform.ts';
import { cells } from '../../src/worker/executor/protocol.ts';
import { runTrial } from '../../src/worker/jobs.ts';
import { loadTensorFlow } from '../../src/worker/tfjs/load.ts';
import { ENGINES } from '../math/engines.ts';
import { ExecutorPool, lackingThread, numericsOf } from './compiled.ts';
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

describe.each(names)('a network of %s', (name) => {
  const shape: Shape = { obsDim: 4, hidden: [8], actions: 2, gaussian: false, separate: false };
  const { tf } = loadTensorFlow(name);
  const step = (network: Network, state: AdamState): void => {
    const head = network.forward(new Float32Array(12).fill(0.5), 3);
    head.dLogits.fill(0.1);
    head.dValue.fill(0.2);
    const { weights } = network.backward(3, { weights: true, input: true });
    network.sampleNorms(3, network.vector(3));
    network.fisher(3, network.vector(network.size));
    network.adam(state, weights, { learningRate: 0.01, beta1: 0.9, beta2: 0.999, eps: 1e-5, scale: 1 });
  };

  it('holds as many tensors after a hundred steps as after one, and none when it is freed', () => {
    const before = tf.memory().numTensors;
    const network = makeEngine(name).network(shape, 3);
    const state = { m: network.vector(network.size), v: network.vector(network.size), step: 0 };
    step(network, state);
    const after = tf.memory().numTensors;
    for (let i = 0; i < 100; i++) step(network, state);
    expect(tf.memory().numTensors).toBe(after);
    network.free();
    expect(tf.memory().numTensors).toBe(before);
    expect(() => network.forward(new Float32Array(4), 1)).toThrow('network: expected one in use, got one that was freed');
  });

  it('is freed when its job fails', () => {
    const before = tf.memory().numTensors;
    const trainBase = (_: unknown, engine: Engine): never => {
      const network = engine.network(shape, 3);
      step(network, { m: network.vector(network.size), v: network.vector(network.size), step: 0 });
      expect(tf.memory().numTensors).toBeGreaterThan(before);
      throw new DivergedError('no');
    };
    const thread = makeThread({ makeEngine, trainBase, runTrial });
    const answer = thread({ job: jobOf(1, name), policy: null, memoryMb: 700, cells: new SharedArrayBuffer(4 * cells.length) });
    expect(answer).toMatchObject({ row: { ok: false, failure: { kind: 'diverged', message: 'no' } } });
    expect(tf.memory().numTensors).toBe(before);
  });

  it('computes on its own backend, whichever was loaded last', () => {
    const network = makeEngine(name).network(shape, 1);
    for (const other of names) {
      makeEngine(other);
      network.forward(new Float32Array(4), 1);
      expect(tf.getBackend()).toBe(name === 'tfjs' ? 'tensorflow' : 'cpu');
    }
  });
});

describe('ExecutorPool({ engines })', () => {
  it('is an error that says what is missing, and no row, where an engine does not start', async () => {
    const pool = new ExecutorPool({ slots: 1, engines: ['no such'] as unknown as EngineName[], threadModule: lackingThread });
    pools.push(pool);
    await expect(pool.run(jobOf(1, 'tfjs-cpu'), null)).rejects.toThrow(
      'the executor process does not start (exit code 1, 3 times): self-test: engine no such: expected it to be installed, found nothing',
    );
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

describe.each(names.filter((name) => name === 'tfjs'))('a tensor that %s has no memory for', (name) => {
  it('is explained as a limit, and TensorFlow goes on', () => {
    const { tf } = loadTensorFlow(name);
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
