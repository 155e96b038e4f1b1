import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
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
import { decodeTensors, encodeTensors } from '../../src/math/safetensors.ts';
import { initialParams } from '../../src/ppo/init.ts';
import { encodePolicy, type Policy } from '../../src/ppo/policy.ts';
import { inProcess } from './inprocess.ts';
import { type Left, spc as startSpc } from './spc.ts';

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
    ['a key twice', text.replace('"dtype"', '"digest": "x",\n  "dtype"'), /^expected each key once, got "digest" twice$/],
    [
      'a key twice, deep inside',
      text.replace('"trunk.0.b"', '"trunk.0.b": [], "trunk.0.b"'),
      /^expected each key once, got "trunk\.0\.b" twice$/,
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
    [
      [stored(digests[0]), '--to', 'json', '--out', at('none', 'a.json')],
      /^--out: expected a file in a folder that is there, got \S+; make \S+none first\n$/,
    ],
    [[stored(digests[0]), '--to', 'json', '--out', root], /^--out: expected a new file, got \S+, a folder; name a file in it\n$/],
    [[stored(digests[0]), '--to', 'json', '--out', at('new/')], /^--out: expected a file, got \S+, which can only be a folder/],
    [[stored(digests[0]), '--to', 'json', '--out', ''], /^--out: expected a value \(the file or pipe to write.*\), got nothing/],
    [
      [stored(digests[0]), '--to', 'json', '--out', join(stored(digests[0]), 'a.json')],
      /^--out: expected a file in a folder, got \S+, where \S+ is a safetensors file\n$/,
    ],
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
    ['text.safetensors', 'hello', /: expected a policy, as safetensors or JSON written by spc, got text\n$/],
    ['empty.safetensors', '', /: expected a policy, .* got an empty file\n$/],
    [
      'policy.zip',
      'PK\x03\x04\x14\0\0\0\0\0'.padEnd(26, '\0').concat('\x0a\0\0\0policy.pth'),
      / got a zip archive with a model of Stable-Baselines3 in it; spc reads no files of other programs yet; /,
    ],
    ['sweep.yaml', 'version: 1\nname: x\n', / got a sweep file; spc run trains the policies of a sweep, into its results folder\n$/],
    ['rows.json', '{"id":1}', /: format: expected "spc-policy-json-1", got nothing\n$/],
    [
      'others.safetensors',
      encodeTensors({ w: { shape: [1], data: Float32Array.of(1) } }, {}),
      /: policy: expected format spc-policy-1, got none: a valid safetensors file, of another program \(1 tensors: w\)\n$/,
    ],
    [
      'half.safetensors',
      encodeTensors({}, { format: 'spc-policy-1', shape: JSON.stringify(shape) }),
      /: policy: expected tensor trunk\.0\.W of shape \[4,8\], got none\n$/,
    ],
    ['half.json', '{"format":', /: expected JSON \(/],
  ])('says of %s which file it is and what is wrong', async (name, content, message) => {
    writeFileSync(at(name), content);
    const left = await spc(at(name), '--to', 'json', '--out', at('never.json'));
    expect([left.code, left.stderr.startsWith(at(name))]).toEqual([2, true]);
    expect(left.stderr).toMatch(message);
    expect(existsSync(at('never.json'))).toBe(false);
  });

  it('says of a folder, a results folder and of nothing what they are', async () => {
    const said = async (path: string): Promise<string> => (await spc(path, '--to', 'json')).stderr.replaceAll(root, '');
    expect(await said(at('results', 'policies'))).toBe(
      '/results/policies: expected a policy, as safetensors or JSON written by spc, got a folder; name a file in it\n',
    );
    expect(await said(at('results'))).toMatch(/ got a results folder; spc export DIGEST --results \/results takes a policy of it\n$/);
    expect(await said(at('no.safetensors'))).toMatch(
      /^policy: expected a file or the beginning of a digest, got "\S+, where there is nothing\n$/,
    );
  });

  it('reads a policy whatever its name, and says which tensors it leaves out', async () => {
    writeFileSync(at('policy'), printPolicyJson(trained));
    expect((await spc(at('policy'), '--to', 'json')).stdout).toBe(printPolicyJson(trained));
    const { tensors, metadata } = decodeTensors(one);
    writeFileSync(at('more.json'), encodeTensors({ ...tensors, step: { shape: [1], data: Int32Array.of(7) } }, metadata));
    const more = await spc(at('more.json'), '--to', 'json');
    expect([more.code, more.stdout, more.stderr.replace(root, '')]).toEqual([
      0,
      printPolicyJson(trained),
      '/more.json: left out what is no part of a policy: step\n',
    ]);
  });

  it('refuses a file that is larger than any policy before it reads it', async () => {
    for (const [name, content, message] of [
      ['huge.safetensors', one, 'expected at most 1 GiB of a safetensors file, got 10 GiB'],
      ['huge.json', `{"a":${' '.repeat(70_000)}`, 'expected at most 511 MiB of JSON, got 10 GiB'],
    ] as const) {
      writeFileSync(at(name), content);
      truncateSync(at(name), 10 * 2 ** 30); // takes no room
      const left = await spc(at(name), '--to', 'json');
      expect([left.code, left.stderr]).toEqual([2, `${at(name)}: ${message}\n`]);
      rmSync(at(name));
    }
  });
});

