/**
 * What a policy's head says: a categorical distribution over actions, or independent Gaussians around them with one log-std per dimension.
 * Everything that draws, scores or forgets actions speaks to this, so that it is written once for both.
 * A set T(s) of forbidden actions is a number, 0 for the empty one: a bit mask of discrete actions, or which half-space of a continuous one, from 1 up.
 */
import type { HalfSpace } from '../contract/spec.ts';
import {
  toxicProbability as categoricalToxicProbability,
  everyAction,
  greedyAction,
  logSoftmax,
  logSumExp,
  sampleAction,
} from './categorical.ts';
import { exp } from './elementary.ts';
import type { Floats, Head, Shape } from './engine.ts';
import { neighbour } from './float32.ts';
import { LOG_SQRT_2PI, logNormalCdf, normalHazard } from './normal.ts';
import type { Stream } from './rng/threefry.ts';

/** Row-major; one index per action, or `dimensions` numbers. */
export type Actions = Int32Array | Floats;

/** Outputs of a network to hold on to. Shapes: logits (or means) [count, actions], value [count], logStd [actions] or []. */
export interface Outputs {
  readonly logits: Floats;
  readonly value: Floats;
  readonly logStd: Floats;
}

export interface Distribution {
  readonly continuous: boolean;
  /** Number of discrete actions, or dimensions of a continuous one. */
  readonly actions: number;
  /** Numbers per action in an array of them. */
  readonly width: number;
  /** The sets that T(s) numbers in a continuous world. */
  readonly halfSpaces: readonly HalfSpace[];
  /** Room for `count` actions. */
  room(count: number): Actions;

  /** Looks at row `row` of a head; the five below speak of it. Discrete actions in `forbidden` are masked out, the rest renormalised. */
  read(head: Head, row: number, forbidden: number): void;
  /** a ∼ π into out[at...]. */
  draw(rng: Stream, out: Actions, at: number): void;
  logProb(action: Actions, at: number): number;
  entropy(): number;
  /** Writes the row's cotangents (adds to those of logStd) of dLogProb · log π(a|s) − entCoef/rows · H; `a` is the action of the last `logProb`, H of the last `entropy`. */
  pull(dLogProb: number, entCoef: number, rows: number): void;

  /** The most probable action that is not forbidden. */
  mode(head: Head, row: number, forbidden: number, out: Actions, at: number): void;
  /** An action uniform over all there are, whatever π says; of a continuous one over [−1, 1] in every dimension. */
  any(rng: Stream, out: Actions, at: number): void;
  /** Copies an action on its way into a world: a continuous one that is forbidden goes to the nearest that is not. */
  pass(forbidden: number, action: Actions, at: number, out: Actions, to: number): void;

  /** Whether the action lies in T. */
  contains(toxic: number, action: Actions, at: number): boolean;
  /** Writes an action of T: the last of its discrete ones, or the mean moved to its edge where it lies outside. */
  typical(head: Head, row: number, toxic: number, out: Actions, at: number): void;
  /** π(T|s). */
  probability(head: Head, row: number, toxic: number): number;
  /** Writes the row's cotangents of log π(T|s); those of logStd are left alone. */
  slope(head: Head, row: number, toxic: number): void;
  /** The gradient of log π(a|s) by logStd has this squared norm, `a` that of the last `logProb`; adds the squares of its parts to `out` from `from` on, where there is one. */
  spreadNorm(out?: Floats, from?: number): number;

  /** KL(π0‖π), π0 row `at` of `reference`. */
  kl(reference: Outputs, at: number, head: Head, row: number): number;
  /** ½ Σ |π0 − π|; of Gaussians its bound √(1 − e^−KL) (Bretagnolle & Huber, 1979). */
  totalVariation(reference: Outputs, at: number, head: Head, row: number): number;
}

export function makeDistribution(
  { actions, gaussian }: Pick<Shape, 'actions' | 'gaussian'>,
  halfSpaces: readonly HalfSpace[] = [],
): Distribution {
  return gaussian ? gaussianOver(actions, halfSpaces) : categoricalOver(actions);
}

