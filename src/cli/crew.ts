import type { CoordinatorBus, Files } from '../bus/bus.ts';
import { LocalBus } from '../bus/local.ts';
import { NatsCoordinatorBus } from '../bus/nats/coordinator.ts';
import { NatsLink } from '../bus/nats/link.ts';
import { isLoopback } from '../bus/nats/version.ts';
import { ConfigError } from '../contract/errors.ts';
import { shortId } from '../contract/ids.ts';
import { Agent } from '../worker/agent/agent.ts';
import { ExecutorPool } from '../worker/executor/pool.ts';

/** Who computes for a coordinator, and how it speaks to them. */
export interface Crew {
  readonly bus: CoordinatorBus;
  /** Threads that are ours; 0 where others compute. */
  readonly slots: number;
  /** Jobs that are on the bus at once. */
  readonly window: number;
  threads(): { readonly busy: number; readonly done: number };
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
  readonly numerics: string;
  readonly warn: (message: string) => void;
  readonly threadModule?: string;
}

/** This process's own threads, over the bus within it. */
export async function localCrew({ files, slots, numerics, warn, threadModule }: Local): Promise<Crew> {
  const bus = new LocalBus(files);
  const pool = new ExecutorPool({ slots, warn, ...(threadModule && { threadModule }) });
  const agent = new Agent({ bus, pool, numerics, warn });
  return {
    bus,
    slots,
    window: slots + 1, // none waits for the coordinator's disk, and bases of later seeds do not go before trials that can run
    threads: () => ({ busy: pool.busy, done: pool.progress }),
    work: () => agent.run(),
    drain: () => {
      void agent.drain().then(() => bus.close());
      return `finishing what runs (${pool.busy} of ${slots} threads); once more to leave at once`;
    },
    stop: () => pool.stop(),
    close: async () => pool.stop(),
  };
}

/** Jobs in the broker: enough for the workers of a few machines, few enough that the order holds. */
const NATS_WINDOW = 64;

interface Remote {
  readonly url: string;
  readonly files: Files;
  readonly sweep: string;
  readonly numerics: string;
  readonly warn: (message: string) => void;
}

/** Whoever runs `spc worker` at this broker. */
export async function natsCrew({ url, files, sweep, numerics, warn }: Remote): Promise<Crew> {
  const link = await NatsLink.connect({ url: expectLoopback(url), name: 'coordinator', warn });
  const bus = await NatsCoordinatorBus.open(link, { cap: capability(numerics), sweep: subjectName(sweep), origin: files });
  return {
    bus,
    slots: 0,
    window: NATS_WINDOW,
    threads: () => ({ busy: 0, done: 0 }),
    work: async () => {},
    drain: () => {
      void bus.close();
      return 'leaving; workers finish what they have, and the same command reads it';
    },
    stop: () => void bus.close(),
    close: async () => {
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

/** Without keys and TLS a broker is a matter of one machine. */
export function expectLoopback(url: string): string {
  const written = /^\w+:\/\//.test(url) ? url : `nats://${url}`;
  if (!URL.canParse(written) || new URL(written).hostname === '')
    throw new ConfigError(`--nats: expected an address such as nats://127.0.0.1:4222, got ${url}`);
  const { hostname, protocol } = new URL(written);
  if (protocol !== 'nats:') throw new ConfigError(`--nats: expected nats://, got ${url}`);
  if (isLoopback(hostname)) return written;
  throw new ConfigError(
    `--nats: expected a broker on this machine, got ${hostname}; others need keys and TLS, which are not there yet: take an ssh tunnel to a loopback port`,
  );
}
