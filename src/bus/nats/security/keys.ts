import { mkdir, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { nkeys } from '@nats-io/transport-node';
import { type Credentials, parseCredentials, ROLES, writeCredentials } from '../../../contract/credentials.ts';
import { ConfigError } from '../../../contract/errors.ts';
import { writeRefused } from '../../../contract/host.ts';
import { daysLeft, LEAST_DAYS, makeAuthority, makeServerCertificate, type Signed, whyRenew } from './certificates.ts';

export interface KeysOptions {
  /** Where others find the broker: `tls://host:port`. */
  readonly url: string;
  /** Every name and address under which it is reached. */
  readonly hosts: readonly string[];
  /** Names of workers that get keys of their own. */
  readonly workers: readonly string[];
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly warn: (message: string) => void;
}

export interface Keys {
  /** One per file `<name>.creds` of the folder: who is let in. */
  readonly users: readonly Credentials[];
  /** Path of the server's certificate and key. */
  readonly server: string;
}

const PRIVATE = { folder: 0o700, file: 0o600, others: 0o077 } as const;
const CREDS = '.creds';

/**
 * The keys of a broker, made where there are none.
 *
 *     authority.pem    signs server.pem; its certificate is in every credential file
 *     server.pem       the server's certificate and key; made anew when it expires soon or lacks a name
 *     <name>.creds     one per user. A user whose file is removed is not let in after the next start
 */
export async function openKeys(folder: string, { url, hosts, workers, now, warn }: KeysOptions): Promise<Keys> {
  await prepare(folder);
  const authority = await authorityOf(folder, now);
  await serverOf(folder, authority, hosts, now, warn);
  const wanted = [...ROLES.map((role) => ({ role, name: role as string })), ...workers.map(named)];
  const users = new Map((await found(folder, authority, warn)).map((user) => [user.name, user]));
  for (const { role, name } of wanted) {
    if (users.has(name)) continue;
    const seed = new TextDecoder().decode(nkeys.createUser().getSeed());
    users.set(name, { role, name, url: '', seed, ca: authority.certificate });
  }
  for (const user of users.values()) {
    if (user.url === url) continue;
    if (user.url !== '')
      warn(`${user.name}${CREDS}: the broker is at ${url} now; those who have this file need --nats ${url}, or the file anew`);
    users.set(user.name, { ...user, url });
    await writePrivate(join(folder, `${user.name}${CREDS}`), writeCredentials({ ...user, url }));
  }
  const sorted = [...users.values()].sort((one, two) => (one.name < two.name ? -1 : 1));
  return { users: sorted, server: resolve(folder, 'server.pem') };
}

function named(name: string): { readonly role: 'worker'; readonly name: string } {
  if (/^[a-z0-9-]{1,32}$/.test(name)) return { role: 'worker', name: `worker-${name}` };
  throw new ConfigError(`--worker: expected at most 32 lower-case letters, digits and -, got ${JSON.stringify(name)}`);
}

async function prepare(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: PRIVATE.folder });
  } catch (error) {
    throw writeRefused(`${folder}:`, error);
  }
  const { mode } = await stat(folder);
  if (process.platform !== 'win32' && mode & PRIVATE.others) {
    throw new ConfigError(
      `${folder}: expected a folder that is its owner's alone, got mode ${(mode & 0o777).toString(8)}; chmod 700 ${folder}, or take another with --keys`,
    );
  }
}

/** Whole or not at all, and never readable by others. */
export async function writePrivate(path: string, text: string): Promise<void> {
  const scratch = `${path}.${process.pid}.new`;
  try {
    await writeFile(scratch, text, { mode: PRIVATE.file });
    await rename(scratch, path);
  } catch (error) {
    throw writeRefused(`${path}:`, error);
  }
}

const inOne = ({ certificate, key }: Signed): string => `${certificate}${key}`;

/** Null where there is none yet. */
async function signed(path: string): Promise<Signed | null> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (text === null) return null;
  const [, certificate, key] =
    /^(-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n)(-----BEGIN PRIVATE KEY-----[^-]+-----END PRIVATE KEY-----\n)$/.exec(
      text,
    ) ?? [];
  if (certificate !== undefined && key !== undefined) return { certificate, key };
  throw new ConfigError(
    `${path}: expected a certificate and its key, got something else; remove the folder, and new keys are made for everybody`,
  );
}

async function authorityOf(folder: string, now: number): Promise<Signed> {
  const path = join(folder, 'authority.pem');
  const there = await signed(path);
  if (there !== null && daysLeft(there.certificate, now) > LEAST_DAYS) return there;
  if (there !== null) throw new ConfigError(`${path}: expires soon; remove the folder, and give the new credentials to everybody`);
  const made = await makeAuthority(now);
  await writePrivate(path, inOne(made));
  return made;
}

async function serverOf(
  folder: string,
  authority: Signed,
  hosts: readonly string[],
  now: number,
  warn: KeysOptions['warn'],
): Promise<void> {
  const path = join(folder, 'server.pem');
  const there = await signed(path);
  const why = there && whyRenew(there.certificate, authority.certificate, hosts, now);
  if (there !== null && why === null) return;
  if (why !== null) warn(`${path}: ${why}; made anew, and nobody needs to do anything about it`);
  await writePrivate(path, inOne(await makeServerCertificate(authority, hosts, now)));
}

async function found(folder: string, authority: Signed, warn: KeysOptions['warn']): Promise<Credentials[]> {
  const users: Credentials[] = [];
  for (const file of (await readdir(folder)).filter((name) => name.endsWith(CREDS)).sort()) {
    const path = join(folder, file);
    const user = parseCredentials(path, await readFile(path, 'utf8'));
    if (user.ca !== authority.certificate) throw new ConfigError(`${path}: expected credentials of this broker, got another's; remove it`);
    if (`${user.name}${CREDS}` === file) users.push(user);
    else warn(`${path}: not counted, it is a copy of ${user.name}${CREDS}`);
  }
  return users;
}
