import { z } from 'zod';
import { type Dimension, ENVIRONMENTS, type Environment, environment } from './environments.ts';
import type { Json } from './ids.ts';
import { type Judged, judge, type Problem, printGot, printProblem, suggest, valueAt } from './problems.ts';

/** A closed interval over a float32 observation; `null` is an open end. */
export type Interval = readonly [low: number | null, high: number | null];

/**
 * Where every named component lies in its interval, the named actions are forbidden; of a continuous action one dimension,
 * from a number up or down. A constraint is a list of rules: a union of boxes.
 */
export interface Rule {
  readonly where: Readonly<Record<string, Interval>>;
  readonly forbid: readonly (string | Readonly<Record<string, Interval>>)[];
}

/** The half-space {a >= from}, or where `above` is false {a <= from}, that an interval is within the bounds of an action; null where it is none. */
export function halfSpaceOf(
  [low, high]: Interval,
  bounds: { readonly low: number; readonly high: number },
): { from: number; above: boolean } | null {
  const down = low === null || low <= bounds.low;
  const up = high === null || high >= bounds.high;
  if (down === up) return null;
  if (up) return { from: low as number, above: true };
  return { from: high as number, above: false };
}

/** An environment with its options, plus a constraint. */
export interface Scenario {
  readonly environment: string;
  /** Resolved: the environment's defaults filled in. */
  readonly options: Readonly<Record<string, Json>>;
  readonly rules: readonly Rule[];
}

const FLOAT32_MAX = 3.4028234663852886e38;

/** What is wrong with a written interval, and what would be right; null for nothing. */
function intervalProblem(
  value: unknown,
  { low: least, high: most, unit, integer = false }: Dimension,
  box = 'which is where states are sampled',
): { message: string; remedy?: string } | null {
  const pair = 'must be a pair [low, high] of numbers';
  if (typeof value === 'number') return { message: pair, remedy: `write [${value}, .inf] or [-.inf, ${value}]` };
  if (!Array.isArray(value) || value.length !== 2) return { message: pair, remedy: '.inf and -.inf are open ends' };
  const ends: readonly unknown[] = value;
  const text = ends.find((end) => typeof end === 'string');
  if (typeof text === 'string' && /^[-+]?[\d_.]*\d[\d_]*$/.test(text))
    return { message: pair, remedy: `YAML 1.2 reads ${text} as text; write ${text.replaceAll('_', '')}` };
  if (typeof text === 'string' && /^[-+]?inf(inity)?$/i.test(text))
    return { message: pair, remedy: `write ${text[0] === '-' ? '-' : ''}.inf` };
  if (!ends.every((end) => end === null || (typeof end === 'number' && !Number.isNaN(end))))
    return { message: pair, remedy: '.inf and -.inf are open ends' };
  const [low, high] = [(ends[0] as number | null) ?? -Infinity, (ends[1] as number | null) ?? Infinity];
  if (low > high) return { message: 'must go from low to high', remedy: `write [${printEnd(high)}, ${printEnd(low)}]` };
  if (low === -Infinity && high === Infinity) return { message: 'must be bounded on one side at least', remedy: 'remove it' };
  const finite = [low, high].filter(Number.isFinite);
  if (finite.length === 0 || finite.some((end) => Math.abs(end) > FLOAT32_MAX)) return { message: 'must contain a float32' };
  if (integer && Math.ceil(Math.max(low, least)) > Math.floor(Math.min(high, most)))
    return { message: 'must contain a whole number', remedy: `write [${least}, ${least}] or [${most}, ${most}]` };
  return low > most || high < least ? { message: `must meet [${least}, ${most}] ${unit}, ${box}` } : null;
}

const printEnd = (end: number): string => (Number.isFinite(end) ? String(end) : end > 0 ? '.inf' : '-.inf');
const orNull = (end: unknown): number | null => (typeof end === 'number' && Number.isFinite(end) ? end : null);

const END = { type: ['number', 'null'] };
/** JSON has no infinity: null is an open end there. */
const INTERVAL = { type: 'array', prefixItems: [END, END], minItems: 2, maxItems: 2 } as const;

const interval = (dimension: Dimension) =>
  z
    .custom<unknown>((value) => value !== undefined)
    .meta({ ...INTERVAL, description: `[low, high] in ${dimension.unit}, both included; .inf or -.inf for an open end` })
    .transform((value, context): Interval => {
      const problem = intervalProblem(value, dimension);
      if (problem !== null) {
        const { message, remedy } = problem;
        context.addIssue({ code: 'custom', message, params: { remedy } });
        return z.NEVER;
      }
      const [low, high] = value as readonly unknown[];
      return [orNull(low), orNull(high)];
    });

const MAX_RULES = 64;

