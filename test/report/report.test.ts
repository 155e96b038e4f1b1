import { describe, expect, it } from 'vitest';
import type { Failure } from '../../src/contract/rows.ts';
import { chooseMetrics } from '../../src/report/metrics.ts';
import { readRecords } from '../../src/report/records.ts';
import { isComplete, makeReport, strangersText } from '../../src/report/report.ts';
import { reportOf, type Synthetic, type SyntheticTrial, stream, synthetic, usual } from './synthetic.ts';

const tableOf = async (made: Synthetic) => (await reportOf(made)).tables[0]!;
const rowOf = async (trials: readonly SyntheticTrial[], bases: Synthetic['bases'] = {}) => (await tableOf({ trials, bases })).rows[0]!;
const seeds = (strategy: string, rows: readonly SyntheticTrial['row'][]): SyntheticTrial[] =>
  rows.map((row, i) => ({ strategy, seed: i + 1, ...(row && { row }) }));
const diverged: Failure = { kind: 'diverged', message: 'gradient step 12: expected a finite gradient, got norm NaN' };

describe('makeReport(…)', () => {
  it('gives mean and sample std (÷(n-1)) over training seeds, in per cent', async () => {
    const { n, asked, failed, cells } = await rowOf(seeds('tsf', [{ fe: 0.9 }, { fe: 0.94 }, { fe: 0.98 }]));
    expect({ n, asked, failed }).toEqual({ n: 3, asked: 3, failed: 0 });
    // 90, 94, 98: mean 94, squares 16 + 0 + 16 = 32, ÷2 = 16; ÷3 would give 3.27
    expect(cells['fe']!.mean).toBeCloseTo(94, 10);
    expect(cells['fe']!.std).toBeCloseTo(4, 10);
  });

  it('reads every column from where it belongs', async () => {
    const found = { fe: 0.1, finalFe: 0.2, worstCase: 0.3, toxicRate: 0.4, rsi: 0.5, meanReturn: -7, gradientSteps: 625 };
    const { cells } = await rowOf(
      seeds('tsf', [{ ...found, identifySteps: 30_000, environmentSteps: 10_000, correctMs: 150, identifyMs: 50 }]),
    );
    const means = Object.fromEntries(Object.entries(cells).map(([key, { mean }]) => [key, mean]));
    expect(means).toHaveProperty('success', 0); // final FE and RSI are too low
    delete means['success'];
    expect(means).toEqual({
      ...{ fe: 10, finalFe: 20, worstCase: 30, closedLoop: 40, rsi: 50, return: -7 },
      gradientOverhead: 2, // 625 / 31,250
      environmentOverhead: 20, // (30,000 + 10,000) / 200,000
      timeOverhead: 2, // (50 + 150) ms / 10 s; curve and evaluate are measurements
    });
  });

  it('says of what tfjs-cpu computed that no native library did: of its rows, or of the whole table', async () => {
    const note = 'computed by TensorFlow.js without its native library (engine tfjs-cpu): its times are not those of TensorFlow';
    const by = (engine: 'wasm' | 'tfjs' | 'tfjs-cpu', seed = 1): SyntheticTrial => ({
      strategy: 'tsf',
      overrides: { engine },
      engine,
      seed,
      row: {},
    });
    const mixed = await tableOf({ trials: [by('wasm'), by('tfjs'), by('tfjs-cpu')] });
    expect([mixed.notes, mixed.marks, mixed.rows.map(({ marks }) => marks)]).toEqual([[note], [], [[], [], [1]]]);
    const all = await tableOf({ trials: [by('tfjs-cpu'), by('tfjs-cpu', 2)] });
    expect([all.notes, all.marks, all.rows.map(({ marks }) => marks)]).toEqual([[note], [1], [[]]]);
    expect((await tableOf({ trials: [by('wasm'), by('tfjs')] })).notes).toEqual([]);
    const averaged = await reportOf({ trials: [by('wasm'), by('tfjs-cpu')] }, { groupBy: ['strategy'] });
    expect(averaged.tables[0]!.notes).toEqual([`1 of 2 trials ${note}`]);
  });

  it('averages correction seeds within their training seed first', async () => {
    const trials = [0.8, 1.0, 0.7, 0.9].map((fe, i) => ({ strategy: 'tsf', seed: 1 + (i >> 1), correctionSeed: i & 1, row: { fe } }));
    const table = await tableOf({ trials });
    const { n, asked, cells } = table.rows[0]!;
    expect({ n, asked, seeds: table.seeds, correctionSeeds: table.correctionSeeds }).toEqual({
      n: 2,
      asked: 2,
      seeds: 2,
      correctionSeeds: 2,
    });
    // seeds are 90 and 80: std √50 = 7.07; over four trials it would be √(500/3) = 12.9
    expect(cells['fe']!.mean).toBeCloseTo(85, 10);
    expect(cells['fe']!.std).toBeCloseTo(Math.sqrt(50), 10);
  });

  it('weighs every training seed alike, however many of its correction seeds finished', async () => {
    const trials: SyntheticTrial[] = [
      { strategy: 'tsf', seed: 1, correctionSeed: 0, row: { fe: 0.6 } },
      { strategy: 'tsf', seed: 1, correctionSeed: 1, row: { fe: 0.8 } },
      { strategy: 'tsf', seed: 2, correctionSeed: 0, row: { fe: 0.9 } },
      { strategy: 'tsf', seed: 2, correctionSeed: 1, row: diverged },
    ];
    const table = await tableOf({ trials });
    const { n, failed, cells, marks } = table.rows[0]!;
    expect(cells['fe']!.mean).toBeCloseTo(80, 10); // (70 + 90) / 2, not (60 + 80 + 90) / 3
    expect({ n, failed, marks }).toEqual({ n: 2, failed: 1, marks: [1] });
    expect(table.notes[0]).toBe(
      '1 of 2 seeds failed: seed 2 (diverged: gradient step 12: expected a finite gradient, got norm NaN); of these, 1 counts with the other trials of the seed',
    );
  });

  it('counts failed seeds and drops none', async () => {
    const table = await tableOf({ trials: seeds('tsf', [{ fe: 0.9 }, diverged, { fe: 0.8 }, undefined]) });
    const { n, asked, failed, cells, marks } = table.rows[0]!;
    expect({ n, asked, failed, marks }).toEqual({ n: 2, asked: 4, failed: 1, marks: [1, 2] });
    expect(cells['fe']!.mean).toBeCloseTo(85, 10);
    expect(table.notes).toEqual([`1 of 4 seeds failed: seed 2 (diverged: ${diverged.message})`, '1 of 4 trials have no row yet']);
  });

  it('counts a trial as failed when its base failed and it has no row of its own', async () => {
    const table = await tableOf({ trials: seeds('tsf', [{ fe: 0.9 }, undefined]), bases: { 2: { failure: diverged } } });
    expect(table.rows[0]).toMatchObject({ n: 1, asked: 2, failed: 1 });
    expect(table.notes[0]).toContain('seed 2 (refused: base base 2 diverged: gradient step 12');
  });

  it('has no std below two seeds and no mean without any: null, never NaN', async () => {
    const one = await rowOf(seeds('tsf', [{ fe: 0.9 }, diverged]));
    expect(one.cells['fe']).toMatchObject({ n: 1, mean: 90, std: null });
    const none = await rowOf(seeds('tsf', [diverged, undefined]));
    for (const [key, cell] of Object.entries(none.cells))
      expect(cell).toMatchObject(key === 'success' ? { n: 1, mean: 0, std: null } : { n: 0, mean: null, std: null });
    expect(none).toMatchObject({ n: 0, asked: 2, failed: 1 });
  });

  it('leaves a seed out of a cell where it is not defined, and says so', async () => {
    const table = await tableOf({ trials: seeds('tsf', [{ toxicRate: 0.1 }, { toxicRate: null }, { toxicRate: 0.3 }]) });
    const { n, cells } = table.rows[0]!;
    expect(n).toBe(3);
    expect(cells['closedLoop']).toMatchObject({ n: 2, marks: [1] });
    expect(cells['closedLoop']!.mean).toBeCloseTo(20, 10); // as 0 it would be 13.3
    expect(cells['fe']!.marks).toEqual([]);
    expect(table.notes).toEqual(['closed loop: n = 2 of 3 seeds; the other has none: the region was never entered']);
  });

  it.each([
    [[null, null, null], 'closed loop: no number from any of 3 seeds: the region was never entered'],
    [[null], 'closed loop: no number from the only seed: the region was never entered'],
    [[0.1, null, null], 'closed loop: n = 1 of 3 seeds; the other 2 have none: the region was never entered'],
  ])('says of rates %j: %s', async (rates, note) => {
    const table = await tableOf({
      trials: seeds(
        'tsf',
        rates.map((toxicRate) => ({ toxicRate })),
      ),
    });
    expect(table.notes).toEqual([note]);
  });

  it('keeps the forgetting columns of retrain empty, whatever its row says, and spends no footnote on it', async () => {
    const table = await tableOf({ trials: seeds('retrain', [{ toxicRate: 0, rsi: 0.98 }]) });
    const { cells } = table.rows[0]!;
    for (const key of ['fe', 'finalFe', 'worstCase', 'closedLoop']) expect(cells[key]).toMatchObject({ n: 0, mean: null, std: null });
    expect(cells['rsi']!.mean).toBe(98);
    expect(table.notes).toEqual([]);
  });

  it('does not charge `none` for what was recorded of its base', async () => {
    const { cells } = await rowOf(seeds('none', [{ gradientSteps: 0, correctMs: 0 }]));
    for (const key of ['gradientOverhead', 'environmentOverhead', 'timeOverhead']) expect(cells[key]!.mean).toBe(0);
  });

  it('marks a time whose two halves come from different hosts', async () => {
    const table = await tableOf({ trials: seeds('tsf', [{ host: 'a' }, { host: 'b' }]) });
    expect(table.rows[0]!.cells['timeOverhead']!.marks).toEqual([1]);
    expect(table.notes).toEqual(['time: in 1 of 2 trials correction and training were timed on different hosts']);
  });

  it('says where a time is not on record', async () => {
    const table = await tableOf({ trials: seeds('tsf', [{}, {}]), bases: { 2: { trainMs: null } } });
    expect(table.rows[0]!.cells['timeOverhead']).toMatchObject({ n: 1, marks: [1] });
    expect(table.notes).toEqual(['time: n = 1 of 2 seeds; the other has none: no time on record']);
  });

  it('footnotes bases that are not accepted, with their number and the reason', async () => {
    const low = { notAccepted: ['greedy return 210.0 is below the gate of 475'] };
    const trials = ['none', 'tsf'].flatMap((strategy) => seeds(strategy, [{}, low, {}]));
    const table = await tableOf({ trials });
    expect(table.marks).toEqual([1]);
    expect(table.notes).toEqual([
      '1 of 3 bases are not accepted for this scenario, and count all the same: seed 2 (greedy return 210.0 is below the gate of 475)',
    ]);
  });

  it('puts none and retrain first, and keeps the order of the sweep', async () => {
    const trials = ['tsf:paper', 'retrain', 'tsf', 'none'].flatMap((strategy) => seeds(strategy, [{}]));
    expect((await tableOf({ trials })).rows.map((row) => row.strategy)).toEqual(['retrain', 'none', 'tsf:paper', 'tsf']);
  });

  it('has one table per scenario and tells arms apart by their overrides', async () => {
    const trials = ['cartpole/angle', 'cartpole/side'].flatMap((scenario) =>
      [100, 500].map((steps) => ({ scenario, strategy: 'tsf', overrides: { 'correct.steps': steps }, seed: 1, row: { fe: steps / 1000 } })),
    );
    const { tables } = await reportOf({ trials });
    expect(tables.map((t) => [t.scenario, t.rows.map((r) => [r.overrides, r.cells['fe']!.mean])])).toEqual(
      ['cartpole/angle', 'cartpole/side'].map((scenario) => [
        scenario,
        [
          [{ 'correct.steps': 100 }, 10],
          [{ 'correct.steps': 500 }, 50],
        ],
      ]),
    );
  });

  it('does not depend on the order in which rows came in', async () => {
    const made = { trials: ['none', 'tsf'].flatMap((s) => seeds(s, [{ fe: 0.1 }, { fe: 0.25 }, diverged, { fe: 0.7 }])) };
    const { asked, source } = synthetic(made);
    const rows = [];
    for await (const batch of source.trials) rows.push(...batch);
    const backwards = { ...synthetic(made).source, trials: stream(rows.reverse()) };
    const records = await readRecords(asked, backwards, chooseMetrics(undefined));
    expect(makeReport('quick', records, usual)).toEqual(await reportOf(made));
  });

  it('counts rows that nobody asked for, beside the table', async () => {
    const { source } = synthetic({ trials: seeds('tsf', [{ fe: 0.1 }, { fe: 0.3 }]) });
    const { asked } = synthetic({ trials: seeds('tsf', [{}]) });
    const report = makeReport('quick', await readRecords(asked, source, chooseMetrics(undefined)), usual);
    expect(report.tables[0]!.rows[0]).toMatchObject({ n: 1, asked: 1 });
    expect(strangersText(report)).toEqual(['trials.jsonl has 1 row of no trial of this sweep: not in the table.']);
  });
});

