import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CompiledRule } from '../../src/contract/spec.ts';
import {
  boxesAround,
  conflict,
  inMargin,
  type Span,
  sampleOutside,
  sampleRegion,
  toxicMask,
  uniformInBox,
} from '../../src/envs/constraint.ts';
import { Stream } from '../../src/math/rng/threefry.ts';

const INF = Number.POSITIVE_INFINITY;
const f32 = Math.fround;

/** The float32 just above x. */
function above(x: number): number {
  const float = Float32Array.of(x);
  const bits = new Int32Array(float.buffer);
  if (float[0] === 0) bits[0] = 1;
  else bits[0]! += float[0]! > 0 ? 1 : -1;
  return float[0]!;
}
const below = (x: number) => -above(-x);

const LOW = f32(-0.08);
const HIGH = f32(0.08);
/** The rules of cartpole/angle. */
const ANGLE: CompiledRule[] = [
  { dims: [{ index: 2, low: HIGH, high: INF }], toxic: 0b1 },
  { dims: [{ index: 2, low: -INF, high: LOW }], toxic: 0b10 },
];
const CARTPOLE: Span[] = [
  { low: -2.4, high: 2.4 },
  { low: -3, high: 3 },
  { low: -0.418, high: 0.418 },
  { low: -3, high: 3 },
];
const mask = (rules: readonly CompiledRule[], ...obs: number[]) => toxicMask(rules, Float32Array.from(obs), 0, obs.length);

describe('toxicMask(rules, obs, row, obsDim)', () => {
  it('sets the bit of a forbidden action, in its own row', () => {
    const obs = Float32Array.of(0, 0, 0.1, 0, 0, 0, 0, 0, 0, 0, -0.1, 0);
    expect([0, 1, 2].map((row) => toxicMask(ANGLE, obs, row, 4))).toEqual([1, 0, 2]);
  });

  it('closes its boxes: the bound is inside, its outer float32 neighbour is not', () => {
    expect([mask(ANGLE, 0, 0, HIGH, 0), mask(ANGLE, 0, 0, below(HIGH), 0)]).toEqual([1, 0]);
    expect([mask(ANGLE, 0, 0, LOW, 0), mask(ANGLE, 0, 0, above(LOW), 0)]).toEqual([2, 0]);
    const point: CompiledRule[] = [{ dims: [{ index: 0, low: 0.5, high: 0.5 }], toxic: 0b1 }];
    expect([0.5, above(0.5), below(0.5)].map((x) => mask(point, x))).toEqual([1, 0, 0]);
  });

  it('unites the rules that hold, and needs every dimension of a rule', () => {
    const rules: CompiledRule[] = [
      { dims: [{ index: 0, low: 0, high: 2 }], toxic: 0b101 },
      { dims: [{ index: 0, low: 1, high: 3 }], toxic: 0b1100 },
      {
        dims: [
          { index: 0, low: 2.5, high: 9 },
          { index: 1, low: 7, high: 9 },
        ],
        toxic: 0b1000000000000000000000000000000,
      },
    ];
    expect([-1, 0, 1.5, 2.75].map((x) => mask(rules, x, 0))).toEqual([0, 0b101, 0b1101, 0b1100]);
    expect(mask(rules, 2.75, 8)).toBe(0b1100 | (1 << 30));
    expect(mask([], 1, 1)).toBe(0);
  });

  it('holds at infinity where the box is open, and never at NaN, whichever dimension it is in', () => {
    expect(mask(ANGLE, 0, 0, INF, 0)).toBe(1);
    for (let k = 0; k < 4; k++) expect(mask(ANGLE, ...[0, 0, 0.1, 0].with(k, Number.NaN))).toBe(0);
    expect([mask([{ dims: [], toxic: 0b10 }], 5), mask([{ dims: [], toxic: 0b10 }], Number.NaN)]).toEqual([2, 0]);
  });
});

