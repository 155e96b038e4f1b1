import { z } from 'zod';
import { acrossFields, dimensionsOf, isMapping, keysAt } from './across.ts';
import type { EvaluateOptions } from './evaluate.ts';
import type { Json } from './ids.ts';
import type { Limits } from './job.ts';
import { limitsSchema } from './limits.ts';
import { correctSection, evaluateFields, mapFields, PARAMETERS, ppoFields, SECTIONS, type Section, splitName } from './parameters.ts';
import type { PpoOptions } from './ppo.ts';
import { didYouMean, either, type Judged, judge, meanings, nearest, type Problem, printGot, UNKNOWN_KEY, valueAt } from './problems.ts';
import { judgeScenario, SCENARIO_NAMES, type Scenario, scenarioSchema } from './scenarios.ts';
import { range, seedCount, seedsSchema } from './seeds.ts';
import { ACCEPTANCE_RULES, type AcceptanceRule, ENGINE_NAMES, type EngineName } from './spec.ts';
import { STRATEGIES } from './strategies.ts';

export const MAX_ARMS = 10_000;

const FILE_NAME = /^(?!(?:con|prn|aux|nul|com\d|lpt\d)$)[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?$/i;
/** Without what a command line or a dotted path would take apart. */
const SCENARIO_NAME = /^[a-z0-9][a-z0-9_/-]{0,63}$/i;

const strategyNames = Object.keys(STRATEGIES);
const strategyName = z.enum(strategyNames);
/** Which names there are, a file may say itself: see `scenarios`. */
const scenarioName = z.string().meta({ examples: [...SCENARIO_NAMES] });
const engineName = z.enum(ENGINE_NAMES);

const listOf = <T extends z.ZodType>(item: T) => z.array(item).min(1);
const oneOrMore = (item: z.ZodType): z.ZodType => z.union([item, listOf(item)]);

/** A mapping of scenario, strategy, engine and dotted parameters, each optional. */
const assignment = (make: (field: z.ZodType) => z.ZodType) =>
  z.strictObject({
    scenario: make(scenarioName).optional(),
    strategy: make(strategyName).optional(),
    engine: make(engineName).optional(),
    ...mapFields(PARAMETERS, (field) => make(field).optional()),
  });
const axesSchema = assignment(listOf);
const matchSchema = assignment(oneOrMore);
const settings = z.strictObject(mapFields(PARAMETERS, (field) => field.optional()));
const includeSchema = z.strictObject({
  scenario: scenarioName,
  strategy: strategyName,
  engine: engineName.optional(),
  ...settings.shape,
});

const sweepSchema = z.strictObject({
  version: z.literal(1),
  name: z.string().regex(FILE_NAME, 'a file name of at most 64 letters, digits, - and _').describe('results are kept under it'),
  description: z.string().default(''),
  seeds: seedsSchema.describe('training seeds: n stands for 1..n; 101..150 is a range, alone or in a list'),
  tunedOn: seedsSchema.optional().describe('seeds that chose the parameters below: none of them may be among seeds'),
  correctionSeeds: seedCount
    .default(1)
    .transform((n) => range(0, n))
    .describe('n stands for 0..n-1; averaged within a training seed'),
  axes: axesSchema.describe('the grid is their product, in this order'),
  zip: z
    .array(axesSchema)
    .default([])
    .describe('each entry is one more dimension of the product, whose lists move together: the first values, the second values, ...'),
  exclude: z.array(matchSchema).default([]).describe('arms that are taken out; a list means any of its values'),
  include: z.array(includeSchema).default([]).describe('single arms that are added'),
  when: z
    .array(z.strictObject({ if: matchSchema, set: settings }))
    .default([])
    .describe('sets, in arms that match, what nothing else has set; of two entries the first counts'),
  scenarios: z.record(z.string(), scenarioSchema).default({}).describe('constraints of your own, by name'),
  ppo: ppoFields.prefault({}),
  correct: correctSection.default({}).describe('what every strategy that reads it uses instead of its default'),
  evaluate: evaluateFields.prefault({}),
  report: z.strictObject({ baseline: strategyName.default('none'), groupBy: listOf(z.string()).optional() }).prefault({}),
  acceptance: z
    .enum(ACCEPTANCE_RULES)
    .default('refuse')
    .describe('a base that misses the acceptance rules fails, or is run all the same and footnoted'),
  limits: limitsSchema.prefault({}).describe('what one job may use; they change no number, and are no part of a trial'),
  engine: engineName.default('wasm').describe('who computes, where no axis and no include says otherwise'),
});

/** What is judged in one go: scenarios come first, each by the rules of its environment. */
const fileSchema = sweepSchema.extend({ scenarios: z.unknown().optional() });

const PARAMETER_NAMES = Object.keys(PARAMETERS);
/** Keys of sections that are no parameters. */
const NESTED = ['limits.wall', 'limits.memoryMb', 'report.baseline', 'report.groupBy'];

/** The keys of a file, at the top and by their dots, and the axes that go by their own names: what an override may set. */
export const SWEEP_KEYS: readonly string[] = [...Object.keys(sweepSchema.shape), 'scenario', 'strategy', ...PARAMETER_NAMES, ...NESTED];

/** For editors that complete and check as one types. */
export const sweepJsonSchema = (): object => ({
  title: 'A sweep of safe policy correction',
  ...z.toJSONSchema(sweepSchema, { io: 'input', unrepresentable: 'any', reused: 'ref' }),
});

/** What a human writes. */
export type SweepInput = z.input<typeof fileSchema>;

/** Values by `scenario`, `strategy`, `engine` and dotted parameters, in the order of the file. */
export type Assignment = Readonly<Record<string, Json>>;
type Lists = Readonly<Record<string, readonly Json[]>>;

/** What the program reads: nothing optional. */
export interface Sweep {
  readonly version: 1;
  readonly name: string;
  readonly description: string;
  readonly seeds: readonly number[];
  readonly tunedOn: readonly number[];
  readonly correctionSeeds: readonly number[];
  /** In the order of the file. A sweep has a scenario and a strategy here or in `zip`; the other names are `engine` and dotted parameters. */
  readonly axes: { readonly scenario?: readonly string[]; readonly strategy?: readonly string[] } & Lists;
  /** The lists of an entry are equally long. */
  readonly zip: readonly Lists[];
  /** A list means any of its values; where the parameter is itself a list, also that list. */
  readonly exclude: readonly Assignment[];
  readonly include: readonly Assignment[];
  readonly when: readonly { readonly if: Assignment; readonly set: Assignment }[];
  readonly scenarios: Readonly<Record<string, Scenario>>;
  readonly ppo: PpoOptions;
  /** Only what is written: the defaults are the strategy's. */
  readonly correct: Readonly<Record<string, Json>>;
  readonly evaluate: EvaluateOptions;
  /** `baseline` need not be among the strategies: then there is nothing to compare with. `groupBy` defaults to all axes. */
  readonly report: { readonly baseline: string; readonly groupBy: readonly string[] };
  readonly acceptance: AcceptanceRule;
  readonly limits: Limits;
  /** Of the arms that name none themselves. */
  readonly engine: EngineName;
}

/** Where an arm's parameters go by their dotted names. */
const DOTTED = ['axes', 'zip', 'exclude', 'include', 'when'];

/** What is said to a command, not to a file. */
const OPTIONS: Readonly<Record<string, string>> = {
  metric: 'spc table --metric',
  metrics: 'spc table --metric',
  format: 'spc table --format',
  where: 'spc plan --where',
  threads: 'spc run --threads',
  workers: 'spc run --threads',
  jobs: 'spc run --threads',
  slots: 'spc worker --slots',
  results: 'spc run --results',
  output: 'spc run --results',
  out: 'spc run --results',
  extend: 'spc run --extend',
  recompute: 'spc run --recompute',
  quiet: 'spc run --quiet',
  nats: 'spc run --nats',
  weight: 'spc run --weight',
};

/** Tells keys at the wrong place from keys that nobody knows. */
function explainUnknown(problem: Problem, data: unknown): Problem {
  if (problem.at !== 'key' || problem.expected !== UNKNOWN_KEY) return problem;
  const [root, key] = [String(problem.path[0]), String(problem.path.at(-1))];
  if (DOTTED.includes(root) && problem.path.length > 1) {
    if (SECTIONS.some((section) => section === key)) return { ...problem, remedy: `write ${key}.<parameter>, one key per parameter` };
    const axes = ['scenario', 'strategy', 'engine'];
    if (axes.includes(key)) return { ...problem, remedy: 'what an arm is named after goes to axes, zip or include' };
    const meant = didYouMean(key, root === 'when' && problem.path[2] === 'set' ? PARAMETER_NAMES : [...axes, ...PARAMETER_NAMES]);
    return meant ? { ...problem, remedy: meant } : problem;
  }
  if (problem.remedy?.startsWith('did you mean')) return problem;
  if (problem.path.length === 1 && Object.hasOwn(OPTIONS, key))
    return { ...problem, remedy: `that is an option of a command, ${OPTIONS[key]}: take it out of the file` };
  const tops = Object.keys(sweepSchema.shape);
  const names = [...tops, ...NESTED, ...PARAMETER_NAMES];
  const axes = valueAt(data, ['axes']);
  const homes = meanings(key, ['scenario', 'strategy', ...names]).flatMap((name) => {
    if (name === 'scenario' || name === 'strategy') return isMapping(axes) || axes === undefined ? [`axes.${name}`] : [name];
    const [section, own] = splitName(name) ?? [];
    if (section !== undefined) return root === name ? [`${section}: { ${own}: ... }`] : [name];
    return tops.includes(name) && problem.path.length > 1 ? [`${name} at the top`] : [name];
  });
  return homes.length > 0 ? { ...problem, remedy: `did you mean ${either(homes)}?` } : problem;
}

/** A user's own scenarios, each by the rules of its environment. */
function ownScenarios(
  data: unknown,
  frozen: boolean,
): { readonly scenarios: Readonly<Record<string, Scenario>>; readonly problems: readonly Problem[] } {
  const written = valueAt(data, ['scenarios']);
  if (written === undefined) return { scenarios: {}, problems: [] };
  if (!isMapping(written)) {
    const remedy = written === null ? 'remove the key or give it a value' : undefined;
    return { scenarios: {}, problems: [{ path: ['scenarios'], at: 'value', expected: 'a mapping', got: printGot(written), remedy }] };
  }
  const judged = Object.entries(written).map(([name, scenario]) => ({ name, result: judgeScenario(scenario, frozen) }));
  const names = judged.flatMap(({ name }): Problem[] => {
    const problem = { path: ['scenarios', name], at: 'key' } as const;
    if (!SCENARIO_NAME.test(name))
      return [
        {
          ...problem,
          expected: 'a name of at most 64 letters, digits, /, - and _',
          got: printGot(name),
          remedy: 'for example cartpole/my-edge',
        },
      ];
    return SCENARIO_NAMES.includes(name)
      ? [{ ...problem, expected: 'a new name', got: `${name}, which is there already`, remedy: 'choose another' }]
      : [];
  });
  const inside = judged.flatMap(({ name, result }) =>
    result.ok ? [] : result.problems.map((problem): Problem => ({ ...problem, path: ['scenarios', name, ...problem.path] })),
  );
  const sound = judged.flatMap(({ name, result }) => (result.ok ? [[name, result.value] as const] : []));
  return { scenarios: Object.fromEntries(sound), problems: [...names, ...inside] };
}

/** The values of a mapping in the order in which the file has them. */
function inOrder<T>(values: object, written: readonly string[]): Record<string, T> {
  return Object.fromEntries(written.map((name) => [name, values[name as keyof typeof values] as T]));
}

/** The unknown -> `Sweep`, or everything that is wrong with it. What arms say to each other is judged in `resolveArms`; `frozen` as in `judgeScenario`. */
export function parseSweep(data: unknown, frozen = false): Judged<Sweep> {
  const judged = judge(fileSchema, data);
  const own = ownScenarios(data, frozen);
  const names = [...SCENARIO_NAMES, ...keysAt(data, ['scenarios'])];
  const problems = [
    ...(judged.ok ? [] : judged.problems.map((problem) => explainUnknown(problem, data))),
    ...own.problems,
    ...acrossFields(data, names),
  ];
  if (!judged.ok || problems.length > 0) return { ok: false, problems };
  const { axes, zip, exclude, include, when, scenarios: _, tunedOn = [], report, correct, ...rest } = judged.value;
  const entries = <T extends object>(list: readonly T[], root: string): Assignment[] =>
    list.map((entry, i) => inOrder<Json>(entry, keysAt(data, [root, i])));
  return {
    ok: true,
    value: {
      ...rest,
      tunedOn,
      axes: inOrder<readonly Json[]>(axes, keysAt(data, ['axes'])) as Sweep['axes'],
      zip: zip.map((entry, i) => inOrder<readonly Json[]>(entry, keysAt(data, ['zip', i]))),
      exclude: entries(exclude, 'exclude'),
      include: entries(include, 'include'),
      when: when.map((entry, i) => ({
        if: inOrder<Json>(entry.if, keysAt(data, ['when', i, 'if'])),
        set: inOrder<Json>(entry.set, keysAt(data, ['when', i, 'set'])),
      })),
      scenarios: own.scenarios,
      correct: correct as Sweep['correct'],
      report: { baseline: report.baseline, groupBy: report.groupBy ?? dimensionsOf(data) },
    },
  };
}

/** Where a problem leaves no grid to judge; `undefined` is the document itself. */
const GRID = ['axes', 'scenario', 'strategy', 'zip', 'exclude', 'include', 'when', 'scenarios', 'undefined'];
/** What may hang on any section: without one of them, it cannot be judged. */
const ACROSS = ['zip', 'exclude', 'include', 'when'];
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
  const across = ACROSS.filter((key) => valueAt(data, [key]) !== undefined);
  const engineKnown = !bad.has('engine');
  if (across.length > 0 && (whole.length < SECTIONS.length || !engineKnown)) return null;
  const axes = Object.entries(valueAt(data, ['axes']) as object).filter(([name]) => {
    const [section] = splitName(name) ?? [];
    if (section !== undefined) return whole.includes(section);
    return name === 'scenario' || name === 'strategy' || (name === 'engine' && engineKnown);
  });
  const rest = [...whole, ...across, 'scenarios', ...(engineKnown ? ['engine'] : [])].flatMap((key) => {
    const value = valueAt(data, [key]);
    return value === undefined ? [] : [[key, value] as const];
  });
  const judged = parseSweep({ ...PLACEHOLDER, axes: Object.fromEntries(axes), ...Object.fromEntries(rest) });
  return judged.ok ? { sweep: judged.value, sound } : null;
}
