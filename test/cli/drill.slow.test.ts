import { existsSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { childrenOf, isAlive, type SpcOptions, type Started, scratch, sleep, spc, start, until } from './spc.ts';

type Sweep = ReturnType<typeof scratch>;
type Outcome = ReturnType<Sweep['outcome']>;

const kill = (pid: number, signal: NodeJS.Signals = 'SIGKILL'): void => void process.kill(pid, signal);
const rowsOf = (sweep: Sweep): number => sweep.lines('bases.jsonl').length + sweep.lines('trials.jsonl').length;
/** What every bad day must end with: the bytes of a good one. */
const expectSame = (sweep: Sweep, outcome: Outcome): void => expect(sweep.outcome()).toEqual(outcome);

/** Runs the command and kills it when it has written so many more rows; again and again until it ends by itself. */
async function stormy(sweep: Sweep, options: SpcOptions, rows: number, strike: (run: Started) => void): Promise<number> {
  for (let strikes = 0; strikes < 50; strikes++) {
    const before = rowsOf(sweep);
    const run = start([...sweep.run, '--threads', '2'], options);
    let ended = false;
    void run.done.then(() => {
      ended = true;
    });
    await until('there are more rows', () => ended || rowsOf(sweep) >= before + rows, 120_000);
    if (!ended) strike(run);
    const { code } = await run.done;
    if (code === 0) return strikes;
  }
  throw new Error('killed 50 times, and not done');
}

describe('bad days, with jobs of a tenth of a second', () => {
  const jobs = { jobs: 'slow' } as const;
  const make = (): Sweep => scratch({ seeds: 6 });
  let outcome: Outcome;
  beforeAll(async () => {
    const calm = make();
    expect((await spc(calm.run, jobs)).code).toBe(0);
    outcome = calm.outcome();
  });

  it('kill -9 of the whole, again and again: the same command ends with the same bytes, and leaves no process behind', async () => {
    const sweep = make();
    const orphans: number[] = [];
    const strikes = await stormy(sweep, jobs, 4, (run) => {
      orphans.push(...childrenOf(run.pid));
      kill(run.pid);
    });
    expect(strikes).toBeGreaterThanOrEqual(3);
    expectSame(sweep, outcome);
    expect(orphans.length).toBeGreaterThanOrEqual(3);
    await until('the executors have noticed', () => !orphans.some(isAlive), 2_000);
  });

  it('kill -9 of the executor: the run goes on by itself', async () => {
    const sweep = make();
    const run = start([...sweep.run, '--threads', '2'], jobs);
    for (const rows of [3, 10, 17]) {
      await until(`there are ${rows} rows`, () => rowsOf(sweep) >= rows);
      for (const pid of childrenOf(run.pid)) kill(pid);
      await sleep(300);
    }
    const { code, stderr } = await run.done;
    expect(code).toBe(0);
    expect(stderr.match(/the executor process died \(signal SIGKILL\)/g)?.length).toBeGreaterThanOrEqual(2);
    expectSame(sweep, outcome);
  });

  it('any cut of the last lines: repaired, and computed again', async () => {
    const sweep = make();
    await spc(sweep.run, jobs);
    for (const [name, bytes] of [
      ['trials.jsonl', 1],
      ['trials.jsonl', 3_000],
      ['bases.jsonl', 50],
      ['provenance.jsonl', 10],
    ] as const) {
      const path = join(sweep.folder, name);
      truncateSync(path, statSync(path).size - bytes);
      const { code, stderr } = await spc(sweep.run, jobs);
      expect([code, stderr]).toEqual([0, expect.stringContaining(`${name}: the last line was torn`)]);
      if (name !== 'bases.jsonl') expectSame(sweep, outcome);
    }
  });

  it.each(['SIGINT', 'SIGTERM'] as const)('%s drains: what runs is finished and nothing new begun; then it goes on', async (signal) => {
    const sweep = make();
    const run = start([...sweep.run, '--threads', '2'], jobs);
    await until('there are 5 rows', () => rowsOf(sweep) >= 5);
    const [executor] = childrenOf(run.pid);
    kill(run.pid, signal);
    if (executor) kill(executor, 'SIGINT'); // a terminal tells the whole process group
    const before = rowsOf(sweep);
    const { code, stdout, stderr } = await run.done;
    expect([code, stdout]).toEqual([signal === 'SIGINT' ? 130 : 143, '']);
    expect(stderr).toMatch(
      /finishing what runs \([12] of 2 threads\); once more to leave at once\n.*interrupted; the same command goes on from here\n/s,
    );
    expect(rowsOf(sweep) - before).toBeGreaterThanOrEqual(1);
    expect(rowsOf(sweep) - before).toBeLessThanOrEqual(3);
    expect(existsSync(join(sweep.folder, '.lock'))).toBe(false);
    expect((await spc(sweep.run, jobs)).code).toBe(0);
    expectSame(sweep, outcome);
  });

  it('a second Ctrl-C leaves at once, without a process or a lock behind', async () => {
    const sweep = make();
    const run = start([...sweep.run, '--threads', '2'], { jobs: 'stuck' });
    await until('it computes', () => childrenOf(run.pid).length > 0 && existsSync(join(sweep.folder, 'plan.json')));
    await sleep(1_500);
    const orphans = childrenOf(run.pid);
    kill(run.pid, 'SIGINT');
    await sleep(700); // less would be the same wish
    expect(isAlive(run.pid)).toBe(true); // its jobs never end
    const asked = Date.now();
    kill(run.pid, 'SIGINT');
    expect((await run.done).code).toBe(130);
    expect(Date.now() - asked).toBeLessThan(1_000);
    await until('the executor has gone', () => !orphans.some(isAlive), 2_000);
    expect(existsSync(join(sweep.folder, '.lock'))).toBe(false);
    expect((await spc(sweep.run, jobs)).code).toBe(0);
    expectSame(sweep, outcome);
  });

  it('kill -9 of the parent takes the executor with it, even when its jobs never end nor say anything', async () => {
    const run = start([...make().run, '--threads', '2'], { jobs: 'stuck' });
    await until('there is an executor', () => childrenOf(run.pid).length > 0);
    await sleep(1_500); // it computes
    const orphans = childrenOf(run.pid);
    kill(run.pid);
    await run.done;
    await until('the executor has gone', () => !orphans.some(isAlive), 2_000);
  });

  it('a second run beside the first is refused, and harms nothing', async () => {
    const sweep = make();
    const run = start(sweep.run, jobs);
    await until('there is a row', () => rowsOf(sweep) >= 1);
    const second = await spc(sweep.run, jobs);
    expect([second.code, second.stdout]).toEqual([2, '']);
    expect(second.stderr).toMatch(
      new RegExp(`\\.lock: expected to be alone, but process ${run.pid} on \\S+ works on this folder; wait for it`),
    );
    expect((await run.done).code).toBe(0);
    expectSame(sweep, outcome);
  });

  it('a full disk stops the run with a clear message and whole rows; with space it goes on', async () => {
    const sweep = make();
    // The limit on the size of a file, in KiB, stands in for the disk.
    const full = await spc(sweep.run, { ...jobs, shell: `trap '' XFSZ; ulimit -f 20; "$@"` });
    expect([full.code, full.stdout]).toEqual([1, '']);
    expect(full.stderr).toMatch(/\.jsonl: the line could not be written \(EFBIG\); the rows before it are safe\n/);
    expect(full.stderr).not.toContain('bug');
    expect(rowsOf(sweep)).toBeGreaterThan(2);
    for (const line of [...sweep.lines('bases.jsonl'), ...sweep.lines('trials.jsonl')]) JSON.parse(line);
    const left = await spc(sweep.run, jobs);
    expect(left.code).toBe(0);
    expect(left.stderr).not.toContain('torn');
    expectSame(sweep, outcome);
  });
});

describe('jobs that fail', () => {
  const rows = (lines: readonly string[]) => lines.map((line) => JSON.parse(line) as Record<string, unknown>);

  it('what crashed runs again: nothing of it stays but provenance', async () => {
    const sweep = scratch({ seeds: 1 });
    const left = await spc(sweep.run, { jobs: 'deadly' });
    expect(left.code).toBe(1);
    expect(rows(sweep.lines('trials.jsonl')).find((row) => row['ok'] === false)?.['failure']).toEqual({
      kind: 'crashed',
      message: 'its thread or its process died with it, 2 times',
    });
    const again = await spc(sweep.run);
    expect([again.code, again.stderr]).toEqual([
      0,
      expect.stringContaining('trials.jsonl: 1 row(s) that crashed or met a limit run again'),
    ]);
    const healthy = scratch({ seeds: 1 });
    await spc(healthy.run);
    expectSame(sweep, healthy.outcome());
    expect(sweep.lines('provenance.jsonl')).toHaveLength(5);
  });

  it('every thread may die once', async () => {
    const sweep = scratch({ seeds: 1 });
    const left = await spc(sweep.run, { jobs: 'fragile', env: { TMPDIR: sweep.root } });
    expect(left.code).toBe(0);
    expect(left.stderr.match(/its thread died/g)).toHaveLength(4);
    const healthy = scratch({ seeds: 1 });
    await spc(healthy.run);
    expectSame(sweep, healthy.outcome());
  });
});

describe('bad days, with the real jobs', () => {
  // Bases of 8,192 steps play too badly for a study; here only their bytes count.
  const more = 'acceptance: report\nppo: { totalTimesteps: 8192 }\ncorrect: { steps: 40, episodes: 20 }\nevaluate: { curveEpisodes: 5 }\n';
  const make = (): Sweep => scratch({ seeds: 3, strategies: 'none, tsf', more });
  let outcome: Outcome;
  beforeAll(async () => {
    const calm = make();
    expect((await spc([...calm.run, '--threads', '2'], { jobs: 'real' })).code).toBe(0);
    outcome = calm.outcome();
  }, 600_000);

  it('the same bytes with one thread, in another working directory', async () => {
    const sweep = make();
    expect((await spc([...sweep.run, '--threads', '1'], { jobs: 'real', cwd: '/' })).code).toBe(0);
    expectSame(sweep, outcome);
  });

  it('the same bytes after kill -9 of the whole', async () => {
    const sweep = make();
    expect(await stormy(sweep, { jobs: 'real' }, 2, (run) => kill(run.pid))).toBeGreaterThanOrEqual(2);
    expectSame(sweep, outcome);
  });

  it('the same bytes after kill -9 of the executor', async () => {
    const sweep = make();
    const run = start([...sweep.run, '--threads', '2'], { jobs: 'real' });
    for (const rows of [1, 4]) {
      await until(`there are ${rows} rows`, () => rowsOf(sweep) >= rows, 120_000);
      for (const pid of childrenOf(run.pid)) kill(pid);
    }
    expect((await run.done).code).toBe(0);
    expectSame(sweep, outcome);
  });

  it('a network too large for any memory fails alone, with the numbers; the rows of the others are those of a run without it', async () => {
    const hidden = (widths: string): Sweep => scratch({ seeds: 1, strategies: 'none, tsf', more: `  ppo.hidden: [${widths}]\n${more}` });
    const [sweep, healthy] = [hidden('[100000, 100000], [16, 16]'), hidden('[16, 16]')];
    const left = await spc([...sweep.run, '--threads', '2'], { jobs: 'real' });
    expect(left.code).toBe(1);
    expect((await spc(healthy.run, { jobs: 'real' })).code).toBe(0);
    const failed = (line: string): boolean => line.includes('"ok":false');
    const [base, ...others] = sweep.lines('bases.jsonl').filter(failed);
    expect([JSON.parse(base ?? '{}').failure, others]).toEqual([
      {
        kind: 'limit',
        message: expect.stringMatching(/^memory: more than 700 MB \(refused: 1374007 MB of wasm memory at once, with \d+ MB: /),
      },
      [],
    ]);
    expect(sweep.lines('trials.jsonl').filter(failed)).toHaveLength(2);
    const whole = sweep.outcome();
    expect({ ...whole, bases: whole.bases.filter((l) => !failed(l)), trials: whole.trials.filter((l) => !failed(l)) }).toEqual(
      healthy.outcome(),
    );
  });

  it('rerun finds the same bytes from scratch, and names an altered trace', async () => {
    const sweep = make();
    expect((await spc(sweep.run, { jobs: 'real' })).code).toBe(0);
    const left = await spc(['rerun', sweep.folder, '--where', 'seed=2'], { jobs: 'real' });
    expect([left.code, left.stdout]).toEqual([0, expect.stringContaining('2 of 2 identical, 0 differ')]);
    const path = join(sweep.folder, 'trials.jsonl');
    writeFileSync(
      path,
      `${sweep
        .lines('trials.jsonl')
        .join('\n')
        .replace(/"trace":\["..../g, '"trace":["0000')}\n`,
    );
    const again = await spc(['rerun', sweep.folder, '--where', 'strategy=tsf,seed=1', '--trials-only'], { jobs: 'real' });
    expect([again.code, again.stdout]).toEqual([4, expect.stringMatching(/first at correction, checkpoint 1 of \d+ \(gradient step 0\)/)]);
  });
});
