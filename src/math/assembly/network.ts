/** Twins of `forward`, `backward`, `sampleNorms` in ../engines/reference.ts, one layer per call; `fisher` is `backwardWeights` on squares. */
import { flush, tanh16, total } from './lanes';
import { multiply } from './multiply';

/**
 * y = x W + b; with Wᵀ for W and zeros for b it is dx = dz Wᵀ.
 * Shapes: x [rows, inputs] in steps of xStep; W [inputs, 4·vectors]; b [4·vectors]; y [rows, 4·vectors].
 */
export function linear(rows: i32, inputs: i32, vectors: i32, x: usize, xStep: usize, w: usize, b: usize, y: usize): void {
  const step = <usize>vectors << 4;
  multiply(rows, vectors, inputs, x, xStep, 4, w, step, b, y, step);
}

/** h = tanh(x W + b). Fused: tanh of what was just written, 16 numbers (64 bytes) at a time: h has whole cache lines. */
export function forwardTanh(rows: i32, inputs: i32, vectors: i32, x: usize, xStep: usize, w: usize, b: usize, h: usize): void {
  linear(rows, inputs, vectors, x, xStep, w, b, h);
  for (let end = h + (<usize>(rows * vectors) << 4); h < end; h += 64) tanh16(h);
}

/** The layer below's dz = (dz Wᵀ)·(1 − h²). Shapes: dz [rows, outputs], Wᵀ [outputs, 4·vectors], h, below [rows, 4·vectors]. Fused: 1 − h² and the flush. */
export function backwardHidden(rows: i32, outputs: i32, vectors: i32, dz: usize, dzStep: usize, transposed: usize, zeros: usize, h: usize, below: usize): void {
  linear(rows, outputs, vectors, dz, dzStep, transposed, zeros, below);
  const one = f32x4.splat(1);
  const end = below + (<usize>(rows * vectors) << 4);
  for (let at = below; at < end; at += 16, h += 16) {
    const ht = v128.load(h);
    v128.store(at, flush(f32x4.mul(v128.load(at), f32x4.sub(one, f32x4.mul(ht, ht)))));
  }
}

/** dW = xᵀ dz and db = Σ_r dz[r]. Shapes: dW [inputs, 4·vectors], db [4·vectors], both overwritten. */
export function backwardWeights(rows: i32, inputs: i32, vectors: i32, x: usize, xStep: usize, dz: usize, zeros: usize, dW: usize, db: usize): void {
  const step = <usize>vectors << 4;
  multiply(inputs, vectors, rows, x, 4, xStep, dz, step, zeros, dW, step);
  for (let j: usize = 0; j < step; j += 16) {
    let sum = f32x4.splat(0);
    for (let r = 0, at = dz + j; r < rows; r++, at += step) sum = f32x4.add(sum, v128.load(at));
    v128.store(db + j, sum);
  }
}

/** out[r] += |dz_r|²·(|x_r|² + 1): one layer's share of row r's squared gradient norm. */
export function sampleNorms(rows: i32, inputs: i32, outputs: i32, x: usize, xStep: usize, dz: usize, dzStep: usize, out: usize): void {
  for (let r = 0; r < rows; r++, x += xStep, dz += dzStep, out += 4) {
    store<f32>(out, load<f32>(out) + rowSquare(dz, outputs) * (rowSquare(x, inputs) + 1));
  }
}

/** Cotangents as a loss wrote them, x[0..4·vectors): denormals become 0. */
export function flushAll(vectors: i32, x: usize): void {
  for (let end = x + (<usize>vectors << 4); x < end; x += 16) v128.store(x, flush(v128.load(x)));
}

/** Σ x[i]² over n numbers. */
function rowSquare(x: usize, n: i32): f32 {
  let sum = f32x4.splat(0);
  let i = 0;
  for (; i + 4 <= n; i += 4, x += 16) {
    const v = v128.load(x);
    sum = f32x4.add(sum, f32x4.mul(v, v));
  }
  for (; i < n; i++, x += 4) {
    const v = v128.load32_zero(x);
    sum = f32x4.add(sum, f32x4.mul(v, v));
  }
  return total(sum);
}
