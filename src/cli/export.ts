import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { CommandModule } from 'yargs';
import { ConfigError } from '../contract/errors.ts';
import { canonicalJson, contentDigest } from '../contract/ids.ts';
import { didYouMean, listNames, printGot } from '../contract/problems.ts';
import { DiskFiles } from '../coordinator/disk.ts';
import { descriptorOf, whatIsThere } from '../coordinator/there.ts';
import type { Floats } from '../math/engine.ts';
import { isMembers, type Json, readJson } from '../math/json.ts';
import { type Entry, layout, size } from '../math/layout.ts';
import { encodePolicy, type Policy, parseShape, readPolicy } from '../ppo/policy.ts';
import { type Found, nameOf, readInput } from './input.ts';
import { resultsFolder } from './table.ts';
import { writeOutput } from './write.ts';

const FORMATS = ['json', 'safetensors'] as const;
type Format = (typeof FORMATS)[number];

/**
 * A policy as text, for people and for programs that read no safetensors:
 *   format   "spc-policy-json-1"
 *   digest   SHA-256 of the safetensors file that this is; may be left out
 *   dtype    "F32" or "F64": what the weights are once they are read
 *   shape    obsDim, hidden, actions, gaussian, separate
 *   weights  by the names of math/layout.ts, in its order: "trunk.0.W" [inputs][outputs], "trunk.0.b" [outputs], ...
 * A layer is h = tanh(x W + b), a head is y = h W + b. Numbers have as many digits as give the same bits again; -0 is "-0".
 */
interface PolicyJson {
  readonly format: string;
  readonly digest?: string;
  readonly dtype: string;
  readonly shape: Policy['shape'];
  readonly weights: Readonly<Record<string, unknown>>;
}
const FORMAT = 'spc-policy-json-1';

/** A weight per column, a row per line: readable, and `diff` names the row. */
export function printPolicyJson(policy: Policy): string {
  const { shape, params } = policy;
  const list = (from: number, count: number): string => `[${Array.from(params.subarray(from, from + count), printNumber).join(', ')}]`;
  const weights = layout(shape).map(({ name, shape: [rows = 0, columns], offset }) => {
    if (columns === undefined) return `    ${JSON.stringify(name)}: ${list(offset, rows)}`;
    const lines = Array.from({ length: rows }, (_, i) => `      ${list(offset + i * columns, columns)}`);
    return `    ${JSON.stringify(name)}: [\n${lines.join(',\n')}\n    ]`;
  });
  const head = { format: FORMAT, digest: contentDigest(encodePolicy(policy)), dtype: params instanceof Float64Array ? 'F64' : 'F32' };
  const fields = Object.entries(head).map(([key, value]) => `  "${key}": "${value}"`);
  return `{\n${fields.join(',\n')},\n  "shape": ${canonicalJson(shape)},\n  "weights": {\n${weights.join(',\n')}\n  }\n}\n`;
}

const printNumber = (x: number): string => (Object.is(x, -0) ? '-0' : String(x));

/** Throws RangeError for a text that is not such a policy, or whose weights are not those of its digest. */
export function parsePolicyJson(text: string): Policy {
  const json = parseObject(text);
  const bad = (what: string, expected: string, got: unknown): RangeError =>
    new RangeError(`${what}: expected ${expected}, got ${printGot(got)}`);
  if (json.format !== FORMAT) throw bad('format', `"${FORMAT}"`, json.format);
  if (json.dtype !== 'F32' && json.dtype !== 'F64') throw bad('dtype', 'F32 or F64', json.dtype);
  const shape = parseShape(JSON.stringify(json.shape));
  const entries = layout(shape);
  const names = entries.map(({ name }) => name);
  const { weights } = json;
  if (typeof weights !== 'object' || weights === null) throw bad('weights', `arrays ${names.join(', ')}`, weights);
  const strange = Object.keys(weights).find((name) => !names.includes(name));
  if (strange !== undefined) throw bad('weights', `no others than ${names.join(', ')}`, strange);
  const params = json.dtype === 'F64' ? new Float64Array(size(shape)) : new Float32Array(size(shape));
  for (const entry of entries) fill(params, entry, Object.hasOwn(weights, entry.name) ? weights[entry.name] : undefined);
  const twice = keyTwice(text);
  if (twice !== undefined) throw new RangeError(`expected each key once, got ${printGot(twice)} twice`);
  const policy = { shape, params };
  const digest = contentDigest(encodePolicy(policy));
  if (json.digest !== undefined && json.digest !== digest)
    throw new RangeError(
      `weights: expected those of SHA-256 ${printGot(json.digest)}, got ${digest}; they were altered: take "digest" out if that was on purpose`,
    );
  return policy;
}

