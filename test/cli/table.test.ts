import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import yargs from 'yargs';
import { resultsFolder, tableCommand } from '../../src/cli/table.ts';
import { ConfigError } from '../../src/contract/errors.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'spc-table-'));
  for (const name of ['quick', 'paper']) {
    mkdirSync(join(root, name));
    writeFileSync(
      join(root, name, 'sweep.yaml'),
      `version: 1\nname: ${name}\nseeds: 2\naxes: { scenario: [cartpole/angle], strategy: [none, tsf] }\n`,
    );
  }
  mkdirSync(join(root, 'empty'));
});
afterEach(() => {
  rmSync(root, { recursive: true, force: true });
  vi.restoreAllMocks();
  process.exitCode = undefined;
});

describe('resultsFolder(…)', () => {
  it('takes a folder or the name of a sweep', () => {
    expect(resultsFolder('quick', root)).toBe(join(root, 'quick'));
    expect(resultsFolder(join(root, 'paper'), 'nowhere')).toBe(join(root, 'paper'));
  });

  it.each([
    ['quikc', 'got quikc; did you mean quick?'],
    ['results/quikc', 'got results/quikc; did you mean quick?'],
    ['something-else', 'got something-else; there are paper, quick'],
    ['', 'got nothing; there are paper, quick'],
  ])('says what exists instead of %j', (given, message) => {
    const call = () => resultsFolder(given, root);
    expect(call).toThrow(ConfigError);
    expect(call).toThrow(`results: expected a results folder or the name of a sweep under ${root}/, ${message}`);
  });

  it('tells which folder a sweep file, a file of a results folder, or a name without its folder means', () => {
    const file = join(root, 'q.yaml');
    writeFileSync(file, 'version: 1\nname: quick\nseeds: 1\naxes: {}\n');
    const said = (given: string): string => {
      try {
        return resultsFolder(given, root);
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(said(file)).toBe(`results: expected a results folder, got the sweep file ${file}; did you mean ${join(root, 'quick')}?`);
    expect(said(join(root, 'quick', 'sweep.yaml'))).toBe(
      `results: expected a results folder, got a file in one, ${join(root, 'quick', 'sweep.yaml')}; did you mean ${join(root, 'quick')}?`,
    );
    writeFileSync(file, 'version: 1\nname: other\nseeds: 1\naxes: {}\n');
    expect(said(file)).toMatch(/got the sweep file .*q\.yaml; its results go to .*other: spc run .*q\.yaml makes them$/);
    writeFileSync(file, 'PK\x03\x04');
    expect(said(file)).toMatch(/got .*q\.yaml, which is a zip archive; there are /);
    rmSync(file);
    mkdirSync(join(root, 'old', 'moon'), { recursive: true });
    writeFileSync(join(root, 'old', 'moon', 'sweep.yaml'), '');
    expect(said('moon')).toMatch(/got moon; did you mean old\/moon\?$/);
    expect(said('quick.yaml')).toMatch(/; did you mean quick\?$/);
    rmSync(join(root, 'old'), { recursive: true });
  });

  it('tells a folder without a sweep from one that is not there', () => {
    const path = join(root, 'empty');
    expect(() => resultsFolder('empty', root)).toThrow(
      `results: expected a results folder, with its sweep.yaml, got ${path} without one; there are paper, quick`,
    );
  });

  it('works before anything was run', () => {
    expect(() => resultsFolder('quick', join(root, 'nothing'))).toThrow('got quick; there are none yet: spc run writes them');
  });
});

describe('spc table', () => {
  const run = async (...args: string[]): Promise<string> => {
    let out = '';
    vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
      out += text;
      return true;
    });
    await yargs(['table', ...args])
      .command(tableCommand)
      .strict()
      .exitProcess(false)
      .parseAsync();
    return out;
  };

  it('prints the tables, writes nothing, and exits with 1 while trials are missing', async () => {
    const text = await run(join(root, 'quick'));
    expect(text).toContain('quick: cartpole/angle, 2 seeds; 0 of 4 trials finished, 0 failed');
    expect(process.exitCode).toBe(1);
    expect(readdirSync(join(root, 'quick'))).toEqual(['sweep.yaml']);
  });

  it('finds a sweep by its name below --results', async () => {
    expect(await run('paper', '--results', root)).toContain('paper: cartpole/angle');
  });

  it.each([
    ['md', '# quick\n\n## cartpole/angle'],
    ['csv', 'scenario,strategy,overrides,metric,'],
    ['tex', '\\begin{tabular}'],
    ['json', '"version": 2'],
  ])('prints --format %s', async (format, start) => {
    const text = await run(join(root, 'quick'), '--format', format);
    expect(text).toContain(start);
    expect(await run(join(root, 'quick'), '--format', format, '--missing')).toContain('its base is not trained yet');
    expect(readdirSync(join(root, 'quick'))).toEqual(['sweep.yaml']);
  });

  it('takes lists by commas', async () => {
    const args = ['--format', 'json', '--group-by', 'strategy', '--metric', 'rsi, fe', '--baseline', 'tsf', '--where', 'seed=1'];
    expect(JSON.parse(await run(join(root, 'quick'), ...args))).toMatchObject({
      ...{ groupBy: ['strategy'], baseline: 'tsf', where: 'seed=1' },
      tables: [{ columns: ['rsi', 'fe'], trials: { asked: 2 } }],
    });
  });

  it('shows differences in a terminal only when they are asked for', async () => {
    expect(await run(join(root, 'quick'))).not.toContain('minus none');
    expect(await run(join(root, 'quick'), '--baseline', 'none')).toContain('minus none');
  });

  it('says what there is when nothing is selected; exit code 5', async () => {
    let said = '';
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
      said += text;
      return true;
    });
    expect(await run(join(root, 'quick'), '--where', 'strategy=retrain')).toBe('');
    expect(said).toContain('strategy=retrain: no row meets it; strategy is none, tsf');
    expect(process.exitCode).toBe(5);
  });

  it('lists what is missing with --missing, a line per seed with --per-seed', async () => {
    expect(await run(join(root, 'quick'), '--missing')).toBe(`quick: 4 of 4 trials have no numbers; seed/correction seed:

cartpole/angle none
  1/0  missing  its base is not trained yet
  2/0  missing  its base is not trained yet

cartpole/angle tsf
  1/0  missing  its base is not trained yet
  2/0  missing  its base is not trained yet
`);
    expect(await run(join(root, 'quick'), '--per-seed')).toContain('none¹\n     1  missing');
  });

  it('prints JSON and nothing else with --json', async () => {
    const report = JSON.parse(await run(join(root, 'quick'), '--json')) as Record<string, unknown>;
    expect(report).toMatchObject({
      version: 2,
      sweep: 'quick',
      tables: [{ scenario: 'cartpole/angle', trials: { asked: 4, ok: 0, failed: 0 } }],
    });
  });
});
