import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Pcg64 } from '../../src/math/rng/pcg64.ts';
import { makeStream, worldSeed } from '../../src/math/rng/streams.ts';
import { Stream, threefry } from '../../src/math/rng/threefry.ts';

interface Golden {
  pcg64: { seed: string; generateState4xUint64: string[]; draws: [string, number | number[]][] }[];
  threefry2x32_20: { key: [string, string]; counter: [string, string]; output: [string, string] }[];
}
const golden: Golden = JSON.parse(readFileSync(new URL('../golden/rng.json', import.meta.url), 'utf8'));
const hex = (word: string) => Number.parseInt(word, 16);

/** Σ (seen − expected)² / expected over equally likely cells. */
function chiSquare(counts: ArrayLike<number>): number {
  const cells = Array.from(counts);
  const expected = cells.reduce((a, b) => a + b, 0) / cells.length;
  return cells.reduce((sum, seen) => sum + (seen - expected) ** 2 / expected, 0);
}

describe('threefry(key, counter)', () => {
  it('gives the published known answers', () => {
    expect(golden.threefry2x32_20).toHaveLength(3);
    const out = new Int32Array(8);
    for (const { key, counter, output } of golden.threefry2x32_20) {
      threefry(hex(key[0]), hex(key[1]), hex(counter[0]), hex(counter[1]), out, 0);
      expect([out[0]! >>> 0, out[1]! >>> 0]).toEqual(output.map(hex));
    }
  });

  it('gives in its lanes 1 to 3 what the next counters give in lane 0', () => {
    const four = new Int32Array(8);
    const one = new Int32Array(8);
    threefry(7, -9, 20, 3, four, 0);
    for (let lane = 0; lane < 4; lane++) {
      threefry(7, -9, 20 + lane, 3, one, 0);
      expect(four.subarray(2 * lane, 2 * lane + 2)).toEqual(one.subarray(0, 2));
    }
  });
});

