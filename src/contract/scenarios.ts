import { z } from 'zod';
import { type Dimension, ENVIRONMENTS, type Environment, environment } from './environments.ts';
import type { Json } from './ids.ts';
import { type Judged, judge, type Problem, printGot, printProblem, suggest, valueAt } from './problems.ts';

/** A closed interval over a float32 observation; `null` is an open end. */
export type Interval = readonly [low: number | null, high: number | null];

/** Where every named component lies in its interval, the named actions are forbidden. A constraint is a list of rules: a union of boxes. */
export interface Rule {
  readonly where: Readonly<Record<string, Interval>>;
  readonly forbid: readonly string[];
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
function intervalProblem(value: unknown, { low: least, high: most, unit }: Dimension): { message: string; remedy?: string } | null {
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
  return low > most || high < least ? { message: `must meet [${least}, ${most}] ${unit}, which is where states are sampled` } : null;
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

/** A scenario of one environment, as a file or this one writes it. */
const scenarioOf = ({ id, observation, actions, options }: Environment) =>
  z.strictObject({
    environment: z.literal(id),
    options: options.prefault({}).describe("what differs from the environment's defaults"),
    rules: z
      .array(
        z.strictObject({
          where: z
            .strictObject(Object.fromEntries(observation.map((dimension) => [dimension.name, interval(dimension).optional()])))
            .describe('a box: all of these hold at once'),
          forbid: z
            .array(z.enum(actions))
            .min(1)
            .refine((names) => new Set(names).size === names.length, { message: 'must name an action once' })
            .refine((names) => new Set(names).size < actions.length, {
              message: 'must leave an action that is allowed',
              params: { remedy: 'remove one' },
            }),
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
    if (both[0] > both[1]) return null;
    common[name] = [orNull(both[0]), orNull(both[1])];
  }
  return common;
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
      const more = new Set([...forbidden, ...forbid]);
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

/** The unknown -> a resolved scenario, or what is wrong with it; paths are relative to it. */
export function judgeScenario(data: unknown): Judged<Scenario> {
  const id = valueAt(data, ['environment']);
  const schema = typeof id === 'string' ? SCHEMAS.get(id) : undefined;
  if (schema && typeof id === 'string') {
    const judged = judge(schema, data);
    if (!judged.ok) return judged;
    const value = judged.value as unknown as Scenario;
    const { observation, actions } = environment(id);
    const problems = [...boundless(value.rules, observation), ...overlaps(value.rules, actions)];
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
]);

/** Every name that an axis may have: scenarios with a constraint, and bare environments. */
export const SCENARIO_NAMES: readonly string[] = [...Object.keys(SCENARIOS), ...Object.keys(ENVIRONMENTS)];
