import { describe, expect, it } from 'vitest';
import { parseSweep, type Sweep, type SweepInput } from '../../src/contract/sweep.ts';
import { expand } from '../../src/coordinator/expand.ts';
import { diffPlans, diffSweeps, isExtension, planOf, printPlanFile } from '../../src/coordinator/plan.ts';

const minimal: SweepInput = { version: 1, name: 'x', seeds: 2, axes: { scenario: ['cartpole/angle'], strategy: ['none', 'tsf'] } };
const sweepOf = (change: object = {}): Sweep => {
  const judged = parseSweep({ ...minimal, ...change });
  if (!judged.ok) throw new Error(JSON.stringify(judged.problems));
  return judged.value;
};
const { axes } = minimal;

describe('planOf', () => {
  it('planOf(…) counts arms, trials and bases', () => {
    const plan = planOf(sweepOf({ correctionSeeds: 3 }));
    expect(plan).toMatchObject({
      version: 1,
      name: 'x',
      engine: 'wasm',
      engines: ['wasm'],
      seeds: [1, 2],
      correctionSeeds: [0, 1, 2],
      trials: 8,
      bases: 2,
    });
    expect(plan.arms.map(({ arm, trials }) => [arm, trials])).toEqual([
      ['cartpole/angle none', 2],
      ['cartpole/angle tsf', 6],
    ]);
  });

  it('planOf(…) is the same with the trials given', () => {
    const sweep = sweepOf();
    expect(planOf(sweep, expand(sweep))).toEqual(planOf(sweep));
  });

  it('planOf(…).digest does not depend on the order of the axes, and on every trial', () => {
    const reordered = sweepOf({ axes: { strategy: ['tsf', 'none'], scenario: axes.scenario } });
    expect(planOf(reordered).digest).toBe(planOf(sweepOf()).digest);
    expect(planOf(sweepOf({ seeds: 3 })).digest).not.toBe(planOf(sweepOf()).digest);
    expect(planOf(sweepOf()).digest).toMatch(/^[0-9a-f]{64}$/);
  });
});

describe('diffSweeps', () => {
  it('diffSweeps(…) names every path that changed, old and new', () => {
    const after = {
      seeds: 5,
      description: 'why',
      ppo: { gamma: 0.9, targetKl: 0.1 },
      correct: { steps: 10 },
      axes: { ...axes, 'ppo.numEnvs': [1, 2] },
    };
    expect(diffSweeps(sweepOf(), sweepOf(after))).toEqual(
      [
        'description: "" -> "why"',
        'seeds: 1..2 -> 1..5',
        'ppo.gamma: 0.99 -> 0.9',
        'ppo.targetKl: null -> 0.1',
        'axes.ppo.numEnvs: (absent) -> 1..2',
        'correct.steps: (absent) -> 10',
        'report.groupBy: ["scenario", "strategy"] -> ["scenario", "strategy", "ppo.numEnvs"]',
      ].toSorted((a, b) => order(a) - order(b)),
    );
  });
  const order = (line: string): number =>
    ['description', 'seeds', 'ppo', 'evaluate', 'axes', 'correct', 'report'].findIndex((key) => line.startsWith(key));

  it('diffSweeps(…) does not see what equals a default, nor the order of axes', () => {
    const same = {
      ppo: { gamma: 0.99 },
      seeds: [1, 2],
      axes: { strategy: axes.strategy, scenario: axes.scenario },
      report: { groupBy: ['scenario', 'strategy'] },
    };
    expect(diffSweeps(sweepOf(), sweepOf(same))).toEqual([]);
  });

  it('diffSweeps(…) writes lists of seeds out when they have holes', () => {
    expect(diffSweeps(sweepOf({ seeds: [3, 1] }), sweepOf({ seeds: [9] }))).toEqual(['seeds: [3, 1] -> [9]']);
  });
});

describe('diffPlans', () => {
  const text = (change: object = {}): string => printPlanFile(planOf(sweepOf(change)));

  it('diffPlans(…) is empty for equal plans and for what rows do not depend on', () => {
    expect(text()).toBe(text({ seeds: [1, 2] }));
    expect(diffPlans(text(), text({ description: 'z', report: { baseline: 'tsf', groupBy: ['strategy'] } }))).toEqual([]);
    expect(diffPlans(text(), text({ tunedOn: [7], limits: { wall: '30m' } }))).toEqual([]);
  });

  it('diffPlans(…) names what the sweeps differ in', () => {
    expect(diffPlans(text(), text({ seeds: 3 }))).toEqual(['seeds: 1..2 -> 1..3']);
  });

  it('diffPlans(…) names what changed in the new keys', () => {
    const exclude = [{ strategy: 'none' }];
    expect(diffPlans(text(), text({ exclude }))).toEqual(['exclude: [] -> [{ strategy: "none" }]']);
    expect(diffPlans(text(), text({ acceptance: 'report' }))[0]).toBe('acceptance: "refuse" -> "report"');
  });

  it('diffPlans(…) names a default of a strategy that moved since', () => {
    const before = text().replace(/"marginEpsilon": [\d.]+/, '"marginEpsilon": 0.75');
    expect(diffPlans(before, text())).toEqual([expect.stringMatching(/^cartpole\/angle tsf\.marginEpsilon: 0\.75 -> /)]);
  });

  it('diffPlans(…) says at least that the trials are others', () => {
    const before = { ...planOf(sweepOf()), digest: '0' };
    expect(diffPlans(JSON.stringify(before), text())[0]).toMatch(/^digest of the trials: 0 -> [0-9a-f]{64}$/);
  });
});

describe('isExtension', () => {
  it.each([
    [{}, true],
    [{ seeds: 5 }, true],
    [{ correctionSeeds: 2 }, true],
    [{ axes: { ...axes, strategy: ['tsf', 'retrain', 'none'] } }, true],
    [{ description: 'z' }, true],
    [{ tunedOn: [7], limits: { wall: 3, memoryMb: 9 }, report: { baseline: 'tsf' } }, true],
    [{ include: [{ scenario: 'cartpole/angle', strategy: 'tsf', 'correct.steps': 3 }] }, true],
    [{ zip: [{ 'correct.steps': [500, 7] }] }, true],
    [{ exclude: [{ strategy: 'none' }] }, false],
    [{ acceptance: 'report' }, false],
    [{ when: [{ if: { strategy: 'tsf' }, set: { 'correct.steps': 3 } }] }, false],
    [{ seeds: [2, 3] }, false],
    [{ axes: { ...axes, strategy: ['tsf'] } }, false],
    [{ ppo: { gamma: 0.5 } }, false],
    [{ correct: { steps: 3 } }, false],
    [{ engine: 'reference' }, false],
  ])('isExtension(minimal, %j) is %s', (change, extends_) => {
    expect(isExtension(sweepOf(), sweepOf(change))).toBe(extends_);
  });
});
