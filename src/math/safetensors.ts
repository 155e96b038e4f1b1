/**
 * The safetensors format: an 8-byte little-endian header length, a JSON header, raw little-endian data.
 * Written by hand because the registry holds no maintained reader and writer; it is one page.
 * Source: https://github.com/huggingface/safetensors#format
 */
export type TensorData = Float32Array | Float64Array | Int32Array;

export interface Tensor {
  readonly shape: readonly number[];
  readonly data: TensorData;
}

interface HeaderEntry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

const DTYPES = { F32: Float32Array, F64: Float64Array, I32: Int32Array } as const;

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

/** Throws RangeError, saying what was expected, for anything that is not a whole safetensors file of these types. */
export function decodeTensors(bytes: Uint8Array): { tensors: Record<string, Tensor>; metadata: Record<string, string> } {
  const bad = (expected: string, got: string): RangeError => new RangeError(`safetensors: expected ${expected}, got ${got}`);
  if (bytes.length < 8) throw bad('at least 8 bytes', `${bytes.length}`);
  const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  if (length > BigInt(bytes.length - 8)) throw bad(`a header of at most ${bytes.length - 8} bytes`, `${length}; the file may be truncated`);
  const start = 8 + Number(length);
  let header: Record<string, unknown>;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(8, start)));
  } catch (cause) {
    throw new RangeError('safetensors: expected a JSON header', { cause });
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header)) throw bad('a JSON object as header', JSON.stringify(header));
  const { __metadata__: metadata = {}, ...entries } = header;
  const tensors: Record<string, Tensor> = {};
  for (const [name, entry] of Object.entries(entries)) {
    if (!isEntry(entry)) throw bad(`tensor ${name} to have dtype, shape and data_offsets`, JSON.stringify(entry));
    const Type = DTYPES[entry.dtype as keyof typeof DTYPES];
    if (!Object.hasOwn(DTYPES, entry.dtype)) throw bad(`tensor ${name} to be one of ${Object.keys(DTYPES).join(', ')}`, entry.dtype);
    const [from, to] = entry.data_offsets;
    const count = entry.shape.reduce((n, d) => n * d, 1);
    if (to - from !== count * Type.BYTES_PER_ELEMENT)
      throw bad(`tensor ${name} to be ${count * Type.BYTES_PER_ELEMENT} bytes`, `${to - from}`);
    if (start + to > bytes.length) throw bad(`${start + to} bytes`, `${bytes.length}; the file is truncated`);
    const copy = new Uint8Array(bytes.subarray(start + from, start + to)); // offsets need not be aligned, and a Buffer's slice is none
    tensors[name] = { shape: entry.shape, data: new Type(copy.buffer) };
  }
  return { tensors, metadata: metadata as Record<string, string> };
}

function isEntry(entry: unknown): entry is HeaderEntry {
  const whole = (x: unknown): x is number => Number.isSafeInteger(x) && (x as number) >= 0;
  if (typeof entry !== 'object' || entry === null) return false;
  const { dtype, shape, data_offsets: offsets } = entry as Partial<HeaderEntry>;
  if (typeof dtype !== 'string' || !Array.isArray(shape) || !shape.every(whole)) return false;
  return Array.isArray(offsets) && offsets.length === 2 && offsets.every(whole) && (offsets[0] as number) <= (offsets[1] as number);
}
