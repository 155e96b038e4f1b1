import { execFileSync } from 'node:child_process';
import { existsSync, linkSync, lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Binding, findBinding } from '../../src/worker/tfjs/find.ts';
import { installed } from '../math/engines.ts';
import { native, type Outcome } from './native.ts';

const project = fileURLToPath(new URL('../..', import.meta.url));

/** What `npm run tfjs:native` compiled, or why there is nothing to test with: said aloud, and an error under SPC_REQUIRE_TFJS. */
function compiled(): Binding | string {
  const engine = installed('tfjs');
  const found = typeof engine === 'string' ? engine : findBinding();
  return typeof found === 'string' || found.locked ? found : 'the binding is the published one';
}
const binding = compiled();
if (typeof binding === 'string') process.stderr.write(`not tested: npm run tfjs:native with real libraries: ${binding}\n`);

describe.skipIf(typeof binding === 'string')('npm run tfjs:native, with real libraries', () => {
  const { library } = binding as Binding;
  let root: string;
  let folder: string;
  const at = (...parts: string[]): string => join(folder, ...parts);
  const run = (killAt?: string): Promise<Outcome> => native(['--root', root], { XDG_CACHE_HOME: join(root, 'cache') }, killAt);
  /** Hidden files that a run that was not killed removes. */
  const scratches = (parent: string): string[] => (existsSync(parent) ? readdirSync(parent).filter((name) => name.startsWith('.')) : []);

  /** Links beside the project's node_modules: a file is changed by removing it first. The library is laid down as the regular install has it. */
  beforeEach(() => {
    root = mkdtempSync(join(project, 'node_modules', '.spc-test-'));
    execFileSync('cp', ['-al', join(project, 'node_modules', '@tensorflow'), join(root, 'tensorflow')]);
    execFileSync('mkdir', ['-p', join(root, 'node_modules')]);
    execFileSync('mv', [join(root, 'tensorflow'), join(root, 'node_modules', '@tensorflow')]);
    folder = join(root, 'node_modules', '@tensorflow', 'tfjs-node');
    rmSync(at('lib'), { recursive: true });
    for (const name of readdirSync(at('deps', 'lib')))
      if (lstatSync(at('deps', 'lib', name)).isSymbolicLink()) rmSync(at('deps', 'lib', name));
    linkSync(at('deps', 'lib', 'libtensorflow_cc.so.2'), at('deps', 'lib', `libtensorflow.so.${library}`));
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  it('compiles with the library of the regular install, keeps it, and does nothing the second time', async () => {
    const first = await run();
    expect(first).toMatchObject({ code: 0, err: '' });
    expect(first.out).toMatch(
      new RegExp(`uses TensorFlow ${library}, which the regular install brought.*built in \\d+ s: TensorFlow ${library}`, 's'),
    );
    expect(findBinding(folder)).toEqual(binding);
    expect((await run()).out).toBe(`tfjs:native: there already, and works: TensorFlow ${library}, with the lock\n`);

    rmSync(at('lib'), { recursive: true }); // as after npm ci
    expect((await run()).out).toMatch(/installed without its binding\n.*taken from the cache in/);

    const [entry] = readdirSync(join(root, 'cache', 'safe-policy-correction', 'tfjs-native'));
    const kept = join(root, 'cache', 'safe-policy-correction', 'tfjs-native', entry!, 'lib', 'napi-v8', 'tfjs_binding.node');
    const other = readFileSync(kept);
    rmSync(kept);
    writeFileSync(kept, other.fill(0, 4096, 8192));
    rmSync(at('lib'), { recursive: true });
    expect((await run()).out).toMatch(/is not what was put there; it is built anew.*built in/s);
    expect(findBinding(folder)).toEqual(binding);
  });

  it('does not believe a note that names another library', async () => {
    await run();
    rmSync(at('lib', 'napi-v8', 'spc.json'));
    writeFileSync(at('lib', 'napi-v8', 'spc.json'), '{"library":"1.15.0"}');
    const { code, out } = await run();
    expect(out).toMatch(`(its note says TensorFlow 1.15.0, it is ${library})`);
    expect([code, findBinding(folder).library]).toEqual([0, library]);
  });

  it('killed while it compiles, it leaves nothing that looks finished, and the next run finishes', async () => {
    expect((await run('compiles the binding')).code).toBe(null);
    expect(existsSync(at('lib'))).toBe(false);
    const cache = join(root, 'cache', 'safe-policy-correction', 'tfjs-native');
    expect(readdirSync(cache)).toEqual(scratches(cache));
    expect((await run()).code).toBe(0);
    expect(findBinding(folder)).toEqual(binding);
    expect(scratches(join(folder, '..'))).toEqual([]);
  });
});

describe.skipIf(typeof binding === 'string')('npm run tfjs:race', () => {
  const race = (...args: string[]): string =>
    execFileSync(process.execPath, [join(project, 'tools', 'tfjs-race.mjs'), ...args], { encoding: 'utf8' });

  it('sees no crash with the lock, of threads that train and of threads with new names', () => {
    expect(race('--runs', '10')).toMatch(/with the lock, 2 threads with new names: 0 of 10 processes crashed/);
    expect(race('--runs', '5', '--training')).toMatch(/with the lock, 2 threads that train: 0 of 5 processes crashed/);
  });

  it('sees crashes without it: about every third process is one, so 100 of them are asked at most', () => {
    for (let i = 0; i < 5; i++) if (!/: 0 of 20 /.test(race('--runs', '20', '--unlocked'))) return;
    expect.unreachable('100 processes without the lock, and none crashed: does the stress still reach the set of names?');
  });
});
