/** Twins of ../vector.ts, ../adam.ts and ../gae.ts, and the copies that pack matrices. A rest of fewer than 4 numbers goes one by one. */
import { flush, flushSquare } from './lanes';

/** Twin of `adam` in ../adam.ts. mask = 0 (no address): no mask. `stepSize` and `rootScale` are that file's, rest = 1 − β. */
export function adam(
  n: i32, params: usize, gradient: usize, m: usize, v: usize, mask: usize,
  scale: f32, stepSize: f32, rootScale: f32, beta1: f32, rest1: f32, beta2: f32, rest2: f32, eps: f32,
): void {
  const end = <usize>n << 2;
  const whole = end & ~15;
  let at: usize = 0;
  if (mask != 0) {
    for (; at < whole; at += 16) adam4(4, true, at, params, gradient, m, v, mask, scale, stepSize, rootScale, beta1, rest1, beta2, rest2, eps);
    for (; at < end; at += 4) adam4(1, true, at, params, gradient, m, v, mask, scale, stepSize, rootScale, beta1, rest1, beta2, rest2, eps);
  } else {
    for (; at < whole; at += 16) adam4(4, false, at, params, gradient, m, v, mask, scale, stepSize, rootScale, beta1, rest1, beta2, rest2, eps);
    for (; at < end; at += 4) adam4(1, false, at, params, gradient, m, v, mask, scale, stepSize, rootScale, beta1, rest1, beta2, rest2, eps);
  }
}

/** `width` = 4 or 1 numbers at byte `at`. Fused: clipping scale, mask, both moments, step, flush of denormals. */
// @ts-ignore: decorator
@inline
function adam4(
  width: i32, masked: bool, at: usize, params: usize, gradient: usize, m: usize, v: usize, mask: usize,
  scale: f32, stepSize: f32, rootScale: f32, beta1: f32, rest1: f32, beta2: f32, rest2: f32, eps: f32,
): void {
  const p0 = read(width, params + at), m0 = read(width, m + at), v0 = read(width, v + at);
  const kept = masked ? read(width, mask + at) : f32x4.splat(1);
  const g = flush(f32x4.mul(f32x4.splat(scale), read(width, gradient + at)));
  let m1 = flush(f32x4.add(f32x4.mul(f32x4.splat(beta1), m0), f32x4.mul(f32x4.splat(rest1), g)));
  let v1 = flushSquare(f32x4.add(f32x4.mul(f32x4.splat(beta2), v0), f32x4.mul(f32x4.mul(f32x4.splat(rest2), g), g)));
  const root = f32x4.add(f32x4.mul(f32x4.sqrt(v1), f32x4.splat(rootScale)), f32x4.splat(eps));
  let move = f32x4.div(f32x4.mul(f32x4.splat(stepSize), m1), root);
  if (masked) move = f32x4.mul(kept, move);
  let p1 = f32x4.sub(p0, move);
  if (masked) {
    const still = f32x4.eq(kept, f32x4.splat(0));
    p1 = v128.bitselect(p0, p1, still);
    m1 = v128.bitselect(m0, m1, still);
    v1 = v128.bitselect(v0, v1, still);
  }
  write(width, params + at, p1);
  write(width, m + at, m1);
  write(width, v + at, v1);
}

// @ts-ignore: decorator
@inline
function read(width: i32, at: usize): v128 {
  return width == 4 ? v128.load(at) : v128.load32_zero(at);
}

// @ts-ignore: decorator
@inline
function write(width: i32, at: usize, x: v128): void {
  if (width == 4) v128.store(at, x);
  else f32.store(at, f32x4.extract_lane(x, 0));
}

/** Twin of ../gae.ts. Four environments at a time. Fused: δ and A, no temporaries. `decay` = γλ. */
export function gae(
  numSteps: i32, numEnvs: i32, reward: usize, value: usize, nextValue: usize, terminated: usize, ended: usize,
  gamma: f32, decay: f32, advantage: usize,
): void {
  const row = <usize>numEnvs << 2;
  const whole = row & ~15;
  for (let lane: usize = 0; lane < row; lane += lane < whole ? 16 : 4) {
    const width = lane < whole ? 4 : 1;
    const one = f32x4.splat(1);
    let next = f32x4.splat(0); // A_{t+1}
    for (let t = numSteps - 1; t >= 0; t--) {
      const at = <usize>t * row + lane;
      const live = f32x4.sub(one, read(width, terminated + at));
      const target = f32x4.add(read(width, reward + at), f32x4.mul(f32x4.mul(f32x4.splat(gamma), read(width, nextValue + at)), live));
      const delta = f32x4.sub(target, read(width, value + at));
      const on = f32x4.sub(one, read(width, ended + at));
      next = f32x4.add(delta, f32x4.mul(f32x4.mul(f32x4.splat(decay), on), next));
      write(width, advantage + at, next);
    }
  }
}

/** Twin of `gather` in ../vector.ts: `rows` rows of `width` numbers. */
export function gather(rows: i32, width: i32, source: usize, indices: usize, out: usize): void {
  if (width == 1) {
    for (let i = 0; i < rows; i++, indices += 4, out += 4) store<i32>(out, load<i32>(source + (<usize>load<i32>(indices) << 2)));
    return;
  }
  const bytes = <usize>width << 2;
  for (let i = 0; i < rows; i++, out += bytes) copy(bytes, source + <usize>load<i32>(indices + (<usize>i << 2)) * bytes, out);
}