describe('makeReport(…) of chosen axes', () => {
  const grid = (of: (strategy: string, steps: number, seed: number, correctionSeed: number) => SyntheticTrial['row']): SyntheticTrial[] =>
    ['tsf', 'tsf:paper'].flatMap((strategy) =>
      [100, 500].flatMap((steps) =>
        [1, 2].flatMap((seed) =>
          [0, 1].map((correctionSeed): SyntheticTrial => {
            const row = of(strategy, steps, seed, correctionSeed);
            return { strategy, overrides: { 'correct.steps': steps }, seed, correctionSeed, ...(row && { row }) };
          }),
        ),
      ),
    );
  const by = async (trials: readonly SyntheticTrial[], groupBy: readonly string[]) => (await reportOf({ trials }, { groupBy })).tables[0]!;

  it('averages an axis that is not grouped by within the training seed', async () => {
    const table = await by(
      grid((strategy, steps, seed, c) => ({ fe: (strategy === 'tsf' ? 0.1 : 0.2) + steps / 1000 + seed / 100 + c / 50 })),
      ['strategy'],
    );
    // tsf: 0.1 + mean(0.1, 0.5) + seed/100 + mean(0, 0.02) = 0.41 + seed/100: seeds 42 and 43
    expect(table.rows.map(({ strategy, overrides, n, asked }) => ({ strategy, overrides, n, asked }))).toEqual([
      { strategy: 'tsf', overrides: {}, n: 2, asked: 2 },
      { strategy: 'tsf:paper', overrides: {}, n: 2, asked: 2 },
    ]);
    expect(table.rows.map(({ cells }) => cells['fe']!.mean)).toEqual([42.5, 52.5].map((x) => expect.closeTo(x, 10)));
    expect(table.rows[0]!.cells['fe']!.std).toBeCloseTo(Math.SQRT1_2, 10); // over 8 trials it would be 21.4
  });

  it('weighs every arm of a seed alike, however many of its correction seeds finished', async () => {
    const table = await by(
      grid((strategy, steps, _, c) => (steps === 500 && c === 1 ? diverged : { fe: strategy === 'tsf' ? steps / 1000 : 0 })),
      ['strategy'],
    );
    expect(table.rows[0]!.cells['fe']!.mean).toBeCloseTo(30, 10); // (10 + 50) / 2; over trials (10 + 10 + 50) / 3
    expect(table.rows[0]!.failed).toBe(2);
    expect(table.notes[0]).toContain('of these, 2 count with the other trials of the seed');
  });

  it('names rows by the axes alone when the strategy is not one of them', async () => {
    const table = await by(
      grid((_, steps) => ({ fe: steps / 1000 })),
      ['correct.steps'],
    );
    expect(table.rows.map(({ strategy, overrides, cells }) => [strategy, overrides, cells['fe']!.mean])).toEqual([
      [null, { 'correct.steps': 100 }, 10],
      [null, { 'correct.steps': 500 }, 50],
    ]);
  });
});

