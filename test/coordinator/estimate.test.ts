import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { type Estimate, estimate } from '../../src/coordinator/estimate.ts';
import { basesOf, expand, type PlannedTrial } from '../../src/coordinator/expand.ts';
import { parseSweepText } from '../../src/coordinator/load.ts';

const top = mkdtempSync(join(tmpdir(), 'estimate-'));
afterAll(() => rmSync(top, { recursive: true }));
let root = '';
beforeEach(() => {
  root = mkdtempSync(join(top, 'results-'));
});

const text = (name: string, more = ''): string =>
  `version: 1\nname: ${name}\nseeds: 4\naxes: { scenario: [cartpole/angle], strategy: [none, retrain, tsf] }\n${more}`;
const trialsOf = (file: string): PlannedTrial[] => expand(parseSweepText(file, 'x').sweep);

interface Record {
  readonly id: string;
  readonly wallMs: number;
  readonly main?: number;
  readonly ok?: boolean;
  readonly attempt?: number;
}

/** A results folder with records, and some lines that are none. */
function folder(name: string, file: string, records: readonly Record[], at = 1): void {
  mkdirSync(join(root, name));
  writeFileSync(join(root, name, 'sweep.yaml'), file);
  const lines = records.map(({ id, wallMs, main = 0, ok = true, attempt = 1 }) =>
    JSON.stringify({ id, ok, attempt, wallMs, phasesMs: { train: main, correct: main, evaluate: wallMs - main } }),
  );
  writeFileSync(join(root, name, 'provenance.jsonl'), ['{"torn', '7', '{}', ...lines].map((line) => `${line}\n`).join(''));
  utimesSync(join(root, name, 'provenance.jsonl'), at, at);
}

const outlook = (
  file: string,
  { left = trialsOf(file), threads = 1 }: { left?: PlannedTrial[]; threads?: number } = {},
): Promise<Estimate> =>
  estimate({ bases: basesOf(left).map(({ spec }) => spec), trials: left.map(({ spec }) => spec) }, trialsOf(file), {
    root,
    name: 'mine',
    threads,
  });

const pick = (trials: readonly PlannedTrial[], strategy: string): PlannedTrial[] => trials.filter((trial) => trial.strategy === strategy);

