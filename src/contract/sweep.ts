import { z } from 'zod';
import { ENVIRONMENTS } from './environments.ts';
import { type EvaluateOptions, evaluateSchema } from './evaluate.ts';
import type { Json } from './ids.ts';
import { type PpoOptions, ppoSchema } from './ppo.ts';
import { type Judged, judge, nearest, type Path, type Problem, printGot, printValue, valueAt } from './problems.ts';
import { SCENARIOS } from './scenarios.ts';
import { ACCEPTANCE_RULES, type AcceptanceRule, type EngineName } from './spec.ts';
import { STRATEGIES } from './strategies.ts';

/** Larger grids are refused: every trial is planned in memory, and nobody reads a table of so many rows. */
export const MAX_TRIALS = 1_000_000;
export const MAX_ARMS = 10_000;

/** What an arm's parameters may be named after: `ppo.gamma`, `correct.steps`, `evaluate.episodes`. */
export const SECTIONS = ['ppo', 'correct', 'evaluate'] as const;
export type Section = (typeof SECTIONS)[number];

/** Keys that belong to the grammar and come with a later version. */
const LATER = ['zip', 'when', 'exclude', 'include', 'tunedOn', 'scenarios', 'limits'];

const FILE_NAME = /^(?!(?:con|prn|aux|nul|com\d|lpt\d)$)[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?$/i;

const scenarioName = z.enum([...Object.keys(SCENARIOS), ...Object.keys(ENVIRONMENTS)]);
const strategyName = z.enum(Object.keys(STRATEGIES));
/** Judged later, by the options of every chosen strategy that reads it. */
const anyValue = z.custom<Json>((value) => value !== undefined);
const correctKeys = [...new Set(Object.values(STRATEGIES).flatMap((preset) => preset.reads))];

/** The fields without the rules between them: an axis may still set the other half of a rule. */
const ppoFields = z.strictObject(ppoSchema.shape);
const evaluateFields = z.strictObject(evaluateSchema.shape);
const correctFields = z.strictObject(Object.fromEntries(correctKeys.map((key) => [key, anyValue.optional()])));

const listOf = <T extends z.ZodType>(item: T) => z.array(item).min(1);
const axisFields = Object.fromEntries(
  SECTIONS.flatMap((section) => {
    const fields: Readonly<Record<string, z.ZodType>> = { ppo: ppoFields, correct: correctFields, evaluate: evaluateFields }[section].shape;
    return Object.entries(fields).map(([key, field]) => [`${section}.${key}`, listOf(field).optional()] as const);
  }),
);

const seed = z.int().min(0);
const seedCount = z.int().positive().max(MAX_TRIALS);
const range = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i);

const seedsSchema = z
  .union([seedCount, z.strictObject({ from: seed.max(Number.MAX_SAFE_INTEGER - MAX_TRIALS), count: seedCount }), listOf(seed)])
  .transform((s) => (typeof s === 'number' ? range(1, s) : Array.isArray(s) ? s : range(s.from, s.count)));

const sweepSchema = z.strictObject({
  version: z.literal(1),
  name: z.string().regex(FILE_NAME, 'a file name of at most 64 letters, digits, - and _').describe('results are kept under it'),
  description: z.string().default(''),
  seeds: seedsSchema.describe('training seeds: n stands for 1..n'),
  correctionSeeds: seedCount
    .default(1)
    .transform((n) => range(0, n))
    .describe('n stands for 0..n-1; averaged within a training seed'),
  axes: z.strictObject({ scenario: listOf(scenarioName), strategy: listOf(strategyName), ...axisFields }).describe('cartesian product'),
  ppo: ppoFields.prefault({}),
  correct: correctFields.default({}).describe('what every strategy that reads it uses instead of its default'),
  evaluate: evaluateFields.prefault({}),
  report: z.strictObject({ baseline: strategyName.default('none'), groupBy: listOf(z.string()).optional() }).prefault({}),
  acceptance: z
    .enum(ACCEPTANCE_RULES)
    .default('refuse')
    .describe('a base that misses the acceptance rules fails, or is run all the same and footnoted'),
  engine: z.enum(['wasm', 'reference']).default('wasm'),
});

