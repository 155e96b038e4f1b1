import { environment } from './environments.ts';
import type { EvaluateOptions } from './evaluate.ts';
import { type Json, shortId } from './ids.ts';
import type { PpoOptions } from './ppo.ts';
import { halfSpaceOf, type Interval, type Rule } from './scenarios.ts';

export const ACCEPTANCE_RULES = ['refuse', 'report'] as const;
export type AcceptanceRule = (typeof ACCEPTANCE_RULES)[number];

/** Who computes. `tfjs` is TensorFlow through its native binding, `tfjs-cpu` the same code on TensorFlow.js's plain JavaScript. */
export const ENGINE_NAMES = ['wasm', 'reference', 'tfjs', 'tfjs-cpu'] as const;
export type EngineName = (typeof ENGINE_NAMES)[number];

/**
 * A base to train. Resolved: defaults filled in, the scenario's name replaced by what it stands for.
 * Its id is a digest of exactly this, so a changed default is a new base.
 */
export interface BaseSpec {
  /** Its id: docs/worlds.md. */
  readonly environment: string;
  /** All of the environment's options, defaults included. */
  readonly options: Readonly<Record<string, Json>>;
  /** How it is trained: below. */
  readonly ppo: PpoOptions;
  /** The training seed. */
  readonly seed: number;
  /** Who computes: `wasm`, `reference`, `tfjs` or `tfjs-cpu`. */
  readonly engine: EngineName;
}

/** A trial to run. `correct` holds what the strategy reads, and nothing else. */
export interface TrialSpec {
  /** The base that is corrected. */
  readonly base: BaseSpec;
  /** The constraint, at most 64 of `{ where, forbid }`: `where` maps components to `[low, high]`, closed, null for an open end; `forbid` lists actions, or of a continuous world one `{ dimension: [low, high] }`. Empty: none. */
  readonly rules: readonly Rule[];
  /** Its name: docs/strategies.md. */
  readonly strategy: string;
  /** What the strategy reads, defaults included, and nothing else: docs/strategies.md. */
  readonly correct: Readonly<Record<string, Json>>;
  /** How it is measured: below. */
  readonly evaluate: EvaluateOptions;
  /** What becomes of a base that misses the acceptance rules: a `Failure` with the numbers, or a row with a footnote. */
  readonly acceptance: AcceptanceRule;
  /** Of the strategy's own draws; 0 where it draws nothing. */
  readonly correctionSeed: number;
}

export const baseId = (spec: BaseSpec): string => shortId(spec);
export const trialId = (spec: TrialSpec): string => shortId(spec);

/**
 * A rule with names resolved to indices, open ends to ±Infinity, and bounds rounded to float32. Its box is closed.
 * `toxic` is what it forbids: bits of discrete actions, or the number of its half-space of a continuous one, from 1 up.
 */
export interface CompiledRule {
  readonly dims: readonly { readonly index: number; readonly low: number; readonly high: number }[];
  readonly toxic: number;
}

/** {a : a_dimension >= from}, or where `above` is false {a : a_dimension <= from}; `from` is a float32. */
export interface HalfSpace {
  readonly dimension: number;
  readonly from: number;
  readonly above: boolean;
}

/** Throws RangeError for a name that the environment does not have, or an interval that is no half-space of the action's bounds. */
export function compileRules(environmentId: string, rules: readonly Rule[]): { rules: CompiledRule[]; halfSpaces: HalfSpace[] } {
  const { observation, actions, actionBounds } = environment(environmentId);
  const halfSpaces: HalfSpace[] = [];
  const indexOf = (names: readonly string[], name: string): number => {
    const index = names.indexOf(name);
    if (index < 0) throw new RangeError(`rule: expected one of ${names.join(', ')}, got ${name}`);
    return index;
  };
  const dimensions = observation.map((d) => d.name);
  const toxicOf = (forbid: Rule['forbid']): number => {
    if (actionBounds === null) return forbid.reduce((bits, name) => bits | (1 << indexOf(actions, String(name))), 0);
    const only = forbid[0];
    const [name, interval] = (typeof only === 'object' ? Object.entries(only)[0] : undefined) ?? ['', [null, null] as Interval];
    const half = halfSpaceOf(interval, actionBounds);
    if (half === null || forbid.length !== 1)
      throw new RangeError(`rule: expected one half-space of an action, got ${JSON.stringify(forbid)}`);
    return halfSpaces.push({ dimension: indexOf(actions, name), ...half, from: Math.fround(half.from) });
  };
  const compiled = rules.map((rule) => ({
    dims: Object.entries(rule.where).map(([name, [low, high]]) => ({
      index: indexOf(dimensions, name),
      low: Math.fround(low ?? -Infinity),
      high: Math.fround(high ?? Infinity),
    })),
    toxic: toxicOf(rule.forbid),
  }));
  return { rules: compiled, halfSpaces };
}
