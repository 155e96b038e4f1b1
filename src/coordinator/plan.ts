import { contentDigest, type Json } from '../contract/ids.ts';
import { printValue } from '../contract/problems.ts';
import type { EngineName } from '../contract/spec.ts';
import type { Sweep } from '../contract/sweep.ts';
import { basesOf, enginesOf, expand, type PlannedTrial } from './expand.ts';

/** What a sweep is going to do; frozen as plan.json at the first run. */
export interface Plan {
  readonly version: 1;
  readonly name: string;
  /** The first of `engines`: all that plans of version 1 had to say at first. */
  readonly engine: EngineName;
  /** Who computes its trials, in the order of the arms. */
  readonly engines: readonly EngineName[];
  readonly seeds: readonly number[];
  readonly correctionSeeds: readonly number[];
  /** The sweep as it was resolved then: what a later file is compared with. */
  readonly sweep: Sweep;
  /** In the order of the table. */
  readonly arms: readonly PlannedArm[];
  readonly trials: number;
  readonly bases: number;
  /** SHA-256 over the sorted ids of all trials, one per line: equal plans want equal trials. */
  readonly digest: string;
}

export interface PlannedArm {
  readonly arm: string;
  readonly scenario: string;
  readonly strategy: string;
  readonly overrides: Readonly<Record<string, Json>>;
  /** What its strategy reads, defaults filled in. */
  readonly correct: Readonly<Record<string, Json>>;
  readonly trials: number;
}

/** `trials` is `expand(sweep)`, for who has it already. */
export function planOf(sweep: Sweep, trials: readonly PlannedTrial[] = expand(sweep)): Plan {
  const { name, seeds, correctionSeeds } = sweep;
  const engines = enginesOf(trials);
  const [engine = sweep.engine] = engines;
  const firsts = new Map<string, PlannedTrial>();
  const counts = new Map<string, number>();
  for (const trial of trials) {
    if (!firsts.has(trial.arm)) firsts.set(trial.arm, trial);
    counts.set(trial.arm, (counts.get(trial.arm) ?? 0) + 1);
  }
  const arms = [...firsts.values()].map(({ arm, scenario, strategy, overrides, spec }): PlannedArm => {
    return { arm, scenario, strategy, overrides, correct: spec.correct, trials: counts.get(arm) ?? 0 };
  });
  const ids = trials.map(({ id }) => id).sort();
  const digest = contentDigest(new TextEncoder().encode(ids.map((id) => `${id}\n`).join('')));
  const totals = { trials: trials.length, bases: basesOf(trials).length };
  return { version: 1, name, engine, engines, seeds, correctionSeeds, sweep, arms, ...totals, digest };
}

/** A run of consecutive integers as `from..to`, anything else as YAML has it. */
function brief(value: unknown): string {
  if (!Array.isArray(value) || value.length < 2 || !value.every(Number.isInteger))
    return value === undefined ? '(absent)' : printValue(value);
  const [from] = value as number[];
  return value.every((v, i) => v === Number(from) + i) ? `${from}..${value.at(-1)}` : printValue(value);
}

const isMapping = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function diff(before: unknown, after: unknown, path: string): string[] {
  if (isMapping(before) && isMapping(after)) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])];
    return keys.flatMap((key) => diff(before[key], after[key], path === '' ? key : `${path}.${key}`));
  }
  const [was, is] = [brief(before), brief(after)];
  return was === is ? [] : [`${path}: ${was} -> ${is}`];
}

/** What changed, a line `path: old -> new` each; of the resolved sweeps, so that comments, order and what equals a default do not count. */
export function diffSweeps(before: Sweep, after: Sweep): string[] {
  return diff(before, after, '');
}

/** plan.json: readable, and equal texts for equal plans. */
export const printPlanFile = (plan: Plan): string => `${JSON.stringify(plan, null, 1)}\n`;

/**
 * What changed from one plan.json to another that rows depend on. A default that moved counts, because a plan was resolved when it was frozen;
 * the description, the report, the limits and the seeds that chose parameters do not. Throws SyntaxError for what is not JSON.
 */
export function diffPlans(before: string, after: string): string[] {
  const [old, now] = [JSON.parse(before) as Plan, JSON.parse(after) as Plan];
  const views = ({ description: _, report: __, limits: ___, tunedOn: ____, ...sweep }: Sweep): object => sweep;
  const defaults = (plan: Plan): object => Object.fromEntries(plan.arms.map(({ arm, correct }) => [arm, correct]));
  const digest = old.digest === now.digest ? [] : [`digest of the trials: ${old.digest} -> ${now.digest}`];
  const changes = [diff(views(old.sweep), views(now.sweep), ''), diff(defaults(old), defaults(now), ''), digest];
  return changes.find((lines) => lines.length > 0) ?? [];
}

/** Whether every trial of `before` is still wanted: then its rows keep their place, and only new ones are added. */
export function isExtension(before: Sweep, after: Sweep): boolean {
  const wanted = new Set(expand(after).map(({ id }) => id));
  return expand(before).every(({ id }) => wanted.has(id));
}
