import { environment } from '../contract/environments.ts';
import { type EvaluateOptions, evaluateSchema } from '../contract/evaluate.ts';
import { canonicalJson, type Json } from '../contract/ids.ts';
import { type Section, splitName } from '../contract/parameters.ts';
import { LATER_DEFAULTS, type PpoOptions, ppoSchema, resolvePpo } from '../contract/ppo.ts';
import { type Judged, judge, type Path, type Problem, printGot, printValue, suggest } from '../contract/problems.ts';
import { type Rule, SCENARIO_NAMES, SCENARIOS } from '../contract/scenarios.ts';
import { MAX_TRIALS } from '../contract/seeds.ts';
import { ENGINE_NAMES, type EngineName } from '../contract/spec.ts';
import { type Preset, STRATEGIES, strategyPreset } from '../contract/strategies.ts';
import { type Assignment, MAX_ARMS, type Sweep } from '../contract/sweep.ts';

/** A row of the table, resolved: everything of its trials but the seeds. */
export interface Arm {
  /** Readable, and unique within a sweep: `cartpole/angle tsf correct.steps=500`. */
  readonly arm: string;
  readonly scenario: string;
  readonly strategy: string;
  /** The parameters that axes, zips or its own `include` give this arm, of those that it reads; `engine` counts as one. */
  readonly overrides: Readonly<Record<string, Json>>;
  readonly environment: string;
  readonly options: Readonly<Record<string, Json>>;
  readonly ppo: PpoOptions;
  readonly engine: EngineName;
  readonly rules: readonly Rule[];
  readonly correct: Readonly<Record<string, Json>>;
  readonly evaluate: EvaluateOptions;
}

export interface Resolved {
  readonly arms: readonly Arm[];
  readonly problems: readonly Problem[];
}

/** A value, and where it is written. */
interface Written {
  readonly value: Json;
  readonly path: Path;
}

/** An arm before its parameters are judged. `written` has what axes, zips, `include` and `when` give it; the sections stand below. */
interface Draft {
  readonly label: string;
  readonly scenario: string;
  readonly strategy: string;
  readonly written: ReadonlyMap<string, Written>;
  readonly overrides: Readonly<Record<string, Json>>;
  /** Which entry of `include` it is; null in the grid. */
  readonly include: number | null;
}

/** A value as the name of an arm has it. */
export const short = (value: Json): string => (typeof value === 'string' ? value : printValue(value).replaceAll(' ', ''));

/** Whether an arm of a strategy reads a parameter: all of them are trained and measured, each corrects in its own way. */
function reads(preset: Preset, name: string): boolean {
  const [section, key] = splitName(name) ?? [];
  return section !== 'correct' || preset.reads.includes(key ?? '');
}

/** What an arm is always named after, whether an axis has it or not. */
const isName = (name: string): boolean => name === 'scenario' || name === 'strategy';

/** Parameters that its strategy does not read are dropped. */
function draft(written: ReadonlyMap<string, Written>, include: number | null): Draft {
  const scenario = String(written.get('scenario')?.value);
  const strategy = String(written.get('strategy')?.value);
  const preset = strategyPreset(strategy);
  const kept = new Map([...written].filter(([name]) => reads(preset, name)));
  const overrides = Object.fromEntries([...kept].flatMap(([name, { value }]) => (isName(name) ? [] : [[name, value] as const])));
  const label = [scenario, strategy, ...Object.entries(overrides).map(([name, value]) => `${name}=${short(value)}`)].join(' ');
  return { label, scenario, strategy, written: kept, overrides, include };
}

/** The dimensions of the grid: of each its positions, of each the values that move together. */
function dimensions({ axes, zip }: Sweep): (readonly (readonly [string, Written])[])[][] {
  const single = Object.entries(axes).map(([name, values]) =>
    (values ?? []).map((value, i) => [[name, { value, path: ['axes', name, i] }] as const]),
  );
  const joint = zip.map((lists, k) => {
    const positions = Object.values(lists)[0] ?? [];
    return positions.map((_, i) =>
      Object.entries(lists).map(([name, values]) => [name, { value: values[i] ?? null, path: ['zip', k, name, i] }] as const),
    );
  });
  return [...single, ...joint];
}

/** Their cartesian product, the last one fastest; arms that became equal because nobody reads what they differ in stand once. */
function grid(sweep: Sweep): Draft[] {
  const points = dimensions(sweep).reduce<(readonly (readonly [string, Written])[])[]>(
    (done, positions) => done.flatMap((point) => positions.map((entries) => [...point, ...entries])),
    [[]],
  );
  return unique(
    points.map((point) => draft(new Map(point), null)),
    ({ label }) => label,
  );
}

