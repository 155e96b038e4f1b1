import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/contract/errors.ts';
import { canonicalJson } from '../../src/contract/ids.ts';
import { SCENARIOS } from '../../src/contract/scenarios.ts';
import { baseId, compileRules, ENGINE_NAMES, trialId } from '../../src/contract/spec.ts';
import { STRATEGIES } from '../../src/contract/strategies.ts';
import { parseSweep, type Sweep, type SweepInput } from '../../src/contract/sweep.ts';
import { resolveArms } from '../../src/coordinator/arms.ts';
import { basesOf, enginesOf, expand, type PlannedTrial } from '../../src/coordinator/expand.ts';

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

/** The arms, by their labels. */
const armsOf = (change: object): string[] => [...new Set(grid(change).map(({ arm }) => arm))];

/** One optional thing of every kind. */
const questions = fc
  .record({
    strategy: fc.shuffledSubarray(['none', 'retrain', 'tsf:paper']).map((others) => [...others, 'tsf']),
    steps: fc.option(fc.uniqueArray(fc.constantFrom(10, 20, 500), { minLength: 1 })),
    pairs: fc.option(
      fc.constantFrom(
        [
          [0.1, 0.02],
          [0.9, 0.99],
        ],
        [[0.001], [1]],
        [
          [0.1, 0.1],
          [0.9, 1],
        ],
      ),
    ),
    section: fc.option(fc.constantFrom({ steps: 20 }, { learningRate: 0.1 })),
    exclude: fc.array(
      fc.constantFrom<object>({ strategy: 'none' }, { 'correct.steps': [10, 500] }, { 'ppo.gamma': 0.99, strategy: ['tsf', 'retrain'] }),
      { maxLength: 2 },
    ),
    include: fc.uniqueArray(
      fc.constantFrom<object>({ strategy: 'tsf', 'correct.steps': 7 }, { strategy: 'retrain', 'ppo.gamma': 0.5 }, { strategy: 'none' }),
      { maxLength: 2 },
    ),
    when: fc.array(
      fc.constantFrom<object>(
        { if: { strategy: 'tsf' }, set: { 'correct.steps': 30 } },
        { if: { strategy: ['tsf', 'tsf:paper'] }, set: { 'correct.steps': 40 } },
        { if: { 'correct.steps': [500, 20] }, set: { 'correct.learningRate': 0.3 } },
        { if: { strategy: ['none', 'tsf:paper'] }, set: { 'ppo.gamma': 0.7 } },
      ),
      { maxLength: 2 },
    ),
  })
  .map(({ strategy, steps, pairs, section, exclude, include, when }) => ({
    ...{ ...minimal, exclude, when, include: include.map((entry) => ({ scenario: 'cartpole/angle', ...entry })) },
    axes: { scenario: ['cartpole/angle'], strategy, ...(steps && { 'correct.steps': steps }) },
    zip: pairs ? [{ 'correct.learningRate': pairs[0], 'ppo.gamma': pairs[1] }] : [],
    ...(section && { correct: section }),
  }));

type Flat = Record<string, unknown>;
type Question = typeof questions extends fc.Arbitrary<infer T> ? T : never;

