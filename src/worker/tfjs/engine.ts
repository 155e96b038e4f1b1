/**
 * TensorFlow.js: somebody else's matrices and somebody else's gradients behind our interface. Forward is its operations, backward
 * its automatic differentiation; what works on flat vectors (Adam, masks, minibatches, GAE) are the definitions of src/math in float32.
 * It is there to check the other engines and for wide networks; small ones cost as many operations and are slower by far.
 */
import { adam } from '../../math/adam.ts';
import type { AdamOptions, AdamState, Engine, Floats, Head, Network, Shape } from '../../math/engine.ts';
import { gae } from '../../math/gae.ts';
import { affine, type Linear, linears, size, weightCount } from '../../math/layout.ts';
import { axpy, dot, gather, mul, norm } from '../../math/vector.ts';
import { type TensorFlowName, tensorFlowVersion } from './find.ts';
import { loadTensorFlow, type Tensor, type TensorFlow } from './load.ts';

const SMALLEST_NORMAL = 2 ** -126;

class TensorFlowNetwork implements Network {
  readonly shape: Shape;
  readonly maxRows: number;
  readonly size: number;
  readonly gather = gather;
  readonly gae = gae;
  readonly mul = mul;
  readonly axpy = axpy;
  readonly dot = dot;
  readonly norm = norm;
  readonly #tf: TensorFlow;
  readonly #use: () => void;
  readonly #maps: readonly Linear[];
  readonly #affine: ReturnType<typeof affine>;
  readonly #params: Float32Array;
  /** Of the head. */
  readonly #own: { readonly [name in 'logits' | 'value' | 'dLogits' | 'dValue' | 'dLogStd']: Float32Array };
  readonly #head: Head;
  readonly #gradients: { readonly weights: Float32Array; readonly input: Float32Array };
  /** W, b, W, b, ... as they were uploaded; null after a change. */
  #weights: Tensor[] | null = null;
  /** [rows, obsDim] of the last `forward`, and what `backward` differentiated. */
  #obs: { readonly x: Tensor; readonly rows: number } | null = null;
  #last: { readonly x: Tensor; readonly dy: Tensor; readonly rows: number } | null = null;
  #freed = false;

  constructor(tf: TensorFlow, use: () => void, shape: Shape, maxRows: number) {
    const floats = (length: number) => new Float32Array(length);
    this.#tf = tf;
    this.#use = use;
    this.shape = shape;
    this.maxRows = maxRows;
    this.size = size(shape);
    this.#maps = linears(shape);
    this.#affine = affine(shape);
    this.#params = floats(this.size);
    this.#gradients = { weights: floats(this.size), input: floats(maxRows * shape.obsDim) };
    const { actions } = shape;
    const [logits, dLogits] = [floats(maxRows * actions), floats(maxRows * actions)];
    this.#own = { logits, value: floats(maxRows), dLogits, dValue: floats(maxRows), dLogStd: floats(shape.gaussian ? actions : 0) };
    const logStd = this.#params.subarray(weightCount(shape), this.#affine.shift);
    this.#head = { ...this.#own, logStd, stride: actions, valueStride: 1 };
  }

  get(): Float32Array {
    return this.#params.slice();
  }

  set(params: Floats): void {
    this.#params.set(params);
    this.#parametersChanged();
  }

  vector(length: number): Float32Array {
    return new Float32Array(length);
  }

