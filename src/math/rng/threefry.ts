import { cos, log } from '../elementary.ts';
import { multiplyHigh } from './multiply.ts';

/** Words computed at once: four blocks side by side hide each other's latency. */
const BATCH = 8;
/** Where the words lie in the memory of a stream, behind its key and the counter of its next batch. */
const WORDS = 4;

function rotl(x: number, by: number): number {
  return (x << by) | (x >>> (32 - by));
}

/**
 * Four blocks of Threefry-2x32-20, those with the counters (low, high) to (low + 3, high), into out[at..at + 7]; 4 divides `low`.
 *   20 rounds: x0 += x1; x1 = rotl(x1, R[i mod 8]) ^ x0       R = 13 15 26 6 17 29 16 24
 *   after every fourth, s = 1..5: x0 += K[s mod 3]; x1 += K[(s + 1) mod 3] + s       K2 = 0x1BD11BDA ^ K0 ^ K1
 * Written out, a round a line, since that is twice as fast as its loop.
 * Source: Salmon, Moraes, Dror, Shaw, Parallel Random Numbers: As Easy as 1, 2, 3, SC'11, §4.2; Random123, threefry.h.
 */
// biome-ignore format: a table of rounds
export function threefry(k0: number, k1: number, low: number, high: number, out: Int32Array, at: number): void {
  const k2 = 0x1bd11bda ^ k0 ^ k1;
  let a = (low + k0) | 0, b = (high + k1) | 0;
  let c = (a + 1) | 0, d = b;
  let e = (a + 2) | 0, f = b;
  let g = (a + 3) | 0, h = b;
  a = (a + b) | 0; b = rotl(b, 13) ^ a; c = (c + d) | 0; d = rotl(d, 13) ^ c; e = (e + f) | 0; f = rotl(f, 13) ^ e; g = (g + h) | 0; h = rotl(h, 13) ^ g;
  a = (a + b) | 0; b = rotl(b, 15) ^ a; c = (c + d) | 0; d = rotl(d, 15) ^ c; e = (e + f) | 0; f = rotl(f, 15) ^ e; g = (g + h) | 0; h = rotl(h, 15) ^ g;
  a = (a + b) | 0; b = rotl(b, 26) ^ a; c = (c + d) | 0; d = rotl(d, 26) ^ c; e = (e + f) | 0; f = rotl(f, 26) ^ e; g = (g + h) | 0; h = rotl(h, 26) ^ g;
  a = (a + b) | 0; b = rotl(b, 6) ^ a; c = (c + d) | 0; d = rotl(d, 6) ^ c; e = (e + f) | 0; f = rotl(f, 6) ^ e; g = (g + h) | 0; h = rotl(h, 6) ^ g;
  a = (a + k1) | 0; b = (b + k2 + 1) | 0; c = (c + k1) | 0; d = (d + k2 + 1) | 0; e = (e + k1) | 0; f = (f + k2 + 1) | 0; g = (g + k1) | 0; h = (h + k2 + 1) | 0;
  a = (a + b) | 0; b = rotl(b, 17) ^ a; c = (c + d) | 0; d = rotl(d, 17) ^ c; e = (e + f) | 0; f = rotl(f, 17) ^ e; g = (g + h) | 0; h = rotl(h, 17) ^ g;
  a = (a + b) | 0; b = rotl(b, 29) ^ a; c = (c + d) | 0; d = rotl(d, 29) ^ c; e = (e + f) | 0; f = rotl(f, 29) ^ e; g = (g + h) | 0; h = rotl(h, 29) ^ g;
  a = (a + b) | 0; b = rotl(b, 16) ^ a; c = (c + d) | 0; d = rotl(d, 16) ^ c; e = (e + f) | 0; f = rotl(f, 16) ^ e; g = (g + h) | 0; h = rotl(h, 16) ^ g;
  a = (a + b) | 0; b = rotl(b, 24) ^ a; c = (c + d) | 0; d = rotl(d, 24) ^ c; e = (e + f) | 0; f = rotl(f, 24) ^ e; g = (g + h) | 0; h = rotl(h, 24) ^ g;
  a = (a + k2) | 0; b = (b + k0 + 2) | 0; c = (c + k2) | 0; d = (d + k0 + 2) | 0; e = (e + k2) | 0; f = (f + k0 + 2) | 0; g = (g + k2) | 0; h = (h + k0 + 2) | 0;
  a = (a + b) | 0; b = rotl(b, 13) ^ a; c = (c + d) | 0; d = rotl(d, 13) ^ c; e = (e + f) | 0; f = rotl(f, 13) ^ e; g = (g + h) | 0; h = rotl(h, 13) ^ g;
  a = (a + b) | 0; b = rotl(b, 15) ^ a; c = (c + d) | 0; d = rotl(d, 15) ^ c; e = (e + f) | 0; f = rotl(f, 15) ^ e; g = (g + h) | 0; h = rotl(h, 15) ^ g;
  a = (a + b) | 0; b = rotl(b, 26) ^ a; c = (c + d) | 0; d = rotl(d, 26) ^ c; e = (e + f) | 0; f = rotl(f, 26) ^ e; g = (g + h) | 0; h = rotl(h, 26) ^ g;
  a = (a + b) | 0; b = rotl(b, 6) ^ a; c = (c + d) | 0; d = rotl(d, 6) ^ c; e = (e + f) | 0; f = rotl(f, 6) ^ e; g = (g + h) | 0; h = rotl(h, 6) ^ g;
  a = (a + k0) | 0; b = (b + k1 + 3) | 0; c = (c + k0) | 0; d = (d + k1 + 3) | 0; e = (e + k0) | 0; f = (f + k1 + 3) | 0; g = (g + k0) | 0; h = (h + k1 + 3) | 0;
  a = (a + b) | 0; b = rotl(b, 17) ^ a; c = (c + d) | 0; d = rotl(d, 17) ^ c; e = (e + f) | 0; f = rotl(f, 17) ^ e; g = (g + h) | 0; h = rotl(h, 17) ^ g;
  a = (a + b) | 0; b = rotl(b, 29) ^ a; c = (c + d) | 0; d = rotl(d, 29) ^ c; e = (e + f) | 0; f = rotl(f, 29) ^ e; g = (g + h) | 0; h = rotl(h, 29) ^ g;
  a = (a + b) | 0; b = rotl(b, 16) ^ a; c = (c + d) | 0; d = rotl(d, 16) ^ c; e = (e + f) | 0; f = rotl(f, 16) ^ e; g = (g + h) | 0; h = rotl(h, 16) ^ g;
  a = (a + b) | 0; b = rotl(b, 24) ^ a; c = (c + d) | 0; d = rotl(d, 24) ^ c; e = (e + f) | 0; f = rotl(f, 24) ^ e; g = (g + h) | 0; h = rotl(h, 24) ^ g;
  a = (a + k1) | 0; b = (b + k2 + 4) | 0; c = (c + k1) | 0; d = (d + k2 + 4) | 0; e = (e + k1) | 0; f = (f + k2 + 4) | 0; g = (g + k1) | 0; h = (h + k2 + 4) | 0;
  a = (a + b) | 0; b = rotl(b, 13) ^ a; c = (c + d) | 0; d = rotl(d, 13) ^ c; e = (e + f) | 0; f = rotl(f, 13) ^ e; g = (g + h) | 0; h = rotl(h, 13) ^ g;
  a = (a + b) | 0; b = rotl(b, 15) ^ a; c = (c + d) | 0; d = rotl(d, 15) ^ c; e = (e + f) | 0; f = rotl(f, 15) ^ e; g = (g + h) | 0; h = rotl(h, 15) ^ g;
  a = (a + b) | 0; b = rotl(b, 26) ^ a; c = (c + d) | 0; d = rotl(d, 26) ^ c; e = (e + f) | 0; f = rotl(f, 26) ^ e; g = (g + h) | 0; h = rotl(h, 26) ^ g;
  a = (a + b) | 0; b = rotl(b, 6) ^ a; c = (c + d) | 0; d = rotl(d, 6) ^ c; e = (e + f) | 0; f = rotl(f, 6) ^ e; g = (g + h) | 0; h = rotl(h, 6) ^ g;
  a = (a + k2) | 0; b = (b + k0 + 5) | 0; c = (c + k2) | 0; d = (d + k0 + 5) | 0; e = (e + k2) | 0; f = (f + k0 + 5) | 0; g = (g + k2) | 0; h = (h + k0 + 5) | 0;
  out[at] = a; out[at + 1] = b; out[at + 2] = c; out[at + 3] = d;
  out[at + 4] = e; out[at + 5] = f; out[at + 6] = g; out[at + 7] = h;
}

