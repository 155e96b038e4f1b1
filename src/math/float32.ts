const float = new Float32Array(1);
const bits = new Int32Array(float.buffer);

/** The float32 next to x, which must be one: above it, or below. Of the greatest that is Infinity. */
export function neighbour(x: number, up: boolean): number {
  float[0] = x;
  // Neighbouring floats have neighbouring bits; those of a negative one count away from zero.
  if (x === 0) bits[0] = up ? 1 : 0x80000001 | 0;
  else bits[0] = bits[0]! + (x > 0 === up ? 1 : -1);
  return float[0]!;
}
