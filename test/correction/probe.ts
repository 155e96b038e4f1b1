import type { Json } from '../../src/contract/ids.ts';
import { SCENARIOS } from '../../src/contract/scenarios.ts';
import type { CompiledRule } from '../../src/contract/spec.ts';
import { type StatesOptions, strategyPreset } from '../../src/contract/strategies.ts';
import { type Constraint, makeConstraint } from '../../src/correction/constraint.ts';
import type { ForgetSet } from '../../src/correction/identify/rules.ts';
import type { States } from '../../src/correction/states.ts';
import { boxesAround, inMargin, type Span, sampleOutside, sampleRegion, toxicMask } from '../../src/envs/constraint.ts';
import { makeDistribution } from '../../src/math/distribution.ts';
import type { Engine, Network, Shape } from '../../src/math/engine.ts';
import { size } from '../../src/math/layout.ts';
import { Stream } from '../../src/math/rng/threefry.ts';
import type { Policy } from '../../src/ppo/policy.ts';
import { noise } from '../math/harness.ts';

/** cartpole/angle: what a probe corrects has observations of this kind. */
export const ANGLE: Constraint = makeConstraint('CartPole-v1', SCENARIOS['cartpole/angle']!.rules, 0.02);
export const CARTPOLE: Shape = { obsDim: 4, hidden: [8], actions: 2, gaussian: false, separate: false };

/** Two dimensions and three actions: 0 and 1 are toxic on the right, 2 on the left; there are two boxes on the right, one within the other. */
const RULES: readonly CompiledRule[] = [
  { dims: [{ index: 0, low: 0.25, high: Infinity }], toxic: 0b11 },
  {
    dims: [
      { index: 0, low: 0.5, high: 0.75 },
      { index: 1, low: 0, high: Infinity },
    ],
    toxic: 0b10,
  },
  { dims: [{ index: 0, low: -Infinity, high: -0.5 }], toxic: 0b100 },
];
const BOX: readonly Span[] = [
  { low: -1, high: 1 },
  { low: -2, high: 2 },
];
const MARGIN = Float32Array.of(0.0625, 0);

export const TOY: Constraint = {
  bare: false,
  obsDim: 2,
  policy: makeDistribution({ actions: 3, gaussian: false }),
  widths: Float64Array.of(2, 4),
  toxic: (obs, row) => toxicMask(RULES, obs, row, 2),
  outside: (obs, row) => !inMargin(RULES, obs, row, 2, MARGIN),
  sampleRegion: (rng, out, rows) => sampleRegion(RULES, BOX, rng, out, rows),
  sampleOutside: (rng, out, rows) => sampleOutside(RULES, MARGIN, BOX, rng, out, rows),
  boxesAround: (points, rows, low, high) => boxesAround(RULES, BOX, points, rows, low, high),
};
export const TOY_SHAPE: Shape = { obsDim: 2, hidden: [6], actions: 3, gaussian: false, separate: false };

/** An untrained policy with opinions: random weights, the same ones on every engine. */
export const untrained = (shape: Shape, seed = 1, scale = 0.6): Policy => ({
  shape,
  params: noise(Math.imul(seed, 0x9e3779b1))(size(shape), scale),
});

export function networkOf(engine: Engine, { shape, params }: Policy, maxRows = 1024): Network {
  const network = engine.network(shape, maxRows);
  network.set(params);
  return network;
}

export function regionStates(constraint: Constraint, count: number, seed = 11): States {
  const obs = new Float32Array(count * constraint.obsDim);
  constraint.sampleRegion(new Stream(seed, 0), obs, count);
  return { obs, count };
}

export function outsideStates(constraint: Constraint, count: number, seed = 12): States {
  const obs = new Float32Array(count * constraint.obsDim);
  constraint.sampleOutside(new Stream(seed, 0), obs, count);
  return { obs, count };
}

/** States of the region, each with its first toxic action. */
export function violatingPairs(constraint: Constraint, count: number, seed = 13): ForgetSet {
  const states = regionStates(constraint, count, seed);
  const index = Int32Array.from({ length: count }, (_, i) => i);
  const action = index.map((i) => 31 - Math.clz32(constraint.toxic(states.obs, i) & -constraint.toxic(states.obs, i)));
  return { ...states, action, weight: new Float32Array(count).fill(1), episode: index, step: index };
}

/** A preset's options, small, and `given`. */
export function optionsOf(preset: string, given: Readonly<Record<string, Json>> = {}): StatesOptions {
  const small = {
    steps: 20,
    forgetBatch: 32,
    retainBatch: 32,
    worstCase: 8,
    uniformRetain: 16,
    regionSamples: 64,
    retainStates: 128,
    inverted: 0,
    inversionSteps: 5,
    ...given,
  };
  const { options, reads } = strategyPreset(preset);
  return options.parse(Object.fromEntries(Object.entries(small).filter(([key]) => reads.includes(key)))) as unknown as StatesOptions;
}

/** Row `row` as text: the key of a state. */
export const rowKey = (obs: ArrayLike<number>, row: number, width: number): string =>
  Array.from({ length: width }, (_, d) => obs[row * width + d]).join();