/** Copies a block of rows × columns between matrices of different steps: packs and unpacks parameters and gradients. */
export function copyRows(rows: i32, columns: i32, from: usize, fromStep: usize, to: usize, toStep: usize): void {
  for (let r = 0; r < rows; r++, from += fromStep, to += toStep) copy(<usize>columns << 2, from, to);
}

// @ts-ignore: decorator
@inline
function copy(bytes: usize, from: usize, to: usize): void {
  const whole = bytes & ~15;
  let at: usize = 0;
  for (; at < whole; at += 16) v128.store(to + at, v128.load(from + at));
  for (; at < bytes; at += 4) store<i32>(to + at, load<i32>(from + at));
}

/** to[c, r] = from[r, c], in blocks of 4 × 4. */
export function transpose(rows: i32, columns: i32, from: usize, fromStep: usize, to: usize, toStep: usize): void {
  const wholeRows = rows & ~3;
  const wholeColumns = columns & ~3;
  for (let r = 0; r < wholeRows; r += 4) {
    for (let c = 0; c < wholeColumns; c += 4) {
      const f = from + <usize>r * fromStep + (<usize>c << 2);
      const t = to + <usize>c * toStep + (<usize>r << 2);
      const f0 = v128.load(f), f1 = v128.load(f + fromStep), f2 = v128.load(f + 2 * fromStep), f3 = v128.load(f + 3 * fromStep);
      const low01 = v128.shuffle<f32>(f0, f1, 0, 4, 1, 5), low23 = v128.shuffle<f32>(f2, f3, 0, 4, 1, 5);
      const high01 = v128.shuffle<f32>(f0, f1, 2, 6, 3, 7), high23 = v128.shuffle<f32>(f2, f3, 2, 6, 3, 7);
      v128.store(t, v128.shuffle<f32>(low01, low23, 0, 1, 4, 5));
      v128.store(t + toStep, v128.shuffle<f32>(low01, low23, 2, 3, 6, 7));
      v128.store(t + 2 * toStep, v128.shuffle<f32>(high01, high23, 0, 1, 4, 5));
      v128.store(t + 3 * toStep, v128.shuffle<f32>(high01, high23, 2, 3, 6, 7));
    }
  }
  for (let r = 0; r < rows; r++) {
    for (let c = r < wholeRows ? wholeColumns : 0; c < columns; c++) {
      store<i32>(to + <usize>c * toStep + (<usize>r << 2), load<i32>(from + <usize>r * fromStep + (<usize>c << 2)));
    }
  }
}

/** out[i] = x[i]², denormals flushed before and so never made. Not in ../vector.ts: it serves `fisher`. */
export function square(vectors: i32, x: usize, out: usize): void {
  for (let end = x + (<usize>vectors << 4); x < end; x += 16, out += 16) {
    const v = flush(v128.load(x));
    v128.store(out, f32x4.mul(v, v));
  }
}

/** Twin of `mul` in ../vector.ts. */
export function mul(n: i32, a: usize, b: usize): void {
  const end = <usize>n << 2;
  const whole = end & ~15;
  let at: usize = 0;
  for (; at < whole; at += 16) v128.store(a + at, f32x4.mul(v128.load(a + at), v128.load(b + at)));
  for (; at < end; at += 4) f32.store(a + at, f32.load(a + at) * f32.load(b + at));
}

/** Twin of `axpy` in ../vector.ts. */
export function axpy(n: i32, scale: f32, x: usize, y: usize): void {
  const end = <usize>n << 2;
  const whole = end & ~15;
  let at: usize = 0;
  for (; at < whole; at += 16) v128.store(y + at, f32x4.add(v128.load(y + at), f32x4.mul(f32x4.splat(scale), v128.load(x + at))));
  for (; at < end; at += 4) f32.store(y + at, f32.load(y + at) + scale * f32.load(x + at));
}

/** Twin of `dot` in ../vector.ts. Sums in float64: a norm must neither overflow nor lose what denormal squares hold. */
export function dot(n: i32, a: usize, b: usize): f64 {
  let s0 = f64x2.splat(0), s1 = s0, s2 = s0, s3 = s0;
  const end = a + (<usize>n << 2);
  const whole = a + (<usize>(n & ~7) << 2);
  for (; a < whole; a += 32, b += 32) {
    s0 = f64x2.add(s0, f64x2.mul(pair(a), pair(b)));
    s1 = f64x2.add(s1, f64x2.mul(pair(a + 8), pair(b + 8)));
    s2 = f64x2.add(s2, f64x2.mul(pair(a + 16), pair(b + 16)));
    s3 = f64x2.add(s3, f64x2.mul(pair(a + 24), pair(b + 24)));
  }
  const s = f64x2.add(f64x2.add(s0, s1), f64x2.add(s2, s3));
  let sum = f64x2.extract_lane(s, 0) + f64x2.extract_lane(s, 1);
  for (; a < end; a += 4, b += 4) sum += <f64>f32.load(a) * <f64>f32.load(b);
  return sum;
}

/** Two numbers, as float64. */
// @ts-ignore: decorator
@inline
function pair(at: usize): v128 {
  return f64x2.promote_low_f32x4(v128.load64_zero(at));
}
