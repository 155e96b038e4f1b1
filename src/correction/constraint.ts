import { environment } from '../contract/environments.ts';
import { RefusedError } from '../contract/errors.ts';
import type { Rule } from '../contract/scenarios.ts';
import { compileRules } from '../contract/spec.ts';
import { boxesAround, conflict, inMargin, sampleOutside, sampleRegion, toxicMask } from '../envs/constraint.ts';
import { type Distribution, makeDistribution } from '../math/distribution.ts';
import type { Stream } from '../math/rng/threefry.ts';

/** T(s) and S_f of a scenario, ready to compute with; all a data-free strategy may know of the world. */
export interface Constraint {
  /** No rules: a bare environment, in which nothing can be toxic. */
  readonly bare: boolean;
  readonly obsDim: number;
  /** What actions there are, and what T(s) says of them. */
  readonly policy: Distribution;
  /** Widths of the bounding box, [obsDim]. */
  readonly widths: Float64Array;
  /** T(s) for row `row` of `obs`, as `policy` numbers it; 0 outside S_f. */
  readonly toxic: (obs: Float32Array, row: number) => number;
  /** Row lies outside S_f and its margin. */
  readonly outside: (obs: Float32Array, row: number) => boolean;
  /** `rows` states uniform over S_f within the box, into `out`. */
  readonly sampleRegion: (rng: Stream, out: Float32Array, rows: number) => void;
  /** `rows` states uniform over the box outside S_f and its margin. */
  readonly sampleOutside: (rng: Stream, out: Float32Array, rows: number) => void;
  /** Where each of `rows` states of the region may move without leaving it, into low and high [rows, obsDim]. */
  readonly boxesAround: (points: Float32Array, rows: number, low: Float64Array, high: Float64Array) => void;
}

/** `regionMargin` is a share of the box per dimension. Throws RefusedError where some state would have no action left, or two half-spaces forbidden. */
export function makeConstraint(environmentId: string, rules: readonly Rule[], regionMargin: number): Constraint {
  const { observation, actions, actionBounds } = environment(environmentId);
  const obsDim = observation.length;
  const continuous = actionBounds !== null;
  const { rules: compiled, halfSpaces } = compileRules(environmentId, rules);
  const refused = conflict(compiled, obsDim, continuous ? null : actions.length)
    ?.map((i) => `rules[${i}]`)
    .join(' and ');
  if (refused)
    throw new RefusedError(
      continuous
        ? `constraint: expected one forbidden half-space in every state, got two where ${refused} hold together; leave a gap between their boxes`
        : `constraint: expected every state to keep an action, got none where ${refused} hold together; leave a gap between their boxes`,
    );
  const widths = Float64Array.from(observation, ({ low, high }) => high - low);
  const margin = Float32Array.from(widths, (width) => regionMargin * width);
  return {
    bare: rules.length === 0,
    obsDim,
    policy: makeDistribution({ actions: actions.length, gaussian: continuous }, halfSpaces),
    widths,
    toxic: (obs, row) => toxicMask(compiled, obs, row, obsDim),
    outside: (obs, row) => !inMargin(compiled, obs, row, obsDim, margin),
    sampleRegion: (rng, out, rows) => refusing(() => sampleRegion(compiled, observation, rng, out, rows)),
    sampleOutside: (rng, out, rows) => refusing(() => sampleOutside(compiled, margin, observation, rng, out, rows)),
    boxesAround: (points, rows, low, high) => boxesAround(compiled, observation, points, rows, low, high),
  };
}

/** A constraint that leaves nothing to sample is a finding about the scenario, not a bug. */
function refusing(sample: () => void): void {
  try {
    sample();
  } catch (cause) {
    if (cause instanceof RangeError) throw new RefusedError(cause.message, { cause });
    throw cause;
  }
}
