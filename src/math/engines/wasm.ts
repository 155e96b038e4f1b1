/**
 * float32 on SIMD128 kernels (../assembly): what runs by default, bit for bit the same on every machine.
 * Each network has its own instance and memory of fixed size. Kernels know addresses; which layer comes next is decided here.
 */
import { rootScale, stepSize } from '../adam.ts';
import type { AdamOptions, AdamState, Engine, Floats, GaeInput, Head, Network, Shape } from '../engine.ts';
import { affine, size, weightCount } from '../layout.ts';
import { instantiate, type Kernels } from './kernels.ts';
import { KERNELS_SHA256 } from './kernels.wasm.ts';
import { Arena, FLOAT_BYTES, LANES, type Layer, planLayers, VECTOR_BYTES } from './layers.ts';

/**
 * What `vector` may hand out: rows of a rollout, a forget set and a retain set together, each with RESERVED_COLUMNS numbers beside
 * its observation, and parameter-sized vectors (moments, masks, Fisher, projections). The memory cannot grow, because that would
 * detach its views, so this is generous: pages never touched cost nothing.
 */
const RESERVED_ROWS = 32_768;
const RESERVED_COLUMNS = 24;
const RESERVED_PARAMETERS = 32;

/** Indices copied into the memory at once; longer gathers go in pieces. */
const STAGED_INDICES = 1024;

const PAGE_BYTES = 65_536;

/** The kernels and the views on their memory: what `free` lets go of. */
interface Core {
  readonly kernels: Kernels;
  readonly buffer: ArrayBufferLike;
  readonly params: Float32Array;
  readonly obs: Float32Array;
  readonly indices: Int32Array;
  readonly head: Head;
  readonly gradients: { readonly weights: Float32Array; readonly input: Float32Array };
}

const FREED: Core = new Proxy({} as Core, {
  get: () => {
    throw new Error('network: expected one in use, got one that was freed');
  },
});

class WasmNetwork implements Network {
  readonly shape: Shape;
  readonly maxRows: number;
  readonly size: number;
  private readonly arena = new Arena();
  private readonly limit: number;
  private readonly affine: ReturnType<typeof affine>;
  private readonly layers: readonly Layer[];
  /** The layers that read the observation. */
  private readonly bottom: readonly Layer[];
  private readonly heads: readonly Layer[];
  private readonly at: {
    readonly params: number;
    readonly gradient: number;
    readonly input: number;
    readonly obs: number;
    readonly indices: number;
  };
  /** A row of zeros: where sums without a bias start. */
  private readonly zeros: number;
  /** Fisher's squared inputs and cotangents, and the sum over rows before it is added. */
  private readonly squares: { readonly x: number; readonly dz: number; readonly sum: number };
  private core: Core;

  /** Which copies of the parameters are as new as they are. */
  private packed = false;
  private transposed = false;
  private transposedBottom = false;
  /** Rows of the last `forward` and `backward`. */
  private forwarded = 0;
  private backwarded = 0;
  /** The last observations and where they lie in this memory, 0 if elsewhere: asking an array for its buffer costs as much as a layer of one row. */
  private lastObs: Floats | undefined;
  private lastObsAt = 0;

