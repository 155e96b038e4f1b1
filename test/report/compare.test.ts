import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/contract/errors.ts';
import type { Failure } from '../../src/contract/rows.ts';
import type { EngineName } from '../../src/contract/spec.ts';
import { weightsDigest } from '../../src/ppo/policy.ts';
import { type Comparison, makeComparison, type Question } from '../../src/report/compare.ts';
import { chooseMetrics } from '../../src/report/metrics.ts';
import type { BaseWay, Way, Ways } from '../../src/report/partings.ts';
import { readRecords } from '../../src/report/records.ts';
import { printComparison } from '../../src/report/sides.ts';
import { baseIdOf, type SyntheticTrial, synthetic } from './synthetic.ts';

const nothing: Ways = { bases: new Map(), trials: new Map() };

async function compare(
  trials: readonly SyntheticTrial[],
  question: Question = { axis: 'engine' },
  ways: Ways = nothing,
): Promise<Comparison> {
  const { asked, source } = synthetic({ trials });
  return makeComparison('engines', await readRecords(asked, source, chooseMetrics(['fe', 'rsi', 'timeOverhead'])), ways, question);
}

/** A row per seed, from seed 1 on. */
const by = (engine: EngineName, rows: readonly SyntheticTrial['row'][], strategy = 'tsf'): SyntheticTrial[] =>
  rows.map((row, i) => ({ strategy, engine, overrides: { engine }, seed: i + 1, ...(row && { row }) }));
const fe = (...values: number[]): SyntheticTrial['row'][] => values.map((value) => ({ fe: value }));
const diverged: Failure = { kind: 'diverged', message: 'loss: NaN' };
const way = (...weights: string[]): Way => ({ step: weights.map((_, i) => 100 * (i + 1)), weights });
const baseWay = (greedyReturn: number, ...weights: string[]): BaseWay => ({
  ...way(...weights),
  greedyReturn,
  returns: weights.map(() => 9),
});
const basesOf = (engine: EngineName, ways: readonly BaseWay[]) => ways.map((one, i) => [baseIdOf(engine, i + 1), one] as const);

