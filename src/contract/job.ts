import { canonicalJson } from './ids.ts';
import type { BaseRow, Failure, Provenance, TrialRow } from './rows.ts';
import type { BaseSpec, TrialSpec } from './spec.ts';

/** The row of a base that was trained: what a trial starts from. */
export type TrainedRow = Extract<BaseRow, { readonly ok: true }>;

/** What the queue carries: pure data, nothing of it is ever executed, imported or used as a path. `id` is the id of the row it makes. */
export type Job =
  | { readonly kind: 'base'; readonly id: string; readonly spec: BaseSpec; readonly limits: Limits }
  | { readonly kind: 'trial'; readonly id: string; readonly spec: TrialSpec; readonly base: TrainedRow; readonly limits: Limits };

/** What a job may use. They are no part of a spec: they decide whether there is a row, never which. */
export interface Limits {
  /** From its start in a thread; null is no limit. */
  readonly wallMs: number | null;
  /** Of one job: heap, array buffers and WASM memory of its thread, in MiB; null is the pool's own limit, 700 unless it was told otherwise. */
  readonly memoryMb: number | null;
}

export const unlimited: Limits = { wallMs: null, memoryMb: null };

export type JobResult =
  | { readonly kind: 'base'; readonly row: BaseRow; readonly provenance: Provenance }
  | { readonly kind: 'trial'; readonly row: TrialRow; readonly provenance: Provenance };

export type Row = BaseRow | TrialRow;

/** The folders of content-addressed files. */
export type FileKind = 'policies' | 'forget';

/** Of one file on its way through a broker. */
export const MOST_FILE_BYTES = 256 * 1024 * 1024;

/** Letters of a message in a row, and of a stack beside one: what an exception says has any length, what a broker takes in one message has not. */
const MESSAGE_LETTERS = 8_192;
const STACK_LETTERS = 32_768;

function cut(text: string, letters: number): string {
  if (text.length <= letters) return text;
  const kept = text.slice(0, letters).replace(/[\ud800-\udbff]$/, ''); // no half of a letter
  return `${kept}… (${text.length - kept.length} more letters)`;
}

/** A stack as provenance keeps it. */
export const cutStack = (stack: string): string => cut(stack, STACK_LETTERS);

/** The row of a job that has no numbers. */
export function failureRow(job: Job, { kind, message }: Failure): Row {
  const failure = { kind, message: cut(message, MESSAGE_LETTERS) };
  return job.kind === 'base'
    ? { id: job.id, spec: job.spec, ok: false, failure }
    : { id: job.id, base: job.base.id, spec: job.spec, ok: false, failure };
}

/** Kind and digest of the files that a row speaks of. */
export function filesOf(row: Row): readonly (readonly [FileKind, string])[] {
  if (!row.ok) return [];
  if ('forgetSet' in row.result) {
    return [
      ['policies', row.result.policy],
      ['forget', row.result.forgetSet],
    ];
  }
  return [['policies', row.result.policy]];
}

/**
 * Whether two rows of one spec cannot both be true. A crash or a limit says something of where a job ran, so beside it any row may stand.
 */
export function contradicts(a: Row, b: Row): boolean {
  const [one, other] = [a, b].map((row) => (row.ok || !isTransient(row.failure) ? canonicalJson(row) : null));
  return one !== null && other !== null && one !== other;
}

/** Limits and lost processes are not the job's fault: such a failure is tried again by the next `run`. */
export const isTransient = (failure: Failure): boolean => failure.kind === 'crashed' || failure.kind === 'limit';
