import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isNode,
  isScalar,
  isSeq,
  Lexer,
  type Node,
  type Pair,
  Parser,
  parseDocument,
  type Scalar,
  stringify,
  YAMLMap,
} from 'yaml';
import { ConfigError } from '../contract/errors.ts';
import { splitName } from '../contract/parameters.ts';
import { type Path, type Problem, printGot, printProblem } from '../contract/problems.ts';
import { parseSweep, type Sweep, salvage } from '../contract/sweep.ts';
import { NO_MATCH, resolveArms } from './arms.ts';
import { sweepNear, sweepOf } from './neighbours.ts';
import { overrideMeant } from './overrides.ts';
import { FORBIDDEN, nameOf, odd, repair, type Slip, slipsOf } from './slips.ts';
import { whatIsThere } from './there.ts';
import { syntaxOf } from './yamlwords.ts';

export interface Loaded {
  readonly sweep: Sweep;
  /** The file as it takes effect, overrides included: what is frozen at the first run. */
  readonly text: string;
  readonly file: string;
}

/** A line of the error, and where it belongs among the others. */
interface Complaint {
  readonly order: number;
  readonly text: string;
}

const MAX_BYTES = 256 * 1024;
const MAX_DEPTH = 200;
const MAX_COMPLAINTS = 50;
const OVERRIDES = Number.MAX_SAFE_INTEGER / 2; // after everything in the file

function fail(complaints: readonly Complaint[]): never {
  const lines = [...new Set(complaints.toSorted((a, b) => a.order - b.order).map(({ text }) => text))];
  const more = lines.length > MAX_COMPLAINTS ? [`and ${lines.length - MAX_COMPLAINTS} more`] : [];
  throw new ConfigError([...lines.slice(0, MAX_COMPLAINTS), ...more].join('\n'));
}

/** Where a byte of a source stands, in words and in order. */
type Locate = (offset: number) => { readonly where: string; readonly order: number };

interface Source {
  readonly document: Document.Parsed;
  readonly complaints: readonly Complaint[];
  /** `broken`: it is no YAML, and the complaint is about the first place where that shows; `deep`: nobody looked. */
  readonly syntax?: 'broken' | 'deep';
}

const keyOf = (pair: Pair): string | undefined => (isScalar(pair.key) && typeof pair.key.value === 'string' ? pair.key.value : undefined);
const offsetOf = (node: unknown): number => (node as Node | null)?.range?.[0] ?? 0;
const NO_ANCHORS = 'anchors and aliases are not supported: write the value out';

/** What YAML can say and a sweep file must not: values that stand for others, tags, keys that are no names, keys twice. */
function oddities(root: unknown, locate: Locate): Complaint[] {
  const found: Complaint[] = [];
  const blame = (node: unknown, path: Path, expected: string, got: string, remedy?: string): void => {
    const { where, order } = locate(offsetOf(node));
    found.push({ order, text: printProblem({ path, at: 'value', expected, got, remedy }, where) });
  };
  const visit = (node: unknown, path: Path): void => {
    if (isAlias(node)) blame(node, path, 'the value itself', `the alias *${node.source}`, NO_ANCHORS);
    const { anchor, tag } = (node ?? {}) as { anchor?: string; tag?: string };
    if (anchor) blame(node, path, 'a value', `the anchor &${anchor}`, NO_ANCHORS);
    if (tag) blame(node, path, 'a value without a tag', `the tag ${tag}`, 'remove the tag');
    if (isSeq(node))
      node.items.forEach((item, i) => {
        visit(item, [...path, i]);
      });
    if (!isMap(node)) return;
    const seen = new Set<string>();
    for (const pair of node.items) {
      const key = keyOf(pair);
      if (key === undefined) {
        blame(pair.key, path, 'a name as key', printGot(isScalar(pair.key) ? pair.key.value : 'a collection'), 'put it in quotes');
        continue;
      }
      if (key === '<<') blame(pair.key, [...path, key], 'a name as key', 'a merge', NO_ANCHORS);
      if (seen.has(key)) blame(pair.key, [...path, key], 'every key once', `${key} again`, 'remove one');
      seen.add(key);
      visit(pair.key, [...path, key]);
      visit(pair.value, [...path, key]);
    }
  };
  visit(root, []);
  return found;
}

