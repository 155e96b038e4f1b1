/** Plain definitions of what an engine does with flat vectors: masks, projections, clipping, minibatches. */
import type { Floats } from './engine.ts';

/** out[i, :] = source[indices[i], :] for rows of `width` numbers. Throws RangeError for an index without a row. */
export function gather(source: Floats, indices: Int32Array, width: number, out: Floats): void {
  const rows = Math.floor(source.length / width);
  for (let i = 0; i < indices.length; i++) {
    const index = indices[i]!;
    if (index < 0 || index >= rows) throw new RangeError(`gather: expected indices below ${rows}, got ${index}`);
    for (let j = 0; j < width; j++) out[i * width + j] = source[index * width + j]!;
  }
}

/** a[i] *= b[i] */
export function mul(a: Floats, b: Floats): void {
  for (let i = 0; i < a.length; i++) a[i] = a[i]! * b[i]!;
}

/** y[i] += scale · x[i] */
export function axpy(scale: number, x: Floats, y: Floats): void {
  for (let i = 0; i < y.length; i++) y[i] = y[i]! + scale * x[i]!;
}

/** Σ a[i]·b[i] */
export function dot(a: Floats, b: Floats): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/** √(Σ a[i]²) */
export function norm(a: Floats): number {
  return Math.sqrt(dot(a, a));
}
