import { ENVIRONMENTS, environment } from '../contract/environments.ts';
import { ConfigError } from '../contract/errors.ts';
import { type EvaluateOptions, evaluateSchema } from '../contract/evaluate.ts';
import { type Json, shortId } from '../contract/ids.ts';
import { type PpoOptions, ppoSchema } from '../contract/ppo.ts';
import { type Judged, judge, type Path, type Problem, printProblem, printValue, suggest } from '../contract/problems.ts';
import { type Rule, SCENARIOS } from '../contract/scenarios.ts';
import { type BaseSpec, baseId, type TrialSpec, trialId } from '../contract/spec.ts';
import { type Preset, STRATEGIES, strategyPreset } from '../contract/strategies.ts';
import { MAX_ARMS, MAX_TRIALS, type Section, type Sweep } from '../contract/sweep.ts';

/** A row of the table, resolved: everything of its trials but the seeds. */
export interface Arm {
  /** Readable, and unique within a sweep: `cartpole/angle tsf correct.steps=500`. */
  readonly arm: string;
  readonly scenario: string;
  readonly strategy: string;
  /** The values of the axes besides scenario and strategy, of those parameters that this arm reads. */
  readonly overrides: Readonly<Record<string, Json>>;
  readonly environment: string;
  readonly options: Readonly<Record<string, Json>>;
  readonly ppo: PpoOptions;
  readonly rules: readonly Rule[];
  readonly correct: Readonly<Record<string, Json>>;
  readonly evaluate: EvaluateOptions;
}

export interface PlannedTrial {
  readonly id: string;
  readonly baseId: string;
  readonly spec: TrialSpec;
  readonly scenario: string;
  readonly strategy: string;
  readonly overrides: Readonly<Record<string, Json>>;
  readonly arm: string;
  readonly seed: number;
  readonly correctionSeed: number;
}

export interface PlannedBase {
  readonly id: string;
  readonly spec: BaseSpec;
}

/** One point of the grid: for every axis which value, by its index. */
type Point = Readonly<Record<string, number>>;

/** The cartesian product, the last axis fastest. */
function product(axes: Sweep['axes']): Point[] {
  return Object.entries(axes).reduce<Point[]>(
    (points, [name, values]) => points.flatMap((point) => values.map((_, i) => ({ ...point, [name]: i }))),
    [{}],
  );
}

interface Written {
  readonly value: Json;
  readonly path: Path;
}

/** What is written of a section for one point: the file's own values, and above them the axes'. */
function writtenOf(sweep: Sweep, section: Section, own: Readonly<Record<string, Json>>, point: Point): Map<string, Written> {
  const written = new Map<string, Written>(Object.entries(own).map(([key, value]) => [key, { value, path: [section, key] }]));
  for (const [name, i] of Object.entries(point)) {
    const value = sweep.axes[name]?.[i];
    if (name.startsWith(`${section}.`) && value !== undefined) {
      written.set(name.slice(section.length + 1), { value, path: ['axes', name, i] });
    }
  }
  return written;
}

const valuesOf = (written: ReadonlyMap<string, Written>): Record<string, Json> =>
  Object.fromEntries([...written].map(([key, { value }]) => [key, value]));

type Options = Parameters<typeof judge>[0];

/**
 * Fills in the defaults. A rule between two parameters may break at one that is not written: then the written one is to blame
 * without which the rule would hold.
 */
function resolve<S extends Options>(schema: S, section: Section, written: ReadonlyMap<string, Written>): Judged<ReturnType<S['parse']>> {
  const judged = judge(schema, valuesOf(written)) as Judged<ReturnType<S['parse']>>;
  if (judged.ok) return judged;
  const problems = judged.problems.map((problem): Problem => {
    const [key, ...rest] = problem.path;
    const there = written.get(String(key));
    if (there) return { ...problem, path: [...there.path, ...rest] };
    const holdsWithout = (suspect: string): boolean => {
      const retrial = judge(schema, valuesOf(new Map([...written].filter(([name]) => name !== suspect))));
      return retrial.ok || !retrial.problems.some((p) => p.path[0] === key);
    };
    const [, guilty] = [...written].find(([name]) => holdsWithout(name)) ?? [];
    return { ...problem, path: guilty?.path ?? [section], remedy: `set ${section}.${key} too` };
  });
  return { ok: false, problems };
}

const differing = (options: object, defaults: object): Record<string, Json> =>
  Object.fromEntries(
    Object.entries(options).filter(([key, value]) => printValue(value) !== printValue(defaults[key as keyof typeof defaults])),
  );

