import { describe, expect, it } from 'vitest';
import { ENVIRONMENTS } from '../../src/contract/environments.ts';
import { SCENARIOS } from '../../src/contract/scenarios.ts';
import { strategyPreset } from '../../src/contract/strategies.ts';
import { makeConstraint } from '../../src/correction/constraint.ts';
import { encodeForgetSet, identify, thin } from '../../src/correction/identify/rules.ts';
import { makeEnv } from '../../src/envs/make.ts';
import { makeEngine } from '../../src/math/engines/index.ts';
import { Stream } from '../../src/math/rng/threefry.ts';
import { decodeTensors } from '../../src/math/safetensors.ts';
import { episodeStreams } from '../../src/ppo/episodes.ts';
import { initialParams } from '../../src/ppo/init.ts';

const { environment, options, rules } = SCENARIOS['cartpole/angle']!;
const world = ENVIRONMENTS[environment]!.options.parse(options);
const constraint = makeConstraint(environment, rules, 0.02);
const network = makeEngine('wasm').network({ obsDim: 4, hidden: [8], actions: 2, gaussian: false, separate: false }, 64);
network.set(initialParams(network.shape, { orthogonalInit: true }, new Stream(5, 6)));

const collect = (given: Record<string, number>) => {
  const chosen = strategyPreset('none').options.parse(given) as Parameters<typeof identify>[3];
  const makeWorld = (n: number) => makeEnv(environment, world, n);
  return identify({ makeWorld, network, streams: episodeStreams('identify', {}, 3, chosen.episodes) }, constraint, 500, chosen);
};

describe('identify(…)', () => {
  const found = collect({ episodes: 50 });

  it('records pairs in which the action was forbidden in that state, with where they come from', () => {
    const { forget } = found;
    expect(forget.count).toBeGreaterThan(20);
    for (let i = 0; i < forget.count; i++) {
      expect((constraint.toxic(forget.obs, i) >>> forget.action[i]!) & 1).toBe(1);
      expect(forget.episode[i]).toBeLessThan(30); // the first 60 %
      expect(forget.weight[i]).toBe(1);
    }
  });

  it('retains only states outside the region and its margin: |θ| < 0.08 − 0.02 · 0.836', () => {
    const { retain, validation, heldOut } = found;
    for (const { obs, count } of [retain, validation.outside, heldOut.outside]) {
      expect(count).toBeGreaterThan(20);
      for (let i = 0; i < count; i++) expect(Math.abs(obs[i * 4 + 2]!)).toBeLessThan(0.08 - 0.02 * 0.836);
    }
  });

  it('holds out states of the region that are in no other part', () => {
    const keys = ({ obs, count }: { obs: Float32Array; count: number }) =>
      Array.from({ length: count }, (_, i) => obs.slice(i * 4, i * 4 + 4).join());
    const used = new Set([...keys(found.forget), ...keys(found.validation.region)]);
    expect(found.heldOut.region.count).toBeGreaterThan(20);
    expect(keys(found.heldOut.region).filter((key) => used.has(key))).toEqual([]);
  });

  it('counts what it saw', () => {
    expect(found.cost).toEqual({ gradientSteps: 0, environmentSteps: found.steps, samples: 0 });
    expect(found.violatingSteps).toBeLessThan(found.regionSteps);
    expect(found.regionSteps).toBeLessThan(found.steps);
  });

  it('keeps at most as many as it is told, evenly spread', () => {
    const few = collect({ episodes: 50, forgetPairs: 10, retainStates: 7 });
    expect([few.forget.count, few.retain.count]).toEqual([10, 7]);
    expect(few.heldOut).toEqual(found.heldOut); // what is measured is not the strategy's to choose
    expect(few.forget.episode[9]! - few.forget.episode[0]!).toBeGreaterThan(15);
  });
});

describe('encodeForgetSet(…)', () => {
  it('keeps pairs, weights and provenance', () => {
    const { forget } = collect({ episodes: 10 });
    const { tensors, metadata } = decodeTensors(encodeForgetSet(forget));
    expect(metadata).toEqual({ format: 'spc-forget-1' });
    expect(tensors['obs']).toEqual({ shape: [forget.count, 4], data: forget.obs });
    expect(tensors['step']!.data).toEqual(forget.step);
  });
});

describe('thin(items, limit)', () => {
  it('keeps all, or exactly the limit, in order and without repeats', () => {
    const items = Array.from({ length: 100 }, (_, i) => i);
    expect(thin(items, 100)).toEqual(items);
    expect(thin(items, 3)).toEqual([0, 33, 66]);
    expect(new Set(thin(items, 99)).size).toBe(99);
  });
});
