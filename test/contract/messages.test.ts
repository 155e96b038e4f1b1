import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson } from '../../src/contract/ids.ts';
import { failureRow, type Job } from '../../src/contract/job.ts';
import { parseJob, parseResult } from '../../src/contract/messages.ts';
import { baseJob, baseSpec, provenanceOf, trainedRow, trialJob, trialSpec } from '../worker/fake/specs.ts';

const spec = baseSpec(1);
const base = baseJob(spec);
const trial = trialJob(trialSpec(spec, 'tsf'), trainedRow(spec), { wallMs: 1000 });
const resultOf = (job: Job): unknown => ({
  kind: job.kind,
  row: failureRow(job, { kind: 'bug', message: 'no' }),
  provenance: provenanceOf(job),
});
const results = [resultOf(base), resultOf(trial), { kind: 'base', row: trainedRow(spec), provenance: provenanceOf(base) }];

/** Every way to a value inside. */
const pathsOf = (value: unknown, path: readonly string[] = []): string[][] =>
  typeof value === 'object' && value !== null
    ? [[...path], ...Object.entries(value).flatMap(([key, inner]) => pathsOf(inner, [...path, key]))]
    : [[...path]];

function altered(value: unknown, path: readonly string[], change: (inside: Record<string, unknown>, key: string) => void): string {
  const copy = JSON.parse(JSON.stringify({ root: value })) as Record<string, unknown>;
  const all = ['root', ...path];
  const inside = all.slice(0, -1).reduce((at, key) => at[key] as Record<string, unknown>, copy);
  change(inside, all.at(-1) ?? '');
  return JSON.stringify(copy['root'] ?? null);
}

describe('messages', () => {
  it.each([
    ['base', base],
    ['trial', trial],
  ] as const)('parseJob(text) gives back the %s that was sent', (_, job) => {
    expect(parseJob(canonicalJson(job))).toEqual(job);
  });

  it.each(results)('parseResult(text) gives back the result that was sent', (result) => {
    expect(parseResult(canonicalJson(result))).toEqual(result);
  });

  it('parseJob(text) refuses an id that is not the digest of its spec', () => {
    expect(() => parseJob(canonicalJson({ ...base, spec: baseSpec(2) }))).toThrow(/id: expected .* the digest of the spec/);
    const other = trainedRow(baseSpec(2));
    expect(() => parseJob(canonicalJson({ ...trial, base: other }))).toThrow(/id: expected/);
    expect(() => parseJob(canonicalJson({ ...trial, base: { ...other, id: base.id } }))).toThrow(/id: expected/);
  });

  it('parseResult(text) refuses a row whose ids are not those of its spec', () => {
    const row = failureRow(trial, { kind: 'bug', message: 'no' });
    const sent = { kind: 'trial', row: { ...row, base: trial.id }, provenance: provenanceOf(trial) };
    expect(() => parseResult(canonicalJson(sent))).toThrow(/id: expected/);
    expect(() => parseResult(canonicalJson({ ...sent, row, provenance: provenanceOf(base) }))).toThrow(/id: expected/);
  });

  it.each([
    ['nothing', ''],
    ['no JSON', '{"kind":'],
    ['a list', '[]'],
    ['__proto__', canonicalJson(base).replace('"options":{}', '"options":{"__proto__":{"x":1}}')],
    ['an unknown key', canonicalJson({ ...base, run: 'rm' })],
    ['great depth', canonicalJson({ ...base, spec: { ...spec, options: { x: JSON.parse('['.repeat(40) + ']'.repeat(40)) } } })],
    ['an unknown environment', canonicalJson({ ...base, spec: { ...spec, environment: '../../etc' } })],
    ['PPO that is not resolved', canonicalJson({ ...base, spec: { ...spec, ppo: {} } })],
  ])('parseJob(text) refuses %s', (_, text) => {
    expect(() => parseJob(text)).toThrow();
  });

  it('parseJob(text) and parseResult(text) throw an Error or give what was sent, whatever is altered', () => {
    const whole = [base, trial, ...results].flatMap((value) => pathsOf(value).map((path) => ({ value, path })));
    fc.assert(
      fc.property(fc.constantFrom(...whole), fc.jsonValue(), fc.boolean(), ({ value, path }, other, remove) => {
        const text = altered(value, path, (inside, key) => {
          if (remove) delete inside[key];
          else inside[key] = other;
        });
        for (const parse of [parseJob, parseResult]) {
          try {
            expect(canonicalJson(parse(text))).toBe(canonicalJson(JSON.parse(text)));
          } catch (error) {
            expect(error).toBeInstanceOf(Error);
            expect((error as Error).name).not.toBe('AssertionError');
          }
        }
      }),
      { numRuns: 1000 },
    );
  });
});
