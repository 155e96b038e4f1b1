import { describe, expect, it } from 'vitest';
import type { Constraint } from '../../src/correction/constraint.ts';
import { invert } from '../../src/correction/inversion.ts';
import { mean, toxicProbabilities } from '../../src/correction/states.ts';
import { toxicProbability } from '../../src/math/categorical.ts';
import type { Network } from '../../src/math/engine.ts';
import { makeEngine } from '../../src/math/engines/index.ts';
import { Stream } from '../../src/math/rng/threefry.ts';
import { ENGINES } from '../math/engines.ts';
import { ANGLE, CARTPOLE, networkOf, TOY, TOY_SHAPE, untrained } from './probe.ts';

const ROWS = 24;
const OPTIONS = { inversionSteps: 20, inversionRate: 0.05, inversionSpread: 0 };
const stream = (): Stream => new Stream(21, 22);

function found(network: Network, constraint: Constraint, options = OPTIONS, rows = ROWS): Float32Array {
  const out = new Float32Array(rows * constraint.obsDim);
  invert(network, constraint, options, stream(), out, rows);
  return out;
}

/** Where the search starts: the same draws. */
function seeds(constraint: Constraint, rows = ROWS): Float32Array {
  const out = new Float32Array(rows * constraint.obsDim);
  constraint.sampleRegion(stream(), out, rows);
  return out;
}

/** log π(T|s) of one state in float64, T as it is in `at`. */
function logToxic(network: Network, state: Float64Array, toxic: number): number {
  const head = network.forward(state, 1);
  return Math.log(toxicProbability(head.logits, 0, network.shape.actions, toxic));
}

/** Adam on finite differences of log π(T|s) − w · mean of 1/(1 + ‖u − u'‖²/¼) over the other states, in half widths, within the first box. */
function plainly(
  network: Network,
  constraint: Constraint,
  { inversionSteps, inversionRate, inversionSpread }: typeof OPTIONS,
): Float32Array {
  const { obsDim, widths, toxic } = constraint;
  const out = seeds(constraint);
  const [low, high] = [new Float64Array(out.length), new Float64Array(out.length)];
  constraint.boxesAround(out, ROWS, low, high);
  const half = (d: number): number => widths[d]! / 2;
  const [m, v] = [new Float64Array(out.length), new Float64Array(out.length)];
  for (let step = 1; step <= inversionSteps; step++) {
    const now = out.slice();
    for (let i = 0; i < ROWS; i++) {
      const objective = (state: Float64Array): number => {
        let similarity = 0;
        for (let j = 0; j < ROWS; j++) {
          if (j === i) continue;
          const squared = state.reduce((sum, x, d) => sum + ((x - now[j * obsDim + d]!) / half(d)) ** 2, 0);
          similarity += 1 / (1 + 4 * squared);
        }
        return logToxic(network, state, toxic(now, i)) - (inversionSpread * similarity) / (ROWS - 1);
      };
      const state = Float64Array.from(now.subarray(i * obsDim, (i + 1) * obsDim));
      for (let d = 0; d < obsDim; d++) {
        const h = 1e-5;
        const slope = (objective(state.with(d, state[d]! + h * half(d))) - objective(state.with(d, state[d]! - h * half(d)))) / (2 * h);
        const k = i * obsDim + d;
        m[k] = 0.9 * m[k]! + 0.1 * slope;
        v[k] = 0.999 * v[k]! + 0.001 * slope * slope;
        const move = m[k]! / (1 - 0.9 ** step) / (Math.sqrt(v[k]! / (1 - 0.999 ** step)) + 1e-8);
        out[k] = Math.min(Math.max(now[k]! + inversionRate * move * half(d), low[k]!), high[k]!);
      }
    }
  }
  return out;
}

const pairwise = (states: Float32Array, { obsDim, widths }: Constraint): number => {
  let sum = 0;
  const rows = states.length / obsDim;
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < i; j++) sum += Math.hypot(...widths.map((w, d) => (2 * (states[i * obsDim + d]! - states[j * obsDim + d]!)) / w));
  return sum / ((rows * (rows - 1)) / 2);
};

describe.each(ENGINES)('invert(…) on $name', (engine) => {
  const toy = networkOf(engine, untrained(TOY_SHAPE));
  const cartpole = networkOf(engine, untrained(CARTPOLE));

  it.each([0, 0.1, 2])('is Adam on finite differences of what it ascends, with spread %d', (inversionSpread) => {
    const reference = networkOf(makeEngine('reference'), untrained(TOY_SHAPE));
    const options = { inversionSteps: 4, inversionRate: 0.05, inversionSpread };
    const [got, plain] = [found(toy, TOY, options), plainly(reference, TOY, options)];
    const start = seeds(TOY);
    expect(got.filter((x, i) => x !== start[i]).length).toBeGreaterThan(ROWS);
    for (let i = 0; i < got.length; i++) expect(Math.abs(got[i]! - plain[i]!)).toBeLessThan(2e-4 * TOY.widths[i % 2]!);
  });

  it.each([
    ['toy', toy, TOY],
    ['cartpole/angle', cartpole, ANGLE],
  ] as const)('raises log π(T|s) over that of its uniform seeds: %s', (_name, network, constraint) => {
    const log = (obs: Float32Array) => mean(toxicProbabilities(network, { obs, count: ROWS }, constraint).map(Math.log))!;
    expect(log(found(network, constraint))).toBeGreaterThan(log(seeds(constraint)) + 0.03);
  });

  it.each([
    ['toy', toy, TOY],
    ['cartpole/angle', cartpole, ANGLE],
  ] as const)('leaves no box, however large its steps: %s', (_name, network, constraint) => {
    const out = found(network, constraint, { inversionSteps: 15, inversionRate: 1, inversionSpread: 1 });
    const [low, high] = [new Float64Array(out.length), new Float64Array(out.length)];
    constraint.boxesAround(seeds(constraint), ROWS, low, high);
    out.forEach((x, i) => {
      expect(x >= low[i]! && x <= high[i]!).toBe(true);
    });
    for (let i = 0; i < ROWS; i++) expect(constraint.toxic(out, i)).not.toBe(0);
    expect(out.some((x, i) => x === low[i]! || x === high[i]!)).toBe(true); // it did push
  });

  it('spreads its states out: they lie further apart than without', () => {
    const far = pairwise(found(toy, TOY, { ...OPTIONS, inversionSpread: 5 }), TOY);
    const near = pairwise(found(toy, TOY), TOY);
    expect(far).toBeGreaterThan(1.05 * near);
  });

  it('gives the same bytes from the same stream, however many rows the network takes at once', () => {
    const options = { ...OPTIONS, inversionSpread: 0.1 };
    const once = found(toy, TOY, options);
    expect(found(toy, TOY, options)).toEqual(once);
    expect(found(networkOf(engine, untrained(TOY_SHAPE), 7), TOY, options)).toEqual(once);
    expect(once).not.toEqual(seeds(TOY));
  });

  it('inverts a single state, which has nobody to keep away from', () => {
    const out = found(toy, TOY, { ...OPTIONS, inversionSpread: 1 }, 1);
    expect(out).toEqual(found(toy, TOY, OPTIONS, 1));
    expect(out.every(Number.isFinite)).toBe(true);
  });
});