/** What a human writes. */
export type SweepInput = z.input<typeof sweepSchema>;

/** What the program reads: nothing optional. */
export interface Sweep {
  readonly version: 1;
  readonly name: string;
  readonly description: string;
  readonly seeds: readonly number[];
  readonly correctionSeeds: readonly number[];
  /** In the order of the file: the grid is their product in this order. Besides the two that every sweep has, dotted parameters. */
  readonly axes: { readonly scenario: readonly string[]; readonly strategy: readonly string[] } & Readonly<Record<string, readonly Json[]>>;
  readonly ppo: PpoOptions;
  /** Only what is written: the defaults are the strategy's. */
  readonly correct: Readonly<Record<string, Json>>;
  readonly evaluate: EvaluateOptions;
  /** `baseline` need not be among the strategies: then there is nothing to compare with. `groupBy` defaults to all axes. */
  readonly report: { readonly baseline: string; readonly groupBy: readonly string[] };
  readonly acceptance: AcceptanceRule;
  readonly engine: EngineName;
}

const keysAt = (data: unknown, path: Path): string[] => {
  const value = valueAt(data, path);
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.keys(value) : [];
};

/** Where a key that is unknown at its place would be known. */
function homesOf(key: string): string[] {
  const [section, name] = key.split('.');
  if (Object.hasOwn(axisFields, key)) return [`${section}: { ${name}: ... }`];
  const own = (fields: z.ZodObject): boolean => Object.hasOwn(fields.shape, key);
  return [
    ...(key === 'scenario' || key === 'strategy' ? [`axes.${key}`] : []),
    ...(own(ppoFields) ? [`ppo.${key}`] : []),
    ...(own(correctFields) ? [`correct.${key}`] : []),
    ...(own(evaluateFields) ? [`evaluate.${key}`] : []),
    ...(own(sweepSchema) ? [`${key} at the top`] : []),
  ];
}

/** Tells keys that come later, and keys at the wrong place, from keys that nobody knows. */
function explainUnknown(problem: Problem): Problem {
  const key = String(problem.path.at(-1));
  if (problem.at !== 'key') return problem;
  if (problem.path.length === 1 && LATER.includes(key)) {
    return {
      ...problem,
      expected: 'a key that this version knows',
      remedy: 'it belongs to the grammar but is not there yet: remove it',
    };
  }
  const everywhere = [sweepSchema, ppoFields, correctFields, evaluateFields].flatMap((fields) => Object.keys(fields.shape));
  const homes = homesOf(nearest(key, ['scenario', 'strategy', ...everywhere, ...Object.keys(axisFields)]) ?? key);
  return homes.length > 0 && !problem.remedy?.startsWith('did you mean')
    ? { ...problem, remedy: `did you mean ${homes.join(' or ')}?` }
    : problem;
}

function twice(list: unknown, path: Path): Problem[] {
  if (!Array.isArray(list)) return [];
  const seen = new Set<string>();
  return list.flatMap((value, i): Problem[] => {
    const text = printValue(value);
    if (!seen.has(text)) return seen.add(text) && [];
    return [{ path: [...path, i], at: 'value', expected: 'every value once', got: `${printGot(value)} twice`, remedy: 'remove one' }];
  });
}

