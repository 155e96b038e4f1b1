import { describe, expect, expectTypeOf, it } from 'vitest';
import { DivergedError } from '../../src/contract/errors.ts';
import type { Json } from '../../src/contract/ids.ts';
import { type Phase, unobserved } from '../../src/contract/observe.ts';
import type { StatesOptions } from '../../src/contract/strategies.ts';
import { correctFromBounds, correctFromStates } from '../../src/correction/correct.ts';
import { drawn, fisherOf } from '../../src/correction/protect/fisher.ts';
import { divergences, mean, outputs, type States, toxicProbabilities } from '../../src/correction/states.ts';
import type { BoundsInput, Corrected, StatesInput } from '../../src/correction/strategy.ts';
import type { Engine, Floats, Network } from '../../src/math/engine.ts';
import { makeEngine } from '../../src/math/engines/index.ts';
import { linears } from '../../src/math/layout.ts';
import { Stream } from '../../src/math/rng/threefry.ts';
import { ENGINES } from '../math/engines.ts';
import { distance } from '../math/harness.ts';
import { ANGLE, CARTPOLE, networkOf, optionsOf, outsideStates, regionStates, untrained, violatingPairs } from './probe.ts';

const BASE = untrained(CARTPOLE);
const RECORDED: StatesInput['recorded'] = {
  forget: violatingPairs(ANGLE, 60),
  retain: outsideStates(ANGLE, 60),
  validation: { region: regionStates(ANGLE, 40, 41), outside: outsideStates(ANGLE, 40, 42) },
};
const K = 12;
const SETTING = { steps: K, learningRate: 0.15, retainKl: 1 };
const REGION = regionStates(ANGLE, 200, 43);

interface Asked {
  readonly multiples?: readonly number[];
  readonly measure?: BoundsInput['overrun']['measure'];
}

/** An input that keeps the weights at every checkpoint. */
function inputOf({ multiples = [], measure = () => ({ finalFe: 0, meanReturn: 0 }) }: Asked = {}) {
  const seen: [step: number, params: Floats][] = [];
  const input: StatesInput = {
    base: BASE,
    constraint: ANGLE,
    recorded: RECORDED,
    checkpoints: (steps) => Array.from({ length: steps + 1 }, (_, i) => i),
    checkpoint: (step, network) => seen.push([step, network.get()]),
    overrun: { multiples, measure },
  };
  return { input, seen };
}

const rng = (): Stream => new Stream(51, 52);
const fromStates = (engine: Engine, given: Record<string, Json> = {}, asked: Asked = {}): Corrected =>
  correctFromStates(inputOf(asked).input, optionsOf('tsf', { ...SETTING, ...given }), engine, rng(), unobserved);
const wasm = makeEngine('wasm');

const toxicity = (engine: Engine, params: Floats): number =>
  mean(toxicProbabilities(networkOf(engine, { ...BASE, params }), REGION, ANGLE))!;
/** The value's weights, and the others, by index. */
const [value, policy] = [true, false].map((of) =>
  linears(CARTPOLE).flatMap(({ name, inputs, outputs: n, weights }) =>
    name.startsWith('value') === of ? Array.from({ length: (inputs + 1) * n }, (_, i) => weights + i) : [],
  ),
) as [number[], number[]];

