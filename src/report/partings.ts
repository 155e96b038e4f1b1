import type { Curve } from '../contract/rows.ts';
import type { EngineName } from '../contract/spec.ts';
import { readRows } from '../coordinator/store.ts';

/** What a row says of the way its weights came: something at each of its steps. */
export interface Way {
  readonly step: readonly number[];
  /** Digests of the weights. */
  readonly weights: readonly string[];
}

export interface BaseWay extends Way {
  readonly greedyReturn: number;
  /** Mean returns of the training episodes since the step before. */
  readonly returns: readonly (number | null)[];
}

/** The ways of a results folder by the ids of their rows. Rows that failed have none. */
export interface Ways {
  readonly bases: ReadonlyMap<string, BaseWay>;
  readonly trials: ReadonlyMap<string, Way>;
}

/** Reads, never writes. */
export async function readWays(folder: string): Promise<Ways> {
  const bases = new Map<string, BaseWay>();
  for await (const { row } of readRows(folder, 'base')) {
    if (!row.ok) continue;
    const { greedy, returns, trace } = row.result;
    bases.set(row.id, { greedyReturn: greedy.meanReturn, returns: returns.value, step: returns.step, weights: trace });
  }
  const trials = new Map<string, Way>();
  for await (const { row } of readRows(folder, 'trial')) {
    const curve: Curve | null = row.ok ? (row.result.forgetCurve ?? row.result.returnCurve) : null;
    if (row.ok && curve) trials.set(row.id, { step: curve.step, weights: row.result.trace });
  }
  return { bases, trials };
}

/**
 * Whether digests of weights can be compared at all: they are of the bytes, and `reference` has eight where the others have four,
 * so that theirs differ from the first to the last, whatever the weights are.
 */
export const comparable = (a: EngineName, b: EngineName): boolean => (a === 'reference') === (b === 'reference');

/** The step at which two ways are first seen to differ: they parted there or since the step before. Null: never. */
export function partingStep<T>(step: readonly number[], a: readonly T[], b: readonly T[]): number | null {
  const at = a.findIndex((value, i) => value !== b[i]);
  if (at >= 0) return step[at] ?? null;
  return b.length > a.length ? (step.at(-1) ?? null) : null;
}

/** Where pairs of ways parted, over training seeds. */
export interface Parting {
  /** Seeds with both ways, and those of them that are the same to the end. */
  readonly n: number;
  readonly same: number;
  /** Of the steps at which the others parted; null where there are none. */
  readonly median: number | null;
  readonly min: number | null;
  readonly max: number | null;
}

/** `steps`: of each seed where it parted, null for never. */
export function partingOf(steps: readonly (number | null)[]): Parting {
  const parted = steps.flatMap((step) => step ?? []).toSorted((a, b) => a - b);
  const [low = null, high = null] = [parted[Math.floor((parted.length - 1) / 2)], parted[Math.ceil((parted.length - 1) / 2)]];
  const median = low === null || high === null ? null : (low + high) / 2;
  return { n: steps.length, same: steps.length - parted.length, median, min: parted[0] ?? null, max: parted.at(-1) ?? null };
}
