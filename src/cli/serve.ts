import { mkdir } from 'node:fs/promises';
import { hostname, networkInterfaces } from 'node:os';
import { join, resolve } from 'node:path';
import type { CommandModule } from 'yargs';
import { type Binary, findServer, waysHere, waysToFetch } from '../bus/nats/binary.ts';
import { NatsLink } from '../bus/nats/link.ts';
import { serverConfig } from '../bus/nats/security/config.ts';
import { openKeys, writePrivate } from '../bus/nats/security/keys.ts';
import { NatsServer, type ServerOptions } from '../bus/nats/server.ts';
import { supervise } from '../bus/nats/supervise.ts';
import { isLoopback, judgeVersion } from '../bus/nats/version.ts';
import type { Credentials } from '../contract/credentials.ts';
import { ConfigError } from '../contract/errors.ts';
import { HostError, writeRefused } from '../contract/host.ts';
import { Lock } from '../coordinator/lock.ts';
import { onInterrupt } from './interrupt.ts';
import { say } from './text.ts';
import { guard, roomFor, wellness } from './upkeep.ts';

interface ServeArguments {
  readonly listen: string | undefined;
  readonly port: number | undefined;
  readonly host: readonly string[];
  readonly worker: readonly string[];
  readonly workers: number | undefined;
  readonly keys: string;
  readonly store: string | undefined;
}

const PORT = 4222;
/** The server takes 4,096 connections, and a configuration of 1,000 accounts has 1.5 MB. */
const MOST_WORKERS = 1_000;
const HERE = ['localhost', '127.0.0.1', '::1'];

/** What is started, how it is asked whether it is well, and what those who join must say. */
interface Plan {
  readonly options: ServerOptions;
  readonly url: string;
  readonly probe: { readonly url: string; readonly credentials: Credentials | null };
  readonly join: string;
  readonly more: readonly string[];
  /** Writes the configuration without that key. Null where there are no keys. */
  readonly without: ((name: string) => Promise<void>) | null;
}

async function serve(args: ServeArguments): Promise<void> {
  const listen = args.listen === undefined ? null : addressOf(args.listen);
  const port = listen?.port ?? expectPort('--port', args.port ?? PORT);
  const store = resolve(args.store ?? join(args.keys, 'store'));
  const found = await binary();
  const { refused, warning } = judgeVersion(found.version, listen === null || isLoopback(listen.host));
  if (refused !== null) throw new HostError(`--listen ${args.listen}: ${refused}; set SPC_NATS_SERVER to one`);
  if (warning !== null) say(warning);
  const lock = await take(store);
  try {
    const plan = listen === null ? alone(found.path, store, port) : await forOthers(found.path, store, listen, args);
    await run(plan, found, lock, store, `${listen?.host ?? '127.0.0.1'}:${port}`);
  } finally {
    lock.release();
  }
}

async function run(
  { options, url, probe, join: line, more, without }: Plan,
  { version, from }: Binary,
  lock: Lock,
  store: string,
  address: string,
): Promise<void> {
  const start = (): Promise<NatsServer> =>
    NatsServer.start(options).catch((error: Error) => {
      if (!/address already in use/i.test(error.message)) throw error;
      throw new HostError(`${address}: expected a free port, but something listens there already; take another`, { cause: error });
    });
  let server = await start();
  const again = async (): Promise<NatsServer> => {
    server = await start();
    return server;
  };
  const leaving = new AbortController();
  const interrupt = onInterrupt({ drain: () => leaving.abort(), leave: () => void server.kill() });
  lock.lost = (error) => {
    say(error.message);
    process.exitCode = 1;
    leaving.abort();
  };
  const watching = NatsLink.connect({ ...probe, name: 'coordinator' });
  watching.catch((error: Error) => say(error.message));
  const shutOut = without && (async (name: string) => without(name).then(() => server.reload()));
  const guarding = guard(watching, { shutOut, warn: say }, leaving.signal);
  const isWell = wellness(watching, store, say);
  say(`broker: ${url}, a nats-server ${version} (${from})\nstore: ${store}`);
  for (const text of more) say(text);
  process.stdout.write(`${line}\n`);
  try {
    await supervise(server, { start: again, probe: isWell, warn: say }, leaving.signal);
  } finally {
    interrupt.end();
    leaving.abort();
    await guarding;
    await Promise.race([watching.then((link) => link.nc.close()), Promise.resolve()]).catch(() => {});
  }
}

/** Loopback, and whoever is on this machine. */
function alone(path: string, store: string, port: number): Plan {
  const url = `nats://127.0.0.1:${port}`;
  return {
    options: { binary: path, store, port },
    url,
    probe: { url, credentials: null },
    join: `spc worker --nats ${url}`,
    more: [`to give work out: spc run SWEEP --nats ${url}`, 'to compute, on this machine:'],
    without: null,
  };
}

