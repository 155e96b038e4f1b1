import { mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { noServer } from '../bus/nats/servers.ts';
import { type Started, scratch, spc, start, until } from '../cli/spc.ts';

const page = readFileSync('docs/slurm.md', 'utf8');
const [, script = ''] = page.match(/^`workers\.sbatch`:\n\n```sh\n(.*?)^```$/ms) ?? [];
const REAL = { jobs: 'real' } as const;

/** What the page asks of Slurm, as sbatch would read it: #SBATCH --NAME=VALUE. */
const asked = Object.fromEntries([...script.matchAll(/^#SBATCH --([\w-]+)=(.*)$/gm)].map(([, name = '', value]) => [name, value]));

const started: Started[] = [];
const begin = (...args: Parameters<typeof start>): Started => {
  const one = start(...args);
  started.push(one);
  return one;
};
afterEach(() => {
  for (const { pid } of started.splice(0)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {} // it has ended
  }
});

/** A submit folder as the page has it: the clone's build, and `broker` with the keys. */
function site() {
  const folder = mkdtempSync(join(tmpdir(), 'spc slurm '));
  symlinkSync(resolve('dist'), join(folder, 'dist'));
  writeFileSync(join(folder, 'workers.sbatch'), script);
  return folder;
}

describe.skipIf(noServer)('the script of docs/slurm.md under a scheduler that signals the shell alone', { timeout: 300_000 }, () => {
  it('finishes the job that runs within the grace it asks for, and leaves', async () => {
    expect(asked).toMatchObject({ signal: expect.stringMatching(/^B:TERM@\d+$/), 'cpus-per-task': expect.stringMatching(/^\d+$/) });
    const folder = site();
    const port = 20_000 + ((process.pid + 5_000) % 10_000);
    const broker = begin(['serve', '--listen', `127.0.0.1:${port}`, '--workers', '2'], { ...REAL, cwd: folder });
    let said = '';
    broker.child.stdout?.on('data', (text: string) => {
      said += text;
    });
    await until('the broker says how to join', () => said.endsWith('\n'), 60_000);
    const sweep = scratch({ seeds: 1, strategies: 'none', more: 'acceptance: report\nppo: { totalTimesteps: 1000000, numEnvs: 8 }\n' });
    const run = begin([...sweep.run, '--creds', join(folder, 'broker', 'coordinator.creds')], REAL);

    let coordinator = '';
    run.child.stderr?.on('data', (text: string) => {
      coordinator += text;
    });
    const slurm = { SLURM_SUBMIT_DIR: folder, SLURM_CPUS_PER_TASK: '1', SLURM_ARRAY_TASK_ID: '1', SLURM_JOB_ID: '7' };
    const job = begin([], { cwd: tmpdir(), env: slurm, shell: `exec bash "${join(folder, 'workers.sbatch')}"` });
    let log = '';
    job.child.stderr?.on('data', (text: string) => {
      log += text;
    });
    await until('the worker is there', () => log.includes('worker '), 60_000);
    const running = async (): Promise<number> => {
      const board = await spc(['status', '--creds', join(folder, 'broker', 'viewer.creds'), '--json'], REAL);
      return board.code === 0
        ? JSON.parse(board.stdout).workers.flatMap(({ running }: { running: { share: number }[] }) =>
            running.filter(({ share }) => share > 0),
          ).length
        : 0;
    };
    for (const end = Date.now() + 60_000; (await running()) === 0; )
      if (Date.now() > end) expect.unreachable(`no job began: ${log}${coordinator}`);
    process.kill(job.pid, 'SIGTERM'); // to the shell, as B: asks; not to its children
    const left = await job.done;
    const [, grace] = script.match(/--grace (\w+)/) ?? [];
    expect([left.code, left.stderr]).toEqual([143, expect.stringContaining(`finishing what runs (1 of 1 threads), for at most ${grace}`)]);
    await until('the row of the job is there', () => sweep.lines('bases.jsonl').length === 1, 60_000);
    process.kill(run.pid, 'SIGTERM');
    await run.done;
    process.kill(broker.pid, 'SIGTERM');
    await broker.done;
  });
});
