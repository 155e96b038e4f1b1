import { describe, expect, it } from 'vitest';
import { ENVIRONMENTS } from '../../src/contract/environments.ts';
import { RefusedError } from '../../src/contract/errors.ts';
import { evaluateSchema } from '../../src/contract/evaluate.ts';
import type { Json } from '../../src/contract/ids.ts';
import { unobserved } from '../../src/contract/observe.ts';
import { ppoSchema } from '../../src/contract/ppo.ts';
import { SCENARIOS } from '../../src/contract/scenarios.ts';
import type { BaseSpec, TrialSpec } from '../../src/contract/spec.ts';
import { STRATEGIES } from '../../src/contract/strategies.ts';
import { makeEngine } from '../../src/math/engines/index.ts';
import { decodeTensors } from '../../src/math/safetensors.ts';
import { decodePolicy } from '../../src/ppo/policy.ts';
import { runTrial, trainBase } from '../../src/worker/jobs.ts';
import { smallTrial } from './specs.ts';

const scenario = SCENARIOS['mountaincar-continuous/pump']!;
const wasm = makeEngine('wasm');

const spec: BaseSpec = {
  environment: scenario.environment,
  options: ENVIRONMENTS[scenario.environment]!.options.parse(scenario.options) as Record<string, Json>,
  ppo: ppoSchema.parse({
    ...{ totalTimesteps: 30_000, numEnvs: 8, numSteps: 64, numMinibatches: 4, updateEpochs: 4, learningRate: 3e-3, hidden: [16] },
    ...{ gamma: 0.995, gaeLambda: 0.98, normObs: true, normReward: true },
  }),
  seed: 1,
  engine: 'wasm',
};
const base = trainBase(spec, wasm, unobserved);

function trial(strategy: string, correct: Record<string, Json> = {}): TrialSpec {
  const own = { ...STRATEGIES[strategy]!.continuous, ...correct };
  return {
    ...smallTrial(strategy, spec, own),
    rules: scenario.rules,
    evaluate: evaluateSchema.parse({ curvePoints: 3, curveEpisodes: 2, regionSamples: 200 }),
  };
}

describe('a continuous world with normalised observations', () => {
  it('trainBase(…) saves the frozen layer with the policy, and gives the same bytes again', () => {
    expect(trainBase(spec, wasm, unobserved)).toEqual(base);
    const { shape } = decodePolicy(base.policy);
    expect(shape).toMatchObject({ gaussian: true, actions: 1, normalised: true });
    const { tensors } = decodeTensors(base.policy);
    const [shift, scale] = ['observation.shift', 'observation.scale'].map((name) => [...tensors[name]!.data]);
    expect(shift![0]).toBeLessThan(-0.2); // the valley
    expect(scale![1]! / scale![0]!).toBeGreaterThan(5); // velocities are small
  });

  it.each(Object.keys(STRATEGIES).filter((name) => name !== 'random'))('%s runs through, to the same bytes', (strategy) => {
    const once = runTrial(trial(strategy), base, wasm, unobserved);
    expect(once.row.ok).toBe(true);
    expect(runTrial(trial(strategy), base, wasm, unobserved)).toEqual(once);
    const frozen = (file: Uint8Array) => ['observation.shift', 'observation.scale'].map((name) => decodeTensors(file).tensors[name]!.data);
    const { needs } = STRATEGIES[strategy]!;
    if (needs !== 'environment') expect(frozen(once.policy)).toEqual(frozen(base.policy));
  });

  it('finetune starts from the base’s own normalising layer and keeps it', () => {
    const { row, policy } = runTrial(trial('finetune', { timesteps: 1024, learningRate: 1e-9, penalty: 1e-9 }), base, wasm, unobserved);
    if (!row.ok) throw new Error(row.failure.message);
    expect(row.result.rsi).toBe(1);
    const layer = (file: Uint8Array) =>
      ['observation.shift', 'observation.scale'].map((name) => [...decodeTensors(file).tensors[name]!.data]);
    expect(layer(policy)).toEqual(layer(base.policy));
  });

  it('random is refused: outside the region a continuous action belongs to no set', () => {
    expect(() => runTrial(trial('random'), base, wasm, unobserved)).toThrow(RefusedError);
    expect(() => runTrial(trial('random'), base, wasm, unobserved)).toThrow(/^pairs: expected violating pairs, got any/);
  });

  it('tsf takes the toxic pushes away where the policy had them, the shield in the world at once', () => {
    const { row } = runTrial(trial('tsf', { steps: 150, learningRate: 0.02 }), base, wasm, unobserved);
    if (!row.ok) throw new Error(row.failure.message);
    expect(row.result.finalFe).toBeGreaterThan(0.7);
    const shielded = runTrial(trial('shield'), base, wasm, unobserved).row;
    if (!shielded.ok) throw new Error(shielded.failure.message);
    expect([shielded.result.greedy.toxicRate, shielded.result.sampled.toxicRate]).toEqual([0, 0]);
  });
});
