import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Left, scratch, start } from './spc.ts';

/** The compiled project beside everything that is installed but TensorFlow, whether that is there or not. */
function withoutTensorFlow(): string {
  const root = mkdtempSync(join(tmpdir(), 'spc-bare-'));
  for (const name of ['dist', 'package.json']) cpSync(name, join(root, name), { recursive: true });
  mkdirSync(join(root, 'node_modules'));
  for (const name of readdirSync('node_modules'))
    if (name !== '@tensorflow') symlinkSync(resolve('node_modules', name), join(root, 'node_modules', name));
  return join(root, 'dist/cli/cli.js');
}

describe('a sweep whose engine is not installed', () => {
  let cli: string;
  beforeAll(() => {
    cli = withoutTensorFlow();
  });
  const bare = (...args: string[]): Promise<Left> => start(args, { shell: `"$1" ${cli} "\${@:3}"` }).done;
  const sweep = scratch({ more: '  engine: [wasm, tfjs]\n' });

  it('is planned', async () => {
    const left = await bare('plan', sweep.file, '--results', sweep.results);
    expect([left.code, left.stderr, left.stdout.split('\n')[0]]).toEqual([0, '', 'quick (engines wasm, tfjs)']);
  });

  it.each(['tfjs', 'tfjs-cpu'])(
    'is not run: spc run engine=wasm,%s says what is missing before it writes anything; exit code 1',
    async (engine) => {
      const left = await bare(...sweep.run, `engine=wasm,${engine}`);
      const what = engine === 'tfjs' ? '@tensorflow/tfjs-node' : '@tensorflow/tfjs';
      expect([left.code, left.stdout, left.stderr]).toEqual([
        1,
        '',
        expect.stringContaining(`engine ${engine}: expected the package ${what}, found none; `),
      ]);
      expect(existsSync(sweep.results)).toBe(false);
    },
  );

  it('is explained: spc why says why run would stop', async () => {
    const left = await bare('why', sweep.file, 'strategy=tsf,seed=1,engine=tfjs', '--results', sweep.results);
    expect([left.code, left.stdout.replaceAll('\n', ' ')]).toEqual([
      0,
      expect.stringContaining('run would stop here: engine tfjs: expected the package'),
    ]);
  });
});
