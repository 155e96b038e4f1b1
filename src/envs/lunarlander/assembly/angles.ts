/**
 * Sine and cosine in float32 with the bits of glibc (2.28 and later): polynomials in float64 on [-pi/4, pi/4], rounded once.
 * Beyond 120 rad glibc reduces with more digits; the reduction here is off by less than 1e-13 there.
 * Coefficients: sinf and cosf of ARM's optimized routines (MIT).
 */
const S1: f64 = -0.16666654943701084; // -0x1.555545995a603p-3
const S2: f64 = 0.008332178146138854; // 0x1.1107605230bc4p-7
const S3: f64 = -0.00019517298981385725; // -0x1.994eb3774cf24p-13
const C1: f64 = -0.49999999725108224; // -0x1.ffffffd0c621cp-2
const C2: f64 = 0.041666623324344516; // 0x1.55553e1068f19p-5
const C3: f64 = -0.001388676379437604; // -0x1.6c087e89a359dp-10
const C4: f64 = 0.000024390450703564542; // 0x1.99343027bf8c3p-16
const HALF_PI: f64 = 1.5707963267948966;
/** 2/pi times 2^24: quadrants are counted in fixed point. */
const QUADRANTS: f64 = 10680707.430881744; // 0x1.45f306dc9c883p+23

/** Results of `turn`. */
export let sine: f32 = 0;
export let cosine: f32 = 0;

/** Sine and cosine of one angle. */
export function turn(angle: f32): void {
  const wide = <f64>angle;
  const n = floor((trunc(wide * QUADRANTS) + 8388608.0) * 5.9604644775390625e-8);
  const x = wide - n * HALF_PI;
  const x2 = x * x;
  const x3 = x * x2;
  const x4 = x2 * x2;
  const s = <f32>(x + x3 * S1 + x3 * x2 * (S2 + x2 * S3));
  const c = <f32>(1.0 + x2 * C1 + x4 * C2 + x4 * x2 * (C3 + x2 * C4));
  const quadrant = <i32>n;
  const swap = (quadrant & 1) != 0;
  const a = swap ? c : s;
  const b = swap ? s : c;
  sine = (quadrant & 2) != 0 ? -a : a;
  cosine = ((quadrant + 1) & 2) != 0 ? -b : b;
}

/** Results of `sincos`. */
export let sines: v128 = i64x2.splat(0);
export let cosines: v128 = i64x2.splat(0);
let sineHalf: v128 = i64x2.splat(0);
let cosineHalf: v128 = i64x2.splat(0);

/** Sines and cosines of four angles: `turn` in lanes. */
export function sincos(angles: v128): void {
  half(f64x2.promote_low_f32x4(angles));
  const s = sineHalf, c = cosineHalf;
  half(f64x2.promote_low_f32x4(v128.shuffle<f32>(angles, angles, 2, 3, 0, 1)));
  sines = v128.shuffle<f32>(s, sineHalf, 0, 1, 4, 5);
  cosines = v128.shuffle<f32>(c, cosineHalf, 0, 1, 4, 5);
}

/** Two of them; results in the low lanes. */
function half(wide: v128): void {
  const fixed = f64x2.add(f64x2.trunc(f64x2.mul(wide, f64x2.splat(QUADRANTS))), f64x2.splat(8388608.0));
  const n = f64x2.floor(f64x2.mul(fixed, f64x2.splat(5.9604644775390625e-8)));
  const x = f64x2.sub(wide, f64x2.mul(n, f64x2.splat(HALF_PI)));
  const x2 = f64x2.mul(x, x);
  const x3 = f64x2.mul(x, x2);
  const x4 = f64x2.mul(x2, x2);
  const s = f32x4.demote_f64x2_zero(f64x2.add(
    f64x2.add(x, f64x2.mul(x3, f64x2.splat(S1))),
    f64x2.mul(f64x2.mul(x3, x2), f64x2.add(f64x2.splat(S2), f64x2.mul(x2, f64x2.splat(S3))))));
  const c = f32x4.demote_f64x2_zero(f64x2.add(
    f64x2.add(f64x2.add(f64x2.splat(1), f64x2.mul(x2, f64x2.splat(C1))), f64x2.mul(x4, f64x2.splat(C2))),
    f64x2.mul(f64x2.mul(x4, x2), f64x2.add(f64x2.splat(C3), f64x2.mul(x2, f64x2.splat(C4))))));
  const quadrant = i32x4.trunc_sat_f64x2_s_zero(n);
  const swap = i32x4.ne(v128.and(quadrant, i32x4.splat(1)), i32x4.splat(0));
  const sign = i32x4.shl(v128.and(quadrant, i32x4.splat(2)), 30);
  const cosineSign = i32x4.shl(v128.and(i32x4.add(quadrant, i32x4.splat(1)), i32x4.splat(2)), 30);
  sineHalf = v128.xor(v128.bitselect(c, s, swap), sign);
  cosineHalf = v128.xor(v128.bitselect(s, c, swap), cosineSign);
}
