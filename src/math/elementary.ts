/**
 * exp, log, log1p, tanh, sin and cos in float64, built from + − × ÷ alone, which IEEE 754 fixes to the last bit.
 * `Math.exp` and its kin are implementation-defined: they differ between engines and have changed between versions of one engine,
 * so a result that used them would not be the same bytes elsewhere.
 *
 * Greatest error seen on 10^5 points each against 200 bits, in ulp: exp 1.15, log 0.73, log1p 0.80, tanh 1.29, sin 0.74, cos 0.73.
 * Special values are those of C99: NaN gives NaN, −0 is kept by the odd functions.
 * Source: reductions, polynomials and coefficients of fdlibm 5.3 (Sun Microsystems, 1993) as kept up in FreeBSD's msun; tanh is Cephes'.
 * Ours differ from them in deciding by comparing values where they compare high words, and log shares its kernel with log1p.
 */

// One float64 and its two 32-bit words. HIGH is found, not assumed, so that a big-endian machine computes the same.
const float = new Float64Array(1);
const words = new Int32Array(float.buffer);
float[0] = 1;
const HIGH = words[1] === 0x3ff00000 ? 1 : 0;

// 2^k at k + 1024, for −1024 ≤ k ≤ 1023. Composing the bits in `words` would be shorter and twice as slow:
// reading eight bytes just after writing four of them stalls the processor.
const POWERS = new Float64Array(2048);
for (let k = 0, up = 1; k < 1024; k++, up *= 2) {
  POWERS[1024 + k] = up;
  POWERS[1024 - k] = 1 / up;
}
POWERS[0] = POWERS[1]! / 2;

/** 2^k for −1024 ≤ k ≤ 1023. */
function power(k: number): number {
  return POWERS[k + 1024]!;
}

/** ln 2 in two parts; the first has 33 significant bits, so that k·LN2_HI is exact for |k| < 2^20. */
const LN2_HI = 0.6931471803691238;
const LN2_LO = 1.9082149292705877e-10;
// biome-ignore lint/suspicious/noApproximativeNumericConstant: the bits matter, so they stand here
const INV_LN2 = 1.4426950408889634;

/** exp overflows above the first and is less than half the least subnormal below the second. */
const EXP_MAX = 709.782712893384;
const EXP_MIN = -745.1332191019411;

/**
 * e^x = 2^k · e^r with x = k·ln 2 + r, |r| ≤ ½ ln 2, and e^r = 1 + r + r·c/(2 − c), c = r − r²·P(r²) (a Remez fit).
 * Source: msun e_exp.c.
 */
export function exp(x: number): number {
  if (x > EXP_MAX) return Number.POSITIVE_INFINITY;
  if (x < EXP_MIN) return 0;
  const k = (INV_LN2 * x + (x < 0 ? -0.5 : 0.5)) | 0;
  const hi = x - k * LN2_HI;
  const lo = k * LN2_LO;
  const r = hi - lo;
  const t = r * r;
  const c =
    r -
    t *
      (0.16666666666666602 +
        t * (-0.0027777777777015593 + t * (0.00006613756321437934 + t * (-0.0000016533902205465252 + t * 4.1381367970572385e-8))));
  const y = 1 - (lo - (r * c) / (2 - c) - hi);
  if (k > 1023) return y * 2 * power(1023);
  if (k < -1021) return y * power(k + 1000) * 9.332636185032189e-302; // 2^-1000: rounds once, into the subnormals
  return y * power(k);
}

/**
 * log(2^k · (1 + f)) + c for √½ ≤ 1 + f < √2 and a small correction c:
 *   log(1 + f) = f − (f²/2 − s·(f²/2 + R)), s = f/(2 + f), R = a fit in s²
 * Source: msun s_log1p.c.
 */
