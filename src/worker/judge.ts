import { canonicalJson } from '../contract/ids.ts';
import type { FileKind, Row } from '../contract/job.ts';
import { decodeTensors } from '../math/safetensors.ts';
import { decodePolicy } from '../ppo/policy.ts';
import { shapeOf } from './jobs.ts';

const FORGET = ['obs', 'action', 'weight', 'episode', 'step'];

/**
 * Whether a file is of the kind that its row says: a policy of the shape that its base trains, a forget set with all its columns.
 * A digest tells that the bytes are those of the row, not that they are of any use. Throws RangeError.
 */
export function judgeFile(row: Row, kind: FileKind, bytes: Uint8Array): void {
  if (kind === 'policies') {
    const base = 'base' in row.spec ? row.spec.base : row.spec;
    const [expected, got] = [shapeOf(base), decodePolicy(bytes).shape].map((shape) => canonicalJson(shape));
    if (got !== expected) throw new RangeError(`policy: expected one of shape ${expected}, got ${got}`);
    return;
  }
  const { tensors, metadata } = decodeTensors(bytes);
  if (metadata['format'] !== 'spc-forget-1') throw new RangeError(`forget set: expected format spc-forget-1, got ${metadata['format']}`);
  const [rows] = tensors['obs']?.shape ?? [];
  const missing = FORGET.find((name) => tensors[name]?.shape[0] !== rows || rows === undefined);
  if (missing !== undefined) throw new RangeError(`forget set: expected ${FORGET.join(', ')} of equal length, got another ${missing}`);
}
