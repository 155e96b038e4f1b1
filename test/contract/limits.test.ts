import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { limitsSchema } from '../../src/contract/limits.ts';

const wall = (written: unknown): number | null | undefined => limitsSchema.safeParse({ wall: written }).data?.wallMs;

describe('limitsSchema', () => {
  it.each([
    ['90s', 90_000],
    ['30m', 1_800_000],
    ['2h', 7_200_000],
    ['1h30m', 5_400_000],
    ['1.5h', 5_400_000],
    [90, 90_000],
    [0.25, 250],
    [null, null],
  ])('limitsSchema({ wall: %j }) is %j ms', (written, ms) => {
    expect(wall(written)).toBe(ms);
  });

  it.each([
    '',
    '30',
    'm',
    '30 m',
    '30min',
    '-3s',
    '1e3s',
    's30',
    '3d',
    '0s',
    0,
    -1,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    '577h',
    2_073_601,
    [],
    {},
  ])('limitsSchema({ wall: %j }) is refused', (written) => {
    expect(wall(written)).toBeUndefined();
  });

  it('limitsSchema({}) limits nothing', () => {
    expect(limitsSchema.parse({})).toEqual({ wallMs: null, memoryMb: null });
  });

  it('limitsSchema({ wall: h hours, m minutes, s seconds }) is their sum', () => {
    fc.assert(
      fc.property(fc.nat(23), fc.nat(59), fc.integer({ min: 1, max: 59 }), (h, m, s) => {
        expect(wall(`${h}h${m}m${s}s`)).toBe(wall(h * 3600 + m * 60 + s));
      }),
    );
  });
});
