import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { makeEnv } from '../../src/envs/make.ts';
import { Pcg64 } from '../../src/math/rng/pcg64.ts';
import { makeStream, type Purpose } from '../../src/math/rng/streams.ts';

/*
 * Written from docs/randomness.md alone, in big integers and without anything of the project. What is imported above is only what it is held
 * against. Whoever changes one of the three changes all of them.
 */

type Value = null | boolean | number | string | readonly Value[] | { readonly [key: string]: Value };

function canonical(value: Value): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value as Readonly<Record<string, Value>>).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, inner]) => `${JSON.stringify(key)}:${canonical(inner)}`).join(',')}}`;
}

const M32 = (1n << 32n) - 1n;
const M64 = (1n << 64n) - 1n;
const M128 = (1n << 128n) - 1n;
const rotateLeft = (x: bigint, by: bigint): bigint => ((x << by) | (x >> (32n - by))) & M32;

function block(key0: bigint, key1: bigint, counter: bigint): [bigint, bigint] {
  const K = [key0, key1, 0x1bd11bdan ^ key0 ^ key1];
  const R = [13n, 15n, 26n, 6n, 17n, 29n, 16n, 24n];
  let x0 = ((counter & M32) + key0) & M32;
  let x1 = ((counter >> 32n) + key1) & M32;
  for (let i = 0; i < 20; i++) {
    x0 = (x0 + x1) & M32;
    x1 = rotateLeft(x1, R[i % 8]!) ^ x0;
    if (i % 4 !== 3) continue;
    const s = (i + 1) / 4;
    x0 = (x0 + K[s % 3]!) & M32;
    x1 = (x1 + K[(s + 1) % 3]! + BigInt(s)) & M32;
  }
  return [x0, x1];
}

/** Of a hashed text: its words, one after the other. */
function streamOf(text: string): { word(): number } {
  const digest = createHash('sha256').update(text, 'utf8').digest();
  const [key0, key1] = [BigInt(digest.readUInt32BE(0)), BigInt(digest.readUInt32BE(4))];
  let i = 0;
  return { word: () => Number(block(key0, key1, BigInt(i >> 1))[i++ & 1]) };
}
type Words = ReturnType<typeof streamOf>;

const uniform = (stream: Words): number => Math.floor(stream.word() / 2 ** 8) / 2 ** 24;
const normal = (stream: Words): number => {
  const [u, v] = [(stream.word() + 1) / 2 ** 32, stream.word() / 2 ** 32];
  return Math.sqrt(-2 * Math.log(u)) * Math.cos(6.283185307179586 * v);
};
function int(stream: Words, n: number): number {
  const draw = (): bigint => BigInt(stream.word()) * BigInt(n);
  let p = draw();
  while ((p & M32) < BigInt((2 ** 32 - n) % n)) p = draw();
  return Number(p >> 32n);
}
function shuffle(stream: Words, items: number[]): number[] {
  for (let i = items.length - 1; i >= 1; i--) {
    const j = int(stream, i + 1);
    [items[i], items[j]] = [items[j]!, items[i]!];
  }
  return items;
}

/** numpy's PCG64, seeded with a uint32. */
function generator(seed: number) {
  const hasher = (start: bigint, m: bigint) => {
    let c = start;
    return (value: bigint): bigint => {
      let x = value ^ c;
      c = (c * m) & M32;
      x = (x * c) & M32;
      return x ^ (x >> 16n);
    };
  };
  const mix = (x: bigint, y: bigint): bigint => {
    const r = (0xca01f9ddn * x - 0x4973f715n * y) & M32;
    return r ^ (r >> 16n);
  };
  const absorb = hasher(0x43b0d7e5n, 0x931e8875n);
  const pool = [BigInt(seed), 0n, 0n, 0n].map(absorb);
  for (let a = 0; a < 4; a++) for (let b = 0; b < 4; b++) if (a !== b) pool[b] = mix(pool[b]!, absorb(pool[a]!));
  const give = hasher(0x8b51f9ddn, 0x58f38dedn);
  const w = Array.from({ length: 8 }, (_, i) => give(pool[i % 4]!));
  const q = [0, 1, 2, 3].map((i) => w[2 * i]! | (w[2 * i + 1]! << 32n));
  const M = 0x2360ed051fc65da44385df649fccf645n;
  const increment = ((((q[2]! << 64n) | q[3]!) << 1n) | 1n) & M128;
  let state = ((increment + ((q[0]! << 64n) | q[1]!)) * M + increment) & M128;
  let half: bigint | null = null;
  const next = (): bigint => {
    state = (state * M + increment) & M128;
    const [x, by] = [(state >> 64n) ^ (state & M64), state >> 122n];
    return ((x >> by) | (x << (64n - by))) & M64;
  };
  const word = (): number => {
    if (half !== null) {
      const waiting = half;
      half = null;
      return Number(waiting);
    }
    const whole = next();
    half = whole >> 32n;
    return Number(whole & M32);
  };
  const random = (): number => Number(next() >> 11n) / 2 ** 53;
  return {
    random,
    uniform: (low: number, high: number): number => low + (high - low) * random(),
    integers: (low: number, high: number): number => low + int({ word }, high - low),
  };
}

const page = readFileSync('docs/randomness.md', 'utf8');

describe('docs/randomness.md, in plain code', () => {
  const vectors = [...page.matchAll(/^\| `(\[.*?\])` \| `([0-9a-f ]+)` \| `(\S+)` \| `(\d+)` \| `(\S+)` \| `([\d ]+)` \| `(\S+)` \|$/gm)];

  it.each(vectors.map(([, ...columns]) => columns))('gives the vectors of %s', (text, words, first, integer, gauss, order, double) => {
    expect(canonical(JSON.parse(text) as Value)).toBe(text);
    const stream = streamOf(text);
    expect([0, 1, 2, 3].map(() => stream.word().toString(16).padStart(8, '0')).join(' ')).toBe(words);
    expect(String(uniform(streamOf(text)))).toBe(first);
    expect(int(streamOf(text), 1000)).toBe(Number(integer));
    expect(Math.abs(normal(streamOf(text)) - Number(gauss))).toBeLessThan(1e-15);
    expect(shuffle(streamOf(text), [0, 1, 2, 3, 4, 5]).join(' ')).toBe(order);
    expect(String(generator(streamOf(text).word()).random())).toBe(double);
  });

  it('has vectors of every purpose', () => {
    expect(vectors.length).toBe(20);
    const purposes = new Set(vectors.map(([, text = '']) => (JSON.parse(text) as string[])[0]));
    expect([...purposes].sort()).toEqual(['action', 'correct', 'evaluate', 'identify', 'init', 'shuffle', 'world']);
    for (const purpose of purposes) expect(page).toContain(`| \`${purpose}\` | seed`);
  });

  it('gives what the streams give, whatever the key, and however many words are drawn', () => {
    const options = fc.dictionary(
      fc.constantFrom('b', 'a', 'Ω', 'thetaLimit', 'x"y'),
      fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.boolean(), fc.constant(null)),
    );
    const key = fc.tuple(
      fc.constantFrom<Purpose>('init', 'action', 'shuffle', 'world', 'identify', 'evaluate', 'correct'),
      fc.record({ environment: fc.constantFrom('CartPole-v1', 'LunarLander-v3'), options }),
      fc.nat(),
      fc.array(fc.oneof(fc.nat(), fc.constant('region')), { maxLength: 2 }),
    );
    fc.assert(
      fc.property(key, fc.integer({ min: 1, max: 2 ** 32 - 1 }), ([purpose, world, seed, rest], n) => {
        const text = canonical([purpose, world as Value, seed, ...rest]);
        const make = () => makeStream(purpose, world as never, seed, ...rest);
        const [ours, theirs] = [streamOf(text), make()];
        for (let i = 0; i < 20; i++) expect(ours.word()).toBe(theirs.uint32());
        expect(int(ours, n)).toBe(theirs.int(n));
        expect(uniform(ours)).toBe(theirs.uniform());
        expect(normal(ours)).toBeCloseTo(theirs.normal(), 13);
        const items = Array.from({ length: 9 }, (_, i) => i);
        const shuffled = Int32Array.from(items);
        theirs.shuffle(shuffled);
        expect(shuffle(ours, items)).toEqual([...shuffled]);
      }),
    );
  });

  it('gives what the generator of a world gives, also of halves that wait', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), fc.array(fc.boolean(), { minLength: 5, maxLength: 20 }), (seed, draws) => {
        const [ours, theirs] = [generator(seed), new Pcg64(seed)];
        for (const whole of draws) {
          if (whole) expect(ours.integers(-9999, 9999)).toBe(theirs.integers(-9999, 9999));
          else expect(ours.uniform(-3, 4)).toBe(theirs.uniform(-3, 4));
        }
      }),
    );
  });

  it('starts the worlds where they start', () => {
    const starts = (id: string, options: Record<string, Value>, episode: number): number[] => {
      const text = canonical(['evaluate', { environment: id, options }, 7, episode]);
      const { uniform: draw } = generator(streamOf(text).word());
      const {
        resetLow = 0,
        resetHigh = 0,
        resetAngle = null,
      } = options as { resetLow?: number; resetHigh?: number; resetAngle?: number | null };
      if (id !== 'CartPole-v1') return [draw(resetLow, resetHigh)];
      return [0, 1, 2, 3].map((k) => (k === 2 && resetAngle !== null ? draw(-resetAngle, resetAngle) : draw(resetLow, resetHigh)));
    };
    for (const [id, options] of WORLDS) {
      const world = makeEnv(id, options, 1);
      world.resetEach([streamOf(canonical(['evaluate', { environment: id, options }, 7, 3])).word()]);
      const start = starts(id, options, 3).map(Math.fround);
      expect([...world.obs.subarray(0, start.length)]).toEqual(start);
    }
  });

  it('has an impulse after steps 50, 100, ..., which the returned observation already has', () => {
    const [, options] = WORLDS[0]!;
    const seed = 3;
    const quiet = makeEnv('CartPole-v1', { ...options, impulse: null }, 1);
    const pushed = makeEnv('CartPole-v1', { ...options, impulse: { every: 2, thetaDot: 1 } }, 1);
    quiet.reset(seed);
    pushed.reset(seed);
    const { random } = generator(seed);
    for (let k = 0; k < 4; k++) random(); // the reset
    const [before, after] = [new Float64Array(4), new Float64Array(4)];
    let impulses = 0;
    for (let step = 1; !pushed.ended[0] && step < 100; step++) {
      pushed.state(0, before);
      quiet.setState(0, before); // its twin without impulses
      quiet.action[0] = pushed.action[0] = step & 1;
      quiet.step();
      pushed.step();
      if (pushed.ended[0]) break;
      quiet.state(0, before);
      pushed.state(0, after);
      const impulse = step % 2 === 0 ? -1 + 2 * random() : 0;
      if (impulse !== 0) impulses++;
      expect(after[3]).toBe(before[3]! + impulse);
      expect(pushed.obs[3]).toBe(Math.fround(after[3]!));
      expect(pushed.reward[0]).toBe(quiet.reward[0]);
    }
    expect(impulses).toBeGreaterThan(3);
  });

  it('plays the 100 random episodes of a base of results/reference to the digest in its row', () => {
    const [line = ''] = readFileSync('results/reference/cartpole/bases.jsonl', 'utf8').split('\n');
    const { spec, result } = JSON.parse(line) as {
      spec: { environment: string; options: Record<string, Value>; seed: number };
      result: { random: Played };
    };
    const { environment, options, seed } = spec;
    const streams = Array.from({ length: 100 }, (_, episode) => streamOf(canonical(['evaluate', { environment, options }, seed, episode])));
    const world = makeEnv(environment, options, 100);
    world.resetEach(streams.map((stream) => stream.word()));
    const [returns, lengths] = [new Float64Array(100), new Int32Array(100)];
    while (lengths.some((length) => length === 0)) {
      streams.forEach((stream, e) => {
        world.action[e] = lengths[e] === 0 ? int(stream, 2) : 0;
      });
      world.step();
      for (let e = 0; e < 100; e++) {
        if (lengths[e] !== 0 || !world.ended[e]) continue;
        returns[e] = world.episodeReturn[e]!;
        lengths[e] = world.episodeLength[e]!;
      }
    }
    const bytes = Buffer.concat([Buffer.from(returns.buffer), Buffer.from(lengths.buffer)]);
    expect(returns.reduce((sum, x) => sum + x, 0) / 100).toBeCloseTo(result.random.meanReturn, 10);
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(result.random.digest);
  });
});

interface Played {
  readonly meanReturn: number;
  readonly digest: string;
}

const WORLDS: readonly (readonly [string, Record<string, Value>])[] = [
  [
    'CartPole-v1',
    { suttonBartoReward: false, resetLow: -0.05, resetHigh: 0.05, resetAngle: 0.2, thetaLimit: 0.418, impulse: { every: 50, thetaDot: 1 } },
  ],
  ['CartPole-v1', { suttonBartoReward: false, resetLow: -0.05, resetHigh: 0.05, resetAngle: null, thetaLimit: 0.2, impulse: null }],
  ['MountainCar-v0', { goalVelocity: 0, resetLow: -0.6, resetHigh: -0.4 }],
  ['MountainCarContinuous-v0', { goalVelocity: 0, resetLow: -0.6, resetHigh: -0.4 }],
];
