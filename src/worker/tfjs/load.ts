import { createRequire } from 'node:module';
import { isMainThread } from 'node:worker_threads';
import { HostError } from '../../contract/host.ts';
import { findBinding, INSTRUCTION_SET, PACKAGES, REMEDIES, type TensorFlowName } from './find.ts';

/** Freed by `dispose`, or by the `tidy` around it. */
export interface Tensor {
  dataSync(): Float32Array;
  dispose(): void;
}

/** What is used of TensorFlow.js. Ours, because its own types are not there where the package is left out. */
export interface TensorFlow {
  tidy<T>(work: () => T): T;
  keep(tensor: Tensor): Tensor;
  tensor2d(values: Float32Array, shape: readonly [number, number]): Tensor;
  tensor1d(values: Float32Array): Tensor;
  zeros(shape: readonly number[]): Tensor;
  matMul(a: Tensor, b: Tensor, transposeA?: boolean): Tensor;
  add(a: Tensor, b: Tensor): Tensor;
  addN(tensors: readonly Tensor[]): Tensor;
  mul(a: Tensor, b: Tensor): Tensor;
  square(x: Tensor): Tensor;
  sum(x: Tensor, axis: number): Tensor;
  tanh(x: Tensor): Tensor;
  concat(tensors: readonly Tensor[], axis: number): Tensor;
  slice(x: Tensor, begin: readonly number[], size: readonly number[]): Tensor;
  /** The gradients of f by each of its arguments, weighted by the cotangent `dy` of its value. */
  grads(f: (...xs: Tensor[]) => Tensor): (xs: readonly Tensor[], dy: Tensor) => Tensor[];
  getBackend(): string;
  setBackend(name: string): Promise<boolean>;
  enableProdMode(): void;
  memory(): { readonly numTensors: number; readonly numBytes: number };
  backend(): { readonly binding?: { readonly TF_Version: string } };
}

/**
 * Read by the library when it is loaded, and by no thread of its own later: an executor is started with these. Threads: one is
 * best for networks of our size, and workers have as many as they want of their own. The rest is what is silent and pinned.
 */
export const TENSORFLOW_ENVIRONMENT = {
  TF_NUM_INTRAOP_THREADS: '1',
  TF_NUM_INTEROP_THREADS: '1',
  TF_CPP_MIN_LOG_LEVEL: '2',
  ONEDNN_MAX_CPU_ISA: INSTRUCTION_SET,
} as const;

const BACKENDS = { tfjs: 'tensorflow', 'tfjs-cpu': 'cpu' } as const;
const require = createRequire(import.meta.url);

/** Gone from Node 23 on, and called by tfjs-node 4.22 in every other operation. */
const RETIRED: Readonly<Record<string, (value: unknown) => boolean>> = {
  isNullOrUndefined: (value) => value === null || value === undefined,
  isArray: Array.isArray,
};

/** TensorFlow.js with this backend in use. Throws HostError where it cannot be loaded, or is not what lies on the disk. */
export function loadTensorFlow(name: TensorFlowName): { readonly tf: TensorFlow; readonly use: () => void } {
  const found = name === 'tfjs' ? findBinding() : null;
  if (isMainThread) Object.assign(process.env, TENSORFLOW_ENVIRONMENT); // in a thread it would be a copy
  const util = require('node:util') as Record<string, unknown>;
  for (const [key, value] of Object.entries(RETIRED)) util[key] ??= value;
  let tf: TensorFlow;
  try {
    tf = (name === 'tfjs' ? require('@tensorflow/tfjs-node') : require('@tensorflow/tfjs')) as TensorFlow;
  } catch (error) {
    const [first] = String(error instanceof Error ? error.message : error).split('\n');
    throw new HostError(`engine ${name}: ${PACKAGES[name]} does not load (${first}); ${REMEDIES[name]}`, { cause: error });
  }
  tf.enableProdMode(); // or it advertises the other backend
  // Both share one registry in a process, so each asks for its own. Synchronous for these two: what is promised is an answer.
  const use = (): void => {
    if (tf.getBackend() !== BACKENDS[name]) void tf.setBackend(BACKENDS[name]);
  };
  use();
  if (tf.getBackend() !== BACKENDS[name])
    throw new HostError(`engine ${name}: expected the backend ${BACKENDS[name]}, got ${tf.getBackend()}`);
  const loaded = found && tf.backend().binding?.TF_Version;
  if (found && loaded !== found.library)
    throw new HostError(
      `engine tfjs: expected TensorFlow ${found.library}, as its installation says, got ${loaded}; npm run tfjs:native makes it anew`,
    );
  return { tf, use };
}