describe.each(ENGINES)('a correction on $name', (engine) => {
  const base = networkOf(engine, BASE).get();
  const weightings = ['fixed', 'prob', 'primal-dual', 'proj'];
  const protections = ['none', 'hard', 'ratio', 'soft', 'ewc'];
  const all = weightings.flatMap((weighting) =>
    protections.flatMap((protect) =>
      (weighting === 'proj' ? [false] : [false, true]).map((alternate) => ({ weighting, protect, alternate })),
    ),
  );
  const compositions = engine.name === 'wasm' ? all : all.filter((_, i) => i % 11 === 0); // each of the names at least once

  it.each(compositions)(
    'forgets under $weighting weights, $protect protection, alternating $alternate, and never moves the value head',
    (composition) => {
      const { policy: corrected, cost } = fromStates(engine, { ...composition, keep: 'last' });
      expect(toxicity(engine, corrected.params)).toBeLessThan(0.9 * toxicity(engine, base));
      for (const i of value) expect(corrected.params[i]).toBe(base[i]);
      expect(cost).toEqual({ gradientSteps: composition.alternate ? 2 * K : K, environmentSteps: 0, samples: 64 * K });
    },
  );

  it.each([
    ['tsf', 'hard', correctFromStates],
    ['zsi', 'hard', correctFromBounds],
    ['tsf', 'ratio', correctFromStates],
    ['zsi', 'ratio', correctFromBounds],
  ] as const)('%s under %s protection leaves the frozen weights bit for bit, and moves every other', (preset, protect, correct) => {
    const options = optionsOf(preset, { ...SETTING, protect, protectShare: 0.4, protectRatio: 0.8 });
    const { params } = correct(inputOf().input, options, engine, rng(), unobserved).policy;
    // Both are drawn first of all: what is to be retained, then what is to be forgotten.
    const stream = rng();
    const network = networkOf(engine, BASE);
    const drawnFrom = (sample: 'sampleOutside' | 'sampleRegion'): States => {
      const states = { obs: new Float32Array(4 * options.retainStates), count: options.retainStates };
      ANGLE[sample](stream, states.obs, states.count);
      return states;
    };
    const F = fisherOf(
      network,
      ANGLE.policy,
      preset === 'zsi' ? drawnFrom('sampleOutside') : RECORDED.retain,
      drawn(stream, ANGLE.policy),
    ).slice();
    let frozen: number[];
    if (protect === 'hard') frozen = [...policy].sort((i, j) => F[j]! - F[i]! || i - j).slice(0, Math.floor(0.4 * policy.length));
    else {
      const states = preset === 'zsi' ? drawnFrom('sampleRegion') : RECORDED.forget;
      const toxic = (state: number): number => (ANGLE.toxic(states.obs, state) === 1 ? 0 : 1);
      const G = fisherOf(network, ANGLE.policy, states, (out, state) => {
        out[0] = toxic(state);
      });
      frozen = policy.filter((i) => F[i]! > 0.8 * G[i]!);
      expect(frozen.length > 3 && frozen.length < policy.length - 3).toBe(true);
    }
    for (const i of policy) expect(params[i] === base[i], `weight ${i}`).toBe(frozen.includes(i));
  });

  it.each(['soft', 'ewc'])('%s protection keeps the policy nearer to the base where it is to stay', (protect) => {
    const strong = { protectStrength: protect === 'soft' ? 20 : 100, keep: 'last', retainKl: 0, retainValue: 0 };
    const away = (given: Record<string, Json>): number => {
      const network = networkOf(engine, { ...BASE, params: fromStates(engine, { ...strong, ...given }).policy.params });
      const reference = outputs(networkOf(engine, BASE), RECORDED.retain);
      return mean(divergences(network, RECORDED.retain, reference, ANGLE.policy.kl))!;
    };
    expect(away({ protect })).toBeLessThan(0.8 * away({ protect: 'none' }));
  });

  it('goes on beyond K as if K were larger, measures at the multiples asked for, and returns the same bytes as without', () => {
    const at: Floats[] = [];
    const measure = (network: Network) => ({ finalFe: at.push(network.get()), meanReturn: 10 * at.length });
    const settings = [
      { keep: 'last' },
      { keep: 'best', learningRate: 3, retainKl: 0 }, // the best is not the last: it is returned, and the last goes on
      { keep: 'last', alternate: true, inverted: 4, inversionEvery: 4 },
    ];
    for (const given of settings) {
      at.length = 0;
      const options = { ...given, annealLr: false };
      const plain = fromStates(engine, options);
      if (given.keep === 'best') expect(plain.checkpoint).toBeLessThan(K);
      const over = fromStates(engine, options, { multiples: [4, 2], measure });
      expect(over).toEqual({ ...plain, overrun: { multiple: [2, 4], finalFe: [1, 2], meanReturn: [10, 20] } });
      expect(plain.overrun).toBeNull();
      expect(at).toEqual([2, 4].map((m) => fromStates(engine, { ...options, keep: 'last', steps: m * K }).policy.params));
    }
  });

  it('starts its learning rate again after K', () => {
    const at: Floats[] = [];
    fromStates(engine, { keep: 'last' }, { multiples: [2, 3], measure: (n) => ({ finalFe: at.push(n.get()), meanReturn: 0 }) });
    const apart = (a: Floats, b: Floats): number => Math.hypot(...a.map((x, i) => x - b[i]!));
    // With a rate that had stayed at 0 nothing would have moved.
    expect(apart(at[0]!, fromStates(engine, { keep: 'last' }).policy.params)).toBeGreaterThan(0.01);
    expect(apart(at[1]!, at[0]!)).toBeGreaterThan(0.01);
  });
});

