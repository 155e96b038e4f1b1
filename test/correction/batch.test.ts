import fc from 'fast-check';
import { describe, expect, expectTypeOf, it } from 'vitest';
import type { Json } from '../../src/contract/ids.ts';
import { highest, makeBatch, type Recorded, uniform } from '../../src/correction/batch.ts';
import type { Constraint } from '../../src/correction/constraint.ts';
import type { ForgetSet } from '../../src/correction/identify/rules.ts';
import { invert } from '../../src/correction/inversion.ts';
import { outputs, toxicProbabilities } from '../../src/correction/states.ts';
import type { BoundsInput } from '../../src/correction/strategy.ts';
import { Stream } from '../../src/math/rng/threefry.ts';
import { ENGINES } from '../math/engines.ts';
import { networkOf, optionsOf, outsideStates, rowKey, TOY, TOY_SHAPE, untrained, violatingPairs } from './probe.ts';

const FORGET = violatingPairs(TOY, 40);
const RETAIN = outsideStates(TOY, 30);
const RECORDED: Recorded = { forget: FORGET, retain: RETAIN };
/** [5 pairs | 4 inverted | 3 worst | 4 visited | 2 uniform] */
const LAYOUT = { forgetBatch: 12, worstCase: 3, inverted: 4, retainBatch: 6, uniformRetain: 2, regionSamples: 20, inversionEvery: 3 };

const keys = (obs: Float32Array, from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, i) => rowKey(obs, from + i, 2));
const allKeys = ({ obs, count }: { obs: Float32Array; count: number }): Set<string> => new Set(keys(obs, 0, count));

/** The constraint, and what was drawn from its region: in each round last the worst's candidates. */
function watched(): { constraint: Constraint; drawn: Float32Array[] } {
  const drawn: Float32Array[] = [];
  const sampleRegion: Constraint['sampleRegion'] = (rng, out, rows) => {
    TOY.sampleRegion(rng, out, rows);
    drawn.push(out.slice(0, 2 * rows));
  };
  return { constraint: { ...TOY, sampleRegion }, drawn };
}

describe('highest(score, count)', () => {
  it('is the first `count` by descending score and ascending index, in the order of the indices', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(8), { minLength: 1, maxLength: 30 }), fc.nat(), (scores, seed) => {
        const count = 1 + (seed % scores.length);
        const sorted = scores.map((_, i) => i).sort((i, j) => scores[j]! - scores[i]! || i - j);
        expect(highest(Float64Array.from(scores), count)).toEqual(sorted.slice(0, count).sort((i, j) => i - j));
      }),
      { seed: 1, numRuns: 300 },
    );
  });
});

describe('uniform(constraint, rng, count)', () => {
  it('is outside the region and its margin', () => {
    const { obs, count } = uniform(TOY, new Stream(1, 1), 200);
    expect(count).toBe(200);
    for (let i = 0; i < count; i++) expect(TOY.outside(obs, i)).toBe(true);
  });
});

