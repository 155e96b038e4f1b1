import { distance } from 'fastest-levenshtein';
import { z } from 'zod';
import './wording.ts';
import { ABOUT_RANGE, rangeMeant } from './seeds.ts';
import { bare, synonymsOf } from './synonyms.ts';

/** From the root of a document to a value: keys and indices. */
export type Path = readonly (string | number)[];

/** What is wrong with a document. Printed as `where: expected X, got Y; remedy`. */
export interface Problem {
  readonly path: Path;
  /** What is to blame: the key itself (unknown, twice, in the wrong place) or the value under it. */
  readonly at: 'key' | 'value';
  readonly expected: string;
  readonly got: string;
  readonly remedy?: string | undefined;
}

/** `axes.strategy[1]`. */
export function printPath(path: Path): string {
  return path.map((step, i) => (typeof step === 'number' ? `[${step}]` : i === 0 ? step : `.${step}`)).join('');
}

/** `where path: expected X, got Y; remedy`; `where` and the path may be empty, not both. */
export function printProblem({ path, expected, got, remedy }: Problem, where = ''): string {
  const head = [where, printPath(path)].filter((part) => part !== '').join(' ');
  return `${head}: expected ${expected}, got ${got}${remedy ? `; ${remedy}` : ''}`;
}

/** A value as YAML would have it on one line, in full. */
export function printValue(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'number' && !Number.isFinite(value)) return Number.isNaN(value) ? '.nan' : value > 0 ? '.inf' : '-.inf';
  if (Array.isArray(value)) return `[${value.map(printValue).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).map(([key, v]) => `${key}: ${printValue(v)}`);
    return entries.length === 0 ? '{}' : `{ ${entries.join(', ')} }`;
  }
  return JSON.stringify(value) ?? String(value);
}

const cut = (text: string, length = 60): string => (text.length <= length ? text : `${text.slice(0, length - 1)}…`);

/** `printValue`, cut to 60 characters: for messages. */
export const printGot = (value: unknown): string => cut(printValue(value));

/** What a message says first: of an error nobody expected, what follows is for developers. */
export const firstLine = (message: string): string => message.split('\n', 1)[0] ?? '';

/** The first line of a message in, about, so many letters. What to do stands behind its last semicolon, and is never what is left out. */
export function abridge(message: string, length: number): string {
  const line = firstLine(message);
  if (line.length <= length) return line;
  const at = line.lastIndexOf('; ');
  const remedy = at < 0 ? '' : line.slice(at);
  const head = Math.max(length - remedy.length - 3, Math.floor(length / 2));
  return head + 3 >= line.length - remedy.length ? line : `${line.slice(0, head)}...${remedy}`;
}

const letters = (word: string): string => [...word].sort().join('');

const FAR = Number.POSITIVE_INFINITY;

/** How far two words are apart: 0 but for case and separators, else edits, swapped letters as one; null if they are different words. */
function apart(word: string, candidate: string): number | null {
  const [given, wanted] = [bare(word), bare(candidate)];
  if (given === '' || wanted === '') return null;
  if (given === wanted) return 0;
  const edits = letters(given) === letters(wanted) ? 1 : distance(given.slice(0, 200), wanted);
  return edits <= Math.max(1, Math.floor(Math.min(given.length, wanted.length) / 3)) ? edits : null;
}

/**
 * The candidates that `word` may have meant, the most probable first: one that is equal but for case and separators (`num_envs`); else
 * those that others call so (`lr`, `overhead`); else the one with the fewest edits, at most a third of its length. A word without a dot
 * may be the last part of a name with one: `steps` is `correct.steps`.
 */
export function meanings(word: string, candidates: readonly string[]): readonly string[] {
  const parted = (candidate: string): boolean => !word.includes('.') && /^\w+\.\w+$/.test(candidate);
  const last = (candidate: string): string => (parted(candidate) ? candidate.slice(candidate.indexOf('.') + 1) : candidate);
  const scored = candidates.flatMap((candidate) => {
    const edits = Math.min(apart(word, candidate) ?? FAR, apart(word, last(candidate)) ?? FAR);
    return edits === FAR ? [] : [{ candidate, edits }];
  });
  const close = scored.sort((a, b) => a.edits - b.edits);
  const [best] = close;
  if (best?.edits !== 0) {
    const synonyms = synonymsOf(word, candidates);
    if (synonyms.length > 0) return synonyms;
  }
  if (best === undefined) return [];
  const equal = close.filter(({ edits }) => edits === best.edits);
  const whole = equal.find(({ candidate }) => !parted(candidate));
  if (whole !== undefined) return [whole.candidate];
  return equal.flatMap(({ candidate }) => (last(candidate) === last(best.candidate) ? [candidate] : []));
}

/** The most probable one. */
export const nearest = (word: string, candidates: readonly string[]): string | undefined => meanings(word, candidates)[0];

/** At most twelve of them. */
export const listNames = (names: readonly string[]): string =>
  names.length > 12 ? `${names.slice(0, 12).join(', ')}, … (${names.length} in all)` : names.join(', ');

/** `a, b or c`. */
export const either = (names: readonly string[]): string =>
  names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`;

