import { describe, expect, it } from 'vitest';
import { type PpoOptions, ppoSchema } from '../../src/contract/ppo.ts';
import { exp } from '../../src/math/elementary.ts';
import type { Engine, Network } from '../../src/math/engine.ts';
import { makeEngine } from '../../src/math/engines/index.ts';
import { Stream } from '../../src/math/rng/threefry.ts';
import { initialParams } from '../../src/ppo/init.ts';
import { rowsNeeded, train } from '../../src/ppo/train.ts';
import { ENGINES } from '../math/engines.ts';
import { type Probe, probeWorld } from './probeworld.ts';

const GAMMA = 0.5; // far from 1, so that a wrong discount shows

function trainOn(probe: Probe, engine: Engine, options: Partial<PpoOptions> = {}): Network {
  const ppo = ppoSchema.parse({
    totalTimesteps: 6400,
    numEnvs: 4,
    numSteps: 16,
    numMinibatches: 2,
    updateEpochs: 8,
    learningRate: 5e-3,
    gamma: GAMMA,
    hidden: [16],
    ...options,
  });
  const network = engine.network(
    {
      obsDim: 1,
      hidden: ppo.hidden,
      actions: probe.continuous ? 1 : 2,
      gaussian: probe.continuous === true,
      separate: ppo.separate,
      ...(ppo.normObs && { normalised: true as const }),
    },
    Math.max(rowsNeeded(ppo), 8),
  );
  network.set(initialParams(network.shape, ppo, new Stream(7, 0)));
  train({
    world: probeWorld(probe, ppo.numEnvs),
    network,
    options: ppo,
    action: new Stream(7, 1),
    shuffle: new Stream(7, 2),
    log: () => {},
  });
  return network;
}

const value = (network: Network, obs: number): number => network.forward(Float32Array.of(obs), 1).value[0]!;

/** π(1|obs) */
function probability(network: Network, obs: number): number {
  const { logits } = network.forward(Float32Array.of(obs), 1);
  return 1 / (1 + exp(logits[0]! - logits[1]!));
}

describe.each(ENGINES)('probe worlds on $name', (engine) => {
  it('train(reward is always 1, one step) learns V = 1          suspect: value loss, optimiser', () => {
    const network = trainOn({ length: 1, start: () => 0, reward: () => 1 }, engine);
    expect(value(network, 0)).toBeCloseTo(1, 1);
  });

  it('train(reward equals the observation) learns V = obs       suspect: observations, backprop', () => {
    const network = trainOn({ length: 1, reward: (obs) => obs }, engine);
    expect(value(network, 1)).toBeCloseTo(1, 1);
    expect(value(network, -1)).toBeCloseTo(-1, 1);
  });

  it('train(reward comes one timestep later) learns V = γ       suspect: discount, GAE, bootstrap', () => {
    const network = trainOn({ length: 2, start: () => 0, next: () => 1, reward: (_obs, _action, step) => step }, engine);
    expect(value(network, 0)).toBeCloseTo(GAMMA, 1);
    expect(value(network, 1)).toBeCloseTo(1, 1);
  });

  it('train(only action 1 pays) learns to pick it               suspect: sign of the advantage', () => {
    const network = trainOn({ length: 1, start: () => 0, reward: (_obs, action) => action }, engine);
    expect(probability(network, 0)).toBeGreaterThan(0.95);
  });

  it('train(which action pays depends on obs) learns to follow  suspect: batching, stale log-probabilities', () => {
    const network = trainOn({ length: 1, reward: (obs, action) => (action === (obs > 0 ? 1 : 0) ? 1 : -1) }, engine);
    expect(probability(network, 1)).toBeGreaterThan(0.95);
    expect(probability(network, -1)).toBeLessThan(0.05);
  });

  it('train(the nearer to 0.6·obs the better) learns the mean      suspect: Gaussian log-probability, unclipped actions', () => {
    const near = { length: 1, continuous: true, reward: (obs: number, action: number) => -((action - 0.6 * obs) ** 2) };
    const network = trainOn(near, engine, { totalTimesteps: 19_200, entCoef: 0, learningRate: 1e-2, annealLr: true });
    for (const obs of [1, -1]) expect(network.forward(Float32Array.of(obs), 1).logits[0]! / (0.6 * obs)).toBeCloseTo(1, 0);
    expect(network.forward(Float32Array.of(1), 1).logStd[0]).toBeLessThan(-0.5); // sure of itself
  });

  it('train(tiny observations far from 0) learns with normObs, and not without   suspect: running moments, frozen layer', () => {
    const far = {
      length: 1,
      start: (coin: boolean) => 50 + (coin ? 1e-2 : -1e-2),
      reward: (obs: number, action: number) => ((obs > 50 ? 1 : 0) === action ? 1 : -1),
    };
    const gap = (normObs: boolean): number => {
      const network = trainOn(far, engine, { totalTimesteps: 6400, normObs });
      return probability(network, 50.01) - probability(network, 49.99);
    };
    expect(gap(true)).toBeGreaterThan(0.9);
    expect(gap(false)).toBeLessThan(0.5);
  });

  it('train(rewards of a million) learns V in units of their spread with normReward   suspect: reward scale', () => {
    const network = trainOn({ length: 1, reward: (obs) => 1e6 * obs }, engine, { normReward: true });
    expect(value(network, 1)).toBeCloseTo(1, 1);
    expect(value(network, -1)).toBeCloseTo(-1, 1);
  });
});

