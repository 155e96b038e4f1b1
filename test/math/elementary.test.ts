import { describe, expect, it } from 'vitest';
import { contentDigest } from '../../src/contract/ids.ts';
import { cos, exp, log, log1p, sin, tanh } from '../../src/math/elementary.ts';
import { Stream } from '../../src/math/rng/threefry.ts';

const view = new DataView(new ArrayBuffer(8));

/** Float64 values in order, numbered: neighbours differ by 1, and both zeros are 0. */
function ordinal(x: number): bigint {
  view.setFloat64(0, x);
  const bits = view.getBigInt64(0);
  return bits < 0n ? -(bits & 0x7fffffffffffffffn) : bits;
}

/** Distance in float64 steps; NaN and NaN are 0 apart. */
function ulps(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) === Number.isNaN(b) ? 0 : Number.POSITIVE_INFINITY;
  return Math.abs(Number(ordinal(a) - ordinal(b)));
}

/** 2^k for −1074 ≤ k ≤ 1023 at k + 1074, by halving, which is exact; `**` need not be. */
const POWERS = new Float64Array(2098);
for (let k = 2097, power = 2 ** 1023; k >= 0; k--, power /= 2) POWERS[k] = power;

/** Signed numbers of magnitudes 2^from to 2^to, spread evenly over the exponents, with full mantissas. */
function spread(key: number, from: number, to: number, count = 20_000): Float64Array {
  const rng = new Stream(key, 0);
  return Float64Array.from({ length: count }, () => {
    const magnitude = (1 + rng.uint32() / 2 ** 32 + rng.uint32() / 2 ** 60) * POWERS[1074 + from + rng.int(to - from)]!;
    return rng.int(2) === 0 ? magnitude : -magnitude;
  });
}

const POSITIVE = (x: number) => Math.abs(x);
const ABOVE_MINUS_ONE = (x: number) => (x <= -1 ? 1 / x : x);

// The 1.29 ulp of our tanh and the 2.2 of the engine's may lie on opposite sides.
const FUNCTIONS = [
  { name: 'exp(x)', ours: exp, theirs: Math.exp, within: 2, at: spread(1, -30, 10), digest: '5237a621e2f9ce3a' },
  { name: 'log(x)', ours: log, theirs: Math.log, within: 2, at: spread(2, -1074, 1023).map(POSITIVE), digest: 'bbac74781a98f5a2' },
  { name: 'log(1 + x)', ours: log, theirs: Math.log, within: 2, at: spread(3, -30, -1).map((x) => 1 + x), digest: '32cd92da4130c525' },
  { name: 'log1p(x)', ours: log1p, theirs: Math.log1p, within: 2, at: spread(4, -60, 60).map(ABOVE_MINUS_ONE), digest: 'b8957e6cddcfc70a' },
  { name: 'tanh(x)', ours: tanh, theirs: Math.tanh, within: 3, at: spread(5, -32, 6), digest: '10ebfb547a8a64ea' },
  { name: 'sin(x)', ours: sin, theirs: Math.sin, within: 2, at: spread(6, -32, 20), digest: '343562473ccc176e' },
  { name: 'cos(x)', ours: cos, theirs: Math.cos, within: 2, at: spread(7, -32, 20), digest: '535c5455f5aeba69' },
];

describe.each(FUNCTIONS)('$name', ({ ours, theirs, within, at, digest }) => {
  it('agrees with the engine to the last bits', () => {
    let worst = { ulps: 0, x: 0 };
    for (const x of at) {
      const here = ulps(ours(x), theirs(x));
      if (here > worst.ulps) worst = { ulps: here, x };
    }
    expect(worst.ulps, `at ${worst.x}`).toBeLessThanOrEqual(within);
  });

  it('gives the same bits on every machine', () => {
    const bytes = new DataView(new ArrayBuffer(at.length * 8));
    at.forEach((x, i) => {
      bytes.setFloat64(i * 8, ours(x), true);
    });
    expect(contentDigest(new Uint8Array(bytes.buffer)).slice(0, 16)).toBe(digest);
  });
});