/** Keys, TLS, and a configuration, in a folder that is nobody else's. */
async function forOthers(
  path: string,
  store: string,
  { host, port }: Address,
  { keys, host: names, worker, workers: count = 0 }: ServeArguments,
): Promise<Plan> {
  const everywhere = host === '0.0.0.0' || host === '::';
  const own = everywhere ? [...addresses(), hostname()] : [host];
  const [known = host] = [...names, ...own];
  const url = `tls://${bracketed(known)}:${port}`;
  const hosts = [...new Set([...names, ...own, ...HERE])];
  if (!Number.isInteger(count) || count < 0 || count > MOST_WORKERS)
    throw new ConfigError(`--workers: expected a whole number up to ${MOST_WORKERS}, got ${count}`);
  const workers = [...worker, ...Array.from({ length: count }, (_, i) => String(i + 1))];
  const { users, server } = await openKeys(keys, { url, hosts, workers, now: Date.now(), warn: say });
  const config = resolve(keys, 'server.conf');
  const storeBytes = await roomFor(store);
  const write = (letIn: readonly Credentials[]): Promise<void> =>
    writePrivate(config, serverConfig({ host, port, store, storeBytes, certificate: server, key: server, users: letIn }));
  await write(users);
  let left = users;
  const without = (name: string): Promise<void> => {
    left = left.filter((user) => user.name !== name || user.role === 'coordinator');
    return write(left);
  };
  const credentials = users.find(({ role }) => role === 'coordinator') ?? null;
  return {
    options: { binary: path, store, config },
    without,
    url,
    probe: { url: `tls://${everywhere ? '127.0.0.1' : bracketed(host)}:${port}`, credentials },
    join: 'spc worker --creds worker.creds',
    more: [
      `to give work out: spc run SWEEP --creds ${join(keys, 'coordinator.creds')}`,
      `to compute, on any machine that has a copy of ${join(keys, 'worker.creds')}, a secret:`,
    ],
  };
}

async function binary(): Promise<Binary> {
  return findServer(waysHere()).catch((error: unknown) => {
    if (!(error instanceof HostError)) throw error;
    say('nats-server: none on this machine yet; fetching one, which takes a minute');
    return findServer([...waysHere(), ...waysToFetch()]);
  });
}

/** Two servers in one store would ruin it. */
async function take(store: string): Promise<Lock> {
  await mkdir(store, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
    throw writeRefused(`${store}:`, error);
  });
  return Lock.take(join(store, '.lock'), say);
}

interface Address {
  readonly host: string;
  readonly port: number;
}

function addressOf(listen: string): Address {
  const url = `tls://${listen}`;
  if (!URL.canParse(url) || new URL(url).hostname === '' || new URL(url).pathname !== '')
    throw new ConfigError(`--listen: expected HOST:PORT such as 0.0.0.0:4222, got ${listen}`);
  const { hostname: host, port } = new URL(url);
  return { host: host.replace(/^\[(.*)\]$/, '$1'), port: expectPort('--listen', port === '' ? PORT : Number(port)) };
}

function expectPort(option: string, port: number): number {
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return port;
  throw new ConfigError(`${option}: expected a port from 1 to 65535, got ${port}`);
}

const bracketed = (host: string): string => (host.includes(':') ? `[${host}]` : host);

/** Of this machine, as others see it; IPv4 first. */
function addresses(): string[] {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const outward = all.filter(({ internal, address }) => !internal && !address.startsWith('fe80:'));
  return outward.sort((a, b) => a.family.localeCompare(b.family)).map(({ address }) => address);
}

/** `spc serve`. */
export const serveCommand: CommandModule<object, ServeArguments> = {
  command: 'serve',
  describe: 'start a broker: for this machine, or with keys and TLS for others',
  builder: (yargs) =>
    yargs
      .option('listen', {
        type: 'string',
        requiresArg: true,
        describe: 'HOST:PORT to be reached at by others; makes keys and certificates',
      })
      .option('port', { type: 'number', requiresArg: true, describe: 'on this machine', defaultDescription: String(PORT) })
      .option('host', {
        type: 'string',
        array: true,
        default: [] as string[],
        requiresArg: true,
        describe: 'name or address under which others reach it, if it is another; the first one goes into the credentials',
      })
      .option('worker', {
        type: 'string',
        array: true,
        default: [] as string[],
        requiresArg: true,
        describe: 'make worker-NAME.creds as well: a worker with a key of its own',
      })
      .option('workers', {
        type: 'number',
        requiresArg: true,
        describe: 'the same for so many at once: worker-1.creds, worker-2.creds, ...',
      })
      .option('keys', { type: 'string', default: 'broker', requiresArg: true, describe: 'folder of keys and credentials' })
      .option('store', {
        type: 'string',
        requiresArg: true,
        describe: 'folder of what is queued',
        defaultDescription: 'in the folder of keys',
      })
      .conflicts('listen', 'port')
      .example('$0 serve', 'a broker at nats://127.0.0.1:4222, for every user of this machine')
      .example('$0 serve --listen 0.0.0.0:4222', 'for other machines: docs/machines.md')
      .check(({ listen, host, worker, workers }) => {
        if (listen === undefined && (host.length > 0 || worker.length > 0 || workers !== undefined))
          throw new ConfigError('serve: --host, --worker and --workers go with --listen');
        return true;
      })
      .epilogue('A server that dies or hangs is started again; Ctrl-C ends it. What is queued stays in the store.'),
  handler: serve,
};
