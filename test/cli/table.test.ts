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

  it('prints JSON and nothing else with --json', async () => {
    const report = JSON.parse(await run(join(root, 'quick'), '--json')) as Record<string, unknown>;
    expect(report).toMatchObject({
      version: 1,
      sweep: 'quick',
      tables: [{ scenario: 'cartpole/angle', trials: { asked: 4, ok: 0, failed: 0 } }],
    });
  });
});
