import { nkeys } from '@nats-io/transport-node';
import type { Credentials } from '../../../contract/credentials.ts';
import { RESULT_BYTES } from '../streams.ts';
import { type Rights, rightsOf } from './roles.ts';

export interface ServerConfig {
  readonly host: string;
  readonly port: number;
  /** Folder of its streams. */
  readonly store: string;
  /** What streams may take of its disk. */
  readonly storeBytes?: number;
  readonly certificate: string;
  readonly key: string;
  readonly users: readonly Credentials[];
}

const KB = 1024;
const GB = KB * KB * KB;
const MOST_STORED = 8 * GB;
/** Of one key: workers that share it, their connections that are about to end, and somebody who opens one after the other. */
const CONNECTIONS_OF_ONE = 1024;

/** As the server reads it, which is JSON too. Of the users it has public keys: nobody can join with what stands here. */
export const serverConfig = ({ host, port, store, storeBytes = MOST_STORED, certificate, key, users }: ServerConfig): string =>
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
        max_file_store: Math.min(MOST_STORED, storeBytes),
        max_memory_store: GB / 4,
        max_buffered_msgs: 1_000, // of what one stream has not written yet: more would be written after its sender is out
      },
      tls: { cert_file: certificate, key_file: key, handshake_first: true, min_version: '1.3' },
      accounts: accountsOf(users),
      system_account: 'SYS',
    },
    null,
    2,
  )}\n`;

/** The account of coordinators, and of all that is stored. */
const HUB = 'SPC';

/**
 * Coordinators and JetStream have one account, every other user has one of its own: what it asks for it imports, and the answer comes back
 * into that account, wherever in it the user wants it to. In the hub's account no subject can be reached but those of its imports.
 */
function accountsOf(users: readonly Credentials[]) {
  const guests = users.flatMap((credentials) => {
    const rights = rightsOf(credentials);
    return rights === 'all' ? [] : [{ name: credentials.name, nkey: publicKey(credentials), rights }];
  });
  const coordinators = users
    .filter((credentials) => rightsOf(credentials) === 'all')
    .map((credentials) => ({ nkey: publicKey(credentials) }));
  return {
    [HUB]: { jetstream: 'enabled', users: coordinators, exports: exportsTo(guests) },
    ...Object.fromEntries(guests.map((guest) => [guest.name, accountOf(guest)])),
    SYS: {},
  };
}

interface Guest {
  readonly name: string;
  readonly nkey: string;
  readonly rights: Exclude<Rights, 'all'>;
}

function accountOf({ nkey, rights: { services, hints, inbox } }: Guest) {
  const publish = { allow: services.map(({ asked }) => asked) };
  return {
    users: [{ nkey, permissions: { publish, subscribe: { allow: [inbox, hints] } } }],
    limits: { max_connections: CONNECTIONS_OF_ONE },
    imports: [
      ...services.map(({ subject, asked }) => ({ service: { account: HUB, subject }, to: asked })),
      { stream: { account: HUB, subject: hints } },
    ],
  };
}

/** Each to those who import it, and to nobody else. */
function exportsTo(guests: readonly Guest[]) {
  const services = new Map<string, { service: string; response_type: string; accounts: string[] }>();
  const streams = new Map<string, { stream: string; accounts: string[] }>();
  for (const { name, rights } of guests) {
    for (const { subject, answers } of rights.services) {
      const its = services.get(subject) ?? { service: subject, response_type: answers === 'one' ? 'singleton' : 'stream', accounts: [] };
      its.accounts.push(name);
      services.set(subject, its);
    }
    const hints = streams.get(rights.hints) ?? { stream: rights.hints, accounts: [] };
    hints.accounts.push(name);
    streams.set(rights.hints, hints);
  }
  return [...services.values(), ...streams.values()];
}

export const publicKey = ({ seed }: Credentials): string => nkeys.fromSeed(new TextEncoder().encode(seed)).getPublicKey();
