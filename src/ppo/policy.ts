import { DivergedError, RefusedError } from '../contract/errors.ts';
import { canonicalJson, contentDigest } from '../contract/ids.ts';
import type { Floats, Network, Shape } from '../math/engine.ts';
import { layout, size } from '../math/layout.ts';
import { decodeTensors, encodeTensors, type Tensor } from '../math/safetensors.ts';

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
  return encodeTensors(tensors, { format: 'spc-policy-1', shape: canonicalJson(policy.shape) });
}

/** Throws RangeError for a file that is not a policy, whose tensors do not fit its shape, or whose weights are no finite numbers. */
export function decodePolicy(bytes: Uint8Array): Policy {
  const { tensors, metadata } = decodeTensors(bytes);
  if (metadata['format'] !== 'spc-policy-1') throw new RangeError(`policy: expected format spc-policy-1, got ${metadata['format']}`);
  const shape = parseShape(metadata['shape']);
  const entries = layout(shape);
  const first = tensors[entries[0]?.name ?? '']?.data;
  const params = first instanceof Float64Array ? new Float64Array(size(shape)) : new Float32Array(size(shape));
  for (const entry of entries) {
    const tensor = tensors[entry.name];
    const expected = JSON.stringify(entry.shape);
    if (!tensor || JSON.stringify(tensor.shape) !== expected || tensor.data.constructor !== params.constructor)
      throw new RangeError(
        `policy: expected tensor ${entry.name} of shape ${expected}, got ${tensor ? JSON.stringify(tensor.shape) : 'none'}`,
      );
    const at = tensor.data.findIndex((w) => !Number.isFinite(w));
    if (at >= 0) throw new RangeError(`policy: expected finite weights, got ${tensor.data[at]} at ${entry.name}[${at}]`);
    params.set(tensor.data, entry.offset);
  }
  return { shape, params };
}

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
