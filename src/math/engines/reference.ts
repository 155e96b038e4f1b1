/**
 * The living definition of what every engine computes: plain loops, float64, no cleverness.
 * A fused kernel is right when it agrees with this file to its own precision.
 */
import { adam } from '../adam.ts';
import { tanh } from '../elementary.ts';
import type { AdamOptions, AdamState, Engine, Floats, GaeInput, Head, Network, Shape } from '../engine.ts';
import { gae } from '../gae.ts';
import { affine, type Linear, linears, size, weightCount } from '../layout.ts';
import { axpy, dot, gather, mul, norm } from '../vector.ts';

/** A linear map with what it reads and writes. Shapes: x, dx [maxRows, inputs]; y, dy [maxRows, outputs]. */
interface Layer extends Linear {
  readonly x: Float64Array;
  /** dL/dx, summed over everything that reads x. */
  readonly dx: Float64Array;
  /** Its output, squashed if the layer is. */
  readonly y: Float64Array;
  /** dL/dy; `backward` turns it into dL/dz, z = x W + b. */
  readonly dy: Float64Array;
}

class ReferenceNetwork implements Network {
  readonly shape: Shape;
  readonly maxRows: number;
  readonly size: number;
  private readonly params: Float64Array;
  private readonly affine: ReturnType<typeof affine>;
  private readonly layers: readonly Layer[];
  private readonly obs: Float64Array;
  private readonly head: Head;
  private readonly gradients: { weights: Float64Array; input: Float64Array };
  private forwarded = 0;
  private backwarded = 0;

  constructor(shape: Shape, maxRows: number) {
    const zeros = (length: number) => new Float64Array(length);
    this.shape = shape;
    this.maxRows = maxRows;
    this.size = size(shape);
    this.params = zeros(this.size);
    this.affine = affine(shape);
    this.obs = zeros(maxRows * shape.obsDim);
    this.gradients = { weights: zeros(this.size), input: zeros(maxRows * shape.obsDim) };
    const layers: Layer[] = [];
    for (const map of linears(shape)) {
      const below = layers[map.reads];
      const x = below?.y ?? this.obs;
      const dx = below?.dy ?? this.gradients.input;
      layers.push({ ...map, x, dx, y: zeros(maxRows * map.outputs), dy: zeros(maxRows * map.outputs) });
    }
    this.layers = layers;
    const policy = layers.at(-2)!;
    const value = layers.at(-1)!;
    this.head = {
      logits: policy.y,
      stride: shape.actions,
      value: value.y,
      valueStride: 1,
      logStd: this.params.subarray(weightCount(shape), this.affine.shift),
      dLogits: policy.dy,
      dValue: value.dy,
      dLogStd: zeros(shape.gaussian ? shape.actions : 0),
    };
  }

  get(): Float64Array {
    return this.params.slice();
  }

  set(params: Floats): void {
    this.params.set(params);
  }

  vector(length: number): Float64Array {
    return new Float64Array(length);
  }

  /**
   * h_l = tanh(h_{l−1} W_l + b_l) with h_0 = obs, or (obs − shift)·scale; logits and value are linear in the last h.
   *   y[r, n] = b[n] + Σ_k x[r, k]·W[k, n]
   */
  forward(obs: Floats, rows: number): Head {
    if (rows > this.maxRows) throw new RangeError(`forward: expected at most ${this.maxRows} rows, got ${rows}`);
    const count = rows * this.shape.obsDim;
    if (obs.length < count) throw new RangeError(`forward: expected ${count} numbers in ${rows} observations, got ${obs.length}`);
    for (let i = 0; i < count; i++) this.obs[i] = obs[i]!;
    const { shift, scale, count: width } = this.affine;
    if (width > 0)
      for (let i = 0; i < count; i++) this.obs[i] = (obs[i]! - this.params[shift + (i % width)]!) * this.params[scale + (i % width)]!;
    for (const { inputs, outputs, weights, bias, squashed, x, y } of this.layers) {
      for (let r = 0; r < rows; r++) {
        for (let n = 0; n < outputs; n++) {
          let sum = this.params[bias + n]!;
          for (let k = 0; k < inputs; k++) sum += x[r * inputs + k]! * this.params[weights + k * outputs + n]!;
          y[r * outputs + n] = squashed ? tanh(sum) : sum;
        }
      }
    }
    this.forwarded = rows;
    return this.head;
  }

