/**
 * The one matrix product under forward, dX and dW; which one is only a matter of strides.
 *   c[i, j] = start[j] + Σ_k a[i, k]·b[k, j]
 * Shapes: i < rows, j < 4·vectors, k < depth. `aRow`, `aDepth` are the distances in bytes of i and k in `a`, `bStep`, `cStep`
 * those of rows; `start` is one row, a bias or zeros.
 * Every sum runs k = 0, 1, 2, ... in its own accumulator, multiply then add, whatever the block: a row has the same bits alone
 * and among others.
 * Blocks have 8 accumulators, as many as the 16 vector registers allow beside their operands: 4 rows × 2 vectors is the fast
 * one, 8 × 1 takes an odd last vector, 1 × 8 and 1 × 1 take the last rows and batches of one.
 */
export function multiply(
  rows: i32, vectors: i32, depth: i32,
  a: usize, aRow: usize, aDepth: usize,
  b: usize, bStep: usize, start: usize, c: usize, cStep: usize,
): void {
  const even = vectors & ~1;
  let i = 0;
  for (; i + 4 <= rows; i += 4) {
    const ai = a + <usize>i * aRow;
    const ci = c + <usize>i * cStep;
    for (let j = 0; j < even; j += 2) {
      const at = <usize>j << 4;
      block4x2(depth, ai, aRow, aDepth, b + at, bStep, start + at, ci + at, cStep);
    }
  }
  for (; i < rows; i++) {
    const ai = a + <usize>i * aRow;
    const ci = c + <usize>i * cStep;
    let j = 0;
    for (; j + 8 <= even; j += 8) {
      const at = <usize>j << 4;
      block1x8(depth, ai, aDepth, b + at, bStep, start + at, ci + at);
    }
    for (; j < even; j++) {
      const at = <usize>j << 4;
      block1x1(depth, ai, aDepth, b + at, bStep, start + at, ci + at);
    }
  }
  if (even == vectors) return;
  const at = <usize>even << 4;
  b += at; start += at; c += at;
  i = 0;
  for (; i + 8 <= rows; i += 8) {
    block8x1(depth, a + <usize>i * aRow, aRow, aDepth, b, bStep, start, c + <usize>i * cStep, cStep);
  }
  for (; i < rows; i++) {
    block1x1(depth, a + <usize>i * aRow, aDepth, b, bStep, start, c + <usize>i * cStep);
  }
}

// @ts-ignore: decorator
@inline
function block4x2(depth: i32, a: usize, aRow: usize, aDepth: usize, b: usize, bStep: usize, start: usize, c: usize, cStep: usize): void {
  let a0 = a, a1 = a0 + aRow, a2 = a1 + aRow, a3 = a2 + aRow;
  let c00 = v128.load(start), c01 = v128.load(start, 16);
  let c10 = c00, c11 = c01, c20 = c00, c21 = c01, c30 = c00, c31 = c01;
  for (let k = 0; k < depth; k++) {
    const b0 = v128.load(b), b1 = v128.load(b, 16);
    let x = v128.load32_splat(a0);
    c00 = f32x4.add(c00, f32x4.mul(x, b0)); c01 = f32x4.add(c01, f32x4.mul(x, b1));
    x = v128.load32_splat(a1);
    c10 = f32x4.add(c10, f32x4.mul(x, b0)); c11 = f32x4.add(c11, f32x4.mul(x, b1));
    x = v128.load32_splat(a2);
    c20 = f32x4.add(c20, f32x4.mul(x, b0)); c21 = f32x4.add(c21, f32x4.mul(x, b1));
    x = v128.load32_splat(a3);
    c30 = f32x4.add(c30, f32x4.mul(x, b0)); c31 = f32x4.add(c31, f32x4.mul(x, b1));
    a0 += aDepth; a1 += aDepth; a2 += aDepth; a3 += aDepth; b += bStep;
  }
  v128.store(c, c00); v128.store(c, c01, 16); c += cStep;
  v128.store(c, c10); v128.store(c, c11, 16); c += cStep;
  v128.store(c, c20); v128.store(c, c21, 16); c += cStep;
  v128.store(c, c30); v128.store(c, c31, 16);
}

