import { isAscii } from 'node:buffer';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError } from '../contract/errors.ts';
import type { BaseRow, Failure, Provenance, TrialRow } from '../contract/rows.ts';
import { parseRow } from '../coordinator/store.ts';
import { type Asked, templateOf } from './asked.ts';
import { groups } from './groups.ts';
import type { BaseCost, Measured } from './metrics.ts';

/** Where the numbers come from: the files of a results folder, or a test. In batches: to wait for each row would take as long as to read it. */
export interface Source {
  readonly bases: AsyncIterable<readonly FoundBase[]>;
  readonly provenance: AsyncIterable<readonly Timed[]>;
  readonly trials: AsyncIterable<readonly FoundTrial[]>;
}

export type Timed = Pick<Provenance, 'id' | 'host' | 'phasesMs'>;

export interface FoundBase {
  readonly id: string;
  readonly cost: BaseCost | null;
  readonly failure?: Failure;
}

export type FoundTrial = { readonly id: string; readonly base: string; readonly template: string; readonly seed: number } & (
  | { readonly ok: true; readonly result: Measured }
  | { readonly ok: false; readonly failure: Failure }
);

/** Reads, never writes. A missing file has no lines. */
export function readSource(folder: string, asked: readonly Asked[]): Source {
  const templates = templatesOf(asked);
  return {
    bases: each(join(folder, 'bases.jsonl'), readBase),
    provenance: each(join(folder, 'provenance.jsonl'), readProvenance),
    trials: each(join(folder, 'trials.jsonl'), (line, where) => readTrial(line, where, templates)),
  };
}

const CHUNK = 1 << 20;

/**
 * What `read` makes of every complete line; what stands behind the last newline is not one. Whole chunks are decoded at once, not line by
 * line as the coordinator's `readLines` does, which must know at which byte each begins.
 */
async function* each<T>(path: string, read: (line: string, where: () => string) => T): AsyncGenerator<T[]> {
  const file = await open(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (!file) return;
  try {
    let buffer = Buffer.allocUnsafe(CHUNK);
    let [kept, number] = [0, 0];
    for (;;) {
      if (kept === buffer.length) buffer = Buffer.concat([buffer, Buffer.allocUnsafe(buffer.length)]); // a line longer than that
      const { bytesRead } = await file.read(buffer, kept, buffer.length - kept);
      if (bytesRead === 0) return;
      const filled = kept + bytesRead;
      const complete = buffer.lastIndexOf(NEWLINE, filled - 1) + 1;
      const text = buffer.toString(isAscii(buffer.subarray(0, complete)) ? 'latin1' : 'utf8', 0, complete); // the same, in half the time
      const batch: T[] = [];
      for (let start = 0, end = text.indexOf('\n'); end >= 0; start = end + 1, end = text.indexOf('\n', start)) {
        number++;
        batch.push(read(text.slice(start, end), () => `${path}:${number}`));
      }
      yield batch;
      buffer.copy(buffer, 0, complete, filled);
      kept = filled - complete;
    }
  } finally {
    await file.close();
  }
}

const NEWLINE = 0x0a;

/** Keys whose values no table reads, in the order of canonical JSON, and how those begin and end. */
type Cuts = readonly (readonly [begin: string, end: string])[];
const BASE_CUTS: Cuts = [
  ['"returns":{', '}'],
  ['"trace":[', ']'],
];
const TRIAL_CUTS: Cuts = [
  ['"forgetCurve":{', '}'],
  ['"returnCurve":{', '}'],
  ['"trace":[', ']'],
];

/**
 * Puts null in place of what no table reads: quicker than parsing it. In a string no quote stands before a colon without a backslash, so
 * what is found is a key; these values hold no other bracket of their kind.
 */
function without(line: string, cuts: Cuts): string {
  let [text, from] = ['', 0];
  for (const [begin, end] of cuts) {
    const at = line.indexOf(begin, from);
    if (at < 0) continue;
    const open = at + begin.length - 1;
    text += `${line.slice(from, open)}null`;
    from = line.indexOf(end, open) + 1;
  }
  return text + line.slice(from);
}

function parse(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' ? (value as Record<string, unknown> | null) : null;
  } catch {
    return null;
  }
}

const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null;

function readBase(line: string, where: () => string): FoundBase {
  const short = parse(without(line, BASE_CUTS));
  const row = (isFound(short) ? short : parseRow(line, 'base', where())) as BaseRow;
  if (!row.ok) return { id: row.id, cost: null, failure: row.failure };
  const { gradientSteps, environmentSteps } = row.result;
  return { id: row.id, cost: { gradientSteps, environmentSteps } };
}

const isFound = (row: Record<string, unknown> | null): boolean =>
  row !== null && typeof row['id'] === 'string' && isObject(row['ok'] === true ? row['result'] : row['failure']);

const SPEC = ',"spec":{';
const SEED = ',"seed":';

/** Templates of specs, by what stands in them behind the seed; and what stands before it. */
export type Templates = ReadonlyMap<string, readonly { readonly before: string; readonly template: string }[]>;

export function templatesOf(asked: readonly Pick<Asked, 'template'>[]): Templates {
  const distinct = [...new Set(asked.map(({ template }) => template))].map((template) => {
    const at = template.indexOf(SEED) + SEED.length;
    return { before: template.slice(0, at), template, after: template.slice(at + 1) };
  });
  return groups(distinct, ({ after }) => after);
}

/**
 * Rows are canonical JSON: the spec comes last, and is its own canonical text. Where that gives no template, because somebody wrote the
 * line by hand or nobody asked for it, the line is parsed as a whole.
 */
export function readTrial(line: string, where: () => string, templates: Templates): FoundTrial {
  const specAt = line.lastIndexOf(SPEC) + SPEC.length - 1;
  const seedAt = line.indexOf(SEED, specAt) + SEED.length;
  const seedEnd = line.indexOf('}', seedAt);
  const seed = Number(line.slice(seedAt, seedEnd));
  const known = templates
    .get(line.slice(seedEnd, -1))
    ?.find(({ before }) => line.startsWith(before, specAt) && specAt + before.length === seedAt);
  if (known && Number.isSafeInteger(seed)) {
    const row = parse(`${without(line.slice(0, specAt - SPEC.length + 1), TRIAL_CUTS)}}`);
    if (isFound(row) && typeof row?.['base'] === 'string')
      return Object.assign(row, { template: known.template, seed }) as unknown as FoundTrial;
  }
  const row = parseRow(line, 'trial', where()) as TrialRow;
  return { ...row, template: templateOf(row.spec), seed: row.spec.base.seed };
}

function readProvenance(line: string, where: () => string): Provenance {
  const value = parse(line);
  if (typeof value?.['id'] === 'string' && isObject(value['phasesMs'])) return value as unknown as Provenance;
  throw new ConfigError(
    `${where()}: expected a record of provenance, got ${JSON.stringify(line.slice(0, 60))}; delete the line, and the time of its row is unknown`,
  );
}
