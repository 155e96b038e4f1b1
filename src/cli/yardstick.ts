import { unobserved } from '../contract/observe.ts';
import { ppoSchema, resolvePpo } from '../contract/ppo.ts';
import type { BaseSpec } from '../contract/spec.ts';
import { makeEngine } from '../worker/engines.ts';
import { trainBase } from '../worker/jobs.ts';

/** A training of CartPole so short that it is over in some hundredths of a second: what this machine is compared by. */
const SPEC: BaseSpec = {
  environment: 'CartPole-v1',
  options: { suttonBartoReward: false, resetLow: -0.05, resetHigh: 0.05, resetAngle: null, thetaLimit: 0.20943951023931953, impulse: null },
  ppo: resolvePpo(ppoSchema.parse({ totalTimesteps: 2048, numEnvs: 16, numSteps: 128, numMinibatches: 4, updateEpochs: 6 })),
  seed: 1,
  engine: 'wasm',
};

/** Until its code is compiled it is slower: such rounds are not counted, unless there is time for no others. */
const WARM_UP = 6;

let rounds = 0;

/** How long the yardstick takes here, in ms: CPU time, so that what else runs here hardly counts; the median of what fits into `budgetMs`. */
export function measureYardstick(budgetMs: number): number {
  const engine = makeEngine('wasm');
  const [took, early]: [number[], number[]] = [[], []];
  const start = performance.now();
  do {
    const before = process.cpuUsage();
    trainBase(SPEC, engine, unobserved);
    const { user, system } = process.cpuUsage(before);
    (rounds++ < WARM_UP ? early : took).push((user + system) / 1000);
  } while (performance.now() - start < budgetMs);
  const counted = (took.length > 0 ? took : early.slice(-1)).sort((a, b) => a - b);
  return counted[counted.length >> 1] ?? Number.NaN;
}
