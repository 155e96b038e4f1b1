import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { childrenOf, isAlive, scratch, sleep, spc, start, until } from './spc.ts';

const noTerminal = spawnSync('script', ['-qec', 'true', '/dev/null'], { encoding: 'utf8' }).status !== 0;
if (noTerminal) process.stderr.write('SKIPPED: what needs a terminal (script of util-linux is not here)\n');

const kill = (pid: number, signal: NodeJS.Signals): void => void process.kill(pid, signal);
const jobs = { jobs: 'slow' } as const;
type Sweep = ReturnType<typeof scratch>;
const rowsOf = (sweep: Sweep): number => sweep.lines('bases.jsonl').length + sweep.lines('trials.jsonl').length;

describe('signals', () => {
  it('SIGHUP is outlived where nothing is a terminal, and under nohup', async () => {
    for (const shell of ['"$@"', 'nohup "$@" > nohup.log 2>&1']) {
      const sweep = scratch({ seeds: 4 });
      const run = start(sweep.run, { ...jobs, cwd: sweep.root, shell: `${shell}; exit $?` });
      await until('there is a row', () => rowsOf(sweep) >= 1);
      for (const pid of childrenOf(run.pid)) kill(pid, 'SIGHUP');
      const [spcPid = 0] = childrenOf(run.pid);
      for (const pid of childrenOf(spcPid)) kill(pid, 'SIGHUP'); // a terminal tells the whole process group
      expect((await run.done).code).toBe(0);
      expect([sweep.lines('bases.jsonl').length, sweep.lines('trials.jsonl').length]).toEqual([4, 12]);
    }
  });

  it.skipIf(noTerminal)('a terminal that closes lets what runs finish; then the same command goes on', async () => {
    const sweep = scratch({ seeds: 8 });
    // The inner shell outlives the terminal to write the exit code down; Node takes its signals back all the same. The outer one does not.
    writeFileSync(join(sweep.root, 'inner.sh'), `trap '' HUP; "$@"; echo $? > ${sweep.root}/code`);
    const shell = `SHELL=/bin/bash exec script -qec "bash ${sweep.root}/inner.sh $(printf '%q ' "$@"); true" /dev/null`;
    const run = start([...sweep.run, '--threads', '1'], { ...jobs, shell });
    await until('there is a row', () => rowsOf(sweep) >= 1);
    kill(run.pid, 'SIGKILL');
    await until('it has ended', () => existsSync(join(sweep.root, 'code')) && readFileSync(join(sweep.root, 'code'), 'utf8') !== '');
    expect(readFileSync(join(sweep.root, 'code'), 'utf8')).toBe('129\n');
    expect(existsSync(join(sweep.folder, '.lock'))).toBe(false);
    expect(rowsOf(sweep)).toBeGreaterThan(0);
    expect(rowsOf(sweep)).toBeLessThan(32);
    expect((await spc(sweep.run)).code).toBe(0);
    expect(rowsOf(sweep)).toBe(32);
  });

  it('a command that reads and writes no terminal outlives one, whichever it is', async () => {
    const sweep = scratch();
    const shell = `mkfifo in; exec "$@" > out 2> err`;
    const left = start(['export', 'in', '--to', 'json'], { jobs: 'real', cwd: sweep.root, shell }); // waits for somebody to write
    await until('it waits', () => existsSync(join(sweep.root, 'err')) && readFileSync(join(sweep.root, 'err'), 'utf8').includes('waiting'));
    kill(left.pid, 'SIGHUP');
    await sleep(200);
    writeFileSync(join(sweep.root, 'in'), 'no policy');
    expect([(await left.done).code, readFileSync(join(sweep.root, 'err'), 'utf8')]).toEqual([2, expect.stringContaining('got text')]);
  });

  it('a second signal within a moment is the same wish', async () => {
    const sweep = scratch({ seeds: 8 });
    const run = start([...sweep.run, '--threads', '1'], jobs);
    await until('there is a row', () => rowsOf(sweep) >= 1);
    for (const signal of ['SIGINT', 'SIGINT', 'SIGTERM'] as const) {
      kill(run.pid, signal);
      await sleep(15); // all of them while its job still runs
    }
    const { code, stderr } = await run.done;
    expect(code).toBe(130);
    expect(stderr).toContain('interrupted; the same command goes on from here');
    expect(existsSync(join(sweep.folder, '.lock'))).toBe(false);
  });

  it('a drain does not wait for an executor that does not start', async () => {
    const sweep = scratch();
    const run = start(sweep.run, jobs);
    await until('there is an executor', () => childrenOf(run.pid).length > 0);
    const [executor = 0] = childrenOf(run.pid);
    kill(executor, 'SIGSTOP');
    await sleep(300);
    kill(run.pid, 'SIGTERM');
    await until('it has ended', () => !isAlive(run.pid)); // and not when the executor is given up, after more than a minute
    const { code, stderr } = await run.done;
    expect([code, rowsOf(sweep)]).toEqual([143, 0]);
    expect(stderr).toContain('finishing what runs (0 of');
    await until('the executor has gone', () => !isAlive(executor), 2_000);
    expect((await spc(sweep.run)).code).toBe(0);
  });

  it('more threads than the machine can use are not started', async () => {
    const sweep = scratch({ seeds: 1 });
    for (const threads of ['100000', '1e15']) {
      const { code, stderr } = await spc([...sweep.run, '--threads', threads]);
      expect(code).toBe(0);
      expect(stderr).toMatch(/^--threads 10{5,15}: more than this machine can use, which has \d+ cores?; taken as \d+\n/);
    }
  });
});