describe('Stream', () => {
  it('uint32() runs through the blocks of its counter', () => {
    const stream = new Stream(0, 0);
    const block = new Int32Array(8);
    for (let low = 0; low < 12; low += 4) {
      threefry(0, 0, low, 0, block, 0);
      for (const word of block) expect(stream.uint32()).toBe(word >>> 0);
    }
    expect([new Stream(0, 0).at(0), new Stream(0, 0).at(1)]).toEqual([0x6b200159, 0x99ba4efe]);
  });

  it('at(index) is that word, whatever has been drawn, and does not move the stream', () => {
    const stream = new Stream(1, 2);
    const words = Array.from({ length: 50 }, () => stream.uint32());
    expect(words.map((_, i) => stream.at(i))).toEqual(words);
    expect(stream.uint32()).toBe(new Stream(1, 2).at(50));
    // Beyond 2^33 words the upper half of the counter counts.
    const out = new Int32Array(8);
    threefry(1, 2, 8, 5, out, 0);
    expect(stream.at(2 * (5 * 2 ** 32 + 8) + 3)).toBe(out[3]! >>> 0);
    expect(() => stream.at(-1)).toThrow(new RangeError('Stream.at: expected an integer from 0 up, got -1'));
  });

  it('differs in both halves of its key', () => {
    expect(new Set([new Stream(0, 0), new Stream(1, 0), new Stream(0, 1), new Stream(1, 1)].map((s) => s.at(0))).size).toBe(4);
  });

  it('uniform() lies in [0, 1) on multiples of 2^-24, evenly', () => {
    const stream = new Stream(3, 4);
    const counts = new Int32Array(64);
    for (let i = 0; i < 64_000; i++) {
      const u = stream.uniform();
      if (!(u >= 0 && u < 1 && Number.isInteger(u * 2 ** 24))) expect.fail(`got ${u}`);
      counts[Math.floor(u * 64)]!++;
    }
    expect(chiSquare(counts)).toBeLessThan(103.4); // 63 degrees of freedom, p = 0.001
    expect(new Stream(0, 0).uniform()).toBe(0x6b2001 / 2 ** 24);
  });

  it('fill(out) writes what uniform() would give', () => {
    const filled = new Float32Array(21);
    const stream = new Stream(5, 6);
    stream.fill(filled);
    const twin = new Stream(5, 6);
    expect(Array.from(filled)).toEqual(Array.from(filled, () => twin.uniform()));
    expect(stream.uint32()).toBe(twin.uint32());
  });

  it('int(n) is even for small n', () => {
    const stream = new Stream(7, 8);
    const counts = new Int32Array(7);
    for (let i = 0; i < 70_000; i++) counts[stream.int(7)]!++;
    expect(chiSquare(counts)).toBeLessThan(22.5); // 6 degrees of freedom, p = 0.001
  });

  it('int(n) rejects where multiply and shift alone would favour every third result', () => {
    const stream = new Stream(9, 10);
    const counts = new Int32Array(3);
    for (let i = 0; i < 30_000; i++) counts[stream.int(3 * 2 ** 30) % 3]!++;
    expect(chiSquare(counts)).toBeLessThan(13.8); // 2 degrees of freedom, p = 0.001
  });

  it('int(n) reaches its ends and refuses what is not a count', () => {
    const stream = new Stream(11, 12);
    expect(stream.int(1)).toBe(0);
    for (let i = 0; i < 100; i++) expect(stream.int(2 ** 32 - 1)).toBeLessThan(2 ** 32 - 1);
    for (const n of [0, -1, 1.5, 2 ** 32, Number.NaN]) {
      expect(() => stream.int(n)).toThrow(new RangeError(`Stream.int: expected an integer from 1 to 2^32 - 1, got ${n}`));
    }
  });

  it('normal() has the moments and the tails of a standard normal, and takes two words', () => {
    const stream = new Stream(13, 14);
    const n = 100_000;
    const moments = [0, 0, 0, 0];
    let beyond2 = 0;
    for (let i = 0; i < n; i++) {
      const z = stream.normal();
      for (let k = 0; k < 4; k++) moments[k]! += z ** (k + 1) / n;
      if (Math.abs(z) > 2) beyond2++;
    }
    expect(moments[0]).toBeCloseTo(0, 1.5);
    expect(Math.abs(moments[1]! - 1)).toBeLessThan(4 * Math.sqrt(2 / n));
    expect(Math.abs(moments[2]!)).toBeLessThan(4 * Math.sqrt(15 / n));
    expect(Math.abs(moments[3]! - 3)).toBeLessThan(4 * Math.sqrt(96 / n));
    expect(Math.abs(beyond2 / n - 0.0455)).toBeLessThan(4 * Math.sqrt(0.0455 / n));
    expect(stream.uint32()).toBe(new Stream(13, 14).at(2 * n));
  });

  it('shuffle(items) keeps the items and makes all orders alike', () => {
    const stream = new Stream(15, 16);
    const counts = new Map<string, number>();
    for (let i = 0; i < 24_000; i++) {
      const items = Int32Array.of(10, 20, 30, 40);
      stream.shuffle(items);
      counts.set(items.join(), (counts.get(items.join()) ?? 0) + 1);
    }
    expect(counts.size).toBe(24);
    expect(chiSquare([...counts.values()])).toBeLessThan(49.7); // 23 degrees of freedom, p = 0.001
    const many = Int32Array.from({ length: 1000 }, (_, i) => i);
    stream.shuffle(many);
    expect(many.toSorted()).toEqual(Int32Array.from({ length: 1000 }, (_, i) => i));
    stream.shuffle(new Int32Array(0));
  });
});

describe('makeStream(purpose, …fields)', () => {
  it('takes its key from the digest of purpose and fields', () => {
    // SHA-256 of '["world",{"id":"CartPole-v1"},7,0]' starts with these bytes.
    const bytes = '8eda9b1ad013d524';
    const twin = new Stream(hex(bytes.slice(0, 8)), hex(bytes.slice(8)));
    expect(makeStream('world', { id: 'CartPole-v1' }, 7, 0).at(0)).toBe(twin.at(0));
  });

  it('gives the same stream for the same fields in any order of keys, another one for any other field or purpose', () => {
    const word = makeStream('world', { a: 1, b: 2 }, 7).at(0);
    expect(makeStream('world', { b: 2, a: 1 }, 7).at(0)).toBe(word);
    const others = [
      makeStream('action', { a: 1, b: 2 }, 7),
      makeStream('world', { a: 1, b: 3 }, 7),
      makeStream('world', { a: 1, b: 2 }, 8),
      makeStream('world', 7),
    ];
    for (const other of others) expect(other.at(0)).not.toBe(word);
  });

  it('worldSeed(stream) is its first word', () => {
    expect(worldSeed(makeStream('evaluate', 'x', 3))).toBe(makeStream('evaluate', 'x', 3).at(0));
  });
});

