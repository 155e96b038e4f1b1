import { chmodSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Check, examine, printChecks } from '../../src/cli/doctor.ts';
import { diskAt, groupCores, groupMemory, HERE, limitOf, type Place } from '../../src/cli/machine.ts';
import { inProcess } from './inprocess.ts';
import { isAlive, spc, until } from './spc.ts';

const scratch = (): string => mkdtempSync(join(tmpdir(), 'doctor-'));

/** A machine of these files; `programs` are shell scripts on its path. */
function machine(files: Readonly<Record<string, string>>, programs: Readonly<Record<string, string>> = {}): Place {
  const root = scratch();
  const put = (path: string, text: string, mode = 0o644): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
    chmodSync(join(root, path), mode);
  };
  for (const [path, text] of Object.entries(files)) put(path, text);
  for (const [name, script] of Object.entries(programs)) put(`bin/${name}`, `#!/bin/sh\n${script}\n`, 0o755);
  const env = { PATH: join(root, 'bin'), XDG_CACHE_HOME: join(root, 'cache') };
  return { proc: join(root, 'proc'), cgroup: join(root, 'cgroup'), env };
}
const limits = (files: string, addresses = 'unlimited'): string =>
  `Limit                     Soft Limit           Hard Limit           Units     \nMax open files            ${files.padEnd(20)} 9999                 files     \nMax address space         ${addresses.padEnd(20)} unlimited            bytes     \n`;
const named = (checks: readonly Check[], name: string): Check => checks.find((check) => check.name === name)!;

