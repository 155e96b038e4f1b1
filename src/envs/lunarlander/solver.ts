import { decodeBase64 } from '../../math/base64.ts';
import { SOLVER_WASM } from './solver.wasm.ts';

/** The exports of assembly/solver.ts, where they are described. Arguments are byte addresses and counts. */
interface Exports {
  recordSize(): number;
  origin(): number;
  begin(world: number): void;
  ground(world: number): void;
  step(list: number, count: number): void;
}

export interface Solver extends Exports {
  /** The solver's whole memory; a record's number at byte b is element b / 4. */
  readonly floats: Float32Array;
  /** Address of each world's record. */
  readonly worlds: readonly number[];
  /** Where those addresses lie in the solver's memory, 4 bytes each: arguments of `step`. */
  readonly list: number;
}

const PAGE = 65536;

let compiled: WebAssembly.Module | undefined;

/** An instance of its own with memory for n worlds; the module is compiled once per process. */
export function makeSolver(n: number): Solver {
  compiled ??= new WebAssembly.Module(decodeBase64(SOLVER_WASM));
  const memory = new WebAssembly.Memory({ initial: 1 });
  const exports = { ...new WebAssembly.Instance(compiled, { env: { memory } }).exports } as unknown as Exports;
  const origin = exports.origin();
  const size = exports.recordSize();
  const list = origin + n * size;
  memory.grow(Math.ceil((list + 4 * n) / PAGE));
  const worlds = Array.from({ length: n }, (_, i) => origin + i * size);
  new Uint32Array(memory.buffer, list, n).set(worlds);
  return { ...exports, floats: new Float32Array(memory.buffer), worlds, list };
}
