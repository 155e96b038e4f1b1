import { type Dirent, existsSync, readdirSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, join } from 'node:path';
import { PARAMETERS, SECTIONS } from '../contract/parameters.ts';
import { SCENARIO_NAMES, SCENARIOS } from '../contract/scenarios.ts';
import { ACCEPTANCE_RULES, ENGINE_NAMES } from '../contract/spec.ts';
import { STRATEGIES } from '../contract/strategies.ts';
import { sweepJsonSchema } from '../contract/sweep.ts';
import { TUNED } from '../contract/tuned.ts';
import { visible } from '../contract/visible.ts';
import { METRICS } from '../report/metrics.ts';
import { namesBelow, resultsFolders } from './folders.ts';
import { type Command, describeOf, nameOf, type Option, type Place, shapeOf } from './shape.ts';
import { RESULTS } from './table.ts';

/** What the word under the cursor may become, whole, and what that is. */
export interface Candidate {
  readonly value: string;
  readonly about?: string | undefined;
}

/** The first argument of a call that asks for candidates; what follows is the command line up to the cursor, the program's name first. */
export const COMPLETE = '--get-yargs-completions';

/** Candidates as the scripts of completion.ts read them: `value<TAB>what it is`, a line for each. */
export const printCandidates = (candidates: readonly Candidate[]): string =>
  candidates
    .filter(({ value }) => visible(value) === value) // a line each, and nothing that a terminal would obey
    .map(({ value, about = '' }) => `${value}\t${visible(about)}\n`)
    .join('');

/** Never throws: who presses the tab key wants no error. */
export function complete(words: readonly string[], commands: readonly Command[]): readonly Candidate[] {
  try {
    const [first = '', ...rest] = words.slice(1);
    const current = rest.at(-1) ?? first;
    const all = rest.length === 0 ? atStart(commands) : within(first, rest, commands);
    return distinct(all.filter(({ value }) => value.startsWith(current)));
  } catch {
    return [];
  }
}

const distinct = (all: readonly Candidate[]): Candidate[] => [...new Map(all.map((one) => [one.value, one])).values()];
const plain = (values: readonly string[]): Candidate[] => values.map((value) => ({ value }));

const atStart = (commands: readonly Command[]): Candidate[] => [
  ...commands.map((command) => ({ value: nameOf(command), about: describeOf(command) })),
  { value: '--help', about: 'what there is' },
  { value: '--version', about: 'which spc this is' },
];

/** What stands on the line before the word under the cursor. */
interface Line {
  readonly command: string;
  readonly positional: readonly string[];
  readonly given: Readonly<Record<string, string>>;
}

function within(first: string, rest: readonly string[], commands: readonly Command[]): Candidate[] {
  const command = commands.find((one) => nameOf(one) === first);
  if (command === undefined) return first === 'help' ? atStart(commands) : [];
  const shape = shapeOf(command);
  const optionOf = (name: string): Option | undefined => shape.options.find((option) => option.name === name);
  const current = rest.at(-1) ?? '';
  const positional: string[] = [];
  const given: Record<string, string> = {};
  let waiting: string | null = null;
  for (const word of rest.slice(0, -1)) {
    const [, name, value] = word.match(/^--([\w-]+)(?:=(.*))?$/s) ?? [];
    if (waiting !== null) {
      given[waiting] = word;
      waiting = null;
    } else if (name !== undefined && value === undefined && (optionOf(name)?.type ?? 'boolean') !== 'boolean') waiting = name;
    else if (name !== undefined) given[name] = value ?? '';
    else if (!word.startsWith('-')) positional.push(word);
  }
  const line = { command: first, positional, given };
  if (waiting !== null) return valuesOf(optionOf(waiting), current, line);
  const [, assigned] = current.match(/^--([\w-]+)=/) ?? [];
  if (assigned !== undefined) {
    const before = `--${assigned}=`;
    const values = valuesOf(optionOf(assigned), current.slice(before.length), line);
    return values.map(({ value, about }) => ({ value: `${before}${value}`, about }));
  }
  if (current.startsWith('-')) {
    const fresh = shape.options.filter(({ name, many }) => many || !(name in given));
    return [...fresh, HELP].map(({ name, describe }) => ({ value: `--${name}`, about: describe }));
  }
  return valuesOf(shape.places[positional.length] ?? shape.places.findLast(({ many }) => many), current, line);
}

