import { beforeEach, describe, expect, it } from 'vitest';
import type { Delivery, Files } from '../../src/bus/bus.ts';
import { LocalBus } from '../../src/bus/local.ts';
import { failureRow, type Job, type JobResult } from '../../src/contract/job.ts';
import type { Provenance } from '../../src/contract/rows.ts';
import { baseJob, baseSpec } from '../worker/fake/specs.ts';

const noFiles: Files = {
  put: () => Promise.reject(new Error('no files here')),
  get: () => Promise.reject(new Error('no files here')),
  has: () => Promise.resolve(false),
};
const jobs = [1, 2, 3].map((seed) => baseJob(baseSpec(seed)));
const [a, b, c] = jobs as [Job, Job, Job];
const resultOf = (job: Job, message = 'no'): JobResult =>
  ({ kind: job.kind, row: failureRow(job, { kind: 'bug', message }), provenance: {} as Provenance }) as JobResult;
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe('LocalBus', () => {
  let bus: LocalBus;
  beforeEach(() => {
    bus = new LocalBus(noFiles, { leaseMs: 60 });
  });
  const results = async (count: number): Promise<Delivery[]> => {
    const found: Delivery[] = [];
    for await (const delivery of bus.results()) if (found.push(delivery) === count) break;
    return found;
  };

  it('enqueue(job) takes a job once for as long as it is there', async () => {
    expect(await bus.enqueue(a)).toBe(true);
    expect(await bus.enqueue(a)).toBe(false);
    const lease = await bus.next(10);
    expect(await bus.enqueue(a)).toBe(false);
    await lease!.complete(resultOf(a));
    expect(await bus.enqueue(a)).toBe(false);
    await (await results(1))[0]!.ack();
    expect(await bus.queued()).toEqual(new Set());
    expect(await bus.enqueue(a)).toBe(true);
  });

  it('next(ms) hands jobs out in order, one at a time, and null when there is none', async () => {
    for (const job of jobs) await bus.enqueue(job);
    const ids = [await bus.next(10), await bus.next(10), await bus.next(10)].map((lease) => lease?.job.id);
    expect(ids).toEqual(jobs.map((job) => job.id));
    expect(await bus.next(10)).toBeNull();
  });

  it('next(ms) waits for a job that comes later', async () => {
    const pull = bus.next(5_000);
    await bus.enqueue(b);
    expect((await pull)?.job.id).toBe(b.id);
  });

  it('results() come again until they are acknowledged', async () => {
    await bus.enqueue(a);
    await (await bus.next(10))!.complete(resultOf(a));
    expect((await results(1))[0]!.result.row.id).toBe(a.id);
    const [again] = await results(1);
    expect(again!.result.row.id).toBe(a.id);
    await again!.ack();
    expect(await bus.queued()).toEqual(new Set());
  });

  it('gives a job to somebody else when its lease was not extended, and counts attempts', async () => {
    await bus.enqueue(a);
    const lost = await bus.next(10);
    const lease = await bus.next(1_000);
    expect([lost!.attempt, lease!.attempt]).toEqual([1, 2]);
    expect([await lost!.extend(), await lease!.extend()]).toEqual([false, true]);
    await lost!.release('too late'); // must not take it away from the one who has it
    expect(await lease!.extend()).toBe(true);
  });

  it('keeps a lease that is extended', async () => {
    await bus.enqueue(a);
    const lease = await bus.next(10);
    for (let i = 0; i < 5; i++) {
      await sleep(30);
      expect(await lease!.extend()).toBe(true);
    }
    expect(await bus.next(1)).toBeNull();
  });

  it('lets the first writer win, and tells another row from the same', async () => {
    await bus.enqueue(a);
    const slow = await bus.next(10);
    const quick = await bus.next(1_000);
    expect(await slow!.complete(resultOf(a))).toBe('stored'); // its lease is lost, its row is as good as any
    expect(await quick!.complete(resultOf(a))).toBe('exists');
    expect(await quick!.complete(resultOf(a, 'other'))).toBe('conflict');
    expect((await results(1)).map((d) => d.result.row)).toEqual([resultOf(a).row]);
  });

  it('does not hand a job out again that a former holder finished', async () => {
    await bus.enqueue(a);
    const lost = await bus.next(10);
    await sleep(100);
    await lost!.complete(resultOf(a));
    expect(await bus.next(10)).toBeNull();
  });

  it('release(reason) gives a job back, in front of the others', async () => {
    for (const job of [a, b, c]) await bus.enqueue(job);
    await (await bus.next(10))!.release('draining');
    const lease = await bus.next(10);
    expect([lease!.job.id, lease!.attempt]).toEqual([a.id, 2]);
  });

  it('close() ends every next at once, and results after what is finished', async () => {
    await bus.enqueue(a);
    const lease = await bus.next(10);
    const pull = bus.next(60_000);
    await lease!.complete(resultOf(a));
    await bus.close();
    expect(await pull).toBeNull();
    expect(bus.closed).toBe(true);
    const seen: string[] = [];
    for await (const { result } of bus.results()) seen.push(result.row.id);
    expect(seen).toEqual([a.id]);
    expect(await bus.enqueue(b)).toBe(false);
  });
});
