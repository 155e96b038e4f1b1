import { ENVIRONMENTS } from '../../src/contract/environments.ts';
import { evaluateSchema } from '../../src/contract/evaluate.ts';
import type { Json } from '../../src/contract/ids.ts';
import { type PpoOptions, ppoSchema } from '../../src/contract/ppo.ts';
import { SCENARIOS } from '../../src/contract/scenarios.ts';
import type { BaseSpec, EngineName, TrialSpec } from '../../src/contract/spec.ts';
import { strategyPreset } from '../../src/contract/strategies.ts';

const angle = SCENARIOS['cartpole/angle']!;

/** A base small enough for a test: two iterations of PPO on the scenario's world. */
export function smallBase(seed = 1, ppo: Partial<PpoOptions> = {}, engine: EngineName = 'wasm'): BaseSpec {
  return {
    environment: angle.environment,
    options: ENVIRONMENTS[angle.environment]!.options.parse(angle.options) as Record<string, Json>,
    ppo: ppoSchema.parse({ totalTimesteps: 512, numEnvs: 4, numSteps: 64, numMinibatches: 4, updateEpochs: 2, hidden: [16, 16], ...ppo }),
    seed,
    engine,
  };
}

export function smallTrial(strategy: string, base = smallBase(), correct: Record<string, Json> = {}, correctionSeed = 0): TrialSpec {
  const small = {
    episodes: 20,
    steps: 20,
    forgetBatch: 32,
    retainBatch: 32,
    worstCase: 8,
    uniformRetain: 16,
    regionSamples: 64,
    retainStates: 256,
    inversionSteps: 5,
    timesteps: 512,
  };
  const { options, reads } = strategyPreset(strategy);
  const inverted = Number((options.parse({}) as { inverted?: number }).inverted ?? 0) > 0 ? { inverted: 8 } : {};
  const chosen = Object.fromEntries(Object.entries({ ...small, ...inverted, ...correct }).filter(([key]) => reads.includes(key)));
  return {
    base,
    rules: angle.rules,
    strategy,
    correct: options.parse(chosen) as Record<string, Json>,
    evaluate: evaluateSchema.parse({ curvePoints: 5, curveEpisodes: 3, regionSamples: 200 }),
    acceptance: 'report',
    correctionSeed,
  };
}