function parseObject(text: string): Partial<PolicyJson> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new RangeError(`expected JSON (${(cause as Error).message})`, { cause });
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw new RangeError(`expected a JSON object, got ${printGot(value)}`);
}

/** JSON.parse drops the first of two, and with it what somebody wrote. */
function keyTwice(text: string): string | undefined {
  const visit = (json: Json): string | undefined => {
    if (Array.isArray(json)) return json.map(visit).find((key) => key !== undefined);
    if (!isMembers(json)) return undefined;
    const keys = json.members.map(([key]) => key);
    return keys.find((key, i) => keys.indexOf(key) < i) ?? visit(json.members.map(([, inner]) => inner));
  };
  try {
    return visit(readJson(text));
  } catch (cause) {
    throw new RangeError(`expected JSON (${(cause as Error).message})`, { cause });
  }
}

function fill(params: Floats, { name, shape, offset }: Entry, value: unknown): void {
  const [rows = 0, columns = 1] = shape;
  const array = (given: unknown, length: number, where: string): readonly unknown[] => {
    if (Array.isArray(given) && given.length === length) return given;
    throw new RangeError(`weights.${where}: expected ${length} entries, got ${Array.isArray(given) ? given.length : printGot(given)}`);
  };
  const put = (x: unknown, at: number, where: string): void => {
    if (typeof x === 'number') params[offset + at] = x; // rounds to float32 where those are asked for, and may overflow
    if (typeof x !== 'number' || !Number.isFinite(params[offset + at]))
      throw new RangeError(`weights.${where}: expected a finite float${params instanceof Float64Array ? 64 : 32}, got ${printGot(x)}`);
  };
  for (const [i, row] of array(value, rows, name).entries()) {
    if (shape.length === 1) put(row, i, `${name}[${i}]`);
    else for (const [j, x] of array(row, columns, `${name}[${i}]`).entries()) put(x, i * columns + j, `${name}[${i}][${j}]`);
  }
}

interface ExportArguments {
  readonly policy: string;
  readonly to: string;
  readonly out?: string | undefined;
  readonly results?: string | undefined;
}

/** Reads everything, writes one file, and that only where there is none. */
async function exportPolicy({ policy: given, to, out, results }: ExportArguments): Promise<void> {
  const format = parseFormat(to);
  const { policy, others } = await readAny(given, results);
  if (format === 'json' && policy.params.length > MAX_JSON_WEIGHTS)
    throw new ConfigError(
      `--to: expected at most ${MAX_JSON_WEIGHTS} weights for JSON, got ${policy.params.length}; only safetensors holds as many`,
    );
  const bytes = format === 'json' ? new TextEncoder().encode(printPolicyJson(policy)) : encodePolicy(policy);
  const isStdout = await writeOutput(out ?? '-', bytes, format === 'json' ? 'text' : 'binary');
  if (others.length > 0) process.stderr.write(`${nameOf(given)}: left out what is no part of a policy: ${listNames(others)}\n`);
  if (!isStdout) process.stdout.write(`${contentDigest(encodePolicy(policy))}  ${out}\n`);
}

function parseFormat(to: string): Format {
  const format = FORMATS.find((name) => name === to);
  if (format !== undefined) return format;
  const meant = didYouMean(to, FORMATS);
  throw new ConfigError(`--to: expected ${FORMATS.join(' or ')}, got ${printGot(to)}${meant ? `; ${meant}` : ''}`);
}

/** A policy, and the names of tensors in its file that are no part of it. */
type Read = ReturnType<typeof readPolicy>;

const MAX_BYTES = 2 ** 30;
/** A string holds no more than 2^29 characters, and a weight takes up to 26 of them. */
const MAX_JSON_BYTES = 2 ** 29 - 2 ** 20;
const MAX_JSON_WEIGHTS = 20_000_000;

