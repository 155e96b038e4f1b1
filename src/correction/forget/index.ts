import type { ForgetWeights } from '../../contract/strategies.ts';
import { diversity } from './diversity.ts';
import { HALF_SPACE_OBJECTIVES } from './halfspace.ts';
import { literal, signfix } from './literal.ts';
import { margin } from './margin.ts';
import { npo } from './npo.ts';
import type { ForgetKnobs, ForgetObjective, ForgetRows } from './objective.ts';
import { renormalised } from './renormalised.ts';
import { unlikelihood } from './unlikelihood.ts';

/** By the names that a sweep gives them; for discrete actions. */
export const OBJECTIVES: { readonly [name in keyof Required<ForgetWeights>]: ForgetObjective } = {
  literal,
  signfix,
  unlikelihood,
  npo,
  renormalised,
  margin,
  diversity,
};

/** The weighted sum of the objectives that have a weight, in the order of the list above. */
export function weightedSum(weights: ForgetWeights, knobs: ForgetKnobs, continuous: boolean) {
  const terms = (continuous ? HALF_SPACE_OBJECTIVES : Object.values(OBJECTIVES)).flatMap((objective) => {
    const weight = weights[objective.name as keyof ForgetWeights] ?? 0;
    return weight > 0 ? [{ objective, weight }] : [];
  });
  return {
    needsBase: terms.some(({ objective }) => objective.needsBase),
    /** Returns the sum of weighted means; the cotangents get `scale` times it. */
    descend: (rows: ForgetRows, scale: number): number =>
      terms.reduce((sum, { objective, weight }) => sum + weight * objective.descend(rows, knobs, scale * weight), 0),
  };
}