// @ts-ignore: decorator
@inline
function block8x1(depth: i32, a: usize, aRow: usize, aDepth: usize, b: usize, bStep: usize, start: usize, c: usize, cStep: usize): void {
  let a0 = a, a1 = a0 + aRow, a2 = a1 + aRow, a3 = a2 + aRow, a4 = a3 + aRow, a5 = a4 + aRow, a6 = a5 + aRow, a7 = a6 + aRow;
  let c0 = v128.load(start);
  let c1 = c0, c2 = c0, c3 = c0, c4 = c0, c5 = c0, c6 = c0, c7 = c0;
  for (let k = 0; k < depth; k++) {
    const bk = v128.load(b);
    c0 = f32x4.add(c0, f32x4.mul(v128.load32_splat(a0), bk)); c1 = f32x4.add(c1, f32x4.mul(v128.load32_splat(a1), bk));
    c2 = f32x4.add(c2, f32x4.mul(v128.load32_splat(a2), bk)); c3 = f32x4.add(c3, f32x4.mul(v128.load32_splat(a3), bk));
    c4 = f32x4.add(c4, f32x4.mul(v128.load32_splat(a4), bk)); c5 = f32x4.add(c5, f32x4.mul(v128.load32_splat(a5), bk));
    c6 = f32x4.add(c6, f32x4.mul(v128.load32_splat(a6), bk)); c7 = f32x4.add(c7, f32x4.mul(v128.load32_splat(a7), bk));
    a0 += aDepth; a1 += aDepth; a2 += aDepth; a3 += aDepth; a4 += aDepth; a5 += aDepth; a6 += aDepth; a7 += aDepth; b += bStep;
  }
  v128.store(c, c0); c += cStep; v128.store(c, c1); c += cStep; v128.store(c, c2); c += cStep; v128.store(c, c3); c += cStep;
  v128.store(c, c4); c += cStep; v128.store(c, c5); c += cStep; v128.store(c, c6); c += cStep; v128.store(c, c7);
}

// @ts-ignore: decorator
@inline
function block1x8(depth: i32, a: usize, aDepth: usize, b: usize, bStep: usize, start: usize, c: usize): void {
  let c0 = v128.load(start), c1 = v128.load(start, 16), c2 = v128.load(start, 32), c3 = v128.load(start, 48);
  let c4 = v128.load(start, 64), c5 = v128.load(start, 80), c6 = v128.load(start, 96), c7 = v128.load(start, 112);
  for (let k = 0; k < depth; k++) {
    const x = v128.load32_splat(a);
    c0 = f32x4.add(c0, f32x4.mul(x, v128.load(b))); c1 = f32x4.add(c1, f32x4.mul(x, v128.load(b, 16)));
    c2 = f32x4.add(c2, f32x4.mul(x, v128.load(b, 32))); c3 = f32x4.add(c3, f32x4.mul(x, v128.load(b, 48)));
    c4 = f32x4.add(c4, f32x4.mul(x, v128.load(b, 64))); c5 = f32x4.add(c5, f32x4.mul(x, v128.load(b, 80)));
    c6 = f32x4.add(c6, f32x4.mul(x, v128.load(b, 96))); c7 = f32x4.add(c7, f32x4.mul(x, v128.load(b, 112)));
    a += aDepth; b += bStep;
  }
  v128.store(c, c0); v128.store(c, c1, 16); v128.store(c, c2, 32); v128.store(c, c3, 48);
  v128.store(c, c4, 64); v128.store(c, c5, 80); v128.store(c, c6, 96); v128.store(c, c7, 112);
}

// @ts-ignore: decorator
@inline
function block1x1(depth: i32, a: usize, aDepth: usize, b: usize, bStep: usize, start: usize, c: usize): void {
  let sum = v128.load(start);
  for (let k = 0; k < depth; k++) {
    sum = f32x4.add(sum, f32x4.mul(v128.load32_splat(a), v128.load(b)));
    a += aDepth; b += bStep;
  }
  v128.store(c, sum);
}