describe('Pcg64', () => {
  it('new Pcg64(seed) stands where numpy’s PCG64(SeedSequence(seed)) stands', () => {
    expect(golden.pcg64).toHaveLength(10);
    const mask = (1n << 128n) - 1n;
    const multiplier = 0x2360ed051fc65da44385df649fccf645n;
    for (const { seed, generateState4xUint64 } of golden.pcg64) {
      const [a, b, c, d] = generateState4xUint64.map(BigInt) as [bigint, bigint, bigint, bigint];
      const increment = ((((c << 64n) | d) << 1n) | 1n) & mask;
      const state = ((((a << 64n) | b) + increment) * multiplier + increment) & mask;
      const words = new Int32Array(10);
      new Pcg64(seed).state(words);
      const read = (at: number) => [3, 2, 1, 0].reduce((sum, i) => (sum << 32n) | BigInt(words[at + i]! >>> 0), 0n);
      expect([read(0), read(4), words[8]]).toEqual([state, increment, 0]);
    }
  });

  it('uniform(low, high) and integers(low, high) give numpy’s draws in mixed order', () => {
    let draws = 0;
    for (const { seed, draws: recorded } of golden.pcg64) {
      const rng = new Pcg64(seed);
      for (const [call, expected] of recorded) {
        const [, kind, low, high] = /^(\w+)\((.*),(.*)\)$/.exec(call)!;
        for (const value of [expected].flat()) {
          const got = kind === 'uniform' ? rng.uniform(Number(low), Number(high)) : rng.integers(Number(low), Number(high));
          expect(got, `seed ${seed}, ${call}`).toBe(value);
          draws++;
        }
      }
    }
    expect(draws).toBe(70);
  });

  it('random() is uniform(0, 1), and a seed is the same as number, bigint and string', () => {
    for (const seed of [0, 1, 12345, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
      const first = new Pcg64(seed).random();
      expect(new Pcg64(BigInt(seed)).random()).toBe(first);
      expect(new Pcg64(String(seed)).uniform(0, 1)).toBe(first);
    }
    const zero = new Pcg64(0);
    const drawn = Array.from({ length: 4 }, () => zero.uniform(-0.05, 0.05));
    expect(drawn).toEqual([0.013696168732145436, -0.02302132862361297, -0.045902647606380534, -0.04834723644714709]);
  });

  it('seed(seed) starts anew and forgets a waiting half word', () => {
    const rng = new Pcg64(1);
    rng.integers(0, 10);
    rng.seed(42);
    const fresh = new Pcg64(42);
    expect([rng.integers(0, 1000), rng.random()]).toEqual([fresh.integers(0, 1000), fresh.random()]);
  });

  it.each([-1, 1.5, Number.NaN, 2 ** 53, Number.POSITIVE_INFINITY, -1n, '-1', '1.5', '1e3', '', ' 7'])('new Pcg64(%o) throws', (seed) => {
    expect(() => new Pcg64(seed)).toThrow(
      new RangeError(`Pcg64: expected an integer seed from 0 up (above 2^53 - 1 as bigint or decimal string), got ${seed}`),
    );
  });

  it('integers(low, high) draws nothing for one value, takes 2^32, and refuses the rest', () => {
    const rng = new Pcg64(5);
    const twin = new Pcg64(5);
    expect(rng.integers(-3, -2)).toBe(-3);
    expect(rng.random()).toBe(twin.random());
    const word = rng.integers(0, 2 ** 32);
    expect(twin.integers(-(2 ** 31), 2 ** 31)).toBe(word - 2 ** 31);
    for (const [low, high] of [
      [0, 0],
      [0, 2 ** 32 + 1],
      [0.5, 2],
    ] as const) {
      expect(() => rng.integers(low, high)).toThrow(`expected integers low < high at most 2^32 apart, got ${low} and ${high}`);
    }
  });

  it('integers(low, high) is even where half of the words must be rejected', () => {
    const rng = new Pcg64(6);
    const counts = new Int32Array(3);
    for (let i = 0; i < 30_000; i++) counts[rng.integers(0, 3 * 2 ** 30) % 3]!++;
    expect(chiSquare(counts)).toBeLessThan(13.8); // 2 degrees of freedom, p = 0.001
  });

  it('setState(words) goes on where state(out) was taken, the waiting half word included', () => {
    const rng = new Pcg64(9);
    rng.integers(0, 100);
    const words = new Int32Array(10);
    rng.state(words);
    const draw = (r: Pcg64) => [r.random(), r.integers(0, 1000), r.integers(0, 1000), r.random()];
    const expected = draw(rng);
    const other = new Pcg64(0);
    other.setState(words);
    expect(draw(other)).toEqual(expected);
  });
});
