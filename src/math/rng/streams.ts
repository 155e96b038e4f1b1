import { digestBytes, type Json } from '../../contract/ids.ts';
import { Stream } from './threefry.ts';

/** What the numbers are for. Two purposes never share a draw, so using more of one cannot move another. */
export type Purpose = 'init' | 'action' | 'shuffle' | 'world' | 'identify' | 'evaluate' | 'correct';

/** The stream of a purpose and its fields (environment with options, seed, ...): its key is the first 64 bits of the digest of `[purpose, ...fields]`. */
export function makeStream(purpose: Purpose, ...fields: readonly Json[]): Stream {
  const bytes = digestBytes([purpose, ...fields]);
  const key = new DataView(bytes.buffer, bytes.byteOffset, 8);
  return new Stream(key.getUint32(0), key.getUint32(4));
}

/** The seed of a world: the first word of its own stream. */
export function worldSeed(stream: Stream): number {
  return stream.uint32();
}
