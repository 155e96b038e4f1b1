import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ppoSchema, resolvePpo } from '../../src/contract/ppo.ts';
import type { BaseRow, TrialRow } from '../../src/contract/rows.ts';
import type { BaseSpec, TrialSpec } from '../../src/contract/spec.ts';
import { STRATEGIES } from '../../src/contract/strategies.ts';
import { partOf, total, workOf } from '../../src/coordinator/operations.ts';
import { RATES } from '../../src/coordinator/rates.ts';

const rows = <Row>(name: string): Row[] =>
  readFileSync(`results/reference/${name}.jsonl`, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Row);

const base = (ppo: object = {}, environment = 'CartPole-v1'): BaseSpec => ({
  ...{ environment, options: {}, seed: 1, engine: 'wasm' },
  ppo: resolvePpo(ppoSchema.parse({ totalTimesteps: 200_000, numEnvs: 16, numSteps: 128, numMinibatches: 4, ...ppo })),
});
const trial = (strategy: string, correct: object = {}, evaluate: object = {}): TrialSpec => ({
  ...{ base: base(), rules: [], strategy, acceptance: 'report', correctionSeed: 1 },
  correct: STRATEGIES[strategy]!.options.parse(correct) as TrialSpec['correct'],
  evaluate: { curvePoints: 21, curveEpisodes: 20, overrun: [], regionSamples: 10_000, ...evaluate },
});
const main = (spec: BaseSpec | TrialSpec, operation: string): number => workOf(spec).main.get(operation) ?? 0;

describe('workOf', () => {
  it.each(['cartpole/bases', 'worlds/bases', 'engines/bases'])('workOf(base) counts the steps that rows of %s have', (name) => {
    for (const row of rows<BaseRow>(name)) {
      if (!row.ok) continue;
      expect([main(row.spec, 'act'), main(row.spec, 'update')]).toEqual([row.result.environmentSteps, row.result.gradientSteps]);
    }
  });

  it.each(['cartpole/trials', 'worlds/trials', 'engines/trials'])('workOf(trial) counts the steps that rows of %s have', (name) => {
    const seen = new Set<string>();
    for (const row of rows<TrialRow>(name)) {
      if (!row.ok) continue;
      const { correct } = row.result.cost;
      const multiple = row.spec.correct['steps'] === undefined ? 1 : Math.max(1, ...row.spec.evaluate.overrun);
      expect([row.spec.strategy, main(row.spec, 'update')]).toEqual([row.spec.strategy, multiple * correct.gradientSteps]);
      expect(main(row.spec, 'act') >= correct.environmentSteps).toBe(true); // and those of the return curve at the multiples
      seen.add(row.spec.strategy);
    }
    expect(seen.size).toBeGreaterThan(1);
  });

  it('workOf(a network) has multiply-adds by its layers, and twice its hidden ones where they are separate', () => {
    const learn = (ppo: object): number => main(base(ppo), 'learnMac') / main(base(ppo), 'learnRow');
    expect(learn({ hidden: [64, 32] })).toBeCloseTo(4 * 64 + 64 * 32 + 32 * 3, 6);
    expect(learn({ hidden: [64, 32], separate: true })).toBeCloseTo(2 * (4 * 64 + 64 * 32) + 32 * 3, 6);
  });

  it.each<[string, TrialSpec, TrialSpec]>([
    ['more steps', trial('tsf', { steps: 1000 }), trial('tsf')],
    ['larger batches', trial('tsf', { forgetBatch: 512 }), trial('tsf')],
    ['more region samples', trial('tsf', { regionSamples: 4096 }), trial('tsf')],
    ['inverted states', trial('tsf+zsi'), trial('tsf')],
    ['protection', trial('mrp+tsf'), trial('tsf')],
    ['an over-run', trial('tsf', {}, { overrun: [4] }), trial('tsf')],
    ['more points of the curve', trial('tsf', {}, { curvePoints: 51 }), trial('tsf')],
    ['more episodes at each', trial('tsf', {}, { curveEpisodes: 80 }), trial('tsf')],
    ['more recorded episodes', trial('tsf', { episodes: 500 }), trial('tsf')],
    ['more samples of the worst case', trial('tsf', {}, { regionSamples: 1_000_000 }), trial('tsf')],
    ['further training', trial('finetune', { timesteps: 100_000 }), trial('finetune')],
    ['training anew instead of a mask', trial('retrain'), trial('shield')],
  ])('workOf(%s) takes longer', (_, more, less) => {
    const ms = (spec: TrialSpec): number => Object.values(workOf(spec)).reduce((sum, part) => sum + total(part, RATES), 0);
    expect(ms(more) / ms(less)).toBeGreaterThan(1.004);
  });

  it('workOf(anything) counts only operations that have a rate', () => {
    const worlds = ['CartPole-v1', 'MountainCar-v0', 'MountainCarContinuous-v0', 'LunarLander-v3', 'LunarLanderContinuous-v3'];
    const counted = [...worlds.map((world) => base({}, world)), ...Object.keys(STRATEGIES).map((strategy) => trial(strategy))].flatMap(
      (spec) => Object.values(workOf(spec)).flatMap((part) => [...part.keys()]),
    );
    expect([...new Set(counted)].filter((operation) => RATES[operation] === undefined)).toEqual([]);
    expect(Object.keys(RATES).filter((operation) => !counted.includes(operation))).toEqual([]);
  });
});

describe('partOf', () => {
  it('partOf(a phase) is the part whose time it is', () => {
    expect(['train', 'correct', 'overrun', 'curve', 'identify', 'evaluate', 'nap'].map(partOf)).toEqual([
      'main',
      'main',
      'main',
      'curve',
      'identify',
      'evaluate',
      null,
    ]);
  });
});
