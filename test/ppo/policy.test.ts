import { describe, expect, it } from 'vitest';
import { RefusedError } from '../../src/contract/errors.ts';
import { contentDigest } from '../../src/contract/ids.ts';
import { size } from '../../src/math/layout.ts';
import { Stream } from '../../src/math/rng/threefry.ts';
import { decodeTensors, encodeTensors } from '../../src/math/safetensors.ts';
import { initialParams, orthogonal } from '../../src/ppo/init.ts';
import { decodeBase, decodePolicy, encodePolicy } from '../../src/ppo/policy.ts';

const shape = { obsDim: 4, hidden: [8, 6], actions: 2, gaussian: false, separate: false };
const policy = { shape, params: Float32Array.from({ length: size(shape) }, (_, i) => i / 7) };

describe('encodePolicy(…)', () => {
  it('is read back by decodePolicy bit for bit, in both precisions', () => {
    expect(decodePolicy(encodePolicy(policy))).toEqual(policy);
    const double = { shape, params: Float64Array.from({ length: size(shape) }, (_, i) => i / 7) };
    expect(decodePolicy(encodePolicy(double))).toEqual(double);
  });

  it('gives the same bytes for the same policy, on from the first day', () => {
    expect(contentDigest(encodePolicy(policy)).slice(0, 16)).toMatchInlineSnapshot(`"ae6b4d261c3f0323"`);
  });
});

describe('decodePolicy(…)', () => {
  it('refuses a file whose tensors do not fit its shape, with both', () => {
    const { tensors, metadata } = decodeTensors(encodePolicy(policy));
    const other = { ...tensors, 'policyHead.b': { shape: [3], data: new Float32Array(3) } };
    expect(() => decodePolicy(encodeTensors(other, metadata))).toThrow('expected tensor policyHead.b of shape [2], got [3]');
    expect(() => decodePolicy(encodeTensors({}, metadata))).toThrow('expected tensor trunk.0.W of shape [4,8], got none');
  });

  it('refuses a file that is no policy', () => {
    expect(() => decodePolicy(encodeTensors({}, { format: 'x' }))).toThrow('expected format spc-policy-1, got x');
    expect(() => decodePolicy(encodeTensors({}, { format: 'spc-policy-1', shape: '{' }))).toThrow(RangeError);
    expect(() => decodePolicy(encodeTensors({}, { format: 'spc-policy-1', shape: '{"hidden":["x"]}' }))).toThrow(RangeError);
  });
});

describe('decodeBase(…)', () => {
  const fix = 'delete the row of the base and those of its trials, and the next run computes them anew';
  it.each([
    ['is cut', encodePolicy(policy).slice(0, -4), /^base b: safetensors: expected \d+ bytes, got \d+; the file is truncated; /],
    ['is no safetensors', new TextEncoder().encode('hello, world'), /^base b: safetensors: expected a header of at most 4 bytes, got \d+/],
    [
      'has a NaN',
      encodePolicy({ shape, params: policy.params.map((w, i) => (i === 41 ? Number.NaN : w)) }),
      /^base b: policy: expected finite weights, got NaN at trunk\.1\.W\[1\]; /,
    ],
    [
      'has another shape',
      encodePolicy({ shape: { ...shape, hidden: [8, 7] }, params: new Float32Array(size({ ...shape, hidden: [8, 7] })) }),
      /^base b: expected a policy of shape \{.*"hidden":\[8,6\].*\}, got \{.*"hidden":\[8,7\].*\}; /,
    ],
  ])('refuses a file that %s, with the base, what is wrong and the fix', (_what, bytes, message) => {
    const refusal = (): unknown => decodeBase(bytes, 'b', shape);
    expect(refusal).toThrow(RefusedError);
    expect(refusal).toThrow(message);
    expect(refusal).toThrow(fix);
  });
});

describe('orthogonal(…)', () => {
  it.each([
    [4, 64],
    [64, 64],
    [64, 2],
  ])('[%i][%i] has an orthonormal shorter side', (rows, columns) => {
    const q = orthogonal(rows, columns, new Stream(1, 2));
    const short = Math.min(rows, columns);
    const at = (k: number, i: number) => (rows >= columns ? q[i * columns + k]! : q[k * columns + i]!);
    for (let a = 0; a < short; a++) {
      for (let b = 0; b <= a; b++) {
        let product = 0;
        for (let i = 0; i < Math.max(rows, columns); i++) product += at(a, i) * at(b, i);
        expect(product).toBeCloseTo(a === b ? 1 : 0, 12);
      }
    }
  });
});

describe('initialParams(…)', () => {
  it('has gains √2, 0.01 and 1 and zero biases', () => {
    const params = initialParams({ ...shape, hidden: [64, 64] }, { orthogonalInit: true }, new Stream(3, 4));
    const rms = (from: number, count: number) => Math.sqrt(params.slice(from, from + count).reduce((s, x) => s + x * x, 0) / count);
    expect(rms(0, 4 * 64)).toBeCloseTo(Math.SQRT2 / 8, 10); // four orthonormal rows of 64, times √2
    expect(params.slice(4 * 64, 4 * 64 + 64).every((b) => b === 0)).toBe(true);
    const head = 4 * 64 + 64 + 64 * 64 + 64;
    expect(rms(head, 128)).toBeCloseTo(0.01 / 8, 10);
    expect(rms(head + 130, 64)).toBeCloseTo(1 / 8, 10);
  });
});