describe('makeReport(…) with a baseline', () => {
  const withBaseline = (trials: readonly SyntheticTrial[], baseline: string, bases: Synthetic['bases'] = {}) =>
    reportOf({ trials, bases }, { baseline }).then(({ tables }) => tables[0]!);

  it('takes differences at equal seeds, which a common part of a seed does not widen', async () => {
    const { rows, notes } = await withBaseline(
      [...seeds('none', [{ rsi: 0.1 }, { rsi: 0.5 }, { rsi: 0.9 }]), ...seeds('tsf', [{ rsi: 0.11 }, { rsi: 0.52 }, { rsi: 0.93 }])],
      'none',
    );
    const [none, tsf] = rows;
    expect([none!.pairs, none!.cells['rsi']!.difference]).toEqual([null, null]);
    // 1, 2, 3: mean 2, std 1, t(2) = 4.3027, half 4.3027 / √3 = 2.4841
    expect(tsf!.pairs).toBe(3);
    expect(tsf!.cells['rsi']!.difference).toEqual({
      ...{ n: 3, mean: expect.closeTo(2, 10), std: expect.closeTo(1, 10), marks: [] },
      ...{ low: expect.closeTo(2 - 2.484138, 5), high: expect.closeTo(2 + 2.484138, 5) },
    });
    expect(notes).toEqual([]);
  });

  it('averages correction seeds first, and leaves out seeds that only one of the two has', async () => {
    const tsf = [0.4, 0.6, 0.8, 1].map((rsi, i) => ({ strategy: 'tsf', seed: 1 + (i >> 1), correctionSeed: i & 1, row: { rsi } }));
    const { rows } = await withBaseline([...seeds('none', [{ rsi: 0.1 }, diverged, { rsi: 0.3 }]), ...tsf], 'none');
    expect(rows[1]).toMatchObject({ pairs: 1, n: 2 });
    expect(rows[1]!.cells['rsi']!.difference).toMatchObject({ n: 1, mean: expect.closeTo(40, 10), std: null, low: null, high: null });
  });

  it('says where a pair lacks a number', async () => {
    const { rows, notes } = await withBaseline(
      [...seeds('none', [{ toxicRate: 0.4 }, { toxicRate: null }]), ...seeds('tsf', [{ toxicRate: 0.1 }, { toxicRate: 0.1 }])],
      'none',
    );
    expect(rows[1]!.cells['closedLoop']!.difference).toMatchObject({ n: 1, mean: expect.closeTo(-30, 10), marks: [2] });
    expect(notes[1]).toBe('closed loop: 1 of 2 pairs have both numbers');
  });

  it('compares at the same other axes, those that both have', async () => {
    const at = (strategy: string, steps: number, rsi: number) =>
      seeds(strategy, [{ rsi }]).map((trial) => ({ ...trial, overrides: { 'correct.steps': steps } }));
    const arms = [
      ...seeds('none', [{ rsi: 0.5 }]),
      ...at('tsf', 1, 0.6),
      ...at('tsf', 2, 0.8),
      ...at('tsf:paper', 1, 0.1),
      ...at('tsf:paper', 2, 0.2),
    ];
    const differences = async (baseline: string) =>
      (await withBaseline(arms, baseline)).rows.map(({ cells }) => {
        const mean = cells['rsi']!.difference?.mean;
        return mean === undefined || mean === null ? null : Math.round(mean);
      });
    expect(await differences('none')).toEqual([null, 10, 30, -40, -30]);
    expect(await differences('tsf')).toEqual([null, null, null, -50, -60]);
    expect((await withBaseline(arms, 'tsf')).notes).toEqual(['no difference: not one row of tsf has the same other axes']);
  });
});