describe('train(a world that pays 1 per step and is cut off after 4)', () => {
  const forever = { length: 4, truncates: true, start: () => 0, reward: () => 1 };

  it('bootstraps V(s′) at a time limit: V = 1/(1 − γ)', () => {
    expect(value(trainOn(forever, makeEngine('wasm'), { totalTimesteps: 12_800 }), 0)).toBeCloseTo(1 / (1 - GAMMA), 1);
  });

  it('does not with bootstrapTruncated off: the observation does not tell the time, so V is a mean over the four steps', () => {
    const v = value(trainOn(forever, makeEngine('wasm'), { totalTimesteps: 12_800, bootstrapTruncated: false }), 0);
    expect(v).toBeLessThan(1.75);
    expect(v).toBeGreaterThan(1.2);
  });

  it.each([false, 'too'] as const)('does not when the episode terminated (truncated: %s)', (truncates) => {
    const v = value(trainOn({ ...forever, truncates }, makeEngine('wasm'), { totalTimesteps: 12_800 }), 0);
    expect(v).toBeLessThan(1.75);
  });
});

describe('train(…) with a core detail turned off or on', () => {
  const follow: Probe = { length: 1, reward: (obs, action) => (action === (obs > 0 ? 1 : 0) ? 1 : -1) };
  const weights = (options: Partial<PpoOptions>, probe: Probe) => {
    const network = trainOn(probe, makeEngine('wasm'), { totalTimesteps: 640, entCoef: 0.01, ...options });
    return network.get();
  };

  // Each must change the weights (it is wired), and the probe must still be learnt (it is not broken).
  const changes: [string, Partial<PpoOptions>][] = [
    ['1 numEnvs', { numEnvs: 1, numSteps: 64 }],
    ['2 orthogonalInit off', { orthogonalInit: false }],
    ['3 adamEps 1e-3', { adamEps: 1e-3 }],
    ['4 annealLr', { annealLr: true }],
    ['5 GAE off', { gaeLambda: 1 }],
    ['6 shuffle off', { shuffle: false }],
    ['7 normAdv off', { normAdv: false }],
    ['8 clipCoef off', { clipCoef: null }],
    ['8 annealClip', { annealClip: true }],
    ['9 clipVloss', { clipVloss: true }],
    ['10 entCoef 0', { entCoef: 0 }],
    ['11 maxGradNorm off', { maxGradNorm: null }],
    ['13 separate networks', { separate: true }],
    ['targetKl', { targetKl: 1e-4 }],
  ];
  it.each(changes)('%s changes what is learnt', (name, options) => {
    // In one-step episodes worlds and time are interchangeable and λ is idle: these two need longer ones.
    const probe = name.startsWith('1 ') || name.startsWith('5 ') ? { ...follow, length: 3 } : follow;
    expect(weights(options, probe)).not.toEqual(weights({}, probe));
  });

  it.each(changes.filter(([name]) => name !== 'targetKl'))('%s still solves the probe', (_name, options) => {
    const network = trainOn(follow, makeEngine('wasm'), options);
    expect(probability(network, 1)).toBeGreaterThan(0.9);
    expect(probability(network, -1)).toBeLessThan(0.1);
  });
});

describe('train(…) with a mask', () => {
  it('never takes a masked action', () => {
    const ppo = ppoSchema.parse({ totalTimesteps: 256, numEnvs: 4, numSteps: 16, numMinibatches: 2, hidden: [16] });
    const network = makeEngine('wasm').network({ obsDim: 1, hidden: [16], actions: 2, gaussian: false, separate: false }, 64);
    network.set(initialParams(network.shape, { orthogonalInit: true }, new Stream(1, 1)));
    const taken = new Set<number>();
    const reward = (_obs: number, action: number): number => {
      taken.add(action);
      return action;
    };
    const world = probeWorld({ length: 1, reward }, 4);
    train({ world, network, options: ppo, action: new Stream(7, 1), shuffle: new Stream(7, 2), mask: () => 0b10, log: () => {} });
    expect([...taken]).toEqual([0]);
  });
});