describe.each(ENGINES)('makeBatch(…) on $name', (engine) => {
  const teacher = networkOf(engine, untrained(TOY_SHAPE));
  const network = networkOf(engine, untrained(TOY_SHAPE, 2));
  const batchOf = (recorded: Recorded | null, given: Record<string, Json>, constraint: Constraint = TOY) =>
    makeBatch(constraint, teacher, recorded, optionsOf('tsf', { ...LAYOUT, ...given }), new Stream(31, 32));

  it('lays its rows out by kind, and labels each with what is to go', () => {
    const batch = batchOf(RECORDED, {});
    const pairs = allKeys(FORGET);
    const visited = allKeys(RETAIN);
    let inverted: string[] = [];
    for (let round = 0; round < 7; round++) {
      batch.draw(network, round);
      expect(keys(batch.obs, 0, 5).every((key) => pairs.has(key))).toBe(true);
      const now = keys(batch.obs, 5, 9);
      expect([...now, ...keys(batch.obs, 9, 12)].some((key) => pairs.has(key))).toBe(false);
      if (round > 0) expect(now.join() === inverted.join(), `round ${round}`).toBe(round % 3 !== 0); // found anew every third round
      inverted = now;
      expect(keys(batch.obs, 12, 16).every((key) => visited.has(key))).toBe(true);
      expect(keys(batch.obs, 16, 18).some((key) => visited.has(key))).toBe(false);
      for (let i = 0; i < 12; i++) expect(batch.toxic[i]).toBe(TOY.toxic(batch.obs, i));
      expect(batch.toxic.every((mask) => mask !== 0)).toBe(true);
      for (let i = 12; i < 18; i++) expect(TOY.outside(batch.obs, i)).toBe(true);
    }
    expect(batch.rowsFrom(9, 3)).toEqual(batch.obs.subarray(18, 24));
  });

  it('inverts the policy as it is now', () => {
    const { constraint, drawn } = watched();
    const batch = batchOf(RECORDED, {}, constraint);
    batch.draw(network, 0);
    const seeded: Constraint = { ...TOY, sampleRegion: (_rng, out) => out.set(drawn[0]!) };
    const found = new Float32Array(2 * 4);
    invert(network, seeded, optionsOf('tsf', LAYOUT), new Stream(0, 0), found, 4);
    expect(batch.rowsFrom(5, 4)).toEqual(found);
  });

  it('labels the retain rows with what the base says of each, not the policy as it is now', () => {
    const batch = batchOf(RECORDED, {});
    for (let round = 0; round < 2; round++) {
      batch.draw(network, round);
      const states = { obs: batch.rowsFrom(12, 6).slice(), count: 6 };
      expect(batch.reference).toEqual(outputs(teacher, states));
      expect(batch.reference).not.toEqual(outputs(network, states));
    }
  });

  it('takes the worst of the last worst and of fresh samples, scored by the policy as it is now', () => {
    const { constraint, drawn } = watched();
    const batch = batchOf(RECORDED, { inverted: 0 }, constraint);
    const worst = () => batch.rowsFrom(9, 3).slice();
    let kept = new Float32Array(0);
    let stayed = 0;
    for (let round = 0; round < 12; round++) {
      const policy = networkOf(engine, untrained(TOY_SHAPE, round < 6 ? 2 : 3)); // from round 6 on others are the worst
      batch.draw(policy, round);
      const fresh = drawn.at(-1)!;
      expect(fresh).toHaveLength(2 * (round === 0 ? 20 : 17));
      const obs = Float32Array.from([...kept, ...fresh]);
      const candidates = { obs, count: obs.length / 2 };
      expect(candidates.count).toBe(20);
      const score = toxicProbabilities(policy, candidates, TOY);
      const plain = Array.from(score, (_, i) => i).sort((i, j) => score[j]! - score[i]! || i - j);
      expect(new Set(keys(worst(), 0, 3)), `round ${round}`).toEqual(new Set(plain.slice(0, 3).map((i) => rowKey(obs, i, 2))));
      const before = new Set(keys(kept, 0, kept.length / 2));
      stayed += keys(worst(), 0, 3).filter((key) => before.has(key)).length;
      kept = worst();
    }
    expect(stayed).toBeGreaterThan(8);
    expect(stayed).toBeLessThan(33);
  });

  it('takes every sample of the region where as many are wanted as are drawn, one of them fresh', () => {
    const { constraint, drawn } = watched();
    const batch = batchOf(RECORDED, { inverted: 0, worstCase: 4, regionSamples: 4 }, constraint);
    batch.draw(network, 0);
    const before = batch.rowsFrom(8, 4).slice();
    batch.draw(network, 1);
    expect(keys(batch.rowsFrom(8, 4), 0, 4)).toEqual([...keys(before, 0, 3), ...keys(drawn.at(-1)!, 0, 1)]);
  });

  it('draws pairs alike, or in proportion to their weights, and never one without', () => {
    const weight = Float32Array.from({ length: 6 }, (_, i) => [0, 1, 2, 0, 3, 4][i]!);
    const six: ForgetSet = { ...violatingPairs(TOY, 6), weight };
    const index = new Map(keys(six.obs, 0, 6).map((key, i) => [key, i]));
    const statistic = (influenceSampling: boolean, shares: readonly number[]) => {
      const batch = batchOf({ forget: six, retain: RETAIN }, { forgetBatch: 500, worstCase: 0, inverted: 0, influenceSampling });
      const counts = new Array<number>(6).fill(0);
      for (let round = 0; round < 8; round++) {
        batch.draw(network, round);
        for (const key of keys(batch.obs, 0, 500)) counts[index.get(key)!]!++;
      }
      for (let i = 0; i < 6; i++) if (shares[i] === 0) expect(counts[i]).toBe(0);
      return counts.reduce((sum, c, i) => (shares[i] === 0 ? sum : sum + (c - 4000 * shares[i]!) ** 2 / (4000 * shares[i]!)), 0);
    };
    expect(statistic(true, [0, 0.1, 0.2, 0, 0.3, 0.4])).toBeLessThan(16.3); // 3 degrees of freedom, p = 0.001
    expect(statistic(false, new Array<number>(6).fill(1 / 6))).toBeLessThan(20.5); // 5
  });

  it('never draws a pair without weight, not even at the ends of what can be drawn', () => {
    const weight = Float32Array.of(0, 1, 0, 3, 0);
    const five: ForgetSet = { ...violatingPairs(TOY, 5), weight };
    const rng = new Stream(31, 32);
    const options = optionsOf('tsf', { forgetBatch: 3, worstCase: 0, influenceSampling: true, uniformRetain: 0 });
    const batch = makeBatch(TOY, teacher, { forget: five, retain: RETAIN }, options, rng);
    const words = [0, 0.25, 1 - 2 ** -24];
    rng.uniform = () => words.shift()!;
    batch.draw(network, 0);
    expect(keys(batch.obs, 0, 3)).toEqual([1, 3, 3].map((i) => rowKey(five.obs, i, 2)));
  });

  it('forgets all of T(s) in a recorded state, or the one action that was taken', () => {
    const action = FORGET.action.map((_, i) => i % 3); // also such as are not toxic: a control forgets them
    const forget = { ...FORGET, action };
    const index = new Map(keys(FORGET.obs, 0, 40).map((key, i) => [key, i]));
    const masks = (target: 'set' | 'pair') => {
      const batch = batchOf({ forget, retain: RETAIN }, { target });
      batch.draw(network, 0);
      for (let i = 5; i < 12; i++) expect(batch.toxic[i]).toBe(TOY.toxic(batch.obs, i));
      return keys(batch.obs, 0, 5).map((key, i) => [batch.toxic[i], 1 << action[index.get(key)!]!, TOY.toxic(batch.obs, i)] as const);
    };
    for (const [mask, taken] of masks('pair')) expect(mask).toBe(taken);
    for (const [mask, , set] of masks('set')) expect(mask).toBe(set);
    expect(masks('set').some(([mask]) => mask === 0b011)).toBe(true);
  });

  it('without recorded data draws pairs from the region and every retain row from outside, whatever is said of recorded data', () => {
    expectTypeOf<BoundsInput>().not.toHaveProperty('recorded');
    const { constraint, drawn } = watched();
    const batch = batchOf(null, { uniformRetain: 0, target: 'pair', influenceSampling: true }, constraint);
    batch.draw(network, 0);
    expect(keys(batch.obs, 0, 5)).toEqual(keys(drawn[0]!, 0, 5));
    for (let i = 0; i < 12; i++) expect(batch.toxic[i]).toBe(TOY.toxic(batch.obs, i));
    expect(batch.toxic.some((mask) => mask === 0b011)).toBe(true);
    for (let i = 12; i < 18; i++) expect(TOY.outside(batch.obs, i)).toBe(true);
    expect(batch.reference).toEqual(outputs(teacher, { obs: batch.rowsFrom(12, 6).slice(), count: 6 }));
  });

  it('gives the same rows from the same stream', () => {
    const run = () => {
      const batch = batchOf(RECORDED, {});
      return [0, 1, 2].map((round) => {
        batch.draw(network, round);
        return [batch.obs.slice(), batch.toxic.slice(), batch.reference.value.slice()];
      });
    };
    expect(run()).toEqual(run());
  });
});