const HELP = { name: 'help', describe: 'what the command does, and all of its options' };

/** What an option or a positional of that name may be. */
function valuesOf(wanted: Option | Place | undefined, current: string, line: Line): Candidate[] {
  if (wanted === undefined) return [];
  const { name, choices, describe } = wanted;
  if (choices.length > 0) return plain(choices);
  switch (name) {
    case 'file':
      return paths(current, /\.ya?ml$/);
    case 'sweep':
      if (line.command === 'price') return paths(current, /\.ya?ml$/);
      return [...results(current, line), ...(line.command === 'why' ? paths(current, /\.ya?ml$/) : [])];
    case 'folder':
      return results(current, line);
    case 'results':
      return line.command === 'rerun' || line.command === 'export' ? results(current, line) : paths(current, null);
    case 'keys':
    case 'store':
      return paths(current, null);
    case 'creds':
      return paths(current, /\.creds$/);
    case 'out':
    case 'recording':
      return paths(current, /./);
    case 'overrides':
      return overrides(current);
    case 'where':
      return where(current);
    case 'trial':
      return line.command === 'why' ? where(current) : [];
    case 'scenario':
      return Object.keys(SCENARIOS).map((value) => ({ value, about: TUNED[value]?.forbidden }));
    case 'strategy':
    case 'baseline':
      return plain(Object.keys(STRATEGIES));
    case 'engine':
      return listed(current, ENGINE_NAMES);
    case 'metric':
      return listed(
        current,
        METRICS.map(({ key }) => key),
      ).map(({ value }) => ({ value, about: describeMetric(value) }));
    case 'axis':
    case 'group-by':
      return listed(current, ['scenario', 'strategy', 'engine', ...Object.keys(PARAMETERS)]);
    case 'policy':
      return [...digests(line), ...paths(current, /\.(safetensors|json)$/)];
    case 'to':
      return line.command === 'export' ? plain(['json', 'safetensors']) : [];
    default:
      return describe.includes('file') ? paths(current, /./) : [];
  }
}

const describeMetric = (list: string): string | undefined => METRICS.find(({ key }) => key === list.split(',').at(-1))?.describe;

/** One more of a list by commas. */
function listed(current: string, names: readonly string[]): Candidate[] {
  const before = current.slice(0, current.lastIndexOf(',') + 1);
  const there = before.split(',');
  return plain(names.filter((name) => !there.includes(name)).map((name) => `${before}${name}`));
}

/** Files that match, and folders on the way to them; with null, folders alone. `~` stays as it is written. */
function paths(current: string, wanted: RegExp | null): Candidate[] {
  const slash = current.lastIndexOf('/') + 1;
  const [before, begun] = [current.slice(0, slash), current.slice(slash)];
  const folder = before.replace(/^~(?=\/)/, homedir()) || '.';
  return entriesOf(folder)
    .filter(({ name }) => name.startsWith(begun) && (begun.startsWith('.') || !name.startsWith('.')))
    .flatMap((entry) => {
      const isFolder = entry.isDirectory() || (entry.isSymbolicLink() && isDirectory(join(folder, entry.name)));
      if (isFolder) return [{ value: `${before}${entry.name}/` }];
      return wanted?.test(entry.name) ? [{ value: `${before}${entry.name}` }] : [];
    });
}

const isDirectory = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;

function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}

