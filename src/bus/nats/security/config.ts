import { nkeys } from '@nats-io/transport-node';
import type { Credentials } from '../../../contract/credentials.ts';
import { RESULT_BYTES } from '../streams.ts';
import { permissionsOf } from './roles.ts';

export interface ServerConfig {
  readonly host: string;
  readonly port: number;
  /** Folder of its streams. */
  readonly store: string;
  readonly certificate: string;
  readonly key: string;
  readonly users: readonly Credentials[];
}

const KB = 1024;
const GB = KB * KB * KB;

/** As the server reads it, which is JSON too. Of the users it has public keys: nobody can join with what stands here. */
export const serverConfig = ({ host, port, store, certificate, key, users }: ServerConfig): string =>
  `${JSON.stringify(
    {
      server_name: 'spc',
      host,
      port,
      max_payload: RESULT_BYTES + 64 * KB, // the largest message there is, and its headers; chunks of files have 128 KB
      max_connections: 4096,
      jetstream: {
        store_dir: store,
        sync_interval: 'always', // what was accepted survives a power failure; 1,600 messages a second and more are left
        max_file_store: 8 * GB,
        max_memory_store: GB / 4,
      },
      tls: { cert_file: certificate, key_file: key, handshake_first: true, min_version: '1.3' },
      accounts: { SPC: { jetstream: 'enabled', users: users.map(user) }, SYS: {} },
      system_account: 'SYS',
    },
    null,
    2,
  )}\n`;

function user(credentials: Credentials) {
  const { publish, subscribe } = permissionsOf(credentials);
  return { nkey: publicKey(credentials), permissions: { publish: { allow: publish }, subscribe: { allow: subscribe } } };
}

export const publicKey = ({ seed }: Credentials): string => nkeys.fromSeed(new TextEncoder().encode(seed)).getPublicKey();