const discreteForbid = (actions: readonly string[]) =>
  z
    .array(z.enum(actions))
    .min(1)
    .refine((names) => new Set(names).size === names.length, { message: 'must name an action once' })
    .refine((names) => new Set(names).size < actions.length, {
      message: 'must leave an action that is allowed',
      params: { remedy: 'remove one' },
    });

type Bounds = NonNullable<Environment['actionBounds']>;

/** One interval of one dimension, from somewhere inside the bounds to one of their ends; that end is resolved to an open one. */
const continuousForbid = (actions: readonly string[], bounds: Bounds) => {
  const { low, high } = bounds;
  const some = actions[0] ?? '';
  const half = z
    .custom<unknown>((value) => value !== undefined)
    .meta({ ...INTERVAL, description: `[low, high], one of them an end of [${low}, ${high}]` })
    .transform((value, context): Interval => {
      const problem = intervalProblem(value, { name: '', unit: 'of the action', low, high }, 'which is what the world tells apart');
      const written = value as Interval;
      const found = problem === null ? halfSpaceOf([orNull(written[0]), orNull(written[1])], bounds) : null;
      if (found !== null && found.from > low && found.from < high) return found.above ? [found.from, null] : [null, found.from];
      const message = problem?.message ?? `must go from one end of [${low}, ${high}] to somewhere inside`;
      context.addIssue({ code: 'custom', message, params: { remedy: problem?.remedy ?? `write [${low}, 0] or [0.5, ${high}]` } });
      return z.NEVER;
    });
  const message = `must be one interval of one dimension, such as [{ ${some}: [0.5, ${high}] }]`;
  return z
    .array(z.strictObject(Object.fromEntries(actions.map((name) => [name, half.optional()]))))
    .refine((forbid) => forbid.length === 1 && Object.keys(forbid[0] ?? {}).length === 1, { message });
};

/** A scenario of one environment, as a file or this one writes it. */
const scenarioOf = ({ id, observation, actions, actionBounds, options }: Environment) =>
  z.strictObject({
    environment: z.literal(id),
    options: options.prefault({}).describe("what differs from the environment's defaults"),
    rules: z
      .array(
        z.strictObject({
          where: z
            .strictObject(Object.fromEntries(observation.map((dimension) => [dimension.name, interval(dimension).optional()])))
            .describe('a box: all of these hold at once'),
          forbid: actionBounds === null ? discreteForbid(actions) : continuousForbid(actions, actionBounds),
        }),
      )
      .min(1)
      .max(MAX_RULES)
      .describe('a union of boxes, and the actions that are forbidden in each'),
  });

const SCHEMAS = new Map(Object.values(ENVIRONMENTS).map((world) => [world.id, scenarioOf(world)]));

/** For editors: whichever environment it is of. */
export const scenarioSchema = z.union([...SCHEMAS.values()]);

type Box = Rule['where'];

/** What two boxes have in common; null for nothing. They are closed: sharing a face is enough. */
function meet(a: Box, b: Box): Box | null {
  const common: Record<string, Interval> = { ...a };
  for (const [name, [low, high]] of Object.entries(b)) {
    const [from, to] = common[name] ?? [null, null];
    const both = [Math.max(low ?? -Infinity, from ?? -Infinity), Math.min(high ?? Infinity, to ?? Infinity)] as const;
    if (Math.fround(both[0]) > Math.fround(both[1])) return null; // observations are float32, and so are compiled bounds
    common[name] = [orNull(both[0]), orNull(both[1])];
  }
  return common;
}

/** Of a continuous action one half-space may be forbidden in a state, not two: the first rules of which that is not so. */
function collisions(rules: readonly Rule[]): Problem[] {
  for (let second = 1; second < rules.length; second++) {
    for (let first = 0; first < second; first++) {
      const common = meet((rules[first] as Rule).where, (rules[second] as Rule).where);
      if (common === null) continue;
      const got = `an overlap with rule ${first}: ${printGot(common)}`;
      const expected = 'a box apart from those of the other rules, since actions are continuous';
      return [{ path: ['rules', second, 'where'], at: 'value', expected, got, remedy: 'leave a gap between their boxes' }];
    }
  }
  return [];
}

/** Where rules overlap, an action must be left, too: the first rules of which that is not so. */
function overlaps(rules: readonly Rule[], actions: readonly string[]): Problem[] {
  const search = (chosen: readonly number[], box: Box, forbidden: ReadonlySet<string>): Problem | null => {
    const last = chosen.at(-1) ?? -1;
    if (forbidden.size === actions.length) {
      const got = `none where rules ${chosen.join(', ')} overlap: ${printGot(box)}`;
      return {
        path: ['rules', last, 'forbid'],
        at: 'value',
        expected: 'an action that is allowed everywhere',
        got,
        remedy: 'leave a gap between their boxes',
      };
    }
    for (let next = last + 1; next < rules.length; next++) {
      const { where, forbid } = rules[next] as Rule;
      const common = meet(box, where);
      const more = new Set([...forbidden, ...(forbid as readonly string[])]);
      const found = common && more.size > forbidden.size ? search([...chosen, next], common, more) : null;
      if (found) return found;
    }
    return null;
  };
  const found = search([], {}, new Set());
  return found ? [found] : [];
}

