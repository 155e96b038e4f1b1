import { describe, expect, it } from 'vitest';
import { affine } from '../../src/math/layout.ts';
import { Stream } from '../../src/math/rng/threefry.ts';
import { initialParams } from '../../src/ppo/init.ts';
import { makeObservationNorm, makeRewardNorm } from '../../src/ppo/normalise.ts';
import { ENGINES } from '../math/engines.ts';
import { probeWorld } from './probeworld.ts';

const shape = { obsDim: 3, hidden: [8], actions: 2, gaussian: false, separate: false, normalised: true } as const;

describe.each(ENGINES)('makeObservationNorm(network) on $name', (engine) => {
  it('has the mean and the std of all observations so far, whatever the batches, and moves no other parameter', () => {
    const network = engine.network(shape, 16);
    network.set(initialParams(shape, { orthogonalInit: true }, new Stream(1, 1)));
    const before = network.get();
    const norm = makeObservationNorm(network);
    const rng = new Stream(2, 2);
    const all: number[][] = [];
    for (const rows of [400, 30, 1, 570]) {
      const batch = Array.from({ length: rows }, () => [5 + rng.normal(), 1e-2 * rng.normal(), -3]);
      all.push(...batch);
      norm.see(Float64Array.from(batch.flat()));
    }
    const after = network.get();
    const { shift, scale } = affine(shape);
    for (let d = 0; d < 3; d++) {
      const mean = all.reduce((sum, row) => sum + row[d]!, 0) / all.length;
      const variance = all.reduce((sum, row) => sum + (row[d]! - mean) ** 2, 0) / all.length;
      expect(after[shift + d]! / mean).toBeCloseTo(1, 3);
      if (d < 2) expect(after[scale + d]! * Math.sqrt(variance)).toBeCloseTo(1, 2);
    }
    expect([...after.subarray(0, shift)]).toEqual([...before.subarray(0, shift)]);
  });
});

describe('makeRewardNorm(options)', () => {
  it('divides by the std of the discounted return of every world, begun anew with an episode, and clips at ±10', () => {
    const gamma = 0.9;
    const world = probeWorld({ length: 3, reward: (obs) => 4 * obs + 1 }, 5);
    world.reset(1);
    const norm = makeRewardNorm({ gamma, numEnvs: 5 });
    const seen: number[] = [];
    const running = new Array<number>(5).fill(0);
    for (let t = 0; t < 200; t++) {
      world.step();
      norm.see(world);
      for (let e = 0; e < 5; e++) {
        running[e] = running[e]! * gamma + world.reward[e]!;
        seen.push(running[e]!);
      }
      for (let e = 0; e < 5; e++) if (world.ended[e]) running[e] = 0;
    }
    const mean = seen.reduce((a, b) => a + b) / seen.length;
    const std = Math.sqrt(seen.reduce((sum, x) => sum + (x - mean) ** 2, 0) / seen.length);
    expect(norm.scale(1) * std).toBeCloseTo(1, 3);
    expect([norm.scale(1e6), norm.scale(-1e6)]).toEqual([10, -10]);
  });
});
