import { chmodSync, mkdirSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { native, type Outcome } from './native.ts';

describe('npm run tfjs:native', () => {
  it('refuses an option that it does not know', async () => {
    expect(await native(['--gpu'])).toMatchObject({ code: 2, err: expect.stringMatching(/^tfjs:native: Unknown option '--gpu'/) });
  });
});

/** On a machine that has nothing but what a test puts on its PATH, so that nothing is downloaded or compiled. */
describe.skipIf(`${process.platform} ${process.arch}` !== 'linux x64')('npm run tfjs:native, on a machine that lacks something', () => {
  let root: string;
  const put = (path: string, text: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  const program = (name: string, text: string): void => {
    put(`bin/${name}`, `#!/bin/sh\n${text}\n`);
    chmodSync(join(root, 'bin', name), 0o755);
  };
  const run = (): Promise<Outcome> => native(['--root', root], { PATH: join(root, 'bin'), XDG_CACHE_HOME: join(root, 'cache') });
  const binding = 'node_modules/@tensorflow/tfjs-node';
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'spc-native-'));
    mkdirSync(join(root, 'bin'));
  });

  it('names the compiler that is not there, and the road that is left', async () => {
    expect(await run()).toMatchObject({
      code: 3,
      out: 'tfjs:native: @tensorflow/tfjs-node is not installed\n',
      err: 'tfjs:native: expected g++, found none (spawn g++ ENOENT); install it; engine: tfjs-cpu goes without\n',
    });
  });

  it('names python3, and pip where python3 is there without it', async () => {
    program('g++', 'exit 0');
    const lacks = (why: string): string => `expected python3 with pip, found none (${why}); install it; engine: tfjs-cpu goes without\n`;
    expect(await run()).toMatchObject({ code: 3, err: `tfjs:native: ${lacks('spawn python3 ENOENT')}` });
    program('python3', 'echo "/usr/bin/python3: No module named pip" >&2; exit 1');
    expect(await run()).toMatchObject({ code: 3, err: `tfjs:native: ${lacks('/usr/bin/python3: No module named pip')}` });
  });

  it('says what npm said where the package cannot be had, and leaves nothing behind', async () => {
    program('g++', 'exit 0');
    program('python3', 'exit 0');
    program('npm', 'echo "npm error network request failed" >&2; exit 1');
    expect(await run()).toMatchObject({
      code: 3,
      err: 'tfjs:native: expected @tensorflow/tfjs-node 4.22.0 from npm, got "npm error network request failed"; engine: tfjs-cpu goes without\n',
    });
    expect(readdirSync(root).sort()).toEqual(['bin', 'node_modules']);
    expect(readdirSync(join(root, 'node_modules'))).toEqual([]);
  });

  it('says why an installed binding is not used', async () => {
    put(`${binding}/package.json`, '{"version":"4.22.0","main":"index.js"}');
    expect((await run()).out).toBe('tfjs:native: @tensorflow/tfjs-node is installed without its binding\n');
    put(`${binding}/lib/napi-v8/tfjs_binding.node`, '');
    put(`${binding}/index.js`, "throw new Error('libtensorflow.so.2: cannot open shared object file');");
    const { code, out } = await run();
    expect(code).toBe(3);
    expect(out).toMatch(/the binding of @tensorflow\/tfjs-node does not work \(Error: libtensorflow\.so\.2: cannot open/);
  });

  it('does not take what computes wrongly for a binding that works', async () => {
    put(`${binding}/package.json`, '{"version":"4.22.0","main":"index.js"}');
    put(`${binding}/lib/napi-v8/spc.json`, '{"library":"2.15.1"}');
    put(
      `${binding}/index.js`,
      `const t = { dataSync: () => [0, 0] };
       const any = () => t;
       module.exports = { tensor2d: any, matMul: any, variable: any, square: any, mean: any, getBackend: () => 'tensorflow',
         variableGrads: () => ({ grads: { w: t } }), train: { adam: () => ({ applyGradients() {} }) },
         backend: () => ({ binding: { TF_Version: '2.15.1' } }) };`,
    );
    const { code, out } = await run();
    expect(code).toBe(3);
    expect(out).toMatch(/does not work \(it computes wrongly: \{"product":\[0,0\]/);
  });
});
