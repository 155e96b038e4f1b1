import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RefusedError } from '../../../src/contract/errors.ts';
import { areaUnderRoc, chooseForgetSet, influence, judgeInfluence } from '../../../src/correction/identify/influence.ts';
import type { ForgetSet, Identified } from '../../../src/correction/identify/rules.ts';
import { logSoftmax } from '../../../src/math/categorical.ts';
import type { Network } from '../../../src/math/engine.ts';
import { ENGINES } from '../../math/engines.ts';
import { distance } from '../../math/harness.ts';
import { networkOf, outsideStates, TOY, TOY_SHAPE, untrained, violatingPairs } from '../probe.ts';

const FORGET = violatingPairs(TOY, 30);

/** Half harmless states with whatever action, half violating pairs. */
function mixed(): ForgetSet {
  const other = outsideStates(TOY, 30);
  const index = Int32Array.from({ length: 60 }, (_, i) => 100 + i);
  return {
    obs: Float32Array.from([...other.obs, ...FORGET.obs]),
    count: 60,
    action: Int32Array.from([...Int32Array.from({ length: 30 }, (_, i) => i % 3), ...FORGET.action]),
    weight: new Float32Array(60).fill(1),
    episode: index,
    step: index.map((i) => 2 * i),
  };
}
const identified = (visited: ForgetSet): Identified => ({ forget: FORGET, visited }) as unknown as Identified;

/** Both scores by definition: one row, one backward, and the norm of the whole gradient of log π(a|s). */
function plainly(network: Network, { obs, action, count }: ForgetSet): { printed: number[]; unsaturated: number[] } {
  const printed: number[] = [];
  const unsaturated: number[] = [];
  const logProb = new Float64Array(3);
  for (let i = 0; i < count; i++) {
    const head = network.forward(obs.subarray(2 * i, 2 * i + 2), 1);
    logSoftmax(head.logits, 0, 3, 0, logProb);
    const p = Math.exp(logProb[action[i]!]!);
    for (let a = 0; a < 3; a++) head.dLogits[a] = Number(a === action[i]) - Math.exp(logProb[a]!);
    head.dValue[0] = 0;
    const norm = Math.hypot(...network.backward(1, { weights: true }).weights);
    printed.push(p * norm);
    unsaturated.push((p / (1 - p)) * norm);
  }
  return { printed, unsaturated };
}

