import { DivergedError, RefusedError } from '../contract/errors.ts';
import { canonicalJson, contentDigest } from '../contract/ids.ts';
import type { Floats, Network, Shape } from '../math/engine.ts';
import { type Entry, layout, size } from '../math/layout.ts';
import { encodeTensors, numbersOf, type RawTensor, readTensors, type Tensor } from '../math/safetensors.ts';

const FORMAT = 'spc-policy-1';

/** A trained network as data: `params` in the layout of math/layout.ts. */
export interface Policy {
  readonly shape: Shape;
  readonly params: Floats;
}

/** Throws DivergedError for weights that are no finite numbers: gradients are judged before a step, this judges the last one. */
export function policyOf(network: Network): Policy {
  const params = network.get();
  if (!params.every((w) => Number.isFinite(w))) throw new DivergedError('policy: expected finite weights');
  return { shape: network.shape, params };
}

/** One tensor per weight and bias, in the layout's order; the shape stands in the metadata. Same policy, same bytes. */
export function encodePolicy(policy: Policy): Uint8Array {
  const tensors: Record<string, Tensor> = {};
  for (const { name, shape, offset } of layout(policy.shape)) {
    const count = shape.reduce((n, d) => n * d, 1);
    tensors[name] = { shape, data: policy.params.slice(offset, offset + count) };
  }
  return encodeTensors(tensors, { format: FORMAT, shape: canonicalJson(policy.shape) });
}

/** Throws RangeError for a file that is not a policy, whose tensors do not fit its shape, or whose weights are no finite numbers. */
export const decodePolicy = (bytes: Uint8Array): Policy => readPolicy(bytes).policy;

/** The same, and the names of the tensors that are no part of it. */
export function readPolicy(bytes: Uint8Array): { policy: Policy; others: string[] } {
  const { tensors, metadata } = readTensors(bytes);
  if (metadata['format'] !== FORMAT)
    throw new RangeError(`policy: expected format ${FORMAT}, got ${metadata['format'] ?? none([...tensors.keys()])}`);
  const shape = parseShape(metadata['shape']);
  const entries = layout(shape);
  const dtype = tensors.get(entries[0]?.name ?? '')?.dtype === 'F64' ? 'F64' : 'F32';
  // All of them before memory is taken: the shape may be a lie.
  const found = entries.map((entry) => fitting(entry, dtype, tensors.get(entry.name)));
  const params = dtype === 'F64' ? new Float64Array(size(shape)) : new Float32Array(size(shape));
  for (const [i, { name, offset }] of entries.entries()) {
    const weights = numbersOf(name, found[i] as RawTensor);
    const at = weights.findIndex((w) => !Number.isFinite(w));
    if (at >= 0) throw new RangeError(`policy: expected finite weights, got ${weights[at]} at ${name}[${at}]`);
    params.set(weights, offset);
  }
  const names = new Set(entries.map(({ name }) => name));
  return { policy: { shape, params }, others: [...tensors.keys()].filter((name) => !names.has(name)) };
}

function fitting({ name, shape }: Entry, dtype: string, tensor: RawTensor | undefined): RawTensor {
  const [expected, got] = [JSON.stringify(shape), tensor && JSON.stringify(tensor.shape)];
  if (tensor === undefined || got !== expected)
    throw new RangeError(`policy: expected tensor ${name} of shape ${expected}, got ${got ?? 'none'}`);
  if (tensor.dtype === dtype) return tensor;
  throw new RangeError(`policy: expected tensor ${name} of F32 or F64, all of one, got ${tensor.dtype}; convert it where it was written`);
}

/** What a file of somebody else's has instead of a format. */
const none = (names: readonly string[]): string =>
  `none: a valid safetensors file, of another program (${names.length} tensors${names.length > 0 ? `: ${names.slice(0, 3).join(', ')}` : ''}${names.length > 3 ? ', …' : ''})`;

/** The policy that a trial starts from. Throws RefusedError where the file is not that of a base of this shape: its digest may be right all the same. */
export function decodeBase(bytes: Uint8Array, base: string, shape: Shape): Policy {
  const refuse = (what: string, cause?: unknown): never => {
    throw new RefusedError(
      `base ${base}: ${what}; delete the row of the base and those of its trials, and the next run computes them anew`,
      { cause },
    );
  };
  let policy: Policy;
  try {
    policy = decodePolicy(bytes);
  } catch (cause) {
    return refuse(cause instanceof Error ? cause.message : String(cause), cause);
  }
  const [wanted, got] = [canonicalJson(shape), canonicalJson(policy.shape)];
  return wanted === got ? policy : refuse(`expected a policy of shape ${wanted}, got ${got}`);
}

/** 16 hex digits of the SHA-256 of the weights: a point of a `trace`. */
export function weightsDigest(params: Floats): string {
  return contentDigest(new Uint8Array(params.buffer, params.byteOffset, params.byteLength)).slice(0, 16);
}

/** Throws RangeError for a text that is no shape. */
export function parseShape(text: string | undefined): Shape {
  const width = (x: unknown): boolean => Number.isSafeInteger(x) && (x as number) > 0;
  try {
    const { obsDim, hidden, actions, gaussian, separate, normalised } = JSON.parse(text ?? '') as Partial<Shape>;
    if (width(obsDim) && width(actions) && Array.isArray(hidden) && hidden.length > 0 && hidden.every(width))
      return {
        obsDim,
        hidden,
        actions,
        gaussian: gaussian === true,
        separate: separate === true,
        ...(normalised === true && { normalised }),
      } as Shape;
  } catch {
    // not JSON: the same refusal
  }
  throw new RangeError(`policy: expected a network's shape, got ${text ?? 'none'}`);
}
