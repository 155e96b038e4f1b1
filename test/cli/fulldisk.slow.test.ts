import { execFileSync, spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { noServer } from '../bus/nats/servers.ts';
import { type Started, scratch, sleep, spc, start, until } from './spc.ts';

const REAL = { jobs: 'real' } as const;
const SMALL = { seeds: 4, more: 'acceptance: report\nppo: { totalTimesteps: 20000, numEnvs: 8 }\n' } as const;
const DISK_MB = 160;

/** A disk of its own for the broker: who may not mount one cannot fill one without harm to others. */
const sweep = scratch(SMALL);
const disk = join(sweep.root, 'disk');
execFileSync('mkdir', [disk]);
const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MB}m`, 'tmpfs', disk]).status === 0;
if (!mounted) process.stderr.write('SKIPPED: the full disk of a broker; mounting one takes root on Linux\n');
const started: Started[] = [];
afterAll(async () => {
  for (const { child, done } of started.reverse()) {
    child.kill('SIGKILL');
    await done;
  }
  if (mounted) spawnSync('umount', ['-l', disk]);
});

describe.skipIf(noServer || !mounted)('a broker whose disk fills in the middle of a sweep', { timeout: 300_000 }, () => {
  it('is waited for, which is said, and nothing is lost when there is room again', async () => {
    const calm = scratch(SMALL);
    expect((await spc(calm.run, REAL)).code).toBe(0);
    const url = `nats://127.0.0.1:${21_000 + (process.pid % 10_000)}`;
    const begin = (...args: string[]): Started => {
      const one = start(args, { ...REAL, cwd: sweep.root });
      started.push(one);
      return one;
    };
    begin('serve', '--port', url.split(':')[2] ?? '', '--store', join(disk, 'store'));
    begin('worker', '--nats', url, '--slots', '1', '--wait', '60s');
    const run = begin(...sweep.run, '--nats', url, '--wait', '60s');
    let said = '';
    run.child.stderr?.on('data', (text: string) => {
      said += text;
    });
    await until('there are rows', () => sweep.lines('trials.jsonl').length >= 2, 120_000);
    const ballast = join(disk, 'ballast');
    try {
      for (let i = 0; i < DISK_MB; i++) writeFileSync(`${ballast}.${i}`, new Uint8Array(1024 * 1024));
    } catch {} // full
    await sleep(12_000);
    const rows = sweep.lines('trials.jsonl').length;
    for (let i = 0; i < DISK_MB; i++) rmSync(`${ballast}.${i}`, { force: true });
    const { code, stderr } = await run.done;
    expect(code, stderr).toBe(0);
    expect(rows).toBeLessThan(12); // it was full early enough to matter
    expect(sweep.outcome()).toEqual(calm.outcome());
    expect(stderr).toMatch(/has room for \d+ MB of queues and files/);
    expect(said).toMatch(/has not taken it for \d+ s \(.*\); trying again/);
  });
});