const defaultPpo = ppoSchema.parse({});
const defaultEvaluate = evaluateSchema.parse({});

/** The environment, its options and the rules that a name stands for. */
function resolveScenario(name: string): Pick<Arm, 'environment' | 'options' | 'rules'> {
  const scenario = Object.hasOwn(SCENARIOS, name) ? SCENARIOS[name] : undefined;
  const world = environment(scenario?.environment ?? name);
  return {
    environment: world.id,
    options: world.options.parse(scenario?.options ?? {}) as Readonly<Record<string, Json>>,
    rules: scenario?.rules ?? [],
  };
}

const short = (value: Json): string => (typeof value === 'string' ? value : printValue(value).replaceAll(' ', ''));

/** An arm, or what is wrong with it. */
function resolvePoint(sweep: Sweep, point: Point): { arm: Arm } | { problems: readonly Problem[] } {
  const scenario = String(sweep.axes.scenario[point['scenario'] ?? 0]);
  const strategy = String(sweep.axes.strategy[point['strategy'] ?? 0]);
  const preset = strategyPreset(strategy);
  const correctWritten = writtenOf(sweep, 'correct', sweep.correct, point);
  for (const key of correctWritten.keys()) if (!preset.reads.includes(key)) correctWritten.delete(key);
  const ppo = resolve(ppoSchema, 'ppo', writtenOf(sweep, 'ppo', differing(sweep.ppo, defaultPpo), point));
  const evaluate = resolve(evaluateSchema, 'evaluate', writtenOf(sweep, 'evaluate', differing(sweep.evaluate, defaultEvaluate), point));
  const correct = resolve(preset.options, 'correct', correctWritten);
  if (!ppo.ok || !evaluate.ok || !correct.ok) return { problems: [ppo, evaluate, correct].flatMap((r) => (r.ok ? [] : r.problems)) };
  const overrides = Object.fromEntries(
    Object.entries(point).flatMap(([name, i]) => {
      const value = sweep.axes[name]?.[i];
      const read = name.includes('.') && (!name.startsWith('correct.') || preset.reads.includes(name.slice('correct.'.length)));
      return read && value !== undefined ? [[name, value]] : [];
    }),
  );
  const label = [scenario, strategy, ...Object.entries(overrides).map(([name, value]) => `${name}=${short(value)}`)].join(' ');
  return {
    arm: {
      ...{ arm: label, scenario, strategy, overrides, ...resolveScenario(scenario) },
      ...{ ppo: ppo.value, correct: correct.value as Arm['correct'], evaluate: evaluate.value },
    },
  };
}

const corrects = (preset: Preset): boolean => preset.needs !== 'nothing';

/** A sweep that comes from elsewhere than today's schema, an old plan say, may name what is no longer there. */
function unknownNames({ axes }: Sweep): Problem[] {
  const known = { scenario: [...Object.keys(SCENARIOS), ...Object.keys(ENVIRONMENTS)], strategy: Object.keys(STRATEGIES) };
  return (['scenario', 'strategy'] as const).flatMap((axis) =>
    axes[axis].flatMap((name, i): Problem[] => {
      const problem = { path: ['axes', axis, i], at: 'value', expected: `a ${axis}`, got: printValue(name) } as const;
      return known[axis].includes(name) ? [] : [{ ...problem, remedy: suggest(name, known[axis]) }];
    }),
  );
}

/** Under a strategy that corrects, a scenario must say what is forbidden. */
function bareEnvironments({ axes }: Sweep): Problem[] {
  const correcting = axes.strategy.filter((name) => corrects(strategyPreset(name)));
  if (correcting.length === 0) return [];
  return axes.scenario.flatMap((name, i): Problem[] => {
    if (resolveScenario(name).rules.length > 0) return [];
    const constrained = Object.keys(SCENARIOS).filter((id) => SCENARIOS[id]?.environment === name);
    return [
      {
        path: ['axes', 'scenario', i],
        at: 'value',
        expected: `a constraint for ${correcting.join(', ')}`,
        got: `the bare environment ${name}`,
        remedy: `choose ${[...constrained, 'none as the only strategy'].join(' or ')}`,
      },
    ];
  });
}

