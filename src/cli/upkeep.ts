import { readdir, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Guard, type GuardOptions } from '../bus/nats/guard.ts';
import type { NatsLink } from '../bus/nats/link.ts';
import { probeWrites } from '../bus/nats/streams.ts';

/** What `spc serve` does for a server that runs: sees that nobody fills it, that it takes work, and how much of the disk it may take. */

const GUARD_MS = 1_000;
const PROBE_MS = 3_000;
const SAY_MS = 60_000;
/** With less free bytes than that a disk is full. */
const LEAST_FREE = 16 * 1024 * 1024;
/** Of what is free on the disk; the rest is left for others. */
const SHARE = 0.8;

/** Looks every second who fills the broker, until the signal. What fails is tried again: the server may be away. */
export async function guard(link: Promise<NatsLink>, options: GuardOptions, leave: AbortSignal): Promise<void> {
  const its = await link.then(
    (one) => new Guard(one, options),
    () => null,
  );
  while (its !== null && !leave.aborted) {
    await its.look().catch(() => {});
    await sleep(GUARD_MS, undefined, { signal: leave }).catch(() => {});
  }
}

/** A probe that rejects when a new start of the server may help. With a full disk none does: that is said, once a minute. */
export function wellness(link: Promise<NatsLink>, store: string, say: (message: string) => void): () => Promise<void> {
  let saidAt = Number.NEGATIVE_INFINITY;
  return async () => {
    const its = await link;
    await its.jsm.getAccountInfo();
    try {
      await probeWrites(its, PROBE_MS);
    } catch (error) {
      const { bavail, bsize } = await statfs(store);
      if (bavail * bsize > LEAST_FREE) throw error;
      if (performance.now() - saidAt < SAY_MS) return;
      saidAt = performance.now();
      say(`store: the disk of ${store} is full; make room, and what waits goes on`);
    }
  };
}

/** Bytes that streams may take: a share of what is free, and what they have already. */
export async function roomFor(store: string): Promise<number> {
  const { bavail, bsize } = await statfs(store);
  const names = await readdir(store, { recursive: true });
  const sizeOf = (name: string): Promise<number> =>
    stat(join(store, name)).then(
      ({ size }) => size,
      () => 0, // gone meanwhile
    );
  const sizes = await Promise.all(names.map(sizeOf));
  return Math.floor(SHARE * bavail * bsize) + sizes.reduce((sum, size) => sum + size, 0);
}
