import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import type { Limits, TrainedRow } from '../../src/contract/job.ts';
import type { PoolOptions, RunOptions } from '../../src/worker/executor/pool.ts';
import type { Finished } from '../../src/worker/executor/protocol.ts';
import { ExecutorPool, fakeThread } from './compiled.ts';
import { baseJob, baseSpec, type Deed, trialJob, trialSpec } from './fake/specs.ts';

export type Pool = InstanceType<typeof ExecutorPool>;

const pools: Pool[] = [];
let base: { row: TrainedRow; policy: Uint8Array };

/** What the pools of a test said. */
export const warnings: string[] = [];

afterEach(() => {
  for (const pool of pools.splice(0)) pool.stop();
  warnings.length = 0;
});

/** A pool of fake threads, stopped after the test. */
export function make(options: Partial<PoolOptions> = {}): Pool {
  const pool = new ExecutorPool({ slots: 2, memoryMb: 64, threadModule: fakeThread, warn: (m) => warnings.push(m), ...options });
  pools.push(pool);
  return pool;
}

/** A pool with a base that `run` can start from. */
export async function started(options: Partial<PoolOptions> = {}): Promise<Pool> {
  const pool = make(options);
  const { row, files } = await pool.run(baseJob(baseSpec(1)), null);
  base = { row: row as TrainedRow, policy: files[0]![1] };
  return pool;
}

/** A trial that does this. */
export const run = (pool: Pool, deed: Deed, limits: Partial<Limits> = {}, options: RunOptions = {}): Promise<Finished> =>
  pool.run(trialJob(trialSpec(baseSpec(1), 'none', deed), base.row, limits), base.policy, options);

export const failure = ({ row }: Finished) => (row.ok ? null : row.failure);

/** A file that is not there yet: for deeds that are done once. */
export const marker = (): string => join(mkdtempSync(join(tmpdir(), 'spc-')), 'marker');
