import { type Left, type Prospect, prospect } from '../coordinator/estimate.ts';
import type { PlannedTrial } from '../coordinator/expand.ts';
import { PROCESSOR } from '../worker/processor.ts';

const YARDSTICK_MS = 700;

/** What the jobs of a plan may take here. Measures this machine for a moment where such jobs are not recorded; writes nothing. */
export const prospectOf = (
  left: Left,
  planned: readonly PlannedTrial[],
  { root, name, threads }: { readonly root: string; readonly name: string; readonly threads: number },
  budgetMs = YARDSTICK_MS,
): Promise<Prospect> =>
  prospect(left, planned, {
    ...{ root, name, threads, cpu: PROCESSOR },
    yardstick: async () => (await import('./yardstick.ts')).measureYardstick(budgetMs), // late: it takes the learner along
  });