describe.each(ENGINES)('influence on $name', (engine) => {
  const network = networkOf(engine, untrained(TOY_SHAPE), 16); // 30 pairs in two parts
  const scores = influence(network, FORGET);

  it('influence(…) is π‖∇ log π‖ and π/(1 − π)‖∇ log π‖, pair by pair', () => {
    const plain = plainly(networkOf(engine, untrained(TOY_SHAPE), 1), FORGET);
    const tolerance = engine.name === 'reference' ? 1e-12 : 1e-5;
    expect(distance(scores.printed, plain.printed)).toBeLessThan(tolerance);
    expect(distance(scores.unsaturated, plain.unsaturated)).toBeLessThan(tolerance);
  });

  it('influence(…) as printed falls to 0 where the policy is sure; the other does not', () => {
    const at = (gap: number) => {
      const policy = untrained(TOY_SHAPE);
      const sure = policy.params.slice();
      sure[sure.length - 7 - 3] = gap; // bias of action 0
      return influence(networkOf(engine, { ...policy, params: sure }, 16), { ...FORGET, action: new Int32Array(30) });
    };
    const [unsure, sure, surer, surest, certain] = [0, 10, 25, 60, 720].map(at); // from a gap of 37 on, 1 − π is 0 beside 1
    for (let i = 0; i < 30; i++) {
      expect(sure!.printed[i]!).toBeLessThan(0.01 * unsure!.printed[i]!);
      expect(surer!.printed[i]!).toBeLessThan(1e-4 * sure!.printed[i]!);
      expect(sure!.unsaturated[i]!).toBeGreaterThan(unsure!.unsaturated[i]!);
      for (const { unsaturated } of [surer!, surest!, certain!]) expect(unsaturated[i]! / sure!.unsaturated[i]!).toBeCloseTo(1, 2);
      expect(certain!.printed[i]).toBeLessThan(1e-300);
    }
  });

  it('chooseForgetSet(…) takes what was recorded as it is, of one kind or the other, where nothing is asked of a score', () => {
    const recorded = identified(mixed());
    expect(chooseForgetSet(recorded, network, {})).toBe(recorded.forget);
    expect(chooseForgetSet(recorded, network, { pairs: 'any' })).toBe(recorded.visited);
  });

  it.each(['printed', 'unsaturated'] as const)(
    'chooseForgetSet(…) keeps exactly the pairs whose %s score is above the threshold',
    (influenceScore) => {
      const visited = mixed();
      const score = influence(network, visited)[influenceScore];
      const influenceThreshold = score.toSorted()[35]!; // a score that occurs: it is not above itself
      const kept = [...score.keys()].filter((i) => score[i]! > influenceThreshold);
      expect(kept).toHaveLength(24);
      for (const influenceSampling of [false, true]) {
        const chosen = chooseForgetSet(identified(visited), network, {
          pairs: 'any',
          influenceScore,
          influenceThreshold,
          influenceSampling,
        });
        expect(chosen.count).toBe(24);
        expect([...chosen.obs]).toEqual(kept.flatMap((i) => [visited.obs[2 * i]!, visited.obs[2 * i + 1]!]));
        for (const name of ['action', 'episode', 'step'] as const) expect([...chosen[name]]).toEqual(kept.map((i) => visited[name][i]!));
        expect([...chosen.weight]).toEqual(kept.map((i) => (influenceSampling ? Math.fround(score[i]!) : 1)));
      }
    },
  );

  it('chooseForgetSet(…) refuses a threshold above all scores, with the numbers', () => {
    const most = Math.max(...scores.printed);
    expect(() => chooseForgetSet(identified(mixed()), network, { influenceThreshold: 1e6 })).toThrow(RefusedError);
    expect(() => chooseForgetSet(identified(mixed()), network, { influenceThreshold: 1e6 })).toThrow(
      `influence: expected pairs with a score above 1000000, got none of 30; the largest has ${most}`,
    );
  });

  it('judgeInfluence(…) says how well each score tells the violations among all recorded pairs', () => {
    const visited = mixed();
    const { printed, unsaturated } = influence(network, visited);
    const violates = (i: number) => ((TOY.toxic(visited.obs, i) >>> visited.action[i]!) & 1) === 1;
    expect(judgeInfluence(identified(visited), network, TOY, 12)).toEqual({
      printed: areaUnderRoc(printed, violates),
      unsaturated: areaUnderRoc(unsaturated, violates),
      pairs: 30,
      kept: 12,
    });
  });
});

describe('areaUnderRoc(score, positive)', () => {
  it('is the share of pairs in which the positive scores higher, ties half', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(5), fc.boolean()), { maxLength: 30 }), (items) => {
        const [positives, negatives] = [true, false].map((kind) => items.filter(([, is]) => is === kind).map(([x]) => x));
        const area = areaUnderRoc(
          Float64Array.from(items, ([x]) => x),
          (i) => items[i]![1],
        );
        const wins = positives!.flatMap((p) => negatives!.map((n): number => (p > n ? 1 : p === n ? 0.5 : 0)));
        if (wins.length === 0) expect(area).toBeNull();
        else expect(area).toBeCloseTo(wins.reduce((a, b) => a + b) / wins.length, 12);
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  it('is 1 where all positives come first, 0 where last, 1/2 where all are equal, null of one kind', () => {
    const area = (...scores: number[]) => areaUnderRoc(Float64Array.from(scores), (i) => i < 2);
    expect([area(5, 4, 3, 2), area(1, 2, 3, 4), area(1, 1, 1, 1), area(1, 2), area()]).toEqual([1, 0, 0.5, null, null]);
  });
});
