import { describe, expect, it } from 'vitest';
import { csvReport } from '../../src/report/csv.ts';
import { jsonReport } from '../../src/report/json.ts';
import { markdownReport } from '../../src/report/markdown.ts';
import { printReport } from '../../src/report/terminal.ts';
import { texReport } from '../../src/report/tex.ts';
import { reportOf, type Synthetic, type SyntheticTrial } from './synthetic.ts';

/** The returns of the case that was seen first: worse than random greedily in every seed, and better when sampled in the second. */
const below = { greedy: -235, sampled: -204, random: -181 };
const equal = { greedy: -181, sampled: -181, random: -181 };
const above = { greedy: 260, sampled: 240, random: -181 };
const nothing = 'of the base is not above that of a random policy, so there is nothing to keep';

const seeds = (strategy: string, count: number, row: SyntheticTrial['row'] = {}): SyntheticTrial[] =>
  Array.from({ length: count }, (_, i) => ({ strategy, seed: i + 1, ...(row && { row }) }));
const withReturns = (returns: Readonly<Record<number, typeof below>>): NonNullable<Synthetic['bases']> =>
  Object.fromEntries(Object.entries(returns).map(([seed, of]) => [seed, { returns: of }]));
const allBelow: Synthetic = {
  trials: [...seeds('none', 3, { rsi: 1 }), ...seeds('tsf', 3, { rsi: 0 })],
  bases: withReturns({ 1: below, 2: equal, 3: below }),
};

