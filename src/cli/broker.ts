import { NatsLink } from '../bus/nats/link.ts';
import { isLoopback } from '../bus/nats/version.ts';
import { ConfigError } from '../contract/errors.ts';

/** What a command says of the broker that it works at. */
export interface BrokerArguments {
  readonly nats?: string | undefined;
}

export const brokerOptions = {
  nats: { type: 'string', requiresArg: true, describe: 'address of the broker, nats://127.0.0.1:4222' },
} as const;

export async function connectBroker({
  nats,
  name,
  warn,
}: BrokerArguments & { readonly name: string; readonly warn: (message: string) => void }): Promise<NatsLink> {
  return NatsLink.connect({ url: expectLoopback(nats ?? ''), name, warn });
}

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
