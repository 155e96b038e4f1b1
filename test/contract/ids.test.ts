import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson, contentDigest, type Json, shortId } from '../../src/contract/ids.ts';
import { type BaseSpec, baseId, type TrialSpec, trialId } from '../../src/contract/spec.ts';

/** A spec with nothing left to a default: its ids must never change. */
const base: BaseSpec = {
  environment: 'CartPole-v1',
  options: {
    suttonBartoReward: false,
    resetLow: -0.05,
    resetHigh: 0.05,
    resetAngle: 0.2,
    thetaLimit: 0.418,
    impulse: { every: 50, thetaDot: 1 },
  },
  ppo: {
    ...{ totalTimesteps: 200_000, numEnvs: 8, numSteps: 32, numMinibatches: 1, updateEpochs: 20, learningRate: 1e-3, annealLr: true },
    ...{ adamEps: 1e-5, gamma: 0.98, gaeLambda: 0.8, bootstrapTruncated: true, normAdv: true, clipCoef: 0.2, annealClip: true },
    ...{ clipVloss: false, entCoef: 0, vfCoef: 1, maxGradNorm: 0.5, targetKl: null, shuffle: true, orthogonalInit: true },
    ...{ hidden: [64, 64], separate: false },
  },
  seed: 1,
  engine: 'wasm',
};
const trial: TrialSpec = {
  base,
  rules: [
    { where: { theta: [0.08, null] }, forbid: ['left'] },
    { where: { theta: [null, -0.08] }, forbid: ['right'] },
  ],
  strategy: 'tsf:paper',
  correct: { steps: 500, learningRate: 1e-3, entropy: 0.01 },
  evaluate: { curvePoints: 21, curveEpisodes: 20, overrun: [], regionSamples: 10_000 },
  acceptance: 'refuse',
  correctionSeed: 0,
};

const reversed = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toReversed()
      .map(([key, v]) => [key, reversed(v)]),
  );
};

describe('canonicalJson(…) is RFC 8785', () => {
  it('canonicalJson(section 3.2.2) sorts keys, shortens numbers and escapes as printed there', () => {
    const value = {
      numbers: [Number('333333333.33333329'), 1e30, 4.5, 2e-3, 1e-27],
      string: '\u20ac$\u000F\u000aA\'\u0042\u0022\u005c\\"/',
      literals: [null, true, false],
    };
    const expected = String.raw`{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`;
    expect(canonicalJson(value)).toBe(expected);
  });

  it('canonicalJson(section 3.2.3) sorts by UTF-16 code units', () => {
    const value = {
      '\u20ac': 'Euro Sign',
      '\r': 'Carriage Return',
      '\ufb33': 'Dalet',
      1: 'One',
      '\ud83d\ude00': 'Smiley',
      '\u0080': 'Control',
      ö: 'o',
    };
    expect(Object.values(JSON.parse(canonicalJson(value)) as object)).toHaveLength(7);
    const order = ['Carriage Return', 'One', 'Control', 'o', 'Euro Sign', 'Smiley', 'Dalet'];
    const text = canonicalJson(value);
    expect(order.map((word) => text.indexOf(`"${word}"`))).toEqual(
      order.map((word) => text.indexOf(`"${word}"`)).toSorted((a, b) => a - b),
    );
  });

  // Appendix B: the bits of an IEEE double, and its text.
  it.each([
    ['0000000000000000', '0'],
    ['8000000000000000', '0'],
    ['0000000000000001', '5e-324'],
    ['8000000000000001', '-5e-324'],
    ['7fefffffffffffff', '1.7976931348623157e+308'],
    ['4340000000000000', '9007199254740992'],
    ['4430000000000000', '295147905179352830000'],
    ['44b52d02c7e14af5', '9.999999999999997e+22'],
    ['44b52d02c7e14af6', '1e+23'],
    ['444b1ae4d6e2ef4e', '999999999999999700000'],
    ['444b1ae4d6e2ef50', '1e+21'],
    ['3eb0c6f7a0b5ed8c', '9.999999999999997e-7'],
    ['3eb0c6f7a0b5ed8d', '0.000001'],
    ['41b3de4355555553', '333333333.3333332'],
    ['41b3de4355555557', '333333333.33333343'],
    ['becbf647612f3696', '-0.0000033333333333333333'],
  ])('canonicalJson(bits %s) is %s', (bits, text) => {
    const value = new DataView(new BigUint64Array([BigInt(`0x${bits}`)]).buffer).getFloat64(0, true);
    expect(canonicalJson(value)).toBe(text);
  });

  it('canonicalJson(…) is one text whatever the order of keys, and parses back', () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
        const text = canonicalJson(value);
        expect(canonicalJson(reversed(value))).toBe(text);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
      { numRuns: 200 },
    );
  });

  it.each([[undefined], [Number.NaN], [Number.POSITIVE_INFINITY], [{ a: [Number.NaN] }], [1n]])('canonicalJson(%s) throws', (value) => {
    expect(() => canonicalJson(value)).toThrow();
  });
});

describe('ids', () => {
  // Written with another SHA-256, base32 and JSON than ours.
  it('shortId(…), baseId(…) and trialId(…) of fixed values never change', () => {
    expect(contentDigest(new TextEncoder().encode('abc'))).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
    expect(shortId({ b: 1, a: [null, 'é'] })).toBe('jabydd2nuoydnxww');
    expect(baseId(base)).toBe('mnzw4w5nvuaxjqls');
    expect(trialId(trial)).toBe('ug55nzhhcuzpu7ae');
  });

  it('trialId(…) does not see the order of keys, nor a copy', () => {
    expect(trialId(reversed(trial) as TrialSpec)).toBe(trialId(trial));
    expect(trialId(structuredClone(trial))).toBe(trialId(trial));
  });

  it('trialId(…) changes with every single value of a spec', () => {
    /** All copies of `value` that differ in one leaf. */
    const changed = (value: Json): Json[] => {
      if (Array.isArray(value)) return value.flatMap((item, i) => changed(item).map((v) => value.with(i, v)));
      if (typeof value === 'object' && value !== null)
        return Object.entries(value).flatMap(([k, v]) => changed(v).map((c) => ({ ...value, [k]: c })));
      if (typeof value === 'number') return [value + 1, value === 0 ? 5e-324 : value * (1 + Number.EPSILON)];
      return [typeof value === 'boolean' ? !value : value === null ? 0 : `${value}x`];
    };
    const others = changed(trial as unknown as Json) as unknown as TrialSpec[];
    const ids = new Set([trialId(trial), ...others.map(trialId)]);
    expect(others.length).toBeGreaterThan(60);
    expect(ids.size).toBe(1 + others.length);
  });
});
