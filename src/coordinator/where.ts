import { ConfigError } from '../contract/errors.ts';
import { evaluateSchema } from '../contract/evaluate.ts';
import { canonicalJson, type Json } from '../contract/ids.ts';
import { LATER_DEFAULTS, ppoSchema } from '../contract/ppo.ts';
import { didYouMean, suggest } from '../contract/problems.ts';
import { rangeMeant } from '../contract/seeds.ts';
import type { TrialSpec } from '../contract/spec.ts';
import { STRATEGIES } from '../contract/strategies.ts';
import { filterMeant } from './filters.ts';

/** What a filter sees of a trial. */
export interface Subject {
  readonly id: string;
  readonly scenario: string;
  /** `missing`: it has no row, or one that the next run tries again. */
  readonly state: 'ok' | 'failed' | 'missing';
  readonly spec: TrialSpec;
}

/** One part of a filter, `seed=1..3`. */
export interface Term {
  readonly text: string;
  readonly field: string;
  matches(subject: Subject): boolean;
}

type Value = Json | undefined;

const FIELDS: Readonly<Record<string, (subject: Subject) => Value>> = {
  scenario: (s) => s.scenario,
  environment: (s) => s.spec.base.environment,
  strategy: (s) => s.spec.strategy,
  engine: (s) => s.spec.base.engine,
  seed: (s) => s.spec.base.seed,
  correctionSeed: (s) => s.spec.correctionSeed,
  state: (s) => s.state,
  id: (s) => s.id,
};

const NUMBERS = ['seed', 'correctionSeed'];
const STATES = ['ok', 'failed', 'missing'];

const SECTIONS: Readonly<Record<string, { readonly keys: readonly string[]; of(spec: TrialSpec): object }>> = {
  correct: { keys: [...new Set(Object.values(STRATEGIES).flatMap((preset) => preset.reads))], of: (spec) => spec.correct },
  ppo: { keys: Object.keys(ppoSchema.shape), of: (spec) => ({ ...LATER_DEFAULTS, ...spec.base.ppo }) },
  evaluate: { keys: Object.keys(evaluateSchema.shape), of: (spec) => spec.evaluate },
};

const known = (): string[] => [
  ...Object.keys(FIELDS),
  ...Object.entries(SECTIONS).flatMap(([section, { keys }]) => keys.map((key) => `${section}.${key}`)),
];

/** What is wrong with a term. */
class Refusal extends Error {
  readonly said: readonly [text: string, expected: string, got: string];
  readonly remedy: string | undefined;

  constructor(text: string, expected: string, got: string, remedy?: string) {
    super(`${expected}, ${got}`);
    this.said = [text, expected, got];
    this.remedy = remedy;
  }
}

const fail = (text: string, expected: string, got: string, remedy?: string): never => {
  throw new Refusal(text, expected, got, remedy);
};

function getter(text: string, field: string): (subject: Subject) => Value {
  const own = Object.hasOwn(FIELDS, field) ? FIELDS[field] : undefined;
  if (own) return own;
  const [section = '', key = ''] = field.split('.');
  const found = Object.hasOwn(SECTIONS, section) ? SECTIONS[section] : undefined;
  if (found?.keys.includes(key)) return ({ spec }) => found.of(spec)[key as never] as Value;
  const all = [...Object.keys(FIELDS), 'correct.<parameter>', 'ppo.<parameter>', 'evaluate.<parameter>'];
  return fail(text, 'a field of a trial', field || 'none', didYouMean(field, known()) ?? suggest('', all));
}

const NUMBER = /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i;
const RANGE = /^(.*?)\.\.(.*)$/;

