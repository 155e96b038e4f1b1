import { z } from 'zod';

/** Episodes of a final evaluation, greedy and as many sampled: of a base and of every arm, on the same worlds. Fixed, because the RSI compares them. */
export const EVALUATION_EPISODES = 100;

/** Of a curve in a row: with more of them a row would grow beyond what a broker takes in one message, and no drawing has so many dots. */
export const MAX_CURVE_POINTS = 2001;

/** What may be chosen about measuring. */
export const evaluateSchema = z.strictObject({
  curvePoints: z
    .int()
    .min(2)
    .max(MAX_CURVE_POINTS)
    .default(21)
    .describe('checkpoints of the forget and return curves, the first and the last included; of fewer steps as many as there are'),
  curveEpisodes: z.int().positive().max(100).default(20).describe('greedy episodes per checkpoint'),
  overrun: z
    .array(z.int().min(2).max(16))
    .refine((multiples) => new Set(multiples).size === multiples.length, { message: 'must name a multiple once' })
    .default([])
    .describe('also measure the correction kept up to these multiples of its K steps, the learning rate starting again every K'),
  regionSamples: z.int().positive().default(10_000).describe('samples of the region among which the worst case is sought'),
});

export type EvaluateOptions = z.output<typeof evaluateSchema>;
