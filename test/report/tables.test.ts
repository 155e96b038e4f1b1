import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/contract/errors.ts';
import { expand } from '../../src/coordinator/expand.ts';
import { loadSweep } from '../../src/coordinator/load.ts';
import { NothingSelected, readReport, writeTables } from '../../src/report/tables.ts';
import { result } from './synthetic.ts';

const SWEEP = `version: 1
name: tiny
seeds: 2
correctionSeeds: 2
axes:
  scenario: [cartpole/angle]
  strategy: [tsf, none]
  correct.steps: [100, 200]
`;

const NAMES = ['table.csv', 'table.json', 'table.md', 'table.tex'];

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'spc-tables-'));
  writeFileSync(join(folder, 'sweep.yaml'), SWEEP);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Rows as a run leaves them, FE = seed / 10 + correctionSeed / 100, in no particular order. */
function writeRows(): void {
  const trials = expand(loadSweep(join(folder, 'sweep.yaml')).sweep);
  const evaluation = { episodes: 1, steps: 1, meanReturn: 0, stdReturn: 0, toxicRate: null, occupancy: null, digest: '' };
  const bases = [...new Map(trials.map((t) => [t.baseId, t.spec.base]))].map(([id, spec]) => {
    const counts = { policy: '', environmentSteps: 200_000, gradientSteps: 31_250, returns: { step: [], value: [] }, trace: [] };
    return {
      id,
      spec,
      ok: true,
      result: { ...counts, greedy: evaluation, sampled: evaluation, random: { ...evaluation, meanReturn: -1 } },
    };
  });
  const rows = trials.map(({ id, baseId, spec, seed, correctionSeed }) => {
    return { id, base: baseId, spec, ok: true, result: result({ fe: seed / 10 + correctionSeed / 100 }) };
  });
  const provenance = [
    ...bases.map(({ id }) => ({ id, kind: 'base', host: 'a', phasesMs: { train: 1000 } })),
    { ...{ id: trials[0]!.id, kind: 'trial', host: 'b' }, phasesMs: { identify: 999, correct: 999 } }, // a run that was lost: not the last
    ...trials.map(({ id }) => ({ id, kind: 'trial', host: 'a', phasesMs: { identify: 10, correct: 40 } })),
  ];
  for (const [name, lines] of Object.entries({ bases, trials: rows.reverse(), provenance }))
    writeFileSync(join(folder, `${name}.jsonl`), lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
}

describe('writeTables(…)', () => {
  it('joins rows with the arms of the frozen sweep and writes every view, the same bytes every time', async () => {
    writeRows();
    const text = await writeTables(folder);
    expect(text.replaceAll('\n', ' ')).toContain('tiny: cartpole/angle, 2 seeds × 2 correction seeds; 10 of 10 trials finished, 0 failed');
    expect(readdirSync(join(folder, 'tables')).sort()).toEqual(NAMES);
    const files = () => NAMES.map((name) => readFileSync(join(folder, 'tables', name), 'utf8'));
    const before = files();
    expect(await writeTables(folder)).toBe(text);
    expect(files()).toEqual(before);
    expect(text).not.toContain('minus none');
    expect(before[2]).toContain('minus none, at equal seeds');
  });

  it('leaves no half of a file when it cannot write', async () => {
    writeRows();
    mkdirSync(join(folder, 'tables', 'table.md'), { recursive: true });
    await expect(writeTables(folder)).rejects.toThrow('table.md: could not be written');
    expect(readdirSync(join(folder, 'tables'))).toEqual(['table.md']);
  });
});

describe('readReport(…)', () => {
  it('averages, orders and times what is in the files', async () => {
    writeRows();
    const { tables } = await readReport(folder);
    const { rows, notes } = tables[0]!;
    expect(notes).toEqual([]);
    expect(rows.map(({ strategy, overrides }) => [strategy, overrides])).toEqual([
      ['none', {}],
      ['tsf', { 'correct.steps': 100 }],
      ['tsf', { 'correct.steps': 200 }],
    ]);
    // none: 10 and 20; tsf: 10.5 and 20.5
    expect(rows.map(({ cells }) => cells['fe']!.mean)).toEqual([15, 15.5, 15.5].map((x) => expect.closeTo(x, 10)));
    expect(rows.map(({ cells }) => cells['fe']!.std)).toEqual(Array(3).fill(expect.closeTo(Math.sqrt(50), 10)));
    expect(rows.map(({ cells }) => cells['timeOverhead']!.mean)).toEqual([0, 5, 5].map((x) => expect.closeTo(x, 10)));
  });

  it('writes nothing, and is there before the first row', async () => {
    const { tables } = await readReport(folder);
    expect(tables[0]!.trials).toEqual({ asked: 10, ok: 0, failed: 0 });
    expect(readdirSync(folder)).toEqual(['sweep.yaml']);
    expect(existsSync(join(folder, 'tables'))).toBe(false);
  });

  it('takes the trials that a filter leaves, and says so', async () => {
    writeRows();
    const where = 'strategy=tsf,correct.steps=100,seed=2,correctionSeed=0';
    const report = await readReport(folder, { where });
    expect(report.where).toBe(where);
    expect(report.tables[0]!.trials).toEqual({ asked: 1, ok: 1, failed: 0 });
    expect(report.tables[0]!.rows.map(({ cells }) => cells['fe']!.mean)).toEqual([expect.closeTo(20, 10)]);
    const id = expand(loadSweep(join(folder, 'sweep.yaml')).sweep)[3]!.id;
    expect((await readReport(folder, { where: `id=${id.slice(0, 9)}` })).tables[0]!.trials.asked).toBe(1);
    await expect(readReport(folder, { where: 'strategy=tfs' })).rejects.toThrow(NothingSelected);
  });

  it('knows trials that are missing, and whether their base is there', async () => {
    writeRows();
    const [base, ...rest] = ['bases', 'trials'].map((name) => readFileSync(join(folder, `${name}.jsonl`), 'utf8').split('\n'));
    writeFileSync(join(folder, 'bases.jsonl'), `${base![0]}\n`);
    writeFileSync(
      join(folder, 'trials.jsonl'),
      rest[0]!
        .filter((line) => line.includes('"strategy":"none"'))
        .join('\n')
        .concat('\n'),
    );
    const { unfinished } = await readReport(folder, { where: 'state=missing,correct.steps=100,strategy=tsf' });
    expect(unfinished.map(({ seed, correctionSeed, state, why }) => [seed, correctionSeed, state, why])).toEqual([
      ...[0, 1].map((c) => [1, c, 'missing', 'no row yet']),
      ...[0, 1].map((c) => [2, c, 'missing', 'its base is not trained yet']),
    ]);
  });

  it.each([
    [{ groupBy: ['strategi'] }, '--group-by: expected an axis of this sweep, got strategi; did you mean strategy?'],
    [{ groupBy: ['ppo.gamma'] }, '--group-by: expected an axis of this sweep, got ppo.gamma; there are: scenario, strategy, correct.steps'],
    [{ groupBy: ['seed'] }, 'got seed; seeds are averaged over; --per-seed shows each'],
    [{ metrics: ['fe', 'rsl'] }, '--metric: expected the key of a metric, got rsl; did you mean rsi?'],
    [{ baseline: 'retrain' }, '--baseline: expected a strategy of the table, got retrain; there are: tsf, none'],
    [{ baseline: 'none', where: 'strategy=tsf' }, '--baseline: expected a strategy of the table, got none; there are: tsf'],
    [{ baseline: 'none', groupBy: ['correct.steps'] }, 'got rows by correct.steps; add strategy to --group-by'],
    [{ where: 'sed=1' }, 'expected a field of a trial, got sed; did you mean seed?'],
  ])('says what is wrong with %j', async (options, message) => {
    const error = await readReport(folder, options).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(ConfigError);
    expect((error as Error).message).toContain(message);
  });

  it('groups by what the sweep says, if nobody says otherwise', async () => {
    writeFileSync(join(folder, 'sweep.yaml'), `${SWEEP}report: { groupBy: [strategy], baseline: tsf }\n`);
    writeRows();
    const { tables, groupBy, baseline } = await readReport(folder);
    expect([groupBy, baseline]).toEqual([['strategy'], 'tsf']);
    expect(tables[0]!.rows.map(({ strategy, overrides, pairs }) => [strategy, overrides, pairs])).toEqual([
      ['none', {}, 2],
      ['tsf', {}, null],
    ]);
    expect((await readReport(folder, { groupBy: ['strategy', 'correct.steps'], baseline: null })).tables[0]!.rows).toHaveLength(3);
  });

  it('names the line of a damaged record', async () => {
    writeRows();
    writeFileSync(join(folder, 'provenance.jsonl'), '{"id":"x","phasesMs":{}}\n{"id":\n');
    const error = await readReport(folder).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(ConfigError);
    expect((error as Error).message).toMatch(/provenance\.jsonl:2: expected a record of provenance, got "{\\"id\\":"; delete the line/);
  });
});
