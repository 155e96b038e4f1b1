import { JetStreamApiError, type JetStreamClient, type JetStreamManager, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { type ConnectionOptions, connect, errors, type NatsConnection } from '@nats-io/transport-node';
import type { Credentials } from '../../contract/credentials.ts';
import { ConfigError, ContentError, TransportError } from '../../contract/errors.ts';
import { HostError } from '../../contract/host.ts';
import { type Clock, systemClock } from '../clock.ts';
import { greet, listen } from './greet.ts';
import { apiOf, identity, isNoTls, refusal } from './security/join.ts';
import { isLoopback, judgeVersion } from './version.ts';

/** The parts of a client over one connection. */
export interface Client {
  readonly nc: NatsConnection;
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
}

export interface PatienceOptions {
  /** Under which this end writes, where that is limited to one. */
  readonly name: string;
  readonly warn?: (message: string) => void;
  /** How long what fails is tried again before it is a TransportError. A broker may be away for so long. */
  readonly patienceMs?: number;
  readonly clock?: Clock;
  /** Uniform in [0, 1): how pauses are spread. */
  readonly random?: () => number;
}

export interface LinkOptions extends PatienceOptions {
  /** `nats://host:port`. */
  readonly url: string;
  /** With them the connection is TLS from its first byte, and their name is the one that counts. */
  readonly credentials?: Credentials | null;
  /** How often a silent server is asked for a sign of life; after two without one the connection is given up and made anew. */
  readonly pingMs?: number;
  /** How long one request may go unanswered. */
  readonly requestMs?: number;
  /** How long a server may not be there at first; then it is a TransportError. Unlimited where nothing is said. */
  readonly waitMs?: number;
  /** What to do then, in words. */
  readonly remedy?: string;
}

/** JetStream's numbers of errors: what is told apart. */
export const CODE = {
  wrongLastSequence: 10071,
  /** "Maximum messages per subject exceeded", and "no space left" just as well: never a sign that something exists. */
  notStored: 10077,
  tooLarge: 10054,
  nameInUse: 10058,
  noStream: 10059,
} as const;

export const codeOf = (error: unknown): number | null => (error instanceof JetStreamApiError ? error.code : null);

const PAUSE_MS = { first: 20, longest: 2_000 };
/** A wait that is longer is no secret. */
const WAITING_MS = 1_000;
const AGAIN_MS = 1_000;
/** Who takes the connection and then says nothing is no broker. */
const HELLO_MS = 5_000;
const LEAST_MS = 200;
/** What is tried again is said after so long, and then not too often. */
const SAY_MS = 5_000;
const SAY_AGAIN_MS = 60_000;

/** One connection, with what the client's defaults lack: it comes back for as long as it takes, and sees a frozen server. */
export class NatsLink implements Client {
  readonly nc: NatsConnection;
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
  readonly name: string;
  readonly clock: Clock;
  readonly warn: (message: string) => void;
  readonly #patienceMs: number;
  readonly #random: () => number;
  #failure: Error | null = null;
  #silentUntil = 0;

  constructor(
    { nc, js, jsm }: Client,
    { name, warn = () => {}, patienceMs = 600_000, clock = systemClock, random = Math.random }: PatienceOptions,
  ) {
    this.nc = nc;
    this.js = js;
    this.jsm = jsm;
    this.name = name;
    this.clock = clock;
    this.warn = warn;
    this.#patienceMs = patienceMs;
    this.#random = random;
  }

  /** Waits for a server that is not there yet, for as long as it is told to; refuses one that is too old, and throws when the server refuses us. */
  static async connect(options: LinkOptions): Promise<NatsLink> {
    const { url, credentials = null, warn = () => {}, pingMs = 10_000, requestMs = 5_000 } = options;
    const name = credentials?.name ?? options.name;
    const nc = await joined(options, {
      servers: url,
      name,
      ...identity(credentials),
      maxReconnectAttempts: -1, // the default gives up for good after 20 s
      reconnectTimeWait: 500,
      reconnectJitter: 1_000,
      reconnectJitterTLS: 1_000,
      pingInterval: pingMs, // the default notices a frozen server after four minutes
      maxPingOut: 2,
      inboxPrefix: `_INBOX_${name}`,
      timeout: HELLO_MS,
      noAsyncTraces: true, // a stack for every request is a third of its price
    });
    const [host = ''] = nc.getServer().split(/:\d+$/);
    const { refused, warning } = judgeVersion(nc.info?.version ?? '', isLoopback(host));
    if (refused !== null) {
      await nc.close();
      throw new HostError(`${url}: ${refused}`);
    }
    if (nc.info?.jetstream !== true) {
      await nc.close();
      throw new HostError(`${url}: expected a broker with JetStream, got a nats-server without it; start it with -js, or take spc serve`);
    }
    if (warning !== null) warn(`${url}: ${warning}`);
    const api = { timeout: requestMs, apiPrefix: apiOf(credentials) };
    const js = jetstream(nc, api);
    const jsm = await jetstreamManager(nc, { ...api, checkAPI: false });
    const link = new NatsLink({ nc, js, jsm }, { ...options, name });
    void link.#watch(url, credentials);
    return link;
  }

  get closed(): boolean {
    return this.nc.isClosed();
  }

  /** Why the server has put us out; null when it has not. */
  get failure(): Error | null {
    return this.#failure;
  }

  /**
   * Tries again, with growing pauses, what failed for a reason that may pass; `mend` is called in between. A timeout means
   * "unknown", so `work` must bear being done twice.
   */
  async retry<T>(what: string, work: () => Promise<T>, mend: () => Promise<void> = async () => {}): Promise<T> {
    const since = this.clock.now();
    const deadline = since + this.#patienceMs;
    let sayAt = since + SAY_MS;
    for (let pauseMs = PAUSE_MS.first; ; pauseMs = Math.min(2 * pauseMs, PAUSE_MS.longest)) {
      try {
        return await work();
      } catch (error) {
        if (this.closed && this.#failure) throw this.#failure;
        if (isOurs(error)) throw error;
        const refused = forbidden(what, error);
        if (refused !== null) throw refused;
        if (isFinal(error) || this.closed || this.clock.now() + pauseMs > deadline) {
          const why = error instanceof Error ? error.message : String(error);
          throw new TransportError(`${what}: the broker does not take it (${why}); the same command goes on from here`, { cause: error });
        }
        if (this.clock.now() >= sayAt) {
          this.#say(what, error, this.clock.now() - since);
          sayAt = this.clock.now() + SAY_AGAIN_MS;
        }
        await this.clock.sleep(pauseMs * (0.5 + this.#random()));
        await mend().catch(() => {});
      }
    }
  }

  /** Of many that wait for the same, one speaks. */
  #say(what: string, error: unknown, sinceMs: number): void {
    const now = this.clock.now();
    if (now < this.#silentUntil) return;
    this.#silentUntil = now + SAY_AGAIN_MS / 2;
    const why = error instanceof Error ? error.message : String(error);
    this.warn(`${what}: the broker has not taken it for ${Math.round(sinceMs / 1000)} s (${why}); trying again`);
  }

  /** What was said is sent first, if there is somebody to send it to. */
  async close(): Promise<void> {
    if (this.closed) return;
    await this.clock.within(2_000, this.nc.drain()).catch(() => {});
    await this.nc.close();
  }

  async #watch(url: string, credentials: Credentials | null): Promise<void> {
    void this.nc.closed().then((error) => {
      if (error) this.#failure = new ConfigError(`${url}: ${refusal(error, credentials) ?? error.message}`, { cause: error });
    });
    for await (const { type } of this.nc.status()) {
      if (type === 'disconnect') this.warn(`${url}: the connection is lost; trying to get it back`);
      if (type === 'reconnect') this.warn(`${url}: connected again`);
    }
  }
}

/**
 * The client's own way of waiting for a server also waits for one that says no. After the first connection a key that was taken away
 * ends it: the client gives up after the second refusal.
 */
async function joined(
  {
    url,
    credentials = null,
    warn = () => {},
    clock = systemClock,
    random = Math.random,
    waitMs = Number.POSITIVE_INFINITY,
    remedy = 'spc serve starts one',
  }: LinkOptions,
  options: ConnectionOptions,
): Promise<NatsConnection> {
  const since = clock.now();
  for (let warned = false; ; ) {
    const pauseMs = AGAIN_MS * (0.5 + random());
    try {
      if (waitMs < Number.POSITIVE_INFINITY)
        await greet(url, credentials !== null, Math.min(HELLO_MS, Math.max(LEAST_MS, since + waitMs - clock.now())));
      return await connect(options);
    } catch (thrown) {
      const error = await meant(url, thrown);
      const why = refusal(error, credentials);
      if (why !== null) throw new ConfigError(`${url}: ${why}`, { cause: error });
      const spent = clock.now() - since;
      const without = credentials ? '' : ', without --creds';
      if (spent + pauseMs >= waitMs) {
        const message = `${url}: expected a broker, found none within ${Math.round(waitMs / 1000)} s${without} (${silence(error)}); ${remedy}`;
        throw new TransportError(message, { cause: error });
      }
      if (!warned && spent + pauseMs >= WAITING_MS) {
        warned = true;
        warn(`${url}: no broker there yet (${silence(error)}); waiting for it${without}`);
      }
      await clock.sleep(pauseMs);
    }
  }
}

/**
 * A server without room for one more says so in clear, before TLS begins, which looks as if it spoke none; and by the time that it is asked
 * what it says it may have room, and be silent. So it speaks no TLS only where it says something else.
 */
async function meant(url: string, error: unknown): Promise<unknown> {
  if (!isNoTls(error) && !isTimeout(error)) return error;
  const said = await listen(url);
  if (/maximum .*connections/i.test(said ?? '')) return new Error('it has as many connections as it takes');
  return isNoTls(error) && said === null ? new Error('it hung up before TLS began') : error;
}

const isTimeout = (error: unknown): boolean => error instanceof errors.TimeoutError;

/** What a server does to whom it expects to speak TLS: nothing, and then it hangs up. The client has no word for it. */
const silence = (error: unknown): string => {
  const message = error instanceof Error ? error.message : String(error);
  return message.includes('undefined error') ? 'it hung up' : message;
};

/** Not the network's fault. */
const isOurs = (error: unknown): boolean =>
  [TypeError, ContentError, TransportError, ConfigError, HostError].some((known) => error instanceof known);

/** What the server said when it did not allow something; null for any other error. The client wraps it in the error of whatever was tried. */
export function forbidden(what: string, error: unknown): ConfigError | null {
  for (let e = error; e instanceof Error; e = e.cause) {
    if (!(e instanceof errors.PermissionViolationError)) continue;
    const remedy = 'take those of another role, or start spc serve again if its version is another';
    return new ConfigError(`${what}: these credentials do not allow ${e.operation} on ${e.subject}; ${remedy}`, { cause: error });
  }
  return null;
}

/** Would fail the same way again. */
const isFinal = (error: unknown): boolean => codeOf(error) === CODE.tooLarge || error instanceof errors.InvalidArgumentError;
