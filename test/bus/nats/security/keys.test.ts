import { X509Certificate } from 'node:crypto';
import { chmodSync, copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { publicKey } from '../../../../src/bus/nats/security/config.ts';
import { makeKeys } from './secured.ts';

const fresh = (): string => mkdtempSync(join(tmpdir(), 'spc-keys-'));
const DAY_MS = 86_400_000;
const pem = (folder: string, file: string): X509Certificate => new X509Certificate(readFileSync(join(folder, file)));

describe('openKeys(folder, options)', () => {
  it("makes a folder that is its owner's alone, with one file per user", async () => {
    const folder = join(fresh(), 'broker');
    const { users } = await makeKeys(folder);
    const files = ['authority.pem', 'coordinator.creds', 'server.pem', 'viewer.creds', 'worker-two.creds', 'worker.creds'];
    expect(readdirSync(folder).sort()).toEqual(files);
    expect([statSync(folder).mode & 0o777, ...files.map((file) => statSync(join(folder, file)).mode & 0o777)]).toEqual([
      0o700,
      ...files.map(() => 0o600),
    ]);
    expect(new Set(users.map(publicKey)).size).toBe(4);
  });

  it('makes a certificate that names all hosts, signed by an authority that signs nothing else', async () => {
    const folder = fresh();
    await makeKeys(folder, { hosts: ['broker.example', '10.0.0.7', '::1'] });
    const [authority, server] = [pem(folder, 'authority.pem'), pem(folder, 'server.pem')];
    expect([server.verify(authority.publicKey), authority.ca, server.ca]).toEqual([true, true, false]);
    expect([server.checkHost('broker.example'), server.checkIP('10.0.0.7'), server.checkIP('::1')]).not.toContain(undefined);
    expect([server.checkHost('other.example'), server.checkIP('10.0.0.8')]).toEqual([undefined, undefined]);
  });

  it('reuses all of them the second time', async () => {
    const folder = fresh();
    const first = await makeKeys(folder);
    const before = readdirSync(folder).map((file) => readFileSync(join(folder, file), 'utf8'));
    expect(await makeKeys(folder)).toEqual(first);
    expect(readdirSync(folder).map((file) => readFileSync(join(folder, file), 'utf8'))).toEqual(before);
  });

  it.each([
    ['expires within half a year', { now: Date.now() + 650 * DAY_MS }, /server\.pem: is valid for 17\d more days; made anew/],
    ['has expired', { now: Date.now() + 1_000 * DAY_MS }, /server\.pem: is valid for 0 more days; made anew/],
    ['lacks a name', { hosts: ['127.0.0.1', 'broker.example'] }, /server\.pem: does not name broker\.example; made anew/],
  ])("makes the server's certificate anew when it %s; authority and users stay", async (_, change, why) => {
    const folder = fresh();
    const first = await makeKeys(folder);
    const old = pem(folder, 'server.pem').fingerprint256;
    const said: string[] = [];
    expect((await makeKeys(folder, { ...change, warn: (message) => said.push(message) })).users).toEqual(first.users);
    expect(pem(folder, 'server.pem').fingerprint256).not.toBe(old);
    expect(said).toEqual([expect.stringMatching(why)]);
  });

  it('says so when the authority expires', async () => {
    const folder = fresh();
    await makeKeys(folder);
    await expect(makeKeys(folder, { now: Date.now() + 3_600 * DAY_MS })).rejects.toThrow(
      /authority\.pem: expires soon; remove the folder, and give the new credentials to everybody/,
    );
  });

  it('gives a user whose file was removed another key', async () => {
    const folder = fresh();
    const before = (await makeKeys(folder)).users.map(publicKey);
    rmSync(join(folder, 'worker.creds'));
    rmSync(join(folder, 'worker-two.creds'));
    const after = (await makeKeys(folder, { workers: [] })).users.map(publicKey);
    expect(after.filter((key) => before.includes(key))).toHaveLength(2);
    expect(after).toHaveLength(3);
  });

  it('writes another address into the files, and says so', async () => {
    const folder = fresh();
    await makeKeys(folder, { workers: [] });
    const said: string[] = [];
    const { users } = await makeKeys(folder, { url: 'tls://10.0.0.8:4222', warn: (message) => said.push(message) });
    expect(users.map(({ url }) => url)).toEqual(users.map(() => 'tls://10.0.0.8:4222'));
    expect(said).toHaveLength(3);
  });

  it("does not let a copy count twice, or another broker's file count at all", async () => {
    const [folder, other] = [fresh(), fresh()];
    await makeKeys(folder);
    await makeKeys(other);
    copyFileSync(join(folder, 'worker.creds'), join(folder, 'copy.creds'));
    const said: string[] = [];
    expect((await makeKeys(folder, { warn: (message) => said.push(message) })).users).toHaveLength(4);
    expect(said).toEqual([`${join(folder, 'copy.creds')}: not counted, it is a copy of worker.creds`]);
    copyFileSync(join(other, 'worker.creds'), join(folder, 'worker.creds'));
    await expect(makeKeys(folder)).rejects.toThrow(/worker\.creds: expected credentials of this broker, got another's; remove it/);
  });

  it('refuses a folder that others can read, a broken file, and a name that is none', async () => {
    const folder = fresh();
    chmodSync(folder, 0o755);
    await expect(makeKeys(folder)).rejects.toThrow(/expected a folder that is its owner's alone, got mode 755; chmod 700/);
    chmodSync(folder, 0o700);
    await expect(makeKeys(folder, { workers: ['A.b'] })).rejects.toThrow(/^--worker: expected at most 32 lower-case letters/);
    writeFileSync(join(folder, 'authority.pem'), 'x');
    await expect(makeKeys(folder)).rejects.toThrow(/authority\.pem: expected a certificate and its key, got something else/);
  });

  it('says what cannot be written', async () => {
    const file = join(fresh(), 'file');
    writeFileSync(file, '');
    await expect(makeKeys(join(file, 'broker'))).rejects.toMatchObject({
      name: 'HostError',
      message: expect.stringMatching(/could not be written \(ENOTDIR\)/),
    });
  });
});