/** Deep nesting would exhaust the stack of the composer, in the middle of a regular expression even the process. */
function tooDeep(text: string): boolean {
  const parser = new Parser();
  for (const lexeme of new Lexer().lex(text)) {
    for (const _ of parser.next(lexeme)); // advances
    if (parser.stack.length > MAX_DEPTH) return true;
  }
  return false;
}

/** YAML text -> document, or what is wrong with it as YAML. */
function compose(text: string, locate: Locate): Source {
  const complain = (offset: number, expected: string, got: string, remedy: string): Complaint => {
    const { where, order } = locate(offset);
    return { order, text: printProblem({ path: [], at: 'value', expected, got, remedy }, where) };
  };
  if (tooDeep(text)) {
    const complaints = [complain(0, `at most ${MAX_DEPTH} levels of nesting`, 'more', 'a sweep file is flat')];
    return { document: parseDocument(''), complaints, syntax: 'deep' };
  }
  // Duplicate keys are found by `oddities`: the parser's own search is quadratic.
  const document = parseDocument(text, { uniqueKeys: false, prettyErrors: false });
  // The first error: what follows is mostly its consequence.
  const [error] = document.errors;
  if (error) {
    const { expected, got, remedy } = syntaxOf(error, text);
    return { document, complaints: [complain(error.pos[0], expected, got, remedy)], syntax: 'broken' };
  }
  const forbidden = text.search(FORBIDDEN);
  if (forbidden >= 0)
    return {
      document,
      complaints: [
        complain(forbidden, 'characters that can be seen', nameOf(String.fromCodePoint(text.codePointAt(forbidden) ?? 0)), 'remove it'),
      ],
    };
  const { version, explicit } = document.directives.yaml;
  const old = explicit && version !== '1.2' ? [complain(0, 'YAML 1.2', `YAML ${version}`, 'remove the %YAML line')] : [];
  return { document, complaints: [...old, ...oddities(document.contents, locate)] };
}

const pairAt = (map: unknown, key: string | number): Pair | undefined =>
  isMap(map) ? (map.items.find((pair) => keyOf(pair) === key) as Pair | undefined) : undefined;

/** `strategy=none,tsf`, applied after the file. */
interface Override {
  readonly text: string;
  readonly path: readonly string[];
  readonly value: Node | null;
}

/** Keys whose values are lists of mappings: one mapping stands for a list of one. */
const ENTRIES = ['zip', 'exclude', 'include', 'when'];

/** How a value that is not a list becomes one: always, where it has a comma, or never. */
function listing([root, key, ...rest]: readonly string[]): 'always' | 'by comma' | 'never' {
  if (root === 'axes' || (ENTRIES.includes(String(root)) && key === undefined)) return 'always';
  const seeds = root === 'seeds' || root === 'tunedOn';
  return (seeds && key === undefined) || (root === 'report' && key === 'groupBy' && rest.length === 0) ? 'by comma' : 'never';
}

/** A key that is an axis of the file means the axis, and so does a parameter or the engine that is given a list: `correct.steps=250,500`. */
function pathOf(key: string, axes: readonly string[], list: boolean): readonly string[] {
  const mayBeAxis = key === 'engine' || splitName(key) !== null;
  if (key === 'scenario' || key === 'strategy' || axes.includes(key) || (list && mayBeAxis)) return ['axes', key];
  return key.startsWith('axes.') ? ['axes', key.slice('axes.'.length)] : key.split('.');
}

const where = (override: string): string => `override ${JSON.stringify(override.length <= 60 ? override : `${override.slice(0, 59)}…`)}`;

