import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/contract/errors.ts';
import type { Failure } from '../../src/contract/rows.ts';
import { differences } from '../../src/coordinator/differences.ts';
import { expand, type PlannedTrial } from '../../src/coordinator/expand.ts';
import { parseSweepText } from '../../src/coordinator/load.ts';
import { choose, explain, readCandidates, type Why } from '../../src/coordinator/why.ts';

const folder = mkdtempSync(join(tmpdir(), 'why-'));
afterAll(() => rmSync(folder, { recursive: true }));

const file = 'version: 1\nname: x\nseeds: 3\naxes: { scenario: [cartpole/angle], strategy: [none, tsf] }\n';
const trialsOf = (...overrides: string[]): PlannedTrial[] => expand(parseSweepText(file, 'x', overrides).sweep);
const planned = trialsOf();
const at = (seed: number, strategy: string, among = planned): PlannedTrial =>
  among.find((trial) => trial.seed === seed && trial.strategy === strategy)!;

const crashed: Failure = { kind: 'crashed', message: 'gone' };
const diverged: Failure = { kind: 'diverged', message: 'NaN\nin step 3' };
type Outcome = readonly [PlannedTrial, Failure?];

/** Writes a folder's rows. */
function rows(bases: readonly Outcome[], trials: readonly Outcome[]): void {
  const end = (failure?: Failure): object => (failure ? { ok: false, failure } : { ok: true, result: {} });
  const lines = (list: readonly object[]): string => list.map((row) => `${JSON.stringify(row)}\n`).join('');
  writeFileSync(
    join(folder, 'bases.jsonl'),
    lines(bases.map(([{ baseId: id, spec }, failure]) => ({ id, spec: spec.base, ...end(failure) }))),
  );
  writeFileSync(
    join(folder, 'trials.jsonl'),
    lines(trials.map(([{ id, baseId: base, spec }, failure]) => ({ id, base, spec, ...end(failure) }))),
  );
}
beforeEach(() => rows([[at(1, 'none')], [at(2, 'none')]], [[at(1, 'none')], [at(1, 'tsf')], [at(2, 'none')]]));

async function ask(given: string, wanted = planned): Promise<Why> {
  const { candidates, bases } = await readCandidates(folder, wanted);
  const chosen = choose(given, candidates);
  if (typeof chosen === 'string') throw new Error(chosen);
  return explain(chosen, candidates, bases, folder);
}
const refusal = async (given: string, wanted = planned): Promise<string> => {
  const chosen = choose(given, (await readCandidates(folder, wanted)).candidates);
  return typeof chosen === 'string' ? chosen : 'chosen';
};

describe('explain(a trial)', () => {
  it('cached: it has a row, and nothing is compared', async () => {
    const { id, baseId } = at(1, 'tsf');
    expect(await ask(id)).toEqual({
      ...{
        id,
        scenario: 'cartpole/angle',
        strategy: 'tsf',
        arm: 'cartpole/angle tsf',
        seed: 1,
        correctionSeed: 0,
        wanted: true,
        state: 'cached',
      },
      ...{ base: { id: baseId, state: 'ok' }, reason: `its row is in ${folder}/trials.jsonl`, nearest: null },
    });
  });

  it('missing: its base is there, and the nearest row says what is new', async () => {
    expect(await ask(at(2, 'tsf').id)).toMatchObject({
      state: 'missing',
      reason: `it has no row; its base ${at(2, 'tsf').baseId} is there, so it can run`,
      nearest: { id: at(1, 'tsf').id, differences: [{ field: 'seed', from: 1, to: 2 }] },
    });
  });

  it('waiting: its base has no row either', async () => {
    const { id, baseId } = at(3, 'none');
    expect(await ask(id)).toMatchObject({
      state: 'waiting',
      base: { id: baseId, state: 'missing' },
      reason: `it has no row, and waits for its base ${baseId}, which has none either`,
    });
  });

  it('failed: it would fail the same way again', async () => {
    rows([[at(1, 'none')]], [[at(1, 'tsf'), diverged]]);
    expect(await ask(at(1, 'tsf').id)).toMatchObject({
      state: 'failed',
      reason: 'diverged: NaN; it would fail the same way again, so run leaves it',
      nearest: null,
    });
  });

  it('again: it crashed, or its base did', async () => {
    rows(
      [[at(1, 'none')], [at(2, 'none'), crashed]],
      [
        [at(1, 'tsf'), crashed],
        [at(2, 'tsf'), { kind: 'refused', message: 'base crashed' }],
      ],
    );
    expect(await ask(at(1, 'tsf').id)).toMatchObject({ state: 'again', reason: 'crashed: gone; the next run tries it again' });
    expect(await ask(at(2, 'tsf').id)).toMatchObject({ state: 'again', base: { state: 'missing' } });
  });

  it('refused: its base failed for good', async () => {
    rows([[at(1, 'none'), diverged]], []);
    expect(await ask(at(1, 'tsf').id)).toMatchObject({
      state: 'refused',
      reason: `its base ${at(1, 'tsf').baseId} failed (diverged: NaN)`,
      nearest: null,
    });
  });

  it('of a changed file: which field makes it new, against the row that differs least', async () => {
    const changed = trialsOf('correct.steps=1000', 'ppo.gamma=0.9');
    expect((await ask(at(1, 'tsf', changed).id, changed)).nearest).toEqual({
      id: at(1, 'tsf').id,
      differences: [
        { field: 'ppo.gamma', from: 0.99, to: 0.9 },
        { field: 'correct.steps', from: 500, to: 1000 },
      ],
    });
  });

  it('of a row that nobody asks for: it is not wanted, and what is asked for differs so', async () => {
    const changed = trialsOf('correct.steps=1000');
    expect(await ask(at(1, 'tsf').id, changed)).toMatchObject({
      ...{ wanted: false, state: 'cached', scenario: 'cartpole/angle' },
      reason: `its row is in ${folder}/trials.jsonl; no trial of the sweep asks for it`,
      nearest: { id: at(1, 'tsf', changed).id, differences: [{ field: 'correct.steps', from: 500, to: 1000 }] },
    });
  });
});

