import { z } from 'zod';

/** How a corrected policy is measured. The base itself is always measured over 100 greedy, 100 sampled and 100 random episodes. */
export const evaluateSchema = z.strictObject({
  episodes: z.int().positive().max(100).default(100).describe('greedy, and as many sampled; the same worlds for every arm of a seed'),
  curvePoints: z.int().min(2).default(21).describe('checkpoints of the forget and return curves, the first and the last included'),
  curveEpisodes: z.int().positive().max(100).default(20).describe('greedy episodes per checkpoint'),
  regionSamples: z.int().positive().default(10_000).describe('samples of the region among which the worst case is sought'),
});

export type EvaluateOptions = z.output<typeof evaluateSchema>;
