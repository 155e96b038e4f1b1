import type { Network } from '../math/engine.ts';
import type { Stream } from '../math/rng/threefry.ts';
import type { Constraint } from './constraint.ts';

export interface InversionOptions {
  readonly inversionSteps: number;
  readonly inversionRate: number;
  readonly inversionSpread: number;
}

const BETA1 = 0.9;
const BETA2 = 0.999;
const EPS = 1e-8;
/** Distance, in half widths of the box, at which similarity has fallen to a half. */
const REACH = 0.5;

/**
 * Zero-shot strategy inversion: where in the region would this policy do the toxic thing? Uniform seeds ascend, by Adam,
 *   log π(T|s) − w · mean over j ≠ i of k(s, s_j)        k(s, s') = 1/(1 + ‖u − u'‖²/h²), u in half widths of the box
 * each within the rule's box it started in, so that none leaves the region. The similarity keeps them from one another.
 * Reads nothing but the constraint, the boxes and the network. Writes `out` [rows, obsDim].
 * Source: Takács & Gulyás 2025, ZSI (ascent on log π(a|s) over s); the projection and the spread are ours.
 */
export function invert(
  network: Network,
  constraint: Constraint,
  options: InversionOptions,
  rng: Stream,
  out: Float32Array,
  rows: number,
): void {
  const { obsDim, widths } = constraint;
  const size = rows * obsDim;
  constraint.sampleRegion(rng, out, rows);
  const low = new Float64Array(size);
  const high = new Float64Array(size);
  constraint.boxesAround(out, rows, low, high);
  const m = new Float64Array(size);
  const v = new Float64Array(size);
  const u = new Float64Array(size);
  const ascent = new Float64Array(size);
  let [decay1, decay2] = [1, 1];
  for (let step = 0; step < options.inversionSteps; step++) {
    for (let i = 0; i < size; i++) u[i] = (2 * out[i]!) / widths[i % obsDim]!;
    for (let first = 0; first < rows; first += network.maxRows) {
      const count = Math.min(network.maxRows, rows - first);
      const slope = toxicSlope(network, constraint, out.subarray(first * obsDim, (first + count) * obsDim), count);
      for (let i = 0; i < count * obsDim; i++) ascent[first * obsDim + i] = (slope[i]! * widths[i % obsDim]!) / 2;
    }
    if (options.inversionSpread > 0) repel(u, rows, obsDim, options.inversionSpread, ascent);
    decay1 *= BETA1;
    decay2 *= BETA2;
    for (let i = 0; i < size; i++) {
      m[i] = BETA1 * m[i]! + (1 - BETA1) * ascent[i]!;
      v[i] = BETA2 * v[i]! + (1 - BETA2) * ascent[i]! * ascent[i]!;
      const move = (options.inversionRate * (m[i]! / (1 - decay1))) / (Math.sqrt(v[i]! / (1 - decay2)) + EPS);
      out[i] = Math.min(Math.max(out[i]! + (move * widths[i % obsDim]!) / 2, low[i]!), high[i]!);
    }
  }
}

/** ∂ log π(T|s)/∂s per row. */
function toxicSlope(network: Network, { toxic, policy }: Constraint, obs: Float32Array, rows: number): ArrayLike<number> {
  const head = network.forward(obs, rows);
  for (let i = 0; i < rows; i++) {
    policy.slope(head, i, toxic(obs, i));
    head.dValue[i * head.valueStride] = 0;
  }
  return network.backward(rows, { input: true }).input;
}

/** ascent −= w ∂(mean k)/∂u;  ∂k/∂u = −2 (u − u')/h² · k². */
function repel(u: Float64Array, rows: number, obsDim: number, weight: number, ascent: Float64Array): void {
  const scale = 1 / (REACH * REACH);
  const push = (2 * scale * weight) / Math.max(1, rows - 1);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < rows; j++) {
      let squared = 0;
      for (let d = 0; d < obsDim; d++) {
        const gap = u[i * obsDim + d]! - u[j * obsDim + d]!;
        squared += gap * gap;
      }
      const k = 1 / (1 + squared * scale);
      const factor = push * k * k;
      for (let d = 0; d < obsDim; d++) {
        const at = i * obsDim + d;
        ascent[at] = ascent[at]! + factor * (u[at]! - u[j * obsDim + d]!);
      }
    }
  }
}