describe('inMargin(rules, obs, row, obsDim, margin)', () => {
  const margin = Float32Array.of(0, 0, 0.0625, 0);
  const within = (theta: number) => inMargin(ANGLE, Float32Array.of(0, 0, theta, 0), 0, 4, margin);

  it('holds in the region and as far as the margin around it, the end included', () => {
    expect(
      [HIGH, 0.1, -0.1, f32(HIGH - 0.0625), below(f32(HIGH - 0.0625)), 0, above(f32(LOW + 0.0625)), f32(LOW + 0.0625)].map(within),
    ).toEqual([true, true, true, true, false, false, false, true]);
    expect(within(Number.NaN)).toBe(false);
  });

  it('with no margin is toxicMask(…) ≠ 0', () => {
    const none = new Float32Array(4);
    fc.assert(
      fc.property(fc.float({ min: -1, max: 1, noNaN: true }), (theta) => {
        const obs = Float32Array.of(0, 0, theta, 0);
        expect(inMargin(ANGLE, obs, 0, 4, none)).toBe(toxicMask(ANGLE, obs, 0, 4) !== 0);
      }),
      { seed: 1 },
    );
  });
});

/** Two finite float32 in order. */
const interval = fc
  .tuple(fc.float({ min: -8, max: 8, noNaN: true }), fc.float({ min: -8, max: 8, noNaN: true }))
  .map(([a, b]) => ({ low: Math.min(a, b), high: Math.max(a, b) }));
const DIM = 3;
const anyBox = fc.array(interval, { minLength: DIM, maxLength: DIM });
const anyRule = fc.record({
  dims: fc.uniqueArray(
    fc
      .record({ index: fc.nat(DIM - 1), bounds: interval, open: fc.constantFrom('low', 'high', 'none') })
      .map(({ index, bounds, open }) => ({
        index,
        low: open === 'low' ? -INF : bounds.low,
        high: open === 'high' ? INF : bounds.high,
      })),
    { selector: (d) => d.index },
  ),
  toxic: fc.constant(0b1),
});
const anyRules = fc.array(anyRule, { maxLength: 4 });
const key = fc.nat();

/** Rows of `out`, each inside the closed box. */
function inside(box: readonly Span[], out: Float32Array): boolean {
  return out.every((x, i) => x >= box[i % box.length]!.low && x <= box[i % box.length]!.high);
}

/** Runs `sample`; false where there was nothing to sample. Any other error is one. */
function sampled(sample: () => void): boolean {
  try {
    sample();
    return true;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return false;
  }
}

describe('uniformInBox(box, stream, out, rows)', () => {
  it('stays in the closed box though its bounds are no float32', () => {
    // float32 rounds the lower bound down and the upper one up, out of the box at both ends; 11 of its values lie between.
    const narrow: Span[] = [{ low: 0.1 + 2e-9, high: 0.1 + 8.8e-8 }];
    expect(f32(narrow[0]!.low)).toBeLessThan(narrow[0]!.low);
    expect(f32(narrow[0]!.high)).toBeGreaterThan(narrow[0]!.high);
    const out = new Float32Array(2000);
    uniformInBox(narrow, new Stream(1, 1), out, 2000);
    expect(inside(narrow, out)).toBe(true);
    expect(new Set(out).size).toBe(11);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.double({ min: -3, max: 3, noNaN: true }), fc.double({ min: 1e-6, max: 1, noNaN: true })), {
          minLength: 1,
          maxLength: 4,
        }),
        key,
        (spans, k) => {
          const box = spans.map(([from, width]) => ({ low: from, high: from + width }));
          const rows = new Float32Array(20 * box.length);
          uniformInBox(box, new Stream(k, 0), rows, 20);
          expect(inside(box, rows)).toBe(true);
        },
      ),
      { seed: 2 },
    );
  });

  it('spreads evenly, takes whole numbers where only they occur, and leaves the rows behind alone', () => {
    const box: Span[] = [
      { low: -1, high: 3 },
      { low: -0.5, high: 2.5, integer: true },
      { low: 7, high: 7 },
    ];
    const out = new Float32Array(3 * 8001).fill(-99);
    uniformInBox(box, new Stream(3, 3), out, 8000);
    const counts = new Int32Array(12);
    for (let row = 0; row < 8000; row++) {
      const [x, whole, fixed] = out.subarray(3 * row);
      counts[Math.floor(x! + 1) * 3 + whole!]!++;
      expect(fixed).toBe(7);
    }
    const chi = counts.reduce((sum, c) => sum + (c - 8000 / 12) ** 2 / (8000 / 12), 0);
    expect(chi).toBeLessThan(31.3); // 11 degrees of freedom, p = 0.001
    expect([...out.subarray(24_000)]).toEqual([-99, -99, -99]);
  });

  it('throws where the box is empty, infinite, or does not fit', () => {
    const out = new Float32Array(4);
    const stream = new Stream(0, 0);
    const message = (low: number, high: number) =>
      `uniformInBox: expected finite bounds low <= high with a value between them in dimension 1, got ${low} and ${high}`;
    for (const [low, high] of [
      [1, 0],
      [0, INF],
      [Number.NaN, 1],
      [0.1 + 1e-12, 0.1 + 2e-12],
    ] as const) {
      expect(() =>
        uniformInBox(
          [
            { low: 0, high: 1 },
            { low, high },
          ],
          stream,
          out,
          1,
        ),
      ).toThrow(new RangeError(message(low, high)));
    }
    expect(() => uniformInBox([{ low: 0, high: 1 }], stream, out, 5)).toThrow('uniformInBox: expected room for 5 rows of 1, got 4 numbers');
  });
});