describe('estimate', () => {
  it('estimate(nothing left) has no classes and asks no folder', async () => {
    expect(await outlook(text('mine'), { left: [] })).toEqual({ threads: 1, classes: [], coreMs: null, wallMs: null, from: [] });
  });

  it('estimate(nothing recorded) knows nothing, and says how many jobs it knows nothing of', async () => {
    const { classes, ...rest } = await outlook(text('mine'));
    expect(rest).toEqual({ threads: 1, coreMs: null, wallMs: null, from: [] });
    expect(classes.map(({ kind, strategy, jobs, records, coreMs }) => [kind, strategy, jobs, records, coreMs])).toEqual([
      ['base', null, 4, 0, null],
      ['trial', 'none', 4, 0, null],
      ['trial', 'retrain', 4, 0, null],
      ['trial', 'tsf', 4, 0, null],
    ]);
  });

  it('estimate(…) multiplies the quartiles of its own records', async () => {
    const trials = trialsOf(text('mine'));
    const bases = basesOf(trials);
    folder('mine', text('mine'), [
      ...[1000, 2000, 3000, 4000, 5000].map((wallMs, i) => ({ id: bases[i % 4]!.id, wallMs, main: wallMs })),
      ...['none', 'retrain', 'tsf'].map((strategy) => ({ id: pick(trials, strategy)[0]!.id, wallMs: 10, main: 5 })),
      { id: bases[0]!.id, wallMs: 9e9, ok: false }, // a failure is no measure
      { id: bases[0]!.id, wallMs: 9e9, attempt: 0 }, // nothing ran
      { id: 'stranger', wallMs: 9e9 },
    ]);
    const found = await outlook(text('mine'));
    expect(found.classes[0]).toMatchObject({ jobs: 4, records: 5, coreMs: { low: 8000, median: 12_000, high: 16_000 } });
    expect(found.coreMs).toEqual({ low: 8120, median: 12_120, high: 16_120 });
    expect(found.from).toEqual([join(root, 'mine')]);
  });

  it('estimate(on many threads) is never sooner than the longest base and, after it, the longest trial', async () => {
    const trials = trialsOf(text('mine'));
    folder('mine', text('mine'), [
      { id: trials[0]!.baseId, wallMs: 1000 },
      ...['none', 'retrain', 'tsf'].map((strategy, i) => ({ id: pick(trials, strategy)[0]!.id, wallMs: 100 * (i + 1) })),
    ]);
    const wall = async (threads: number): Promise<number | undefined> => (await outlook(text('mine'), { threads })).wallMs?.median;
    expect([await wall(1), await wall(2), await wall(1000)]).toEqual([6400, 3200, 1300]);
  });

  it('estimate(other sizes) scales training with timesteps, and correcting with the steps of the strategy', async () => {
    const file = text('mine', 'ppo: { totalTimesteps: 10000 }\ncorrect: { steps: 100 }\n');
    const trials = trialsOf(file);
    folder('mine', file, [
      { id: trials[0]!.baseId, wallMs: 1100, main: 1000 },
      { id: pick(trials, 'none')[0]!.id, wallMs: 50, main: 0 },
      { id: pick(trials, 'retrain')[0]!.id, wallMs: 1200, main: 1000 },
      { id: pick(trials, 'tsf')[0]!.id, wallMs: 330, main: 300 },
    ]);
    const { classes } = await outlook(text('mine', 'ppo: { totalTimesteps: 20000 }\ncorrect: { steps: 1000 }\n'), {
      left: trialsOf(text('mine', 'ppo: { totalTimesteps: 20000 }\ncorrect: { steps: 1000 }\n')).slice(0, 3),
    });
    expect(classes.map(({ strategy, coreMs }) => [strategy, Math.round(coreMs?.median ?? 0)])).toEqual([
      [null, 2100],
      ['none', 50],
      ['retrain', 2200],
      ['tsf', 3030],
    ]);
  });

  it('estimate(a strategy that trains on) scales with its own timesteps, not with those of the base', async () => {
    const file = (more: string): string => text('mine', more).replace('[none, retrain, tsf]', '[finetune]');
    const before = file('correct: { timesteps: 1000 }\n');
    folder('mine', before, [{ id: trialsOf(before)[0]!.id, wallMs: 110, main: 100 }]);
    const after = file('correct: { timesteps: 5000 }\nppo: { totalTimesteps: 7000 }\n');
    expect((await outlook(after, { left: trialsOf(after).slice(0, 1) })).classes[1]?.coreMs?.median).toBe(510);
  });

  it('estimate(a kind its own folder has no record of) asks the other folders, the latest first; another engine is another kind', async () => {
    const trials = trialsOf(text('mine'));
    folder('mine', text('mine'), [{ id: trials[0]!.baseId, wallMs: 1000 }]);
    const other = (name: string, wallMs: number, at: number, more = ''): void => {
      const theirs = trialsOf(text(name, more));
      const ids = [...new Set([theirs[0]!.baseId, ...theirs.map(({ id }) => id)])];
      folder(
        name,
        text(name, more),
        ids.map((id) => ({ id, wallMs })),
        at,
      );
    };
    other('old', 7, 100);
    other('late', 11, 200);
    other('reference', 99, 300, 'engine: reference\n');
    mkdirSync(join(root, 'gone'));
    folder('broken', 'version: 0\n', [{ id: trials[0]!.id, wallMs: 5 }], 400);
    const { classes, from } = await outlook(text('mine'));
    expect(classes.map(({ coreMs, records }) => [coreMs?.median, records])).toEqual([
      [4000, 1],
      [44, 4],
      [44, 4],
      [44, 4],
    ]);
    expect(from).toEqual([join(root, 'mine'), join(root, 'late')]);
  });

  it('estimate(any records): low <= median <= high, between n times the least and n times the most', async () => {
    const trials = pick(trialsOf(text('mine')), 'none');
    const base = trials[0]!.baseId;
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 1e6 }), { minLength: 1, maxLength: 9 }), async (times) => {
        rmSync(join(root, 'mine'), { recursive: true, force: true });
        folder(
          'mine',
          text('mine'),
          times.map((wallMs) => ({ id: base, wallMs })),
        );
        const { coreMs } = (await outlook(text('mine'), { left: trials })).classes[0]!;
        const { low, median, high } = coreMs!;
        expect([4 * Math.min(...times) <= low + 1e-6, low <= median, median <= high, high <= 4 * Math.max(...times) + 1e-6]).toEqual([
          true,
          true,
          true,
          true,
        ]);
      }),
      { numRuns: 30 },
    );
  });
});
