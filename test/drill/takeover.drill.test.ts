import { join } from 'node:path';
import { describe, it } from 'vitest';
import { noServer } from '../bus/nats/servers.ts';
import { sleep, until } from '../cli/spc.ts';
import { drillFolder, linesOf, writeSweep } from './folder.ts';
import { reported, say } from './report.ts';
import { LEASE_MS, type Seat, Site } from './site.ts';

const KILLS = 12;
const BOUND_MS = LEASE_MS + 5_000;

/** Kills a worker that has just got a job. Returns after how many ms that job was given out again; null when its row came before the signal. */
async function takeover(site: Site, seat: Seat): Promise<number | null> {
  const before = site.given.length;
  const fresh = (): string | undefined => site.given.slice(before).find(({ seat: name }) => name === seat.name)?.id;
  await until(`${seat.name} has just got a job`, () => fresh() !== undefined, 60_000);
  const id = fresh()!;
  const killedAt = performance.now();
  const rehired = site.killWorker(seat);
  for (const end = killedAt + 3 * BOUND_MS; performance.now() < end; await sleep(10)) {
    const again = site.given.find((one) => one.id === id && one.at > killedAt);
    if (again) {
      await rehired;
      return again.at - killedAt;
    }
  }
  await rehired;
  const done = ['bases.jsonl', 'trials.jsonl'].some((name) =>
    linesOf(join(site.results, 'drill'), name).some((line) => (JSON.parse(line) as { id: string }).id === id),
  );
  if (done) return null;
  throw new Error(`job ${id} of ${seat.name} was not given out again within ${(3 * BOUND_MS) / 1000} s`);
}

describe.skipIf(noServer)('spc worker, killed with a job', () => {
  it('its job is with another within the lease and 5 s', async () => {
    const folder = drillFolder('takeover');
    const sweep = writeSweep(folder, 60); // more than will be done
    const took: number[] = [];
    await reported(
      folder,
      () => Site.start({ folder, sweep, workers: 3 }),
      async (site) => {
        const left = site.sweep().catch(() => {}); // in the middle
        await until('all workers have had jobs', () => new Set(site.given.map(({ seat }) => seat)).size === site.seats.length, 120_000);
        for (let i = 0; took.length < KILLS; i++) {
          const ms = await takeover(site, site.seats[i % site.seats.length]!);
          if (ms !== null) took.push(ms);
        }
        const wrong = await site.close();
        await left;
        took.sort((a, b) => a - b);
        const s = (ms = 0): string => `${(ms / 1000).toFixed(2)} s`;
        say(
          `takeover: lease ${s(LEASE_MS)}, ${took.length} kills; median ${s(took[took.length >> 1])}, least ${s(took[0])}, most ${s(took.at(-1))}`,
        );
        if (took.at(-1)! > BOUND_MS)
          wrong.push(`expected a killed worker's job with another within ${s(BOUND_MS)}: ${took.map(s).join(', ')}`);
        return wrong;
      },
    );
  });
});
