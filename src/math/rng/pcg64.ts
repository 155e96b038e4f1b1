import { multiplyHigh } from './multiply.ts';

/** A seed as Gymnasium takes it: an integer of any size from 0 up. A decimal string may come from a file, where a number would be rounded. */
type Seed = number | bigint | string;

// Where things lie in the memory of a generator; 128-bit numbers have their lowest 32 bits first.
const STATE = 0;
const INCREMENT = 4;
const BUFFERED = 8;
const BUFFER = 9;
const LOW = 10;
const HIGH = 11;

const TWO_32 = 0x100000000;

// The multiplier 0x2360ED051FC65DA44385DF649FCCF645.
const M0 = 0x9fccf645;
const M1 = 0x4385df64;
const M2 = 0x1fc65da4;
const M3 = 0x2360ed05;

function reject(seed: unknown): never {
  throw new RangeError(`Pcg64: expected an integer seed from 0 up (above 2^53 - 1 as bigint or decimal string), got ${String(seed)}`);
}

/** The seed in words of 32 bits, the lowest first; 0 is one word. */
function entropy(seed: Seed): number[] {
  if (typeof seed === 'number') {
    if (!(Number.isSafeInteger(seed) && seed >= 0)) reject(seed);
    return seed < TWO_32 ? [seed | 0] : [seed | 0, Math.floor(seed / TWO_32)];
  }
  if (typeof seed === 'string' && !/^\d+$/.test(seed)) reject(seed);
  let rest = BigInt(seed);
  if (rest < 0n) reject(seed);
  const words: number[] = [];
  do {
    words.push(Number(rest & 0xffffffffn) | 0);
    rest >>= 32n;
  } while (rest > 0n);
  return words;
}

const pool = new Int32Array(4);

function mix(x: number, y: number): number {
  const r = (Math.imul(0xca01f9dd, x) - Math.imul(0x4973f715, y)) | 0;
  return r ^ (r >>> 16);
}

/** Fills `pool`: every word of the seed reaches every word of it. Source: numpy's SeedSequence.mix_entropy, after O'Neill's seed_seq_fe. */
function absorb(words: readonly number[]): void {
  let constant = 0x43b0d7e5;
  const hash = (x: number): number => {
    const y = x ^ constant;
    constant = Math.imul(constant, 0x931e8875);
    const z = Math.imul(y, constant);
    return z ^ (z >>> 16);
  };
  for (let i = 0; i < 4; i++) pool[i] = hash(words[i] ?? 0);
  for (let from = 0; from < 4; from++) {
    for (let to = 0; to < 4; to++) if (from !== to) pool[to] = mix(pool[to]!, hash(pool[from]!));
  }
  for (let from = 4; from < words.length; from++) {
    for (let to = 0; to < 4; to++) pool[to] = mix(pool[to]!, hash(words[from]!));
  }
}

/**
 * numpy's default generator with numpy's seeding: `np.random.Generator(PCG64(SeedSequence(seed)))`, draw for draw.
 *   state ← state · M + increment (mod 2^128); output: high ^ low half, rotated right by the upper six bits
 * Source: O'Neill, PCG, HMC-CS-2014-0905 (PCG XSL-RR 128/64); numpy's bit_generator.pyx, pcg64.h and distributions.c.
 */
export class Pcg64 {
  readonly #memory = new Int32Array(12);

  constructor(seed: Seed) {
    this.seed(seed);
  }

  /** Starts anew, as a new generator with this seed would. */
  seed(seed: Seed): void {
    absorb(entropy(seed));
    const m = this.#memory;
    let constant = 0x8b51f9dd;
    // SeedSequence.generate_state: four 64-bit words, low halves first; as 128-bit numbers they are taken high word first.
    for (let i = 0; i < 8; i++) {
      const y = pool[i & 3]! ^ constant;
      constant = Math.imul(constant, 0x58f38ded);
      const z = Math.imul(y, constant);
      m[i ^ 2] = z ^ (z >>> 16);
    }
    // increment = 2 · stream + 1
    for (let i = 3; i > 0; i--) m[INCREMENT + i] = (m[INCREMENT + i]! << 1) | (m[INCREMENT + i - 1]! >>> 31);
    m[INCREMENT] = (m[INCREMENT]! << 1) | 1;
    // From state 0 one step leads to the increment; to that comes the seed, and one more step.
    let carry = 0;
    for (let i = 0; i < 4; i++) {
      const sum = (m[STATE + i]! >>> 0) + (m[INCREMENT + i]! >>> 0) + carry;
      m[STATE + i] = sum;
      carry = sum >= TWO_32 ? 1 : 0;
    }
    this.#step();
    m[BUFFERED] = 0;
    m[BUFFER] = 0;
  }

