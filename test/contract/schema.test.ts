import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { parseSweep, sweepJsonSchema } from '../../src/contract/sweep.ts';

// No JSON Schema validator is among our dependencies; zod reads JSON Schema back, and does not know where this one came from.
const validator = z.fromJSONSchema(JSON.parse(JSON.stringify(sweepJsonSchema())) as Parameters<typeof z.fromJSONSchema>[0]);
/** What JSON can say of a YAML document: an open end is null. */
const accepts = (data: unknown): boolean => validator.safeParse(JSON.parse(JSON.stringify(data))).success;

const files = readdirSync('sweeps').filter((name) => name.endsWith('.yaml'));
const minimal = { version: 1, name: 'x', seeds: 2, axes: { scenario: ['cartpole/angle'], strategy: ['none', 'tsf'] } };

describe('sweepJsonSchema()', () => {
  it('is JSON Schema 2020-12, and says what keys mean', () => {
    const schema = sweepJsonSchema() as { $schema: string; required: string[]; properties: Record<string, { description?: string }> };
    expect([schema.$schema, schema.required]).toEqual([
      'https://json-schema.org/draft/2020-12/schema',
      ['version', 'name', 'seeds', 'axes'],
    ]);
    for (const key of ['seeds', 'tunedOn', 'zip', 'when', 'limits', 'scenarios']) expect(schema.properties[key]?.description).toMatch(/\w/);
  });

  it('every file in sweeps/ meets it', () => {
    expect(files.length).toBeGreaterThan(1);
    for (const name of files) expect([name, accepts(parse(readFileSync(join('sweeps', name), 'utf8')))]).toEqual([name, true]);
  });

  it.each<object>([
    { axes: { ...minimal.axes, 'ppo.gamma': [0.5], 'correct.steps': [1], 'evaluate.curvePoints': [3], 'ppo.hidden': [[8], [8, 8]] } },
    { zip: [{ 'correct.steps': [1, 2], 'correct.retainKl': [1, 2] }] },
    { axes: { strategy: ['none'] }, zip: [{ scenario: ['cartpole/angle', 'CartPole-v1'] }] },
    { exclude: [{ strategy: 'tsf', scenario: ['cartpole/angle'] }] },
    { include: [{ scenario: 'cartpole/angle', strategy: 'retrain' }] },
    { when: [{ if: { strategy: 'tsf' }, set: { 'correct.steps': 3 } }] },
    { tunedOn: { from: 7, count: 2 }, limits: { wall: '30m', memoryMb: 700 }, acceptance: 'report' },
    { seeds: '1..5', tunedOn: ['7..9', 11] },
    { limits: { wall: 90 }, seeds: [3, 1], engine: 'reference', correctionSeeds: 2 },
    { scenarios: { 'a/b': { environment: 'CartPole-v1', rules: [{ where: { x: [0, Infinity] }, forbid: ['left'] }] } } },
  ])('accepts what the parser accepts: %j', (change) => {
    expect([parseSweep({ ...minimal, ...change }).ok, accepts({ ...minimal, ...change })]).toEqual([true, true]);
  });

  it.each<object>([
    { axes: { ...minimal.axes, 'ppo.gama': [0.5] } },
    { axes: { ...minimal.axes, 'ppo.gamma': [2] } },
    { axes: { ...minimal.axes, 'correct.steps': 1 } },
    { axes: { ...minimal.axes, strategy: ['tfs'] } },
    { correct: { steps: '100_000' } },
    { zip: [{ 'correct.steps': 3 }] },
    { exclude: [{ strategy: 'tfs' }] },
    { include: [{ strategy: 'tsf' }] },
    { when: [{ if: { strategy: 'tsf' } }] },
    { limits: { wall: '30 min' } },
    { scenarios: { a: { environment: 'CartPole-v1', rules: [{ where: { x: [0, '1'] }, forbid: ['left'] }] } } },
    { scenarios: { a: { environment: 'CartPole-v1', rules: [{ where: { y: [0, 1] }, forbid: ['left'] }] } } },
    { sedes: 3 },
    { seeds: '1-5' },
    { seeds: ['x'] },
    { version: 2 },
  ])('refuses what the parser refuses: %j', (change) => {
    expect([parseSweep({ ...minimal, ...change }).ok, accepts({ ...minimal, ...change })]).toEqual([false, false]);
  });
});
