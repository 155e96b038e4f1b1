import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeTensors, encodeTensors, readTensors } from '../../src/math/safetensors.ts';
import { decodePolicy } from '../../src/ppo/policy.ts';

const sample = encodeTensors(
  {
    w: { shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) },
    odd: { shape: [1], data: Int32Array.of(-7) },
    d: { shape: [2], data: Float64Array.of(0.1, -0) },
  },
  { format: 'test' },
);

describe('encodeTensors(…)', () => {
  it('writes a header length, a JSON header and raw data, as the format says', () => {
    const length = Number(new DataView(sample.buffer).getBigUint64(0, true));
    const header = JSON.parse(new TextDecoder().decode(sample.subarray(8, 8 + length)));
    expect(header.w).toEqual({ dtype: 'F32', shape: [2, 3], data_offsets: [0, 24] });
    expect(header.d).toEqual({ dtype: 'F64', shape: [2], data_offsets: [28, 44] });
    expect(header.__metadata__).toEqual({ format: 'test' });
    expect(new DataView(sample.buffer).getFloat32(8 + length + 4, true)).toBe(2);
  });

  it('is read back by decodeTensors, bit for bit, wherever the bytes lie', () => {
    const shifted = new Uint8Array(sample.length + 3);
    shifted.set(sample, 3);
    const { tensors, metadata } = decodeTensors(shifted.subarray(3));
    expect(metadata).toEqual({ format: 'test' });
    expect(tensors['w']).toEqual({ shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) });
    expect(Object.is(tensors['d']?.data[1], -0)).toBe(true);
    expect(decodeTensors(Buffer.from(sample))).toEqual({ tensors, metadata }); // as a file is read
  });
});

describe('decodeTensors(…)', () => {
  it('refuses every truncation of a file', () => {
    for (let n = 0; n < sample.length; n++) expect(() => decodeTensors(sample.subarray(0, n)), `${n} bytes`).toThrow(RangeError);
  });

  it('says what it expected of a tensor whose bytes do not fit its shape', () => {
    const text = new TextDecoder('latin1').decode(sample).replace('[2,3]', '[2,4]');
    expect(() => decodeTensors(Uint8Array.from(text, (c) => c.charCodeAt(0)))).toThrow('expected tensor w to be 32 bytes, got 24');
  });

  /** A file whose header says this, before 24 bytes of data. */
  const lying = (header: unknown): Uint8Array => {
    const text = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
    const bytes = new Uint8Array(8 + text.length + 24);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
    bytes.set(text, 8);
    return bytes;
  };

  it.each<[string, unknown, string]>([
    ['ends behind the file', { dtype: 'F32', shape: [7], data_offsets: [0, 28] }, 'the file is truncated'],
    ['begins behind the file', { dtype: 'F32', shape: [1], data_offsets: [28, 32] }, 'to begin at byte 0 of the data, without a gap'],
    ['ends before it begins', { dtype: 'F32', shape: [1], data_offsets: [8, 4] }, 'to begin at byte 0'],
    ['begins before the data', { dtype: 'F32', shape: [1], data_offsets: [-4, 0] }, 'to have dtype, shape and data_offsets'],
    ['has more numbers than bytes', { dtype: 'F32', shape: [2, 1e15], data_offsets: [0, 24] }, 'to be 8000000000000000 bytes, got 24'],
    ['has a shape beyond all numbers', { dtype: 'F32', shape: [1e15, 1e15, 1e15], data_offsets: [0, 24] }, 'of less than 2^64 bits, got'],
    ['has half a dimension', { dtype: 'F32', shape: [1.5], data_offsets: [0, 6] }, 'to have dtype, shape and data_offsets'],
    ['has a dimension below zero', { dtype: 'F32', shape: [-6, -1], data_offsets: [0, 24] }, 'to have dtype, shape and data_offsets'],
    ['is of a type of objects', { dtype: 'constructor', shape: [1], data_offsets: [0, 4] }, 'C64, got constructor'],
    [
      'is of a valid type that we do not compute with',
      { dtype: 'BF16', shape: [12], data_offsets: [0, 24] },
      'expected F32, F64, I32, got BF16, a valid type',
    ],
    ['is null', null, 'to have dtype, shape and data_offsets'],
  ])('refuses a tensor that %s', (_what, entry, message) => {
    const decode = (): unknown => decodeTensors(lying({ w: entry }));
    expect(decode).toThrow(RangeError);
    expect(decode).toThrow(message);
  });

  it('gives whole tensors or a RangeError whatever a header says of sizes and places', () => {
    const number = fc.oneof(fc.integer({ min: -8, max: 40 }), fc.constantFrom(2 ** 31, 2 ** 32, 2 ** 53, 1e300, 0.5, null));
    const entry = fc.record({
      dtype: fc.constantFrom('F32', 'F64', 'I32', 'F16', '__proto__'),
      shape: fc.array(number, { maxLength: 3 }),
      data_offsets: fc.array(number, { minLength: 1, maxLength: 3 }),
    });
    const pair = { v: { dtype: 'I32', shape: [3], data_offsets: [12, 24] }, w: { dtype: 'F32', shape: [3], data_offsets: [0, 12] } };
    const seen = new Set<boolean>();
    fc.assert(
      fc.property(fc.dictionary(fc.oneof(fc.string(), fc.constant('__proto__')), entry, { maxKeys: 2 }), fc.boolean(), (header, whole) => {
        try {
          const { tensors } = decodeTensors(lying(whole ? { ...header, ...pair } : header));
          for (const { shape, data } of Object.values(tensors)) expect(data.length).toBe(shape.reduce((n, d) => n * d, 1));
          seen.add(true);
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
          seen.add(false);
        }
      }),
      { numRuns: 1000 },
    );
    expect(seen.size).toBe(2); // both happen
  });

  it('gives a value or a RangeError for any bytes', () => {
    const mutated = fc.tuple(fc.nat(sample.length - 1), fc.nat(255)).map(([at, byte]) => {
      const copy = sample.slice();
      copy[at] = byte;
      return copy;
    });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 64 }), mutated), (bytes) => {
        try {
          decodeTensors(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
        }
      }),
      { numRuns: 500, seed: 1 },
    );
  });
});

