/**
 * What bytes are, by what they begin with: for messages about a file that is not the one that was meant.
 * Own code, because the packages for it know pictures and archives, and of what lies beside a policy only the zip.
 */
export interface Format {
  readonly name: FormatName;
  /** With its article, to stand behind "got". */
  readonly what: string;
  /** What to do with it, whatever it was given for. */
  readonly remedy?: string;
}
type FormatName = 'empty' | 'zeros' | 'safetensors' | 'policy-json' | 'json' | 'sweep' | 'text' | 'archive' | 'model' | 'data' | 'binary';

/** `at`: where the signature stands; it is Latin-1. The first that fits is it. */
const SIGNATURES: readonly (readonly [at: number, signature: string, Format])[] = [
  [0, '\x89HDF\r\n\x1a\n', { name: 'data', what: 'an HDF5 file, as Keras and h5py write it' }],
  [0, '\x93NUMPY', { name: 'data', what: 'a numpy array (.npy)' }],
  // The number that torch.save writes first, as a pickle.
  [0, '\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19', { name: 'model', what: 'a PyTorch file in the format before PyTorch 1.6' }],
  [4, 'TFL3', { name: 'model', what: 'a TensorFlow Lite model' }],
  [0, 'GGUF', { name: 'model', what: 'a GGUF model' }],
  [0, '\x1f\x8b', { name: 'archive', what: 'a gzip archive', remedy: 'unpack it first' }],
  [0, '\x28\xb5\x2f\xfd', { name: 'archive', what: 'a Zstandard archive', remedy: 'unpack it first' }],
  [0, '\xfd7zXZ\0', { name: 'archive', what: 'an xz archive', remedy: 'unpack it first' }],
  [0, 'BZh', { name: 'archive', what: 'a bzip2 archive', remedy: 'unpack it first' }],
  [0, "7z\xbc\xaf'\x1c", { name: 'archive', what: 'a 7z archive', remedy: 'unpack it first' }],
  [0, 'Rar!\x1a\x07', { name: 'archive', what: 'a RAR archive', remedy: 'unpack it first' }],
  [257, 'ustar', { name: 'archive', what: 'a tar archive', remedy: 'unpack it first' }],
  [0, '\x89PNG\r\n\x1a\n', { name: 'data', what: 'a PNG picture' }],
  [0, '\xff\xd8\xff', { name: 'data', what: 'a JPEG picture' }],
  [0, 'GIF8', { name: 'data', what: 'a GIF picture' }],
  [8, 'WEBP', { name: 'data', what: 'a WebP picture' }],
  [4, 'ftyp', { name: 'data', what: 'an MP4 video' }],
  [0, '%PDF-', { name: 'data', what: 'a PDF document' }],
  [0, 'SQLite format 3\0', { name: 'data', what: 'an SQLite database' }],
  [0, 'PAR1', { name: 'data', what: 'a Parquet file' }],
  [0, 'ARROW1', { name: 'data', what: 'an Arrow file' }],
  [0, 'MATLAB 5.0', { name: 'data', what: 'a MATLAB file' }],
  [0, '\x7fELF', { name: 'binary', what: 'a program (ELF)' }],
  [0, '\0asm', { name: 'binary', what: 'a WebAssembly module' }],
  [0, 'MZ\x90\0', { name: 'binary', what: 'a program for Windows' }],
  [0, '\xff\xfe', { name: 'text', what: 'text in UTF-16', remedy: 'save it as UTF-8' }],
  [0, '\xfe\xff', { name: 'text', what: 'text in UTF-16', remedy: 'save it as UTF-8' }],
];

/** Zip archives are told apart by the names in them. */
const ZIPS: readonly (readonly [name: RegExp, Format])[] = [
  [
    /^(_stable_baselines3_version|policy(\.optimizer)?\.pth|pytorch_variables\.pth)$/,
    { name: 'model', what: 'a zip archive with a model of Stable-Baselines3 in it' },
  ],
  [/^([^/]+\/)?data\.pkl$/, { name: 'model', what: 'a PyTorch file (.pt, .pth)' }],
  [/\.npy$/, { name: 'data', what: 'a numpy archive (.npz)' }],
  [/^model\.weights\.h5$/, { name: 'model', what: 'a Keras model' }],
  [/\.safetensors$/, { name: 'archive', what: 'a zip archive with safetensors in it', remedy: 'unpack it first' }],
];