  /** Schoolbook multiplication in four limbs; the sums are float64, which holds them exactly. */
  #step(): void {
    const m = this.#memory;
    const s0 = m[0]!;
    const s1 = m[1]!;
    const s2 = m[2]!;
    const s3 = m[3]!;
    const t0 = (Math.imul(s0, M0) >>> 0) + (m[INCREMENT]! >>> 0);
    const t1 =
      (Math.imul(s0, M1) >>> 0) + (Math.imul(s1, M0) >>> 0) + multiplyHigh(s0, M0) + (m[INCREMENT + 1]! >>> 0) + (t0 >= TWO_32 ? 1 : 0);
    const t2 =
      (Math.imul(s0, M2) >>> 0) +
      (Math.imul(s1, M1) >>> 0) +
      (Math.imul(s2, M0) >>> 0) +
      multiplyHigh(s0, M1) +
      multiplyHigh(s1, M0) +
      (m[INCREMENT + 2]! >>> 0) +
      Math.floor(t1 / TWO_32);
    const t3 =
      Math.imul(s0, M3) +
      Math.imul(s1, M2) +
      Math.imul(s2, M1) +
      Math.imul(s3, M0) +
      multiplyHigh(s0, M2) +
      multiplyHigh(s1, M1) +
      multiplyHigh(s2, M0) +
      m[INCREMENT + 3]! +
      Math.floor(t2 / TWO_32);
    m[0] = t0;
    m[1] = t1;
    m[2] = t2;
    m[3] = t3;
  }

  /** Leaves the next 64 bits in memory, LOW and HIGH. */
  #next(): void {
    this.#step();
    const m = this.#memory;
    const low = m[0]! ^ m[2]!;
    const high = m[1]! ^ m[3]!;
    const by = m[3]! >>> 26;
    const right = by < 32 ? low : high;
    const left = by < 32 ? high : low;
    // `<< 1 << (31 - n)` and not `<< (32 - n)`, which for n = 0 would shift by nothing.
    m[LOW] = (right >>> by) | ((left << 1) << (31 - (by & 31)));
    m[HIGH] = (left >>> by) | ((right << 1) << (31 - (by & 31)));
  }

  /** Uniform in [0, 1), 53 bits. */
  random(): number {
    this.#next();
    return ((this.#memory[HIGH]! >>> 0) * 0x200000 + (this.#memory[LOW]! >>> 11)) / 0x20000000000000;
  }

  /** Uniform in [low, high). */
  uniform(low: number, high: number): number {
    return low + (high - low) * this.random();
  }

  /** Half of 64 fresh bits; the upper half waits for the next call, whatever is drawn in between. */
  #uint32(): number {
    const m = this.#memory;
    if (m[BUFFERED] === 1) {
      m[BUFFERED] = 0;
      return m[BUFFER]! >>> 0;
    }
    this.#next();
    m[BUFFERED] = 1;
    m[BUFFER] = m[HIGH]!;
    return m[LOW]! >>> 0;
  }

  /** Uniform integer in [low, high), 1 ≤ high − low ≤ 2^32 (wider is another algorithm in numpy). Source: Lemire, arXiv:1805.10941. */
  integers(low: number, high: number): number {
    const n = high - low;
    if (!(Number.isSafeInteger(low) && Number.isSafeInteger(high) && n >= 1 && n <= TWO_32)) {
      throw new RangeError(`Pcg64.integers: expected integers low < high at most 2^32 apart, got ${low} and ${high}`);
    }
    if (n === 1) return low; // numpy draws nothing here
    let word = this.#uint32();
    if (n === TWO_32) return low + word;
    if (Math.imul(word, n) >>> 0 < n) {
      const surplus = (TWO_32 - n) % n;
      while (Math.imul(word, n) >>> 0 < surplus) word = this.#uint32();
    }
    return low + multiplyHigh(word, n);
  }

  /** Copies the whole state, 10 words: state and increment (lowest word first), whether a half word waits, and which. */
  state(out: Int32Array): void {
    out.set(this.#memory.subarray(0, LOW));
  }

  setState(words: Int32Array): void {
    this.#memory.set(words.subarray(0, LOW));
  }
}
