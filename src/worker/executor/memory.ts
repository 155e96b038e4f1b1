import { performance } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import { MemoryError } from '../../contract/errors.ts';
import { cells } from './protocol.ts';

export const MB = 2 ** 20;

/** Statistics of a heap cost a microsecond, and a job may report progress a thousand times as often as they are worth it. */
const SAMPLE_MS = 20;
/** The first leaves array buffers to a sweeper beside it, the second waits for that. */
const COLLECTIONS = 2;

/** What this thread holds, in bytes. WASM memory counts whole, as it was asked for. */
interface Held {
  readonly heap: number;
  /** Array buffers, WASM memory, tensors. */
  readonly outside: number;
}

/** `unseen` is what an engine holds beside them. */
export function held(unseen = 0): Held {
  const { used_heap_size: heap, external_memory: outside } = getHeapStatistics();
  return { heap, outside: outside + unseen };
}

/** Garbage counts until it is collected; without `--expose-gc` nobody collects. */
export function collect(): void {
  for (let i = 0; i < COLLECTIONS; i++) globalThis.gc?.();
}

/** Written as a failure says it. */
export const memoryMessage = (limitMb: number, measured: string): string => `memory: more than ${limitMb} MB (${measured})`;

const inMb = (bytes: number): number => Math.ceil(bytes / MB);
const printHeld = ({ heap, outside }: Held): string =>
  `${inMb(heap + outside)} MB: ${inMb(heap)} of heap, ${inMb(outside)} of array buffers and wasm`;

/** Node's limit for a thread knows its heap alone, so a job's memory is measured where the job calls us: here, in its thread. */
export interface MemoryWatch {
  /** Tells the executor what the thread holds. Throws MemoryError when that is too much. */
  check(): void;
  /** As `check`, at most every 20 ms. */
  sample(): void;
  /** What V8 throws where an allocation is refused becomes a MemoryError; other errors stay what they are. */
  explain(error: unknown): unknown;
}

/** `memoryMb` is the limit of the job that runs in this thread. */
export function watchMemory(memoryMb: number, shared: Int32Array, measure: () => Held = held): MemoryWatch {
  let next = 0;
  const check = (): void => {
    next = performance.now() + SAMPLE_MS;
    const before = measure();
    Atomics.store(shared, cells.heldMb, inMb(before.heap + before.outside));
    Atomics.add(shared, cells.samples, 1);
    if (before.heap + before.outside <= memoryMb * MB) return;
    collect();
    const after = measure();
    if (after.heap + after.outside > memoryMb * MB) throw new MemoryError(memoryMessage(memoryMb, printHeld(after)));
  };
  return {
    check,
    sample: () => {
      if (performance.now() >= next) check();
    },
    explain: (error) => {
      const refused = refusal(error);
      return refused === null
        ? error
        : new MemoryError(memoryMessage(memoryMb, `${refused}, with ${printHeld(measure())}`), { cause: error });
    },
  };
}

/**
 * V8's words for `new ArrayBuffer`, a typed array of hundreds of millions of numbers, and `new WebAssembly.Memory` or its `grow`;
 * TensorFlow's for a tensor.
 */
const REFUSED = /^(Array buffer allocation failed|Invalid typed array length: \d{9,}|WebAssembly\.Memory\b.*|Invalid TF_Status: 8\b.*)$/s;
const PAGES_PER_MB = 16;

/** Null for an error of another kind. WASM counts in pages; nobody else does. */
function refusal(error: unknown): string | null {
  if (!(error instanceof Error) || !REFUSED.test(error.message)) return null;
  const [, pages] = error.message.match(/value (\d+) is above the upper bound/) ?? [];
  if (pages !== undefined) return `refused: ${Math.ceil(Number(pages) / PAGES_PER_MB)} MB of wasm memory at once`;
  const [tensor] = error.message.match(/allocating tensor with shape\[[\d,]+\]/) ?? [];
  return tensor === undefined ? error.message : `refused: ${tensor}`;
}
