import { readFileSync, statSync } from 'node:fs';
import { NatsLink } from '../bus/nats/link.ts';
import { isLoopback } from '../bus/nats/version.ts';
import { type Credentials, parseCredentials, type Role } from '../contract/credentials.ts';
import { ConfigError } from '../contract/errors.ts';
import { limitsSchema } from '../contract/limits.ts';
import { whatIsThere } from '../coordinator/there.ts';
import { say } from './text.ts';

/** What a command says of the broker that it works at. */
export interface BrokerArguments {
  readonly nats?: string | undefined;
  readonly creds?: string | undefined;
}

/** Options of every command that works at a broker. */
export const brokerOptions = {
  nats: { type: 'string', requiresArg: true, describe: 'address of the broker, nats://127.0.0.1:4222; --creds has one, too' },
  creds: { type: 'string', requiresArg: true, describe: 'credential file, for a broker that others can reach' },
} as const;

/** Of commands that work for long: the broker may be started after them. */
export const waitOption = {
  type: 'string',
  default: '10s',
  requiresArg: true,
  describe: 'how long to wait for a broker that is not there yet: 30s, 10m',
} as const;

/** What has its answer at once waits no longer for it than people do. */
const ASK_MS = 5_000;
const ANSWER_MS = 10_000;

export interface Waiting {
  readonly waitMs: number;
  /** What fails later, once it was there, is tried again for so long. */
  readonly patienceMs?: number;
  readonly remedy: string;
}

const START = 'spc serve starts one, and --nats or --creds says where it is';

/** What `--wait` says. */
export function waiting(wait: string): Waiting {
  const { success, data, error } = limitsSchema.safeParse({ wall: wait });
  if (!success || data.wallMs === null) throw new ConfigError(`--wait: expected ${error?.issues[0]?.message ?? 'a duration'}, got ${wait}`);
  return { waitMs: data.wallMs, remedy: `${START}; --wait 10m waits longer` };
}

export interface Broker {
  readonly url: string;
  /** Null on this machine alone. */
  readonly credentials: Credentials | null;
}

/** Judges what was said, without a connection: before anything is written. */
export function brokerOf({ nats, creds }: BrokerArguments, role: Role, warn: (message: string) => void = () => {}): Broker {
  const credentials = creds === undefined ? null : readCredentials(creds, role, warn);
  if (nats === undefined) {
    if (credentials === null)
      throw new ConfigError('--nats: expected the address of a broker, or --creds FILE, got neither; spc serve starts one');
    return { url: credentials.url, credentials };
  }
  const written = /^\w+:\/\//.test(nats) ? nats : `nats://${nats}`;
  if (!URL.canParse(written) || new URL(written).hostname === '')
    throw new ConfigError(`--nats: expected an address such as nats://127.0.0.1:4222, got ${nats}`);
  const { protocol, hostname, host, port } = new URL(written);
  if (protocol !== 'nats:' && protocol !== 'tls:') throw new ConfigError(`--nats: expected nats:// or tls://, got ${nats}`);
  if (credentials !== null) return { url: `tls://${host}${port === '' ? ':4222' : ''}`, credentials };
  if (isLoopback(hostname) && protocol === 'nats:') return { url: written, credentials };
  const where = isLoopback(hostname) ? 'TLS' : `${hostname}, which is another machine`;
  throw new ConfigError(`--nats: expected --creds FILE as well for ${where}; spc serve --listen makes one, docs/machines.md tells how`);
}

/** A connection to the broker, as `name`, which says what this end may do. Errors that no waiting would mend are thrown at once. */
export async function connectBroker({
  name,
  warn,
  wait = { waitMs: ASK_MS, patienceMs: ANSWER_MS, remedy: START },
  ...said
}: BrokerArguments & { readonly name: Role; readonly warn: (message: string) => void; readonly wait?: Waiting }): Promise<NatsLink> {
  return NatsLink.connect({ ...brokerOf(said, name, warn), ...wait, name, warn });
}

/** One piece of work at the broker, and the connection is closed. */
export async function atBroker<T>(said: BrokerArguments, name: Role, work: (link: NatsLink) => Promise<T>): Promise<T> {
  const link = await connectBroker({ ...said, name, warn: say });
  try {
    return await work(link);
  } finally {
    await link.close();
  }
}

/** A coordinator may do everything, and so its credentials serve for everything. */
function readCredentials(file: string, role: Role, warn: (message: string) => void): Credentials {
  const { kind, what, format } = whatIsThere(file);
  if (kind === 'nothing') throw new ConfigError(`--creds: expected a credential file, got ${file}: ${what}`);
  if (kind !== 'file' || format === 'archive' || format === 'model' || format === 'data' || format === 'binary')
    throw new ConfigError(`--creds: expected a credential file, got ${file}, which is ${what}`);
  const text = readFileSync(file, 'utf8');
  const credentials = parseCredentials(file, text);
  if (credentials.role !== role && credentials.role !== 'coordinator')
    throw new ConfigError(`--creds: expected those of a ${role}, got those of a ${credentials.role} in ${file}`);
  if (process.platform !== 'win32' && statSync(file).mode & 0o077)
    warn(`${file}: other users of this machine can read it; chmod 600 ${file}`);
  return credentials;
}