/** `did you mean X?`; undefined where nothing is near. */
export function didYouMean(word: string, candidates: readonly string[]): string | undefined {
  const meant = meanings(word, candidates);
  return meant.length > 0 ? `did you mean ${either(meant)}?` : undefined;
}

/** `did you mean X?`, else the names there are. */
export const suggest = (word: string, candidates: readonly string[], known = 'known'): string =>
  didYouMean(word, candidates) ?? `${known}: ${listNames(candidates)}`;

/** What we read of a JSON Schema. */
interface Shape {
  /** In our own words what it is, where the keywords below do not say it. */
  readonly title?: string;
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Shape[];
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly additionalProperties?: Shape | boolean;
  readonly items?: Shape | boolean;
  readonly minItems?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly default?: unknown;
}

/** The schema as JSON Schema says it, of what may be written: it knows the whole range, an issue knows only the bound that broke. */
function shapeOf(schema: z.ZodType): Shape {
  const shape = shapes.get(schema) ?? (z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any', reused: 'inline' }) as Shape);
  shapes.set(schema, shape);
  return shape;
}
const shapes = new WeakMap<z.ZodType, Shape>();

/** What a shape allows, one by one. */
function optionsOf(shape: Shape | undefined): readonly Shape[] {
  if (shape === undefined) return [];
  if (shape.anyOf) return shape.anyOf.flatMap(optionsOf);
  return Array.isArray(shape.type) ? shape.type.map((type: string) => ({ ...shape, type })) : [shape];
}

function shapeAt(shape: Shape | undefined, path: Path): Shape | undefined {
  const [step, ...rest] = path;
  if (shape === undefined || step === undefined) return shape;
  for (const option of optionsOf(shape)) {
    const inside = typeof step === 'number' ? option.items : (option.properties?.[step] ?? option.additionalProperties);
    if (typeof inside === 'object') return shapeAt(inside, rest);
  }
  return undefined;
}

function range(shape: Shape): string {
  const whole = shape.type === 'integer' && shape.exclusiveMinimum !== undefined; // > 0 is >= 1
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum } = whole
    ? { ...shape, minimum: (shape.exclusiveMinimum ?? 0) + 1, exclusiveMinimum: undefined }
    : shape;
  const low = exclusiveMinimum ?? (minimum === Number.MIN_SAFE_INTEGER ? undefined : minimum);
  const high = exclusiveMaximum ?? (maximum === Number.MAX_SAFE_INTEGER ? undefined : maximum);
  const open = exclusiveMinimum === undefined ? '[' : '(';
  const close = exclusiveMaximum === undefined ? ']' : ')';
  if (low !== undefined && high !== undefined) return ` in ${open}${low}, ${high}${close}`;
  if (low !== undefined) return open === '[' ? ` >= ${low}` : ` > ${low}`;
  return high === undefined ? '' : close === ']' ? ` <= ${high}` : ` < ${high}`;
}

/** Who is told what was meant does not need all names there are. */
const MANY = 6;