describe('sampleRegion(rules, box, stream, out, rows)', () => {
  it('samples points of the region within the box, whatever the boxes', () => {
    let sets = 0;
    fc.assert(
      fc.property(anyRules, anyBox, key, (rules, box, k) => {
        const out = new Float32Array(16 * DIM);
        if (!sampled(() => sampleRegion(rules, box, new Stream(k, 1), out, 16))) return;
        sets++;
        expect(inside(box, out)).toBe(true);
        for (let row = 0; row < 16; row++) expect(toxicMask(rules, out, row, DIM)).toBe(1);
      }),
      { seed: 3, numRuns: 300 },
    );
    expect(sets).toBeGreaterThan(50);
  });

  it('refuses exactly the regions that do not meet the box', () => {
    fc.assert(
      fc.property(anyRules, anyBox, (rules, box) => {
        const meets = rules.some((rule) =>
          rule.dims.every((d) => Math.max(d.low, box[d.index]!.low) <= Math.min(d.high, box[d.index]!.high)),
        );
        expect(sampled(() => sampleRegion(rules, box, new Stream(0, 0), new Float32Array(DIM), 1))).toBe(meets);
      }),
      { seed: 4, numRuns: 300 },
    );
  });

  it('is uniform over the union of boxes that overlap', () => {
    // [0, 3] x [0, 2] and [1, 4] x [1, 3] share [1, 3] x [1, 2]: 12 - 2 = 10 unit cells.
    const rules: CompiledRule[] = [
      {
        dims: [
          { index: 0, low: 0, high: 3 },
          { index: 1, low: -INF, high: 2 },
        ],
        toxic: 0b1,
      },
      {
        dims: [
          { index: 0, low: 1, high: INF },
          { index: 1, low: 1, high: 3 },
        ],
        toxic: 0b10,
      },
    ];
    const rows = 20_000;
    const out = new Float32Array(2 * rows);
    sampleRegion(
      rules,
      [
        { low: 0, high: 4 },
        { low: 0, high: 5 },
      ],
      new Stream(5, 5),
      out,
      rows,
    );
    const cells = new Map<string, number>();
    for (let row = 0; row < rows; row++) {
      const cell = `${Math.min(3, Math.floor(out[2 * row]!))},${Math.min(2, Math.floor(out[2 * row + 1]!))}`;
      cells.set(cell, (cells.get(cell) ?? 0) + 1);
    }
    expect(cells.size).toBe(10);
    const chi = [...cells.values()].reduce((sum, c) => sum + (c - rows / 10) ** 2 / (rows / 10), 0);
    expect(chi).toBeLessThan(27.9); // 9 degrees of freedom, p = 0.001
  });

  it('counts whole numbers, and samples a face where all boxes are that flat', () => {
    const legs: Span[] = [
      { low: -1, high: 1 },
      { low: 0, high: 1, integer: true },
    ];
    const out = new Float32Array(2 * 6000);
    // One of two legs over the whole width, or both over a quarter: volumes 2 and 1, the second half inside the first.
    const rules: CompiledRule[] = [
      { dims: [{ index: 1, low: 0, high: 0 }], toxic: 0b1 },
      { dims: [{ index: 0, low: 0.5, high: 1 }], toxic: 0b1 },
    ];
    sampleRegion(rules, legs, new Stream(6, 6), out, 6000);
    let up = 0;
    for (let row = 0; row < 6000; row++) if (out[2 * row + 1] === 1) up++;
    expect(Math.abs(up / 6000 - 0.2)).toBeLessThan(4 * Math.sqrt((0.2 * 0.8) / 6000));

    // Between 0.5 and 1.5 there is one whole number.
    sampleRegion([{ dims: [{ index: 1, low: 0.5, high: 1.5 }], toxic: 0b1 }], legs, new Stream(6, 6), out, 50);
    expect(new Set(out.subarray(0, 100).filter((_, i) => i % 2 === 1))).toEqual(new Set([1]));

    const wall: CompiledRule[] = [{ dims: [{ index: 0, low: -1, high: -1 }], toxic: 0b1 }];
    sampleRegion(
      wall,
      [
        { low: -1, high: 1 },
        { low: 0, high: 1 },
      ],
      new Stream(7, 7),
      out,
      100,
    );
    expect(new Set(out.subarray(0, 200).filter((_, i) => i % 2 === 0))).toEqual(new Set([-1]));
    expect(new Set(out.subarray(0, 200).filter((_, i) => i % 2 === 1)).size).toBeGreaterThan(90);
  });

  it('gives no sample to a face beside a box that has volume', () => {
    const rules: CompiledRule[] = [
      { dims: [{ index: 0, low: -1, high: -1 }], toxic: 0b1 },
      { dims: [{ index: 0, low: 0.5, high: 1 }], toxic: 0b1 },
    ];
    const out = new Float32Array(200);
    sampleRegion(
      rules,
      [
        { low: -1, high: 1 },
        { low: 0, high: 1 },
      ],
      new Stream(9, 9),
      out,
      100,
    );
    expect(out.filter((_, i) => i % 2 === 0).every((x) => x >= 0.5)).toBe(true);
  });

  it('says which rules miss which box', () => {
    const out = new Float32Array(4);
    expect(() => sampleRegion([{ dims: [{ index: 2, low: 1, high: INF }], toxic: 0b1 }], CARTPOLE, new Stream(0, 0), out, 1)).toThrow(
      new RangeError(
        'sampleRegion: expected a rule that holds somewhere in the box, got 1 that do not: rules 2 in [1, Infinity]; box [-2.4, 2.4] x [-3, 3] x [-0.418, 0.418] x [-3, 3]',
      ),
    );
    expect(() => sampleRegion([], CARTPOLE, new Stream(0, 0), out, 1)).toThrow('got 0 that do not: rules none;');
  });
});

