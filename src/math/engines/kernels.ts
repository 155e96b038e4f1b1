import { decodeBase64 } from '../base64.ts';
import { KERNELS_WASM } from './kernels.wasm.ts';

/** The exports of ../assembly/kernels.ts, where they are described. Arguments are counts, byte addresses, steps in bytes, scalars. */
// biome-ignore format: one line per kernel
export interface Kernels {
  linear(rows: number, inputs: number, vectors: number, x: number, xStep: number, w: number, b: number, y: number): void;
  forwardTanh(rows: number, inputs: number, vectors: number, x: number, xStep: number, w: number, b: number, h: number): void;
  backwardHidden(rows: number, outputs: number, vectors: number, dz: number, dzStep: number, transposed: number, zeros: number, h: number, below: number): void;
  backwardWeights(rows: number, inputs: number, vectors: number, x: number, xStep: number, dz: number, zeros: number, dW: number, db: number): void;
  sampleNorms(rows: number, inputs: number, outputs: number, x: number, xStep: number, dz: number, dzStep: number, out: number): void;
  flushAll(vectors: number, x: number): void;
  adam(n: number, params: number, gradient: number, m: number, v: number, mask: number,
    scale: number, stepSize: number, rootScale: number, beta1: number, rest1: number, beta2: number, rest2: number, eps: number): void;
  gae(numSteps: number, numEnvs: number, reward: number, value: number, nextValue: number, terminated: number, ended: number,
    gamma: number, decay: number, advantage: number): void;
  gather(rows: number, width: number, source: number, indices: number, out: number): void;
  copyRows(rows: number, columns: number, from: number, fromStep: number, to: number, toStep: number): void;
  transpose(rows: number, columns: number, from: number, fromStep: number, to: number, toStep: number): void;
  square(vectors: number, x: number, out: number): void;
  mul(n: number, a: number, b: number): void;
  axpy(n: number, scale: number, x: number, y: number): void;
  dot(n: number, a: number, b: number): number;
}

let compiled: WebAssembly.Module | undefined;

/** A fresh instance over `memory`; the module is compiled once per process. */
export function instantiate(memory: WebAssembly.Memory): Kernels {
  compiled ??= new WebAssembly.Module(decodeBase64(KERNELS_WASM));
  const { exports } = new WebAssembly.Instance(compiled, { env: { memory } });
  return { ...exports } as unknown as Kernels; // a copy: calls through the exports object itself are slow look-ups
}
