import { existsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { canonicalJson, contentDigest } from '../../src/contract/ids.ts';
import type { Limits } from '../../src/contract/job.ts';
import type { Finished } from '../../src/worker/executor/protocol.ts';
import { sleep } from '../cli/spc.ts';
import { lazyThread, sleepyThread } from './compiled.ts';
import { baseJob, baseSpec, type Deed } from './fake/specs.ts';
import { failure, make, marker, type Pool, run, started, warnings } from './pools.ts';

describe('ExecutorPool.run(job), on bad days', { timeout: 60_000 }, () => {
  /** What the deed makes of its job, with healthy ones in the other thread, whose bytes must be those of a good day. */
  async function beside(pool: Pool, deed: Deed, limits: Partial<Limits>) {
    const healthy = [{ spinMs: 301 }, { spinMs: 302 }, { spinMs: 303 }];
    const [done, ...others] = await Promise.all([run(pool, deed, limits), ...healthy.map((spin) => run(pool, spin))]);
    expect(others.map(canonical)).toEqual(await Promise.all(healthy.map((spin) => run(pool, spin).then(canonical))));
    expect(others.every(({ row }) => row.ok)).toBe(true);
    return done!;
  }
  const canonical = ({ row, files }: Finished) => [canonicalJson(row), files.map(([kind, bytes]) => [kind, contentDigest(bytes)])];

  it.each([
    ['heap', /^memory: more than 64 MB \((heap exhausted at 64 MB|about \d+ MB, measured from outside)\)$/],
    ['buffers', /^memory: more than 64 MB \(about \d{2,3} MB, measured from outside\)$/],
    [
      'reportedBuffers',
      /^memory: more than 64 MB \((\d+ MB: \d+ of heap, \d+ of array buffers and wasm|about \d+ MB, measured from outside)\)$/,
    ], // from outside where the machine is too busy to let it report
    ['wasm', /^memory: more than 64 MB \(\d+ MB: \d+ of heap, \d+ of array buffers and wasm\)$/],
    ['giant', /^memory: more than 64 MB \(about \d+ MB, measured from outside\)$/],
    ['giantUntouched', /^memory: more than 64 MB \(28\d\d MB: \d+ of heap, 28\d\d of array buffers and wasm\)$/],
    [
      'giantRefused',
      /^memory: more than 64 MB \(Array buffer allocation failed, with \d+ MB: \d+ of heap, \d+ of array buffers and wasm\)$/,
    ],
    ['giantNetwork', /^memory: more than 64 MB \(25\d\d MB: \d+ of heap, 25\d\d of array buffers and wasm\)$/],
    ['giantNetworkRefused', /^memory: more than 64 MB \(refused: 4375 MB of wasm memory at once, with \d+ MB: /],
  ] as const)('a job that takes too much memory (%s) meets its limit, alone', async (deed, message) => {
    const pool = await started();
    const done = await beside(pool, { do: deed }, {});
    expect(failure(done)).toEqual({ kind: 'limit', message: expect.stringMatching(message) });
  });

  it('garbage is no use of memory', async () => {
    const pool = await started();
    expect((await beside(pool, { do: 'litter' }, {})).row.ok).toBe(true);
    expect(warnings).toEqual([]);
  });

  it("a job's own limit goes before the pool's, downwards and upwards", async () => {
    const pool = await started();
    const low = await beside(pool, { do: 'reportedBuffers' }, { memoryMb: 40 });
    expect(failure(low)?.message).toMatch(/^memory: more than 40 MB \((about )?(4[1-9]|[5-9]\d|\d{3,}) MB/);
    const pid = pool.pid;
    const high = await beside(pool, { do: 'heap' }, { memoryMb: 200 });
    expect(failure(high)?.message).toMatch(
      /^memory: more than 200 MB \((heap exhausted at 200 MB|about 2\d\d MB, measured from outside)\)$/,
    );
    expect(pool.pid).not.toBe(pid); // whose threads had no room for it
  });

  it('two silent jobs that outgrow the process together run again one by one, and the one that did it fails', async () => {
    const pool = await started();
    const [guilty, silent] = await Promise.all([run(pool, { do: 'buffers' }), run(pool, { do: 'wait', marker: marker() })]);
    expect(failure(guilty)?.kind).toBe('limit');
    expect(silent.row.ok).toBe(true);
    expect(guilty.facts.stack).toMatch(/executor died .* with 2 job\(s\) on it: 2 silent jobs hold about \d+ MB/);
  });

  it.each(['sulk', 'hang', 'wait'] as const)('stops a job at its wall limit, in words or by force (%s)', async (deed) => {
    const pool = await started();
    const pid = pool.pid;
    const done = await beside(pool, { do: deed }, { wallMs: 200 });
    expect(failure(done)).toEqual({ kind: 'limit', message: 'wall: more than 0.2 s' });
    expect(pool.pid).toBe(pid);
  });

  it('an executor that does not obey is killed for it: the job met its limit, others run again', async () => {
    const pool = await started();
    const [late, other] = [run(pool, { do: 'hang', marker: marker() }, { wallMs: 200 }), run(pool, { spinMs: 500 })];
    await sleep(100);
    process.kill(pool.pid!, 'SIGSTOP');
    expect(failure(await late)).toEqual({ kind: 'limit', message: 'wall: more than 0.2 s' });
    expect((await other).row.ok).toBe(true);
  });

  it('gives a job up that kills the executor alone, twice; its neighbour of the first death is not blamed', async () => {
    const pool = await started();
    const [killer, innocent] = await Promise.all([run(pool, { do: 'kill', spinMs: 50 }), run(pool, { spinMs: 200 })]);
    expect(failure(killer)).toEqual({ kind: 'crashed', message: 'its thread or its process died with it, 2 times' });
    expect(killer.facts.stack).toContain('executor died (signal SIGKILL) with 2 job(s) on it');
    expect(innocent.row.ok).toBe(true);
    expect(warnings).toHaveLength(3);
  });

  it('rejects when threads do not answer the self-test in time', async () => {
    const pool = make({ threadModule: sleepyThread, startMs: 300 });
    await expect(pool.run(baseJob(baseSpec(1)), null)).rejects.toThrow(/does not start.*no answer to the self-test within 300 ms/s);
  });

  it('does not wait for ever for a thread that does not come back, and does not blame the job', async () => {
    const pool = await started({ slots: 1, threadModule: lazyThread, startMs: 1_500 });
    const hang = join(tmpdir(), `spc-lazy-${process.pid}`);
    writeFileSync(hang, '');
    const done = await run(pool, { do: 'exit', marker: marker() }); // ends its thread; the next one hangs, the next executor is well
    expect(existsSync(hang)).toBe(false);
    expect(done.row.ok).toBe(true);
    expect(warnings.at(-1)).toMatch(/^the executor process died \(exit code 1\)/);
  });
});