describe('sampleOutside(rules, margin, box, stream, out, rows)', () => {
  it('samples points of the box outside the region and its margin, whatever the boxes', () => {
    let sets = 0;
    fc.assert(
      fc.property(anyRules, anyBox, key, (rules, box, k) => {
        const margin = Float32Array.from(box, (d) => 0.02 * (d.high - d.low));
        const out = new Float32Array(4 * DIM);
        if (!sampled(() => sampleOutside(rules, margin, box, new Stream(k, 2), out, 4))) return;
        sets++;
        expect(inside(box, out)).toBe(true);
        for (let row = 0; row < 4; row++) {
          expect(inMargin(rules, out, row, DIM, margin)).toBe(false);
          expect(toxicMask(rules, out, row, DIM)).toBe(0);
        }
      }),
      { seed: 5, numRuns: 100 },
    );
    expect(sets).toBeGreaterThan(20);
  });

  it('covers what is left evenly', () => {
    const margin = Float32Array.of(0, 0, 0.02, 0);
    const rows = 10_000;
    const out = new Float32Array(4 * rows);
    sampleOutside(ANGLE, margin, CARTPOLE, new Stream(8, 8), out, rows);
    const counts = new Int32Array(8);
    // theta is left within ±0.06.
    for (let row = 0; row < rows; row++) counts[Math.floor(((out[4 * row + 2]! + 0.06) / 0.12) * 8)]!++;
    const chi = counts.reduce((sum, c) => sum + (c - rows / 8) ** 2 / (rows / 8), 0);
    expect(chi).toBeLessThan(24.3); // 7 degrees of freedom, p = 0.001
  });

  it('keeps trying where little is left', () => {
    const out = new Float32Array(50);
    const most: CompiledRule[] = [{ dims: [{ index: 0, low: 0, high: f32(0.999) }], toxic: 0b1 }];
    sampleOutside(most, Float32Array.of(0), [{ low: 0, high: 1 }], new Stream(9, 9), out, 50);
    expect(out.every((x) => x > 0.999)).toBe(true);
  });

  it('throws where nothing is left', () => {
    const everywhere: CompiledRule[] = [{ dims: [{ index: 0, low: -1, high: 1 }], toxic: 0b1 }];
    expect(() => sampleOutside(everywhere, Float32Array.of(0), [{ low: -1, high: 1 }], new Stream(0, 0), new Float32Array(1), 1)).toThrow(
      new RangeError(
        'sampleOutside: expected a point outside the region and its margin, got 10000 inside for row 0: rules 0 in [-1, 1]; box [-1, 1]',
      ),
    );
  });
});