  constructor(shape: Shape, maxRows: number) {
    this.shape = shape;
    this.maxRows = maxRows;
    this.size = size(shape);
    this.affine = affine(shape);
    const { arena } = this;
    const { obsDim, actions } = shape;
    this.at = {
      params: arena.take(this.size),
      gradient: arena.take(this.size),
      input: arena.take(maxRows * obsDim),
      obs: arena.take(maxRows * obsDim),
      indices: arena.take(STAGED_INDICES),
    };
    this.layers = planLayers(shape, maxRows, this.at.params, arena);
    this.bottom = this.layers.filter(({ below }) => below === undefined);
    this.heads = this.layers.filter(({ squashed }) => !squashed);
    const widest = LANES * Math.max(...this.layers.map(({ vectors, inputVectors }) => Math.max(vectors, inputVectors)));
    this.zeros = arena.take(widest);
    this.squares = { x: arena.take(maxRows * widest), dz: arena.take(maxRows * widest), sum: arena.take(this.size) };
    const dLogStd = arena.take(actions);

    const reserved = (RESERVED_ROWS + 8 * maxRows) * (obsDim + RESERVED_COLUMNS) + RESERVED_PARAMETERS * (this.size + 4);
    const pages = Math.ceil((arena.top + reserved * FLOAT_BYTES) / PAGE_BYTES);
    this.limit = pages * PAGE_BYTES - VECTOR_BYTES; // a kernel may read, not use, up to one vector beyond an array
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    const view = (at: number, length: number) => new Float32Array(memory.buffer, at, length);

    const policy = this.heads[0]!;
    const value = this.heads.at(-1)!;
    const before = value === policy ? actions : 0; // columns of the value's matrix that are logits
    const valueLength = (maxRows * value.step) / FLOAT_BYTES - before;
    const logStdLength = shape.gaussian ? actions : 0;
    this.core = {
      kernels: instantiate(memory),
      buffer: memory.buffer,
      params: view(this.at.params, this.size),
      obs: view(this.at.obs, maxRows * obsDim),
      indices: new Int32Array(memory.buffer, this.at.indices, STAGED_INDICES),
      gradients: { weights: view(this.at.gradient, this.size), input: view(this.at.input, maxRows * obsDim) },
      head: {
        logits: view(policy.y, (maxRows * policy.step) / FLOAT_BYTES),
        stride: policy.step / FLOAT_BYTES,
        value: view(value.y + before * FLOAT_BYTES, valueLength),
        valueStride: value.step / FLOAT_BYTES,
        logStd: view(this.at.params + weightCount(shape) * FLOAT_BYTES, logStdLength),
        dLogits: view(policy.dz, (maxRows * policy.step) / FLOAT_BYTES),
        dValue: view(value.dz + before * FLOAT_BYTES, valueLength),
        dLogStd: view(dLogStd, logStdLength),
      },
    };
  }

  get(): Float32Array {
    return this.core.params.slice();
  }

  set(params: Floats): void {
    this.core.params.set(params);
    this.parametersChanged();
  }

  vector(length: number): Float32Array {
    const room = (this.limit - this.arena.top) / FLOAT_BYTES;
    if (length > room)
      throw new RangeError(
        `vector: expected at most ${room} more numbers in this network's memory, got ${length}; keep fewer vectors or ask for more rows`,
      );
    return new Float32Array(this.core.buffer as ArrayBuffer, this.arena.take(length), length);
  }

  forward(obs: Floats, rows: number): Head {
    if (rows > this.maxRows) throw new RangeError(`forward: expected at most ${this.maxRows} rows, got ${rows}`);
    const { kernels, head } = this.core;
    if (!this.packed) this.pack();
    const x = this.placeObs(obs, rows);
    for (const layer of this.bottom) layer.x = x;
    for (const { squashed, inputs, vectors, x, xStep, w, b, y } of this.layers) {
      if (squashed) kernels.forwardTanh(rows, inputs, vectors, x, xStep, w, b, y);
      else kernels.linear(rows, inputs, vectors, x, xStep, w, b, y);
    }
    this.forwarded = rows;
    return head;
  }

  backward(rows: number, want: { weights?: boolean; input?: boolean }): { weights: Floats; input: Floats } {
    if (rows > this.forwarded)
      throw new RangeError(`backward: expected at most the ${this.forwarded} rows of the last forward, got ${rows}`);
    const { kernels, head, gradients } = this.core;
    if (!this.transposed) this.transpose();
    for (const { vectors, dz } of this.heads) kernels.flushAll(rows * vectors, dz);
    for (let i = this.layers.length - 1; i >= 0; i--) {
      const { below, outputs, dz, step, transposed } = this.layers[i]!;
      if (below !== undefined) kernels.backwardHidden(rows, outputs, below.vectors, dz, step, transposed, this.zeros, below.y, below.dz);
    }
    if (want.weights === true) {
      for (const layer of this.layers) this.weightGradient(layer, rows, layer.x, layer.dz, this.at.gradient);
      for (let j = 0, at = this.affine.shift - head.dLogStd.length; at < this.affine.shift; j++, at++)
        gradients.weights[at] = head.dLogStd[j]!;
    }
    if (want.input === true) this.inputGradient(rows);
    this.backwarded = rows;
    return gradients;
  }