describe('makeComparison(…)', () => {
  it('sets the values of an axis side by side, and subtracts at equal seeds', async () => {
    const { values, to, combinations } = await compare([...by('wasm', fe(0.9, 0.8, 0.7)), ...by('tfjs', fe(0.91, 0.83, 0.72))]);
    const [{ strategy, overrides, sides }] = combinations as [Comparison['combinations'][number]];
    expect({ values, to, strategy, overrides, count: combinations.length }).toEqual({
      ...{ values: ['wasm', 'tfjs'], to: 'wasm', strategy: 'tsf', overrides: {}, count: 1 },
    });
    const [wasm, tfjs] = sides.map(({ cells }) => cells['fe']);
    expect([wasm?.mean, wasm?.std, wasm?.difference]).toEqual([expect.closeTo(80, 9), expect.closeTo(10, 9), null]);
    // 1, 3, 2: mean 2, std 1; t(2) = 4.3027, so ± 4.3027 / √3 = 2.4841. Unpaired it would be ± 22.6
    const { n, mean, std, low, high } = tfjs!.difference!;
    expect([n, mean, std, low, high].map((x) => Number(x?.toFixed(4)))).toEqual([3, 2, 1, -0.4841, 4.4841]);
    expect(sides.map(({ pairs }) => pairs)).toEqual([null, 3]);
  });

  it('compares to what is asked for', async () => {
    const { combinations } = await compare([...by('wasm', fe(0.9)), ...by('tfjs', fe(0.8))], { axis: 'engine', to: 'tfjs' });
    expect(combinations[0]?.sides.map(({ cells }) => cells['fe']?.difference?.mean ?? null)).toEqual([expect.closeTo(10, 9), null]);
  });

  it('has no RSI where the base is not above a random policy, and says why', async () => {
    const trials = [...by('wasm', [{ rsi: 0.9 }, { rsi: 1 }]), ...by('tfjs', [{ rsi: 0.8 }, { rsi: 0 }])];
    const { asked, source } = synthetic({ trials, bases: { 2: { returns: { greedy: -200, sampled: -200, random: -180 } } } });
    const made = makeComparison('engines', await readRecords(asked, source, chooseMetrics(['rsi'])), nothing, { axis: 'engine' });
    const { sides, notes } = made.combinations[0]!;
    expect(sides.map(({ cells }) => [cells['rsi']?.n, cells['rsi']?.mean])).toEqual([
      [1, 90],
      [1, 80],
    ]);
    expect(sides[1]?.cells['rsi']?.difference).toMatchObject({ n: 1, mean: expect.closeTo(-10, 9) });
    const why = 'the greedy return of the base is not above that of a random policy, so there is nothing to keep';
    expect(notes).toContain(`RSI: n = 1 of 2 seeds; the other has none: ${why}`);
    expect(printComparison(made).replaceAll(/\s+/g, ' ')).toContain(`RSI: n = 1 of 2 seeds; the other has none: ${why}`);
  });

  it('counts failures and missing rows, and drops none', async () => {
    const trials = [...by('wasm', fe(0.9, 0.8, 0.7)), ...by('tfjs', [{ fe: 0.8 }, diverged, undefined])];
    const { trials: counts, combinations } = await compare(trials);
    const { sides, notes } = combinations[0]!;
    expect(counts).toEqual({ asked: 6, ok: 4, failed: 1 });
    expect(sides.map(({ asked, n, failed, pairs }) => [asked, n, failed, pairs])).toEqual([
      [3, 3, 0, null],
      [3, 1, 1, 1],
    ]);
    expect(sides[1]?.marks.map((mark) => notes[mark - 1])).toEqual([
      '1 of 3 seeds failed: seed 2 (diverged: loss: NaN)',
      '1 of 3 trials have no row yet',
    ]);
    expect(sides[1]?.cells['fe']?.difference).toMatchObject({ n: 1, mean: expect.closeTo(-10, 9), std: null, low: null, high: null });
  });

  it('has the return of every base, also of one that was refused', async () => {
    const refused: Failure = { kind: 'refused', message: 'below the gate' };
    const ways = {
      ...nothing,
      bases: new Map([...basesOf('wasm', [baseWay(500), baseWay(500)]), ...basesOf('tfjs', [baseWay(490), baseWay(400)])]),
    };
    const { combinations } = await compare([...by('wasm', fe(0.9, 0.9)), ...by('tfjs', [{ fe: 0.9 }, refused])], { axis: 'engine' }, ways);
    const { cells, n } = combinations[0]!.sides[1]!;
    expect([n, cells['baseReturn']?.n, cells['baseReturn']?.mean]).toEqual([1, 2, 445]);
    expect(cells['baseReturn']?.difference).toMatchObject({ n: 2, mean: -55 });
    expect(cells['fe']?.difference?.n).toBe(1);
  });

  it('says where weights part, of bases by seed, and of the first correction seed to part', async () => {
    const bases = new Map([
      ...basesOf('wasm', [baseWay(500, 'a', 'b', 'c'), baseWay(500, 'a', 'b', 'c'), baseWay(500, 'a', 'b', 'c')]),
      ...basesOf('tfjs', [baseWay(500, 'a', 'b', 'c'), baseWay(500, 'a', 'x', 'c'), baseWay(500, 'x', 'y', 'z')]),
    ]);
    const trials = (['wasm', 'tfjs'] as const).flatMap((engine) =>
      by(engine, fe(0.9, 0.9, 0.9)).flatMap((trial) => [0, 1].map((correctionSeed) => ({ ...trial, correctionSeed }))),
    );
    const ids = synthetic({ trials }).asked;
    const partsAt = (seed: number, correctionSeed: number): number => 4 - seed + correctionSeed; // 3, 4, 2, 3, 1, 2 of 3: the later of a seed is 1
    const corrections = ids.map(({ id, engine, seed, correctionSeed }) => {
      const from = partsAt(seed, correctionSeed);
      return [id, way(...[1, 2, 3].map((i) => (engine === 'tfjs' && i >= from ? 'x' : 'a')))] as const;
    });
    const { combinations } = await compare(trials, { axis: 'engine' }, { bases, trials: new Map(corrections) });
    expect(combinations[0]?.sides.map(({ partings }) => partings)).toEqual([
      null,
      {
        episodes: { n: 3, same: 3, median: null, min: null, max: null },
        base: { n: 3, same: 1, median: 150, min: 100, max: 200 },
        correction: { n: 3, same: 0, median: 200, min: 100, max: 300 },
        marks: [],
      },
    ]);
  });

  it('names no step where digests are of other bytes anyway, and says so; episodes can still be compared', async () => {
    const [double, single] = [Float64Array.of(0.5, 0.25), Float32Array.of(0.5, 0.25)];
    expect([...double]).toEqual([...single]);
    expect(weightsDigest(double)).not.toBe(weightsDigest(single)); // the same numbers
    const later = { ...baseWay(500, 'a', 'b'), returns: [9, 8] };
    const ways = { ...nothing, bases: new Map([...basesOf('wasm', [later]), ...basesOf('reference', [baseWay(500, 'x', 'y')])]) };
    const { combinations } = await compare([...by('wasm', fe(0.9)), ...by('reference', fe(0.9))], { axis: 'engine' }, ways);
    const { sides, notes } = combinations[0]!;
    expect(sides[1]?.partings).toEqual({
      episodes: { n: 1, same: 0, median: 200, min: 200, max: 200 },
      base: null,
      correction: null,
      marks: [1],
    });
    expect(notes[0]).toContain('Those of reference are float64, the others float32');
  });

  it('has a combination for all that else differs, takes any axis, and names the arms that stand alone', async () => {
    const steps = (value: number, strategy: string): SyntheticTrial => ({
      strategy,
      seed: 1,
      overrides: { 'correct.steps': value },
      row: {},
    });
    const trials = [
      { strategy: 'none', seed: 1, row: {} },
      steps(10, 'tsf'),
      steps(20, 'tsf'),
      steps(10, 'zsi'),
      steps(20, 'zsi'),
      steps(20, 'mrp+tsf'),
    ];
    const { values, combinations, alone } = await compare(trials, { axis: 'correct.steps', to: '20' });
    expect(values).toEqual([10, 20]);
    expect(combinations.map(({ strategy, sides }) => [strategy, sides.map(({ value, partings }) => [value, partings])])).toEqual([
      [
        'tsf',
        [
          [10, null],
          [20, null],
        ],
      ],
      [
        'zsi',
        [
          [10, null],
          [20, null],
        ],
      ],
    ]);
    expect(alone).toEqual(['cartpole/angle none', 'cartpole/angle mrp+tsf correct.steps=20']);
    const strategies = await compare(trials, { axis: 'strategy', to: 'zsi' });
    expect(strategies.combinations.map(({ strategy, overrides, sides }) => [strategy, overrides, sides.map(({ value }) => value)])).toEqual(
      [
        [null, { 'correct.steps': 10 }, ['tsf', 'zsi']],
        [null, { 'correct.steps': 20 }, ['tsf', 'zsi', 'mrp+tsf']],
      ],
    );
  });

  it('says where the value that is compared to is not there', async () => {
    const three = (engine: EngineName, strategy: string): SyntheticTrial[] => by(engine, fe(0.9), strategy);
    const trials = [...three('wasm', 'none'), ...three('tfjs', 'none'), ...three('tfjs', 'tsf'), ...three('tfjs-cpu', 'tsf')];
    const { sides, notes } = (await compare(trials)).combinations[1]!;
    expect(sides.map(({ value, pairs }) => [value, pairs])).toEqual([
      ['tfjs', null],
      ['tfjs-cpu', null],
    ]);
    expect(notes).toEqual([
      'no difference: there is no such arm at wasm',
      'base return: n = 0 of 1 seeds; the rest have no trained base',
      'computed by TensorFlow.js without its native library (engine tfjs-cpu): its times are not those of TensorFlow',
    ]);
  });

  it.each<[Question, string]>([
    [{ axis: 'engin' }, '--axis: expected an axis of this sweep with several values, got engin; did you mean engine?'],
    [{ axis: 'scenario' }, '--axis: expected an axis of this sweep with several values, got scenario; there are: engine'],
    [{ axis: 'engine', to: 'wsam' }, '--to: expected a value of the axis, got wsam; did you mean wasm?'],
    [{ axis: 'engine', to: '' }, '--to: expected a value of the axis, got nothing; there are: wasm, tfjs'],
  ])('refuses %j', async (question, message) => {
    const made = compare([...by('wasm', fe(0.9)), ...by('tfjs', fe(0.8))], question);
    await expect(made).rejects.toThrow(ConfigError);
    await expect(made).rejects.toThrow(message);
  });
});