/** `all`: what else was given, for a value that stands apart from its key. */
function parseOverride(text: string, i: number, axes: readonly string[], all: readonly string[]): Override | Complaint {
  const order = OVERRIDES + i;
  const complain = (expected: string, got: string, remedy?: string): Complaint => ({
    order,
    text: printProblem({ path: [], at: 'value', expected, got, remedy }, where(text)),
  });
  const [, key = '', value = ''] = text.match(/^([^=]*)=(.*)$/s) ?? [];
  const [, list] = value.match(/^([^[\]{}"']*,[^[\]{}"']*)$/s) ?? [];
  const path = pathOf(key.trim(), axes, list !== undefined);
  const meant = overrideMeant(all, i);
  if (meant !== null) {
    const problem: Problem = { path: [], at: 'value', expected: 'key=value', got: printGot(meant.got), remedy: meant.remedy };
    return { order, text: printProblem(problem, where(meant.got)) };
  }
  if (path.includes('')) return complain('key=value', printGot(text), 'for example seeds=10 or strategy=none,tsf');
  if (value.length > MAX_BYTES) return complain(`at most ${MAX_BYTES / 1024} KiB`, `${Math.ceil(value.length / 1024)} KiB`);
  const parse = (yaml: string): Source => compose(yaml, () => ({ where: where(text), order }));
  const plain = parse(value);
  const kind = listing(path);
  const whole =
    plain.complaints.length === 0 && (isSeq(plain.document.contents) || (kind === 'by comma' && isMap(plain.document.contents)));
  const wrap = !whole && (kind === 'always' || (kind === 'by comma' && value.includes(',')));
  const { document, complaints } = wrap ? parse(`[${value}]`) : plain;
  return complaints[0] ?? { text, path, value: document.contents };
}

const oneLine = (value: unknown): string => {
  const text = stringify(value, { collectionStyle: 'flow', flowCollectionPadding: false, lineWidth: 0 }).trim().replaceAll(/\s+/g, ' ');
  return text.length <= 60 ? text : `${text.slice(0, 59)}…`;
};

/** What stood beside the old value stands beside the new one, after a note of what it was. */
function comment(node: Node, old: unknown, document: Document): void {
  const { comment: beside, commentBefore, spaceBefore } = (old ?? {}) as Partial<Node>;
  const was = isNode(old) ? `, was ${oneLine(old.toJS(document))}` : '';
  node.comment = ` override${was}${beside && !(isCollection(old) && !old.flow) ? `;${beside}` : ''}`;
  if (commentBefore != null && isScalar(node)) node.commentBefore = commentBefore;
  if (spaceBefore) node.spaceBefore = spaceBefore;
}

/** Writes an override into the document; `mark` is told every node and pair that is not the file's. Returns what stands in its way. */
function apply(document: Document, { path, value }: Override, mark: (made: unknown) => void): Problem | undefined {
  let map: unknown = document.contents;
  for (const [i, key] of path.entries()) {
    if (!isMap(map)) return { path: path.slice(0, i), at: 'value', expected: 'a mapping', got: printGot((map as Node).toJS(document)) };
    const last = i === path.length - 1;
    const node: Node = last ? (value ?? document.createNode(null)) : new YAMLMap(document.schema);
    const pair = pairAt(map, key);
    if (!pair) {
      if (last) comment(node, undefined, document);
      const made = document.createPair(key, node);
      map.items.push(made);
      mark(made);
      map = node;
    } else if (last || pair.value === null || (isScalar(pair.value) && pair.value.value === null)) {
      if (last) comment(node, pair.value, document);
      pair.value = node;
      mark(node);
      map = node;
    } else map = pair.value;
  }
  return undefined;
}

/** Where a problem is in the file, or which override made it. */
function placer(document: Document, locate: Locate, marks: ReadonlyMap<unknown, number>, overrides: readonly string[]) {
  return ({ path, at }: Problem): ReturnType<Locate> => {
    let node: unknown = document.contents;
    let key: unknown = node;
    for (const step of path) {
      const pair = pairAt(node, step);
      const item = isSeq(node) && typeof step === 'number' ? node.items[step] : undefined;
      if (!pair && item === undefined) return locate(offsetOf(key)); // missing: the blame is on what should hold it
      const mark = marks.get(pair) ?? marks.get(pair ? pair.value : item);
      if (mark !== undefined) return { where: where(overrides[mark] ?? ''), order: OVERRIDES + mark };
      node = pair ? pair.value : item;
      key = pair ? pair.key : item;
    }
    const empty = node === null || (isScalar(node) && (node as Scalar).source === '');
    return locate(offsetOf(at === 'key' || empty ? key : node));
  };
}

/** What is wrong with single fields of a document, and between them. */
function judgeFields(data: unknown, frozen: boolean): ReturnType<typeof judgeDocument> {
  const parsed = parseSweep(data, frozen);
  return parsed.ok ? { sweep: parsed.value } : { problems: parsed.problems };
}

/** Everything that is wrong with a document: with its fields, and with the grid as far as they allow to see it. */
function judgeDocument(data: unknown, frozen = false): { sweep: Sweep } | { problems: readonly Problem[] } {
  const parsed = parseSweep(data, frozen);
  if (parsed.ok) {
    const { problems } = resolveArms(parsed.value);
    return problems.length > 0 ? { problems } : { sweep: parsed.value };
  }
  const rest = salvage(data, parsed.problems);
  const sound = ({ path: [root, axis] }: Problem): boolean => {
    const [section] = splitName(`${root}.`) ?? splitName(String(axis)) ?? [];
    return section === undefined || (rest?.sound(section) ?? false);
  };
  return { problems: [...parsed.problems, ...(rest ? resolveArms(rest.sweep).problems.filter(sound) : [])] };
}

/**
 * A sound file whose axes an override has narrowed, `scenario=cartpole/angle`: what it says of the arms that are no longer there
 * (entries of `when` and `exclude` that match nothing any more) goes with them.
 */
function judgeNarrowed(
  document: Document,
  written: unknown,
  overridden: ReadonlySet<Path[number] | undefined>,
): ReturnType<typeof judgeDocument> {
  const judged = judgeDocument(document.toJS());
  if ('sweep' in judged) return judged;
  const lists = ['when', 'exclude'].filter((list) => !overridden.has(list));
  const idle = judged.problems.filter(({ path: [list], expected }) => lists.includes(String(list)) && expected === NO_MATCH);
  if (idle.length === 0 || !('sweep' in judgeDocument(written))) return judged;
  const entries = new Set(idle.map(({ path: [list, i] }) => `${list} ${i}`));
  for (const list of lists) {
    const node = document.get(list);
    if (!isSeq(node)) continue;
    for (let i = node.items.length - 1; i >= 0; i--) if (entries.has(`${list} ${i}`)) node.delete(i);
    if (node.items.length === 0) document.delete(list);
  }
  return judgeDocument(document.toJS());
}

/** A sweep, or what is wrong with it. */
type Attempt = { readonly loaded: Loaded } | { readonly complaints: readonly Complaint[]; readonly syntax?: Source['syntax'] };

interface Text {
  readonly text: string;
  readonly file: string;
  readonly overrides: readonly string[];
  readonly locate: Locate;
  /** As `loadFrozen` reads it. */
  readonly frozen: boolean;
}

/** `quick`: only as far as single fields show it. */
function attempt({ text, file, overrides, locate, frozen }: Text, quick: boolean): Attempt {
  const { document, complaints, syntax } = compose(text, locate);
  const axes = pairAt(document.contents, 'axes')?.value;
  const axisNames = isMap(axes) ? axes.items.flatMap((pair) => keyOf(pair as Pair) ?? []) : [];
  const given = overrides.map((override, i) => parseOverride(override, i, axisNames, overrides));
  const early = [...complaints, ...given.filter((o): o is Complaint => !('path' in o))];
  if (complaints.length === 0 && document.contents === null) {
    const remedy = 'write version, name, seeds and axes, as sweeps/quick.yaml does';
    const problem: Problem = { path: [], at: 'value', expected: 'a sweep', got: 'an empty file', remedy };
    early.push({ order: 0, text: printProblem(problem, `${file}:1:1`) });
  }
  if (early.length > 0) return { complaints: early, syntax };

  const written: unknown = overrides.length > 0 ? document.toJS() : undefined;
  const marks = new Map<unknown, number>();
  const seen = new Set<string>();
  const blocked = given.flatMap((override, i): Complaint[] => {
    if (!('path' in override)) return [];
    const path = override.path.join('.');
    const problem: Problem | undefined = seen.has(path)
      ? { path: override.path, at: 'key', expected: 'every override once', got: `${path} again`, remedy: 'remove one' }
      : apply(document, override, (made) => marks.set(made, i));
    seen.add(path);
    return problem ? [{ order: OVERRIDES + i, text: printProblem(problem, where(override.text)) }] : [];
  });
  if (blocked.length > 0) return { complaints: blocked };

  const overridden = new Set(given.map((o) => ('path' in o ? o.path[0] : undefined)));
  const judge = (): ReturnType<typeof judgeDocument> => {
    if (overrides.length > 0 && !quick) return judgeNarrowed(document, written, overridden);
    return (quick ? judgeFields : judgeDocument)(document.toJS(), frozen);
  };
  const judged = judge();
  if ('sweep' in judged) {
    const effective = overrides.length === 0 ? text : document.toString({ lineWidth: 0, flowCollectionPadding: false });
    return { loaded: { sweep: judged.sweep, text: effective, file } };
  }
  const place = placer(document, locate, marks, overrides);
  const found = judged.problems.map((problem) => {
    const { where: at, order } = place(problem);
    const [, key, whole, fraction] = overrides[order - OVERRIDES]?.match(/^([^=]*)=(\d+),(\d+)$/) ?? [];
    const decimal = key === undefined ? undefined : `with a decimal point, write ${key}=${whole}.${fraction}`;
    return { order, text: printProblem({ ...problem, remedy: problem.remedy ?? decimal }, at) };
  });
  return { complaints: found };
}

/** Longer texts are not tried in other versions. */
const MAX_REPAIRED = 32 * 1024;
/** Of one kind of slip; the rest is counted. */
const MAX_SAID = 3;

/** The key is judged by its letters alone; spaces in its place keep the columns. */
const slipsOfOverride = (override: string): Slip[] => {
  const key = override.match(/^[^=]*=/)?.[0] ?? '';
  return [...odd(key), ...slipsOf(' '.repeat(key.length) + override.slice(key.length))];
};

/** How far a text is from a sweep: no YAML is the farthest, less so the later that shows. */
function badness(text: Text): number {
  const made = attempt(text, true);
  if ('loaded' in made) return 0;
  const { complaints, syntax } = made;
  return syntax === undefined ? complaints.length : 2 * MAX_REPAIRED - (complaints[0]?.order ?? 0);
}

/** Line and column of an offset, as editors count them. */
function locator(text: string, file: string, back: (offset: number) => number): Locate {
  const starts = [0, ...[...text.matchAll(/\r\n?|\n/g)].map((match) => match.index + match[0].length)];
  return (offset) => {
    const at = back(offset);
    let [low, high] = [0, starts.length];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((starts[middle] ?? 0) <= at) low = middle;
      else high = middle;
    }
    return { where: `${file}:${low + 1}:${at - (starts[low] ?? 0) + 1}`, order: at };
  };
}

/** A line for each slip, before everything else; of many of a kind the first ones. */
function printSlips(slips: readonly Slip[], locate: Locate): Complaint[] {
  const kinds = new Map<string, Slip[]>();
  for (const slip of slips) {
    const same = `${slip.expected} ${slip.got}`;
    const list = kinds.get(same);
    if (list) list.push(slip);
    else kinds.set(same, [slip]);
  }
  return [...kinds.values()].flatMap((all) =>
    all.slice(0, MAX_SAID).map(({ at, expected, got, remedy }, i) => {
      const { where: place, order } = locate(at);
      const more = i === MAX_SAID - 1 && all.length > MAX_SAID ? ` (and at ${all.length - MAX_SAID} more places)` : '';
      return { order: order - OVERRIDES, text: printProblem({ path: [], at: 'value', expected, got: `${got}${more}`, remedy }, place) };
    }),
  );
}

/**
 * The text of a sweep file, with overrides, as `loadSweep` reads it; `frozen` as `loadFrozen` does. Throws ConfigError with all problems, a line each. A slip that explains
 * them, a no-break space or a bracket that nobody closed, is found by trying, and said instead of what follows from it.
 */
export function parseSweepText(written: string, file: string, overrides: readonly string[] = [], frozen = false): Loaded {
  const text = written.replace(/^\ufeff/, '');
  const same = (offset: number): number => offset;
  const whole: Text = { text, file, overrides, frozen, locate: locator(text, file, same) };
  const made = attempt(whole, false);
  if ('loaded' in made) return overrides.length === 0 ? { ...made.loaded, text: written } : made.loaded;
  if (made.syntax === 'deep') return fail(made.complaints);
  const better = overrides.map((override, i) =>
    repair(override, slipsOfOverride(override), (other) => badness({ ...whole, overrides: overrides.with(i, other) })),
  );
  const given = { ...whole, overrides: better.map((one) => one.text) };
  const repaired =
    text.length > MAX_REPAIRED
      ? { text, slips: [], back: same }
      : repair(text, slipsOf(text), (other) => badness({ ...given, text: other }));
  const slips = [
    ...printSlips(repaired.slips, whole.locate),
    ...better.flatMap((one, i) => printSlips(one.slips, () => ({ where: where(overrides[i] ?? ''), order: OVERRIDES + i }))),
  ];
  if (slips.length === 0) return fail(made.complaints);
  const rest = attempt({ ...given, text: repaired.text, locate: locator(text, file, repaired.back) }, false);
  return fail([...slips, ...('complaints' in rest ? rest.complaints : [])]);
}

/** Formats whose bytes are text of ours, or may be. */
const READABLE: readonly unknown[] = ['sweep', 'text', 'json', 'empty'];

function read(file: string): string {
  const refuse = (expected: string, got: string, remedy?: string, cause?: unknown): never => {
    throw new ConfigError(printProblem({ path: [], at: 'value', expected, got, remedy }, file || '(no name)'), { cause });
  };
  const { kind, what, remedy, sizeBytes = 0, format } = whatIsThere(file);
  if (kind === 'nothing') return refuse('a sweep file', what, sweepNear(file));
  if (kind === 'folder') return refuse('a sweep file', what, sweepOf(file));
  if (kind === 'pipe') return refuse('a sweep file', what, 'write the sweep to a file first');
  if (kind !== 'file' || !READABLE.includes(format)) return refuse('a sweep file', what, remedy);
  if (sizeBytes > MAX_BYTES)
    return refuse(`a file of at most ${MAX_BYTES / 1024} KiB`, `${Math.ceil(sizeBytes / 1024)} KiB`, 'split the sweep');
  const bytes = readFileSync(file);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    return refuse('UTF-8 text', what === 'text' ? 'other bytes' : what, 'save the file as UTF-8', error);
  }
}

/**
 * Reads a sweep file; `overrides` are `key=value`, applied after the file, their values YAML: `seeds=10`, `ppo.gamma=0.9`, `strategy=none,tsf`.
 * Throws ConfigError that names everything wrong, one line each: `file:line:column path: expected X, got Y; remedy`.
 */
export function loadSweep(file: string, overrides: readonly string[] = []): Loaded {
  return parseSweepText(read(file), file, overrides);
}

/** The sweep of a results folder: what its rows were computed for is read, also where a file of today would be refused for being without effect. */
export function loadFrozen(folder: string): Loaded {
  const file = join(folder, 'sweep.yaml');
  return parseSweepText(read(file), file, [], true);
}