const INF = Number.POSITIVE_INFINITY;
const NAN = Number.NaN;

it.each([
  [
    'exp',
    exp,
    [
      [0, 1],
      [-0, 1],
      [INF, INF],
      [-INF, 0],
      [NAN, NAN],
      [709.782712893384, 1.7976931348622732e308],
      [709.7827128933841, INF],
      [-745.1332191019411, 5e-324],
      [-745.1332191019412, 0],
      [-708.5, 2.006132305331306e-308],
    ],
  ],
  [
    'log',
    log,
    [
      [1, 0],
      [0, -INF],
      [-0, -INF],
      [-1, NAN],
      [-INF, NAN],
      [INF, INF],
      [NAN, NAN],
      [5e-324, -744.4400719213812],
      [1.7976931348623157e308, 709.782712893384],
      [2, Math.LN2],
    ],
  ],
  [
    'log1p',
    log1p,
    [
      [0, 0],
      [-0, -0],
      [-1, -INF],
      [-1.5, NAN],
      [INF, INF],
      [NAN, NAN],
      [5e-324, 5e-324],
      [-1e-300, -1e-300],
      [1e-20, 1e-20],
      [1, Math.LN2],
      [1e300, 690.7755278982137],
    ],
  ],
  [
    'tanh',
    tanh,
    [
      [0, 0],
      [-0, -0],
      [INF, 1],
      [-INF, -1],
      [NAN, NAN],
      [22, 1],
      [-1e300, -1],
      [5e-324, 5e-324],
      [1e-9, 1e-9],
    ],
  ],
  [
    'sin',
    sin,
    [
      [0, 0],
      [-0, -0],
      [INF, NAN],
      [-INF, NAN],
      [NAN, NAN],
      [5e-324, 5e-324],
      [Math.PI, 1.2246467991473532e-16],
      [Math.PI / 2, 1],
      [355, -0.00003014435335948845],
      [2 ** 20, NAN],
      [-(2 ** 20), NAN],
    ],
  ],
  [
    'cos',
    cos,
    [
      [0, 1],
      [-0, 1],
      [INF, NAN],
      [NAN, NAN],
      [Math.PI, -1],
      [Math.PI / 2, 6.123233995736766e-17],
      [3529.5793463081327, -4.362304929186345e-15],
      [50276.478031724255, -1.2582025534523678e-12],
      [1e-200, 1],
      [2 ** 20, NAN],
    ],
  ],
] as const)('%s(x) holds at its edges', (name, f, cases) => {
  for (const [x, y] of cases) {
    expect(f(x), `${name}(${x})`).toBe(y);
  }
});

it('tanh(x), sin(x) are odd and cos(x) is even to the bit', () => {
  for (const x of spread(8, -20, 10, 2000)) {
    expect(tanh(-x)).toBe(-tanh(x));
    expect(sin(-x)).toBe(-sin(x));
    expect(cos(-x)).toBe(cos(x));
  }
});

it('sin(x) and cos(x) keep their relative accuracy beside the multiples of π/2, where all but the last bits cancel', () => {
  // The first four are the closest of all below 2^20: 2^-72 of x is left.
  const beside = [321307.9594422229, 642615.9188844458, 871790.3905748408, 413441.44719405076];
  for (let k = 1; k < 600_000; k += k < 1000 ? 1 : 997) beside.push(k * (Math.PI / 2));
  let worst = 0;
  for (const x of beside) {
    for (const y of [x - x * 2 ** -52, x, x + x * 2 ** -52]) worst = Math.max(worst, ulps(sin(y), Math.sin(y)), ulps(cos(y), Math.cos(y)));
  }
  expect(worst).toBeLessThanOrEqual(2);
});

it('exp(x) does not jump at the seams of its reduction', () => {
  const jumps: number[] = [];
  for (let k = -1070; k <= 1022; k++) {
    const seam = (k + 0.5) * Math.LN2;
    const step = Math.abs(seam) * 2 ** -50;
    for (let x = seam - 8 * step; x < seam + 8 * step; x += step) if (exp(x) > exp(x + step)) jumps.push(x);
  }
  expect(jumps).toEqual([]);
});