/** `a number in [0, 1]`, `an integer > 0 or null`, `one of none, tsf`; `brief`: long lists of names are counted. */
function describe(shape: Shape | undefined, brief = false): string {
  const options = optionsOf(shape);
  if (shape?.title !== undefined) return shape.title;
  if (options.length > 1) return options.map((option) => describe(option, brief)).join(' or ');
  if (shape?.const !== undefined) return printValue(shape.const);
  if (shape?.enum && brief && shape.enum.length > MANY) return `one of ${shape.enum.length} names`;
  if (shape?.enum) return shape.enum.length < 3 ? shape.enum.join(' or ') : `one of ${shape.enum.join(', ')}`;
  switch (shape?.type) {
    case 'boolean':
      return 'true or false';
    case 'null':
      return 'null';
    case 'string':
      return 'text';
    case 'integer':
      return `an integer${range(shape)}`;
    case 'number':
      return `a number${range(shape)}`;
    case 'array': {
      const item = typeof shape.items === 'object' && Object.keys(shape.items).length > 0 ? describe(shape.items, brief) : 'values';
      return `a list${shape.minItems ? `, not empty,` : ''} of ${item
        .replace(/^(an integer|a number)/, (one) => `${one.replace(/^an? /, '')}s`)
        .replace(/^one of /, '')
        .replace(/^a mapping$/, 'mappings')}`;
    }
    case 'object': {
      const keys = Object.keys(shape.properties ?? {});
      return keys.length > 0 && keys.length < 4 ? `{ ${keys.join(', ')} }` : 'a mapping';
    }
    default:
      return 'a value';
  }
}

const NUMBER = /^[-+]?(\d[\d_]*)?(\.[\d_]*)?\d[\d_]*(e[-+]?\d+)?$/i;
const NUMBER_WITH_COMMA = /^[-+]?\d+,\d+(e[-+]?\d+)?$/i;
const YES = /^(yes|on|y|true)$/i;
const NO = /^(no|off|n|false)$/i;

const namesOf = (shape: Shape | undefined): string[] =>
  optionsOf(shape).flatMap((option) => (option.enum ?? []).filter((name) => typeof name === 'string'));

/** Whether a range of seeds may stand here. */
const isRange = (shape: Shape | undefined): boolean => optionsOf(shape).some(({ title }) => title === ABOUT_RANGE);

function remedyForText(value: string, shape: Shape | undefined, wants: (type: string) => boolean): string | undefined {
  const meant = didYouMean(value, namesOf(shape));
  if (meant !== undefined) return meant;
  const range = isRange(shape) ? rangeMeant(value) : undefined;
  if (range !== undefined) return `write ${range}`;
  if ((wants('number') || wants('integer')) && NUMBER_WITH_COMMA.test(value))
    return `a decimal point, not a comma: write ${value.replace(',', '.')}`;
  if ((wants('number') || wants('integer')) && NUMBER.test(value)) {
    const number = value.replaceAll('_', '');
    return number === value ? `write ${number} without quotes` : `YAML 1.2 reads ${value} as text; write ${number}`;
  }
  if (wants('boolean') && YES.test(value)) return 'write true';
  if (wants('boolean') && NO.test(value)) return 'write false';
  return wants('null') && /^(null|none|~)$/i.test(value) ? 'write null' : undefined;
}

