import { z } from 'zod';
import { parseMessage } from './messages.ts';

/** Files that a results folder has once rows were computed twice: what became of it, and the rows that do not count. */
export const LEDGER = { checks: 'checks.jsonl', aside: 'aside.jsonl' } as const;

/**
 * One line of checks.jsonl: what became of the jobs that were done again by another worker. `by` is the identity that the broker let in,
 * empty for the coordinator's own process; `row` is the short digest of a whole row.
 */
const kind = z.enum(['base', 'trial']);
const job = { kind, id: z.string() };
const claim = { by: z.string(), row: z.string() };
const machine = z.object({ cpu: z.string(), node: z.string() });

const checkEntry = z.discriminatedUnion('state', [
  /** Another worker shall do it again: the row that is there, whose it is, and where it was made. */
  z.object({ state: z.literal('chosen'), ...job, ...claim, on: machine, wallMs: z.number() }),
  /** Somebody else says that it is another row. */
  z.object({ state: z.literal('unlike'), ...job, ...claim }),
  /** These say the same row, and nobody another one. */
  z.object({ state: z.literal('same'), ...job, row: z.string(), by: z.array(z.string()) }),
  /** `by` say this row, `against` another one; or `against` said two, and `by` is empty. */
  z.object({ state: z.literal('decided'), ...job, row: z.string(), by: z.array(z.string()), against: z.array(z.string()) }),
  /** Rows of these, and all trials of their bases, were taken out. */
  z.object({ state: z.literal('retracted'), of: z.array(z.string()), base: z.array(z.string()), trial: z.array(z.string()) }),
]);
export type CheckEntry = z.infer<typeof checkEntry>;

/** Null for what is none. */
export function parseCheckEntry(line: string): CheckEntry | null {
  try {
    return parseMessage(checkEntry, line) as CheckEntry;
  } catch {
    return null;
  }
}
