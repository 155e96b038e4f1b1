import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import type { Shape } from '../../src/math/engine.ts';
import { type Entry, layout, size } from '../../src/math/layout.ts';

/** Float64 values and gradients recorded with automatic differentiation; shapes in test/golden's README. */
export interface Case {
  readonly shape: Shape;
  readonly params: readonly { readonly name: string; readonly shape: readonly number[]; readonly values: readonly number[] }[];
  readonly obs: readonly (readonly number[])[];
  /** One integer per row, or one vector per row. */
  readonly action: readonly (number | readonly number[])[];
  readonly oldLogProb: readonly number[];
  readonly advantage: readonly number[];
  readonly valueTarget: readonly number[];
  readonly oldValue: readonly number[];
  /** Gaussian: in row r {a_0 > c_r} is toxic. */
  readonly halfSpaceThreshold: readonly number[] | null;
  /** Logits or means of the reference policy π0. */
  readonly ref: readonly (readonly number[])[];
  /** 1 for a toxic action; null for a Gaussian policy. */
  readonly toxicMask: readonly (readonly number[])[] | null;
  readonly head: readonly (readonly number[])[];
  readonly value: readonly number[];
  /** A gradient that overflowed in the recording holds null where it printed NaN. */
  readonly losses: Readonly<Record<string, { readonly loss: number; readonly grad: Readonly<Record<string, readonly (number | null)[]>> }>>;
  readonly logProbSquaredGradNorm: readonly number[];
  readonly logProbFisherDiagonal: Readonly<Record<string, readonly number[]>>;
  readonly logProbInputGrad: readonly (readonly number[])[];
}

/** The recorded networks: shared trunk with 2 and 4 actions, separate networks with 3, Gaussian with 2 dimensions. */
export function loadCases(): Case[] {
  const text = gunzipSync(readFileSync(new URL('../golden/autograd.json.gz', import.meta.url))).toString('utf8');
  return (JSON.parse(text.replaceAll('NaN', 'null')) as { cases: Case[] }).cases;
}

/** Arrays by parameter name, as one flat vector. */
export function flatten(shape: Shape, byName: (entry: Entry) => readonly (number | null)[]): Float64Array {
  const flat = new Float64Array(size(shape));
  for (const entry of layout(shape)) flat.set(byName(entry).map(Number), entry.offset);
  return flat;
}

/** Largest difference, relative to the largest number expected. */
export function distance(got: ArrayLike<number>, expected: ArrayLike<number>): number {
  let difference = 0;
  let largest = 0;
  for (let i = 0; i < expected.length; i++) {
    difference = Math.max(difference, Math.abs(got[i]! - expected[i]!));
    largest = Math.max(largest, Math.abs(expected[i]!));
  }
  return difference / Math.max(largest, 1e-30);
}
