import { parseArgs } from 'node:util';
import { ConfigError } from '../contract/errors.ts';
import { didYouMean, meanings, printGot } from '../contract/problems.ts';
import { SWEEP_KEYS } from '../contract/sweep.ts';
import { keyMeant, quoted } from '../coordinator/overrides.ts';
import { whatIsThere } from '../coordinator/there.ts';
import { isByCommas, type Option, type Shape } from './shape.ts';

/** An option as it was written: with its value, where it has one; `raw` is `--threads` or `-t`. */
interface Given {
  readonly raw: string;
  readonly value: string | undefined;
}

const complain = (where: string, expected: string, got: string, remedy?: string): never => {
  throw new ConfigError(`${where}: expected ${expected}, got ${got}${remedy ? `; ${remedy}` : ''}`);
};

const NUMBER = /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i;
const EMPTY_MEANS = ['where', 'reason']; // all trials; no reason
/** What must not be a file. */
const FOLDERS = ['results', 'keys', 'store'];
const kebab = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
const list = (words: readonly string[]): string =>
  words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;

/** A text as a shell takes it. */
const shell = (text: string): string => (/^[\w.,:=/+-]+$/.test(text) ? text : `'${text}'`);

interface Token {
  readonly kind: 'option' | 'positional' | 'option-terminator';
  readonly index: number;
  readonly name?: string;
  readonly rawName?: string;
  readonly value?: string | undefined;
  readonly inlineValue?: boolean | undefined;
}

/**
 * What was typed after the name of a command, judged before the library sees it: it would say what is wrong in words of its own, and let
 * pass what is given twice. Returns it so that it can be read in one way only. Throws ConfigError.
 */
export function judgeArguments(argv: readonly string[], shape: Shape, others: readonly Shape[]): string[] {
  const known = new Map(shape.options.map((option) => [option.name, option]));
  const config = Object.fromEntries(
    shape.options.map(({ name, type }) => [name, { type: type === 'boolean' ? 'boolean' : 'string' } as const]),
  );
  const camel = new Map(shape.options.map(({ name }) => [name.replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase()), name]));
  // parseArgs must know every way to write an option that has a value.
  for (const [written, name] of camel) if (config[name]) config[written] = config[name];
  const { tokens } = parseArgs({ args: [...argv], options: config, strict: false, allowPositionals: true, tokens: true });
  const given = new Map<string, Given[]>();
  const places: string[] = [];
  let rest: readonly Token[] = tokens as readonly Token[];
  while (rest.length > 0) {
    const [token, ...after] = rest;
    rest = after;
    if (token === undefined || token.kind === 'option-terminator') continue;
    if (token.kind === 'positional') {
      places.push(token.value ?? '');
      continue;
    }
    const written = argv[token.index] ?? '';
    const next = rest[0]?.kind === 'positional' && rest[0].index > token.index ? (rest[0].value ?? '') : undefined;
    const { name, no } = named(token, written, known, camel);
    const option = written.startsWith('--') ? known.get(name) : undefined;
    if (option === undefined) throw unknown(shape, others, { raw: written.replace(/=.*$/s, ''), value: token.value ?? next }, name);
    const entries = given.get(name) ?? [];
    given.set(name, entries);
    if (option.type !== 'boolean') {
      if (no) complain(`--no-${name}`, `--${name} with a value`, 'no-', 'leave it out for its default');
      entries.push({ raw: `--${name}`, value: takeValue(option, token, argv) });
      if (option.many && !isByCommas(option) && shape.places.length === 0)
        for (; rest[0]?.kind === 'positional'; rest = rest.slice(1)) entries.push({ raw: `--${name}`, value: rest[0].value });
      continue;
    }
    const apart = token.value === undefined && /^(true|false)$/i.test(next ?? '');
    if (apart) rest = rest.slice(1);
    const value = (apart ? next : token.value)?.toLowerCase();
    if (value !== undefined && (no || (value !== 'true' && value !== 'false')))
      complain(`--${no ? 'no-' : ''}${name}`, 'no value', printGot(value), `write --${name}, or --no-${name} for the contrary`);
    entries.push({ raw: `--${name}`, value: String(no ? false : value !== 'false') });
  }
  judgePlaces(places, shape, given.get('where')?.at(-1)?.value);
  const options = [...given].flatMap(([name, entries]) => judgeOption(known.get(name) as Option, entries));
  for (const [one, other] of shape.conflicts)
    if (options.some((text) => text.startsWith(`--${one}=`)) && options.some((text) => text.startsWith(`--${other}=`)))
      complain(`spc ${shape.name}`, `--${one} or --${other}`, 'both', 'leave one of them out');
  for (const { name, required, describe } of shape.options)
    if (required && !given.has(name)) complain(`spc ${shape.name}`, `--${name} (${describe})`, 'none', `write --${name} and its value`);
  return [...places, ...options];
}