const scratch = new Int32Array(BATCH);
const TWO_32 = 0x100000000;
const TWO_PI = 6.283185307179586;

/**
 * An endless sequence of random words that depends on its key alone: word i is word i mod 2 of the Threefry block with counter ⌊i/2⌋.
 * Streams with different keys are independent, so nobody's draws can shift another's.
 */
export class Stream {
  /** Key, counter of the next batch (low, high), the batch. One array, since a field above 2^31 would be an object of its own. */
  readonly #memory = new Int32Array(WORDS + BATCH);
  #used = BATCH;

  constructor(key0: number, key1: number) {
    this.#memory[0] = key0;
    this.#memory[1] = key1;
  }

  #refill(): void {
    const m = this.#memory;
    const low = m[2]!;
    threefry(m[0]!, m[1]!, low, m[3]!, m, WORDS);
    m[2] = low + 4;
    if (low === -4) m[3] = m[3]! + 1;
    this.#used = 0;
  }

  /** The next word, 0 .. 2^32 − 1. */
  uint32(): number {
    if (this.#used === BATCH) this.#refill();
    return this.#memory[WORDS + this.#used++]! >>> 0;
  }

  /** Word `index` of the stream, without moving it. */
  at(index: number): number {
    if (!(Number.isSafeInteger(index) && index >= 0)) throw new RangeError(`Stream.at: expected an integer from 0 up, got ${index}`);
    const block = Math.floor(index / BATCH) * 4;
    threefry(this.#memory[0]!, this.#memory[1]!, block | 0, Math.floor(block / TWO_32) | 0, scratch, 0);
    return scratch[index % BATCH]! >>> 0;
  }

  /** Uniform in [0, 1): a multiple of 2^-24, so that float32 holds it exactly. Takes one word. */
  uniform(): number {
    return (this.uint32() >>> 8) / 0x1000000;
  }

  /** Writes `out.length` draws of `uniform`. */
  fill(out: Float32Array | Float64Array): void {
    for (let i = 0; i < out.length; i++) out[i] = this.uniform();
  }

  /**
   * Uniform over 0 .. n − 1 without bias, 1 ≤ n < 2^32. Takes one word, rarely more.
   * Source: Lemire, Fast Random Integer Generation in an Interval, arXiv:1805.10941, algorithm 5.
   */
  int(n: number): number {
    if (!(n >= 1 && n < TWO_32 && Math.floor(n) === n))
      throw new RangeError(`Stream.int: expected an integer from 1 to 2^32 - 1, got ${n}`);
    let word = this.uint32();
    if (Math.imul(word, n) >>> 0 < n) {
      const surplus = (TWO_32 - n) % n; // 2^32 mod n: so many words would favour some results
      while (Math.imul(word, n) >>> 0 < surplus) word = this.uint32();
    }
    return multiplyHigh(word, n);
  }

  /**
   * Standard normal: √(−2 log u) · cos 2πv with u in (0, 1], v in [0, 1). Always takes two words; |result| < 6.7.
   * Source: Box, Muller, A Note on the Generation of Random Normal Deviates, 1958. Its sine twin is not kept: a spare would be hidden state.
   */
  normal(): number {
    const u = (this.uint32() + 1) / TWO_32;
    const v = this.uint32() / TWO_32;
    return Math.sqrt(-2 * log(u)) * cos(TWO_PI * v);
  }

  /** Permutes in place, every order equally likely. Source: Fisher-Yates, downwards (Durstenfeld, 1964). */
  shuffle(items: Int32Array): void {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.int(i + 1);
      const item = items[i]!;
      items[i] = items[j]!;
      items[j] = item;
    }
  }
}
