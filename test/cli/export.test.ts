import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parsePolicyJson, printPolicyJson } from '../../src/cli/export.ts';
import { contentDigest } from '../../src/contract/ids.ts';
import type { Shape } from '../../src/math/engine.ts';
import { makeEngine } from '../../src/math/engines/index.ts';
import { size } from '../../src/math/layout.ts';
import { Stream } from '../../src/math/rng/threefry.ts';
import { initialParams } from '../../src/ppo/init.ts';
import { encodePolicy, type Policy } from '../../src/ppo/policy.ts';
import { inProcess } from './inprocess.ts';

const shape: Shape = { obsDim: 4, hidden: [8, 6], actions: 2, gaussian: false, separate: false };
const trained: Policy = { shape, params: Float32Array.from(initialParams(shape, { orthogonalInit: true }, new Stream(1, 2))) };
const [one, other] = [trained, { shape, params: trained.params.map((w) => w / 3) }].map(encodePolicy) as [Uint8Array, Uint8Array];
const bits = (x: Float32Array | Float64Array): Uint8Array => new Uint8Array(x.buffer, x.byteOffset, x.byteLength);

describe('printPolicyJson(policy)', () => {
  const shapes = fc.record({
    obsDim: fc.integer({ min: 1, max: 5 }),
    hidden: fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 3 }),
    actions: fc.integer({ min: 1, max: 3 }),
    gaussian: fc.boolean(),
    separate: fc.boolean(),
  });
  const finite = { noNaN: true, noDefaultInfinity: true };
  const nasty = fc.constantFrom(-0, 0, 2 ** -149, -(2 ** -149), 2 ** -126, 3.4028234663852886e38, 0.1, 1 / 3);
  const policies = shapes.chain((its) =>
    fc.boolean().chain((double) =>
      fc.array(fc.oneof(nasty, double ? fc.double(finite) : fc.float(finite)), { minLength: size(its), maxLength: size(its) }).map(
        (w): Policy => ({
          shape: its,
          params: double ? Float64Array.from(w) : Float32Array.from(w),
        }),
      ),
    ),
  );

  it('is read back by parsePolicyJson bit for bit, -0 and denormals included, and makes the same file', () => {
    fc.assert(
      fc.property(policies, (policy) => {
        const back = parsePolicyJson(printPolicyJson(policy));
        expect(back.shape).toEqual(policy.shape);
        expect(back.params.constructor).toBe(policy.params.constructor);
        expect(bits(back.params)).toEqual(bits(policy.params));
        expect(contentDigest(encodePolicy(back))).toBe(contentDigest(encodePolicy(policy)));
      }),
      { numRuns: 300 },
    );
  });

  it('gives the same logits and values after the way there and back', () => {
    const obs = Float32Array.from({ length: 4 * 32 }, (_, i) => Math.fround(((i * 37) % 64) / 16 - 2));
    const outputs = [trained, parsePolicyJson(printPolicyJson(trained))].map((policy) => {
      const network = makeEngine('wasm').network(shape, 32);
      network.set(policy.params);
      const { logits, value } = network.forward(obs, 32);
      return [Array.from(logits), Array.from(value)];
    });
    expect(outputs[1]).toEqual(outputs[0]);
  });

  it('is what the format says: named arrays, W by rows of inputs', () => {
    const json = JSON.parse(printPolicyJson(trained));
    expect(Object.keys(json)).toEqual(['format', 'digest', 'dtype', 'shape', 'weights']);
    expect([json.format, json.dtype, json.digest]).toEqual(['spc-policy-json-1', 'F32', contentDigest(one)]);
    const weights = ['trunk.0.W', 'trunk.0.b', 'trunk.1.W', 'trunk.1.b', 'policyHead.W', 'policyHead.b', 'valueHead.W', 'valueHead.b'];
    expect(Object.keys(json.weights)).toEqual(weights);
    expect(json.weights['trunk.0.W'].map((row: number[]) => row.length)).toEqual([8, 8, 8, 8]);
    expect(json.weights['trunk.0.W'][1][2]).toBe(trained.params[10]);
  });
});