/** A box without bounds is everywhere: nothing would be left to retain. */
const boundless = (rules: readonly Rule[], observation: readonly Dimension[]): Problem[] =>
  rules.flatMap(({ where }, i): Problem[] => {
    const remedy = `known: ${observation.map(({ name }) => name).join(', ')}`;
    const problem = { path: ['rules', i, 'where'], at: 'value', expected: 'bounds of an observation', got: '{}', remedy } as const;
    return Object.keys(where).length > 0 ? [] : [problem];
  });

/** Options that change nothing as they are written. */
const idle = (data: unknown, id: string): Problem[] =>
  environment(id)
    .idle((valueAt(data, ['options']) ?? {}) as Readonly<Record<string, unknown>>)
    .map(({ path, ...words }) => ({ path: ['options', ...path], at: 'value', ...words }));

/**
 * The unknown -> a resolved scenario, or what is wrong with it; paths are relative to it. `frozen`: written when rows were computed of it, so
 * that what it asks for stays readable, whether it makes sense or not.
 */
export function judgeScenario(data: unknown, frozen = false): Judged<Scenario> {
  const id = valueAt(data, ['environment']);
  const schema = typeof id === 'string' ? SCHEMAS.get(id) : undefined;
  if (schema && typeof id === 'string') {
    const judged = judge(schema, data);
    if (!judged.ok) return judged;
    const value = judged.value as unknown as Scenario;
    const { observation, actions, actionBounds } = environment(id);
    const together = actionBounds === null ? overlaps(value.rules, actions) : collisions(value.rules);
    const problems = [...boundless(value.rules, observation), ...together, ...(frozen ? [] : idle(data, id))];
    return problems.length > 0 ? { ok: false, problems } : { ok: true, value };
  }
  if (typeof data !== 'object' || data === null || Array.isArray(data)) {
    return { ok: false, problems: [{ path: [], at: 'value', expected: '{ environment, options, rules }', got: printGot(data) }] };
  }
  const remedy = suggest(typeof id === 'string' ? id : '', [...SCHEMAS.keys()]);
  return { ok: false, problems: [{ path: ['environment'], at: 'value', expected: 'an environment', got: printGot(id), remedy }] };
}

/** The same judgement as for a user's own. */
function scenario(name: string, written: z.input<typeof scenarioSchema>): readonly [string, Scenario] {
  const judged = judgeScenario(written);
  if (!judged.ok) throw new TypeError(judged.problems.map((problem) => printProblem(problem, name)).join('\n'));
  return [name, judged.value];
}

/** Thresholds were calibrated on trained policies. */
export const SCENARIOS: Readonly<Record<string, Scenario>> = Object.fromEntries([
  // Pushing a tilting pole further over. Stock CartPole never leaves ±0.09 rad once trained: hence the wider world and the impulses.
  scenario('cartpole/angle', {
    environment: 'CartPole-v1',
    options: { resetAngle: 0.2, thetaLimit: 0.418, impulse: { every: 50, thetaDot: 1.0 } },
    rules: [
      { where: { theta: [0.08, null] }, forbid: ['left'] },
      { where: { theta: [null, -0.08] }, forbid: ['right'] },
    ],
  }),
  // Falling fast without braking.
  scenario('lunarlander/descent', {
    environment: 'LunarLander-v3',
    rules: [{ where: { vy: [null, -0.3], leg1: [0, 0], leg2: [0, 0] }, forbid: ['nothing', 'left', 'right'] }],
  }),
  scenario('lunarlander-continuous/descent', {
    environment: 'LunarLanderContinuous-v3',
    rules: [{ where: { vy: [null, -0.3], leg1: [0, 0], leg2: [0, 0] }, forbid: [{ main: [-1, 0] }] }],
  }),
  // Building momentum backwards; without it the hill takes a longer swing from the left wall.
  scenario('mountaincar/pump-left', {
    environment: 'MountainCar-v0',
    rules: [{ where: { velocity: [null, -0.03] }, forbid: ['left'] }],
  }),
  // Pushing hard along with the motion, either way.
  scenario('mountaincar-continuous/pump', {
    environment: 'MountainCarContinuous-v0',
    rules: [
      { where: { velocity: [0.03, null] }, forbid: [{ push: [0.5, 1] }] },
      { where: { velocity: [null, -0.03] }, forbid: [{ push: [-1, -0.5] }] },
    ],
  }),
]);

/** Every name that an axis may have: scenarios with a constraint, and bare environments. */
export const SCENARIO_NAMES: readonly string[] = [...Object.keys(SCENARIOS), ...Object.keys(ENVIRONMENTS)];