describe('boxesAround(rules, box, points, rows, low, high)', () => {
  const ROWS = 8;
  /** The last dimension is a whole number. */
  const anySpans = anyBox.map((spans) => spans.map((span, k): Span => (k === DIM - 1 ? { ...span, integer: true } : span)));

  it('gives each point a box that contains it, lies in S_f and in the box, and fixes whole numbers', () => {
    let sets = 0;
    fc.assert(
      fc.property(anyRules, anySpans, key, (rules, box, k) => {
        const points = new Float32Array(ROWS * DIM);
        if (!sampled(() => sampleRegion(rules, box, new Stream(k, 3), points, ROWS))) return;
        sets++;
        const low = new Float64Array(ROWS * DIM).fill(Number.NaN);
        const high = low.slice();
        boxesAround(rules, box, points, ROWS, low, high);
        const draw = new Stream(k, 4);
        for (let row = 0; row < ROWS; row++) {
          const span = (d: number) => [low[row * DIM + d]!, points[row * DIM + d]!, high[row * DIM + d]!] as const;
          for (let d = 0; d < DIM; d++) {
            const [from, at, to] = span(d);
            expect(from <= at && at <= to).toBe(true);
            expect(from >= box[d]!.low && to <= box[d]!.high).toBe(true);
          }
          const [from, at, to] = span(DIM - 1);
          expect([from, to]).toEqual([at, at]);
          // Its corners, and points in it, are toxic.
          for (let sample = 0; sample < 2 ** DIM + 8; sample++) {
            const share = (d: number) => (sample < 2 ** DIM ? (sample >>> d) & 1 : draw.uniform());
            const point = Float32Array.from({ length: DIM }, (_, d) => {
              const s = share(d);
              return (1 - s) * span(d)[0] + s * span(d)[2];
            });
            expect(toxicMask(rules, point, 0, DIM)).not.toBe(0);
          }
        }
      }),
      { seed: 6, numRuns: 150 },
    );
    expect(sets).toBeGreaterThan(30);
  });

  it('takes the first rule of those that hold', () => {
    const rules: CompiledRule[] = [
      { dims: [{ index: 0, low: 2, high: 3 }], toxic: 0b1 },
      { dims: [{ index: 0, low: 0, high: 1 }], toxic: 0b1 },
      { dims: [{ index: 0, low: 0.5, high: 3 }], toxic: 0b1 },
    ];
    const [low, high] = [new Float64Array(3), new Float64Array(3)];
    boxesAround(rules, [{ low: 0, high: 2.5 }], Float32Array.of(0.75, 1.5, 2.25), 3, low, high);
    expect([[...low], [...high]]).toEqual([
      [0, 0.5, 2],
      [1, 2.5, 2.5],
    ]);
  });

  it('throws for a point outside the region, outside the box, or that is no number', () => {
    const [low, high] = [new Float64Array(8), new Float64Array(8)];
    for (const theta of [0, 0.419, Number.NaN]) {
      const points = Float32Array.of(0, 0, 0.1, 0, 0, 0, theta, 0);
      expect(() => boxesAround(ANGLE, CARTPOLE, points, 2, low, high)).toThrow(
        new RangeError('boxesAround: expected points of the region, got row 1 outside'),
      );
    }
  });
});

