import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { main } from '../../src/cli/main.ts';
import { planCommand } from '../../src/cli/plan.ts';
import { rerunCommand } from '../../src/cli/rerun.ts';
import { runCommand } from '../../src/cli/run.ts';
import { tableCommand } from '../../src/cli/table.ts';
import { ConfigError } from '../../src/contract/errors.ts';
import { HostError } from '../../src/contract/host.ts';
import { sweepJsonSchema } from '../../src/contract/sweep.ts';
import { spc } from './spc.ts';

let stdout: string;
let stderr: string;
beforeEach(() => {
  [stdout, stderr] = ['', ''];
  const out = (text: unknown): boolean => {
    stdout += String(text);
    return true;
  };
  vi.spyOn(process.stdout, 'write').mockImplementation(out);
  vi.spyOn(console, 'log').mockImplementation((text) => void out(`${text}\n`));
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    stderr += String(text);
    return true;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
});
const call = async (
  argv: readonly string[],
  commands = [planCommand, runCommand(), tableCommand, rerunCommand()] as Parameters<typeof main>[1],
) => {
  await main(argv, commands);
  return process.exitCode;
};

describe('main(argv, commands)', () => {
  it('shows commands, and the options of each with --help, on stdout', async () => {
    await call(['--help']);
    for (const command of ['plan', 'run', 'table', 'rerun']) expect(stdout).toContain(`spc ${command} <`);
    await call(['run', '--help']);
    expect(stdout).toMatch(/--threads.*Examples:\n {2}spc run sweeps\/quick\.yaml/s);
    await call(['rerun', '--help']);
    expect(stdout).toMatch(/--where.*Examples:\n {2}spc rerun results\/quick --where/s);
    expect(stderr).toBe('');
  });

  it.each([
    [['rum', 'x.yaml'], /got the unknown command rum; did you mean run\?/],
    [['run', 'x.yaml', '--threds', '2'], /got --threds; did you mean --threads\?/],
    [[], /expected a command, got none; .*\n {2}plan +check a sweep/],
    [['run'], /spc run: expected <file> \(the sweep file\), got nothing/],
    [['run', 'x.yaml', '--threads', '0'], /--threads: expected a whole number from 1 on, got 0/],
    [['run', 'x.yaml', '--threads'], /--threads: expected a number .*, got none/],
    [['run', 'nowhere.yaml'], /nowhere\.yaml: expected a sweep file, got nothing/],
    [['rerun', 'x'], /spc rerun: expected --where, --sample or both, got neither; --where "" takes all trials/],
  ])('%j is a usage error with a remedy; exit code 2', async (argv, message) => {
    expect(await call(argv)).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toMatch(message);
    expect(stderr).not.toContain('bug');
  });

  const throwing = (error: unknown) => [
    {
      command: 'throw',
      describe: 'throws',
      handler: () => {
        throw error;
      },
    },
  ];

  it.each([
    [new ConfigError('the file is wrong'), 2, 'the file is wrong\n'],
    [new HostError('the disk is full'), 1, 'the disk is full\n'],
    [
      Object.assign(new Error('EACCES: permission denied, mkdir'), { code: 'EACCES', syscall: 'mkdir', path: '/a' }),
      1,
      '/a: expected permission, got none; look at who may read and write it (EACCES)\n',
    ],
    [
      Object.assign(new Error('EISDIR: illegal operation on a directory, read'), { code: 'EISDIR', syscall: 'read' }),
      1,
      'read: expected a file, got a folder (EISDIR)\n',
    ],
    [Object.assign(new Error('EXYZ: something else'), { code: 'EXYZ', syscall: 'read' }), 1, 'EXYZ: something else\n'],
  ])('says %s to who must act, without a stack; exit code %i', async (error, code, text) => {
    expect(await call(['throw'], throwing(error))).toBe(code);
    expect(stderr).toBe(text);
  });

  it('calls anything else a bug, with its stack; exit code 1', async () => {
    expect(await call(['throw'], throwing(new TypeError('x is not a function')))).toBe(1);
    expect(stderr).toMatch(/^this is a bug in spc.*TypeError: x is not a function\n {4}at /s);
  });
});

describe('messages on a terminal', () => {
  const terminal = (columns: number | undefined): void => {
    Object.defineProperty(process.stderr, 'isTTY', { value: columns !== undefined, configurable: true });
    Object.defineProperty(process.stderr, 'columns', { value: columns, configurable: true });
  };
  const before = [process.stderr.isTTY, process.stderr.columns] as const;
  afterEach(() => {
    Object.defineProperty(process.stderr, 'isTTY', { value: before[0], configurable: true });
    Object.defineProperty(process.stderr, 'columns', { value: before[1], configurable: true });
  });

  it.each([24, 40, 61, 80, 200])('fit %i columns, and say the same', async (columns) => {
    terminal(undefined);
    for (const argv of [[], ['plot'], ['run'], ['compare', 'x'], ['run', 'sweeps/quick.yaml', 'strategy=banana'], ['table', 'nowhere']]) {
      stderr = '';
      await call(argv);
      const flat = stderr;
      terminal(columns);
      stderr = '';
      await call(argv);
      terminal(undefined);
      for (const line of stderr.split('\n')) if (line.trim().includes(' ')) expect(line.length).toBeLessThanOrEqual(columns);
      expect(stderr.replaceAll(/\s+/g, ' ')).toBe(flat.replaceAll(/\s+/g, ' '));
    }
  });

  it.each([0, 1, 5, 23])('are left alone where a terminal says it has %i columns', async (columns) => {
    terminal(columns);
    await call(['run', 'sweeps/quick.yaml', 'strategy=banana']);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });
});

describe('spc', () => {
  it('runs as a program: --version', async () => {
    vi.restoreAllMocks();
    expect(await spc(['--version'], { jobs: 'real' })).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
      stderr: '',
    });
  });

  it.each([
    ['plan', 'sweeps/quick.yaml'],
    ['schema'],
    ['why', 'sweeps/quick.yaml', 'strategy=tsf,seed=1'],
    ['why', 'sweeps/quick.yaml', 'zzz'],
  ])('prints no colour and no animation, even when colour is asked for: %s %s', async (...args) => {
    vi.restoreAllMocks();
    const left = await spc(args, { jobs: 'real', cwd: process.cwd(), env: { FORCE_COLOR: '1', NO_COLOR: '' } });
    const said = left.stdout + left.stderr;
    expect([said.includes('\u001b'), said.includes('\r')]).toEqual([false, false]);
    expect([left.code, left.code === 0 ? left.stderr : left.stdout]).toEqual([args.includes('zzz') ? 5 : 0, '']);
  });

  it('schema prints JSON Schema', async () => {
    vi.restoreAllMocks();
    const { stdout } = await spc(['schema'], { jobs: 'real' });
    expect(JSON.parse(stdout)).toEqual(JSON.parse(JSON.stringify(sweepJsonSchema())));
  });
});
