import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { digestsOf } from './digests.ts';
import { env } from './npm.ts';

const run = promisify(execFile);
const NPM10 = ['npx', '-y', '-p', 'npm@10.9.4', '--'];
/** npm of Node 20, and the one that is installed. The registry is needed: this is how a stranger comes by the program. */
const NPMS = [['npm 10', [...NPM10, 'npm'], [...NPM10, 'npx']] as const, ['npm', ['npm'], ['npx']] as const];
const TINY = `version: 1
name: tiny
seeds: 1
acceptance: report
ppo: { totalTimesteps: 20000, numEnvs: 8 }
axes: { scenario: [cartpole/angle], strategy: [none, tsf] }
`;

const fresh = (): string => mkdtempSync(join(tmpdir(), 'spc pack '));

describe('the file of npm pack', { timeout: 600_000 }, () => {
  let tarball: string;
  beforeAll(() => {
    const folder = fresh();
    execFileSync('npm', ['pack', '--silent', '--pack-destination', folder], { env, stdio: ['ignore', 'ignore', 'inherit'] });
    tarball = join(folder, readdirSync(folder)[0] ?? '');
  });

  it('has the build of these sources, sweeps and documents, and no sources, tests or secrets', () => {
    const names = execFileSync('tar', ['tzf', tarball], { encoding: 'utf8' }).trim().split('\n');
    const compiled = Object.keys(digestsOf('dist')).map((name) => `package/dist/${name}`);
    const documents = ['README.md', 'LICENSE', 'NOTICE', 'docs/slurm.md', 'sweeps/quick.yaml', 'results/reference/cartpole/trials.jsonl'];
    expect(names).toEqual(expect.arrayContaining([...compiled, ...documents.map((name) => `package/${name}`)]));
    const folders = new Set(names.map((name) => name.split('/')[1]));
    expect([...folders].sort()).toEqual(
      ['ARCHITECTURE.md', 'LICENSE', 'NOTICE', 'README.md', 'bin', 'dist', 'docs', 'package.json', 'results', 'sweeps', 'tools'].sort(),
    );
  });

  describe.each(NPMS)('under %s', (_, npm, npx) => {
    const call = (cwd: string, [file = '', ...first]: readonly string[], ...args: string[]) =>
      run(file, [...first, ...args], { cwd, env, maxBuffer: 1 << 26 });

    it('installs into an empty folder and trains, corrects and prints its table there, without a build', async () => {
      const folder = fresh();
      await call(folder, npm, 'install', '-g', '--prefix', folder, '--no-audit', '--no-fund', tarball);
      const spc = [join(folder, 'bin', 'spc')];
      const home = join(folder, 'lib', 'node_modules', 'safe-policy-correction');
      expect([existsSync(join(home, 'src')), existsSync(join(home, 'node_modules', '@tensorflow'))]).toEqual([false, false]);
      const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
      expect(await call(folder, spc, '--version')).toEqual({ stdout: `${version}\n`, stderr: '' });

      writeFileSync(join(folder, 'tiny.yaml'), TINY);
      const { stdout } = await call(folder, spc, 'run', 'tiny.yaml');
      expect(stdout).toContain('RSI');
      expect((await call(folder, spc, 'table', join(home, 'results/reference/worlds'))).stdout).toContain('lunarlander/descent');
      const there = join(home, 'sweeps', 'quick.yaml');
      await expect(call(folder, spc, 'plan', 'sweeps/quick.yaml')).rejects.toThrow(
        `sweeps/quick.yaml: expected a sweep file, got nothing; did you mean ${there}?`,
      );
      expect((await call(folder, spc, 'plan', there)).stdout).toMatch(/^quick/);
      expect((await call(folder, spc, '--help')).stdout).toContain(home);
      await expect(call(folder, spc, 'run', 'tiny.yaml', 'engine=tfjs-cpu', '--results', 'other')).rejects.toThrow(
        'engine tfjs-cpu: expected the package @tensorflow/tfjs, found none; npm install -g @tensorflow/tfjs@4.22.0 brings it',
      );
    });

    it('is run by npx', async () => {
      const { stdout } = await call(fresh(), npx, '-y', '-p', tarball, '--', 'spc', 'schema');
      expect(JSON.parse(stdout)).toHaveProperty('properties.axes');
    });
  });
});