  /**
   * The chain rule, from the heads down.
   *   dz[r, n] = dy[r, n]·(1 − h[r, n]²)   (squashed; else dy)
   *   dW[k, n] = Σ_r x[r, k]·dz[r, n]      db[n] = Σ_r dz[r, n]      dx[r, k] = Σ_n dz[r, n]·W[k, n]
   * The gradient of logStd is dLogStd itself.
   */
  backward(rows: number, want: { weights?: boolean; input?: boolean }): { weights: Floats; input: Floats } {
    if (rows > this.forwarded)
      throw new RangeError(`backward: expected at most the ${this.forwarded} rows of the last forward, got ${rows}`);
    const { weights: gradient, input } = this.gradients;
    for (const { squashed, dy } of this.layers) if (squashed) dy.fill(0);
    gradient.fill(0);
    input.fill(0);
    for (const { inputs, outputs, weights, bias, squashed, x, dx, y, dy } of this.layers.toReversed()) {
      for (let r = 0; r < rows; r++) {
        for (let n = 0; n < outputs; n++) {
          const at = r * outputs + n;
          if (squashed) dy[at] = dy[at]! * (1 - y[at]! * y[at]!);
          const dz = dy[at]!;
          for (let k = 0; k < inputs; k++) dx[r * inputs + k]! += dz * this.params[weights + k * outputs + n]!;
          if (want.weights !== true) continue;
          gradient[bias + n]! += dz;
          for (let k = 0; k < inputs; k++) gradient[weights + k * outputs + n]! += x[r * inputs + k]! * dz;
        }
      }
    }
    gradient.set(this.head.dLogStd, weightCount(this.shape));
    const { scale, count: width } = this.affine;
    if (width > 0) for (let i = 0; i < rows * width; i++) input[i]! *= this.params[scale + (i % width)]!;
    this.backwarded = rows;
    return this.gradients;
  }

  /** out[r] = Σ_layers |dz_r|²·(|x_r|² + 1): row r's gradient of W is the outer product x_r dz_rᵀ, that of b is dz_r. */
  sampleNorms(rows: number, out: Floats): void {
    this.expectBackward('sampleNorms', rows);
    for (let r = 0; r < rows; r++) {
      out[r] = 0;
      for (const { inputs, outputs, x, dy } of this.layers) {
        const xr = x.subarray(r * inputs, (r + 1) * inputs);
        const dz = dy.subarray(r * outputs, (r + 1) * outputs);
        out[r]! += dot(dz, dz) * (dot(xr, xr) + 1);
      }
    }
  }

  /** out_W[k, n] += Σ_r (x[r, k]·dz[r, n])², out_b[n] += Σ_r dz[r, n]². */
  fisher(rows: number, out: Floats): void {
    this.expectBackward('fisher', rows);
    for (const { inputs, outputs, weights, bias, x, dy } of this.layers) {
      for (let r = 0; r < rows; r++) {
        for (let n = 0; n < outputs; n++) {
          const dz = dy[r * outputs + n]!;
          out[bias + n]! += dz * dz;
          for (let k = 0; k < inputs; k++) {
            const g = x[r * inputs + k]! * dz;
            out[weights + k * outputs + n]! += g * g;
          }
        }
      }
    }
  }

  adam(state: AdamState, gradient: Floats, options: AdamOptions, mask?: Floats): void {
    adam(this.params, state, gradient, options, mask);
  }

  gather(source: Floats, indices: Int32Array, width: number, out: Floats): void {
    gather(source, indices, width, out);
  }

  gae(input: GaeInput, gamma: number, lambda: number, advantage: Floats): void {
    gae(input, gamma, lambda, advantage);
  }

  mul(a: Floats, b: Floats): void {
    mul(a, b);
  }

  axpy(scale: number, x: Floats, y: Floats): void {
    axpy(scale, x, y);
  }

  dot(a: Floats, b: Floats): number {
    return dot(a, b);
  }

  norm(a: Floats): number {
    return norm(a);
  }

  free(): void {} // the garbage collector's

  private expectBackward(caller: string, rows: number): void {
    if (rows !== this.backwarded) throw new RangeError(`${caller}: expected the ${this.backwarded} rows of the last backward, got ${rows}`);
  }
}

/** Plain TypeScript in float64. Slow on purpose. */
export const reference: Engine = {
  name: 'reference',
  version: '1',
  network: (shape, maxRows) => new ReferenceNetwork(shape, maxRows),
};