describe('printComparison(…)', () => {
  const bases = new Map([
    ...basesOf('wasm', [baseWay(500, 'a', 'b'), baseWay(499, 'a', 'b')]),
    ...basesOf('tfjs', [baseWay(500, 'a', 'x'), baseWay(489, 'a', 'b')]),
  ]);

  it('prints numbers, differences, intervals and steps, and what they are', async () => {
    const trials = [...by('wasm', fe(0.9, 0.8)), ...by('tfjs', [{ fe: 0.91 }, diverged])];
    const text = printComparison(await compare(trials, { axis: 'engine' }, { ...nothing, bases }));
    expect(text.split('\n\nseeds: ')[0]).toBe(`engines: along engine, compared to wasm; 3 of 4 trials finished, 1 failed

cartpole/angle tsf
                    wasm          tfjs
seeds                2/2          1/2¹
failed                 0             1
base return  499.5 ± 0.7  494.5 ± 7.8²
FE %          85.0 ± 7.1      91.0 ± –
RSI %        100.0 ± 0.0     100.0 ± –
time %       4.00 ± 0.00      4.00 ± –

minus wasm                                  tfjs
pairs                           1
base return            -5.0 ± 7.1 [-68.5, +58.5]
FE %                     +1.0 ± –              –
RSI %                     0.0 ± –              –
time %                   0.00 ± –              –
episodes part at            never
weights part at      200 (1 of 2)     [200, 200]
correction parts at             –

¹ 1 of 2 seeds failed: seed 2 (diverged: loss: NaN)
² base return: of all 2 bases, whether their trials finished or not`);
  });

  it('fits 80 columns with four engines, and says what it says of each', async () => {
    const engines = ['reference', 'wasm', 'tfjs', 'tfjs-cpu'] as const;
    const trials = engines.flatMap((engine) => by(engine, fe(0.9, 0.81234, 0.1)));
    const text = printComparison(await compare(trials, { axis: 'engine', to: 'wasm' }));
    expect(Math.max(...text.split('\n').map((line) => [...line].length))).toBeLessThanOrEqual(80);
    for (const engine of engines) expect(text).toMatch(new RegExp(`^(minus wasm)? .*\\b${engine}(?![\\w-])`, 'm'));
    expect(text).toContain('minus wasm: the same at that engine');
  });
});
