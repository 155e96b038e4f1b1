import { z } from 'zod';

/** Larger grids are refused: every trial is planned in memory, and nobody reads a table of so many rows. */
export const MAX_TRIALS = 1_000_000;

const seed = z.int().min(0);
export const seedCount = z.int().positive().max(MAX_TRIALS);
export const range = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i);

const RANGE = /^\s*(\d{1,15})\s*\.\.\s*(\d{1,15})\s*$/;
export const ABOUT_RANGE = 'a range such as 1..5';

/** `1..5`, both ends included, as in `--where seed=1..5`; null for what is no range. */
function ends(text: string): readonly [low: number, high: number] | null {
  const [, low, high] = text.match(RANGE) ?? [];
  return low === undefined || high === undefined ? null : [Number(low), Number(high)];
}
/** How many seeds it stands for. */
const count = (one: number | string): number => {
  if (typeof one === 'number') return 1;
  const [low, high] = ends(one) ?? [1, 0];
  return high - low + 1;
};
const spread = (text: string): number[] => range(ends(text)?.[0] ?? 0, count(text));
const rangeText = z
  .string()
  .regex(RANGE, { error: ABOUT_RANGE, abort: true })
  .refine((text) => count(text) >= 1 && count(text) <= MAX_TRIALS, { message: `must go from low to high over at most ${MAX_TRIALS} seeds` })
  .meta({ title: ABOUT_RANGE });

/** The range, or the list, that a text in another notation means: `1-5`, `5..1`, `1 to 5`, `range(1, 6)`, `1, 2`. */
export function rangeMeant(text: string): string | undefined {
  const [, from, to] = text.match(/^\s*(\d+)\s*(?:\.{2,}=?|[-–—−…:~]|to|until|bis)\s*(\d+)\s*$/i) ?? [];
  if (from !== undefined && to !== undefined)
    return Number(from) <= Number(to) ? `${Number(from)}..${Number(to)}` : `${Number(to)}..${Number(from)}`;
  const [, start, end] = text.match(/^\s*range\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\)\s*$/i) ?? [];
  if (start !== undefined && Number(end ?? start) > (end === undefined ? 0 : Number(start)))
    return end === undefined ? `0..${Number(start) - 1}` : `${Number(start)}..${Number(end) - 1}`;
  return /^\s*\d+(\s*[,;|]\s*\d+|\s+\d+)+\s*$/.test(text) ? `[${text.match(/\d+/g)?.join(', ')}]` : undefined;
}

/** A count n stands for 1..n; `1..5` is a range with both ends, alone or in a list. */
export const seedsSchema = z
  .union([
    seedCount,
    rangeText,
    z.strictObject({ from: seed.max(Number.MAX_SAFE_INTEGER - MAX_TRIALS), count: seedCount }),
    z
      .array(z.union([seed, rangeText]).meta({ title: `an integer >= 0 or ${ABOUT_RANGE}` }))
      .min(1)
      .refine((list) => list.reduce<number>((n, one) => n + count(one), 0) <= MAX_TRIALS, {
        message: `must hold at most ${MAX_TRIALS} seeds`,
      }),
  ])
  .transform((s) => {
    if (typeof s === 'number') return range(1, s);
    if (typeof s === 'string') return spread(s);
    return Array.isArray(s) ? s.flatMap((one) => (typeof one === 'number' ? [one] : spread(one))) : range(s.from, s.count);
  })
  .meta({ title: `a count such as 5, ${ABOUT_RANGE}, { from, count } or a list` });
