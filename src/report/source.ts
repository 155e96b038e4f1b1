import { isAscii } from 'node:buffer';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError } from '../contract/errors.ts';
import { printGot } from '../contract/problems.ts';
import type { BaseRow, Failure, Provenance, TrialRow } from '../contract/rows.ts';
import { parseRow } from '../coordinator/store.ts';
import { type Asked, templateOf } from './asked.ts';
import { groups } from './groups.ts';
import type { BaseCost, BaseReturns, Measured } from './metrics.ts';

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
  readonly returns?: BaseReturns;
  /** SHA-256 of its policy file; absent where there is none. */
  readonly policy?: string;
  readonly failure?: Failure;
}

export type FoundTrial = { readonly id: string; readonly base: string; readonly template: string; readonly seed: number } & (
  | { readonly ok: true; readonly result: Measured & { readonly policy: string } }
  | { readonly ok: false; readonly failure: Failure }
);

/** Reads, never writes. A missing file has no lines. A line that is no row throws ConfigError, or is left out and told to `broken`. */
export function readSource(folder: string, asked: readonly Asked[], broken?: (message: string) => void): Source {
  const templates = templatesOf(asked);
  return {
    bases: each(join(folder, 'bases.jsonl'), readBase, broken),
    provenance: each(join(folder, 'provenance.jsonl'), readProvenance, broken),
    trials: each(join(folder, 'trials.jsonl'), (line, where) => readTrial(line, where, templates), broken),
  };
}

const CHUNK = 1 << 20;

/**
 * What `read` makes of every complete line; what stands behind the last newline is not one. Whole chunks are decoded at once, not line by
 * line as the coordinator's `readLines` does, which must know at which byte each begins.
 */
async function* each<T>(
  path: string,
  read: (line: string, where: () => string) => T,
  broken?: (message: string) => void,
): AsyncGenerator<T[]> {
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
        try {
          batch.push(read(text.slice(start, end), () => `${path}:${number}`));
        } catch (error) {
          if (broken === undefined || !(error instanceof ConfigError)) throw error;
          broken(error.message);
        }
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

function parse(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' ? (value as Record<string, unknown> | null) : null;
  } catch {
    return null;
  }
}

const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null;

/** The return curve and the trace, more than nine tenths of the row of a base, are cut out before it is parsed. */
const BASE_CURVES = /"returns":\{[^{}]*\}|"trace":\[[^[\]]*\]/g;

