import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { type Estimate, estimate, prospect } from '../../src/coordinator/estimate.ts';
import { expand, type PlannedTrial } from '../../src/coordinator/expand.ts';
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
  readonly cpu?: string;
}

/** A results folder with records, and some lines that are none. */
function folder(name: string, file: string, records: readonly Record[], at = 1): void {
  mkdirSync(join(root, name));
  writeFileSync(join(root, name, 'sweep.yaml'), file);
  const lines = records.map(({ id, wallMs, main = 0, ok = true, attempt = 1, cpu = 'mine' }) =>
    JSON.stringify({ id, ok, attempt, wallMs, cpu, phasesMs: { train: main, correct: main, evaluate: wallMs - main } }),
  );
  writeFileSync(join(root, name, 'provenance.jsonl'), ['{"torn', '7', '{}', ...lines].map((line) => `${line}\n`).join(''));
  utimesSync(join(root, name, 'provenance.jsonl'), at, at);
}

let measured = 0;
const outlook = async (
  file: string,
  { left = trialsOf(file), threads = 1 }: { left?: PlannedTrial[]; threads?: number } = {},
): Promise<Estimate> => {
  const what = { trials: left, bases: new Set(left.map(({ baseId }) => baseId)) };
  const yardstick = async (): Promise<number> => {
    measured++;
    return 40;
  };
  measured = 0;
  return estimate(what, left, await prospect(what, trialsOf(file), { root, name: 'mine', cpu: 'mine', threads, yardstick }), threads);
};
/** What a run costs beside its jobs: 600 ms to start, 5 ms a job. */
const beside = (jobs: number): number => 600 + 5 * jobs;

const pick = (trials: readonly PlannedTrial[], strategy: string): PlannedTrial[] => trials.filter((trial) => trial.strategy === strategy);

