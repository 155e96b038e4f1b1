import { describe, expect, it } from 'vitest';
import type { Failure } from '../../src/contract/rows.ts';
import { readRecords } from '../../src/report/records.ts';
import { isComplete, makeReport, type Report, strangersText } from '../../src/report/report.ts';
import { type Synthetic, type SyntheticTrial, stream, synthetic } from './synthetic.ts';

const reportOf = async (made: Synthetic): Promise<Report> => {
  const { asked, source } = synthetic(made);
  const { records, strangers } = await readRecords(asked, source);
  return makeReport('quick', records, strangers);
};
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
    expect(means).toEqual({
      ...{ fe: 10, finalFe: 20, worstCase: 30, closedLoop: 40, rsi: 50, return: -7 },
      gradientOverhead: 2, // 625 / 31,250
      environmentOverhead: 20, // (30,000 + 10,000) / 200,000
      timeOverhead: 2, // (50 + 150) ms / 10 s; curve and evaluate are measurements
    });
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
      '1 of 2 seeds failed: seed 2 (diverged: gradient step 12: expected a finite gradient, got norm NaN); of these, 1 counts with the other correction seeds',
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
    for (const cell of Object.values(none.cells)) expect(cell).toMatchObject({ n: 0, mean: null, std: null });
    expect(none).toMatchObject({ n: 0, asked: 2, failed: 1 });
  });

  it('leaves a seed out of a cell where it is not defined, and says so', async () => {
    const table = await tableOf({ trials: seeds('tsf', [{ toxicRate: 0.1 }, { toxicRate: null }, { toxicRate: 0.3 }]) });
    const { n, cells } = table.rows[0]!;
    expect(n).toBe(3);
    expect(cells['closedLoop']).toMatchObject({ n: 2, marks: [1] });
    expect(cells['closedLoop']!.mean).toBeCloseTo(20, 10); // as 0 it would be 13.3
    expect(cells['fe']!.marks).toEqual([]);
    expect(table.notes).toEqual(['closed loop: n = 2 of 3; the region was never entered in the rest']);
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
    expect(table.notes).toEqual(['time: n = 1 of 2; no time on record in the rest']);
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
    for await (const row of source.trials) rows.push(row);
    const backwards = { ...synthetic(made).source, trials: stream(rows.reverse()) };
    const { records } = await readRecords(asked, backwards);
    expect(makeReport('quick', records, 0)).toEqual(await reportOf(made));
  });

  it('counts rows that nobody asked for, beside the table', async () => {
    const { source } = synthetic({ trials: seeds('tsf', [{ fe: 0.1 }, { fe: 0.3 }]) });
    const { asked } = synthetic({ trials: seeds('tsf', [{}]) });
    const { records, strangers } = await readRecords(asked, source);
    const report = makeReport('quick', records, strangers);
    expect(report.tables[0]!.rows[0]).toMatchObject({ n: 1, asked: 1 });
    expect(strangersText(report)).toEqual(['trials.jsonl has 1 row of no trial of this sweep: not in the table.']);
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
