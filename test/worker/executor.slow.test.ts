import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { Job, TrainedRow } from '../../src/contract/job.ts';
import type { PoolOptions } from '../../src/worker/executor/pool.ts';
import type { Finished } from '../../src/worker/executor/protocol.ts';
import { brokenThread, ExecutorPool, fakeThread, lazyThread, sleepyThread } from './compiled.ts';
import { baseJob, baseSpec, type Deed, trialJob, trialSpec } from './fake/specs.ts';

type Pool = InstanceType<typeof ExecutorPool>;
const pools: Pool[] = [];
const warnings: string[] = [];
const make = (options: Partial<PoolOptions> = {}): Pool => {
  const pool = new ExecutorPool({ slots: 2, memoryMb: 64, threadModule: fakeThread, warn: (m) => warnings.push(m), ...options });
  pools.push(pool);
  return pool;
};
afterEach(() => {
  for (const pool of pools.splice(0)) pool.stop();
  warnings.length = 0;
});

const marker = (): string => join(mkdtempSync(join(tmpdir(), 'spc-')), 'marker');
let base: { row: TrainedRow; policy: Uint8Array };
const trained = async (pool: Pool): Promise<typeof base> => {
  const { row, files } = await pool.run(baseJob(baseSpec(1)), null);
  base = { row: row as TrainedRow, policy: files[0]![1] };
  return base;
};
const run = (pool: Pool, deed: Deed, strategy = 'none', wallMs: number | null = null): Promise<Finished> =>
  pool.run(trialJob(trialSpec(baseSpec(1), strategy, deed), base.row, wallMs), base.policy);
const failure = ({ row }: Finished) => (row.ok ? null : row.failure);

describe('ExecutorPool.run(job), on bad days', () => {
  it('calls exhausted memory a limit, whether the thread or the process died of it', async () => {
    const pool = make();
    await trained(pool);
    const done = await run(pool, { do: 'heap' });
    expect(failure(done)).toEqual({ kind: 'limit', message: 'memory: more than 64 MB of heap' });
    expect((await run(pool, {})).row.ok).toBe(true);
  });

  it.each(['sulk', 'hang'] as const)('stops a job at its wall limit, in words or by force (%s)', async (deed) => {
    const pool = make();
    await trained(pool);
    const [done, beside] = await Promise.all([run(pool, { do: deed }, 'none', 200), run(pool, { spinMs: 1500 })]);
    expect(failure(done)).toEqual({ kind: 'limit', message: 'wall: more than 0.2 s' });
    expect(beside.row.ok).toBe(true);
  });

  it('gives a job up that kills the executor alone, twice; its neighbour of the first death is not blamed', async () => {
    const pool = make();
    await trained(pool);
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
    const pool = make({ slots: 1, threadModule: lazyThread, startMs: 1_500 });
    await trained(pool);
    const hang = join(tmpdir(), `spc-lazy-${process.pid}`);
    writeFileSync(hang, '');
    const done = await run(pool, { do: 'exit', marker: marker() }); // ends its thread; the next one hangs, the next executor is well
    expect(existsSync(hang)).toBe(false);
    expect(done.row.ok).toBe(true);
    expect(warnings.at(-1)).toMatch(/^the executor process died \(exit code 1\)/);
  });
});