function logReduced(f: number, k: number, c: number): number {
  const half = 0.5 * f * f;
  const s = f / (2 + f);
  const z = s * s;
  const w = z * z;
  // Odd and even terms apart: two short chains instead of one long.
  const even = w * (0.3999999999940942 + w * (0.22222198432149784 + w * 0.15313837699209373));
  const odd = z * (0.6666666666666735 + w * (0.2857142874366239 + w * (0.1818357216161805 + w * 0.14798198605116586)));
  const tail = s * (half + (odd + even));
  if (k === 0) return f - (half - tail);
  return k * LN2_HI - (half - (tail + (k * LN2_LO + c)) - f);
}

/** 1 if the mantissa of a float64 with this high word is above √2 (to 20 bits), else 0. */
function aboveSqrt2(high: number): number {
  return ((high & 0xfffff) + 0x95f64) >> 20;
}

/** The natural logarithm; −Infinity at ±0, NaN below. Source: msun e_log.c, with the kernel of s_log1p.c. */
export function log(x: number): number {
  if (!(x > 0)) return x === 0 ? Number.NEGATIVE_INFINITY : Number.NaN;
  if (x === Number.POSITIVE_INFINITY) return x;
  let k = 0;
  if (x < 2.2250738585072014e-308) {
    k = -54; // a subnormal's exponent does not say its size
    x *= 18014398509481984;
  }
  float[0] = x;
  const high = words[HIGH]!;
  const exponent = (high >> 20) - 1023 + aboveSqrt2(high);
  return logReduced(x * power(-exponent) - 1, k + exponent, 0);
}

/** log(1 + x), exact where 1 + x would round x away; −Infinity at −1, NaN below. Source: msun s_log1p.c. */
export function log1p(x: number): number {
  if (!(x > -1)) return x === -1 ? Number.NEGATIVE_INFINITY : Number.NaN;
  if (x === Number.POSITIVE_INFINITY) return x;
  if (Math.abs(x) < 5.551115123125783e-17) return x; // 2^-54; keeps −0, too
  if (x > -0.2928932188134524 && x < 0.41421356237309515) return logReduced(x, 0, 0); // √½ < 1 + x < √2
  const u = 1 + x;
  float[0] = u;
  const high = words[HIGH]!;
  const k = (high >> 20) - 1023;
  // What 1 + x rounded away, relative to it; beyond 2^53 that is all of the 1 and does not matter.
  const lost = k >= 53 ? 0 : (k > 0 ? 1 - (u - x) : x - (u - 1)) / u;
  const exponent = k + aboveSqrt2(high);
  const f = u * power(-exponent) - 1;
  return exponent === 0 ? logReduced(f, 0, 0) + lost : logReduced(f, exponent, lost);
}

/**
 * tanh x = x + x³·P(x²)/Q(x²) for |x| < 0.625, else 1 − 2/(e^2|x| + 1) with the sign of x.
 * Source: Cephes tanh.c (Moshier), a minimax fit; msun's s_tanh.c, by expm1 alone, errs by up to 2.2 ulp near 0.
 */
export function tanh(x: number): number {
  const a = Math.abs(x);
  if (a < 3.725290298461914e-9) return x; // 2^-28: x³/3 is below half an ulp; keeps −0, too
  if (a < 0.625) {
    const z = x * x;
    const p = (-0.9643991794250523 * z - 99.28772310019185) * z - 1614.6876844170845;
    const q = ((z + 112.81167849163293) * z + 2235.4883906010045) * z + 4844.063053251255;
    return x + x * z * (p / q);
  }
  const y = a >= 22 ? 1 : 1 - 2 / (exp(2 * a) + 1);
  return x < 0 ? -y : y;
}

const QUARTER_PI = 0.7853981633974483;

/** sin and cos are NaN from here on: a reduction that stays exact needs a table, and an angle this large is a bug, better seen than smoothed over. */
const REDUCIBLE = 1048576;

