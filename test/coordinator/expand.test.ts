import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/contract/errors.ts';
import { canonicalJson } from '../../src/contract/ids.ts';
import { SCENARIOS } from '../../src/contract/scenarios.ts';
import { baseId, compileRules, trialId } from '../../src/contract/spec.ts';
import { STRATEGIES } from '../../src/contract/strategies.ts';
import { parseSweep, type Sweep, type SweepInput } from '../../src/contract/sweep.ts';
import { basesOf, expand, type PlannedTrial } from '../../src/coordinator/expand.ts';

const minimal: SweepInput = { version: 1, name: 'x', seeds: 2, axes: { scenario: ['cartpole/angle'], strategy: ['none', 'tsf'] } };

function sweepOf(input: unknown): Sweep {
  const judged = parseSweep(input);
  if (!judged.ok) throw new Error(JSON.stringify(judged.problems));
  return judged.value;
}
const grid = (change: object): PlannedTrial[] => expand(sweepOf({ ...minimal, ...change }));
const withAxes = (axes: object): PlannedTrial[] => grid({ axes: { ...minimal.axes, ...axes } });
const refusal = (change: object): string => {
  try {
    grid(change);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return '';
};

/** Sweeps as people write them: some axes in some order, some parameters. */
const sweeps = fc
  .record({
    scenario: fc.constant(['cartpole/angle']),
    strategy: fc
      .shuffledSubarray(['none', 'retrain', 'tsf:paper', 'tsf'], { minLength: 1 })
      .filter((s) => s.some((name) => name.startsWith('tsf'))),
    steps: fc.option(fc.uniqueArray(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 3 })),
    gamma: fc.option(fc.uniqueArray(fc.constantFrom(0.9, 0.95, 1), { minLength: 1 })),
    curveEpisodes: fc.option(fc.uniqueArray(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 2 })),
    seeds: fc.uniqueArray(fc.nat(1000), { minLength: 1, maxLength: 4 }),
    correctionSeeds: fc.integer({ min: 1, max: 3 }),
    order: fc.shuffledSubarray(['scenario', 'strategy', 'correct.steps', 'ppo.gamma', 'evaluate.curveEpisodes'], { minLength: 5 }),
  })
  .map(({ scenario, strategy, steps, gamma, curveEpisodes, seeds, correctionSeeds, order }) => {
    const axes: Record<string, unknown> = {
      scenario,
      strategy,
      'correct.steps': steps,
      'ppo.gamma': gamma,
      'evaluate.curveEpisodes': curveEpisodes,
    };
    const written = order.filter((name) => axes[name] !== null).map((name) => [name, axes[name]] as const);
    return { ...minimal, seeds, correctionSeeds, axes: Object.fromEntries(written) };
  });

