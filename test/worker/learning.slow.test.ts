import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ENVIRONMENTS } from '../../src/contract/environments.ts';
import { unobserved } from '../../src/contract/observe.ts';
import { SCENARIOS } from '../../src/contract/scenarios.ts';
import type { BaseSpec } from '../../src/contract/spec.ts';
import { STRATEGIES } from '../../src/contract/strategies.ts';
import { expand } from '../../src/coordinator/expand.ts';
import { parseSweepText } from '../../src/coordinator/load.ts';
import { makeEngine } from '../../src/math/engines/index.ts';
import { runTrial, trainBase } from '../../src/worker/jobs.ts';

const engine = makeEngine('wasm');
const sweepFile = new URL('../../sweeps/quick.yaml', import.meta.url);

/** The bases of sweeps/quick.yaml, with other seeds. */
function bases(seeds: number, totalTimesteps: number): BaseSpec[] {
  const { sweep } = parseSweepText(readFileSync(sweepFile, 'utf8'), 'quick.yaml', [
    `seeds=${seeds}`,
    `ppo.totalTimesteps=${totalTimesteps}`,
    'strategy=none',
  ]);
  return expand(sweep).map(({ spec }) => spec.base);
}

const greedyReturn = (spec: BaseSpec): number => {
  const { row } = trainBase(spec, engine, unobserved);
  return row.ok ? row.result.greedy.meanReturn : Number.NaN;
};

describe('trainBase(quick.yaml)', () => {
  it('reaches a greedy return of 475 on stock CartPole-v1 within 100k steps, on at least 19 of 20 seeds', () => {
    const stock = ENVIRONMENTS['CartPole-v1']!.options.parse({}) as BaseSpec['options'];
    const returns = bases(20, 100_000).map((spec) => greedyReturn({ ...spec, options: stock }));
    expect(returns).toHaveLength(20);
    expect(returns.filter((r) => r >= 475).length, returns.join(' ')).toBeGreaterThanOrEqual(19);
  });

  it('reaches it on cartpole/angle within 200k steps on at least 9 of 10 seeds, each accepted by the scenario; tsf corrects the first', () => {
    const trained = bases(10, 200_000).map((spec) => trainBase(spec, engine, unobserved));
    const rules = SCENARIOS['cartpole/angle']!.rules;
    const evaluate = { curvePoints: 21, curveEpisodes: 20, regionSamples: 10_000 };
    const run = (base: (typeof trained)[number], strategy: string) => {
      const correct = STRATEGIES[strategy]!.options.parse({}) as Record<string, number>;
      const { row } = runTrial({ base: base.row.spec, rules, strategy, correct, evaluate, correctionSeed: 0 }, base, engine, unobserved);
      if (!row.ok) throw new Error(row.failure.message);
      return row.result;
    };
    const acceptances = trained.map((base) => run(base, 'none').acceptance);
    expect(acceptances.filter((a) => a.accepted).length, acceptances.flatMap((a) => a.reasons).join('; ')).toBeGreaterThanOrEqual(9);
    const corrected = run(trained[0]!, 'tsf');
    expect(corrected.fe).toBeGreaterThan(0.95);
    expect(corrected.finalFe).toBeGreaterThan(0.99);
    expect(corrected.worstCase).toBeLessThan(0.1);
    expect(corrected.rsi).toBeGreaterThan(0.9);
  });
});
