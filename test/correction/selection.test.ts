import { describe, expect, it } from 'vitest';
import { RefusedError } from '../../src/contract/errors.ts';
import { makeSelection } from '../../src/correction/selection.ts';
import { outputs, type States } from '../../src/correction/states.ts';
import type { Network } from '../../src/math/engine.ts';
import { ENGINES } from '../math/engines.ts';
import { networkOf, outsideStates, regionStates, TOY, TOY_SHAPE, untrained } from './probe.ts';

const VALIDATION = { region: regionStates(TOY, 20), outside: outsideStates(TOY, 20) };
const NOTHING: States = { obs: new Float32Array(0), count: 0 };

describe.each(ENGINES)('makeSelection(…) on $name', (engine) => {
  const base = networkOf(engine, untrained(TOY_SHAPE));
  const probabilities = (network: Network, states: States): number[][] => {
    const { logits } = outputs(network, states);
    return Array.from({ length: states.count }, (_, i) => {
      const e = [0, 1, 2].map((a) => Math.exp(logits[3 * i + a]!));
      return e.map((x) => x / (e[0]! + e[1]! + e[2]!));
    });
  };
  const average = (x: readonly number[]): number => x.reduce((a, b) => a + b) / x.length;
  const toxic = (network: Network): number =>
    average(
      probabilities(network, VALIDATION.region).map((p, i) =>
        p.reduce((sum, x, a) => sum + ((TOY.toxic(VALIDATION.region.obs, i) >>> a) & 1) * x, 0),
      ),
    );
  const variation = (network: Network): number => {
    const before = probabilities(base, VALIDATION.outside);
    return average(
      probabilities(network, VALIDATION.outside).map((p, i) => 0.5 * p.reduce((sum, x, a) => sum + Math.abs(x - before[i]![a]!), 0)),
    );
  };
  // On the way to others that are surer of themselves: some forget little and keep much, some much and little.
  const candidates = Array.from({ length: 16 }, (_, i) => {
    const [from, to] = [untrained(TOY_SHAPE).params, untrained(TOY_SHAPE, 2 + (i >> 1), 2.5).params];
    const share = i % 2 === 0 ? 1 : 0.3;
    return { shape: TOY_SHAPE, params: Float64Array.from(from, (x, k) => x + share * (to[k]! - x)) };
  });
  const params = candidates.map((policy) => networkOf(engine, policy).get());
  const selectivity = candidates.map((policy) => {
    const network = networkOf(engine, policy);
    return (1 - toxic(network) / toxic(base)) * (1 - variation(network));
  });

  it('restores the candidate with the largest (1 − p̄/p̄_0)(1 − mean total variation), of any two and of all', () => {
    const network = networkOf(engine, untrained(TOY_SHAPE));
    const restored = (offered: readonly number[]): number => {
      const selection = makeSelection(VALIDATION, TOY, base);
      for (const i of offered) {
        network.set(candidates[i]!.params);
        selection.offer(10 * i, network);
      }
      const step = selection.restore(network);
      expect(network.get()).toEqual(params[step / 10]);
      return step / 10;
    };
    const best = (of: readonly number[]): number => of.reduce((a, b) => (selectivity[b]! > selectivity[a]! ? b : a));
    for (let i = 0; i < candidates.length; i++)
      for (let j = 0; j < candidates.length; j++) if (i !== j) expect(restored([i, j])).toBe(best([i, j]));
    const all = [...candidates.keys()];
    expect(restored(all)).toBe(best(all));
  });

  it('of equals takes the later, and of numbers that are none nothing', () => {
    const selection = makeSelection(VALIDATION, TOY, base);
    const network = networkOf(engine, candidates[0]!);
    selection.offer(1, network);
    selection.offer(2, network);
    network.set(new Float64Array(network.size).fill(Number.NaN));
    selection.offer(3, network);
    expect(selection.restore(network)).toBe(2);
    expect(network.get()).toEqual(networkOf(engine, candidates[0]!).get());
  });

  it('refuses where there is nothing to rank by, with the numbers', () => {
    expect(() => makeSelection({ ...VALIDATION, region: NOTHING }, TOY, base)).toThrow(
      new RefusedError(
        'selection: expected validation states of the region with π(T|s) > 0, got 0 states with a mean of 0; collect more episodes',
      ),
    );
  });

  it('ranks by forgetting alone where no state lies outside', () => {
    const selection = makeSelection({ ...VALIDATION, outside: NOTHING }, TOY, base);
    const network = networkOf(engine, candidates[0]!);
    const levels = candidates.map((policy, i) => {
      network.set(policy.params);
      selection.offer(i, network);
      return toxic(network);
    });
    expect(selection.restore(network)).toBe(levels.indexOf(Math.min(...levels)));
  });
});