const included = ({ include }: Sweep): Draft[] =>
  include.map((entry, i) => {
    const written = Object.entries(entry).map(([name, value]) => [name, { value, path: ['include', i, name] }] as const);
    return draft(new Map(written), i);
  });

const sameJson = (a: Json, b: Json): boolean =>
  a === b || (typeof a === 'object' && typeof b === 'object' && canonicalJson(a) === canonicalJson(b));

const defaultsOf = memo((strategy: string): Assignment => {
  const judged = judge(strategyPreset(strategy).options, {});
  return judged.ok ? (judged.value as Assignment) : {};
});
const defaultPpo = ppoSchema.parse({});
const defaultEvaluate = evaluateSchema.parse({});

/** What an arm has under a name as far as it is written, sections and defaults included; undefined for what it does not read. */
function settingOf(sweep: Sweep, { scenario, strategy, written }: Draft, name: string): Json | undefined {
  if (name === 'scenario') return scenario;
  if (name === 'strategy') return strategy;
  const there = written.get(name);
  if (there) return there.value;
  if (name === 'engine') return sweep.engine;
  const [section, key = ''] = splitName(name) ?? [];
  if (section === 'ppo') return (sweep.ppo[key as never] ?? LATER_DEFAULTS[key as never]) as Json | undefined;
  if (section === 'evaluate') return sweep.evaluate[key as never] as Json | undefined;
  const preset = strategyPreset(strategy);
  if (!preset.reads.includes(key)) return undefined;
  return sweep.correct[key] ?? ownDefaults(sweep, preset, scenario)[key] ?? defaultsOf(strategy)[key];
}

/** A list means any of its values; where the parameter is itself a list, also that list. */
function matches(sweep: Sweep, arm: Draft, condition: Assignment): boolean {
  return Object.entries(condition).every(([name, wanted]) => {
    const value = settingOf(sweep, arm, name);
    if (value === undefined) return false;
    return sameJson(value, wanted) || (Array.isArray(wanted) && wanted.some((one: Json) => sameJson(value, one)));
  });
}

export const NO_MATCH = 'an arm that matches';

/** Which condition no arm meets, and what there is; or that they are never met together. */
function matchesNothing(sweep: Sweep, arms: readonly Draft[], condition: Assignment, path: Path): Problem {
  const problem = { path, at: 'value', expected: NO_MATCH, got: `none with ${printGot(condition)}` } as const;
  for (const [name, wanted] of Object.entries(condition)) {
    if (arms.some((arm) => matches(sweep, arm, { [name]: wanted }))) continue;
    const values = unique(
      arms.flatMap((arm) => settingOf(sweep, arm, name) ?? []),
      (value) => printValue(value),
    );
    const there = values.slice(0, 8).map(short).join(', ');
    const remedy = values.length === 0 ? `no arm reads ${name}` : `${name} is ${there}${values.length > 8 ? ', ...' : ''}`;
    return { ...problem, path: [...path, name], remedy };
  }
  return { ...problem, remedy: 'some arm meets each of these, none meets all' };
}

/** Takes out what any entry matches. */
function excluded(sweep: Sweep, arms: readonly Draft[], blame: (problem: Problem) => void): Draft[] {
  const out = new Set<Draft>();
  sweep.exclude.forEach((condition, i) => {
    const those = arms.filter((arm) => matches(sweep, arm, condition));
    if (those.length === 0) blame(matchesNothing(sweep, arms, condition, ['exclude', i]));
    for (const arm of those) out.add(arm);
  });
  const left = arms.filter((arm) => !out.has(arm));
  if (left.length === 0 && sweep.include.length === 0)
    blame({
      path: ['exclude'],
      at: 'key',
      expected: 'an arm that is left',
      got: `none: all ${arms.length} are excluded`,
      remedy: 'exclude less',
    });
  return left;
}

