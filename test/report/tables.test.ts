import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/contract/errors.ts';
import { expand } from '../../src/coordinator/expand.ts';
import { loadSweep } from '../../src/coordinator/load.ts';
import { readReport, writeTables } from '../../src/report/tables.ts';
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
    return { id, spec, ok: true, result: { ...counts, greedy: evaluation, sampled: evaluation, random: evaluation } };
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
  it('joins rows with the arms of the frozen sweep and writes both views, the same bytes every time', async () => {
    writeRows();
    const text = await writeTables(folder);
    expect(text.replaceAll('\n', ' ')).toContain('tiny: cartpole/angle, 2 seeds × 2 correction seeds; 10 of 10 trials finished, 0 failed');
    expect(readdirSync(join(folder, 'tables')).sort()).toEqual(['main.csv', 'main.md']);
    const files = () => ['main.csv', 'main.md'].map((name) => readFileSync(join(folder, 'tables', name), 'utf8'));
    const before = files();
    expect(await writeTables(folder)).toBe(text);
    expect(files()).toEqual(before);
  });

  it('leaves no half of a file when it cannot write', async () => {
    writeRows();
    mkdirSync(join(folder, 'tables', 'main.md'), { recursive: true });
    await expect(writeTables(folder)).rejects.toThrow('main.md: could not be written');
    expect(readdirSync(join(folder, 'tables'))).toEqual(['main.md']);
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

  it('names the line of a damaged record', async () => {
    writeRows();
    writeFileSync(join(folder, 'provenance.jsonl'), '{"id":"x","phasesMs":{}}\n{"id":\n');
    const error = await readReport(folder).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(ConfigError);
    expect((error as Error).message).toMatch(/provenance\.jsonl:2: expected a record of provenance, got "{\\"id\\":"; delete the line/);
  });
});
