/**
 * The upper 32 bits of the 64-bit product of two uint32, from four 16-bit products; the lower ones are `Math.imul(a, b) >>> 0`.
 * Source: Warren, Hacker's Delight, figure 8-2.
 */
export function multiplyHigh(a: number, b: number): number {
  const a0 = a & 0xffff;
  const a1 = a >>> 16;
  const b0 = b & 0xffff;
  const b1 = b >>> 16;
  const cross = Math.imul(a1, b0) + (Math.imul(a0, b0) >>> 16);
  const low = Math.imul(a0, b1) + (cross & 0xffff);
  return (Math.imul(a1, b1) + (cross >>> 16) + (low >>> 16)) >>> 0;
}