describe('output that is refused', () => {
  const sweep = scratch({ seeds: 1 });
  const commands = [
    sweep.run,
    ['table', sweep.folder],
    ['table', sweep.folder, '--json'],
    ['plan', sweep.file, '--results', sweep.results],
    ['rerun', sweep.folder, '--where', ''],
    ['compare', sweep.folder, '--axis', 'strategy'],
    ['schema'],
    ['--help'],
    ['run', '--help'],
    ['--version'],
  ];

  it('is a message and exit code 1 on a full stdout', async () => {
    expect((await spc(sweep.run)).code).toBe(0);
    for (const args of commands) {
      const { code, stderr } = await spc(args, {
        jobs: args[0] === 'run' || args[0] === 'rerun' ? 'thread' : 'real',
        shell: '"$@" > /dev/full',
      });
      expect([args[0], code]).toEqual([args[0], 1]);
      expect(stderr.split('\n').at(-2)).toBe(
        'stdout: could not be written (ENOSPC); the disk is full: make room, and the same command goes on',
      );
      expect(stderr).not.toContain('    at ');
    }
  });

  it('is quiet where nobody reads on', async () => {
    for (const args of commands) {
      const { code, stderr } = await spc(args, {
        jobs: args[0] === 'run' || args[0] === 'rerun' ? 'thread' : 'real',
        shell: 'set -o pipefail; "$@" | head -c 1 > /dev/null',
      });
      expect([args[0], code, stderr.includes('    at ')]).toEqual([args[0], 0, false]);
    }
  });

  it('costs no work on stderr', async () => {
    for (const shell of ['"$@" 2> /dev/full', '"$@" 2>&-', '"$@" 2>&- >&-']) {
      const { run, lines } = scratch({ seeds: 1 });
      expect((await spc(run, { shell })).code).toBe(0);
      expect(lines('trials.jsonl')).toHaveLength(3);
    }
  });

  it('a folder that cannot be made is a message', async () => {
    const { code, stderr } = await spc(['run', sweep.file, '--results', '/dev/full']);
    expect([code, stderr]).toEqual([2, '--results: expected a folder, got /dev/full, which is a device\n']);
  });

  it('too few open files are a message', async () => {
    for (const n of [20, 40, 64]) {
      const { code, stderr } = await spc(['table', sweep.folder], { jobs: 'real', shell: `ulimit -n ${n}; "$@"` });
      expect([n, code]).toEqual([n, 1]);
      expect(stderr).toMatch(/^spc: expected to be allowed 160 open files at least, got \d+; ulimit -n 1024 allows this shell as many\n$/);
    }
  });
});