/** The name an option goes by, and whether it was written with `--no-` before it. */
function named(
  { name = '', rawName = '' }: Token,
  written: string,
  known: ReadonlyMap<string, Option>,
  camel: ReadonlyMap<string, string>,
): { name: string; no: boolean } {
  if (!rawName.startsWith('--')) return { name: written.replace(/^-+/, '').replace(/=.*$/s, ''), no: false };
  if (known.has(name)) return { name, no: false };
  const own = camel.get(name);
  if (own !== undefined) return { name: own, no: false };
  const positive = kebab(name).replace(/^no-/, '');
  return name.startsWith('no') && known.has(positive) ? { name: positive, no: true } : { name, no: false };
}

/** A value stands behind its option, and begins with a dash only where it is a number or joined by `=`. */
function takeValue({ name, type, describe }: Option, { value, inlineValue }: Token, argv: readonly string[]): string {
  const wanted = type === 'number' ? 'a number' : 'a value';
  if (value === undefined) return complain(`--${name}`, `${wanted} (${describe})`, 'none');
  const isOption = !inlineValue && value.startsWith('-') && value !== '-' && !(type === 'number' && NUMBER.test(value));
  if (!isOption) return value;
  const remedy = argv.includes(value) && type === 'text' ? `write --${name}=${shell(value)} if that is the value` : undefined;
  return complain(`--${name}`, `${wanted} (${describe})`, `${value}, which is another option`, remedy);
}

/** Arguments for the library, as `--name=value`. */
function judgeOption(option: Option, given: readonly Given[]): string[] {
  const { name, type, many, choices, describe } = option;
  const values = given.map(({ value = '' }) => value);
  if (type === 'boolean') {
    if (new Set(values).size > 1) complain(`--${name}`, 'one of the two', `--${name} and --no-${name}`, 'leave one of them out');
    return values[0] === 'true' ? [`--${name}=true`] : []; // none of them is on by itself
  }
  for (const value of values) {
    if (value.trim() === '' && !EMPTY_MEANS.includes(name))
      complain(`--${name}`, `${type === 'number' ? 'a number' : 'a value'} (${describe})`, 'nothing');
    if (FOLDERS.includes(name)) {
      const { kind, what } = whatIsThere(value);
      if (kind !== 'folder' && kind !== 'nothing') complain(`--${name}`, 'a folder', `${value}, which is ${what}`);
      if (kind === 'nothing' && what !== 'nothing') complain(`--${name}`, 'a folder', `${value}: ${what}`);
    }
    if (type === 'number' && !(NUMBER.test(value) && Number.isFinite(Number(value)))) complain(`--${name}`, 'a number', printGot(value));
    if (choices.length > 0 && !choices.includes(value)) {
      const expected = choices.length < 3 ? choices.join(' or ') : `one of ${choices.join(', ')}`;
      complain(`--${name}`, expected, printGot(value), didYouMean(value, choices));
    }
  }
  if (values.length > 1 && !many) {
    const times = values.length === 2 ? 'twice' : `${values.length} times`;
    throw new ConfigError(`--${name}: given ${times} (${list(values)}); give it once`);
  }
  if (isByCommas(option)) return [`--${name}=${values.filter((value) => value.trim() !== '').join(',')}`];
  return values.map((value) => `--${name}=${value}`);
}

