import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AgentBus, CoordinatorBus, Delivery, Malformed } from '../../src/bus/bus.ts';
import { failureRow, type Job, type JobResult } from '../../src/contract/job.ts';
import { baseJob, baseSpec, provenanceOf } from '../worker/fake/specs.ts';

/** What a bus is, whoever carries the messages. */
export interface Bus {
  readonly coordinator: CoordinatorBus;
  readonly agent: AgentBus;
  /** Of both sides. */
  close(): Promise<void>;
}

export const jobs = [1, 2, 3].map((seed) => baseJob(baseSpec(seed)));
export const [a, b] = jobs as [Job, Job, Job];

export const resultOf = (job: Job, message = 'no'): JobResult =>
  ({ kind: job.kind, row: failureRow(job, { kind: 'bug', message }), provenance: provenanceOf(job) }) as JobResult;

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** The first results, in the order in which they come. */
export async function take(coordinator: CoordinatorBus, count: number): Promise<Delivery[]> {
  const found: Delivery[] = [];
  for await (const delivery of coordinator.results()) {
    if ('malformed' in delivery) malformed.push(delivery);
    else if (found.push(delivery) === count) break;
  }
  return found;
}

/** What `take` met and passed over. */
export const malformed: Malformed[] = [];

/** One suite for every bus; leases last `leaseMs`. */
export function describeBus(name: string, leaseMs: number, make: () => Promise<Bus>): void {
  describe(name, () => {
    let bus: Bus;
    let coordinator: CoordinatorBus;
    let agent: AgentBus;
    beforeEach(async () => {
      bus = await make();
      ({ coordinator, agent } = bus);
    });
    afterEach(() => bus.close());
    const long = 20 * leaseMs;

    it('enqueue(job) takes a job once for as long as it is there', async () => {
      expect(await coordinator.enqueue(a)).toBe(true);
      expect(await coordinator.enqueue(a)).toBe(false);
      const lease = await agent.next(long);
      expect(await coordinator.enqueue(a)).toBe(false);
      expect(await coordinator.queued()).toEqual(new Set([a.id]));
      await lease!.complete(resultOf(a));
      expect(await coordinator.enqueue(a)).toBe(false);
      expect(await coordinator.queued()).toEqual(new Set([a.id]));
      await (await take(coordinator, 1))[0]!.ack();
      expect(await coordinator.queued()).toEqual(new Set());
      expect(await coordinator.enqueue(a)).toBe(true);
    });

    it('withdraw(ids) takes away what waits; whoever holds a job may finish it all the same', async () => {
      for (const job of jobs) await coordinator.enqueue(job);
      const lease = await agent.next(long);
      await coordinator.withdraw([a.id, b.id, 'nothing']);
      expect((await agent.next(long))?.job.id).toBe(jobs[2]!.id);
      expect(await lease!.complete(resultOf(a))).toBe('stored');
      expect((await take(coordinator, 1))[0]!.result).toEqual(resultOf(a));
      expect(await coordinator.enqueue(b)).toBe(true);
    });

    it('next(ms) hands jobs out in order, one at a time, and null when there is none', async () => {
      for (const job of jobs) await coordinator.enqueue(job);
      const leases = [await agent.next(long), await agent.next(long), await agent.next(long)];
      expect(leases.map((lease) => lease?.job)).toEqual(jobs);
      for (const lease of leases) await lease!.complete(resultOf(lease!.job));
      expect(await agent.next(10)).toBeNull();
    });

    it('next(ms) waits for a job that comes later', async () => {
      const pull = agent.next(long);
      await sleep(20);
      await coordinator.enqueue(b);
      expect((await pull)?.job.id).toBe(b.id);
    });

    it('results() waits for those that come later', async () => {
      const results = take(coordinator, 2);
      for (const job of [a, b]) {
        await coordinator.enqueue(job);
        await sleep(20);
        await (await agent.next(long))!.complete(resultOf(job));
      }
      expect((await results).map(({ result }) => result)).toEqual([resultOf(a), resultOf(b)]);
    });

    it('results() come again until they are acknowledged', async () => {
      await coordinator.enqueue(a);
      await (await agent.next(long))!.complete(resultOf(a));
      expect((await take(coordinator, 1))[0]!.result.row.id).toBe(a.id);
      const [again] = await take(coordinator, 1);
      expect(again!.result.row.id).toBe(a.id);
      await again!.ack();
      expect(await coordinator.queued()).toEqual(new Set());
    });

    it('gives a job to somebody else when its lease was not extended, and counts attempts', async () => {
      await coordinator.enqueue(a);
      const lost = await agent.next(long);
      const lease = await agent.next(long);
      expect([lost!.attempt, lease!.attempt]).toEqual([1, 2]);
      expect([await lost!.extend(), await lease!.extend()]).toEqual([false, true]);
      await lost!.release('too late'); // must not take it away from the one who has it
      expect(await lease!.extend()).toBe(true);
    });

    it('keeps a lease that is extended', async () => {
      await coordinator.enqueue(a);
      const lease = await agent.next(long);
      const heartbeat = setInterval(() => void lease!.extend(), leaseMs / 4);
      await sleep(3 * leaseMs);
      expect(await agent.next(1)).toBeNull();
      clearInterval(heartbeat);
      expect(await lease!.extend()).toBe(true);
    });

    it('lets the first writer win, and tells another row from the same', async () => {
      await coordinator.enqueue(a);
      const slow = await agent.next(long);
      const quick = await agent.next(long);
      expect(await slow!.complete(resultOf(a))).toBe('stored'); // its lease is lost, its row is as good as any
      expect(await quick!.complete(resultOf(a))).toBe('exists');
      expect(await quick!.complete(resultOf(a, 'other'))).toBe('conflict');
      expect((await take(coordinator, 1)).map((d) => d.result.row)).toEqual([resultOf(a).row]);
    });

    it('does not hand a job out again that a former holder finished', async () => {
      await coordinator.enqueue(a);
      const lost = await agent.next(long);
      await sleep(1.5 * leaseMs);
      await lost!.complete(resultOf(a));
      expect(await agent.next(10)).toBeNull();
    });

    it('release(reason) gives a job back, in front of the others', async () => {
      for (const job of jobs) await coordinator.enqueue(job);
      await (await agent.next(long))!.release('draining');
      const lease = await agent.next(long);
      expect([lease!.job.id, lease!.attempt]).toEqual([a.id, 2]);
    });

    it('drop() takes a job off the bus, and it can be given anew', async () => {
      for (const job of [a, b]) await coordinator.enqueue(job);
      await (await agent.next(long))!.drop();
      expect(await coordinator.queued()).toEqual(new Set([b.id]));
      expect([await coordinator.enqueue(a), await coordinator.enqueue(b)]).toEqual([true, false]);
    });

    it('drop() of a lease that was lost takes the job from nobody', async () => {
      await coordinator.enqueue(a);
      const lost = await agent.next(long);
      const lease = await agent.next(long);
      await lost!.drop();
      expect([await lease!.extend(), await coordinator.queued()]).toEqual([true, new Set([a.id])]);
    });

    it('close() ends every next at once, and results after what is finished', async () => {
      await coordinator.enqueue(a);
      const lease = await agent.next(long);
      const pull = agent.next(60_000);
      await lease!.complete(resultOf(a));
      await bus.close();
      expect(await pull).toBeNull();
      expect(agent.closed).toBe(true);
      const seen: string[] = [];
      for await (const one of coordinator.results()) seen.push('result' in one ? one.result.row.id : one.malformed);
      expect(seen).toEqual([a.id]);
      expect(await coordinator.enqueue(b)).toBe(false);
    });
  });
}
