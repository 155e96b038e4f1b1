import { isMembers, type Json, readJson } from './json.ts';

/**
 * The safetensors format: an 8-byte little-endian header length, a JSON header, raw little-endian data.
 * Written by hand because the registry holds no maintained reader and writer; it is two pages.
 * What is valid is what the reference implementation takes, the Rust crate `safetensors` 0.8: test/golden/safetensors.json holds its verdicts.
 * Source: https://github.com/huggingface/safetensors#format
 */
export type TensorData = Float32Array | Float64Array | Int32Array;

export interface Tensor {
  readonly shape: readonly number[];
  readonly data: TensorData;
}

/** A tensor of a valid file: what it is, and its bytes, which need not be aligned. */
export interface RawTensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** Types that we compute with. */
const DTYPES = { F32: Float32Array, F64: Float64Array, I32: Int32Array } as const;

/** Bits per number of every type that the format has. */
const BITS: Readonly<Record<string, number>> = {
  ...{ BOOL: 8, U8: 8, I8: 8, U16: 16, I16: 16, U32: 32, I32: 32, U64: 64, I64: 64 },
  ...{ F4: 4, F6_E2M3: 6, F6_E3M2: 6, F8_E5M2: 8, F8_E4M3: 8, F8_E8M0: 8, F8_E4M3FNUZ: 8, F8_E5M2FNUZ: 8 },
  ...{ F16: 16, BF16: 16, F32: 32, F64: 64, C64: 64 },
};
const MAX_HEADER = 100_000_000;
const U64 = 1n << 64n;

const dtypeOf = (data: TensorData): keyof typeof DTYPES =>
  data instanceof Float32Array ? 'F32' : data instanceof Float64Array ? 'F64' : 'I32';

/** The same tensors in the same order give the same bytes. `metadata` is a flat map of strings, as the format asks. */
export function encodeTensors(tensors: Readonly<Record<string, Tensor>>, metadata: Readonly<Record<string, string>>): Uint8Array {
  const header: Record<string, unknown> = { __metadata__: metadata };
  let end = 0;
  for (const [name, { shape, data }] of Object.entries(tensors)) {
    header[name] = { dtype: dtypeOf(data), shape, data_offsets: [end, end + data.byteLength] };
    end += data.byteLength;
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const padded = Math.ceil(text.length / 8) * 8; // data starts aligned; the format allows trailing spaces
  const bytes = new Uint8Array(8 + padded + end).fill(0x20, 8 + text.length, 8 + padded);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(padded), true);
  bytes.set(text, 8);
  let at = 8 + padded;
  for (const { data } of Object.values(tensors)) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return bytes;
}

/** Throws RangeError, saying what was expected, for anything that is not a whole and valid safetensors file. */
export function readTensors(bytes: Uint8Array): { tensors: ReadonlyMap<string, RawTensor>; metadata: Record<string, string> } {
  if (bytes.length < 8) throw bad('at least 8 bytes', `${bytes.length}`);
  const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  const most = Math.min(MAX_HEADER, bytes.length - 8);
  if (length > BigInt(most))
    throw bad(`a header of at most ${most} bytes`, `${length}${length > MAX_HEADER ? '' : '; the file may be truncated'}`);
  const start = 8 + Number(length);
  const { entries, metadata } = parseHeader(bytes.subarray(8, start));
  const end = checkPlaces(entries);
  if (end !== BigInt(bytes.length - start))
    throw bad(
      `${BigInt(start) + end} bytes`,
      `${bytes.length}; the file ${end < bytes.length - start ? 'goes on behind its data' : 'is truncated'}`,
    );
  const tensors = [...entries].map(([name, { dtype, shape, from, to }]): [string, RawTensor] => [
    name,
    { dtype, shape: shape.map(Number), bytes: bytes.subarray(start + Number(from), start + Number(to)) },
  ]);
  return { tensors: new Map(tensors), metadata: Object.fromEntries(metadata) };
}

/** The numbers of a tensor. Throws RangeError where their type, valid as it is, is none of ours. */
export function numbersOf(name: string, { dtype, bytes }: RawTensor): TensorData {
  if (!Object.hasOwn(DTYPES, dtype))
    throw new RangeError(`tensor ${name}: expected ${Object.keys(DTYPES).join(', ')}, got ${dtype}, a valid type that is not read here`);
  return new DTYPES[dtype as keyof typeof DTYPES](new Uint8Array(bytes).buffer); // a copy, for it need not be aligned, and a Buffer's slice is none
}

/** Everything of a file that has none but our types. Throws RangeError. */
export function decodeTensors(bytes: Uint8Array): { tensors: Record<string, Tensor>; metadata: Record<string, string> } {
  const { tensors, metadata } = readTensors(bytes);
  const read = [...tensors].map(([name, raw]): [string, Tensor] => [name, { shape: raw.shape, data: numbersOf(name, raw) }]);
  return { tensors: Object.fromEntries(read), metadata };
}

const bad = (expected: string, got: string): RangeError => new RangeError(`safetensors: expected ${expected}, got ${got}`);