describe('spc doctor', () => {
  it('says of every part what is there and what it is for, in 80 columns; exit code 0 where a run has all it needs', async () => {
    const results = join(scratch(), 'results');
    const left = await inProcess(['doctor', '--results', results]);
    expect([left.code, left.stderr]).toEqual([0, '']);
    const names =
      'Node|engine|cores|memory|open files|disk|npm|nats-server|Python|gymnasium|stable-baselines3|git|TensorFlow|TensorFlow.js|browser|terminal';
    for (const name of names.split('|')) expect(left.stdout).toMatch(new RegExp(`^(ok|absent) +${name.replaceAll('.', '\\.')} `, 'm'));
    const long = left.stdout.split('\n').filter((line) => line.length > 80);
    expect(long.filter((line) => line.trim().includes(' '))).toEqual([]); // a path is not broken
    expect(left.stdout).toMatch(/\nA run has all it needs here\.\n$/);
    const json = JSON.parse((await inProcess(['doctor', '--json', '--results', results])).stdout) as { checks: Check[] };
    expect(json).toMatchObject({ version: 1, ok: true });
    expect(json.checks.filter(({ needed }) => needed).map(({ state }) => state)).toEqual(Array(6).fill('ok'));
  });

  it('knows a machine without /proc, control groups, path or any program', async () => {
    const bare: Place = { proc: '/nowhere', cgroup: '/nowhere', env: { XDG_CACHE_HOME: '/nowhere' } };
    const checks = await examine(scratch(), bare);
    expect(checks.filter(({ state }) => state === 'bad')).toEqual([]);
    for (const name of ['npm', 'nats-server', 'Python', 'gymnasium', 'git']) {
      const { state, remedy } = named(checks, name);
      expect([name, state, typeof remedy]).toEqual([name, 'absent', 'string']);
    }
    expect(named(checks, 'open files').found).toBe('unknown here');
  });

  it('too few open files, too little memory or address space, a folder that cannot be written: said, with a remedy; exit code 1', async () => {
    const place = machine({
      'proc/self/limits': limits('64', '16000000000'),
      'proc/self/cgroup': '0::/job/step\n',
      'cgroup/job/memory.max': '268435456\n',
      'cgroup/job/step/memory.max': 'max\n',
    });
    const file = join(scratch(), 'file');
    writeFileSync(file, '');
    const checks = await examine(join(file, 'results'), place);
    expect(checks.filter(({ state }) => state === 'bad').map(({ name, found }) => [name, found])).toEqual([
      ['memory', '268 MB, a limit of the control group'],
      ['addresses', 'limited to 16.0 GB'],
      ['open files', '64'],
      ['disk', expect.stringContaining('which cannot be written')],
    ]);
    const text = printChecks(checks);
    expect(text).toContain('remedy: ulimit -n 1024');
    expect(text).toMatch(/A run would have trouble here: memory, addresses, open files, disk\.\n$/);
    expect((await inProcess(['doctor', '--results', '/proc/nowhere'])).code).toBe(1); // no room, or no permission
  });

  it('sees the limits of this very process', async () => {
    const left = await spc(['doctor', '--json'], { jobs: 'real', cwd: scratch(), shell: 'ulimit -n 100; exec "$@"' });
    if (left.stdout === '') return expect(left.code).not.toBe(0); // too few to load what it consists of
    const { checks } = JSON.parse(left.stdout) as { checks: Check[] };
    expect([left.code, named(checks, 'open files')]).toMatchObject([1, { state: 'bad', found: '100' }]);
  });

  it('programs that hang, and what they have started, are ended; those that fail or babble are no end of it', async () => {
    const marker = join(scratch(), 'pid');
    const place = machine(
      {},
      {
        npm: `sleep 77 & echo $! > ${marker}; wait`,
        'nats-server': 'exec sleep 77',
        python3: "printf '3.9\\033[2J - -\\n'",
        git: 'exit 3',
      },
    );
    // `sleep` must be found by the scripts: their path is what they have, and a little more
    const env = { ...place.env, PATH: `${place.env['PATH']}:/usr/bin:/bin` };
    const before = process.env['PATH'];
    const started = performance.now();
    const checks = await examine(scratch(), { ...place, env });
    expect(performance.now() - started).toBeLessThan(20_000); // against 77 s: no timing, a bound
    expect(process.env['PATH']).toBe(before);
    expect(named(checks, 'npm').found).toMatch(/bin\/npm, but it failed, or did not answer within 2 s$/);
    expect(named(checks, 'nats-server').state).toBe('absent');
    expect(named(checks, 'git').found).toContain('but it failed');
    expect(named(checks, 'Python').found).toMatch(/^3\.9\\x1b\[2J, /);
    const { readFileSync } = await import('node:fs');
    const grandchild = Number(readFileSync(marker, 'utf8'));
    await until('the grandchild has ended', () => !isAlive(grandchild));
  });

  it('finds a browser and a nats-server by path and by name', async () => {
    const place = machine({}, { chromium: '', 'nats-server': 'echo nats-server: v2.15.2' });
    const checks = await examine(scratch(), place);
    expect(named(checks, 'browser')).toMatchObject({ state: 'ok', found: expect.stringContaining('bin/chromium') });
    expect(named(checks, 'nats-server')).toMatchObject({ state: 'ok', found: expect.stringMatching(/^2\.15\.2, .*bin\/nats-server$/) });
    const wrong = await examine(scratch(), { ...place, env: { ...place.env, SPC_NATS_SERVER: '/nowhere/nats-server' } });
    expect(named(wrong, 'nats-server')).toMatchObject({ state: 'absent', found: expect.stringContaining('/nowhere/nats-server') });
  });
});

describe('machine', () => {
  it('reads control groups of version 1 and 2, the tightest on the way up', () => {
    const two = machine({
      'proc/self/cgroup': '0::/a/b\n',
      'cgroup/a/cpu.max': '150000 100000\n',
      'cgroup/cpu.max': '300000 100000\n',
      'cgroup/a/b/cpu.max': 'max 100000\n',
      'cgroup/a/memory.max': '9000000000\n',
      'cgroup/a/b/memory.max': '5000000000\n',
    });
    expect([groupCores(two), groupMemory(two)]).toEqual([1.5, 5e9]);
    const one = machine({
      'proc/self/cgroup': '7:memory:/x\n3:cpu,cpuacct:/x\n',
      'cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n',
      'cgroup/memory/x/memory.limit_in_bytes': '1000000000\n',
      'cgroup/cpu/x/cpu.cfs_quota_us': '50000\n',
      'cgroup/cpu/x/cpu.cfs_period_us': '100000\n',
    });
    expect([groupCores(one), groupMemory(one)]).toEqual([0.5, 1e9]);
    const free = machine({
      'proc/self/cgroup': '1:cpu:/\n0::/\n',
      'cgroup/cpu/cpu.cfs_quota_us': '-1\n',
      'cgroup/cpu/cpu.cfs_period_us': '100000\n',
    });
    expect([groupCores(free), groupMemory(free)]).toEqual([null, null]);
    expect(groupMemory(machine({ 'proc/self/cgroup': 'nonsense\n0::/../../../etc\n' }))).toBeNull();
  });

  it('a quota below the cores that Node sees says how many threads to ask for', async () => {
    const place = machine({ 'proc/self/cgroup': '0::/\n', 'cgroup/cpu.max': '10000 100000\n' });
    expect(named(await examine(scratch(), place), 'cores').found).toBe(
      `${availableParallelism()}, of which a control group allows 0.1: --threads 1`,
    );
  });

  it('reads limits, and none where there are none', () => {
    const place = machine({ 'proc/self/limits': limits('unlimited') });
    expect([limitOf('Max open files', place), limitOf('Max nonsense', place)]).toEqual([null, undefined]);
    expect(limitOf('Max open files', HERE)).not.toBe(undefined);
  });

  it('asks the disk about the nearest folder that is there, and a file is none', () => {
    const folder = scratch();
    expect(diskAt(join(folder, 'a', 'b'))).toMatchObject({ at: folder, writable: true, free: expect.any(Number) });
    writeFileSync(join(folder, 'file'), '');
    expect(diskAt(join(folder, 'file', 'b'))).toMatchObject({ at: join(folder, 'file'), writable: false });
  });
});