describe('correctFromStates(…)', () => {
  it('keeps the last checkpoint, or the one with the best validation selectivity', () => {
    for (const keep of ['last', 'best']) {
      const { input, seen } = inputOf();
      // So large a rate that the last is not the best.
      const options = optionsOf('tsf', { ...SETTING, keep, learningRate: 3, annealLr: false, retainKl: 0 });
      const { policy: kept, checkpoint } = correctFromStates(input, options, wasm, rng(), unobserved);
      expect(seen.map(([step]) => step)).toEqual(Array.from({ length: K + 1 }, (_, i) => i));
      expect(seen[0]![1]).toEqual(networkOf(wasm, BASE).get());
      const { region, outside } = RECORDED.validation;
      const before = networkOf(wasm, BASE);
      const reference = outputs(before, outside);
      const p0 = mean(toxicProbabilities(before, region, ANGLE))!;
      const selectivity = seen.map(([, params]) => {
        const network = networkOf(wasm, { ...BASE, params });
        const variation = mean(divergences(network, outside, reference, ANGLE.policy.totalVariation))!;
        return (1 - mean(toxicProbabilities(network, region, ANGLE))! / p0) * (1 - variation);
      });
      const best = selectivity.lastIndexOf(Math.max(...selectivity));
      expect(best > 0 && best < K).toBe(true);
      expect([checkpoint, kept.params]).toEqual(seen[keep === 'last' ? K : best]);
    }
  });

  it('leaves the base alone and gives the same bytes from the same stream', () => {
    const before = BASE.params.slice();
    const [once, again] = [fromStates(wasm), fromStates(wasm)];
    expect(again).toEqual(once);
    expect(BASE.params).toEqual(before);
  });

  it('descends the temperature that it is given, and the weight of the value', () => {
    const params = (given: Record<string, Json>): Floats => fromStates(wasm, { keep: 'last', ...given }).policy.params;
    expect(params({ temperature: 2 })).not.toEqual(params({ temperature: 1 }));
    expect(params({ retainValue: 0 })).not.toEqual(params({ retainValue: 0.01 }));
  });

  it('proj is fixed where both gradients agree, and parts from it where they do not', () => {
    const params = (weighting: string, given: Record<string, Json> = {}): Floats =>
      fromStates(wasm, { keep: 'last', weighting, ...given }).policy.params;
    expect(params('proj', { steps: 1 })).toEqual(params('fixed', { steps: 1 })); // at the base nothing is to be retained yet
    expect(params('proj')).not.toEqual(params('fixed'));
  });

  it('throws DivergedError within K', () => {
    expect(() => fromStates(wasm, { learningRate: 1e38, maxGradNorm: 1e30 })).toThrow(DivergedError);
  });
});

