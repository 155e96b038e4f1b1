import { beforeEach, describe, expect, it } from 'vitest';
import type { AgentBus, Completion, Files } from '../../src/bus/bus.ts';
import { LocalBus } from '../../src/bus/local.ts';
import { AbortedError, ContentError, TransportError } from '../../src/contract/errors.ts';
import { contentDigest } from '../../src/contract/ids.ts';
import { failureRow, type Job, type JobResult, type TrainedRow } from '../../src/contract/job.ts';
import { Agent } from '../../src/worker/agent/agent.ts';
import type { ExecutorPool, RunOptions } from '../../src/worker/executor/pool.ts';
import type { Facts, Finished } from '../../src/worker/executor/protocol.ts';
import { baseJob, baseSpec, trialJob, trialSpec } from './fake/specs.ts';

const facts: Facts = { node: 'v20', engine: 'wasm 1', startedAt: 'now', wallMs: 1, phasesMs: { train: 1 } };
const bytes = new Uint8Array([1, 2, 3]);
const policy = contentDigest(bytes);
const [one, two] = [baseJob(baseSpec(1)), baseJob(baseSpec(2))] as const;
const trainedRow = (job: Job): TrainedRow => ({ id: job.id, spec: job.spec, ok: true, result: { policy } }) as unknown as TrainedRow;
const trained = (job: Job): Finished => ({ row: trainedRow(job), files: [['policies', bytes]], facts });
const until = async (isSo: () => boolean): Promise<void> => {
  for (let i = 0; i < 500 && !isSo(); i++) await sleep(10);
  expect(isSo()).toBe(true);
};
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

let stored: Map<string, Uint8Array>;
let bus: LocalBus;
let warnings: string[];
beforeEach(() => {
  stored = new Map();
  const files: Files = {
    put: async (kind, content) => {
      const digest = contentDigest(content);
      stored.set(`${kind}/${digest}`, content);
      return digest;
    },
    get: async (kind, digest) => {
      const found = stored.get(`${kind}/${digest}`);
      if (!found) throw new Error(`${kind}/${digest}: not there`);
      return found;
    },
    has: async (kind, digest) => stored.has(`${kind}/${digest}`),
  };
  bus = new LocalBus(files, { leaseMs: 80 });
  warnings = [];
});

type Run = (job: Job, policy: Uint8Array | null, options: RunOptions) => Promise<Finished>;
const make = (run: Run, slots = 1) => {
  const pool = { slots, run, stop: () => {} } as unknown as ExecutorPool;
  return new Agent({ bus, pool, numerics: 'n1', warn: (message) => warnings.push(message) });
};
const firstResult = async (): Promise<JobResult> => {
  for await (const { result } of bus.results()) return result;
  throw new Error('the bus was closed');
};

