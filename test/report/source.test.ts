import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { canonicalJson } from '../../src/contract/ids.ts';
import { parseSweep } from '../../src/contract/sweep.ts';
import { expand } from '../../src/coordinator/expand.ts';
import { type Asked, askedOf } from '../../src/report/asked.ts';
import type { Measured } from '../../src/report/metrics.ts';
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
    const plain = ({ scenario, strategy, overrides, arm, seed, correctionSeed, id, baseId, spec }: Omit<Asked, 'template' | 'engine'>) => {
      return { scenario, strategy, overrides, arm, seed, correctionSeed, id, baseId, spec };
    };
    expect(asked.length).toBeGreaterThan(50);
    expect(asked.map(plain)).toEqual(trials.map(plain));
    expect(new Set(asked.map(({ template, seed }) => `${template} ${seed}`)).size).toBe(asked.length);
  });
});

const curve = { step: [0, 1], value: [0.5, null] };
const rows = trials.map(({ id, baseId: base, spec }, i) => {
  const measured = {
    ...result({ fe: i / 100, policy: `${i}`.padStart(64, 'a') }),
    forgetCurve: curve,
    returnCurve: curve,
    trace: ['0a', 'f9'],
  };
  return { id, base, spec, ok: true, result: measured } as const;
});
const templates = templatesOf(asked);
const read = (line: string, known: Templates = templates): FoundTrial => readTrial(line, () => 'trials.jsonl:1', known);
/** With no template known, every line is parsed: the definition. */
const whole = (line: string): FoundTrial => read(line, new Map());

/** What columns may read of it. */
function core(found: FoundTrial): object {
  const { id, base, template, seed, ok } = found;
  if (!found.ok) return { id, base, template, seed, ok, failure: found.failure };
  const { acceptance, influence, greedy, sampled, cost } = found.result;
  const { fe, finalFe, worstCase, rsi, rsiSampled, retainKl, retainValue, overrun, checkpoint, policy } = found.result;
  const counts = ({ gradientSteps, environmentSteps }: Measured['cost']['correct']) => [gradientSteps, environmentSteps];
  return {
    ...{ id, base, template, seed, ok, fe, finalFe, worstCase, rsi, rsiSampled, retainKl, retainValue, overrun, checkpoint, policy },
    ...{ accepted: [acceptance.accepted, acceptance.reasons], influence: [influence.printed, influence.unsaturated] },
    ...{ greedy: greedy.meanReturn, sampled: [sampled.meanReturn, sampled.occupancy, sampled.toxicRate] },
    cost: [counts(cost.correct), counts(cost.identify)],
  };
}

describe('readTrial(…)', () => {
  it('finds in the text of a line what parsing it finds', () => {
    for (const [i, row] of rows.entries()) {
      const found = read(canonicalJson(row));
      expect(core(found)).toEqual(core(whole(canonicalJson(row))));
      expect(found).toMatchObject({ template: asked[i]!.template, seed: asked[i]!.seed, id: asked[i]!.id });
    }
  });

  it('takes the short way: what no column reads is not there', () => {
    for (const row of rows) {
      expect(read(canonicalJson(row))).not.toHaveProperty('spec');
      expect((read(canonicalJson(row)) as { result: object }).result).not.toHaveProperty('trace');
    }
    expect(whole(canonicalJson(rows[0]!))).toHaveProperty('result.trace');
  });

  it('finds the same whatever the numbers are', () => {
    const number = fc.double({ noNaN: true, noDefaultInfinity: true });
    const maybe = fc.option(number);
    const evaluation = (base: object) =>
      fc.record({ meanReturn: number, toxicRate: maybe, occupancy: maybe }).map((own) => ({ ...base, ...own }));
    const { result: made, ...row } = rows[3]!;
    const overrun = fc.option(
      fc.record({ multiple: fc.constant([2, 4]), finalFe: fc.tuple(maybe, maybe), meanReturn: fc.tuple(number, number) }),
    );
    const any = fc.record({
      ...{ fe: maybe, finalFe: maybe, worstCase: maybe, rsi: number, rsiSampled: number, retainKl: maybe, retainValue: maybe, overrun },
      ...{ greedy: evaluation(made.greedy), sampled: evaluation(made.sampled), checkpoint: fc.nat() },
      influence: fc.record({ printed: maybe, unsaturated: maybe, pairs: fc.nat(), kept: fc.nat() }),
      forgetCurve: fc.option(fc.record({ step: fc.array(fc.nat()), value: fc.array(maybe) })),
      acceptance: fc
        .tuple(fc.boolean(), fc.constantFrom([], ['x ] } "fe":1']))
        .map(([accepted, reasons]) => ({ ...made.acceptance, accepted, reasons })),
    });
    fc.assert(
      fc.property(any, (own) => {
        const line = canonicalJson({ ...row, result: { ...made, ...own } });
        expect(core(read(line))).toEqual(core(whole(line)));
        expect('spec' in read(line)).toBe(!own.acceptance.accepted || own.acceptance.reasons.length > 0);
      }),
      { seed: 1, numRuns: 200 },
    );
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

  it.each(['acceptance', 'influence', 'greedy', 'sampled', 'cost'])('says where a row lacks its numbers: no %s', (part) => {
    const { [part as 'cost']: _, ...rest } = rows[0]!.result;
    expect(() => read(canonicalJson({ ...rows[0]!, result: rest }))).toThrow(/^trials\.jsonl:1: expected the numbers of a trial, got /);
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

  it.each([
    ['as it is written', (record: object) => canonicalJson(record)],
    ['with a stack', (record: object) => canonicalJson({ ...record, stack: '"phasesMs":{"train":1},"startedAt":"host":"b' })],
    ['in another order', (record: object) => JSON.stringify(record)],
  ])('finds times in a record %s', async (_how, print) => {
    const facts = { kind: 'base', ok: true, attempt: 1, cpu: 'c', node: 'v20', engine: 'wasm', numerics: 'n', startedAt: 't', wallMs: 3 };
    const record = { id: 'x', host: 'a', phasesMs: { train: 1.5, evaluate: 2 }, ...facts };
    writeFileSync(join(folder, 'provenance.jsonl'), `${print(record)}\n`);
    expect(await all(readSource(folder, []).provenance)).toEqual([
      expect.objectContaining({ id: 'x', host: 'a', phasesMs: record.phasesMs }),
    ]);
  });

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
    const done = { policy: 'f0', environmentSteps: 7, gradientSteps: 5, returns: curve, trace: ['x'] };
    const failure = { kind: 'diverged', message: 'NaN' };
    const played = { greedy: { meanReturn: 500 }, sampled: { meanReturn: 480 }, random: { meanReturn: 20 } };
    const lines = [
      { id: 'c', spec: {}, ok: true, result: { ...done, ...played } },
      { id: 'a', spec: {}, ok: true, result: done },
      { id: 'b', spec: {}, ok: false, failure },
    ];
    writeFileSync(join(folder, 'bases.jsonl'), lines.map((line) => `${canonicalJson(line)}\n`).join(''));
    expect(await all(readSource(folder, asked).bases)).toEqual([
      { id: 'c', cost: { environmentSteps: 7, gradientSteps: 5 }, policy: 'f0', returns: { greedy: 500, sampled: 480, random: 20 } },
      { id: 'a', cost: { environmentSteps: 7, gradientSteps: 5 }, policy: 'f0' },
      { id: 'b', cost: null, failure },
    ]);
  });
});