describe('the second gradient', () => {
  const RATE = 0.1;
  const reference = makeEngine('reference');
  const pair = violatingPairs(ANGLE, 1);
  const start = networkOf(reference, BASE);
  const probability = (params: Floats): number => toxicProbabilities(networkOf(reference, { ...BASE, params }), pair, ANGLE)[0]!;

  /**
   * With an ε as large as its learning rate Adam's step is its mean gradient, so that two steps tell both gradients.
   * Every forget row is the same pair; where the first step starts, at the base, nothing is to be retained yet.
   */
  function gradients(given: Record<string, Json>) {
    const recorded = { ...RECORDED, forget: pair };
    const paramsOf = (steps: number): Floats => {
      const plain = {
        worstCase: 0,
        retainValue: 0,
        annealLr: false,
        learningRate: RATE * 1e9,
        adamEps: 1e9,
        maxGradNorm: 1e9,
        keep: 'last',
      };
      const options = optionsOf('tsf', { ...SETTING, ...plain, forget: { literal: 1 }, entropy: 0, ...given, steps });
      return correctFromStates({ ...inputOf().input, recorded }, options, reference, rng(), unobserved).policy.params;
    };
    const [p0, p1, p2] = [start.get(), paramsOf(1), paramsOf(2)];
    const first = p0.map((x, i) => (x - p1[i]!) / RATE);
    const second = p1.map((x, i) => (((x - p2[i]!) / RATE) * 0.19 - 0.09 * first[i]!) / 0.1);
    return { p0, p1, second: Float64Array.from(second) };
  }

  const once = gradients({ retainKl: 1 });
  const retain = gradients({ retainKl: 2 }).second.map((x, i) => x - once.second[i]!);
  const forget = once.second.map((x, i) => x - retain[i]!);
  const along = start.dot(forget, retain);
  const ratio = probability(once.p1) / probability(once.p0);
  const sum = (f: number, r: number): Float64Array => forget.map((x, i) => f * x + r * retain[i]!);

  it('has something to forget and something to retain, which point apart', () => {
    expect(along).toBeLessThan(-1e-6);
    expect(ratio).toBeGreaterThan(0.1);
    expect(ratio).toBeLessThan(0.95);
    expect(value.every((i) => once.second[i] === 0)).toBe(true);
  });

  it('is that of forgetting without its part against retaining, and that of retaining, under proj', () => {
    const { p1, second } = gradients({ weighting: 'proj', retainKl: 1 });
    expect(p1).toEqual(once.p1);
    expect(distance(second, sum(1, 1 - along / start.dot(retain, retain)))).toBeLessThan(1e-5);
  });

  it('has forgetting weighed by p̄_1/p̄_0 under prob', () => {
    expect(distance(gradients({ weighting: 'prob', retainKl: 1 }).second, sum(ratio, 1))).toBeLessThan(1e-5);
  });

  it('has retaining weighed by λ_1 = 1 − ρκ under primal-dual: no KL was seen at the base', () => {
    const { second } = gradients({ weighting: 'primal-dual', dualRate: 20, dualKl: 0.02, retainKl: 1 });
    expect(distance(second, sum(1, 0.6))).toBeLessThan(1e-5);
  });

  it('has npo compare with the base: 2ρ^β/(1 + ρ^β) of that of literal, ρ = π_1/π_0', () => {
    const { p1, second } = gradients({ forget: { npo: 1 }, npoBeta: 0.7, retainKl: 1 });
    expect(distance(p1, once.p1)).toBeLessThan(1e-12); // ρ is 1 at the base
    expect(distance(second, sum((2 * ratio ** 0.7) / (1 + ratio ** 0.7), 1))).toBeLessThan(1e-5);
  });
});