describe('conflict(rules, obsDim, actions)', () => {
  const GRID = 4;
  const ACTIONS = 3;
  /** Boxes with whole-number ends, some of them open: where they meet, they meet in a point of the grid from -1 to GRID + 1. */
  const gridRule = fc.record({
    dims: fc.uniqueArray(
      fc
        .record({ index: fc.nat(1), a: fc.nat(GRID), b: fc.nat(GRID), open: fc.constantFrom('low', 'high', 'none', 'none') })
        .map(({ index, a, b, open }) => ({
          index,
          low: open === 'low' ? -INF : Math.min(a, b),
          high: open === 'high' ? INF : Math.max(a, b),
        })),
      { selector: (d) => d.index },
    ),
    toxic: fc.integer({ min: 1, max: 2 ** ACTIONS - 2 }),
  });

  it('finds rules that leave no action exactly where brute force does, and all of them hold together there', () => {
    const found = { some: 0, none: 0 };
    fc.assert(
      fc.property(fc.array(gridRule, { maxLength: 5 }), (rules) => {
        const points: number[][] = [];
        for (let x = -1; x <= GRID + 1; x++) for (let y = -1; y <= GRID + 1; y++) points.push([x, y]);
        const dead = conflict(rules, 2, ACTIONS);
        expect(dead !== null).toBe(points.some((point) => mask(rules, ...point) === 0b111));
        found[dead ? 'some' : 'none']++;
        if (!dead) return;
        expect(dead).toEqual([...new Set(dead)].sort((a, b) => a - b));
        const chosen = dead.map((i) => rules[i]!);
        expect(points.some((point) => chosen.every((rule) => mask([rule], ...point) !== 0))).toBe(true);
        expect(chosen.reduce((all, rule) => all | rule.toxic, 0)).toBe(0b111);
      }),
      { seed: 7, numRuns: 400 },
    );
    expect(Math.min(found.some, found.none)).toBeGreaterThan(50);
  });

  it('of continuous actions finds two rules that hold together, exactly where brute force does', () => {
    const found = { some: 0, none: 0 };
    fc.assert(
      fc.property(fc.array(gridRule, { maxLength: 4 }), (rules) => {
        const points: number[][] = [];
        for (let x = -1; x <= GRID + 1; x++) for (let y = -1; y <= GRID + 1; y++) points.push([x, y]);
        const holding = points.map((point) => rules.flatMap((rule, i) => (mask([rule], ...point) !== 0 ? [i] : [])));
        const pair = conflict(rules, 2, null);
        expect(pair !== null).toBe(holding.some((both) => both.length > 1));
        found[pair ? 'some' : 'none']++;
        if (pair) expect(holding.some((both) => pair.every((i) => both.includes(i)))).toBe(true);
      }),
      { seed: 8, numRuns: 300 },
    );
    expect(Math.min(found.some, found.none)).toBeGreaterThan(50);
  });

  it('closes its boxes: a shared face is enough, its float32 neighbour is not', () => {
    const beside = (low: number): CompiledRule[] => [
      { dims: [{ index: 0, low: -INF, high: 0.5 }], toxic: 0b1 },
      { dims: [{ index: 0, low, high: INF }], toxic: 0b10 },
    ];
    expect([conflict(beside(0.5), 1, 2), conflict(beside(above(0.5)), 1, 2)]).toEqual([[0, 1], null]);
    expect([conflict(ANGLE, 4, 2), conflict([], 4, 2)]).toEqual([null, null]);
  });
});
