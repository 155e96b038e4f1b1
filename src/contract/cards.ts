import { z } from 'zod';
import { parseMessage } from './messages.ts';

/** What workers and coordinators show of themselves, and what is wanted of them: small, pure data in the broker, judged when it is read. */

const name = z.string().max(64);
/** Whoever reads a longer one refuses the whole card. */
export const REASON_LETTERS = 1024;
const text = z.string().max(REASON_LETTERS);
/** Of what a job is called, and of how many: a card is small. */
export const NAME_LETTERS = 160;
export const MOST_NAMES = 64;
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
  /** working: takes jobs. drained: takes none, because somebody asked it to. held: takes none, because its key is not trusted. leaving: ends with what runs. */
  state: z.enum(['working', 'drained', 'held', 'leaving']),
  /** Why it is drained or held. */
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
  /** Rows in the last minute, or since it began. */
  perMinute: z.number().min(0).optional(),
  /** How long the rest takes, as far as it is known; `atLeast` where something is not. */
  left: z
    .strictObject({ ms: z.number().min(0), atLeast: z.boolean() })
    .nullable()
    .optional(),
  /** What its running jobs are called, of some of them. */
  names: z
    .array(z.strictObject({ id: name, name: z.string().max(NAME_LETTERS) }))
    .max(MOST_NAMES)
    .optional(),
});
/** A sweep that is being run: how far it is, and by whom. */
export type SweepCard = z.infer<typeof sweepCard>;

const wish = z.strictObject({ state: z.enum(['run', 'pause', 'cancel', 'hold']), reason: text, at: time });
/** What is wanted: of a sweep to run, pause or cancel; of a worker, or of all of an identity, to run or to be held. Stays until something else is wanted. */
export type Wish = z.infer<typeof wish>;

/** Of a worker, by its id: `<identity>`, or `<identity>.<anything>` where several may have one. It is what a key lets in, and what is held. */
export const identityOf = (worker: string): string => worker.split('.', 1)[0] ?? worker;

/** A card as it was found: how long its owner has said nothing. It renews it every 5 s. */
export type Seen<Card> = Card & { readonly silentMs: number };
/** Who is silent for longer has gone, or cannot be heard. */
export const SILENT_MS = 12_000;

export const parseWorkerCard = (message: string): WorkerCard => parseMessage(workerCard, message) as WorkerCard;
export const parseSweepCard = (message: string): SweepCard => parseMessage(sweepCard, message) as SweepCard;
export const parseWish = (message: string): Wish => parseMessage(wish, message) as Wish;
