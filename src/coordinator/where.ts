import { ConfigError } from '../contract/errors.ts';
import { evaluateSchema } from '../contract/evaluate.ts';
import { canonicalJson, type Json } from '../contract/ids.ts';
import { LATER_DEFAULTS, ppoSchema } from '../contract/ppo.ts';
import { nearest, suggest } from '../contract/problems.ts';
import type { TrialSpec } from '../contract/spec.ts';
import { STRATEGIES } from '../contract/strategies.ts';

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

const fail = (text: string, expected: string, got: string, remedy?: string): never => {
  throw new ConfigError(`--where ${JSON.stringify(text)}: expected ${expected}, got ${got}${remedy ? `; ${remedy}` : ''}`);
};

function getter(text: string, field: string): (subject: Subject) => Value {
  const own = Object.hasOwn(FIELDS, field) ? FIELDS[field] : undefined;
  if (own) return own;
  const [section = '', key = ''] = field.split('.');
  const found = Object.hasOwn(SECTIONS, section) ? SECTIONS[section] : undefined;
  if (found?.keys.includes(key)) return ({ spec }) => found.of(spec)[key as never] as Value;
  const meant = nearest(field, known());
  const remedy = meant
    ? `did you mean ${meant}?`
    : suggest(field, [...Object.keys(FIELDS), 'correct.<parameter>', 'ppo.<parameter>', 'evaluate.<parameter>']);
  return fail(text, 'a field of a trial', field, remedy);
}

const NUMBER = /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i;
const RANGE = /^(.+?)\.\.(.+)$/;

/** `a`, or `a..b` with both ends. */
function alternative(text: string, field: string, literal: string): (value: Value) => boolean {
  const [, low, high] = literal.match(RANGE) ?? [];
  if (low !== undefined && high !== undefined) {
    if (!NUMBER.test(low) || !NUMBER.test(high)) return fail(text, 'two numbers around ..', literal);
    if (Number(low) > Number(high)) return fail(text, 'a range from low to high', literal, `write ${high}..${low}`);
    return (value) => typeof value === 'number' && value >= Number(low) && value <= Number(high);
  }
  if (literal === '') return fail(text, `${field}=value`, 'no value');
  if (NUMBERS.includes(field) && !NUMBER.test(literal)) return fail(text, 'a number', literal);
  if (field === 'state' && !STATES.includes(literal)) return fail(text, 'ok, failed or missing', literal);
  if (field === 'id') return (value) => String(value).startsWith(literal);
  return (value) => {
    if (typeof value === 'number') return NUMBER.test(literal) && value === Number(literal);
    if (typeof value === 'object' && value !== null) return canonicalJson(value) === literal.replaceAll(/\s/g, '');
    return value !== undefined && String(value) === literal;
  };
}

function parseTerm(text: string): Term {
  const [, name = '', operator = '', value = ''] = text.match(/^([^=!]*)(!?=)(.*)$/s) ?? [];
  const field = name.trim();
  if (operator === '') return fail(text, 'field=value or field!=value', JSON.stringify(text));
  const get = getter(text, field);
  const alternatives = value.split('|').map((literal) => alternative(text, field, literal.trim()));
  const wanted = operator === '=';
  return { text: text.trim(), field, matches: (subject) => alternatives.some((one) => one(get(subject))) === wanted };
}

/**
 * The filter language: `strategy=tsf|none,seed=1..3,state!=failed`. Commas join terms that must all hold; `|` separates alternatives;
 * `a..b` is a range, both ends included; `id=` takes any beginning of an id. Fields: scenario, environment, strategy, engine, seed, correctionSeed,
 * state (ok, failed or missing), id, and every parameter as correct.x, ppo.x, evaluate.x. Throws ConfigError.
 */
export function parseWhere(text: string): readonly Term[] {
  return text
    .split(/,(?![^[]*\])/)
    .filter((term) => term.trim() !== '')
    .map(parseTerm);
}

/** For `--help` of every command that has it. */
export const WHERE_HELP =
  'Fields of --where: scenario, environment, strategy, engine, seed, correctionSeed, state (ok, failed or missing), id (any beginning), correct.x, ppo.x, evaluate.x.';

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