function judgePlaces(given: readonly string[], { name, places, usage, options }: Shape, where: string | undefined): void {
  const missing = places.find(({ required }, i) => required && given[i] === undefined);
  if (missing) complain(`spc ${name}`, `<${missing.name}>${missing.describe && ` (${missing.describe})`}`, 'nothing', `write spc ${usage}`);
  for (const [i, value] of given.entries()) {
    const place = places[i] ?? places.find(({ many }) => many);
    if (value.startsWith('-') && value !== '-')
      complain(`spc ${name}`, place ? `<${place.name}>` : 'an option', value, `write ./${value} for a file`);
    if (place === undefined)
      complain(`spc ${name}`, i === 0 ? 'options alone' : `nothing after ${given[i - 1]}`, printGot(value), more(value));
    else if (place.required && value.trim() === '') complain(`spc ${name}`, `<${place.name}> (${place.describe})`, 'an empty text');
    else if (place.choices.length > 0 && !place.choices.includes(value))
      complain(`spc ${name}`, `one of ${place.choices.join(', ')}`, printGot(value), didYouMean(value, place.choices));
  }

  /** What was meant by one argument too many. */
  function more(value: string): string | undefined {
    const filters = options.some((option) => option.name === 'where');
    if (value.includes('=') && filters) {
      const term = value.replace(/^seeds=(\d+)$/, 'seed=1..$1').replace(/^seeds=/, 'seed=');
      return `write --where ${shell(where ? `${where},${term}` : term)} to choose trials`;
    }
    if (value.includes('=')) return `spc ${name} takes no overrides`;
    return places.length === 0 ? `spc help ${name} has its options` : `call spc ${name} again for another`;
  }
}

/** An option that the command has not: a key of the sweep, another spelling, an option of another command. */
function unknown({ name: command, places, options }: Shape, others: readonly Shape[], { raw, value }: Given, name: string): ConfigError {
  const names = options.map((option) => option.name);
  const [near] = meanings(name, names);
  const key = keyMeant(name);
  const overrides = places.find(({ many, name: place }) => many && place === 'overrides');
  const isKey = SWEEP_KEYS.includes(name.replace(/^axes\./, '')) || name === 'seed';
  const said = (remedy: string): ConfigError => new ConfigError(`spc ${command}: expected an option that it has, got ${raw}; ${remedy}`);
  const asOverride = (): string => {
    if (name === 'seed' && /^\d+$/.test(value ?? ''))
      return `write seeds=${value}..${value} after the file for that seed alone, or seeds=${value} for 1..${value}`;
    return `write ${value === undefined ? `${key}=VALUE` : quoted(`${key}=${value}`)} after the ${places[0]?.name}`;
  };
  if (names.includes(name)) return said(`write --${name}`);
  if (places.some((place) => place.name === name))
    return said(`write ${value === undefined ? `the ${name}` : shell(value)} without --${name}`);
  if (isKey && overrides) return said(asOverride());
  if (isKey && names.includes('where') && key !== undefined) {
    const field = key === 'seeds' ? 'seed' : key;
    const chosen = key === 'seeds' && name !== 'seed' && /^\d+$/.test(value ?? '') ? `1..${value}` : value;
    return said(`write --where ${chosen === undefined ? `${field}=VALUE` : shell(`${field}=${chosen}`)} to choose trials`);
  }
  if (near !== undefined) return said(`did you mean --${near}?`);
  const elsewhere = others.filter((other) => other.options.some((option) => option.name === name)).map((other) => other.name);
  if (elsewhere.length > 0) return said(`spc ${list(elsewhere)} ${elsewhere.length > 1 ? 'have' : 'has'} it`);
  if (key !== undefined && overrides) return said(asOverride());
  return said(names.length > 0 ? `it has ${names.map((one) => `--${one}`).join(', ')}` : 'it has none');
}