/** A file of either format, whatever its name, from a pipe too; or the digest of a stored policy. */
async function readAny(given: string, results: string | undefined): Promise<Read> {
  if (given !== '-' && descriptorOf(given) === undefined && whatIsThere(given).kind === 'nothing') return readStored(given, results);
  let isJson = false;
  const name = nameOf(given);
  const bytes = await readInput(given, (found) => {
    isJson = found.format === 'policy-json' || found.format === 'json';
    if (!isJson && found.format !== 'safetensors') throw new ConfigError(notPolicy(name, found));
    return isJson ? MAX_JSON_BYTES : MAX_BYTES;
  });
  const [, named] = basename(given).match(/^([0-9a-f]{64})\.safetensors$/) ?? [];
  const digest = contentDigest(bytes);
  if (named !== undefined && named !== digest)
    throw new ConfigError(`${given}: expected the SHA-256 that is its name, got ${digest}; the file was truncated or altered`);
  return judged(name, () => (isJson ? { policy: parsePolicyJson(new TextDecoder().decode(bytes)), others: [] } : readPolicy(bytes)));
}

function notPolicy(given: string, { what, format, remedy }: Found): string {
  const todo =
    what === 'a results folder' ? `spc export DIGEST --results ${given} takes a policy of it` : (remedy ?? (format && REMEDY[format]));
  return `${given}: expected a policy, as safetensors or JSON written by spc, got ${what}${todo ? `; ${todo}` : ''}`;
}
const OTHERS = 'spc reads no files of other programs yet; it reads weights that are written as the JSON spc export --help describes';
const REMEDY: Partial<Record<NonNullable<Found['format']>, string>> = {
  model: OTHERS,
  data: OTHERS,
  sweep: 'spc run trains the policies of a sweep, into its results folder',
};

async function readStored(given: string, results: string | undefined): Promise<Read> {
  if (!/^[0-9a-f]{1,64}$/.test(given))
    throw new ConfigError(
      `policy: expected a file or the beginning of a digest, got ${printGot(given)}, where there is ${whatIsThere(given).what}`,
    );
  if (results === undefined)
    throw new ConfigError(`policy: expected --results with a digest, got ${given} alone; name the results folder it is in`);
  const folder = resultsFolder(results);
  const stored = readdirSync(join(folder, 'policies')).filter((name) => name.endsWith('.safetensors'));
  const found = stored.filter((name) => name.startsWith(given)).map((name) => basename(name, '.safetensors'));
  const [digest] = found;
  if (digest === undefined)
    throw new ConfigError(`policy: expected the beginning of one of ${stored.length} digests in ${folder}/policies, got ${given}`);
  if (found.length > 1) {
    const shown = found.slice(0, 3).map((name) => name.slice(0, given.length + 8));
    throw new ConfigError(
      `policy: expected the beginning of one digest, got ${given}, with which ${found.length} begin: ${shown.join(', ')}${found.length > 3 ? ', …' : ''}; give more letters`,
    );
  }
  const files = new DiskFiles(folder);
  const bytes = await files.get('policies', digest);
  return judged(files.path('policies', digest), () => readPolicy(bytes));
}

function judged(path: string, decode: () => Read): Read {
  try {
    return decode();
  } catch (error) {
    if (error instanceof RangeError) throw new ConfigError(`${path}: ${error.message}`, { cause: error });
    throw error;
  }
}

/** `spc export`: exit codes 0 written, 2 usage or not a policy. */
export const exportCommand: CommandModule<object, ExportArguments> = {
  command: 'export <policy>',
  describe: 'a policy as JSON for other programs, or back as safetensors',
  builder: (yargs) =>
    yargs
      .nargs('policy', 1) // without it, - is no value to the parser
      .positional('policy', {
        type: 'string',
        demandOption: true,
        describe: 'a .safetensors or .json file, - for stdin, or the beginning of a digest',
      })
      .option('to', { type: 'string', demandOption: true, requiresArg: true, describe: FORMATS.join(' or ') })
      .option('out', { type: 'string', requiresArg: true, describe: 'the file or pipe to write, - for stdout; stdout if left out' })
      .option('results', {
        type: 'string',
        requiresArg: true,
        describe: 'where a digest is looked for: a results folder, or the name of a sweep',
      })
      .epilogue(
        'JSON: format, digest, dtype, shape, and weights by name, W as [inputs][outputs]; a layer is tanh(x W + b), a head x W + b. There and back gives the same bytes.',
      ),
  handler: exportPolicy,
};