/** sin(x + y) for |x| ≤ π/4 and its tail y. Source: msun k_sin.c. */
function sinReduced(x: number, y: number): number {
  const z = x * x;
  const r =
    0.00833333333332249 +
    z * (-0.0001984126982985795 + z * (0.0000027557313707070068 + z * (-2.5050760253406863e-8 + z * 1.58969099521155e-10)));
  const v = z * x;
  return x - (z * (0.5 * y - v * r) - y - v * -0.16666666666666632);
}

/** cos(x + y) for |x| ≤ π/4 and its tail y; 1 − x²/2 is rounded once and its error carried along. Source: msun k_cos.c. */
function cosReduced(x: number, y: number): number {
  const z = x * x;
  const w = z * z;
  const r =
    z * (0.0416666666666666 + z * (-0.001388888888887411 + z * 0.00002480158728947673)) +
    w * w * (-2.7557314351390663e-7 + z * (2.087572321298175e-9 + z * -1.1359647557788195e-11));
  const half = 0.5 * z;
  const c = 1 - half;
  return c + (1 - c - half + (z * r - x * y));
}

// What `reduce` leaves: x = quadrant·π/2 + head + tail, |head| ≤ π/4.
const remainder = new Float64Array(2);

/**
 * Cody-Waite reduction by π/2, whose parts have 33 bits each, so that n times a part is exact for n < 2^20.
 * More parts are taken only when the subtraction cancels, near a multiple of π/2. Writes `remainder`, returns the quadrant, 0..3.
 * Source: msun e_rem_pio2.c, medium size.
 */
function reduce(x: number): number {
  const n = x * 0.6366197723675814 + 6755399441055744 - 6755399441055744; // 1.5·2^52: rounds to the nearest integer
  let r = x - n * 1.5707963267341256;
  let w = n * 6.077100506506192e-11;
  let head = r - w;
  const size = Math.abs(x);
  if (Math.abs(head) < size * 1.52587890625e-5) {
    // 2^-16 of x is left: 33 + 33 bits of π/2
    let t = r;
    w = n * 6.077100506303966e-11;
    r = t - w;
    w = n * 2.0222662487959506e-21 - (t - r - w);
    head = r - w;
    if (Math.abs(head) < size * 1.7763568394002505e-15) {
      // 2^-49 of x is left: 151 bits, enough for every float64 in range
      t = r;
      w = n * 2.0222662487111665e-21;
      r = t - w;
      w = n * 8.4784276603689e-32 - (t - r - w);
      head = r - w;
    }
  }
  remainder[0] = head;
  remainder[1] = r - head - w;
  return n & 3;
}

/** Sine of x in radians; NaN for |x| ≥ 2^20. Source: msun s_sin.c. */
export function sin(x: number): number {
  if (Math.abs(x) <= QUARTER_PI) {
    if (Math.abs(x) < 1.4901161193847656e-8) return x; // 2^-26; keeps −0, too
    const z = x * x;
    const r =
      0.00833333333332249 +
      z * (-0.0001984126982985795 + z * (0.0000027557313707070068 + z * (-2.5050760253406863e-8 + z * 1.58969099521155e-10)));
    return x + z * x * (-0.16666666666666632 + z * r);
  }
  if (!(Math.abs(x) < REDUCIBLE)) return Number.NaN;
  const quadrant = reduce(x);
  const y = (quadrant & 1) === 0 ? sinReduced(remainder[0]!, remainder[1]!) : cosReduced(remainder[0]!, remainder[1]!);
  return quadrant < 2 ? y : -y;
}

/** Cosine of x in radians; NaN for |x| ≥ 2^20. Source: msun s_cos.c. */
export function cos(x: number): number {
  if (Math.abs(x) <= QUARTER_PI) return cosReduced(x, 0);
  if (!(Math.abs(x) < REDUCIBLE)) return Number.NaN;
  const quadrant = reduce(x);
  const y = (quadrant & 1) === 0 ? cosReduced(remainder[0]!, remainder[1]!) : sinReduced(remainder[0]!, remainder[1]!);
  return quadrant === 0 || quadrant === 3 ? y : -y;
}