/** Sets what nothing above has set: sections were judged with the file, axes and zips give every arm of the grid a value. */
function completed(sweep: Sweep, arms: readonly Draft[], blame: (problem: Problem) => void): Draft[] {
  const more = new Map(arms.map((arm) => [arm, new Map<string, Written>()]));
  sweep.when.forEach((entry, i) => {
    const those = arms.filter((arm) => matches(sweep, arm, entry.if));
    if (those.length === 0) {
      blame(matchesNothing(sweep, arms, entry.if, ['when', i, 'if']));
      return;
    }
    for (const [name, value] of Object.entries(entry.set)) {
      const path: Path = ['when', i, 'set', name];
      const readers = those.filter(({ strategy }) => reads(strategyPreset(strategy), name));
      const open = readers.filter((arm) => !arm.written.has(name) && !more.get(arm)?.has(name));
      for (const arm of open) more.get(arm)?.set(name, { value, path });
      if (open.length > 0) continue;
      const strategies = unique(those, ({ strategy }) => strategy).map(({ strategy }) => strategy);
      if (readers.length === 0) {
        blame(notRead(path, splitName(name)?.[1] ?? name, `a matching strategy (${strategies.join(', ')})`));
      } else {
        const setters = unique(
          readers.map((arm) => (arm.written.get(name) ?? more.get(arm)?.get(name))?.path ?? []),
          ([root, at]) => `${root}${root === 'axes' ? '' : `[${at}]`}`,
        );
        const got = `${name}, which ${setters.map(([root, at]) => (root === 'axes' ? 'axes' : `${root}[${at}]`)).join(', ')} sets wherever this matches`;
        blame({ path, at: 'key', expected: 'a parameter that is not set yet', got, remedy: 'remove it' });
      }
    }
  });
  return arms.map((arm) => ({ ...arm, written: new Map([...arm.written, ...(more.get(arm) ?? [])]) }));
}

function notRead(path: Path, key: string, by: string): Problem {
  const readers = Object.keys(STRATEGIES).filter((name) => STRATEGIES[name]?.reads.includes(key));
  return { path, at: 'key', expected: `a parameter that ${by} reads`, got: key, remedy: `it is read by ${readers.join(', ')}` };
}

/** A parameter that no arm reads changes nothing: whoever wrote it expected something else. */
function unread({ axes, zip, include, correct }: Sweep, arms: readonly Draft[]): Problem[] {
  const paths: Path[] = [
    ...Object.keys(correct).map((key) => ['correct', key]),
    ...Object.keys(axes).map((name) => ['axes', name]),
    ...zip.flatMap((lists, i) => Object.keys(lists).map((name) => ['zip', i, name])),
  ];
  const strategies = unique(arms, ({ strategy }) => strategy).map(({ strategy }) => strategy);
  const shared = paths.flatMap((path): Problem[] => {
    const name = path[0] === 'correct' ? path.join('.') : String(path.at(-1));
    if (strategies.some((strategy) => reads(strategyPreset(strategy), name))) return [];
    return [notRead(path, splitName(name)?.[1] ?? name, `a chosen strategy (${strategies.join(', ')})`)];
  });
  const own = include.flatMap((entry, i) =>
    Object.keys(entry).flatMap((name): Problem[] => {
      const strategy = String(entry['strategy']);
      if (reads(strategyPreset(strategy), name)) return [];
      return [notRead(['include', i, name], splitName(name)?.[1] ?? name, `its strategy (${strategy})`)];
    }),
  );
  return [...shared, ...own];
}

/** Under a strategy that corrects, a scenario must say what is forbidden. */
function bareEnvironments(sweep: Sweep, arms: readonly Draft[]): Problem[] {
  const found = new Map<string, { path: Path; scenario: string; strategies: Set<string> }>();
  for (const { scenario, strategy, written } of arms) {
    if (!corrects(strategy) || resolveScenario(sweep, scenario).rules.length > 0) continue;
    const path = written.get('scenario')?.path ?? [];
    const entry = found.get(path.join()) ?? { path, scenario, strategies: new Set() };
    found.set(path.join(), entry);
    entry.strategies.add(strategy);
  }
  return [...found.values()].map(({ path, scenario, strategies }): Problem => {
    const all = { ...SCENARIOS, ...sweep.scenarios };
    const constrained = Object.keys(all).filter((id) => all[id]?.environment === scenario);
    return {
      path,
      at: 'value',
      expected: `a constraint for ${[...strategies].join(', ')}`,
      got: `the bare environment ${scenario}`,
      remedy: `choose ${[...constrained, 'none as the only strategy'].join(' or ')}`,
    };
  });
}

/** Whether a strategy changes what the policy does: then it must know what is forbidden. */
const corrects = (strategy: string): boolean => strategyPreset(strategy).needs !== 'nothing';