/** What no single field can see. Reads the document itself: which keys are written matters, and defaults do not count. */
function acrossFields(data: unknown): Problem[] {
  const axes = keysAt(data, ['axes']);
  const lists: Path[] = [['seeds'], ['report', 'groupBy'], ...axes.map((name) => ['axes', name])];
  const twoHomes = SECTIONS.flatMap((section) => keysAt(data, [section]).map((key) => [section, key] as const)).filter(([section, key]) =>
    axes.includes(`${section}.${key}`),
  );
  const groupBy = valueAt(data, ['report', 'groupBy']);
  const strangers = (Array.isArray(groupBy) ? groupBy : []).flatMap((name, i) =>
    typeof name === 'string' && !axes.includes(name) ? [{ name, i }] : [],
  );
  return [
    ...lists.flatMap((path) => twice(valueAt(data, path), path)),
    ...twoHomes.map(
      ([section, key]): Problem => ({
        path: ['axes', `${section}.${key}`],
        at: 'key',
        expected: 'a parameter at one place',
        got: `it also as ${section}.${key}`,
        remedy: 'remove one of the two',
      }),
    ),
    ...strangers.map(({ name, i }): Problem => {
      const meant = nearest(name, axes);
      return {
        path: ['report', 'groupBy', i],
        at: 'value',
        expected: `an axis of this sweep (${axes.join(', ')})`,
        got: printGot(name),
        remedy: meant && `did you mean ${meant}?`,
      };
    }),
  ];
}

/** The unknown -> `Sweep`, or everything that is wrong with it. What arms say to each other is judged in `expand`. */
export function parseSweep(data: unknown): Judged<Sweep> {
  const judged = judge(sweepSchema, data);
  const problems = [...(judged.ok ? [] : judged.problems.map(explainUnknown)), ...acrossFields(data)];
  if (!judged.ok || problems.length > 0) return { ok: false, problems };
  const { axes, report, correct, ...rest } = judged.value;
  const order = keysAt(data, ['axes']);
  const given: Readonly<Record<string, readonly Json[] | undefined>> = axes;
  const ordered: Readonly<Record<string, readonly Json[]>> = Object.fromEntries(order.map((name) => [name, given[name] ?? []]));
  return {
    ok: true,
    value: {
      ...rest,
      axes: { ...ordered, scenario: axes.scenario, strategy: axes.strategy },
      correct: correct as Sweep['correct'],
      report: { baseline: report.baseline, groupBy: report.groupBy ?? order },
    },
  };
}

/** Where a problem leaves no grid to judge; `undefined` is the document itself. */
const GRID = ['axes', 'scenario', 'strategy', 'undefined'];
const PLACEHOLDER = { version: 1, name: 'x', seeds: 1 };

/**
 * What can still be judged of a document with `problems`: everything outside the sections they stand in. Null if the grid itself is in doubt.
 * So that a file with a misspelt key in one place and a contradiction in another is told both at once.
 */
export function salvage(data: unknown, problems: readonly Problem[]): { sweep: Sweep; sound: (section: Section) => boolean } | null {
  const bad = new Set(problems.map(({ path: [root, axis] }) => String(root === 'axes' ? (axis ?? root) : root).replace(/\..*/, '')));
  if (GRID.some((name) => bad.has(name))) return null;
  // An unknown key at the top may be anything that a section should hold, unless it is clearly something else.
  const elsewhere = Object.keys(sweepSchema.shape).filter((key) => !SECTIONS.some((section) => section === key));
  const strays = problems.filter(({ path, at }) => at === 'key' && path.length === 1).map(({ path }) => String(path[0]));
  const unknown = strays.some((key) => nearest(key, elsewhere) === undefined);
  const sound = (section: Section): boolean => !unknown && !bad.has(section);
  const whole = SECTIONS.filter(sound);
  const axes = Object.entries(valueAt(data, ['axes']) as object).filter(([name]) => {
    const section = SECTIONS.find((s) => name.startsWith(`${s}.`));
    return section === undefined ? name === 'scenario' || name === 'strategy' : whole.includes(section);
  });
  const sections = whole.flatMap((section) => {
    const value = valueAt(data, [section]);
    return value === undefined ? [] : [[section, value] as const];
  });
  const judged = parseSweep({ ...PLACEHOLDER, axes: Object.fromEntries(axes), ...Object.fromEntries(sections) });
  return judged.ok ? { sweep: judged.value, sound } : null;
}