describe.concurrent('spc export with pipes and devices', () => {
  const wide = { ...shape, hidden: [96, 96] };
  const large = { shape: wide, params: new Float32Array(size(wide)).fill(1 / 3) };
  /** A line of bash, in which "$@" is `spc export`; it finds a policy, and pipes without anybody at the other end. */
  const bash = (shell: string): Promise<Left> => {
    const root = mkdtempSync(join(tmpdir(), 'spc-'));
    writeFileSync(join(root, 'policy.safetensors'), one);
    writeFileSync(join(root, 'policy.json'), printPolicyJson(trained));
    writeFileSync(join(root, 'large.safetensors'), encodePolicy(large)); // as JSON more than a pipe holds
    execFileSync('mkfifo', [join(root, 'in'), join(root, 'out')]);
    return startSpc(['export'], { jobs: 'real', cwd: root, shell });
  };
  const [json, digest] = [printPolicyJson(trained), contentDigest(one)];

  it('puts bytes that are no text into no terminal', async () => {
    const shell = `SHELL=/bin/bash script -qec "$(printf '%q ' "$@") policy.json --to safetensors; echo code \\$?" /dev/null < /dev/null`;
    const { stdout } = await bash(shell);
    expect(stdout.replaceAll(/\s+/g, ' ')).toBe(
      '--out: expected a file or a pipe for bytes that are no text, got a terminal; name a file code 2 ',
    );
  });

  it.each([
    'cat policy.safetensors | "$@" - --to json',
    'cat policy.safetensors | "$@" /dev/stdin --to json',
    '"$@" - --to json < policy.safetensors',
    '"$@" <(cat policy.safetensors) --to json',
    '"$@" <(cat policy.json) --to json --out - | cat',
    'cat policy.safetensors > in & "$@" in --to json',
    '(exec 5> in; head -c 99 policy.safetensors >&5; sleep 0.5; tail -c +100 policy.safetensors >&5) & "$@" in --to json', // a slow one
    '"$@" policy.safetensors --to json --out /dev/stdout > file; cat file', // a file that is there, for the shell made it
  ])('%s', async (shell) => {
    expect(await bash(shell)).toEqual({ code: 0, signal: null, stdout: json, stderr: '' });
  });

  it.each([
    ['"$@" policy.json --to safetensors --out /dev/stdout | sha256sum', ''],
    ['"$@" policy.json --to safetensors --out - | sha256sum', ''],
    ['"$@" policy.json --to safetensors | sha256sum', ''],
    ['(sleep 0.3; sha256sum < out) & "$@" policy.json --to safetensors --out out >&2; wait', `${digest}  out\n`],
    ['"$@" policy.json --to safetensors --out /dev/fd/3 3> new >&2; sha256sum < new', `${digest}  /dev/fd/3\n`],
  ])('%s gives the bytes of the stored file, and nothing else there', async (shell, stderr) => {
    expect(await bash(shell)).toEqual({ code: 0, signal: null, stdout: `${digest}  -\n`, stderr });
  });

  it.each([
    [
      '"$@" policy.json --to json --out /dev/full',
      1,
      '/dev/full: could not be written (ENOSPC); the disk is full: make room, and the same command goes on\n',
    ],
    [
      '(head -c 1; sleep 1) < out > /dev/null & "$@" large.safetensors --to json --out out',
      1,
      'out: could not be written (EPIPE); its reader went away\n',
    ],
    [
      '"$@" /dev/zero --to json',
      2,
      '/dev/zero: expected a policy, as safetensors or JSON written by spc, got zero bytes and nothing else\n',
    ],
    ['"$@" /dev/null --to json', 2, '/dev/null: expected a policy, as safetensors or JSON written by spc, got nothing: it ended at once\n'],
    ['yes | "$@" - --to json', 2, 'stdin: expected a policy, as safetensors or JSON written by spc, got text\n'],
    ['"$@" /dev/fd/99 --to json', 1, '/dev/fd/99: could not be read (EBADF)\n'],
  ])('%s ends with code %i and says why', async (shell, code, stderr) => {
    expect(await bash(shell)).toEqual({ code, signal: null, stdout: '', stderr });
  });

  it('waits for the other end of a pipe, says so, and not for ever', async ({ expect }) => {
    const [reading, writing] = await Promise.all([bash('"$@" in --to json'), bash('"$@" policy.json --to json --out out')]);
    expect([reading.code, reading.stderr]).toEqual([
      2,
      'in: a pipe; waiting for somebody to write to it\nin: expected something to read, got a pipe that nobody wrote to within 10 s; start its writer first, as in: cat FILE > in &\n',
    ]);
    expect([writing.code, writing.stderr]).toEqual([
      1,
      'out: a pipe; waiting for somebody to read it\nout: could not be written: a pipe that nobody opened to read within 10 s; start its reader first\n',
    ]);
  });
});