describe('Agent.run()', () => {
  it('puts the files before the row, and adds what it knows to provenance', async () => {
    await bus.enqueue(one);
    const agent = make(async (job) => trained(job));
    const working = agent.run();
    const { row, provenance } = await firstResult();
    expect(row).toEqual(trainedRow(one));
    expect([...stored.keys()]).toEqual([`policies/${policy}`]);
    expect(provenance).toMatchObject({ id: one.id, kind: 'base', ok: true, attempt: 1, numerics: 'n1', ...facts });
    expect(provenance.host).toMatch(/^[a-z2-7]{8}$/);
    await bus.close();
    await working;
  });

  it('says with the numbers that a file is larger than its bus takes, and sends nothing of it', async () => {
    Object.assign(bus.files, { mostBytes: 2 });
    await bus.enqueue(one);
    const working = make(async (job) => trained(job)).run();
    const { row, provenance } = await firstResult();
    const message = 'policies: expected at most 2 bytes, which is what goes through a broker, got 3; run it without one';
    expect([row, provenance.ok, stored.size]).toEqual([failureRow(one, { kind: 'limit', message }), false, 0]);
    await bus.close();
    await working;
  });

  it('takes one check beside its jobs, more only where threads are free, and none while it is held', async () => {
    const checks = Array.from({ length: 4 }, (_, i) => baseJob(baseSpec(10 + i)));
    const own = new LocalBus(bus.files, { leaseMs: 5_000 });
    for (const job of checks) await own.enqueue(job);
    await bus.enqueue(one);
    let [running, most] = [0, 0];
    const begun: string[] = [];
    const holds = new Map<string, () => void>();
    const run: Run = async (job) => {
      begun.push(job.id);
      most = Math.max(most, ++running);
      await new Promise<void>((resolve) => holds.set(job.id, resolve));
      running--;
      return trained(job);
    };
    const pool = { slots: 1, run, stop: () => {} } as unknown as ExecutorPool;
    const both: AgentBus = {
      files: bus.files,
      leaseMs: 5_000,
      get closed() {
        return bus.closed;
      },
      next: (ms) => bus.next(ms),
      nextCheck: (ms) => own.next(ms),
    };
    const agent = new Agent({ bus: both, pool, numerics: 'n1' });
    const working = agent.run();
    await until(() => begun.length === 2);
    await sleep(400);
    expect([begun.toSorted(), most]).toEqual([[one.id, checks[0]!.id].toSorted(), 2]);
    agent.held = true;
    for (const id of begun) holds.get(id)!();
    await sleep(400);
    expect(begun).toHaveLength(2);
    agent.held = false;
    for (let i = 3; i <= 5; i++) {
      await until(() => begun.length === i);
      holds.get(begun.at(-1)!)!();
    }
    expect(most).toBe(2);
    await bus.close();
    await own.close();
    await working;
  });

  it('gives back and tries again what the network prevented', async () => {
    const trial = trialJob(trialSpec(baseSpec(1)), trainedRow(one));
    await bus.enqueue(trial);
    const get = bus.files.get;
    bus.files.get = async () => {
      bus.files.get = get;
      await bus.files.put('policies', bytes);
      throw new TransportError('policy: expected it in the broker');
    };
    const working = make(async (job) => ({ ...trained(job), row: failureRow(job, { kind: 'bug', message: 'no' }), files: [] })).run();
    expect((await firstResult()).provenance.attempt).toBe(2);
    expect(warnings).toEqual(['policy: expected it in the broker']);
    await bus.close();
    await working;
  });

  it('drops a trial whose base the bus has lost, for the coordinator to give both anew; the jobs behind it go on', async () => {
    bus.files.get = async () => {
      throw new ContentError('policy: expected it in the broker, found nothing', false);
    };
    await bus.enqueue(trialJob(trialSpec(baseSpec(1)), trainedRow(one)));
    await bus.enqueue(two);
    const working = make(async (job) => trained(job)).run();
    expect((await firstResult()).row.id).toBe(two.id);
    expect(await bus.queued()).toEqual(new Set([two.id]));
    expect(warnings).toEqual(['policy: expected it in the broker, found nothing']);
    await bus.close();
    await working;
  });

  it('fetches the policy of a trial’s base by its digest', async () => {
    const trial = trialJob(trialSpec(baseSpec(1)), trainedRow(one));
    await bus.files.put('policies', bytes);
    await bus.enqueue(trial);
    let given: Uint8Array | null = null;
    const agent = make(async (job, content) => {
      given = content;
      return { row: failureRow(job, { kind: 'bug', message: 'no' }), files: [], facts };
    });
    const working = agent.run();
    await firstResult();
    expect(given).toEqual(bytes);
    await bus.close();
    await working;
  });

  it('keeps the lease of a long job', async () => {
    await bus.enqueue(one);
    let runs = 0;
    const working = make(async (job) => {
      runs++;
      await sleep(300);
      return trained(job);
    }, 2).run();
    expect((await firstResult()).provenance.attempt).toBe(1);
    expect(runs).toBe(1);
    await bus.close();
    await working;
  });

  it('sounds the alarm when somebody else was first, with a different row', async () => {
    await bus.enqueue(one);
    const lost = await bus.next(10);
    await sleep(100); // its lease is over
    const working = make(async (job) => {
      await lost?.complete({ kind: 'base', row: failureRow(job, { kind: 'bug', message: 'no' }) } as JobResult);
      return trained(job);
    }).run();
    await firstResult();
    await sleep(10);
    expect(warnings).toEqual([`determinism alarm: base ${one.id} was computed twice, with different rows`]);
    await bus.close();
    await working;
  });

  it('rejects at once, and gives the job back, when files cannot be had or are not those of the row', async () => {
    await bus.enqueue(trialJob(trialSpec(baseSpec(1)), trainedRow(one)));
    await expect(make(async (job) => trained(job)).run()).rejects.toThrow(`policies/${policy}: not there`);
    expect((await bus.next(10))?.attempt).toBe(2);
    await bus.enqueue(two);
    const other: Run = async (job) => ({ ...trained(job), files: [['policies', new Uint8Array([9])]] });
    await expect(make(other).run()).rejects.toThrow(`base ${two.id}: expected the file policies/${policy}, the job made another`);
  });

  it('drain() finishes what runs and takes nothing more', async () => {
    await bus.enqueue(one);
    await bus.enqueue(two);
    const done: string[] = [];
    const agent = make(async (job) => {
      await sleep(100);
      done.push(job.id);
      return trained(job);
    });
    const working = agent.run();
    await sleep(20);
    await agent.drain();
    expect(done).toEqual([one.id]);
    await working;
    expect((await bus.next(10))?.job.id).toBe(two.id);
  });

  it.each([
    ['while it computes', async (): Promise<Finished> => sleep(60_000).then(() => trained(one)), 'stored' as const],
    ['while it waits for a broker to take its row', async () => trained(one), null],
  ])('drain() does not wait for a job that is lost to others, %s', async (_, compute, completion) => {
    await bus.enqueue(one);
    const lease = (await bus.next(10))!;
    const never = new Promise<Completion>(() => {});
    const lost = { ...lease, job: one, sweep: '', attempt: 1, extend: async () => false, release: async () => {} };
    bus.next = async () => ({ ...lost, complete: () => (completion === null ? never : Promise.resolve(completion)), drop: async () => {} });
    const agent = make(async (_job, _policy, { signal }) => {
      const aborted = new Promise<never>((_resolve, reject) =>
        signal?.addEventListener('abort', () => reject(new AbortedError('told to'))),
      );
      return Promise.race([compute(), aborted]);
    });
    const working = agent.run();
    await sleep(60); // the lease is extended every 20 ms: it is known to be lost
    const since = performance.now();
    await agent.drain();
    await working;
    expect(performance.now() - since).toBeLessThan(1_000);
  });

  it('gives back what comes too late for a drain', async () => {
    const agent = make(async (job) => trained(job));
    const working = agent.run(); // waits for a job
    await agent.drain();
    await bus.enqueue(one);
    await working;
    expect((await bus.next(10))?.job.id).toBe(one.id);
  });

  it('stop() gives back what runs, uncharged by a row', async () => {
    await bus.enqueue(one);
    const agent = make(async (job) => {
      await sleep(50);
      throw new AbortedError(`job ${job.id}: the executor was stopped`);
    });
    const working = agent.run();
    await sleep(10);
    agent.stop();
    await working;
    expect((await bus.next(10))?.attempt).toBe(2);
  });
});

