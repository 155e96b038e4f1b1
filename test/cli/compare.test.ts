import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import yargs from 'yargs';
import { compareCommand } from '../../src/cli/compare.ts';
import { ConfigError } from '../../src/contract/errors.ts';
import { inProcess } from './inprocess.ts';
import { scratch } from './spc.ts';

describe('spc compare SWEEP --axis AXIS', () => {
  const sweep = scratch({ strategies: 'none, tsf', more: '  engine: [reference, wasm]\n' });
  let outcome: ReturnType<typeof sweep.outcome>;
  beforeAll(async () => {
    await inProcess(sweep.run);
    outcome = sweep.outcome();
  });
  afterEach(() => {
    vi.restoreAllMocks();
    process.exitCode = undefined;
  });
  const compare = async (...args: string[]): Promise<{ stdout: string; stderr: string }> => {
    const said = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const)
      vi.spyOn(process[name], 'write').mockImplementation((text) => {
        said[name] += text;
        return true;
      });
    await yargs(['compare', ...args])
      .command(compareCommand)
      .strict()
      .exitProcess(false)
      .fail(false)
      .parseAsync();
    return said;
  };

  it('prints both side by side for each strategy, in 80 columns, and writes nothing; exit code 0', async () => {
    const { stdout } = await compare(sweep.folder, '--axis', 'engine', '--to', 'wasm');
    expect(stdout).toContain('quick: along engine, compared to wasm; 12 of 12 trials finished, 0 failed\n\ncartpole/angle none\n');
    expect(stdout).toMatch(/^cartpole\/angle tsf\n +reference +wasm\nseeds +3\/3 +3\/3\nfailed +0 +0\nbase return +\d/m);
    expect(stdout).toMatch(/^minus wasm +reference\npairs +3\n/m);
    expect(stdout).toMatch(/^episodes part at +never$/m);
    expect(stdout).toContain('Those of reference are float64');
    expect(Math.max(...stdout.split('\n').map((line) => [...line].length))).toBeLessThanOrEqual(80);
    expect([process.exitCode, sweep.outcome()]).toEqual([undefined, outcome]);
  });

  it('--json is one object, and takes a filter and quantities', async () => {
    const args = ['--axis', 'engine', '--where', 'strategy=tsf,seed=1..2', '--metric', 'rsi, fe', '--json'];
    const json = JSON.parse((await compare('quick', '--results', sweep.results, ...args)).stdout) as object;
    expect(json).toMatchObject({
      ...{ version: 1, sweep: 'quick', where: 'strategy=tsf,seed=1..2', axis: 'engine', values: ['reference', 'wasm'], to: 'reference' },
      trials: { asked: 4, ok: 4, failed: 0 },
      combinations: [
        { strategy: 'tsf', quantities: ['baseReturn', 'rsi', 'fe'], sides: [{ value: 'reference' }, { value: 'wasm', pairs: 2 }] },
      ],
    });
  });

  it('says what there is when nothing is selected; exit code 5', async () => {
    const { stdout, stderr } = await compare(sweep.folder, '--axis', 'engine', '--where', 'engine=tfjs');
    expect([process.exitCode, stdout]).toEqual([5, '']);
    expect(stderr).toContain('engine=tfjs: no row meets it; engine is reference, wasm');
  });

  it('exits with 1 while trials are missing', async () => {
    const half = scratch({ seeds: 1, strategies: 'none', more: '  engine: [reference, wasm]\n' });
    await inProcess([...half.run, 'engine=wasm']);
    const { file, folder } = half;
    copyFileSync(file, join(folder, 'sweep.yaml'));
    expect((await compare(folder, '--axis', 'engine')).stdout).toMatch(/^seeds +0\/1¹ +1\/1$/m);
    expect(process.exitCode).toBe(1);
  });

  it.each([
    [['--axis', 'seed'], '--axis: expected an axis of this sweep with several values, got seed; there are: strategy, engine'],
    [['--axis', 'engine', '--to', 'tfjs'], '--to: expected a value of the axis, got tfjs; there are: reference, wasm'],
    [['--axis', 'engine', '--metric', 'f'], '--metric: expected the key of a metric, got f; '],
  ])('refuses %j', async (args, message) => {
    const made = compare(sweep.folder, ...args);
    await expect(made).rejects.toThrow(ConfigError);
    await expect(made).rejects.toThrow(message);
  });
});
