import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/contract/errors.ts';
import { canonicalJson, contentDigest } from '../../src/contract/ids.ts';
import { failureRow, type Row } from '../../src/contract/job.ts';
import { parseSweep } from '../../src/contract/sweep.ts';
import type { Frozen } from '../../src/coordinator/freeze.ts';
import { planOf } from '../../src/coordinator/plan.ts';
import { readRows, Store } from '../../src/coordinator/store.ts';
import { baseJob, baseSpec, trialJob, trialSpec } from '../worker/fake/specs.ts';

const judged = parseSweep({ version: 1, name: 'x', seeds: 1, axes: { scenario: ['cartpole/angle'], strategy: ['none'] } });
if (!judged.ok) throw new Error('expected a sweep');
const numerics = { base: 'b', trial: 't', all: 'a', engine: 'e', files: {} };
const frozen: Frozen = { sweepYaml: 'name: x\n', plan: planOf(judged.value), numerics };

const policy = Uint8Array.of(1, 2, 3);
const digest = contentDigest(policy);
const base = baseJob(baseSpec(1));
const part = { greedy: {}, sampled: {}, policy: digest, trace: [] };
const trained = { id: base.id, spec: base.spec, ok: true, result: { ...part, random: {}, returns: {} } } as unknown as Row;
const trial = (seed: number) => trialJob(trialSpec(baseSpec(seed)), { id: base.id } as never);
const ran = (seed: number): Row => {
  const { id, spec } = trial(seed);
  return { id, base: base.id, spec, ok: true, result: { ...part, cost: {}, acceptance: {}, forgetSet: digest } } as unknown as Row;
};
const FILES = ['bases.jsonl', 'trials.jsonl'] as const;
const whole: Readonly<Record<(typeof FILES)[number], readonly string[]>> = {
  'bases.jsonl': [trained, failureRow(baseJob(baseSpec(2)), { kind: 'diverged', message: 'ü "\n' })].map(canonicalJson),
  'trials.jsonl': [
    ran(1),
    ran(2),
    failureRow(trial(3), { kind: 'limit', message: 'memory' }),
    failureRow(trial(4), { kind: 'refused', message: 'no' }),
  ].map(canonicalJson),
};

/** As a first run leaves it, with the policy of its base. */
const frozenFolder = (async () => {
  const folder = mkdtempSync(join(tmpdir(), 'spc-fuzz-'));
  const store = await Store.open(folder, frozen, { extend: false, recompute: false, warn: () => {} });
  await store.files.put('policies', policy);
  await store.close();
  return folder;
})();