describe('expand', () => {
  it('expand(minimal) is all arms at a seed before the next seed', () => {
    expect(grid({ correctionSeeds: 2 }).map(({ arm, seed, correctionSeed }) => `${seed}/${correctionSeed} ${arm}`)).toEqual([
      '1/0 cartpole/angle none',
      '1/0 cartpole/angle tsf',
      '1/1 cartpole/angle tsf',
      '2/0 cartpole/angle none',
      '2/0 cartpole/angle tsf',
      '2/1 cartpole/angle tsf',
    ]);
  });

  it('expand(…) resolves names and defaults', () => {
    const [none, tsf] = grid({ seeds: [7], ppo: { gamma: 0.5 }, evaluate: { curveEpisodes: 3 } });
    expect(none?.spec.base).toMatchObject({ environment: 'CartPole-v1', ppo: { gamma: 0.5, hidden: [64, 64] }, seed: 7, engine: 'wasm' });
    expect(none?.spec.base.options).toMatchObject({ resetAngle: 0.2, resetLow: -0.05, impulse: { every: 50 } });
    expect(none?.spec.rules).toEqual(SCENARIOS['cartpole/angle']?.rules);
    expect(none?.spec.rules[0]?.where['theta']).toEqual([0.08, null]);
    expect(none?.spec.correct).toEqual(STRATEGIES['none']?.options.parse({}));
    expect(tsf?.spec.correct).toEqual(STRATEGIES['tsf']?.options.parse({}));
    expect(tsf?.spec.evaluate).toMatchObject({ curveEpisodes: 3, curvePoints: 21 });
    expect([tsf?.id, tsf?.baseId]).toEqual(tsf && [trialId(tsf.spec), baseId(tsf.spec.base)]);
  });

  it('expand(…) writes specs that JSON can carry', () => {
    for (const { spec } of grid({})) expect(canonicalJson(JSON.parse(JSON.stringify(spec)))).toBe(canonicalJson(spec));
  });

  it('expand(…) gives a strategy only what it reads, and merges arms that became equal', () => {
    const trials = withAxes({ strategy: ['none', 'tsf:paper', 'tsf'], 'correct.steps': [10, 20], 'correct.entropy': [0.5] });
    expect(trials.filter(({ seed }) => seed === 1).map(({ arm }) => arm)).toEqual([
      'cartpole/angle none',
      'cartpole/angle tsf:paper correct.steps=10 correct.entropy=0.5',
      'cartpole/angle tsf:paper correct.steps=20 correct.entropy=0.5',
      'cartpole/angle tsf correct.steps=10',
      'cartpole/angle tsf correct.steps=20',
    ]);
    for (const { strategy, spec } of trials) expect(Object.keys(spec.correct).toSorted()).toEqual(STRATEGIES[strategy]?.reads.toSorted());
  });

  it('expand(…) takes the grid in the order of the axes, the last one fastest', () => {
    const axes = { 'ppo.gamma': [0.9, 1], strategy: ['none', 'tsf'], scenario: ['cartpole/angle'] };
    expect(grid({ axes, seeds: 1 }).map(({ arm }) => arm)).toEqual([
      'cartpole/angle none ppo.gamma=0.9',
      'cartpole/angle tsf ppo.gamma=0.9',
      'cartpole/angle none ppo.gamma=1',
      'cartpole/angle tsf ppo.gamma=1',
    ]);
  });

  it('expand(…) trains one base per seed, however many strategies correct it', () => {
    const trials = grid({ axes: { ...minimal.axes, strategy: Object.keys(STRATEGIES) }, seeds: 3, correctionSeeds: 2 });
    expect([trials.length, basesOf(trials).length]).toEqual([3 * (1 + 3 * 2), 3]);
  });

  it('expand(…) makes a new base for another engine and another ppo, and for nothing else', () => {
    const bases = (change: object): string =>
      basesOf(grid(change))
        .map(({ id }) => id)
        .join();
    expect(bases({ engine: 'reference' })).not.toBe(bases({}));
    expect(bases({ ppo: { gamma: 0.5 } })).not.toBe(bases({}));
    expect(bases({ correct: { steps: 3 }, evaluate: { curveEpisodes: 3 }, correctionSeeds: 3, name: 'y', description: 'z' })).toBe(
      bases({}),
    );
  });

  it('expand(…) does not see names and descriptions: they are labels', () => {
    const ids = (change: object): string[] => grid(change).map(({ id }) => id);
    expect(ids({ name: 'y', description: 'z', report: { baseline: 'tsf', groupBy: ['strategy'] } })).toEqual(ids({}));
  });

  it('expand(what is written) equals expand(what is the default)', () => {
    expect(grid({ ppo: { numEnvs: 1, gamma: 0.99 }, correct: { steps: 500 } })).toEqual(grid({}));
  });

  it('expand(any sweep): seed-major, ids unique and true, every base wanted, arms labelled uniquely', () => {
    fc.assert(
      fc.property(sweeps, (input) => {
        const trials = expand(sweepOf(input));
        const bases = basesOf(trials);
        expect(new Set(trials.map(({ id }) => id)).size).toBe(trials.length);
        expect(new Set(trials.map(({ baseId }) => baseId))).toEqual(new Set(bases.map(({ id }) => id)));
        expect(bases.every(({ id, spec }) => baseId(spec) === id)).toBe(true);
        // Every seed has the same list of arms and correction seeds, in the same order.
        const blocks = input.seeds.map((seed) => trials.filter((t) => t.seed === seed).map((t) => `${t.arm} ${t.correctionSeed}`));
        for (const block of blocks) expect(block).toEqual(blocks[0]);
        expect(trials.map(({ seed }) => seed)).toEqual(input.seeds.flatMap((seed) => blocks[0]?.map(() => seed)));
        // One label, one content.
        const content = new Map(
          trials.map(({ arm, spec }) => [arm, canonicalJson({ ...spec, base: { ...spec.base, seed: 0 }, correctionSeed: 0 })]),
        );
        expect(new Set(content.values()).size).toBe(content.size);
        expect(trials.filter(({ strategy }) => strategy === 'none').every(({ correctionSeed }) => correctionSeed === 0)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it('expand(any sweep with its keys in another order) wants the same trials', () => {
    const reversed = (value: object): object => Object.fromEntries(Object.entries(value).toReversed());
    fc.assert(
      fc.property(sweeps, (input) => {
        const ids = (data: object): string[] =>
          expand(sweepOf(data))
            .map(({ id }) => id)
            .toSorted();
        expect(ids({ ...reversed(input), axes: reversed(input.axes) })).toEqual(ids(input));
      }),
      { numRuns: 40 },
    );
  });

  it('expand(a sweep nobody loaded) throws ConfigError, with all problems', () => {
    expect(
      refusal({ axes: { scenario: ['CartPole-v1'], strategy: ['tsf'] }, correct: { entropy: 1, worstCase: 300 } }).split('\n'),
    ).toEqual([
      'axes.scenario[0]: expected a constraint for tsf, got the bare environment CartPole-v1; choose cartpole/angle or none as the only strategy',
      'correct.entropy: expected a parameter that a chosen strategy (tsf) reads, got entropy; it is read by tsf:paper',
      'correct.worstCase: expected worstCase not to exceed forgetBatch, got worstCase 300, forgetBatch 256',
    ]);
  });

  it('expand(an old plan with names that are gone) throws ConfigError', () => {
    const sweep = sweepOf(minimal);
    expect(() => expand({ ...sweep, axes: { scenario: ['toString'], strategy: ['tfs'] } })).toThrow(ConfigError);
    expect(() => expand({ ...sweep, axes: { ...sweep.axes, strategy: ['tfs'] } })).toThrow(
      'axes.strategy[0]: expected a strategy, got "tfs"; did you mean tsf?',
    );
  });

  it('expand(too large) throws before it plans', () => {
    expect(refusal({ seeds: 1_000_000 })).toBe('axes: expected a grid of at most 1000000 trials, got 2000000; split the sweep');
  });

  it('expand(a seed twice, past the schema) asserts that ids are unique', () => {
    expect(() => expand({ ...sweepOf(minimal), seeds: [1, 1] })).toThrow('expand: 4 trials have 2 ids');
  });

  it('every scenario there is resolves, and its rules compile', () => {
    for (const name of Object.keys(SCENARIOS)) {
      const [trial] = grid({ axes: { scenario: [name], strategy: ['none'] } });
      expect(trial && compileRules(trial.spec.base.environment, trial.spec.rules).length).toBe(SCENARIOS[name]?.rules.length);
    }
  });
});