describe('choose(given, candidates)', () => {
  it('takes any beginning that is unique', async () => {
    const { id } = at(2, 'tsf');
    const n = [...Array(16).keys()].find((length) => planned.filter((other) => other.id.startsWith(id.slice(0, length))).length === 1)!;
    expect((await ask(id.slice(0, n))).id).toBe(id);
    expect((await ask(id.toUpperCase())).id).toBe(id);
  });

  it('takes a filter that chooses one, and prefers what is asked for', async () => {
    expect((await ask('strategy=tsf,seed=2')).id).toBe(at(2, 'tsf').id);
    const changed = trialsOf('correct.steps=1000');
    expect((await ask('strategy=tsf,seed=1', changed)).id).toBe(at(1, 'tsf', changed).id);
  });

  it('lists the candidates when there are several', async () => {
    await expect(refusal('strategy=tsf')).rejects.toThrow(ConfigError);
    await expect(refusal('strategy=tsf')).rejects.toThrow(
      new RegExp(`^strategy=tsf: expected one trial, got 3; narrow the filter\n  ${at(1, 'tsf').id} {2}cartpole/angle tsf seed 1/0\n`),
    );
    const many = expand(parseSweepText(file, 'x', ['seeds=100']).sweep);
    const first = many[0]!.id[0]!;
    const n = many.filter(({ id }) => id.startsWith(first)).length;
    await expect(refusal(first, many)).rejects.toThrow(`${first}: expected one trial, got ${n}; write more of the id\n`);
  });

  it('names the nearest when there is none', async () => {
    const { id } = at(1, 'tsf');
    const wrong = `${id.slice(0, 7)}${id[7] === 'a' ? 'b' : 'a'}${id.slice(8)}`;
    expect(await refusal(wrong)).toBe(`${wrong}: no trial has an id that begins so; nearest is ${id}  cartpole/angle tsf seed 1/0`);
    expect(await refusal(`${id.slice(0, 2)}111`)).toContain(`nearest is ${id}`);
    expect(await refusal(at(1, 'none').baseId)).toContain('no trial has such an id; it is that of a base, of ');
    expect(await refusal('strategy=tfs')).toBe('strategy=tfs: no trial meets it; strategy is none, tsf');
    rows([], []);
    expect(await refusal('x', [])).toBe('x: no trial has an id that begins so, there is none at all');
  });
});

describe('differences(from, to)', () => {
  it('names fields as filters do, rules by their place, and keeps intervals and lists whole', () => {
    const { spec } = at(1, 'tsf');
    const [first, ...rest] = spec.rules;
    const to = {
      ...spec,
      base: { ...spec.base, seed: 9, ppo: { ...spec.base.ppo, hidden: [8] } },
      rules: [{ ...first!, where: { theta: [0.1, null] as const } }, ...rest],
      correct: { ...spec.correct, extra: true },
    };
    expect(differences(spec, to)).toEqual([
      { field: 'ppo.hidden', from: [64, 64], to: [8] },
      { field: 'seed', from: 1, to: 9 },
      { field: 'rules[0].where.theta', from: [0.08, null], to: [0.1, null] },
      { field: 'correct.extra', from: null, to: true },
    ]);
  });

  it('is empty for a spec and itself only, and the same backwards', () => {
    const some = trialsOf('axes.correct.steps=1,2', 'axes.ppo.gamma=0.9,1', 'correctionSeeds=2');
    const pick = fc.constantFrom(...some);
    fc.assert(
      fc.property(pick, pick, (a, b) => {
        const there = differences(a.spec, b.spec);
        expect(there.length === 0).toBe(a.id === b.id);
        const back = differences(b.spec, a.spec);
        const byField = (x: { field: string }, y: { field: string }): number => (x.field < y.field ? -1 : 1);
        expect(back.map(({ field, from, to }) => ({ field, from: to, to: from })).toSorted(byField)).toEqual(there.toSorted(byField));
      }),
    );
  });
});