  sampleNorms(rows: number, out: Floats): void {
    this.expectBackward('sampleNorms', rows);
    const at = this.address(out, rows);
    out.fill(0, 0, rows);
    for (const { inputs, outputs, x, xStep, dz, step } of this.layers) {
      this.core.kernels.sampleNorms(rows, inputs, outputs, x, xStep, dz, step, at);
    }
  }

  /** Σ_r (x·dz)² = Σ_r x²·dz²: the gradient of the weights once more, from squares. */
  fisher(rows: number, out: Floats): void {
    this.expectBackward('fisher', rows);
    const { kernels } = this.core;
    const { squares } = this;
    const at = this.address(out, this.size);
    for (const layer of this.layers) {
      kernels.square(Math.ceil((rows * layer.xStep) / VECTOR_BYTES), layer.x, squares.x);
      kernels.square(rows * layer.vectors, layer.dz, squares.dz);
      this.weightGradient(layer, rows, squares.x, squares.dz, squares.sum);
    }
    kernels.axpy(weightCount(this.shape), 1, squares.sum, at);
  }

  adam(state: AdamState, gradient: Floats, options: AdamOptions, mask?: Floats): void {
    const { beta1, beta2, eps, scale } = options;
    const { kernels } = this.core;
    const g = this.address(gradient, this.size);
    const m = this.address(state.m, this.size);
    const v = this.address(state.v, this.size);
    const kept = mask === undefined ? 0 : this.address(mask, this.size);
    state.step++;
    const alpha = stepSize(options, state.step);
    const root = rootScale(options, state.step);
    kernels.adam(this.size, this.at.params, g, m, v, kept, scale, alpha, root, beta1, 1 - beta1, beta2, 1 - beta2, eps);
    this.parametersChanged();
  }

  gather(source: Floats, indices: Int32Array, width: number, out: Floats): void {
    const { kernels, indices: staged } = this.core;
    const from = this.address(source, 0);
    const to = this.address(out, indices.length * width);
    const count = Math.floor(source.length / width);
    for (let done = 0; done < indices.length; done += STAGED_INDICES) {
      const rows = Math.min(STAGED_INDICES, indices.length - done);
      for (let i = 0; i < rows; i++) {
        const index = indices[done + i]!;
        if (index < 0 || index >= count) throw new RangeError(`gather: expected indices below ${count}, got ${index}`);
        staged[i] = index;
      }
      kernels.gather(rows, width, from, this.at.indices, to + done * width * FLOAT_BYTES);
    }
  }

  gae(input: GaeInput, gamma: number, lambda: number, advantage: Floats): void {
    const { numEnvs, reward, value, nextValue, terminated, ended } = input;
    const n = advantage.length;
    const at = (x: Floats) => this.address(x, n);
    this.core.kernels.gae(
      n / numEnvs,
      numEnvs,
      at(reward),
      at(value),
      at(nextValue),
      at(terminated),
      at(ended),
      gamma,
      gamma * lambda,
      at(advantage),
    );
  }

  mul(a: Floats, b: Floats): void {
    this.core.kernels.mul(a.length, this.address(a, 0), this.address(b, a.length));
  }

  axpy(scale: number, x: Floats, y: Floats): void {
    this.core.kernels.axpy(y.length, scale, this.address(x, y.length), this.address(y, 0));
  }

  dot(a: Floats, b: Floats): number {
    return this.core.kernels.dot(a.length, this.address(a, 0), this.address(b, a.length));
  }

  norm(a: Floats): number {
    const at = this.address(a, 0);
    return Math.sqrt(this.core.kernels.dot(a.length, at, at));
  }

  free(): void {
    this.core = FREED;
    this.lastObs = undefined;
  }

  /** Where `obs` lies; those from elsewhere are copied in, and so are all that are normalised on the way. */
  private placeObs(obs: Floats, rows: number): number {
    const count = rows * this.shape.obsDim;
    if (obs.length < count) throw new RangeError(`forward: expected ${count} numbers in ${rows} observations, got ${obs.length}`);
    const { buffer, obs: own, params } = this.core;
    const { shift, scale, count: width } = this.affine;
    if (width > 0) {
      for (let i = 0, d = 0; i < count; i++, d = d + 1 === width ? 0 : d + 1) {
        own[i] = Math.fround(Math.fround(Math.fround(obs[i]!) - params[shift + d]!) * params[scale + d]!);
      }
      return this.at.obs;
    }
    if (obs !== this.lastObs) {
      this.lastObs = obs;
      this.lastObsAt = obs.buffer === buffer ? obs.byteOffset : 0;
    }
    if (this.lastObsAt !== 0) return this.lastObsAt;
    for (let i = 0; i < count; i++) own[i] = obs[i]!; // `set` would need a new view
    return this.at.obs;
  }