/** The environment, its options and the rules that a name stands for. */
function resolveScenario({ scenarios }: Sweep, name: string): Pick<Arm, 'environment' | 'options' | 'rules'> {
  const own = Object.hasOwn(scenarios, name) ? scenarios[name] : undefined;
  return own ?? resolveBuiltIn(name);
}

const resolveBuiltIn = memo((name: string): Pick<Arm, 'environment' | 'options' | 'rules'> => {
  const scenario = Object.hasOwn(SCENARIOS, name) ? SCENARIOS[name] : undefined;
  if (scenario) return scenario;
  const world = environment(name);
  return { environment: world.id, options: world.options.parse({}) as Readonly<Record<string, Json>>, rules: [] };
});

/** The defaults that a preset has in the world of this scenario, beside those of its schema. */
function ownDefaults(sweep: Sweep, preset: Preset, scenario: string): Readonly<Record<string, Json>> {
  return environment(resolveScenario(sweep, scenario).environment).actionBounds === null ? {} : preset.continuous;
}

/** Any recorded pair can be forgotten only where an action is a set of its own. */
function anyPairs(sweep: Sweep, { scenario, strategy, written }: Draft, correct: Arm['correct']): Problem | null {
  if (correct['pairs'] !== 'any' || environment(resolveScenario(sweep, scenario).environment).actionBounds === null) return null;
  return {
    path: written.get('strategy')?.path ?? [],
    at: 'value',
    expected: `a strategy for the continuous actions of ${scenario}`,
    got: `${strategy}, which forgets single actions`,
    remedy: `exclude: [{ scenario: ${scenario}, strategy: ${strategy} }]`,
  };
}

type Options = Parameters<typeof judge>[0];

const valuesOf = (written: ReadonlyMap<string, Written>): Record<string, Json> =>
  Object.fromEntries([...written].map(([key, { value }]) => [key, value]));

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

/** Judges the drafts of one sweep. Most share most of their parameters: what was judged once is not judged again. */
function resolver(sweep: Sweep): (draft: Draft) => { readonly arm: Arm } | { readonly problems: readonly Problem[] } {
  const own = {
    ppo: differing(sweep.ppo, defaultPpo),
    evaluate: differing(sweep.evaluate, defaultEvaluate),
    correct: sweep.correct,
  };
  const cache = new Map<string, Judged<unknown>>();
  function section<S extends Options>(schema: S, name: Section, draft: Draft): Judged<ReturnType<S['parse']>> {
    const written = new Map<string, Written>();
    const preset = strategyPreset(draft.strategy);
    for (const [key, value] of Object.entries(own[name]))
      if (reads(preset, `${name}.${key}`)) written.set(key, { value, path: [name, key] });
    for (const [dotted, there] of draft.written) if (dotted.startsWith(`${name}.`)) written.set(dotted.slice(name.length + 1), there);
    const missing = name === 'correct' ? Object.entries(ownDefaults(sweep, preset, draft.scenario)) : [];
    for (const [key, value] of missing) if (!written.has(key)) written.set(key, { value, path: [name] });
    const key = `${name} ${name === 'correct' ? draft.strategy : ''} ${JSON.stringify([...written])}`;
    const judged = (cache.get(key) as Judged<ReturnType<S['parse']>> | undefined) ?? resolve(schema, name, written);
    cache.set(key, judged);
    return judged;
  }
  return (draft) => {
    const ppo = section(ppoSchema, 'ppo', draft);
    const evaluate = section(evaluateSchema, 'evaluate', draft);
    const correct = section(strategyPreset(draft.strategy).options, 'correct', draft);
    if (!ppo.ok || !evaluate.ok || !correct.ok) return { problems: [ppo, evaluate, correct].flatMap((r) => (r.ok ? [] : r.problems)) };
    const { label, scenario, strategy, overrides, written } = draft;
    const engine = (written.get('engine')?.value ?? sweep.engine) as EngineName;
    const unfit = anyPairs(sweep, draft, correct.value as Arm['correct']);
    if (unfit) return { problems: [unfit] };
    return {
      arm: {
        ...{ arm: label, scenario, strategy, overrides, engine, ...resolveScenario(sweep, scenario) },
        ...{ ppo: resolvePpo(ppo.value), correct: correct.value as Arm['correct'], evaluate: evaluate.value },
      },
    };
  };
}

