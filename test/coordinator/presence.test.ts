import { describe, expect, it } from 'vitest';
import type { Roll } from '../../src/bus/bus.ts';
import { Clock, type Stop } from '../../src/bus/clock.ts';
import type { Seen, SweepCard, WorkerCard } from '../../src/contract/cards.ts';
import type { JobResult } from '../../src/contract/job.ts';
import { Presence } from '../../src/coordinator/presence.ts';
import type { Schedule } from '../../src/coordinator/schedule.ts';

/** Time that passes when it is told to. */
class Told extends Clock {
  #now = 0;
  #due: { at: number; work: () => void }[] = [];
  now(): number {
    return this.#now;
  }
  after(ms: number, work: () => void): Stop {
    const one = { at: this.#now + ms, work };
    this.#due.push(one);
    return () => {
      this.#due = this.#due.filter((other) => other !== one);
    };
  }
  async pass(ms: number): Promise<void> {
    for (const end = this.#now + ms; this.#now < end; ) {
      this.#now += 500;
      const due = this.#due.filter(({ at }) => at <= this.#now);
      this.#due = this.#due.filter(({ at }) => at > this.#now);
      for (const { work } of due) work();
      for (let i = 0; i < 40; i++) await Promise.resolve(); // what it began
    }
  }
}

const worker = (change: Partial<Seen<WorkerCard>> = {}): Seen<WorkerCard> => ({
  ...{ v: 1, id: 'worker-1.ab', host: 'h', label: null, pid: 1, cap: 'cpu-1', node: 'v20', startedAt: 'now', slots: 2 },
  ...{ state: 'working', reason: '', done: 0, failed: 0, running: [], silentMs: 1_000 },
  ...change,
});

async function attending(workers: Seen<WorkerCard>[]) {
  const [clock, said, cards] = [new Told(), [] as string[], [] as SweepCard[]];
  const roll = {
    claimSweep: async () => null,
    showSweep: async (card: SweepCard) => void cards.push(card),
    hideSweep: async () => {},
    wish: async () => null,
    held: async () => new Set<string>(),
    workers: async () => workers,
    sweeps: async () => [],
    onWish: () => () => {},
  } as unknown as Roll;
  const tally = { trials: 9, bases: 1, done: { trial: 2, base: 1 }, failed: { trial: 0, base: 0 } };
  const present: unknown[] = [];
  const schedule = {
    ...{ tally, window: 8, queued: 4, complete: false, distrust: () => {}, resize: async () => {} },
    present: async (them: unknown) => void present.push(them),
  } as unknown as Schedule;
  const presence = await Presence.open({
    ...{ roll, clock, warn: (message) => said.push(message), cancelled: () => {}, howToJoin: 'spc worker --creds worker.creds' },
    who: { name: 'mine', key: 'k', cap: 'cpu-1', origin: 'o', host: 'h', pid: 1, startedAt: 'now', weight: 1 },
  });
  presence.attend(schedule, {
    left: () => ({ ms: 60_000, atLeast: true }),
    nameOf: (ids) => new Map([...ids].map((id) => [id, `arm of ${id}`])),
  });
  return { clock, said, cards, present, presence };
}

describe('Presence of a coordinator', () => {
  it('says once how a worker joins when nobody computes, and again when all have left', async () => {
    const workers: Seen<WorkerCard>[] = [];
    const { clock, said, presence } = await attending(workers);
    await clock.pass(3_000);
    expect(said).toEqual([]); // they show themselves within seconds
    await clock.pass(60_000);
    expect(said).toEqual(['no worker computes mine; one joins with: spc worker --creds worker.creds']);
    workers.push(worker());
    await clock.pass(10_000);
    workers.splice(0);
    await clock.pass(10_000);
    expect(said).toHaveLength(2);
    await presence.close();
  });

  it('says why those that are there take none of its jobs', async () => {
    const { clock, said, presence } = await attending([
      worker({ cap: 'cpu-2' }),
      worker({ id: 'worker-2.ab', state: 'drained' }),
      worker({ id: 'worker-3.ab', silentMs: 20_000 }),
    ]);
    await clock.pass(10_000);
    expect(said[0]).toMatch(
      /; 1 worker\(s\) of other code or other engines are there, .* --engine; 1 worker\(s\) are drained or held: .*; one joins with: /,
    );
    await presence.close();
  });

  it('shows how fast it goes, what is left and what runs, and tells the schedule who could check', async () => {
    const running = [{ sweep: 'k', kind: 'trial' as const, id: 'abc', attempt: 1, seconds: 3, share: 0.5 }];
    const { clock, cards, present, presence } = await attending([
      worker({ running, cpu: 'c' }),
      worker({ id: 'gone.ab', silentMs: 13_000 }),
    ]);
    for (let i = 0; i < 6; i++) presence.row({ provenance: { attempt: 1, wallMs: 10 } } as JobResult);
    await clock.pass(20_000);
    expect(cards.at(-1)).toMatchObject({ perMinute: 18, left: { ms: 60_000, atLeast: true }, names: [{ id: 'abc', name: 'arm of abc' }] });
    expect(present.at(-1)).toEqual([{ identity: 'worker-1', cpu: 'c', node: 'v20' }]);
    await presence.close();
  });
});
