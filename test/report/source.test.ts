import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { canonicalJson } from '../../src/contract/ids.ts';
import { parseSweep } from '../../src/contract/sweep.ts';
import { expand } from '../../src/coordinator/expand.ts';
import { type Asked, askedOf } from '../../src/report/asked.ts';
import { type FoundTrial, readSource, readTrial, type Templates, templatesOf } from '../../src/report/source.ts';
import { result } from './synthetic.ts';

const judged = parseSweep({
  version: 1,
  name: 'x',
  seeds: [3, 12, 100],
  correctionSeeds: 2,
  axes: {
    scenario: ['cartpole/angle'],
    strategy: ['none', 'tsf', 'tsf:paper', 'retrain'],
    'correct.steps': [100, 500],
    'ppo.gamma': [0.98, 0.99],
  },
});
if (!judged.ok) throw new Error('the sweep of this test is wrong');
const sweep = judged.value;
const trials = expand(sweep);
const asked = askedOf(sweep);

describe('askedOf(…)', () => {
  it('is expand(…), in its order, with the same ids', () => {
    const plain = ({ scenario, strategy, overrides, arm, seed, correctionSeed, id, baseId, spec }: Omit<Asked, 'template'>) => {
      return { scenario, strategy, overrides, arm, seed, correctionSeed, id, baseId, spec };
    };
    expect(asked.length).toBeGreaterThan(50);
    expect(asked.map(plain)).toEqual(trials.map(plain));
    expect(new Set(asked.map(({ template, seed }) => `${template} ${seed}`)).size).toBe(asked.length);
  });
});

const curve = { step: [0, 1], value: [0.5, null] };
const rows = trials.map(({ id, baseId: base, spec }, i) => {
  const measured = { ...result({ fe: i / 100 }), forgetCurve: curve, returnCurve: curve, trace: ['a]', 'b}'] };
  return { id, base, spec, ok: true, result: measured } as const;
});
const templates = templatesOf(asked);
const read = (line: string, known: Templates = templates): FoundTrial => readTrial(line, () => 'trials.jsonl:1', known);
/** Whole lines of known templates are cut; with none known, every line is parsed: the definition. */
const whole = (line: string): FoundTrial => read(line, new Map());
/** Without what no table reads, and without what only the definition keeps. */
function core(found: FoundTrial): object {
  const { id, base, template, seed, ok } = found;
  if (!found.ok) return { id, base, template, seed, ok, failure: found.failure };
  const { forgetCurve: _, returnCurve: __, trace: ___, ...measured } = found.result as unknown as Record<string, unknown>;
  return { id, base, template, seed, ok, result: measured };
}

describe('readTrial(…)', () => {
  it('finds in a cut line what parsing all of it finds', () => {
    for (const [i, row] of rows.entries()) {
      const found = read(canonicalJson(row));
      expect(core(found)).toEqual(core(whole(canonicalJson(row))));
      expect(found).toMatchObject({ template: asked[i]!.template, seed: asked[i]!.seed, id: asked[i]!.id });
    }
  });

  it('cuts: what no table reads is not there', () => {
    const found = read(canonicalJson({ ...rows[0]!, result: { ...rows[0]!.result, trace: [] } }));
    expect(found).toMatchObject({ result: { forgetCurve: null, returnCurve: null, trace: null } });
    expect(found).not.toHaveProperty('spec');
  });

  it('reads a failure, whatever its message quotes', () => {
    const message = 'got ,"spec":{"seed":7},"trace":["x"] and "forgetCurve":{';
    const { result: _, ...row } = rows[5]!;
    const line = canonicalJson({ ...row, ok: false, failure: { kind: 'bug', message } });
    expect(core(read(line))).toEqual(core(whole(line)));
    expect(read(line)).toMatchObject({ ok: false, failure: { message }, seed: asked[5]!.seed });
  });

  it.each([
    ['keys in another order', (row: object) => JSON.stringify(Object.fromEntries(Object.entries(row).reverse()))],
    ['spaces', (row: object) => JSON.stringify(row, null, 1).replaceAll('\n', ' ')],
    ['a key behind the spec', (row: object) => canonicalJson({ ...row, zzz: 1 })],
  ])('reads a line that somebody wrote by hand: %s', (_what, print) => {
    for (const row of rows) expect(core(read(print(row)))).toEqual(core(whole(canonicalJson(row))));
  });

  it('gives a row that nobody asked for a template that nobody asked for', () => {
    const { spec } = rows[0]!;
    const found = read(canonicalJson({ ...rows[0]!, spec: { ...spec, base: { ...spec.base, ppo: { ...spec.base.ppo, gamma: 0.5 } } } }));
    expect(asked.map(({ template }) => template)).not.toContain(found.template);
  });

  it.each(['{"id":"x"', '{}', '[]', 'null', ''])('says what %j is not', (line) => {
    expect(() => read(line)).toThrow(/^trials\.jsonl:1: expected the row of a trial, got /);
  });
});

describe('readSource(…)', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'spc-source-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  async function all<T>(batches: AsyncIterable<readonly T[]>): Promise<T[]> {
    const items: T[] = [];
    for await (const batch of batches) items.push(...batch);
    return items;
  }

  it('reads every complete line, however lines and chunks meet; a torn last line is none', async () => {
    // Lines around and beyond the 1 MiB that is read at once, in letters of one to four bytes.
    const lengths = [10, (1 << 20) - 200, 1 << 20, 5, (1 << 21) + 7, 1, 300_000, 0];
    const records = lengths.map((length, i) => ({ id: `${i}`, kind: 'trial', host: 'aπ𝜋'.repeat(length / 3), phasesMs: {} }));
    const lines = records.map((record) => `${JSON.stringify(record)}\n`);
    writeFileSync(join(folder, 'provenance.jsonl'), `${lines.join('')}{"id":"torn`);
    expect(await all(readSource(folder, []).provenance)).toEqual(records);
  });

  it('has nothing where there are no files', async () => {
    const { bases, provenance, trials: found } = readSource(folder, asked);
    expect([await all(bases), await all(provenance), await all(found)]).toEqual([[], [], []]);
  });

  it('reads what a table needs of a base', async () => {
    const done = { policy: '', environmentSteps: 7, gradientSteps: 5, returns: curve, trace: ['x'] };
    const failure = { kind: 'diverged', message: 'NaN' };
    const lines = [
      { id: 'a', spec: {}, ok: true, result: done },
      { id: 'b', spec: {}, ok: false, failure },
    ];
    writeFileSync(join(folder, 'bases.jsonl'), lines.map((line) => `${canonicalJson(line)}\n`).join(''));
    expect(await all(readSource(folder, asked).bases)).toEqual([
      { id: 'a', cost: { environmentSteps: 7, gradientSteps: 5 } },
      { id: 'b', cost: null, failure },
    ]);
  });
});