describe('RSI of a base not above a random policy', () => {
  const note = `RSI: no number from any of 3 seeds: the greedy return ${nothing}`;

  it('is no number in any row, with one footnote', async () => {
    const { rows, notes } = (await reportOf(allBelow)).tables[0]!;
    expect(notes).toEqual([note]);
    for (const { n, cells } of rows) {
      expect(n).toBe(3); // they have finished, and everything else is a number
      expect(cells['rsi']).toEqual({ n: 0, mean: null, std: null, iqm: null, unit: '%', marks: [1], difference: null });
      expect(cells['fe']?.n).toBe(3);
    }
  });

  it('is – with the footnote in every view, and an empty field in CSV', async () => {
    const report = await reportOf(allBelow, { baseline: 'none' });
    const flat = (text: string) => text.replaceAll(/\s+/g, ' ');
    expect(flat(printReport(report))).toContain(`¹ ${note}`);
    expect(printReport(report).match(/–¹/g)?.length).toBeGreaterThanOrEqual(4); // two rows, mean and IQM
    expect(flat(markdownReport(report))).toContain(`¹ ${note}`);
    expect(markdownReport(report)).toContain('| –¹ |');
    expect(texReport(report)).toContain(`\\textsuperscript{1} ${note}`);
    expect(texReport(report)).toContain('--\\textsuperscript{1}');
    const json = JSON.parse(jsonReport(report)) as typeof report;
    expect(json.tables[0]!.rows.map(({ cells }) => cells['rsi']?.mean)).toEqual([null, null]);
    const csv = csvReport(report)
      .split('\n')
      .filter((line) => line.includes(',rsi,'));
    expect(csv).toEqual(['cartpole/angle,none,,rsi,%,,,,0,3,0,,,,,,', 'cartpole/angle,tsf,,rsi,%,,,,0,3,0,none,,,,,0']);
  });

  it('is – in the line of its seed, with the footnote', async () => {
    const report = await reportOf(
      { trials: seeds('tsf', 2, { rsi: 0.5 }), bases: withReturns({ 1: above, 2: below }) },
      { perSeed: true },
      ['rsi', 'rsiSampled'],
    );
    expect(report.tables[0]!.rows[0]!.seeds?.map(({ values }) => values['rsi'])).toEqual([50, null]);
    const text = printReport(report, 'seeds');
    expect(text).toMatch(/1 {2}ok +50\.0 +100\.0\n/);
    expect(text).toMatch(/2 {2}ok +–¹ +–²\n/);
    expect(markdownReport(report, 'seeds')).toContain('| tsf | 2 | ok | –¹ | –² |');
    expect(texReport(report, 'seeds')).toContain('tsf & 2 & ok & --\\textsuperscript{1} & --\\textsuperscript{2}');
  });

  it('counts only the seeds whose base is above it, and says how many', async () => {
    const made = { trials: seeds('tsf', 3, { rsi: 0.5 }), bases: withReturns({ 1: above, 2: below, 3: above }) };
    const { rows, notes } = (await reportOf(made)).tables[0]!;
    expect(rows[0]!.cells['rsi']).toMatchObject({ n: 2, mean: 50, marks: [1] });
    expect(notes).toEqual([`RSI: n = 2 of 3 seeds; the other has none: the greedy return ${nothing}`]);
    const two = { ...made, bases: withReturns({ 1: above, 2: below, 3: below }) };
    expect((await reportOf(two)).tables[0]!.notes).toEqual([`RSI: n = 1 of 3 seeds; the other 2 have none: the greedy return ${nothing}`]);
  });

  it('takes differences of the seeds that have a number', async () => {
    const trials = [...seeds('none', 3, { rsi: 1 }), ...seeds('tsf', 3, { rsi: 0.5 })];
    const { rows, notes } = (await reportOf({ trials, bases: withReturns({ 2: below }) }, { baseline: 'none' })).tables[0]!;
    expect(rows[1]!.cells['rsi']!.difference).toMatchObject({ n: 2, mean: -50 });
    expect(notes).toContain('RSI: 2 of 3 pairs have both numbers');
  });

  it('goes by the sampled return where actions are sampled', async () => {
    const only = (returns: typeof below) =>
      reportOf({ trials: seeds('tsf', 1, { rsi: 0.5, rsiSampled: 0.25 }), bases: withReturns({ 1: returns }) }, {}, ['rsi', 'rsiSampled']);
    const meansOf = async (returns: typeof below) => {
      const { cells } = (await only(returns)).tables[0]!.rows[0]!;
      return [cells['rsi']?.mean, cells['rsiSampled']?.mean];
    };
    expect(await meansOf({ greedy: -595, sampled: -167, random: -183 })).toEqual([null, 25]);
    expect(await meansOf({ greedy: 260, sampled: -200, random: -183 })).toEqual([50, null]);
    expect(await meansOf(above)).toEqual([50, 25]);
    expect(await meansOf(equal)).toEqual([null, null]);
  });

  it('leaves a success open that would depend on it, and no other', async () => {
    const successOf = async (row: SyntheticTrial['row']) => {
      const { tables } = await reportOf({ trials: seeds('tsf', 1, row), bases: withReturns({ 1: below }) });
      return tables[0]!.rows[0]!.cells['success']!.mean;
    };
    const good = { finalFe: 1, worstCase: 0, rsi: 1 };
    expect(await successOf(good)).toBeNull();
    expect(await successOf({ ...good, finalFe: 0.5 })).toBe(0);
    expect(await successOf({ ...good, notAccepted: ['greedy return -235.0 is below the gate of 200'] })).toBe(0);
  });

  it('says how many trials are not in the mean of a seed that has others', async () => {
    const trials = [0.5, null].map((finalFe, i): SyntheticTrial => ({ strategy: 'tsf', seed: 1, correctionSeed: i, row: { finalFe } }));
    const { rows, notes } = (await reportOf({ trials })).tables[0]!;
    expect(rows[0]!.cells['finalFe']).toMatchObject({ n: 1, mean: 50 });
    const why = 'no held-out state of the region, or no toxic probability there';
    expect(notes[0]).toBe(`final FE: 1 of 2 trials have none and are not in the mean of their seed: ${why}`);
    expect(notes[1]).toContain('success: 1 of 2 trials have none');
  });
});