/** A sweep that comes from elsewhere than today's schema, an old plan say, may name what is no longer there. */
function unknownNames({ axes, zip, include, scenarios, engine }: Sweep): Problem[] {
  const known = {
    scenario: [...SCENARIO_NAMES, ...Object.keys(scenarios)],
    strategy: Object.keys(STRATEGIES),
    engine: [...ENGINE_NAMES],
  };
  return (['scenario', 'strategy', 'engine'] as const).flatMap((axis) => {
    const named: (readonly [Json, Path])[] = [
      ...(axis === 'engine' ? [[engine, ['engine']] as const] : []),
      ...(axes[axis] ?? []).map((name, i) => [name, ['axes', axis, i]] as const),
      ...zip.flatMap((lists, k) => (lists[axis] ?? []).map((name, i) => [name, ['zip', k, axis, i]] as const)),
      ...include.flatMap((entry, i) =>
        axis === 'engine' && entry[axis] === undefined ? [] : [[entry[axis] ?? '', ['include', i, axis]] as const],
      ),
    ];
    return named.flatMap(([name, path]): Problem[] => {
      const names: readonly string[] = known[axis];
      if (names.includes(String(name))) return [];
      return [
        {
          path,
          at: 'value',
          expected: `${axis === 'engine' ? 'an' : 'a'} ${axis}`,
          got: printValue(name),
          remedy: suggest(String(name), names),
        },
      ];
    });
  });
}

/** How large the grid is before equal arms merge. */
function tooLarge(sweep: Sweep): Problem[] {
  const arms = dimensions(sweep).reduce((n, positions) => n * positions.length, 1) + sweep.include.length;
  const trials = arms * sweep.seeds.length * sweep.correctionSeeds.length;
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

/** A pure function of a few names, computed once for each. */
function memo<T>(of: (name: string) => T): (name: string) => T {
  const known = new Map<string, T>();
  return (name) => {
    if (!known.has(name)) known.set(name, of(name));
    return known.get(name) as T;
  };
}

/** Everything of an arm that a trial depends on; keys are in the order of the schemas. */
const contentOf = ({ environment, options, ppo, engine, rules, strategy, correct, evaluate }: Arm): string =>
  JSON.stringify([environment, options, ppo, engine, rules, strategy, correct, evaluate]);

/** What an entry of `include` adds must be new; of the grid's arms, two names of one scenario may mean the same, and stand once. */
function distinct(resolved: readonly { readonly arm: Arm; readonly include: number | null }[], blame: (problem: Problem) => void): Arm[] {
  const first = new Map<string, Arm>();
  for (const { arm, include } of resolved) {
    const content = contentOf(arm);
    const there = first.get(content);
    if (there === undefined) first.set(content, arm);
    else if (include !== null)
      blame({
        path: ['include', include],
        at: 'value',
        expected: 'a new arm',
        got: `one that is there as ${there.arm}`,
        remedy: 'remove it',
      });
  }
  return [...first.values()];
}

/**
 * The arms of a sweep, and everything that is wrong with its grid. In this order: (1) the product of axes and zips; (2) parameters that an
 * arm's strategy does not read are dropped, and arms that became equal merge, so that `none` stands once; (3) `exclude` removes;
 * (4) `include` adds; (5) `when` sets what nothing above has set. Seeds come last, in `expand`.
 */
export function resolveArms(sweep: Sweep): Resolved {
  const known = cache.get(sweep);
  if (known) return known;
  const resolved = resolveAll(sweep);
  cache.set(sweep, resolved);
  return resolved;
}
const cache = new WeakMap<Sweep, Resolved>();

function resolveAll(sweep: Sweep): Resolved {
  const hopeless = [...unknownNames(sweep), ...tooLarge(sweep)];
  if (hopeless.length > 0) return { arms: [], problems: hopeless };
  const problems: Problem[] = [];
  const blame = (problem: Problem): void => void problems.push(problem);
  const left = excluded(sweep, grid(sweep), blame);
  const drafts = completed(sweep, [...left, ...included(sweep)], blame);
  const resolveDraft = resolver(sweep);
  const resolved = drafts.map((draft) => ({ draft, result: resolveDraft(draft) }));
  problems.push(...bareEnvironments(sweep, drafts), ...(drafts.length > 0 ? unread(sweep, drafts) : []));
  problems.push(...resolved.flatMap(({ result }) => ('problems' in result ? result.problems : [])));
  const arms = distinct(
    resolved.flatMap(({ draft, result }) => ('arm' in result ? [{ arm: result.arm, include: draft.include }] : [])),
    blame,
  );
  return { arms, problems: unique(problems, (problem) => JSON.stringify(problem)) };
}