/** `a`, or `a..b` with both ends, of which one may be left open. */
function alternative(text: string, field: string, literal: string): (value: Value) => boolean {
  const [, low, high] = literal.match(RANGE) ?? [];
  if (low !== undefined && high !== undefined) {
    if (high.startsWith('.')) return fail(text, 'a range such as 1..3', literal);
    const ends = [low, high].filter((end) => end !== '');
    if (ends.length === 0 || !ends.every((end) => NUMBER.test(end)))
      return fail(text, 'numbers around ..', literal, 'for example 1..3, 4.. or ..3');
    const [from, to] = [low === '' ? Number.NEGATIVE_INFINITY : Number(low), high === '' ? Number.POSITIVE_INFINITY : Number(high)];
    if (from > to) return fail(text, 'a range from low to high', literal, `write ${high}..${low}`);
    return (value) => typeof value === 'number' && value >= from && value <= to;
  }
  if (literal === '') return fail(text, `${field}=value`, 'no value');
  if (literal === '*' || literal === 'all') return fail(text, 'a value', literal, 'leave the term out to choose them all');
  if (NUMBERS.includes(field) && !NUMBER.test(literal)) return fail(text, 'a number', literal);
  if (field === 'state' && !STATES.includes(literal)) return fail(text, 'ok, failed or missing', literal, didYouMean(literal, STATES));
  if (/[<>='"“”‘’\s]/.test(literal) && !/^\[[^\]]*\]$/.test(literal)) return fail(text, 'a value', JSON.stringify(literal));
  if (field === 'id') return (value) => String(value).startsWith(literal);
  return (value) => {
    if (typeof value === 'number') return NUMBER.test(literal) && value === Number(literal);
    if (typeof value === 'object' && value !== null) return canonicalJson(value) === literal.replaceAll(/\s/g, '');
    return value !== undefined && String(value) === literal;
  };
}

/** A value without its field. */
function example(value: string): string {
  const [, list] = rangeMeant(value)?.match(/^\[(.*)\]$/) ?? [];
  if (list !== undefined) return `write "seed=${list.replaceAll(', ', '|')}"`;
  const range = rangeMeant(value) ?? (/^\d+(\.\.\d*)?$/.test(value) ? value : undefined);
  if (range !== undefined) return `write seed=${range}`;
  if (Object.hasOwn(STRATEGIES, value)) return `write strategy=${value}`;
  return STATES.includes(value) ? `write state=${value}` : 'for example strategy=tsf,seed=1..3';
}

function parseTerm(text: string): Term {
  const [, name = '', operator = '', value = ''] = text.match(/^([^=!]*)(!?=)(.*)$/s) ?? [];
  const field = name.trim();
  if (operator === '' || /[<>]\s*$/.test(name) || (operator === '!=' && value.startsWith('=')))
    return fail(text, 'field=value or field!=value', JSON.stringify(text.trim()), example(text.trim()));
  const get = getter(text, field);
  const alternatives = value.split('|').map((literal) => alternative(text, field, literal.trim()));
  const wanted = operator === '=';
  return { text: text.trim(), field, matches: (subject) => alternatives.some((one) => one(get(subject))) === wanted };
}

const parse = (text: string): readonly Term[] =>
  text
    .split(/,(?![^[]*\])/)
    .filter((term) => term.trim() !== '')
    .map(parseTerm);

/** The same filter in our language; undefined where nobody can tell. */
function meant(text: string): string | undefined {
  const fields = known().map((name) => ({ name, numeric: NUMBERS.includes(name) }));
  const found = filterMeant(text, fields);
  try {
    return found === null || found === text || parse(found).length === 0 ? undefined : found;
  } catch (error) {
    if (error instanceof Refusal) return undefined;
    throw error;
  }
}

/** For a shell, in quotes where it needs them. */
export const quoted = (text: string): string => (/^[\w.,:=/+-]+$/.test(text) ? text : `"${text}"`);

/**
 * The filter language: `strategy=tsf|none,seed=1..3,state!=failed`. Commas join terms that must all hold; `|` separates alternatives;
 * `a..b` is a range, both ends included, `a..` and `..b` are open; `id=` takes any beginning of an id. Fields: scenario, environment, strategy,
 * engine, seed, correctionSeed, state (ok, failed or missing), id, and every parameter as correct.x, ppo.x, evaluate.x. Throws ConfigError, with
 * the same in this language where it was said in another.
 */
export function parseWhere(text: string): readonly Term[] {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const [term, expected, got] = error.said;
    const named = error.remedy?.startsWith('did you mean') ? error.remedy : undefined;
    const better = named === undefined ? meant(text) : undefined;
    const remedy = better === undefined ? error.remedy : `write ${quoted(better)}`;
    throw new ConfigError(`--where ${JSON.stringify(term)}: expected ${expected}, got ${got}${remedy ? `; ${remedy}` : ''}`);
  }
}

/** For `--help` of every command that has it. */
export const WHERE_HELP =
  'Fields of --where: scenario, environment, strategy, engine, seed, correctionSeed, state (ok, failed or missing), id (any beginning), correct.x, ppo.x, evaluate.x. A range 1..3 has both ends, 4.. and ..3 are open.';

/** Which terms no subject meets, and what there would be instead; `noun` is what was chosen from. */
export function explainEmpty(terms: readonly Term[], subjects: readonly Subject[], noun = 'row'): string {
  const idle = terms.filter((term) => !subjects.some((subject) => term.matches(subject)));
  if (idle.length === 0) return `no ${noun} meets all of ${terms.map((term) => term.text).join(', ')} at once`;
  return idle
    .map((term) => {
      const get = getter(term.text, term.field);
      const order = (a: string, b: string): number => Number(a) - Number(b) || (a < b ? -1 : 1);
      const values = [...new Set(subjects.map((subject) => JSON.stringify(get(subject) ?? null)))].sort(order);
      const shown = values.slice(0, 12).map((value) => value.replaceAll('"', ''));
      return `${term.text}: no ${noun} meets it; ${term.field} is ${shown.join(', ')}${values.length > shown.length ? ', ...' : ''}`;
    })
    .join('\n');
}
