import { z } from 'zod';

/** Larger grids are refused: every trial is planned in memory, and nobody reads a table of so many rows. */
export const MAX_TRIALS = 1_000_000;

const seed = z.int().min(0);
export const seedCount = z.int().positive().max(MAX_TRIALS);
export const range = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i);

/** A count n stands for 1..n. */
export const seedsSchema = z
  .union([seedCount, z.strictObject({ from: seed.max(Number.MAX_SAFE_INTEGER - MAX_TRIALS), count: seedCount }), z.array(seed).min(1)])
  .transform((s) => (typeof s === 'number' ? range(1, s) : Array.isArray(s) ? s : range(s.from, s.count)));