/** What most probably went wrong with `value` where `shape` was expected. */
function remedyFor(value: unknown, shape: Shape | undefined, key: string | number | undefined): string | undefined {
  const options = optionsOf(shape);
  const wants = (type: string): boolean => options.some((o) => (o.const === undefined ? o.type === type : typeof o.const === type));
  if (value === undefined) return shape?.const === undefined ? 'add it' : `add ${key}: ${printValue(shape.const)}`;
  if (value === null) return wants('object') || wants('array') ? 'remove the key or give it a value' : undefined;
  const remedy = typeof value === 'string' ? remedyForText(value, shape, wants) : undefined;
  if (isObject(value) && wants('array') && !wants('object')) return 'put it in a list: [{ ... }]';
  if (remedy !== undefined || typeof value === 'object') return remedy;
  if (wants('array') && !wants('object')) {
    const items = options.map((option) => option.items).find((item) => typeof item === 'object');
    if (isObject(items) && items['type'] === 'object') return 'write a list of mappings: [{ ... }]';
    return `write [${typeof value === 'string' ? (nearest(value, namesOf(items)) ?? value) : String(value)}]`;
  }
  return typeof value !== 'string' && wants('string') && !isRange(shape) ? `put it in quotes: "${printValue(value)}"` : undefined;
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

/** The value at `path`; undefined where there is none. */
export function valueAt(data: unknown, path: Path): unknown {
  return path.reduce<unknown>((value, step) => {
    if (Array.isArray(value)) return typeof step === 'number' ? value[step] : undefined;
    return isObject(value) && Object.hasOwn(value, step) ? value[step as keyof typeof value] : undefined;
  }, data);
}

type Issue = z.core.$ZodIssue;

/** A message of `refine` says `must ...` of the last key of its path; parameters it names are shown with their values. `params.remedy` says what to do. */
function fromRule({ message, params }: z.core.$ZodIssueCustom, path: Path, data: unknown, shape: Shape): Problem {
  const key = typeof path.at(-1) === 'string' ? String(path.at(-1)) : 'it';
  const siblings = shapeAt(shape, path.slice(0, -1))?.properties ?? {};
  const named = [key, ...(message.match(/\w+/g) ?? [])].filter((word, i, all) => Object.hasOwn(siblings, word) && all.indexOf(word) === i);
  const show = (word: string): string => {
    const written = valueAt(data, [...path.slice(0, -1), word]);
    return `${word} ${printGot(written === undefined ? siblings[word]?.default : written)}`;
  };
  const rule = message.replace(/\bmust not /, 'not to ').replace(/\bmust /, 'to ');
  const remedy: unknown = params?.['remedy'];
  const got = named.map(show).join(', ') || printGot(valueAt(data, path));
  const value = valueAt(data, path);
  const range = typeof value === 'string' && isRange(shapeAt(shape, path)) ? rangeMeant(value) : undefined;
  const fix = typeof remedy === 'string' ? remedy : range && `write ${range}`;
  return { path, at: 'value', expected: `${key} ${rule}`, got, remedy: fix };
}

export const UNKNOWN_KEY = 'a known key';

function fromIssue(issue: Issue, data: unknown, shape: Shape): Problem[] {
  const path = issue.path as Path;
  const value = valueAt(data, path);
  const here = shapeAt(shape, path);
  if (issue.code === 'unrecognized_keys') {
    const known = optionsOf(here).flatMap((option) => Object.keys(option.properties ?? {}));
    return issue.keys.map((key) => ({
      path: [...path, key],
      at: 'key',
      expected: UNKNOWN_KEY,
      got: cut(key),
      remedy: suggest(key, known, 'known here'),
    }));
  }
  if (issue.code === 'invalid_union') {
    // The branch that was meant is the one whose type fits; its own issues say more than the union's.
    const meant = issue.errors.filter((errors) => errors.every((e) => e.path.length > 0 || e.code !== 'invalid_type'));
    const [branch] = meant;
    const isWording = here?.title !== undefined && branch?.every((e) => e.code === 'invalid_format' && e.path.length === 0);
    if (branch && meant.length === 1 && !isWording) {
      const index = (issue.errors as readonly unknown[]).indexOf(branch);
      const option = here?.anyOf?.[index];
      return branch.flatMap((e) =>
        fromIssue({ ...e, path: [...path, ...e.path] } as Issue, data, option ? graft(shape, path, option) : shape),
      );
    }
  }
  if (issue.code === 'custom') return [fromRule(issue, path, data, shape)];
  if (issue.code === 'too_big' && Array.isArray(value))
    return [{ path, at: 'value', expected: `at most ${issue.maximum} values`, got: `${value.length}` }];
  const remedy = remedyFor(value, here, path.at(-1));
  // A number out of range, where other things may stand, too: the range is what matters.
  const [number] = here?.title !== undefined && typeof value === 'number' ? optionsOf(here).filter(({ type }) => type === 'integer') : [];
  if (number && /^too_/.test(issue.code)) return [{ path, at: 'value', expected: describe(number), got: printGot(value) }];
  const expected = issue.code === 'invalid_format' ? issue.message : describe(here, remedy !== undefined && value !== undefined);
  return [{ path, at: 'value', expected, got: printGot(value), remedy }];
}

/** A shape in which `at` leads to `inside` and nowhere else. */
function graft(shape: Shape, at: Path, inside: Shape): Shape {
  const [step, ...rest] = at;
  if (step === undefined) return inside;
  const next = graft(shapeAt(shape, [step]) ?? {}, rest, inside);
  return typeof step === 'number' ? { items: next } : { properties: { [step]: next } };
}

export type Judged<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problems: readonly Problem[] };

/** Parses `data` by `schema`; all problems at once, in words, their paths relative to `data`. */
export function judge<S extends z.ZodType>(schema: S, data: unknown): Judged<z.output<S>> {
  // We say it in our own words; the library's would read the `constructor` of what it does not know.
  const result = schema.safeParse(data, { error: () => 'wrong' });
  if (result.success) return { ok: true, value: result.data };
  const shape = shapeOf(schema);
  return { ok: false, problems: result.error.issues.flatMap((issue) => fromIssue(issue, data, shape)) };
}
