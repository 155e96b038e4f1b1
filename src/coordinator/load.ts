import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isNode,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
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
import { nearest, type Path, type Problem, printGot, printProblem } from '../contract/problems.ts';
import { parseSweep, type Sweep, salvage } from '../contract/sweep.ts';
import { NO_MATCH, resolveArms } from './arms.ts';

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
    if (tag) blame(node, path, 'a plain value', `the tag ${tag}`, 'remove the tag');
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
function compose(text: string, lineCounter: LineCounter, locate: Locate): Source {
  const complain = (offset: number, expected: string, got: string, remedy: string): Complaint => {
    const { where, order } = locate(offset);
    return { order, text: printProblem({ path: [], at: 'value', expected, got, remedy }, where) };
  };
  if (tooDeep(text)) {
    const complaints = [complain(0, `at most ${MAX_DEPTH} levels of nesting`, 'more', 'a sweep file is flat')];
    return { document: parseDocument(''), complaints };
  }
  // Duplicate keys are found by `oddities`: the parser's own search is quadratic.
  const document = parseDocument(text, { lineCounter, uniqueKeys: false, prettyErrors: false });
  const syntax = document.errors.map(({ code, message, pos }) => {
    const remedy = code === 'MULTIPLE_DOCS' ? 'a file holds one document: remove what follows ---' : message;
    return complain(pos[0], 'YAML', 'a syntax error', remedy);
  });
  if (syntax.length > 0) return { document, complaints: syntax };
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

function parseOverride(text: string, order: number, axes: readonly string[]): Override | Complaint {
  const complain = (expected: string, got: string, remedy?: string): Complaint => ({
    order,
    text: printProblem({ path: [], at: 'value', expected, got, remedy }, where(text)),
  });
  const [, key = '', value = ''] = text.match(/^([^=]*)=(.*)$/s) ?? [];
  const [, list] = value.match(/^([^[\]{}"']*,[^[\]{}"']*)$/s) ?? [];
  const path = pathOf(key.trim(), axes, list !== undefined);
  if (path.includes('')) return complain('key=value', printGot(text), 'for example seeds=10 or strategy=none,tsf');
  if (value.length > MAX_BYTES) return complain(`at most ${MAX_BYTES / 1024} KiB`, `${Math.ceil(value.length / 1024)} KiB`);
  const parse = (yaml: string): Source => compose(yaml, new LineCounter(), () => ({ where: where(text), order }));
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

/** Everything that is wrong with a document: with its fields, and with the grid as far as they allow to see it. */
function judgeDocument(data: unknown): { sweep: Sweep } | { problems: readonly Problem[] } {
  const parsed = parseSweep(data);
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

/** The text of a sweep file, with overrides, as `loadSweep` reads it. Throws ConfigError with all problems, a line each. */
export function parseSweepText(text: string, file: string, overrides: readonly string[] = []): Loaded {
  const lineCounter = new LineCounter();
  const locate: Locate = (offset) => {
    const { line, col } = lineCounter.linePos(offset);
    return { where: `${file}:${Math.max(1, line)}:${Math.max(1, col)}`, order: offset };
  };
  const { document, complaints } = compose(text, lineCounter, locate);
  const axes = pairAt(document.contents, 'axes')?.value;
  const axisNames = isMap(axes) ? axes.items.flatMap((pair) => keyOf(pair as Pair) ?? []) : [];
  const given = overrides.map((override, i) => parseOverride(override, OVERRIDES + i, axisNames));
  const early = [...complaints, ...given.filter((o): o is Complaint => !('path' in o))];
  if (complaints.length === 0 && document.contents === null) {
    const remedy = 'write version, name, seeds and axes, as sweeps/quick.yaml does';
    early.push({
      order: 0,
      text: printProblem({ path: [], at: 'value', expected: 'a sweep', got: 'an empty file', remedy }, `${file}:1:1`),
    });
  }
  if (early.length > 0) fail(early);

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
  if (blocked.length > 0) fail(blocked);

  const overridden = new Set(given.map((o) => ('path' in o ? o.path[0] : undefined)));
  const judged = overrides.length > 0 ? judgeNarrowed(document, written, overridden) : judgeDocument(document.toJS());
  if ('sweep' in judged) {
    return {
      sweep: judged.sweep,
      text: overrides.length === 0 ? text : document.toString({ lineWidth: 0, flowCollectionPadding: false }),
      file,
    };
  }
  const place = placer(document, locate, marks, overrides);
  return fail(
    judged.problems.map((problem) => {
      const found = place(problem);
      return { order: found.order, text: printProblem(problem, found.where) };
    }),
  );
}

/** A name beside a file that is not there which was probably meant. */
function neighbour(file: string): string | undefined {
  try {
    const names = readdirSync(dirname(file)).filter((name) => /\.ya?ml$/.test(name));
    const meant = nearest(basename(file), names) ?? names.find((name) => name.replace(/\.ya?ml$/, '') === basename(file));
    return meant && join(dirname(file), meant);
  } catch {
    return undefined;
  }
}

/** A sweep of that name among those that come with spc: a package lies where nobody looks. */
function shipped(file: string): string | undefined {
  const path = fileURLToPath(new URL(`../../sweeps/${encodeURIComponent(basename(file))}`, import.meta.url));
  return existsSync(path) && /\.ya?ml$/.test(path) ? path : undefined;
}

function read(file: string): string {
  const refuse = (expected: string, got: string, remedy?: string, cause?: unknown): never => {
    throw new ConfigError(printProblem({ path: [], at: 'value', expected, got, remedy }, file || '(no name)'), { cause });
  };
  try {
    const stat = statSync(file);
    if (stat.isDirectory()) return refuse('a sweep file', 'a directory', 'name a file in it');
    if (!stat.isFile()) return refuse('a sweep file', 'something that is not a regular file');
    if (stat.size > MAX_BYTES)
      return refuse(`a file of at most ${MAX_BYTES / 1024} KiB`, `${Math.ceil(stat.size / 1024)} KiB`, 'split the sweep');
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(file));
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') return refuse('UTF-8 text', 'other bytes', 'save the file as UTF-8', error);
    if (code !== 'ENOENT') return refuse('a readable file', code ?? message, undefined, error);
    const meant = neighbour(file) ?? shipped(file);
    return refuse('a sweep file', 'nothing there', meant && `did you mean ${meant}?`, error);
  }
}

/**
 * Reads a sweep file; `overrides` are `key=value`, applied after the file, their values YAML: `seeds=10`, `ppo.gamma=0.9`, `strategy=none,tsf`.
 * Throws ConfigError that names everything wrong, one line each: `file:line:column path: expected X, got Y; remedy`.
 */
export function loadSweep(file: string, overrides: readonly string[] = []): Loaded {
  return parseSweepText(read(file), file, overrides);
}
