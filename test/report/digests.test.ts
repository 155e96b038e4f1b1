import { describe, expect, it } from 'vitest';
import { csvReport } from '../../src/report/csv.ts';
import { shortener } from '../../src/report/digests.ts';
import { jsonReport } from '../../src/report/json.ts';
import { markdownReport } from '../../src/report/markdown.ts';
import { printReport } from '../../src/report/terminal.ts';
import { reportOf, type SyntheticTrial } from './synthetic.ts';

const digest = (letters: string): string => letters.padEnd(64, '0');

describe('shortener(digests)', () => {
  it('cuts to twelve letters, which spc export takes', () => {
    expect(shortener([digest('abc'), digest('abd')])(digest('abc'))).toBe('abc000000000');
  });

  it('cuts to as many as it takes to tell them apart, whatever their order', () => {
    const alike = [digest('f'), digest('0123456789abcdef2'), digest('a'), digest('0123456789abcdef1')];
    const short = shortener(alike);
    expect(alike.map(short).map((text) => text.length)).toEqual([17, 17, 17, 17]);
    expect(new Set(alike.map(short)).size).toBe(4);
  });

  it('has nothing to tell apart where the same policy comes twice, or none', () => {
    expect(shortener([digest('a'), digest('a')])(digest('a'))).toHaveLength(12);
    expect(shortener([])('')).toBe('');
  });
});

describe('a table by seeds', () => {
  const trial = (seed: number, correctionSeed: number, policy?: string): SyntheticTrial => ({
    ...{ strategy: 'tsf', seed, correctionSeed },
    ...(policy === undefined ? {} : { row: { policy: digest(policy) } }),
  });
  const trials = [trial(1, 0, 'a1'), trial(1, 1, 'a2'), trial(2, 0, 'b1'), trial(2, 1)];
  const made = { trials, bases: { 1: { policy: digest('ba') }, 2: { policy: digest('bb') } } };
  const report = () => reportOf(made, { perSeed: true }, ['fe']);

  it('has the digests of policies and bases: short for people', async () => {
    const text = printReport(await report(), 'seeds');
    expect(text).toContain('policy        base\n');
    expect(text).toMatch(/ 1 {2}ok +90\.0 {2}a10000000000 {2}ba0000000000\n +a20000000000\n/);
    expect(text).toMatch(/ 2 {2}1 ok, 1 missing +90\.0 {2}b10000000000 {2}bb0000000000\n/);
    expect(markdownReport(await report(), 'seeds')).toContain('| a10000000000<br>a20000000000 | ba0000000000 |');
  });

  it('whole for programs', async () => {
    const json = JSON.parse(jsonReport(await report())) as { tables: { rows: { seeds: { policies: object[] }[] }[] }[] };
    expect(json.tables[0]!.rows[0]!.seeds.map(({ policies }) => policies)).toMatchObject([
      [
        { correctionSeed: 0, policy: digest('a1'), basePolicy: digest('ba') },
        { correctionSeed: 1, policy: digest('a2'), basePolicy: digest('ba') },
      ],
      [
        { correctionSeed: 0, policy: digest('b1'), basePolicy: digest('bb') },
        { trial: null, policy: null, basePolicy: digest('bb') },
      ],
    ]);
    expect(csvReport(await report(), 'seeds')).toContain(`,${digest('a1')} ${digest('a2')},${digest('ba')}\n`);
  });

  it('stays readable where a seed has many', async () => {
    const many = Array.from({ length: 40 }, (_, i) => trial(1, i, `${i}x`));
    const text = printReport(await reportOf({ trials: many, bases: made.bases }, { perSeed: true }, ['fe']), 'seeds');
    expect(text).toContain('+35 more');
    expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
  });
});
