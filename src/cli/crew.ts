import { availableParallelism, hostname } from 'node:os';
import { resolve } from 'node:path';
import type { CoordinatorBus, Files } from '../bus/bus.ts';
import { LocalBus } from '../bus/local.ts';
import { NatsCoordinatorBus } from '../bus/nats/coordinator.ts';
import { NatsRoll } from '../bus/nats/roll.ts';
import { shortId } from '../contract/ids.ts';
import type { JobResult } from '../contract/job.ts';
import type { EngineName } from '../contract/spec.ts';
import type { Running } from '../coordinator/forecast.ts';
import { type Describe, FIRST_WINDOW, Presence } from '../coordinator/presence.ts';
import type { Schedule } from '../coordinator/schedule.ts';
import { Agent } from '../worker/agent/agent.ts';
import { ExecutorPool } from '../worker/executor/pool.ts';
import { type BrokerArguments, connectBroker, type Waiting } from './broker.ts';
import { many } from './text.ts';

/** Who computes for a coordinator, and how it speaks to them. */
export interface Crew {
  readonly bus: CoordinatorBus;
  /** Threads that are ours; 0 where others compute. */
  readonly slots: number;
  /** Jobs that are on the bus at once, to begin with. */
  readonly window: number;
  /** What it looks like from here, for the line of progress; empty where threads say it. */
  readonly others: () => string;
  /** From now on the schedule follows what is going on outside. */
  attend(schedule: Schedule, describe: Describe): void;
  row(result: JobResult): void;
  /** An identity that cannot be trusted. */
  hold(identity: string, reason: string): void;
  /** Jobs that can be computed at the same time as things are now; 0 where nobody computes, or nobody may. */
  threads(): number;
  /** Jobs that are being computed, as far as it is known here. */
  running(): readonly Running[];
  /** Resolves when nobody of ours computes any more. */
  work(): Promise<void>;
  /** Lets what is ours finish. Says in words what that means. */
  drain(): string;
  /** Ends what is ours at once. */
  stop(): void;
  close(): Promise<void>;
}

interface Local {
  readonly files: Files;
  readonly slots: number;
  readonly engines: readonly EngineName[];
  readonly numerics: string;
  readonly warn: (message: string) => void;
  readonly threadModule?: string;
}

/** This process's own threads, over the bus within it. */
export async function localCrew({ files, slots, engines, numerics, warn, threadModule }: Local): Promise<Crew> {
  const bus = new LocalBus(files);
  const pool = new ExecutorPool({ slots, engines, warn, ...(threadModule && { threadModule }) });
  const agent = new Agent({ bus, pool, numerics, warn });
  return {
    bus,
    slots,
    window: slots + 1, // none waits for the coordinator's disk, and bases of later seeds do not go before trials that can run
    others: () => '',
    attend: () => {},
    row: () => {},
    hold: () => {}, // our own threads have no name to be held by
    threads: () => Math.min(slots, availableParallelism()),
    running: () => pool.running,
    work: () => agent.run(),
    drain: () => {
      void agent.drain().then(() => bus.close());
      pool.drain();
      return `finishing what runs (${pool.busy} of ${slots} threads); once more to leave at once`;
    },
    stop: () => pool.stop(),
    close: async () => pool.stop(),
  };
}

interface Remote {
  readonly broker: BrokerArguments;
  readonly files: Files;
  /** Where the rows are. */
  readonly folder: string;
  readonly sweep: string;
  readonly weight: number;
  readonly wait: Waiting;
  readonly numerics: string;
  readonly warn: (message: string) => void;
  readonly cancelled: (reason: string) => void;
  readonly leaseMs?: number;
}

/** Whoever runs `spc worker` at this broker. */
export async function natsCrew({ broker, files, folder, sweep, weight, wait, numerics, warn, cancelled, ...lease }: Remote): Promise<Crew> {
  const link = await connectBroker({ ...broker, name: 'coordinator', warn, wait });
  const [key, cap] = [subjectName(sweep), capability(numerics)];
  const bus = await NatsCoordinatorBus.open(link, { cap, sweep: key, origin: files, ...lease }).catch(async (error) => {
    await link.close(); // a process with an open connection does not end
    throw error;
  });
  const origin = shortId([hostname(), resolve(folder)]);
  const me = { host: hostname().slice(0, 64), pid: process.pid, startedAt: new Date().toISOString() };
  const howToJoin = broker.creds === undefined ? `spc worker --nats ${link.nc.getServer()}` : 'spc worker --creds worker.creds';
  const who = { name: sweep, key, cap, origin, weight, ...me };
  const presence = await Presence.open({ roll: new NatsRoll(link, { mayMake: true }), who, warn, cancelled, howToJoin }).catch(
    async (error) => {
      await bus.close();
      await link.close();
      throw error;
    },
  );
  return {
    bus,
    slots: 0,
    window: FIRST_WINDOW,
    others: () => `${many(presence.workers.count, 'worker')}, ${many(presence.workers.slots, 'slot')}`,
    attend: (schedule, describe) => presence.attend(schedule, describe),
    row: (result) => presence.row(result),
    hold: (identity, reason) => presence.hold(identity, reason),
    threads: () => (presence.paused ? 0 : presence.workers.slots),
    running: () => presence.running,
    work: async () => {},
    drain: () => {
      void bus.close();
      return 'leaving; workers finish what they have, and the same command reads it';
    },
    stop: () => void bus.close(),
    close: async () => {
      await presence.close();
      await bus.close();
      await link.close();
    },
  };
}

/** Workers take jobs of their own code alone. */
export const capability = (numerics: string): string => `cpu-${numerics.slice(0, 12)}`;

/** A sweep's name as a subject may have it, and never that of another sweep. */
const subjectName = (name: string): string =>
  `${name
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]/g, '-')
    .slice(0, 40)}-${shortId(name)}`;
