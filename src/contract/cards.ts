import { z } from 'zod';
import { parseMessage } from './messages.ts';

/** What workers and coordinators show of themselves, and what is wanted of them: small, pure data in the broker, judged when it is read. */

const name = z.string().max(64);
/** Whoever reads a longer one refuses the whole card. */
export const REASON_LETTERS = 1024;
const text = z.string().max(REASON_LETTERS);
const count = z.int().min(0);
const time = z.string().max(32);

const workerCard = z.strictObject({
  v: z.literal(1),
  id: name,
  host: name,
  label: name.nullable(),
  pid: count,
  cap: name,
  node: name,
  /** Model of its processor. */
  cpu: z.string().max(256).optional(),
  startedAt: time,
  slots: count,
  /** working: takes jobs. held: takes none until it is released. leaving: ends with what runs. */
  state: z.enum(['working', 'held', 'leaving']),
  /** Why it is held. */
  reason: text,
  /** Rows with numbers, and rows of failures, since it started. */
  done: count,
  failed: count,
  running: z.array(
    z.strictObject({ sweep: name, kind: z.enum(['base', 'trial']), id: name, attempt: count, seconds: count, share: z.number() }),
  ),
});
/** A worker: its keys, what it does now, what it has done. */
export type WorkerCard = z.infer<typeof workerCard>;

const tally = z.strictObject({ trial: count, base: count });
const sweepCard = z.strictObject({
  v: z.literal(1),
  /** As in its file, and as in a subject. */
  name: z.string().max(256),
  key: name,
  cap: name,
  /** Digest of the host and the folder that holds its rows: who has the same one is the same coordinator, started again. */
  origin: name,
  host: name,
  pid: count,
  startedAt: time,
  state: z.enum(['running', 'paused', 'leaving']),
  /** Of the slots, against other sweeps. */
  weight: z.number().positive(),
  /** Jobs that it may have in the broker, and has. */
  window: count,
  queued: count,
  wanted: tally,
  done: tally,
  failed: tally,
});
/** A sweep that is being run: how far it is, and by whom. */
export type SweepCard = z.infer<typeof sweepCard>;

const wish = z.strictObject({ state: z.enum(['run', 'pause', 'cancel', 'hold']), reason: text, at: time });
/** What is wanted: of a sweep to run, pause or cancel; of a worker, or of all of an identity, to run or to be held. Stays until something else is wanted. */
export type Wish = z.infer<typeof wish>;

/** Of a worker, by its id: `<identity>`, or `<identity>.<anything>` where several may have one. It is what a key lets in, and what is held. */
export const identityOf = (worker: string): string => worker.split('.', 1)[0] ?? worker;

export const parseWorkerCard = (message: string): WorkerCard => parseMessage(workerCard, message) as WorkerCard;
export const parseSweepCard = (message: string): SweepCard => parseMessage(sweepCard, message) as SweepCard;
export const parseWish = (message: string): Wish => parseMessage(wish, message) as Wish;