  forward(obs: Floats, rows: number): Head {
    if (rows > this.maxRows) throw new RangeError(`forward: expected at most ${this.maxRows} rows, got ${rows}`);
    const count = rows * this.shape.obsDim;
    if (obs.length < count) throw new RangeError(`forward: expected ${count} numbers in ${rows} observations, got ${obs.length}`);
    this.#compute(() => {
      const x = this.#normalised(Float32Array.from(obs.subarray(0, count)));
      this.#forget();
      this.#obs = { x: this.#tf.keep(this.#tf.tensor2d(x, [rows, this.shape.obsDim])), rows };
      const outputs = this.#outputs(this.#obs.x, this.#uploaded());
      this.#own.logits.set(outputs.at(-2)!.dataSync());
      this.#own.value.set(outputs.at(-1)!.dataSync());
    });
    return this.#head;
  }

  /** Σ head·cotangent, differentiated by TensorFlow. */
  backward(rows: number, want: { weights?: boolean; input?: boolean }): { weights: Floats; input: Floats } {
    const forwarded = this.#obs?.rows ?? 0;
    if (rows > forwarded) throw new RangeError(`backward: expected at most the ${forwarded} rows of the last forward, got ${rows}`);
    const { dLogits, dValue, dLogStd } = this.#own;
    const { actions, obsDim } = this.shape;
    this.#compute((tf) => {
      this.#forgetLast();
      const x = tf.keep(tf.slice(this.#obs!.x, [0, 0], [rows, obsDim]));
      const parts = [tf.tensor2d(dLogits.subarray(0, rows * actions), [rows, actions]), tf.tensor2d(dValue.subarray(0, rows), [rows, 1])];
      const dy = tf.keep(tf.concat(parts, 1));
      this.#last = { x, dy, rows };
      const weights = this.#uploaded();
      const by = [...(want.weights === true ? weights : []), ...(want.input === true ? [x] : [])];
      if (by.length === 0) return;
      const f = (...at: Tensor[]): Tensor =>
        this.#joined(this.#outputs(want.input === true ? at.at(-1)! : x, want.weights === true ? at : weights));
      const gradients = tf
        .grads(f)(by, dy)
        .map((gradient) => gradient.dataSync());
      if (want.input === true) this.#gradients.input.set(gradients.pop()!);
      let at = 0;
      for (const gradient of gradients) {
        this.#gradients.weights.set(gradient, at);
        at += gradient.length;
      }
    });
    if (want.weights === true) this.#gradients.weights.set(dLogStd, weightCount(this.shape));
    const { scale, count: width } = this.#affine;
    if (want.input === true && width > 0)
      for (let i = 0; i < rows * width; i++) this.#gradients.input[i]! *= this.#params[scale + (i % width)]!;
    return this.#gradients;
  }

  /** out[r] = Σ_layers |dz_r|²·(|x_r|² + 1) */
  sampleNorms(rows: number, out: Floats): void {
    this.#perLayer('sampleNorms', rows, (tf, layers) => {
      const shares = layers.map(({ x, dz }) => {
        const bias = tf.sum(tf.square(dz), 1);
        return tf.add(tf.mul(bias, tf.sum(tf.square(x), 1)), bias);
      });
      out.set(tf.addN(shares).dataSync());
    });
  }

  /** out_W += (x∘x)ᵀ(dz∘dz), out_b += Σ_r dz∘dz */
  fisher(rows: number, out: Floats): void {
    this.#perLayer('fisher', rows, (tf, layers) => {
      for (const [i, { x, dz }] of layers.entries()) {
        const squares = tf.square(dz);
        const { weights, bias } = this.#maps[i]!;
        for (const [j, f] of tf.matMul(tf.square(x), squares, true).dataSync().entries()) out[weights + j]! += f;
        for (const [j, f] of tf.sum(squares, 0).dataSync().entries()) out[bias + j]! += f;
      }
    });
  }

  adam(state: AdamState, gradient: Floats, options: AdamOptions, mask?: Floats): void {
    adam(this.#params, state, gradient, options, mask);
    for (const moment of [state.m, state.v])
      for (let i = 0; i < moment.length; i++) if (Math.abs(moment[i]!) < SMALLEST_NORMAL && mask?.[i] !== 0) moment[i] = 0; // denormals are slow
    this.#parametersChanged();
  }

  free(): void {
    this.#forget();
    this.#parametersChanged();
    this.#freed = true;
  }

  #compute(work: (tf: TensorFlow) => void): void {
    if (this.#freed) throw new Error('network: expected one in use, got one that was freed');
    this.#use();
    this.#tf.tidy(() => work(this.#tf));
  }

  /** (obs − shift)·scale in place, where the shape has it. */
  #normalised(obs: Float32Array): Float32Array {
    const { shift, scale, count: width } = this.#affine;
    if (width > 0)
      for (let i = 0; i < obs.length; i++)
        obs[i] = Math.fround(obs[i]! - this.#params[shift + (i % width)]!) * this.#params[scale + (i % width)]!;
    return obs;
  }

  /** What every linear map gives, squashed if it is. `offsets` are added before that: their gradient is dz. */
  #outputs(x: Tensor, weights: readonly Tensor[], offsets: readonly Tensor[] = []): Tensor[] {
    const tf = this.#tf;
    const outputs: Tensor[] = [];
    for (const [i, { reads, squashed }] of this.#maps.entries()) {
      const linear = tf.add(tf.matMul(outputs[reads] ?? x, weights[2 * i]!), weights[2 * i + 1]!);
      const z = offsets[i] === undefined ? linear : tf.add(linear, offsets[i]);
      outputs.push(squashed ? tf.tanh(z) : z);
    }
    return outputs;
  }

  /** Policy and value heads as the one matrix of which there is a cotangent. */
  #joined(outputs: readonly Tensor[]): Tensor {
    return this.#tf.concat(outputs.slice(-2), 1);
  }

  /** Every linear map's input and dL/dz of the last `backward`. */
  #perLayer(caller: string, rows: number, work: (tf: TensorFlow, layers: { readonly x: Tensor; readonly dz: Tensor }[]) => void): void {
    const known = this.#last?.rows ?? 0;
    if (rows !== known) throw new RangeError(`${caller}: expected the ${known} rows of the last backward, got ${rows}`);
    this.#compute((tf) => {
      const { x, dy } = this.#last!;
      const weights = this.#uploaded();
      const outputs = this.#outputs(x, weights);
      const zeros = this.#maps.map((map) => tf.zeros([rows, map.outputs]));
      const dz = tf.grads((...offsets) => this.#joined(this.#outputs(x, weights, offsets)))(zeros, dy);
      work(
        tf,
        this.#maps.map(({ reads }, i) => ({ x: outputs[reads] ?? x, dz: dz[i]! })),
      );
    });
  }

  /** Views: they are given up whenever a parameter changes. */
  #uploaded(): Tensor[] {
    const tf = this.#tf;
    this.#weights ??= this.#maps.flatMap(({ inputs, outputs, weights, bias }) => [
      tf.keep(tf.tensor2d(this.#params.subarray(weights, bias), [inputs, outputs])),
      tf.keep(tf.tensor1d(this.#params.subarray(bias, bias + outputs))),
    ]);
    return this.#weights;
  }

  #parametersChanged(): void {
    this.#forgetLast();
    for (const tensor of this.#weights ?? []) tensor.dispose();
    this.#weights = null;
  }

  #forgetLast(): void {
    this.#last?.x.dispose();
    this.#last?.dy.dispose();
    this.#last = null;
  }

  #forget(): void {
    this.#forgetLast();
    this.#obs?.x.dispose();
    this.#obs = null;
  }
}

/** Networks over a TensorFlow.js that is loaded; `use` makes its backend the one in use. */
export const networksOver =
  (tf: TensorFlow, use: () => void): Engine['network'] =>
  (shape, maxRows) =>
    new TensorFlowNetwork(tf, use, shape, maxRows);

/** Loads TensorFlow. Throws HostError where it is not installed, or is not what its installation says. */
export function makeTensorFlow(name: TensorFlowName): Engine {
  const { tf, use } = loadTensorFlow(name);
  return { name, version: tensorFlowVersion(name), network: networksOver(tf, use), heldBytes: () => tf.memory().numBytes };
}
