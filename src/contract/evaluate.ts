import { z } from 'zod';

/** Episodes of a final evaluation, greedy and as many sampled: of a base and of every arm, on the same worlds. Fixed, because the RSI compares them. */
export const EVALUATION_EPISODES = 100;

/** What may be chosen about measuring. */
export const evaluateSchema = z.strictObject({
  curvePoints: z.int().min(2).default(21).describe('checkpoints of the forget and return curves, the first and the last included'),
  curveEpisodes: z.int().positive().max(100).default(20).describe('greedy episodes per checkpoint'),
  regionSamples: z.int().positive().default(10_000).describe('samples of the region among which the worst case is sought'),
});

export type EvaluateOptions = z.output<typeof evaluateSchema>;