function readBase(line: string, where: () => string): FoundBase {
  const short = parse(line.replace(BASE_CURVES, (found) => `${found.slice(0, found.indexOf(':'))}:null`));
  const row = (isFound(short) ? short : parseRow(line, 'base', where())) as BaseRow;
  if (!row.ok) return { id: row.id, cost: null, failure: row.failure };
  const { gradientSteps, environmentSteps, policy, greedy, sampled, random } = row.result;
  const found = { id: row.id, cost: { gradientSteps, environmentSteps }, policy };
  if (![greedy, sampled, random].every((played) => typeof played?.meanReturn === 'number')) return found; // a row that somebody cut
  return { ...found, returns: { greedy: greedy.meanReturn, sampled: sampled.meanReturn, random: random.meanReturn } };
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

/** Of canonical JSON: a number or null, captured; a text without escapes; what a flat object or list holds. */
const [NUMBER, TEXT, FLAT] = ['(null|[-+.e0-9]+)', '"[^"\\\\]*"', '[^{}[\\]]*'];
const COST = `\\{"environmentSteps":${NUMBER},"gradientSteps":${NUMBER},"samples":[0-9]+\\}`;

/**
 * The text of an accepted trial up to its spec, key by key; what is captured is what `Skimmed` makes into numbers. Over the values between the
 * parts, curves and traces, which are most of it, the reader jumps.
 */
const PARTS = [
  [
    `{"base":(${TEXT}),"id":(${TEXT}),"ok":true,"result":`,
    `{"acceptance":{"accepted":true,${FLAT}"reasons":\\[\\],${FLAT}}`,
    `,"checkpoint":${NUMBER},"cost":{"correct":${COST},"identify":${COST}},"fe":${NUMBER},"finalFe":${NUMBER},"forgetCurve":`,
  ],
  [
    `"forgetSet":${TEXT},"greedy":{${FLAT}"meanReturn":${NUMBER},${FLAT}}`,
    `,"influence":{${FLAT}"printed":${NUMBER},"unsaturated":${NUMBER}},"overrun":(null|\\{[^{}]*\\}),"policy":(${TEXT})`,
    `,"retainKl":${NUMBER},"retainValue":${NUMBER},"returnCurve":`,
  ],
  [
    `"rsi":${NUMBER},"rsiSampled":${NUMBER}`,
    `,"sampled":{${FLAT}"meanReturn":${NUMBER},"occupancy":${NUMBER},${FLAT}"toxicRate":${NUMBER}},"trace":`,
  ],
  [`"worstCase":${NUMBER}},"spec":`],
].map((lines) => {
  const text = lines.join('');
  return { begin: text.slice(0, text.indexOf(':') + 1), pattern: new RegExp(text.replace(/(?<!\\)[{}]/g, '\\$&'), 'y') };
});

/** The captures of all parts; null for a line that is anything else. */
function skim(line: string): string[] | null {
  const texts: string[] = [];
  let at = 0;
  for (const { begin, pattern } of PARTS) {
    pattern.lastIndex = line.indexOf(begin, at);
    const found = pattern.lastIndex < 0 ? null : pattern.exec(line);
    if (!found) return null;
    for (let i = 1; i < found.length; i++) texts.push(found[i] ?? '');
    at = pattern.lastIndex;
  }
  return texts;
}

const ACCEPTED = { accepted: true, reasons: [] } as const;

/** A result as what `skim` captures: text becomes a number when somebody asks for it, and few columns do. */
class Skimmed implements Measured {
  readonly acceptance = ACCEPTED;
  readonly #texts: readonly string[];

  constructor(texts: readonly string[]) {
    this.#texts = texts;
  }

  #maybe(i: number): number | null {
    const text = this.#texts[i];
    return text === 'null' ? null : Number(text);
  }
  #cost(i: number): Measured['cost']['correct'] {
    return { environmentSteps: Number(this.#texts[i]), gradientSteps: Number(this.#texts[i + 1]) };
  }

  get checkpoint(): number {
    return Number(this.#texts[2]);
  }
  get cost(): Measured['cost'] {
    return { correct: this.#cost(3), identify: this.#cost(5) };
  }
  get fe(): number | null {
    return this.#maybe(7);
  }
  get finalFe(): number | null {
    return this.#maybe(8);
  }
  get greedy(): Measured['greedy'] {
    return { meanReturn: Number(this.#texts[9]) };
  }
  get influence(): Measured['influence'] {
    return { printed: this.#maybe(10), unsaturated: this.#maybe(11) };
  }
  get overrun(): Measured['overrun'] {
    return JSON.parse(this.#texts[12] ?? 'null') as Measured['overrun'];
  }
  get policy(): string {
    return own(this.#texts[13]);
  }
  get retainKl(): number | null {
    return this.#maybe(14);
  }
  get retainValue(): number | null {
    return this.#maybe(15);
  }
  get rsi(): number {
    return Number(this.#texts[16]);
  }
  get rsiSampled(): number {
    return Number(this.#texts[17]);
  }
  get sampled(): Measured['sampled'] {
    return { meanReturn: Number(this.#texts[18]), occupancy: this.#maybe(19), toxicRate: this.#maybe(20) };
  }
  get worstCase(): number | null {
    return this.#maybe(21);
  }
}

/**
 * Rows are canonical JSON: the spec comes last and is its own canonical text, and what stands before it has the keys of `PARTS` in that order.
 * A line that is anything else is parsed as a whole: a failure, a base that was not accepted, what nobody asked for or somebody wrote by hand.
 */
export function readTrial(line: string, where: () => string, templates: Templates): FoundTrial {
  const specAt = line.lastIndexOf(SPEC) + SPEC.length - 1;
  const seedAt = line.indexOf(SEED, specAt) + SEED.length;
  const seedEnd = line.indexOf('}', seedAt);
  const seed = Number(line.slice(seedAt, seedEnd));
  const spec = line.slice(specAt, seedAt);
  const known = templates.get(line.slice(seedEnd, -1))?.find(({ before }) => before === spec);
  const texts = known && Number.isSafeInteger(seed) ? skim(line) : null;
  if (known && texts) {
    const [base, id] = [own(texts[0]), own(texts[1])];
    return { ok: true, base, id, template: known.template, seed, result: new Skimmed(texts) };
  }
  const row = parseRow(line, 'trial', where()) as TrialRow;
  if (row.ok && !isMeasured(row.result as unknown as Readonly<Record<string, unknown>>))
    throw new ConfigError(
      `${where()}: expected the numbers of a trial, got ${printGot(row.result)}; delete the line, and the next run computes its row anew`,
    );
  return { ...row, template: templateOf(row.spec), seed: row.spec.base.seed };
}

const isMapping = (value: unknown): value is Readonly<Record<string, unknown>> => isObject(value) && !Array.isArray(value);

/** Whether a result has the parts that columns read numbers of. */
function isMeasured({ acceptance, influence, greedy, sampled, cost }: Readonly<Record<string, unknown>>): boolean {
  if (![influence, greedy, sampled].every(isMapping) || !isMapping(acceptance) || !isMapping(cost)) return false;
  return Array.isArray(acceptance['reasons']) && isMapping(cost['identify']) && isMapping(cost['correct']);
}

/** A part of a line keeps the whole text alive that it is a part of, a MiB of it; what JSON.parse makes is new. */
const own = (quoted: string | undefined): string => JSON.parse(quoted ?? '""') as string;

const PROVENANCE = /^\{[^{}]*"host":("[^"\\]*"),"id":("[^"\\]*"),"kind":[^{}]*"phasesMs":(\{[^{}]*\}),"startedAt":[^{}]*\}$/;

function readProvenance(line: string, where: () => string): Timed {
  const [, host, id, phases] = PROVENANCE.exec(line) ?? [];
  const value = host !== undefined && id !== undefined ? { host: own(host), id: own(id), phasesMs: parse(phases ?? '') } : parse(line);
  if (typeof value?.['id'] === 'string' && isObject(value['phasesMs'])) return value as unknown as Timed;
  throw new ConfigError(
    `${where()}: expected a record of provenance, got ${JSON.stringify(line.slice(0, 60))}; delete the line, and the time of its row is unknown`,
  );
}