describe('Agent, told what is wanted', () => {
  it('held takes nothing, finishes what it runs, and goes on when it is not any more', async () => {
    let finish: () => void = () => {};
    const agent = make(async (job) => {
      if (job === one)
        await new Promise<void>((resolve) => {
          finish = resolve;
        });
      return trained(job);
    });
    await bus.enqueue(one);
    await bus.enqueue(two);
    const working = agent.run();
    await sleep(20);
    agent.held = true;
    expect(agent.serving.map(({ lease }) => lease.job)).toEqual([one]);
    finish();
    expect((await firstResult()).row.id).toBe(one.id);
    await sleep(100);
    expect([agent.serving, agent.tally]).toEqual([[], { done: 1, failed: 0 }]);
    agent.held = false;
    while (agent.tally.done < 2) await sleep(10);
    await bus.close();
    await working;
  });

  it('cancel(sweep) ends what runs of it, and nothing else', async () => {
    const run: Run = (job, _, { signal }) =>
      new Promise((resolve, reject) => {
        signal?.addEventListener('abort', () => reject(new AbortedError('unwanted')));
        if (job === two) setTimeout(() => resolve(trained(job)), 60);
      });
    const agent = make(run, 2);
    await bus.enqueue(one);
    await bus.enqueue(two);
    const next = bus.next.bind(bus);
    bus.next = async (ms) => {
      const lease = await next(ms);
      return lease && { ...lease, sweep: lease.job === one ? 'unwanted' : 'wanted' };
    };
    const working = agent.run();
    await sleep(20);
    bus.next = async () => sleep(5).then(() => null);
    agent.cancel('unwanted');
    await sleep(100);
    expect(await bus.queued()).toEqual(new Set([one.id, two.id])); // given back, and finished
    expect(agent.tally).toEqual({ done: 1, failed: 0 });
    await bus.close();
    await working;
  });

  it('runs alone what was handed out three times, and at the tenth says that it is poison', async () => {
    const asked: (boolean | undefined)[] = [];
    const agent = make(async (_, __, { alone }) => {
      asked.push(alone);
      throw new AbortedError('its worker died');
    });
    await bus.enqueue(one);
    const working = agent.run();
    const { row, provenance } = await firstResult();
    expect(asked).toEqual([false, false, ...Array<boolean>(7).fill(true)]);
    expect(row).toEqual(failureRow(one, { kind: 'crashed', message: 'handed out 9 times, and never finished' }));
    expect(provenance.attempt).toBe(10);
    await bus.close();
    await working;
  });
});