describe('beyond K', () => {
  it('what diverges is null from there on, and no failure', () => {
    let calls = 0;
    const measure = (network: Network) => {
      if (++calls === 2) network.set(new Float32Array(network.size).fill(Number.NaN)); // the next step cannot be taken
      return { finalFe: calls, meanReturn: calls };
    };
    const { overrun, policy: kept, cost } = fromStates(wasm, {}, { multiples: [2, 3, 4, 5], measure });
    expect(overrun).toEqual({ multiple: [2, 3, 4, 5], finalFe: [1, 2, null, null], meanReturn: [1, 2, null, null] });
    expect(kept).toEqual(fromStates(wasm).policy);
    expect(cost.gradientSteps).toBe(K);
    expect(calls).toBe(2);
  });

  it('what measures no number has diverged, too: the last step of a multiple is judged by nothing else', () => {
    for (const bad of [
      { finalFe: Number.NaN, meanReturn: 1 },
      { finalFe: 0, meanReturn: Number.POSITIVE_INFINITY },
    ]) {
      let calls = 0;
      const { overrun } = fromStates(
        wasm,
        {},
        { multiples: [2, 3, 4], measure: () => (++calls === 2 ? bad : { finalFe: null, meanReturn: 5 }) },
      );
      expect(overrun).toEqual({ multiple: [2, 3, 4], finalFe: [null, null, null], meanReturn: [5, null, null] });
      expect(calls).toBe(2);
    }
  });

  it('what fails otherwise is a failure', () => {
    const measure = (): never => {
      throw new RangeError('a bug');
    };
    expect(() => fromStates(wasm, {}, { multiples: [2], measure })).toThrow('a bug');
    let seen = 0;
    const progress = (done: number): void => {
      seen = Math.max(seen, done);
      if (done === K + 2) throw new Error('asked to stop');
    };
    const { input } = inputOf({ multiples: [2] });
    expect(() => correctFromStates(input, optionsOf('tsf', SETTING), wasm, rng(), { ...unobserved, progress })).toThrow('asked to stop');
    expect(seen).toBe(K + 2);
  });

  it('is a phase of its own, which counts as no overhead', () => {
    const open: Phase[] = [];
    const during: (Phase | undefined)[] = [];
    const phase = <T>(name: Phase, work: () => T): T => {
      open.push(name);
      try {
        return work();
      } finally {
        open.pop();
      }
    };
    const progress = (): void => void during.push(open.at(-1));
    const { input } = inputOf({ multiples: [2] });
    correctFromStates(input, optionsOf('tsf', SETTING), wasm, rng(), { phase, progress });
    expect(during).toEqual([...new Array(K).fill(undefined), ...new Array(K).fill('overrun')]);
  });
});

describe('correctFromBounds(…)', () => {
  it('gives the same bytes whatever was recorded, and never looks at it', () => {
    expectTypeOf<Parameters<typeof correctFromBounds>[0]>().toEqualTypeOf<BoundsInput>();
    const run = (recorded: () => StatesInput['recorded']) => {
      const { input } = inputOf();
      const poisoned = Object.defineProperty({ ...input }, 'recorded', { get: recorded });
      return correctFromBounds(poisoned, optionsOf('zsi', { ...SETTING, inverted: 8 }), wasm, rng(), unobserved);
    };
    const corrected = run(() => expect.unreachable('recorded data was read'));
    expect(run(() => RECORDED)).toEqual(corrected);
    expect(toxicity(wasm, corrected.policy.params)).toBeLessThan(0.9 * toxicity(wasm, BASE.params));
  });

  it('returns the last, whatever is asked', () => {
    const { input, seen } = inputOf();
    const options: StatesOptions = { ...optionsOf('zsi', SETTING), keep: 'best' } as StatesOptions;
    const { checkpoint, policy: kept } = correctFromBounds(input, options, wasm, rng(), unobserved);
    expect([checkpoint, kept.params]).toEqual(seen.at(-1));
  });

  it.each(['hard', 'ratio', 'soft', 'ewc'])('forgets under %s protection', (protect) => {
    const { params } = correctFromBounds(inputOf().input, optionsOf('mrp+zsi', { ...SETTING, protect }), wasm, rng(), unobserved).policy;
    expect(toxicity(wasm, params)).toBeLessThan(0.9 * toxicity(wasm, BASE.params));
  });
});