/** Names of sweeps under the folder of results, and paths. */
function results(current: string, { command, given }: Line): Candidate[] {
  const root = command === 'rerun' || command === 'export' ? RESULTS : (given['results'] ?? RESULTS);
  const named = namesBelow(root);
  return [...named.map((value) => ({ value, about: `${root}/${value}` })), ...paths(current, null)];
}

/** Enough of a digest to be its own, and no list of a hundred thousand. */
const [DIGEST, MANY] = [12, 200];

function digests({ given }: Line): Candidate[] {
  const named = given['results'];
  const here =
    named === undefined ? resultsFolders(RESULTS) : [named, join(RESULTS, named)].filter((path) => existsSync(join(path, 'policies')));
  return here
    .flatMap((folder) => entriesOf(join(folder, 'policies')).map(({ name }) => ({ folder, name })))
    .filter(({ name }) => /^[0-9a-f]{64}\.safetensors$/.test(name))
    .slice(0, MANY)
    .map(({ folder, name }) => ({ value: name.slice(0, DIGEST), about: `of ${basename(folder)}` }));
}

/** What a key of a sweep may be, where that is a short list. */
function knownValues(key: string): readonly string[] {
  const name = key.replace(/^axes\./, '');
  if (name === 'scenario') return SCENARIO_NAMES;
  if (name === 'strategy') return Object.keys(STRATEGIES);
  if (name === 'engine') return ENGINE_NAMES;
  if (name === 'acceptance') return ACCEPTANCE_RULES;
  if (name === 'state') return ['ok', 'failed', 'missing'];
  const [section = '', parameter = ''] = name.split('.');
  const root = sweepJsonSchema() as Schema;
  const resolved = (schema: Schema | undefined): Schema => {
    const [, definition] = schema?.$ref?.match(/^#\/\$defs\/(.*)$/) ?? [];
    return definition === undefined ? (schema ?? {}) : resolved(root.$defs?.[definition]);
  };
  const names = (schema: Schema | undefined): string[] => {
    const { type, enum: listed = [], anyOf = [] } = resolved(schema);
    return [...(type === 'boolean' ? ['true', 'false'] : []), ...listed.map(String), ...anyOf.flatMap(names)];
  };
  return names(resolved(root.properties?.[section]).properties?.[parameter]);
}

interface Schema {
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, Schema>>;
  readonly type?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
}

/** Sections first, their parameters once one is begun: a hundred names are no help. */
function keys(begun: string, top: readonly string[]): string[] {
  const section = SECTIONS.find((name) => begun.startsWith(`${name}.`));
  if (section === undefined) return [...top.map((name) => `${name}=`), ...SECTIONS.map((name) => `${name}.`)];
  return Object.keys(PARAMETERS).flatMap((name) => (name.startsWith(`${section}.`) ? [`${name}=`] : []));
}

const TOP = [
  'seeds',
  'correctionSeeds',
  'scenario',
  'strategy',
  'engine',
  'acceptance',
  'limits.wall',
  'limits.memoryMb',
  'tunedOn',
  'name',
];

function overrides(current: string): Candidate[] {
  const [, key, value = ''] = current.match(/^([\w.]+)=(.*)$/s) ?? [];
  if (key === undefined) return plain(keys(current, TOP));
  return listed(value, knownValues(key)).map((one) => ({ value: `${key}=${one.value}` }));
}

const FIELDS = ['scenario', 'environment', 'strategy', 'engine', 'seed', 'correctionSeed', 'state', 'id'];

/** The last term of a filter; after `=` the last of its alternatives. */
function where(current: string): Candidate[] {
  const at = current.lastIndexOf(',') + 1;
  const [before, term] = [current.slice(0, at), current.slice(at)];
  const [, field, operator = '', value = ''] = term.match(/^([\w.]+)(!?=)(.*)$/s) ?? [];
  if (field === undefined) return plain(keys(term, FIELDS).map((key) => `${before}${key}`));
  const others = value.slice(0, value.lastIndexOf('|') + 1);
  return plain(knownValues(field).map((name) => `${before}${field}${operator}${others}${name}`));
}
