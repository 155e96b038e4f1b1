import type { FileKind, Job, Row } from '../../contract/job.ts';
import type { EngineName } from '../../contract/spec.ts';

/** What a thread is given: pure data. `policy` is the file of a trial's base. */
export interface Work {
  readonly job: Job;
  readonly policy: Uint8Array | null;
  /** What the job may hold: heap, array buffers and WASM memory together. */
  readonly memoryMb: number;
  /** Int32 cells shared with the threads around: see `cells`. */
  readonly cells: SharedArrayBuffer;
}

/** Asks a thread whether it can compute at all: with these engines, loaded now and not in the first job. */
export interface SelfTest {
  readonly selfTest: readonly EngineName[];
}

/** Indices into `Work.cells`: the executor writes `abort`, the thread all others. `heldMb` is its last measurement of itself, `samples` their number. */
export const cells = { started: 0, done: 1, total: 2, heldMb: 3, samples: 4, abort: 5, length: 6 } as const;

/** What a thread gives back. Times and hosts stay out of the row. */
export interface Finished {
  readonly row: Row;
  readonly files: readonly (readonly [FileKind, Uint8Array])[];
  readonly facts: Facts;
}

/** The part of a provenance record that is known where the job ran. */
export interface Facts {
  readonly node: string;
  readonly engine: string;
  readonly startedAt: string;
  readonly wallMs: number;
  readonly phasesMs: Readonly<Record<string, number>>;
  readonly stack?: string;
}

export type Answer = Finished | 'aborted';

/** Agent to executor. `key` counts runs: a job that is run twice has two. */
export type Order =
  | { readonly type: 'run'; readonly key: number; readonly job: Job; readonly policy: Uint8Array | null; readonly memoryMb: number }
  | { readonly type: 'abort'; readonly key: number };

/** Executor to agent. `lost`: the thread died with the job and nothing else did. */
export type Report =
  | { readonly type: 'ready' }
  | { readonly type: 'broken'; readonly message: string }
  | { readonly type: 'answer'; readonly key: number; readonly answer: Answer }
  | { readonly type: 'lost'; readonly key: number; readonly cause: 'aborted' | 'memory' | 'died'; readonly message: string }
  | { readonly type: 'progress'; readonly key: number; readonly done: number; readonly total: number };
