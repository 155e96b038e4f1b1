import { z } from 'zod';
import type { Limits } from './job.ts';

const MS: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000 };
const DURATION = /^(?:\d+(?:\.\d+)?[hms])+$/;
/** A timer of Node counts milliseconds in 31 bits. */
const MAX_DAYS = 24;

/** `90s`, `30m`, `1h30m` in milliseconds; null for what is no duration. */
function durationMs(text: string): number | null {
  if (!DURATION.test(text)) return null;
  return [...text.matchAll(/([\d.]+)([hms])/g)].reduce((sum, [, amount, unit = 's']) => sum + Number(amount) * (MS[unit] ?? 0), 0);
}

const DAYS = `must be more than 0 and at most ${MAX_DAYS} days`;

/** `limits` of a sweep file: what one job may use. */
export const limitsSchema = z
  .strictObject({
    wall: z
      .union([z.number(), z.string().regex(DURATION, 'a duration such as 90s, 30m or 1h30m, or a number of seconds')])
      .transform((wall) => Math.round(typeof wall === 'number' ? wall * 1000 : (durationMs(wall) ?? 0)))
      .refine((ms) => ms > 0 && ms <= MAX_DAYS * 24 * 3_600_000, { message: DAYS })
      .nullable()
      .default(null)
      .describe('of one job, from its start: 90s, 30m, 1h30m, or seconds'),
    memoryMb: z.int().positive().nullable().default(null).describe('of one job, in MiB: the heap and the array buffers of its thread'),
  })
  .transform(({ wall, memoryMb }): Limits => ({ wallMs: wall, memoryMb }));
