/**
 * What computes. One interface over all engines: `reference` (plain TypeScript, float64, the living definition),
 * `wasm` (AssemblyScript SIMD128, float32, what runs by default), and TensorFlow.js in ../worker/tfjs.
 * Everything above (losses, PPO, strategies) reads a head, writes cotangents, and works on every engine.
 */

import type { EngineName } from '../contract/spec.ts';

/** `reference` computes in float64, the others in float32. */
export type Floats = Float32Array | Float64Array;

/** An actor-critic multilayer perceptron: tanh hidden layers, linear heads. */
export interface Shape {
  readonly obsDim: number;
  /** Widths of the hidden layers, at least one. */
  readonly hidden: readonly number[];
  /** Number of discrete actions, or dimensions of a Gaussian one. */
  readonly actions: number;
  readonly gaussian: boolean;
  /** Policy and value each have their own hidden layers; otherwise they share one trunk. */
  readonly separate: boolean;
  /** The first layer is (obs − shift)·scale, element by element, and frozen. Only ever true: where it is not, the field is absent. */
  readonly normalised?: true;
}

/**
 * The last `forward`, and where a loss writes dL/d(head). Views owned by the network, overwritten by the next `forward`;
 * rows beyond those of the last `forward` are undefined. Every cotangent of those rows must be written before `backward`.
 */
export interface Head {
  /** Logits (discrete) or means (Gaussian), [maxRows, stride], columns 0..actions-1. */
  readonly logits: Floats;
  /** Row stride of `logits` and `dLogits`, at least `actions`. */
  readonly stride: number;
  /** V(s), element `row * valueStride`. */
  readonly value: Floats;
  readonly valueStride: number;
  /** [actions], Gaussian only, else empty; state-independent. */
  readonly logStd: Floats;
  readonly dLogits: Floats;
  readonly dValue: Floats;
  readonly dLogStd: Floats;
}

/** Adam's moments; allocate with `network.vector(size)`. `step` counts updates done. */
export interface AdamState {
  readonly m: Floats;
  readonly v: Floats;
  step: number;
}

export interface AdamOptions {
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  /** The gradient is multiplied by this first (global-norm clipping). */
  readonly scale: number;
}

/** Shapes: every array is [numSteps, numEnvs] row-major, in the network's memory (`vector`). */
export interface GaeInput {
  readonly numEnvs: number;
  readonly reward: Floats;
  readonly value: Floats;
  /** V of the observation after the step and before any reset. */
  readonly nextValue: Floats;
  /** 0 or 1. */
  readonly terminated: Floats;
  /** 0 or 1: terminated or truncated. */
  readonly ended: Floats;
}

export interface Engine {
  readonly name: EngineName;
  /** Distinguishes builds that give other bits; part of every provenance record. */
  readonly version: string;
  network(shape: Shape, maxRows: number): Network;
  /** Memory that its networks hold and JavaScript does not know of. */
  heldBytes?(): number;
}

/**
 * One network and its memory.
 * The flat parameter vector (`size` long, no padding) holds, each weight matrix [in][out] row-major:
 *   shared:   trunk.0.W, trunk.0.b, trunk.1.W, ..., policyHead.W, policyHead.b, valueHead.W, valueHead.b, [logStd]
 *   separate: policy.0.W, policy.0.b, ..., value.0.W, value.0.b, ..., policyHead.W, ..., valueHead.b, [logStd]
 * and where it is normalised then observation.shift, observation.scale: their gradient is always 0.
 * `layout(shape)` of math/layout.ts gives names, shapes and offsets.
 */
export interface Network {
  readonly shape: Shape;
  readonly maxRows: number;
  readonly size: number;
  /** A copy of the parameters, in this engine's precision. */
  get(): Floats;
  set(params: Floats): void;
  /** A zeroed vector in this network's memory; only such vectors, or parts of them, may be given to the kernels below. Given back by `free` alone: make them once. */
  vector(length: number): Floats;
  /**
   * Computes the head for `rows` observations, obs [rows, obsDim]. Throws RangeError if rows > maxRows.
   * Observations in the network's memory are read in place, by `backward` once more; from elsewhere they are copied.
   */
  forward(obs: Floats, rows: number): Head;
  /**
   * From the head's cotangents of the last `forward` to gradients, linear in the cotangents.
   * `weights` [size]: dL/dparams, overwritten; `input` [rows, obsDim]: dL/dobs. Views, overwritten by the next call; only what was wanted is defined.
   * A float32 engine may set cotangents below 1e-17 to 0, in the head's arrays, too. Throws RangeError if rows exceeds the last `forward`.
   */
  backward(rows: number, want: { weights?: boolean; input?: boolean }): { weights: Floats; input: Floats };
  /**
   * After a `backward` over the same rows: out[i] = squared L2 norm of row i's own parameter gradient (its cotangents alone).
   * Over every parameter but the frozen, and logStd, whose cotangent is one sum over rows: a Gaussian loss adds its row's share itself.
   */
  sampleNorms(rows: number, out: Floats): void;
  /** After a `backward` over the same rows: out[j] += sum over rows of (row's own gradient_j)^2, logStd untouched as above. The caller divides by rows. */
  fisher(rows: number, out: Floats): void;
  /** params -= mask · Adam step of `gradient`; where `mask` is 0, parameter and moments stay exactly as they are. */
  adam(state: AdamState, gradient: Floats, options: AdamOptions, mask?: Floats): void;

  /** out[i, :] = source[indices[i], :] for rows of `width` numbers. Throws RangeError for an index without a row. */
  gather(source: Floats, indices: Int32Array, width: number, out: Floats): void;
  /** Generalised advantage estimation; writes `advantage`. Definition: math/gae.ts. */
  gae(input: GaeInput, gamma: number, lambda: number, advantage: Floats): void;
  /** a[i] *= b[i] */
  mul(a: Floats, b: Floats): void;
  /** y[i] += scale * x[i] */
  axpy(scale: number, x: Floats, y: Floats): void;
  dot(a: Floats, b: Floats): number;
  /** Euclidean norm. */
  norm(a: Floats): number;
  /** Gives the memory back; the network must not be used afterwards. */
  free(): void;
}