describe('makeReport(…): success', () => {
  const good = { finalFe: 0.99, worstCase: 0.05, rsi: 0.98 };
  it('counts a seed that reaches all thresholds on an accepted base, and a failed one as none', async () => {
    const rows = [good, { ...good, finalFe: 0.9899 }, { ...good, worstCase: 0.0501 }, { ...good, rsi: 0.9799 }];
    const { cells, n } = await rowOf(seeds('tsf', [...rows, { ...good, notAccepted: ['low'] }, diverged, good, undefined]));
    expect(n).toBe(6);
    expect(cells['success']).toMatchObject({ n: 7, mean: expect.closeTo(200 / 7, 10), marks: [] });
  });

  it('is a share where correction seeds do not agree, and nothing for retrain', async () => {
    const trials = [good, { ...good, rsi: 0 }].map((row, i) => ({ strategy: 'tsf', seed: 1, correctionSeed: i, row }));
    expect((await rowOf(trials)).cells['success']!.mean).toBe(50);
    expect((await rowOf(seeds('retrain', [good, diverged]))).cells['success']).toMatchObject({ n: 0, mean: null, marks: [] });
  });
});

describe('makeReport(…): columns', () => {
  const overrun = { multiple: [2, 4], finalFe: [0.7, 0.6], meanReturn: [300, 200] };
  it('shows what lies beyond the budget only where a row of the table has it', async () => {
    expect((await tableOf({ trials: seeds('tsf', [{}]) })).columns).not.toContain('feAt2K');
    const table = await tableOf({ trials: [...seeds('none', [{}]), ...seeds('tsf', [{ overrun }])] });
    expect(table.columns).toEqual(expect.arrayContaining(['feAt2K', 'feAt4K']));
    expect([table.rows[1]!.cells['feAt2K']!.mean, table.rows[1]!.cells['feAt4K']!.mean]).toEqual([70, 60]);
    expect(table.rows[0]!.cells['feAt2K']!.mean).toBeNull();
    expect(table.notes).toEqual([]); // `none` has no steps to exceed: nothing to explain
  });

  it('shows those that are chosen, in that order, with or without numbers', async () => {
    const metrics = ['returnAt4K', 'influencePrinted', 'retainKl', 'rsiSampled', 'feAt2K', 'fe'];
    const { tables } = await reportOf({ trials: seeds('tsf', [{}]) }, {}, metrics);
    const means = tables[0]!.columns.map((key) => [key, tables[0]!.rows[0]!.cells[key]!.mean]);
    expect(means).toEqual([
      ...[
        ['returnAt4K', null],
        ['influencePrinted', 0.5],
        ['retainKl', 0],
        ['rsiSampled', 100],
        ['feAt2K', null],
        ['fe', 90],
      ],
    ]);
  });

  it('chooseMetrics(…) says what there is', () => {
    expect(() => chooseMetrics(['fee'])).toThrow('--metric: expected the key of a metric, got fee; did you mean fe?');
  });
});

describe('isComplete(…)', () => {
  it.each([
    ['finished', [{}, {}], true],
    ['a failure', [{}, diverged], false],
    ['a missing row', [{}, undefined], false],
  ] as const)('%s', async (_name, rows, expected) => {
    expect(isComplete(await reportOf({ trials: seeds('tsf', rows) }))).toBe(expected);
  });
});
