import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { inProcess } from './inprocess.ts';
import { scratch } from './spc.ts';

describe('spc why SWEEP TRIAL', () => {
  const sweep = scratch();
  let outcome: ReturnType<typeof sweep.outcome>;
  beforeAll(async () => {
    await inProcess(sweep.run);
    outcome = sweep.outcome();
  });
  const why = (...args: string[]) => inProcess(['why', ...args, '--results', sweep.results]);
  /** Of `none` at seed 1; rows come in the order in which threads finished. */
  const id = (): string => {
    const all = sweep
      .lines('trials.jsonl')
      .map((line) => JSON.parse(line) as { id: string; spec: { strategy: string; base: { seed: number } } });
    return all.find(({ spec }) => spec.strategy === 'none' && spec.base.seed === 1)?.id ?? '';
  };

  it('says of a results folder that a trial is cached, by the beginning of its id; nothing is written', async () => {
    for (const where of [sweep.folder, 'quick']) {
      const left = await why(where, id().slice(0, 12));
      expect([left.code, left.stderr]).toEqual([0, '']);
      expect(left.stdout.replaceAll('\n', ' ')).toMatch(new RegExp(`^${id()}  cartpole/angle none seed 1/0 cached: its row is in \\S+ $`));
    }
    expect(sweep.outcome()).toEqual(outcome);
  });

  it('says of a sweep file which field makes a trial new', async () => {
    const left = await why(sweep.file, 'strategy=tsf,seed=2', 'correct.steps=1000');
    expect(left.code).toBe(0);
    expect(left.stdout).toMatch(
      /^\S+ {2}cartpole\/angle tsf seed 2\/0\nto run: it has no row; its base \S+ is there, so it can run\nnew against \S+, which differs in 1 field:\n {2}correct\.steps: 500 -> 1000\n/,
    );
    expect(left.stdout.split('\n').slice(4).join(' ')).toMatch(/belong to another plan: run asks for --extend $/);
    expect(
      Math.max(
        ...left.stdout
          .split('\n')
          .slice(0, 4)
          .map((line) => line.length),
      ),
    ).toBeLessThanOrEqual(80);
  });

  it('--json is one object, and nothing else', async () => {
    const left = await why(sweep.file, 'strategy=tsf,seed=4', 'seeds=4', '--json');
    expect(left.stderr).toBe('');
    expect(JSON.parse(left.stdout)).toMatchObject({
      ...{ version: 1, scenario: 'cartpole/angle', strategy: 'tsf', seed: 4, correctionSeed: 0, wanted: true, state: 'waiting' },
      ...{
        base: { state: 'missing' },
        nearest: { differences: [{ field: 'seed', to: 4 }] },
        folder: sweep.folder,
        plan: 'other',
        code: 'same',
      },
    });
  });

  it('says that the rows were computed by other code', async () => {
    const file = join(sweep.folder, 'numerics.json');
    const now = readFileSync(file, 'utf8');
    writeFileSync(file, now.replace(/"all": "[^"]*"/, '"all": "other"'));
    const left = await why('quick', id());
    writeFileSync(file, now);
    expect(left.stdout.replaceAll('\n', ' ')).toContain('were computed by other code: run asks for --recompute');
  });

  it('knows nothing of results that are not there yet', async () => {
    const left = await why(sweep.file, 'strategy=none,seed=1', 'name=other', '--json');
    expect(JSON.parse(left.stdout)).toMatchObject({ state: 'waiting', nearest: null, plan: 'none', code: 'none' });
  });

  it('lists the candidates when it is one of several; exit code 2', async () => {
    const left = await why('quick', 'seed=1');
    expect([left.code, left.stdout]).toEqual([2, '']);
    expect(left.stderr).toMatch(
      /^seed=1: expected one trial, got 3; narrow the filter\n( {2}\S+ {2}cartpole\/angle (none|retrain|tsf) seed 1\/0\n){3}$/,
    );
  });

  it('names the nearest when there is none; exit code 5', async () => {
    const left = await why('quick', `${id().slice(0, 9)}0`);
    expect([left.code, left.stdout]).toEqual([5, '']);
    expect(left.stderr).toContain(`no trial has an id that begins so; nearest is ${id()}`);
  });

  it.each([
    [
      ['quick', 'seed=1', 'seeds=9'],
      'quick: expected overrides of a sweep file, got "seeds=9"; name the sweep file instead of its results\n',
    ],
    [['qick', 'seed=1'], /did you mean quick\?/],
    [['nowhere.yaml', 'seed=1'], /nowhere\.yaml: expected a sweep file, got nothing/],
    [['quick', 'sed=1'], /expected a field of a trial, got sed; did you mean seed\?/],
  ])('%j is refused with a remedy; exit code 2', async (args, message) => {
    const left = await why(...args);
    expect([left.code, left.stdout]).toEqual([2, '']);
    expect(left.stderr).toMatch(message);
  });
});
