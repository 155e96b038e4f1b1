import { describe, expect, it } from 'vitest';
import { Clock, type Stop } from '../../../src/bus/clock.ts';
import { type Client, NatsLink } from '../../../src/bus/nats/link.ts';
import { TransportError } from '../../../src/contract/errors.ts';

/** Time passes where somebody waits, and nowhere else. */
class Jumping extends Clock {
  #now = 0;
  now(): number {
    return this.#now;
  }
  after(ms: number, work: () => void): Stop {
    this.#now += Math.ceil(ms);
    queueMicrotask(work);
    return () => {};
  }
}

const silent = { nc: { isClosed: () => false, closed: () => new Promise(() => {}), status: () => [] } } as unknown as Client;

describe('NatsLink.retry(what, work)', () => {
  const tried = async (failsMs: number, patienceMs = 600_000): Promise<readonly [unknown, readonly string[]]> => {
    const [clock, said] = [new Jumping(), [] as string[]];
    const link = new NatsLink(silent, { name: 'test', warn: (message) => said.push(message), clock, patienceMs, random: () => 0.5 });
    const work = async (): Promise<string> => {
      if (clock.now() < failsMs) throw new Error('no space left');
      return 'done';
    };
    const ended = await link.retry('result of trial x', work).catch((error: unknown) => error);
    return [ended, said];
  };

  it('says nothing of what passes within five seconds', async () => {
    expect(await tried(4_900)).toEqual(['done', []]);
  });

  it('then says what it waits for and why, and once a minute from there on', async () => {
    const [ended, said] = await tried(200_000);
    expect(ended).toBe('done');
    expect(said).toHaveLength(4);
    expect(said[0]).toMatch(/^result of trial x: the broker has not taken it for [5-7] s \(no space left\); trying again$/);
    expect(said[3]).toMatch(/^result of trial x: the broker has not taken it for 1[89]\d s /);
  });

  it('ends with the same reason', async () => {
    const [ended] = await tried(Number.POSITIVE_INFINITY, 30_000);
    expect(ended).toBeInstanceOf(TransportError);
    expect((ended as Error).message).toBe(
      'result of trial x: the broker does not take it (no space left); the same command goes on from here',
    );
  });
});