describe('estimate', () => {
  it('estimate(nothing left) has no classes, asks no folder and measures nothing', async () => {
    const nothing = { classes: [], coreMs: null, wallMs: null, unknown: [], from: [], yardstickMs: null };
    expect([await outlook(text('mine'), { left: [] }), measured]).toEqual([{ threads: 1, ...nothing }, 0]);
  });

  it('estimate(nothing recorded) is by rates and one measurement of this machine: in proportion to it and to the work', async () => {
    const { classes, coreMs, ...rest } = await outlook(text('mine'));
    expect([measured, rest.from, rest.unknown, rest.yardstickMs]).toEqual([1, [], [], 40]);
    expect(classes.map(({ kind, strategy, jobs, records, by }) => [kind, strategy, jobs, records, by])).toEqual([
      ['base', null, 4, 0, 'rates'],
      ['trial', 'none', 4, 0, 'rates'],
      ['trial', 'retrain', 4, 0, 'rates'],
      ['trial', 'tsf', 4, 0, 'rates'],
    ]);
    const [base, none, retrain, tsf] = classes.map((one) => one.coreMs?.median ?? 0) as [number, number, number, number];
    expect([base > 10 * none, retrain > base, tsf > none, base + none + retrain + tsf]).toEqual([
      true,
      true,
      true,
      expect.closeTo(coreMs?.median ?? 0, -1),
    ]);
    const twice = await outlook(text('mine', 'ppo: { totalTimesteps: 401408 }\ncorrect: { steps: 1000 }\nevaluate: { curvePoints: 41 }\n'));
    const by = twice.classes.map((one, i) => (one.coreMs?.median ?? 0) / ([base, none, retrain, tsf][i] ?? 1));
    expect(by.map((x) => x > 1.7 && x < 2.1)).toEqual([true, false, true, true]);
  });

  it.each([
    ['a wider network', 'ppo: { hidden: [256, 256] }', 'base', 4],
    ['episodes of a world that takes longer', 'scenario=lunarlander/descent', 'none', 3],
    ['inverted states', 'strategy=tsf+zsi', 'tsf', 1.02],
    ['an over-run', 'evaluate: { overrun: [2, 4] }', 'tsf', 2],
  ])('estimate(nothing recorded) of %s is more', async (_, more, what, times) => {
    const find = ({ classes }: Estimate): number =>
      classes.find(({ kind, strategy }) => (what === 'base' ? kind === what : strategy === what || strategy === 'tsf+zsi'))?.coreMs
        ?.median ?? 0;
    const [key, value] = more.startsWith('s') ? (more.split('=') as [string, string]) : [null, ''];
    const plain = text('mine').replace('[none, retrain, tsf]', '[none, tsf]');
    const other =
      key === null ? text('mine', `${more}\n`) : key === 'strategy' ? plain.replace('tsf', value) : plain.replace('cartpole/angle', value);
    expect(find(await outlook(other)) / find(await outlook(text('mine')))).toBeGreaterThan(times);
  });

  it('estimate(an engine of which nothing is known) counts those jobs apart, by scenario and strategy', async () => {
    const file = text('mine').replace('[none, retrain, tsf]', '[none, tsf], engine: [wasm, tfjs-cpu]');
    const { classes, coreMs, unknown } = await outlook(file);
    expect(classes.map(({ engine, by }) => `${engine} ${by}`)).toEqual([
      'wasm rates',
      'tfjs-cpu null',
      'wasm rates',
      'tfjs-cpu null',
      'wasm rates',
      'tfjs-cpu null',
    ]);
    const ours = { scenario: 'cartpole/angle', engine: 'tfjs-cpu', jobs: 4 };
    expect(unknown).toEqual([
      { ...ours, strategy: null },
      { ...ours, strategy: 'none' },
      { ...ours, strategy: 'tsf' },
    ]);
    expect(coreMs?.median).toBeGreaterThan(0);
  });

  it('estimate(tfjs) is known near what was recorded of it, and not for other networks; reference always', async () => {
    const of = async (engine: string, ppo: string): Promise<number> =>
      (await outlook(text('mine', `engine: ${engine}\nppo: { numEnvs: 16, numSteps: 128, ${ppo} }\n`))).unknown.length;
    const near = 'numMinibatches: 4';
    const far = 'numMinibatches: 4, hidden: [512, 512]';
    expect([await of('tfjs', near), await of('tfjs', far), await of('reference', far)]).toEqual([0, 4, 0]);
  });

  it('estimate(…) multiplies the quartiles of its own records', async () => {
    const trials = trialsOf(text('mine'));
    const bases = [0, 3, 6, 9].map((i) => ({ id: trials[i]!.baseId }));
    folder('mine', text('mine'), [
      ...[1000, 2000, 3000, 4000, 5000].map((wallMs, i) => ({ id: bases[i % 4]!.id, wallMs, main: wallMs })),
      ...['none', 'retrain', 'tsf'].map((strategy) => ({ id: pick(trials, strategy)[0]!.id, wallMs: 10, main: 5 })),
      { id: bases[0]!.id, wallMs: 9e9, attempt: 0 }, // nothing ran
      { id: 'stranger', wallMs: 9e9 },
    ]);
    const found = await outlook(text('mine'));
    expect(found.classes[0]).toMatchObject({ jobs: 4, records: 5, coreMs: { low: 8000, median: 12_000, high: 16_000 } });
    expect(found.coreMs).toEqual({ low: 8120, median: 12_120, high: 16_120 });
    expect(found.from).toEqual([join(root, 'mine')]);
  });

  it('estimate(on many threads) is as the schedule plays it, and never sooner than the longest base and, after it, the longest trial', async () => {
    const trials = trialsOf(text('mine'));
    folder('mine', text('mine'), [
      { id: trials[0]!.baseId, wallMs: 1000 },
      ...['none', 'retrain', 'tsf'].map((strategy, i) => ({ id: pick(trials, strategy)[0]!.id, wallMs: 100 * (i + 1) })),
    ]);
    const wall = async (threads: number): Promise<number | undefined> => (await outlook(text('mine'), { threads })).wallMs?.median;
    const [one, two, many] = [await wall(1), await wall(2), await wall(1000)];
    expect(one).toBe(6400 + beside(16));
    expect(two).toBeGreaterThanOrEqual(600 + (one! - 600) / 2);
    expect(two).toBeLessThan(600 + (one! - 600) / 2 + 300); // at the end one waits for the other's trial
    expect(many).toBe(1300 + 600 + 2 * 5);
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
    // Episodes of a policy that was trained for longer are longer, too: up to twice.
    const between = [
      [2050, 2250],
      [50, 100],
      [2150, 2450],
      [2000, 3100],
    ];
    const found = classes.map(({ coreMs }) => coreMs?.median ?? 0);
    expect(
      found.map((ms, i) => between[i]![0]! <= ms && ms <= between[i]![1]!),
      String(found),
    ).toEqual([true, true, true, true]);
  });

  it('estimate(a strategy that trains on) scales with its own timesteps, not with those of the base', async () => {
    const file = (more: string): string => text('mine', more).replace('[none, retrain, tsf]', '[finetune]');
    const before = file('correct: { timesteps: 20480 }\n');
    folder('mine', before, [{ id: trialsOf(before)[0]!.id, wallMs: 1010, main: 1000 }]);
    const after = file('correct: { timesteps: 102400 }\nppo: { totalTimesteps: 400000 }\n');
    const ms = (await outlook(after, { left: trialsOf(after).slice(0, 1) })).classes[1]?.coreMs?.median;
    expect([(ms ?? 0) > 4000, (ms ?? 0) < 5100], String(ms)).toEqual([true, true]);
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

  it('estimate(kinds that fail now and then) counts failures by their share, and a kind that only failed as not recorded', async () => {
    const trials = trialsOf(text('mine'));
    const [none, tsf] = [pick(trials, 'none'), pick(trials, 'tsf')];
    folder('mine', text('mine'), [
      ...none.slice(0, 3).map(({ id }) => ({ id, wallMs: 1000 })),
      { id: none[3]!.id, wallMs: 200, ok: false },
      ...tsf.map(({ id }) => ({ id, wallMs: 9e9, ok: false })),
    ]);
    const { classes } = await outlook(text('mine'));
    expect(classes.find(({ strategy }) => strategy === 'none')).toMatchObject({ by: 'records', records: 4, coreMs: { median: 3200 } });
    expect(classes.find(({ strategy }) => strategy === 'tsf')).toMatchObject({ by: 'rates', records: 0 });
  });

  it('estimate(records of another processor) counts them where there are none of this one', async () => {
    const [first, ...others] = pick(trialsOf(text('mine')), 'none');
    folder('mine', text('mine'), [{ id: first!.id, wallMs: 70_000, cpu: 'theirs' }]);
    const none = async () => (await outlook(text('mine'))).classes.find(({ strategy }) => strategy === 'none');
    expect(await none()).toMatchObject({ by: 'records', coreMs: { median: 280_000 } });
    folder('late', text('late'), [{ id: others[0]!.id, wallMs: 10 }], 5);
    expect(await none()).toMatchObject({ by: 'records', coreMs: { median: 40 } });
  });

  it('estimate(several sizes of a kind) goes by records of the same size where there are enough', async () => {
    const sizes = text('mine').replace('strategy: [none, retrain, tsf]', 'strategy: [tsf], correct.episodes: [10, 100]');
    const trials = trialsOf(sizes);
    folder(
      'mine',
      sizes,
      trials.map(({ id, overrides }) => ({ id, wallMs: overrides['correct.episodes'] === 10 ? 100 : 1000, main: 50 })),
    );
    const small = trials.filter(({ overrides }) => overrides['correct.episodes'] === 10);
    expect((await outlook(sizes, { left: small })).classes.find(({ kind }) => kind === 'trial')?.coreMs).toEqual({
      low: 400,
      median: 400,
      high: 400,
    });
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
