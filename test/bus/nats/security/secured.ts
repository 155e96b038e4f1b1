import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NatsLink } from '../../../../src/bus/nats/link.ts';
import { serverConfig } from '../../../../src/bus/nats/security/config.ts';
import { openKeys, writePrivate } from '../../../../src/bus/nats/security/keys.ts';
import type { NatsServer } from '../../../../src/bus/nats/server.ts';
import type { Credentials } from '../../../../src/contract/credentials.ts';
import { startServer } from '../servers.ts';

export const HOSTS = ['localhost', '127.0.0.1', '::1'];

/** Keys in a folder of their own. */
export const makeKeys = (folder: string, change: Partial<Parameters<typeof openKeys>[1]> = {}) =>
  openKeys(folder, { url: 'tls://127.0.0.1:4222', hosts: HOSTS, workers: ['two'], now: Date.now(), warn: () => {}, ...change });

export interface Secured {
  readonly folder: string;
  readonly server: NatsServer;
  /** As the server's address is. */
  readonly url: string;
  /** By name. */
  of(name: string): Credentials;
  /** Over TLS, with the key of that name. */
  join(name: string): Promise<NatsLink>;
}

/** A server with keys and TLS of its own, on a free loopback port. */
export async function startSecured(): Promise<Secured> {
  const folder = mkdtempSync(join(tmpdir(), 'spc-keys-'));
  const { users, server: pem } = await makeKeys(folder);
  const config = join(folder, 'server.conf');
  const store = join(folder, 'store');
  await writePrivate(config, serverConfig({ host: '127.0.0.1', port: -1, store, certificate: pem, key: pem, users }));
  const server = await startServer({ config, store });
  const url = `tls://127.0.0.1:${server.port}`;
  const of = (name: string): Credentials => users.find((user) => user.name === name)!;
  return {
    folder,
    server,
    url,
    of,
    join: (name) => NatsLink.connect({ url, name, credentials: of(name), requestMs: 1_000, patienceMs: 5_000 }),
  };
}
