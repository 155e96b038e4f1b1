import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { unobserved } from '../../src/contract/observe.ts';
import { SCENARIOS } from '../../src/contract/scenarios.ts';
import type { BaseSpec } from '../../src/contract/spec.ts';
import { STRATEGIES } from '../../src/contract/strategies.ts';
import { expand } from '../../src/coordinator/expand.ts';
import { parseSweepText } from '../../src/coordinator/load.ts';
import { makeEngine } from '../../src/math/engines/index.ts';
import { runTrial, trainBase } from '../../src/worker/jobs.ts';

const engine = makeEngine('wasm');
/** The bases of a sweep in sweeps/, with overrides. */
function bases(name: string, overrides: readonly string[]): BaseSpec[] {
  const text = readFileSync(new URL(`../../sweeps/${name}`, import.meta.url), 'utf8');
  return expand(parseSweepText(text, name, overrides).sweep).map(({ spec }) => spec.base);
}

const greedyReturn = (spec: BaseSpec): number => {
  const { row } = trainBase(spec, engine, unobserved);
  return row.ok ? row.result.greedy.meanReturn : Number.NaN;
};

describe('trainBase(…)', () => {
  it('of stock.yaml reaches a greedy return of 475 within 100k steps on at least 19 of 20 seeds', () => {
    const returns = bases('stock.yaml', []).map(greedyReturn);
    expect(returns).toHaveLength(20);
    expect(returns.filter((r) => r >= 475).length, returns.join(' ')).toBeGreaterThanOrEqual(19);
  });

  it('of quick.yaml reaches it within 200k steps on at least 9 of 10 seeds, each accepted by the scenario; tsf corrects the first', () => {
    const trained = bases('quick.yaml', ['seeds=10', 'strategy=none']).map((spec) => trainBase(spec, engine, unobserved));
    const rules = SCENARIOS['cartpole/angle']!.rules;
    const evaluate = { curvePoints: 21, curveEpisodes: 20, overrun: [], regionSamples: 10_000 };
    const run = (base: (typeof trained)[number], strategy: string) => {
      const correct = STRATEGIES[strategy]!.options.parse({}) as Record<string, number>;
      const { row } = runTrial(
        { base: base.row.spec, rules, strategy, correct, evaluate, acceptance: 'refuse', correctionSeed: 0 },
        base,
        engine,
        unobserved,
      );
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