/** What tools/record_safetensors.py wrote; null in `refused` where the reference implementation takes the file. */
interface Verdicts {
  readonly recorded: { readonly safetensors: string };
  readonly files: readonly { readonly what: string; readonly bytes: string; readonly refused: string | null; readonly policy: boolean }[];
}

describe('readTensors(…)', () => {
  const packed = readFileSync(new URL('../golden/safetensors.json.gz', import.meta.url));
  const { recorded, files } = JSON.parse(gunzipSync(packed).toString('utf8')) as Verdicts;
  const verdict = (read: (bytes: Uint8Array) => unknown, bytes: Uint8Array): string | null => {
    try {
      read(bytes);
      return null;
    } catch (error) {
      if (error instanceof RangeError) return error.message;
      throw error;
    }
  };

  it('takes and refuses what the reference implementation takes and refuses, and decodePolicy those that are a policy', () => {
    expect([recorded.safetensors, files.length]).toEqual(['0.8.0', 806]);
    expect([files.filter(({ refused }) => refused === null).length, files.filter(({ policy }) => policy).length]).toEqual([217, 129]);
    const different = files.flatMap(({ what, bytes, refused, policy }) => {
      const content = Buffer.from(bytes, 'base64');
      const [file, whole] = [verdict(readTensors, content), verdict(decodePolicy, content)];
      if ((file === null) === (refused === null) && (whole === null) === policy) return [];
      return [`${what}: reference ${refused ?? 'takes it'}, ours ${file ?? 'takes it'}; policy ${policy}, ours ${whole ?? true}`];
    });
    expect(different).toEqual([]);
  });

  it('refuses a header of more than 100 MB before it reads it', () => {
    const bytes = new Uint8Array(8 + 100_000_001);
    new DataView(bytes.buffer).setBigUint64(0, 100_000_001n, true);
    expect(() => readTensors(bytes)).toThrow(/^safetensors: expected a header of at most 100000000 bytes, got 100000001$/);
  });

  it('has tensors and metadata of any name, those of objects too', () => {
    const header = '{"__metadata__":{"__proto__":"x"},"__proto__":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}}';
    const bytes = Buffer.from(`${'\0'.repeat(8)}${header}abc`);
    bytes.writeUInt32LE(header.length);
    const { tensors, metadata } = readTensors(bytes);
    expect(Buffer.from(tensors.get('__proto__')?.bytes ?? []).toString()).toBe('abc');
    expect(Object.entries(metadata)).toEqual([['__proto__', 'x']]);
  });
});