/** A parameter of a strategy that no chosen strategy reads changes nothing: whoever wrote it expected something else. */
function unreadParameters({ axes, correct }: Sweep): Problem[] {
  const paths: Path[] = [
    ...Object.keys(correct).map((key) => ['correct', key]),
    ...Object.keys(axes)
      .filter((name) => name.startsWith('correct.'))
      .map((name) => ['axes', name]),
  ];
  const readers = (names: readonly string[], key: string): string[] => names.filter((name) => strategyPreset(name).reads.includes(key));
  return paths.flatMap((path): Problem[] => {
    const key = String(path[1]).replace(/^correct\./, '');
    if (readers(axes.strategy, key).length > 0) return [];
    return [
      {
        path,
        at: 'key',
        expected: `a parameter that a chosen strategy (${axes.strategy.join(', ')}) reads`,
        got: key,
        remedy: `it is read by ${readers(Object.keys(STRATEGIES), key).join(', ')}`,
      },
    ];
  });
}

/** How large the grid is before equal arms merge. */
function tooLarge({ axes, seeds, correctionSeeds }: Sweep): Problem[] {
  const arms = Object.values(axes).reduce((n, values) => n * values.length, 1);
  const trials = arms * seeds.length * correctionSeeds.length;
  const problem = (limit: string, got: string): Problem => ({
    path: ['axes'],
    at: 'key',
    expected: `a grid of at most ${limit}`,
    got,
    remedy: 'split the sweep',
  });
  if (arms > MAX_ARMS) return [problem(`${MAX_ARMS} arms`, `${arms}`)];
  return trials > MAX_TRIALS ? [problem(`${MAX_TRIALS} trials`, `${trials}`)] : [];
}

/** The first of all items with the same key. */
function unique<T>(items: readonly T[], key: (item: T) => string): T[] {
  const seen = new Set<string>();
  return items.filter((item) => !seen.has(key(item)) && seen.add(key(item)));
}

/**
 * The arms in the order of the axes, and everything that is wrong with the grid.
 * Parameters that an arm's strategy does not read are dropped, and arms that became equal merge: `none` stands once.
 */
export function resolveArms(sweep: Sweep): { readonly arms: readonly Arm[]; readonly problems: readonly Problem[] } {
  const hopeless = [...unknownNames(sweep), ...tooLarge(sweep)];
  if (hopeless.length > 0) return { arms: [], problems: hopeless };
  const resolved = product(sweep.axes).map((point) => resolvePoint(sweep, point));
  const arms = resolved.flatMap((r) => ('arm' in r ? [r.arm] : []));
  const problems = [
    ...bareEnvironments(sweep),
    ...unreadParameters(sweep),
    ...resolved.flatMap((r) => ('problems' in r ? r.problems : [])),
  ];
  return {
    arms: unique(arms, ({ arm: _label, scenario: _name, overrides: _axes, ...content }) => shortId(content)),
    problems: unique(problems, (problem) => JSON.stringify(problem)),
  };
}

/**
 * All trials of a sweep, in the order in which they are to run: all arms at a seed before the next seed, within an arm its correction seeds.
 * What does not correct draws nothing: it stands once, at correction seed 0. Pure. Throws ConfigError for a grid that makes no sense.
 */
export function expand(sweep: Sweep): PlannedTrial[] {
  const { arms, problems } = resolveArms(sweep);
  if (problems.length > 0) throw new ConfigError(problems.map((problem) => printProblem(problem)).join('\n'));
  const bases = new Map<string, PlannedBase>();
  const trials = sweep.seeds.flatMap((seed) =>
    arms.flatMap((resolved) => {
      const { arm, scenario, strategy, overrides, environment, options, ppo, rules, correct, evaluate } = resolved;
      const spec: BaseSpec = { environment, options, ppo, seed, engine: sweep.engine };
      const id = baseId(spec);
      const base = bases.get(id) ?? { id, spec };
      bases.set(id, base);
      const correctionSeeds = corrects(strategyPreset(strategy)) ? sweep.correctionSeeds : [0];
      return correctionSeeds.map((correctionSeed): PlannedTrial => {
        const trial: TrialSpec = { base: base.spec, rules, strategy, correct, evaluate, acceptance: sweep.acceptance, correctionSeed };
        return { id: trialId(trial), baseId: base.id, spec: trial, scenario, strategy, overrides, arm, seed, correctionSeed };
      });
    }),
  );
  const ids = new Set(trials.map(({ id }) => id));
  if (ids.size !== trials.length) throw new Error(`expand: ${trials.length} trials have ${ids.size} ids`);
  return trials;
}

/** The policies that the trials correct, each once, in the order in which they are needed. */
export function basesOf(trials: readonly PlannedTrial[]): PlannedBase[] {
  return [...new Map(trials.map(({ baseId: id, spec }) => [id, { id, spec: spec.base }])).values()];
}
