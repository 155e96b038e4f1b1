import type { Provenance } from './rows.ts';
import type { EngineName } from './spec.ts';

/** What of a machine decides bits that are not ours to promise. */
export type Machine = Pick<Provenance, 'cpu' | 'node'>;

const UNKNOWN = ['', 'unknown'];

/**
 * Whether two machines give the same bytes. `wasm` and `reference` do anywhere. TensorFlow's native library chooses its kernels by the
 * processor; plain TensorFlow.js also takes exp and tanh from Node. `unknown`: what a processor of which nothing is known is taken for.
 */
export function sameBits(engine: EngineName, one: Machine, other: Machine, unknown: 'same' | 'other'): boolean {
  if (engine === 'wasm' || engine === 'reference') return true;
  const known = !UNKNOWN.includes(one.cpu) && !UNKNOWN.includes(other.cpu);
  const sameCpu = known ? one.cpu === other.cpu : unknown === 'same';
  return sameCpu && (engine === 'tfjs' || one.node === other.node);
}