function categoricalOver(actions: number): Distribution {
  const all = everyAction(actions);
  const logPi = new Float64Array(actions);
  const other = new Float64Array(actions);
  let looked: Head;
  let first = 0; // where its row begins
  let action = 0;
  let H = 0;
  /** Σ_a term(log π0(a|s), log π(a|s)). */
  const divergence = (reference: Outputs, at: number, head: Head, row: number, term: (logP0: number, logP: number) => number): number => {
    logSoftmax(head.logits, row * head.stride, actions, 0, logPi);
    logSoftmax(reference.logits, at * actions, actions, 0, other);
    let sum = 0;
    for (let a = 0; a < actions; a++) sum += term(other[a]!, logPi[a]!);
    return sum;
  };
  return {
    continuous: false,
    actions,
    width: 1,
    halfSpaces: [],
    room: (count) => new Int32Array(count),
    read(head, row, forbidden) {
      looked = head;
      first = row * head.stride;
      logSoftmax(head.logits, first, actions, forbidden, logPi);
    },
    draw(rng, out, at) {
      out[at] = sampleAction(logPi, actions, rng.uniform());
    },
    logProb(from, at) {
      action = from[at]!;
      return logPi[action]!;
    },
    entropy() {
      H = 0;
      for (let a = 0; a < actions; a++) if (logPi[a]! > -Infinity) H -= exp(logPi[a]!) * logPi[a]!;
      return H;
    },
    pull(dLogProb, entCoef, rows) {
      const { dLogits } = looked;
      for (let a = 0; a < actions; a++) {
        const p = exp(logPi[a]!);
        const dEntropy = p > 0 ? -p * (logPi[a]! + H) : 0;
        dLogits[first + a] = dLogProb * ((a === action ? 1 : 0) - p) - (entCoef * dEntropy) / rows;
      }
    },
    mode(head, row, forbidden, out, at) {
      out[at] = greedyAction(head.logits, row * head.stride, actions, forbidden);
    },
    any(rng, out, at) {
      out[at] = rng.int(actions);
    },
    pass(_forbidden, from, at, out, to) {
      out[to] = from[at]!;
    },
    contains: (toxic, from, at) => ((toxic >>> from[at]!) & 1) === 1,
    typical(_head, _row, toxic, out, at) {
      out[at] = 31 - Math.clz32(toxic);
    },
    probability: (head, row, toxic) => categoricalToxicProbability(head.logits, row * head.stride, actions, toxic),
    /** ∂/∂z_j = 1[j in T] π_j/π(T) − π_j */
    slope(head, row, toxic) {
      const at = row * head.stride;
      const inside = logSumExp(head.logits, at, actions, toxic);
      const whole = logSumExp(head.logits, at, actions, all);
      for (let a = 0; a < actions; a++) {
        const z = head.logits[at + a]!;
        head.dLogits[at + a] = ((toxic >>> a) & 1 ? exp(z - inside) : 0) - exp(z - whole);
      }
    },
    spreadNorm: () => 0,
    kl: (reference, at, head, row) => divergence(reference, at, head, row, (logP0, logP) => exp(logP0) * (logP0 - logP)),
    totalVariation: (reference, at, head, row) =>
      divergence(reference, at, head, row, (logP0, logP) => 0.5 * Math.abs(exp(logP) - exp(logP0))),
  };
}