/** A folder with these bytes in its files; what a run finds when it opens it, or the ConfigError. Anything else is the test's failure. */
async function opened(bytes: Readonly<Record<string, Uint8Array>>): Promise<{ rows: string[]; said: string } | { refused: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'spc-fuzz-'));
  cpSync(await frozenFolder, folder, { recursive: true });
  const said: string[] = [];
  const options = { extend: false, recompute: false, warn: (message: string) => void said.push(message) };
  try {
    for (const [name, content] of Object.entries(bytes)) writeFileSync(join(folder, name), content);
    const store = await Store.open(folder, frozen, options);
    const added = { kind: 'trial', row: ran(9), provenance: { id: trial(9).id } } as never;
    await store.append(added); // it can go on
    await store.close();
    const rows: string[] = [];
    for (const kind of ['base', 'trial'] as const) for await (const { text } of readRows(folder, kind)) rows.push(text);
    expect(readFileSync(join(folder, 'trials.jsonl')).at(-1)).toBe(0x0a);
    return { rows, said: said.join('\n') };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { refused: error.message };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
const encode = (lines: readonly string[]): Uint8Array => new TextEncoder().encode(lines.map((line) => `${line}\n`).join(''));
const ALL = Object.fromEntries(FILES.map((name) => [name, encode(whole[name])]));
const lasting = [...whole['bases.jsonl'], ...whole['trials.jsonl'].filter((line) => !line.includes('"limit"'))];

/** `runs`: how many mangled folders. */
export const mangledRows = (runs: number) =>
  describe('Store.open(rows that somebody mangled)', () => {
    it('keeps what is whole', async () => {
      expect(await opened(ALL)).toMatchObject({ rows: [...lasting, canonicalJson(ran(9))] });
    });

    it('cuts a line torn at any byte, and keeps those before it', async () => {
      await fc.assert(
        fc.asyncProperty(fc.constantFrom(...FILES), fc.nat(), async (name, at) => {
          const bytes = ALL[name]!;
          const cut = bytes.subarray(0, at % bytes.length);
          const there = await opened({ ...ALL, [name]: cut });
          const complete = new TextDecoder().decode(cut).split('\n').slice(0, -1);
          const other = FILES.filter((n) => n !== name).flatMap((n) => whole[n]);
          const expected = [...complete, ...other].filter((line) => lasting.includes(line)).sort();
          expect('rows' in there && there.rows.filter((line) => line !== canonicalJson(ran(9))).sort()).toEqual(expected);
          expect('said' in there && there.said.includes('the last line was torn')).toBe(cut.length > 0 && cut.at(-1) !== 0x0a);
        }),
        { numRuns: Math.ceil(runs / 4) },
      );
    });

    const junk = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.json().map((text) => new TextEncoder().encode(`${text}\n`)),
      fc
        .constantFrom('\n', 'null\n', '{}\n', `${'['.repeat(100_000)}\n`, `${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}\n`, '\r\n')
        .map((text) => new TextEncoder().encode(text)),
    );
    /** Doubled, dropped or swapped lines; bytes overwritten or inserted; a value replaced by another. */
    const edit = fc.oneof(
      fc.tuple(fc.constantFrom('double', 'drop', 'swap'), fc.nat(9)).map(([how, i]) => (lines: string[]) => {
        const [at, line = ''] = [i % lines.length, lines[i % lines.length]];
        if (how === 'double') return encode([...lines, line]);
        if (how === 'drop') return encode(lines.filter((_, j) => j !== at));
        return encode([...lines].reverse());
      }),
      fc.tuple(fc.nat(), junk, fc.boolean()).map(([i, bytes, insert]) => (lines: string[]) => {
        const text = encode(lines);
        const at = i % (text.length + 1);
        return Uint8Array.from([
          ...text.subarray(0, at),
          ...bytes,
          ...text.subarray(Math.min(text.length, insert ? at : at + bytes.length)),
        ]);
      }),
      fc
        .tuple(fc.nat(9), fc.nat(99), fc.oneof(fc.jsonValue(), fc.constantFrom(null, {}, [], 0, '', 1e308)))
        .map(([i, at, by]) => (lines: string[]) => {
          let place = 0;
          const changed = (value: unknown): unknown => {
            if (place++ === at) return by;
            if (typeof value !== 'object' || value === null) return value;
            return Array.isArray(value) ? value.map(changed) : Object.fromEntries(Object.entries(value).map(([k, v]) => [k, changed(v)]));
          };
          return encode(lines.map((line, j) => (j === i % lines.length ? JSON.stringify(changed(JSON.parse(line))) : line)));
        }),
    );

    it('gives rows, or a ConfigError that names the file and the line', async () => {
      const refusals = new Set<boolean>();
      await fc.assert(
        fc.asyncProperty(fc.constantFrom(...FILES), edit, async (name, change) => {
          const there = await opened({ ...ALL, [name]: change([...whole[name]]) });
          refusals.add('refused' in there);
          if ('refused' in there) expect(there.refused).toMatch(/\/(bases|trials)\.jsonl:\d+: expected .*; delete /s);
          else expect(new Set(there.rows).size).toBe(there.rows.length);
        }),
        { numRuns: runs },
      );
      expect(refusals.size).toBe(2); // both happen
    });
  });
