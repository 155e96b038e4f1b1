import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeTensors, encodeTensors } from '../../src/math/safetensors.ts';

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