describe('parsePolicyJson(text) refuses', () => {
  const text = printPolicyJson(trained);
  const edit = (change: (json: Record<string, unknown> & { weights: Record<string, unknown> }) => void): string => {
    const json = JSON.parse(text);
    change(json);
    return JSON.stringify(json);
  };
  it.each<[string, string, RegExp]>([
    ['half a file', text.slice(0, 500), /^expected JSON \(/],
    ['a list', '[]', /^expected a JSON object, got \[\]$/],
    ['another format', edit((j) => Object.assign(j, { format: 'x' })), /^format: expected "spc-policy-json-1", got "x"$/],
    ['a type of number it does not know', edit((j) => Object.assign(j, { dtype: 'F16' })), /^dtype: expected F32 or F64, got "F16"$/],
    ['no shape', edit((j) => Object.assign(j, { shape: { obsDim: 4 } })), /^policy: expected a network's shape, got \{"obsDim":4\}$/],
    ['no weights', edit((j) => Object.assign(j, { weights: 3 })), /^weights: expected arrays trunk\.0\.W, .*, got 3$/],
    ['an array too few', edit((j) => delete j.weights['trunk.1.b']), /^weights\.trunk\.1\.b: expected 6 entries, got nothing$/],
    ['an array too many', edit((j) => Object.assign(j.weights, { extra: [] })), /^weights: expected no others than .*, got "extra"$/],
    [
      'a short row',
      edit((j) => (j.weights['trunk.0.W'] as number[][])[2]!.pop()),
      /^weights\.trunk\.0\.W\[2\]: expected 8 entries, got 7$/,
    ],
    [
      'NaN, which is null in JSON',
      edit((j) => Object.assign(j.weights['trunk.0.b'] as [], { 3: Number.NaN })),
      /^weights\.trunk\.0\.b\[3\]: expected a finite float32, got null$/,
    ],
    [
      'infinity',
      text.replace(/"trunk\.0\.b": \[[^,]*/, '"trunk.0.b": [1e999'),
      /^weights\.trunk\.0\.b\[0\]: expected a finite float32, got \.inf$/,
    ],
    [
      'more than a float32 holds',
      text.replace(/"trunk\.0\.b": \[[^,]*/, '"trunk.0.b": [1e39'),
      /^weights\.trunk\.0\.b\[0\]: expected a finite float32, got 1e\+39$/,
    ],
    [
      'altered weights',
      text.replace(/"trunk\.0\.b": \[[^,]*/, '"trunk.0.b": [1'),
      /^weights: expected those of SHA-256 "[0-9a-f]{40,}…?, got [0-9a-f]{64}; they were altered/,
    ],
  ])('%s', (_what, given, message) => {
    expect(() => parsePolicyJson(given)).toThrow(RangeError);
    expect(() => parsePolicyJson(given)).toThrow(message);
  });

  it('nothing that was altered on purpose, without a digest', () => {
    const altered = edit((j) => {
      delete j['digest'];
      Object.assign(j.weights['trunk.0.b'] as [], { 0: 0.1 });
    });
    expect(parsePolicyJson(altered).params[32]).toBe(Math.fround(0.1));
  });
});

describe('spc export POLICY --to FORMAT', () => {
  const root = mkdtempSync(join(tmpdir(), 'spc-'));
  const at = (...names: string[]): string => join(root, ...names);
  mkdirSync(at('results', 'policies'), { recursive: true });
  writeFileSync(at('results', 'sweep.yaml'), '');
  const digests = [one, other].map(contentDigest) as [string, string];
  const stored = (digest: string): string => at('results', 'policies', `${digest}.safetensors`);
  writeFileSync(stored(digests[0]), one);
  writeFileSync(stored(digests[1]), other);
  const spc = (...args: string[]) => inProcess(['export', ...args]);

  it('writes JSON of a stored policy, by a prefix of its digest or by its path, and from it the same file again', async () => {
    const [json, back] = [at('a.json'), at('a.safetensors')];
    const there = await spc(digests[0].slice(0, 6), '--results', at('results'), '--to', 'json', '--out', json);
    expect([there.code, there.stderr, there.stdout]).toEqual([0, '', `${digests[0]}  ${json}\n`]);
    expect((await spc(json, '--to', 'safetensors', '--out', back)).stdout).toBe(`${digests[0]}  ${back}\n`);
    expect(new Uint8Array(readFileSync(back))).toEqual(one);
    expect((await spc(stored(digests[0]), '--to', 'json', '--out', json)).code).toBe(0); // what is there is the same
    expect(readFileSync(json, 'utf8')).toBe(printPolicyJson(trained));
  });

  it.each<[string[], RegExp]>([
    [[at('a.json'), '--to', 'jsn'], /^--to: expected json or safetensors, got "jsn"; did you mean json\?\n$/],
    [['a.b', '--to', 'json'], /^policy: expected a file or the beginning of a digest, got "a\.b", where there is nothing\n$/],
    [['abcd', '--to', 'json'], /^policy: expected --results with a digest, got abcd alone; name the results folder it is in\n$/],
    [
      ['0123456789', '--results', at('results'), '--to', 'json'],
      /^policy: expected the beginning of one of 2 digests in \S+, got 0123456789\n$/,
    ],
    [['', '--results', at('results'), '--to', 'json'], /^spc export: expected <policy> \(.*\), got an empty text\n$/],
    [['abcd', '--results', at('none'), '--to', 'json'], /^results: expected a results folder/],
    [[stored(digests[0]), '--to', 'safetensors'], /^--out: expected a file for safetensors, got none/],
    [
      [stored(digests[0]), '--to', 'json', '--out', stored(digests[0])],
      /^--out: expected a new file, got \S+, which is there and another; remove it, or choose another name\n$/,
    ],
    [[stored(digests[0])], /to\b/],
  ])('refuses %j', async (args, message) => {
    const left = await spc(...args);
    expect([left.code, left.stdout]).toEqual([2, '']);
    expect(left.stderr).toMatch(message);
  });

  it('refuses a prefix of several digests, and shows them', async () => {
    const twin = `${digests[0].slice(0, 10)}${'0'.repeat(54)}`;
    writeFileSync(stored(twin), one);
    const left = await spc(digests[0].slice(0, 10), '--results', at('results'), '--to', 'json');
    expect(left.code).toBe(2);
    expect(left.stderr).toMatch(
      /^policy: expected the beginning of one digest, got [0-9a-f]{10}, with which 2 begin: [0-9a-f]{18}, [0-9a-f]{18}; give more letters\n$/,
    );
    const altered = await spc(twin, '--results', at('results'), '--to', 'json');
    expect([altered.code, altered.stderr]).toEqual([1, expect.stringContaining(`expected SHA-256 ${twin}, got ${digests[0]}`)]);
    const named = await spc(stored(twin), '--to', 'json');
    expect([named.code, named.stderr]).toEqual([2, expect.stringContaining('expected the SHA-256 that is its name')]);
  });

  it.each<[string, Uint8Array | string, RegExp]>([
    [
      'nan.safetensors',
      encodePolicy({ shape, params: trained.params.map((w, i) => (i === 3 ? Number.NaN : w)) }),
      /: policy: expected finite weights, got NaN at trunk\.0\.W\[3\]\n$/,
    ],
    ['cut.safetensors', one.slice(0, -1), /: safetensors: expected \d+ bytes, got \d+; the file is truncated\n$/],
    ['text.safetensors', 'hello', /: safetensors: expected at least 8 bytes, got 5\n$/],
    ['half.json', '{"format":', /: expected JSON \(/],
  ])('says of %s which file it is and what is wrong', async (name, content, message) => {
    writeFileSync(at(name), content);
    const left = await spc(at(name), '--to', 'json', '--out', at('never.json'));
    expect([left.code, left.stderr.startsWith(at(name))]).toEqual([2, true]);
    expect(left.stderr).toMatch(message);
    expect(existsSync(at('never.json'))).toBe(false);
  });
});