/** The six rules once more, as plainly as they can be said, for four parameters. */
function oracle({ axes, zip, correct, exclude, include, when }: Question & { correct?: Flat | undefined }): Flat[] {
  const rate = (strategy: unknown): unknown => STRATEGIES[String(strategy)]?.options.parse({})['learningRate'];
  const read = (arm: Flat): Flat =>
    Object.fromEntries(Object.entries(arm).filter(([name]) => !name.startsWith('correct.') || String(arm['strategy']).startsWith('tsf')));
  const effective = (arm: Flat): Flat =>
    read({
      'correct.steps': correct?.['steps'] ?? 500,
      'correct.learningRate': correct?.['learningRate'] ?? rate(arm['strategy']),
      'ppo.gamma': 0.99,
      ...arm,
    });
  const meets = (arm: Flat, condition: object): boolean =>
    Object.entries(condition).every(([name, value]) => [value].flat().includes(effective(arm)[name] as never));
  const arms: Flat[] = [];
  for (const strategy of axes.strategy)
    for (const steps of axes['correct.steps'] ?? [null])
      for (const i of zip[0]?.['ppo.gamma']?.keys() ?? [0]) {
        const arm = read({
          strategy,
          ...(steps !== null && { 'correct.steps': steps }),
          ...(zip[0] && { 'correct.learningRate': zip[0]['correct.learningRate']?.[i], 'ppo.gamma': zip[0]['ppo.gamma']?.[i] }),
        });
        if (!arms.some((other) => JSON.stringify(other) === JSON.stringify(arm))) arms.push(arm);
      }
  const left = arms.filter((arm) => !exclude.some((condition) => meets(arm, condition)));
  const all = [...left, ...include.map(({ scenario: _, ...entry }): Flat => read(entry))];
  return all.map((arm) => {
    const set = when.filter((entry) => meets(arm, (entry as { if: object }).if)).map((entry) => (entry as { set: object }).set);
    const sections = Object.fromEntries(Object.entries(correct ?? {}).map(([key, value]) => [`correct.${key}`, value]));
    const whole = effective({ ...Object.assign({}, ...set.toReversed()), ...sections, ...arm } as Flat);
    return { strategy: arm['strategy'], steps: whole['correct.steps'], rate: whole['correct.learningRate'], gamma: whole['ppo.gamma'] };
  });
}

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
    engine: fc.option(fc.shuffledSubarray([...ENGINE_NAMES], { minLength: 1 })),
    seeds: fc.uniqueArray(fc.nat(1000), { minLength: 1, maxLength: 4 }),
    correctionSeeds: fc.integer({ min: 1, max: 3 }),
    order: fc.shuffledSubarray(['scenario', 'strategy', 'engine', 'correct.steps', 'ppo.gamma', 'evaluate.curveEpisodes'], {
      minLength: 6,
    }),
  })
  .map(({ scenario, strategy, engine, steps, gamma, curveEpisodes, seeds, correctionSeeds, order }) => {
    const axes: Record<string, unknown> = {
      scenario,
      strategy,
      engine,
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
    const trials = withAxes({ strategy: ['none', 'finetune', 'tsf'], 'correct.steps': [10, 20], 'correct.penalty': [0.5] });
    expect(trials.filter(({ seed }) => seed === 1).map(({ arm }) => arm)).toEqual([
      'cartpole/angle none',
      'cartpole/angle finetune correct.penalty=0.5',
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
    const draws = Object.values(STRATEGIES).filter((preset) => preset.draws).length;
    const still = Object.keys(STRATEGIES).length - draws;
    expect(still).toBe(2); // none and shield
    expect([trials.length, basesOf(trials).length]).toEqual([3 * (still + draws * 2), 3]);
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
        expect(trials.every(({ id, spec }) => trialId(spec) === id)).toBe(true); // by the short cut, and by the definition
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
      refusal({ axes: { scenario: ['CartPole-v1'], strategy: ['tsf'] }, correct: { penalty: 1, uniformRetain: 300 } }).split('\n'),
    ).toEqual([
      'axes.scenario[0]: expected a constraint for tsf, got the bare environment CartPole-v1; choose cartpole/angle or none as the only strategy',
      'correct.penalty: expected a parameter that a chosen strategy (tsf) reads, got penalty; it is read by finetune, retrain-penalty',
      'correct.uniformRetain: expected uniformRetain not to exceed retainBatch, got uniformRetain 300, retainBatch 256',
    ]);
  });

  it('expand(an old plan with names that are gone) throws ConfigError', () => {
    const sweep = sweepOf(minimal);
    expect(() => expand({ ...sweep, axes: { scenario: ['toString'], strategy: ['tfs'] } })).toThrow(ConfigError);
    expect(() => expand({ ...sweep, axes: { ...sweep.axes, strategy: ['tfs'] } })).toThrow(
      'axes.strategy[0]: expected a strategy, got "tfs"; did you mean tsf?',
    );
  });

  describe('(1) the product of axes and zips', () => {
    it('expand({ zip }) is one more dimension, whose values move together', () => {
      const zip = [{ 'correct.steps': [10, 20], 'correct.learningRate': [0.1, 0.2] }];
      expect(armsOf({ zip, axes: { ...minimal.axes, 'ppo.gamma': [0.9, 1] } })).toEqual([
        'cartpole/angle none ppo.gamma=0.9',
        'cartpole/angle none ppo.gamma=1',
        'cartpole/angle tsf ppo.gamma=0.9 correct.steps=10 correct.learningRate=0.1',
        'cartpole/angle tsf ppo.gamma=0.9 correct.steps=20 correct.learningRate=0.2',
        'cartpole/angle tsf ppo.gamma=1 correct.steps=10 correct.learningRate=0.1',
        'cartpole/angle tsf ppo.gamma=1 correct.steps=20 correct.learningRate=0.2',
      ]);
    });

    it('expand({ zip: two }) is the product of both, and scenario and strategy may move, too', () => {
      const zip = [
        { strategy: ['none', 'tsf'], scenario: ['CartPole-v1', 'cartpole/angle'] },
        { 'ppo.gamma': [0.9, 1], 'ppo.gaeLambda': [1, 0.9] },
      ];
      expect(armsOf({ axes: {}, zip })).toEqual([
        'CartPole-v1 none ppo.gamma=0.9 ppo.gaeLambda=1',
        'CartPole-v1 none ppo.gamma=1 ppo.gaeLambda=0.9',
        'cartpole/angle tsf ppo.gamma=0.9 ppo.gaeLambda=1',
        'cartpole/angle tsf ppo.gamma=1 ppo.gaeLambda=0.9',
      ]);
    });

    it('expand({ zip }) does not see how its mapping is ordered', () => {
      const ids = (zip: object): string[] => grid({ zip: [zip] }).map(({ id }) => id);
      expect(ids({ 'correct.steps': [1, 2], 'correct.retainKl': [3, 4] })).toEqual(
        ids({ 'correct.retainKl': [3, 4], 'correct.steps': [1, 2] }),
      );
    });
  });

  describe('(3) exclude', () => {
    const axes = { ...minimal.axes, 'correct.steps': [10, 20, 500] };
    it.each([
      [[{ strategy: 'none' }], ['tsf 10', 'tsf 20', 'tsf 500']],
      [[{ strategy: 'tsf', 'correct.steps': [10, 500] }], ['none', 'tsf 20']],
      [
        [{ 'correct.steps': 20 }, { 'correct.steps': [20, 10] }],
        ['none', 'tsf 500'],
      ],
      [[{ 'correct.steps': 20, 'ppo.gamma': 0.99 }], ['none', 'tsf 10', 'tsf 500']], // a default counts as a value
    ])('expand({ exclude: %j }) leaves %j', (exclude, left) => {
      const names = armsOf({ axes, exclude }).map((arm) => arm.replace('cartpole/angle ', '').replace('correct.steps=', ''));
      expect(names).toEqual(left);
    });

    it('expand({ exclude: a list-valued parameter }) means that list, or any of several', () => {
      const hidden = { ...minimal.axes, strategy: ['none'], 'ppo.hidden': [[64, 64], [32], [8]] };
      const left = (value: unknown): string[] =>
        armsOf({ axes: hidden, exclude: [{ 'ppo.hidden': value }] }).map((arm) => arm.split('=')[1] ?? '');
      expect(left([64, 64])).toEqual(['[32]', '[8]']);
      expect(left([[32], [8]])).toEqual(['[64,64]']);
    });

    it('expand({ exclude }) may leave a bare environment to strategies that correct nothing', () => {
      const both = { scenario: ['cartpole/angle', 'CartPole-v1'], strategy: ['none', 'tsf'] };
      expect(armsOf({ axes: both, exclude: [{ scenario: 'CartPole-v1', strategy: 'tsf' }] })).toEqual([
        ...['cartpole/angle none', 'cartpole/angle tsf', 'CartPole-v1 none'],
      ]);
    });
  });

  describe('(4) include', () => {
    it('expand({ include }) adds arms behind the grid, of strategies that need not be on an axis', () => {
      const include = [
        { scenario: 'cartpole/angle', strategy: 'retrain' },
        { scenario: 'cartpole/angle', strategy: 'tsf', 'correct.steps': 7, 'ppo.gamma': 0.5 },
      ];
      const trials = grid({ include, correct: { steps: 20 }, ppo: { gamma: 0.9 }, seeds: 1 });
      expect(trials.map(({ arm, spec }) => [arm, spec.correct['steps'], spec.base.ppo.gamma])).toEqual([
        ['cartpole/angle none', undefined, 0.9],
        ['cartpole/angle tsf', 20, 0.9],
        ['cartpole/angle retrain', undefined, 0.9],
        ['cartpole/angle tsf correct.steps=7 ppo.gamma=0.5', 7, 0.5],
      ]);
    });

    it('expand({ include }) can bring back what exclude took, and stand alone', () => {
      const include = [{ scenario: 'cartpole/angle', strategy: 'tsf' }];
      expect(armsOf({ include, exclude: [{ strategy: ['none', 'tsf'] }] })).toEqual(['cartpole/angle tsf']);
    });
  });

  describe('(5) when', () => {
    const steps = (change: object): unknown[] => grid({ seeds: 1, ...change }).map(({ spec }) => spec.correct['steps']);

    it('expand({ when }) sets what nothing else has set, and names no arm after it', () => {
      const when = [{ if: { strategy: 'tsf' }, set: { 'correct.steps': 7 } }];
      expect(steps({ when })).toEqual([undefined, 7]);
      expect(armsOf({ when })).toEqual(['cartpole/angle none', 'cartpole/angle tsf']);
      const include = [{ scenario: 'cartpole/angle', strategy: 'tsf', 'correct.steps': 500 }];
      expect(steps({ when, include })).toEqual([undefined, 7, 500]);
    });

    it('expand({ when: two for one parameter }) takes the first, and every `if` sees the arm as it was before', () => {
      const when = [
        { if: { strategy: 'tsf' }, set: { 'correct.steps': 7 } },
        { if: { 'correct.steps': 500 }, set: { 'correct.steps': 8 } },
      ];
      expect(steps({ when, axes: { ...minimal.axes, strategy: ['tsf', 'tsf:paper'] } })).toEqual([7, 8]);
    });

    it('expand({ when }) may set what is trained: then the base is another', () => {
      const when = [{ if: { strategy: 'tsf' }, set: { 'ppo.gamma': 0.5 } }];
      expect(basesOf(grid({ when })).length).toBe(4);
    });
  });

  it('expand(any sweep) has the arms that the rules say, in their order', () => {
    fc.assert(
      fc.property(questions, (input) => {
        const judged = parseSweep(input);
        fc.pre(judged.ok);
        const sweep = sweepOf(input);
        fc.pre(resolveArms(sweep).problems.length === 0);
        const seen = expand({ ...sweep, seeds: [1], correctionSeeds: [0] }).map(({ strategy, spec }) => ({
          ...{ strategy, steps: spec.correct['steps'], rate: spec.correct['learningRate'], gamma: spec.base.ppo.gamma },
        }));
        expect(seen).toEqual(oracle(input));
      }),
      { numRuns: 100 },
    );
  });

  it('expand(many arms) names each by the id of its spec, and every base by that of its own', () => {
    const trials = withAxes({ strategy: Object.keys(STRATEGIES), 'correct.steps': [10, 20], 'ppo.gamma': [0.9, 1] });
    for (const { id, baseId: base, spec } of trials) expect([id, base]).toEqual([trialId(spec), baseId(spec.base)]);
  });

  describe('engines', () => {
    const both = { ...minimal.axes, engine: ['reference', 'wasm'] };

    it('expand({ axes: engine }) trains a base for each, and names arms after it', () => {
      const trials = grid({ axes: both, seeds: 1 });
      expect(trials.map(({ arm, spec, overrides }) => [arm, spec.base.engine, overrides])).toEqual([
        ['cartpole/angle none engine=reference', 'reference', { engine: 'reference' }],
        ['cartpole/angle none engine=wasm', 'wasm', { engine: 'wasm' }],
        ['cartpole/angle tsf engine=reference', 'reference', { engine: 'reference' }],
        ['cartpole/angle tsf engine=wasm', 'wasm', { engine: 'wasm' }],
      ]);
      expect([basesOf(trials).length, enginesOf(trials)]).toEqual([2, ['reference', 'wasm']]);
    });

    it('expand({ axes: engine }) has the trials that each engine has alone', () => {
      const ids = (change: object): string[] =>
        grid(change)
          .map(({ id }) => id)
          .toSorted();
      expect(ids({ axes: both })).toEqual([...ids({ engine: 'reference' }), ...ids({})].toSorted());
    });

    it('expand({ zip: engine }) moves it together with what suits it', () => {
      const zip = [{ engine: ['wasm', 'reference'], 'ppo.totalTimesteps': [8192, 4096] }];
      expect(grid({ zip, seeds: 1 }).map(({ spec }) => [spec.base.engine, spec.base.ppo.totalTimesteps])).toEqual([
        ...[
          ['wasm', 8192],
          ['reference', 4096],
          ['wasm', 8192],
          ['reference', 4096],
        ],
      ]);
    });

    it('expand({ exclude, include, when.if: engine }) knows it, also where no axis has it', () => {
      const include = [{ scenario: 'cartpole/angle', strategy: 'tsf', engine: 'tfjs' }];
      const when = [{ if: { engine: ['reference', 'tfjs'] }, set: { 'correct.steps': 7 } }];
      const seen = (change: object): unknown[] =>
        grid({ seeds: 1, include, when, ...change }).map(({ arm, spec }) => [arm, spec.base.engine, spec.correct['steps']]);
      expect(seen({ axes: both, exclude: [{ engine: 'wasm', strategy: 'none' }] })).toEqual([
        ['cartpole/angle none engine=reference', 'reference', undefined],
        ['cartpole/angle tsf engine=reference', 'reference', 7],
        ['cartpole/angle tsf engine=wasm', 'wasm', 500],
        ['cartpole/angle tsf engine=tfjs', 'tfjs', 7],
      ]);
      expect(seen({ engine: 'reference', exclude: [{ strategy: 'none', engine: 'reference' }] })).toEqual([
        ['cartpole/angle tsf', 'reference', 7],
        ['cartpole/angle tsf engine=tfjs', 'tfjs', 7],
      ]);
      expect(refusal({ exclude: [{ engine: 'tfjs' }] })).toBe(
        'exclude[0].engine: expected an arm that matches, got none with { engine: "tfjs" }; engine is wasm',
      );
      expect(refusal({ include: [{ ...include[0], engine: 'wasm' }] })).toBe(
        'include[0]: expected a new arm, got one that is there as cartpole/angle tsf; remove it',
      );
    });

    it('expand(an old plan with an engine that is gone) throws ConfigError', () => {
      const sweep = sweepOf(minimal);
      expect(() => expand({ ...sweep, engine: 'wasn' as 'wasm' })).toThrow('engine: expected an engine, got "wasn"; did you mean wasm?');
      expect(() => expand({ ...sweep, axes: { ...sweep.axes, engine: ['wasm', 'tjfs'] } })).toThrow(
        'axes.engine[1]: expected an engine, got "tjfs"; did you mean tfjs?',
      );
    });
  });

  it("expand(a scenario of one's own) holds environment, options and rules, never the name", () => {
    const own = { environment: 'CartPole-v1', options: { thetaLimit: 0.3 }, rules: [{ where: { x: [0.5, Infinity] }, forbid: ['right'] }] };
    const trial = (name: string): PlannedTrial | undefined =>
      grid({ scenarios: { [name]: own }, axes: { scenario: [name], strategy: ['tsf'] } })[0];
    expect(trial('a/b')?.spec).toEqual(trial('c/d')?.spec);
    expect(trial('a/b')?.id).toBe(trial('c/d')?.id);
    expect(JSON.stringify(trial('a/b')?.spec)).not.toContain('a/b');
    expect(trial('a/b')?.spec.rules).toEqual([{ where: { x: [0.5, null] }, forbid: ['right'] }]);
    expect(trial('a/b')?.spec.base.options).toMatchObject({ thetaLimit: 0.3, resetLow: -0.05 });
  });

  it('expand(two names of one scenario) has it once, under the first', () => {
    const { environment, options, rules } = SCENARIOS['cartpole/angle'] ?? {};
    const scenarios = { mine: { environment, options, rules } };
    const axes = { scenario: ['mine', 'cartpole/angle'], strategy: ['tsf'] };
    expect(armsOf({ scenarios, axes })).toEqual(['mine tsf']);
  });

  it('expand(…) does not see limits and tunedOn', () => {
    expect(grid({ limits: { wall: '30m', memoryMb: 700 }, tunedOn: [9] })).toEqual(grid({}));
  });

  it('expand(too large) throws before it plans', () => {
    expect(refusal({ seeds: 1_000_000 })).toBe('axes: expected a grid of at most 1000000 trials, got 2000000; split the sweep');
  });

  it('expand(a seed twice, past the schema) asserts that ids are unique', () => {
    expect(() => expand({ ...sweepOf(minimal), seeds: [1, 1] })).toThrow('expand: 4 trials have 2 ids');
  });

  it('options that came later are absent from a spec where they are off, and can be an axis, a condition and a zip', () => {
    const off = grid({ seeds: 1, axes: { scenario: ['cartpole/angle'], strategy: ['none'] } })[0]!;
    const axis = grid({
      seeds: 1,
      axes: { scenario: ['cartpole/angle'], strategy: ['none'], 'ppo.normObs': [false, true], 'ppo.logStdInit': [0, -1] },
    });
    expect(axis.map(({ spec }) => [spec.base.ppo.normObs, spec.base.ppo.logStdInit])).toEqual([
      [undefined, undefined],
      [undefined, -1],
      [true, undefined],
      [true, -1],
    ]);
    expect(axis[0]!.id).toBe(off.id);
    const zipped = grid({
      seeds: 1,
      axes: { scenario: ['cartpole/angle'], strategy: ['none'] },
      zip: [{ 'ppo.normReward': [false, true], 'ppo.gamma': [0.9, 0.8] }],
      when: [{ if: { 'ppo.normReward': false, 'ppo.normObs': false }, set: { 'ppo.gaeLambda': 0.5 } }],
    });
    expect(zipped.map(({ spec }) => [spec.base.ppo.normReward, spec.base.ppo.gamma, spec.base.ppo.gaeLambda])).toEqual([
      [undefined, 0.9, 0.5],
      [true, 0.8, 0.95],
    ]);
  });

  it('random in a continuous world is refused before anything is trained', () => {
    expect(refusal({ axes: { scenario: ['mountaincar-continuous/pump'], strategy: ['none', 'random'] } })).toBe(
      'axes.strategy[1]: expected a strategy for the continuous actions of mountaincar-continuous/pump, got random, which forgets single actions; exclude: [{ scenario: mountaincar-continuous/pump, strategy: random }]',
    );
  });

  it('every scenario there is resolves, and its rules compile', () => {
    for (const name of Object.keys(SCENARIOS)) {
      const [trial] = grid({ axes: { scenario: [name], strategy: ['none'] } });
      expect(trial && compileRules(trial.spec.base.environment, trial.spec.rules).rules.length).toBe(SCENARIOS[name]?.rules.length);
    }
  });
});