  /** dW and db of one layer, written into the flat vector at address `flat`. */
  private weightGradient(layer: Layer, rows: number, x: number, dz: number, flat: number): void {
    const { kernels } = this.core;
    const { inputs, vectors, xStep, step, maps } = layer;
    if (!layer.packed) {
      const { weights, bias } = maps[0]!;
      kernels.backwardWeights(rows, inputs, vectors, x, xStep, dz, this.zeros, flat + weights * FLOAT_BYTES, flat + bias * FLOAT_BYTES);
      return;
    }
    kernels.backwardWeights(rows, inputs, vectors, x, xStep, dz, this.zeros, layer.dW, layer.db);
    let column = 0; // in bytes
    for (const { outputs, weights, bias } of maps) {
      const row = outputs * FLOAT_BYTES;
      kernels.copyRows(inputs, outputs, layer.dW + column, step, flat + weights * FLOAT_BYTES, row);
      kernels.copyRows(1, outputs, layer.db + column, step, flat + bias * FLOAT_BYTES, row);
      column += row;
    }
  }

  /** Separate networks each have a share in dL/dobs. */
  private inputGradient(rows: number): void {
    const { kernels } = this.core;
    const { obsDim } = this.shape;
    const first = this.bottom[0]!;
    if (!this.transposedBottom) for (const layer of this.bottom) this.transposeLayer(layer);
    this.transposedBottom = true;
    for (const { outputs, inputVectors, dz, step, transposed, dx } of this.bottom) {
      kernels.linear(rows, outputs, inputVectors, dz, step, transposed, this.zeros, dx);
      if (dx !== first.dx) kernels.axpy(rows * inputVectors * LANES, 1, dx, first.dx);
    }
    kernels.copyRows(rows, obsDim, first.dx, first.inputVectors * VECTOR_BYTES, this.at.input, obsDim * FLOAT_BYTES);
    const { scale, count: width } = this.affine;
    const { params, gradients } = this.core;
    if (width > 0) for (let i = 0; i < rows * width; i++) gradients.input[i] = gradients.input[i]! * params[scale + (i % width)]!;
  }

  private parametersChanged(): void {
    this.packed = false;
    this.transposed = false;
    this.transposedBottom = false;
  }

  private pack(): void {
    const { kernels } = this.core;
    for (const { packed, maps, inputs, w, b, step } of this.layers) {
      if (!packed) continue;
      let column = 0; // in bytes
      for (const { outputs, weights, bias } of maps) {
        const row = outputs * FLOAT_BYTES;
        kernels.copyRows(inputs, outputs, this.at.params + weights * FLOAT_BYTES, row, w + column, step);
        kernels.copyRows(1, outputs, this.at.params + bias * FLOAT_BYTES, row, b + column, step);
        column += row;
      }
    }
    this.packed = true;
  }

  private transpose(): void {
    if (!this.packed) this.pack();
    for (const layer of this.layers) if (layer.below !== undefined) this.transposeLayer(layer);
    this.transposed = true;
  }

  private transposeLayer({ inputs, outputs, w, step, transposed, inputVectors }: Layer): void {
    this.core.kernels.transpose(inputs, outputs, w, step, transposed, inputVectors * VECTOR_BYTES);
  }

  /** The address of a vector in this memory, of at least `length` numbers. */
  private address(x: Floats, length: number): number {
    if (x.buffer !== this.core.buffer)
      throw new TypeError("expected a vector in this network's memory, got one elsewhere; make it with network.vector(length)");
    if (x.length < length) throw new RangeError(`expected a vector of at least ${length} numbers, got ${x.length}`);
    return x.byteOffset;
  }

  private expectBackward(caller: string, rows: number): void {
    if (rows !== this.backwarded) throw new RangeError(`${caller}: expected the ${this.backwarded} rows of the last backward, got ${rows}`);
  }
}

export const wasm: Engine = {
  name: 'wasm',
  version: KERNELS_SHA256.slice(0, 12),
  network: (shape, maxRows) => new WasmNetwork(shape, maxRows),
};
