import { existsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { lazyThread, sleepyThread } from './compiled.ts';
import { baseJob, baseSpec } from './fake/specs.ts';
import { failure, make, marker, run, started, warnings } from './pools.ts';

describe('ExecutorPool.run(job), on bad days', { timeout: 60_000 }, () => {
  it('calls exhausted memory a limit, whether the thread or the process died of it', async () => {
    const pool = await started();
    const done = await run(pool, { do: 'heap' });
    expect(failure(done)).toEqual({ kind: 'limit', message: 'memory: more than 64 MB of heap' });
    expect((await run(pool, {})).row.ok).toBe(true);
  });

  it.each(['sulk', 'hang'] as const)('stops a job at its wall limit, in words or by force (%s)', async (deed) => {
    const pool = await started();
    const [done, beside] = await Promise.all([run(pool, { do: deed }, 200), run(pool, { spinMs: 1500 })]);
    expect(failure(done)).toEqual({ kind: 'limit', message: 'wall: more than 0.2 s' });
    expect(beside.row.ok).toBe(true);
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