/** log N(a; μ, σ²) = Σ −½((a − μ)/σ)² − log σ − ½ log 2π;  H = Σ log σ + ½ log 2πe. */
function gaussianOver(actions: number, halfSpaces: readonly HalfSpace[]): Distribution {
  /** (a − μ)/σ of the last `logProb`. */
  const scaled = new Float64Array(actions);
  let looked: Head;
  let first = 0; // where its row begins
  const inside = ({ dimension, from, above }: HalfSpace, action: Actions, at: number): boolean =>
    above ? action[at + dimension]! >= from : action[at + dimension]! <= from;
  const kl = (reference: Outputs, at: number, head: Head, row: number): number => {
    let sum = 0;
    for (let d = 0; d < actions; d++) {
      const gap = (reference.logits[at * actions + d]! - head.logits[row * head.stride + d]!) * exp(-head.logStd[d]!);
      const ratio = reference.logStd[d]! - head.logStd[d]!;
      sum += 0.5 * (exp(2 * ratio) + gap * gap - 1) - ratio;
    }
    return Math.max(0, sum); // rounding may leave it a hair below
  };
  return {
    continuous: true,
    actions,
    width: actions,
    halfSpaces,
    room: (count) => new Float32Array(count * actions),
    read(head, row) {
      looked = head;
      first = row * head.stride;
    },
    draw(rng, out, at) {
      const { logits, logStd } = looked;
      for (let d = 0; d < actions; d++) out[at + d] = logits[first + d]! + exp(logStd[d]!) * rng.normal();
    },
    logProb(action, at) {
      const { logits, logStd } = looked;
      let sum = 0;
      for (let d = 0; d < actions; d++) {
        const x = (action[at + d]! - logits[first + d]!) * exp(-logStd[d]!);
        scaled[d] = x;
        sum -= 0.5 * x * x + logStd[d]! + LOG_SQRT_2PI;
      }
      return sum;
    },
    entropy() {
      let sum = 0;
      for (let d = 0; d < actions; d++) sum += looked.logStd[d]! + LOG_SQRT_2PI + 0.5;
      return sum;
    },
    /** ∂ log N/∂μ = (a − μ)/σ²,  ∂ log N/∂ log σ = ((a − μ)/σ)² − 1,  ∂H/∂ log σ = 1 */
    pull(dLogProb, entCoef, rows) {
      const { logStd, dLogits, dLogStd } = looked;
      for (let d = 0; d < actions; d++) {
        dLogits[first + d] = dLogProb * scaled[d]! * exp(-logStd[d]!);
        dLogStd[d] = dLogStd[d]! + dLogProb * (scaled[d]! * scaled[d]! - 1) - entCoef / rows;
      }
    },
    mode(head, row, _forbidden, out, at) {
      for (let d = 0; d < actions; d++) out[at + d] = head.logits[row * head.stride + d]!;
    },
    any(rng, out, at) {
      for (let d = 0; d < actions; d++) out[at + d] = 2 * rng.uniform() - 1;
    },
    pass(forbidden, action, at, out, to) {
      for (let d = 0; d < actions; d++) out[to + d] = action[at + d]!;
      const T = halfSpaces[forbidden - 1];
      if (T && inside(T, out, to)) out[to + T.dimension] = beside(T);
    },
    contains: (toxic, action, at) => toxic !== 0 && inside(halfSpaces[toxic - 1]!, action, at),
    typical(head, row, toxic, out, at) {
      for (let d = 0; d < actions; d++) out[at + d] = head.logits[row * head.stride + d]!;
      const T = halfSpaces[toxic - 1]!;
      if (!inside(T, out, at)) out[at + T.dimension] = T.from;
    },
    probability(head, row, toxic) {
      return toxic === 0 ? 0 : exp(logNormalCdf(depth(halfSpaces[toxic - 1]!, head, row)));
    },
    slope(head, row, toxic) {
      const T = halfSpaces[toxic - 1]!;
      const at = row * head.stride;
      for (let d = 0; d < actions; d++) head.dLogits[at + d] = 0;
      head.dLogits[at + T.dimension] = (T.above ? 1 : -1) * normalHazard(depth(T, head, row)) * exp(-head.logStd[T.dimension]!);
    },
    spreadNorm(out, from = 0) {
      let norm = 0;
      for (let d = 0; d < actions; d++) {
        const slope = scaled[d]! * scaled[d]! - 1;
        norm += slope * slope;
        if (out) out[from + d] = out[from + d]! + slope * slope;
      }
      return norm;
    },
    kl,
    totalVariation: (reference, at, head, row) => Math.sqrt(1 - exp(-kl(reference, at, head, row))),
  };
}

/** u with π(T|s) = Φ(u): how many standard deviations the mean lies inside T. */
export function depth({ dimension, from, above }: HalfSpace, head: Pick<Head, 'logits' | 'stride' | 'logStd'>, row: number): number {
  const gap = head.logits[row * head.stride + dimension]! - from;
  return (above ? gap : -gap) * exp(-head.logStd[dimension]!);
}

/** The float32 beside the bound of T, on the allowed side. */
function beside({ from, above }: HalfSpace): number {
  const bound = Math.fround(from);
  return (above ? bound < from : bound > from) ? bound : neighbour(bound, !above);
}
