import { Stream } from '../../src/math/rng/threefry.ts';
import { sleep } from '../cli/spc.ts';
import type { Site } from './site.ts';

/** One thing that goes wrong: when, ms after the start, and with whom. */
export interface Fault {
  readonly kind: 'kill worker' | 'stop worker' | 'kill server' | 'kill coordinator' | 'blackhole' | 'wipe';
  readonly atMs: number;
  readonly worker: number;
  /** Of a blackhole: its connections do not come back. */
  readonly cut: boolean;
}

/** How often each happens, and how long what it does lasts. */
const TABLE = {
  'kill worker': { everyMs: 2_500, forMs: 300 },
  'stop worker': { everyMs: 7_000, forMs: 6_000 },
  'kill server': { everyMs: 12_000, forMs: 1_000 },
  'kill coordinator': { everyMs: 9_000, forMs: 0 },
  blackhole: { everyMs: 17_000, forMs: 8_000 },
} as const;
const WIPE_AT_MS = 20_000;
const LONGEST_MS = 900_000;

export type Chance = () => number;

export function chanceOf(seed: number, what: number): Chance {
  const stream = new Stream(seed, what);
  return () => stream.uniform();
}

/** A function of the seed, for as long as no drill lasts. Each kind keeps its pace, a third of it by chance. */
export function faultsOf(seed: number, workers: number): Fault[] {
  const faults: Fault[] = [];
  for (const [i, kind] of (['kill worker', 'stop worker', 'kill server', 'kill coordinator', 'blackhole'] as const).entries()) {
    const chance = chanceOf(seed, i);
    const { everyMs } = TABLE[kind];
    for (let atMs = everyMs; atMs < LONGEST_MS; atMs += everyMs) {
      const late = Math.round((everyMs * chance()) / 3);
      faults.push({ kind, atMs: atMs + late, worker: Math.floor(workers * chance()), cut: chance() < 0.5 });
    }
  }
  faults.push({ kind: 'wipe', atMs: WIPE_AT_MS, worker: 0, cut: false });
  return faults.sort((a, b) => a.atMs - b.atMs);
}

/** Deals faults until `stop`, `pace` times as slowly; what had begun by then is brought to its end. Returns how many of each there were. */
export function deal(site: Site, faults: readonly Fault[], pace: number): { stop(): Promise<Record<string, number>> } {
  const dealt: Record<string, number> = {};
  const under = new Set<Promise<void>>();
  let over = false;
  let server = Promise.resolve(); // one life after the other
  const strike = async ({ kind, worker, cut }: Fault): Promise<boolean> => {
    const seat = site.seats[worker]!;
    if (kind === 'kill worker') return site.killWorker(seat, TABLE[kind].forMs);
    if (kind === 'stop worker') return site.freezeWorker(seat, TABLE[kind].forMs);
    if (kind === 'blackhole') return site.blackhole(seat, TABLE[kind].forMs, cut);
    if (kind === 'kill coordinator') return site.killCoordinator();
    server = server.then(() => site.killServer(TABLE['kill server'].forMs, { wipe: kind === 'wipe' }));
    await server;
    return true;
  };
  const dealing = (async () => {
    const startedAt = Date.now();
    for (const fault of faults) {
      while (!over && Date.now() - startedAt < pace * fault.atMs) await sleep(20);
      if (over) return;
      const work = strike(fault).then((did) => {
        if (did) dealt[fault.kind] = (dealt[fault.kind] ?? 0) + 1;
      });
      under.add(work);
      void work.finally(() => under.delete(work)).catch(() => {}); // seen by `stop`
    }
  })();
  return {
    stop: async () => {
      over = true;
      await dealing;
      await Promise.all(under);
      return dealt;
    },
  };
}