/** `head`: the first 64 KiB, or all of it if it is shorter; `tail`: its last bytes, where a long zip archive has its names. */
export function formatOf(head: Uint8Array, tail: Uint8Array = new Uint8Array()): Format {
  if (head.length === 0) return { name: 'empty', what: 'an empty file' };
  if (head.every((byte) => byte === 0)) return { name: 'zeros', what: 'zero bytes and nothing else' };
  if (isSafetensors(head)) return { name: 'safetensors', what: 'a safetensors file' }; // first: its length may look like any signature
  const text = latin(head);
  if (ZIP.some((signature) => text.startsWith(signature))) return zipOf(namesIn(text, FILE).concat(namesIn(text + latin(tail), LISTED)));
  const [, , signed] = SIGNATURES.find(([at, signature]) => text.startsWith(signature, at)) ?? [];
  if (signed !== undefined) return signed;
  const [first = 0, second = 0, third = 0] = head;
  if (first === 0x80 && second >= 2 && second <= 5) return { name: 'data', what: 'a Python pickle' };
  // Protocol buffers have no signature: the version, then who wrote the model, or its graph.
  if (first === 8 && second >= 3 && second < 32 && (third === 0x12 || third === 0x3a)) return { name: 'model', what: 'an ONNX model' };
  return textOf(head) ?? { name: 'binary', what: `binary data of an unknown kind (${begins(head)})` };
}

const latin = (bytes: Uint8Array): string => Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');

const begins = (head: Uint8Array): string =>
  `it begins with ${Array.from(head.subarray(0, 8), (byte) => byte.toString(16).padStart(2, '0')).join(' ')}`;

/** A length below 2^32 (more than 100 MB is refused later, in words), and what begins like JSON of an object or like blanks before it. */
const isSafetensors = (head: Uint8Array): boolean =>
  head.length > 8 && head.subarray(4, 8).every((byte) => byte === 0) && /^[ \t\r\n]*(\{|$)/.test(latin(head.subarray(8)));

/** How an archive begins: with a file, with none, or as one of several parts. */
const ZIP = ['PK\x03\x04', 'PK\x05\x06', 'PK\x07\x08'];
/** Before a file of the archive, and before an entry in its list of contents: where the length of the name stands, and where the name. */
const FILE = { signature: 'PK\x03\x04', length: 26, name: 30 };
const LISTED = { signature: 'PK\x01\x02', length: 28, name: 46 };

function namesIn(text: string, { signature, length, name }: typeof FILE): string[] {
  const names: string[] = [];
  for (let at = text.indexOf(signature); at >= 0; at = text.indexOf(signature, at + 1)) {
    const count = text.charCodeAt(at + length) + 256 * text.charCodeAt(at + length + 1);
    names.push(text.slice(at + name, at + name + count));
  }
  return names;
}

function zipOf(names: readonly string[]): Format {
  const [, known] = ZIPS.find(([pattern]) => names.some((name) => pattern.test(name))) ?? [];
  return known ?? { name: 'archive', what: 'a zip archive' };
}

/** Undefined where it has characters that no text has. */
function textOf(head: Uint8Array): Format | undefined {
  if (head.some((byte) => (byte < 9 || byte > 13) && byte < 32 && byte !== ESCAPE)) return undefined;
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(head, { stream: true }).trimStart(); // the last character may be cut
  } catch {
    return { name: 'text', what: 'text that is not UTF-8', remedy: 'save it as UTF-8' };
  }
  if (text.startsWith('version https://git-lfs.github.com/spec'))
    return { name: 'text', what: 'a pointer of Git LFS, not the file it stands for', remedy: 'git lfs pull fetches that' };
  if (/^<(!doctype )?html/i.test(text)) return { name: 'text', what: 'a web page', remedy: 'a download that failed often leaves one' };
  if (/^(\([dl]p\d+|c[\w.]+\n\w+)\n/.test(text)) return { name: 'data', what: 'a Python pickle' }; // of protocol 0
  if (/^[{[]/.test(text))
    return text.includes('"spc-policy-json-') ? { name: 'policy-json', what: 'a policy as JSON' } : { name: 'json', what: 'JSON' };
  if (/^version:/m.test(text) && /^(axes|seeds|name):/m.test(text)) return { name: 'sweep', what: 'a sweep file' };
  return { name: 'text', what: text === '' ? 'nothing but blanks' : 'text' };
}
const ESCAPE = 27; // colours of a terminal