/** A tensor as the header has it; numbers of 64 bits, for a product must not be rounded before it is judged. */
interface Entry {
  readonly dtype: string;
  readonly shape: readonly bigint[];
  readonly from: bigint;
  readonly to: bigint;
}

/** Of two tensors of one name the last counts, of two `metadata` none: so it is in the reference. */
function parseHeader(bytes: Uint8Array): { entries: ReadonlyMap<string, Entry>; metadata: readonly (readonly [string, string])[] } {
  let json: Json;
  try {
    json = readJson(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch (cause) {
    const why = cause instanceof SyntaxError ? cause.message : 'its bytes are not UTF-8';
    throw new RangeError(`safetensors: expected a JSON header; ${why}`, { cause });
  }
  if (!isMembers(json)) throw bad('a JSON object as header', print(json));
  const entries = new Map<string, Entry>();
  const metadata = json.members.filter(([key]) => key === METADATA);
  if (metadata.length > 1) throw bad(`${METADATA} once`, `it ${metadata.length} times`);
  for (const [name, value] of json.members) if (name !== METADATA) entries.set(name, entryOf(name, value));
  return { entries, metadata: textsOf(metadata[0]?.[1] ?? null) };
}
const METADATA = '__metadata__';

function textsOf(json: Json): [string, string][] {
  if (json === null) return [];
  if (!isMembers(json)) throw bad(`${METADATA} to be an object of texts`, print(json));
  return json.members.map(([key, value]) => {
    if (typeof value !== 'string') throw bad(`${METADATA}.${key} to be text`, print(value));
    return [key, value];
  });
}

const FIELDS = ['dtype', 'shape', 'data_offsets'] as const;

/** Fields of other names are passed over, and the three may stand in a list without their names. */
function entryOf(name: string, json: Json): Entry {
  const [dtype, shape, offsets] = isMembers(json)
    ? FIELDS.map((field) => once(name, field, json.members))
    : Array.isArray(json)
      ? json
      : [];
  const type = typeOf(dtype);
  const whole = (x: Json): x is bigint => typeof x === 'bigint' && x >= 0n;
  const places = Array.isArray(offsets) ? offsets : [];
  if (type === undefined || !Array.isArray(shape) || !shape.every(whole) || places.length !== 2 || !places.every(whole) || tooLong(json))
    throw bad(`tensor ${name} to have dtype, shape and data_offsets`, print(json));
  if (!Object.hasOwn(BITS, type)) throw bad(`tensor ${name} to be one of ${Object.keys(BITS).join(', ')}`, type);
  const [from, to] = places as [bigint, bigint];
  return { dtype: type, shape, from, to };
}

const tooLong = (json: Json): boolean => Array.isArray(json) && json.length > FIELDS.length;

function once(name: string, field: string, members: readonly (readonly [string, Json])[]): Json | undefined {
  const found = members.filter(([key]) => key === field);
  if (found.length > 1) throw bad(`tensor ${name} to have ${field} once`, `it ${found.length} times`);
  return found[0]?.[1];
}

/** The reference also takes { "F32": null }, which is how its library writes a variant without a value. */
function typeOf(json: Json | undefined): string | undefined {
  if (typeof json === 'string') return json;
  const [only, ...more] = json !== undefined && isMembers(json) ? json.members : [];
  return only?.[1] === null && more.length === 0 ? only[0] : undefined;
}

/** In the order of their places, each begins where the one before ends and is as long as its shape says. Returns the end of the last. */
function checkPlaces(entries: ReadonlyMap<string, Entry>): bigint {
  const order = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0);
  let end = 0n;
  for (const [name, { dtype, shape, from, to }] of [...entries].sort(([, a], [, b]) => order(a.from, b.from) || order(a.to, b.to))) {
    if (from !== end) throw bad(`tensor ${name} to begin at byte ${end} of the data, without a gap or an overlap`, `[${from}, ${to}]`);
    const sizes = [1n, ...shape, BigInt(BITS[dtype] ?? 0)];
    const bits = sizes.reduce((product, size) => (product < U64 ? product * size : product)); // in the order of the reference, where [huge, huge, 0] overflows
    if (bits >= U64) throw bad(`tensor ${name} of less than 2^64 bits`, `[${shape.join(', ')}]`);
    if (bits % 8n !== 0n) throw bad(`tensor ${name} to fill whole bytes`, `${bits} bits`);
    if (to - from !== bits / 8n) throw bad(`tensor ${name} to be ${bits / 8n} bytes`, `${to - from}`);
    end = to;
  }
  return end;
}

/** As it was written, but for blanks; cut, for it may be long. */
function print(json: Json): string {
  const write = (x: Json): string => {
    if (Array.isArray(x)) return `[${x.map(write).join(',')}]`;
    if (isMembers(x)) return `{${x.members.map(([key, value]) => `${JSON.stringify(key)}:${write(value)}`).join(',')}}`;
    return typeof x === 'bigint' ? String(x) : JSON.stringify(x);
  };
  const text = write(json);
  return text.length > 120 ? `${text.slice(0, 119)}…` : text;
}
