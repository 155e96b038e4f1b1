import { mkdtempSync } from 'node:fs';
import { type AddressInfo, createServer, connect as plain, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { NatsAgentBus } from '../../../src/bus/nats/agent.ts';
import { NatsCoordinatorBus } from '../../../src/bus/nats/coordinator.ts';
import { Guard } from '../../../src/bus/nats/guard.ts';
import { NatsLink } from '../../../src/bus/nats/link.ts';
import { NatsRoll } from '../../../src/bus/nats/roll.ts';
import { serverConfig } from '../../../src/bus/nats/security/config.ts';
import { writePrivate } from '../../../src/bus/nats/security/keys.ts';
import { ensureBroker } from '../../../src/bus/nats/streams.ts';
import { HostError } from '../../../src/contract/host.ts';
import { contentDigest } from '../../../src/contract/ids.ts';
import { jobs, resultOf, sleep, take } from '../conformance.ts';
import { makeKeys } from './security/secured.ts';
import { noServer, startServer } from './servers.ts';

const MB = 1024 * 1024;
const links = new Set<NatsLink>();
const sockets = new Set<Socket>();
afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  await Promise.all([...links].map((one) => one.close()));
});

/** A server with keys, whose streams get what fits into so much. */
async function small(storeBytes: number, edit: (config: string) => string = (config) => config) {
  const folder = mkdtempSync(join(tmpdir(), 'spc-guard-'));
  const { users, server: pem } = await makeKeys(folder, { workers: ['two', 'three'] });
  const config = join(folder, 'server.conf');
  const store = join(folder, 'store');
  const write = (letIn: typeof users): Promise<void> =>
    writePrivate(config, edit(serverConfig({ host: '127.0.0.1', port: -1, store, storeBytes, certificate: pem, key: pem, users: letIn })));
  await write(users);
  const server = await startServer({ config, store });
  const url = `tls://127.0.0.1:${server.port}`;
  const warnings: string[] = [];
  const join_ = async (name: string, waitMs?: number): Promise<NatsLink> => {
    const credentials = users.find((user) => user.name === name)!;
    const warn = (message: string): void => void warnings.push(message);
    const link = await NatsLink.connect({ url, name, credentials, requestMs: 2_000, patienceMs: 20_000, warn, ...(waitMs && { waitMs }) });
    links.add(link);
    return link;
  };
  const shutOut = async (name: string): Promise<void> => {
    await write(users.filter((user) => user.name !== name));
    server.reload();
  };
  return { server, url, join: join_, warnings, shutOut };
}

describe.skipIf(noServer)('Guard', { timeout: 60_000 }, () => {
  it('removes what a worker has filled, shuts its key out when it does so again, and honest work goes on', async () => {
    const broker = await small(200 * MB);
    const [ours, honest, hostile] = [await broker.join('coordinator'), await broker.join('worker'), await broker.join('worker-two')];
    const place = { cap: 'cpu-x', sweep: 'quick' };
    const coordinator = await NatsCoordinatorBus.open(ours, { ...place, leaseMs: 5_000 });
    const agent = new NatsAgentBus(honest, place);
    const [said, out] = [[] as string[], [] as string[]];
    const shutOut = async (name: string): Promise<void> => {
      out.push(name);
      await broker.shutOut(name);
    };
    const guard = new Guard(ours, { shutOut, warn: (message) => said.push(message) });

    let over = false;
    const junk = new Uint8Array(400_000);
    const flood = async (): Promise<void> => {
      for (let i = 0; !over && !hostile.closed; i++) {
        hostile.nc.publish(`lab.result.worker-two.cpu-none.none${i}.aaaaaaaaaaaaaaaa`, junk);
        if (i % 8 === 0) await hostile.nc.flush().catch(() => sleep(20)); // without a connection it fails at once
      }
    };
    const flooding = flood().catch(() => {});
    const guarding = (async () => {
      while (!over) {
        await guard.look().catch(() => {});
        await sleep(50);
      }
    })();
    const results = take(coordinator, jobs.length);
    for (const job of jobs) {
      await coordinator.enqueue(job);
      const lease = await agent.next(10_000);
      await lease!.complete(resultOf(lease!.job));
    }
    const delivered = await results;
    for (let i = 0; i < 200 && !hostile.closed; i++) await sleep(50);
    const left = async (): Promise<number> => (await ours.jsm.streams.info('RESULTS')).state.bytes;
    for (let i = 0; i < 100 && (await left()) >= 4 * MB; i++) await sleep(50);
    over = true;
    await Promise.all([flooding, guarding]);
    expect(delivered.map(({ from }) => from)).toEqual(jobs.map(() => 'worker'));
    expect(out).toEqual(['worker-two']);
    expect(said[0]).toMatch(/^worker-two filled the room for results \(\d+ %\): what it wrote there is removed$/);
    expect(said.at(-1)).toMatch(/^worker-two filled .*; it did so again, and its key is shut out until spc serve is started again$/);
    expect(hostile.closed).toBe(true);
    await expect(broker.join('worker-two', 1_000)).rejects.toThrow(/the broker does not know the key of worker-two/);
    expect(await left()).toBeLessThan(4 * MB);
  });

  it.each([
    ['files', 'FILES', 64, (i: number) => `lab.file.worker-two.policies-${String(i).padStart(64, '0')}.0`, 100_000],
    ['cards', 'KV_workers', 16, (i: number) => `$KV.workers.worker-two.x${i}`, 60_000],
  ] as const)('does the same for %s', async (what, stream, mb, subject, bytes) => {
    const broker = await small(100 * MB);
    const [ours, hostile] = [await broker.join('coordinator'), await broker.join('worker-two')];
    await ensureBroker(ours, 'cpu-x', 5_000);
    await new NatsRoll(ours, { mayMake: true }).workers();
    const said: string[] = [];
    const guard = new Guard(ours, { shutOut: null, warn: (message) => said.push(message) });
    const junk = new Uint8Array(bytes);
    for (let i = 0; i < (0.6 * mb * MB) / bytes; i++) hostile.nc.publish(subject(i), junk);
    await hostile.nc.flush();
    for (let i = 0; i < 100 && said.length === 0; i++) {
      await guard.look();
      await sleep(20);
    }
    expect(said).toEqual([expect.stringMatching(new RegExp(`^worker-two filled the room for ${what} \\(5\\d|6\\d %\\)`))]);
    expect((await ours.jsm.streams.info(stream)).state.messages).toBe(0);
  });

  it('takes nobody for who fills the room because the row of that one stands behind a gap', async () => {
    const broker = await small(100 * MB);
    const [ours, honest, hostile] = [await broker.join('coordinator'), await broker.join('worker'), await broker.join('worker-two')];
    await ensureBroker(ours, 'cpu-x', 5_000);
    const said: string[] = [];
    const guard = new Guard(ours, { shutOut: null, warn: (message) => said.push(message) });
    const row = (id: string): string => `lab.result.worker.cpu-x.quick.${id}`;
    await honest.nc.request('lab.result.worker.cpu-x.other.first', new Uint8Array(10_000), { timeout: 5_000 });
    // Rows that came, were read and are gone: the next one has a number far from theirs.
    for (let i = 0; i < 5_000; i++) {
      honest.nc.publish(row(`gone${i}`), 'x');
      if (i % 500 === 499) await honest.nc.request(row(`last${i}`), 'x', { timeout: 20_000 });
    }
    await ours.jsm.streams.purge('RESULTS', { filter: row('>') });
    await honest.nc.request('lab.result.worker.cpu-x.quick.row', new Uint8Array(10_000), { timeout: 20_000 });
    for (let i = 0; i < 10; i++) hostile.nc.publish(`lab.result.worker-two.cpu-x.none.${i}`, new Uint8Array(450_000));
    await hostile.nc.flush();
    for (let i = 0; i < 100 && said.length === 0; i++) {
      await guard.look();
      await sleep(20);
    }
    expect(said).toEqual([expect.stringMatching(/^worker-two filled the room for results/)]);
    expect((await ours.jsm.streams.getMessage('RESULTS', { last_by_subj: row('row') }))?.data.length).toBe(10_000);
  });

  it('says it, and removes nothing, where many have filled it together', async () => {
    const broker = await small(100 * MB);
    const ours = await broker.join('coordinator');
    await ensureBroker(ours, 'cpu-x', 5_000);
    const said: string[] = [];
    const guard = new Guard(ours, { shutOut: null, warn: (message) => said.push(message) });
    for (const name of ['worker', 'worker-two', 'worker-three']) {
      const { nc } = await broker.join(name);
      for (let i = 0; i < 13 * 8; i++) nc.publish(`lab.file.${name}.policies-${String(i).padStart(64, '0')}.0`, new Uint8Array(120_000));
      await nc.flush();
    }
    for (let i = 0; i < 100 && said.length === 0; i++) {
      await guard.look();
      await sleep(20);
    }
    for (let i = 0; i < 3; i++) await guard.look(); // once is enough
    expect((await ours.jsm.streams.info('FILES')).state.messages).toBe(3 * 13 * 8);
    expect(said).toEqual([expect.stringMatching(/^the broker's files take 5\d % of their room, of many workers$/)]);
  });
});

describe.skipIf(noServer)('a broker', { timeout: 60_000 }, () => {
  it('with little room gets smaller streams and says so; with too little it is an error with numbers, at once', async () => {
    const broker = await small(300 * MB);
    const link = await broker.join('coordinator');
    await (await NatsCoordinatorBus.open(link, { cap: 'cpu-x', sweep: 'quick' })).close();
    expect(broker.warnings).toEqual([expect.stringMatching(/^the broker has room for 289 MB of queues and files, of 4,624 MB/)]);
    const none = await small(40 * MB);
    const coordinator = none.join('coordinator').then((its) => NatsCoordinatorBus.open(its, { cap: 'cpu-x', sweep: 'quick' }));
    const began = performance.now();
    await expect(coordinator).rejects.toThrow(HostError);
    await expect(coordinator).rejects.toThrow(
      /expected room for at least 73 MB of queues and files, got less; start it with a --store on a larger disk/,
    );
    expect(performance.now() - began).toBeLessThan(5_000);
  });

  it('that has as many connections as it takes is waited for, and said to be so', async () => {
    const broker = await small(100 * MB, (config) => config.replace('"max_connections": 4096', '"max_connections": 6'));
    const { port } = broker.server;
    for (let i = 0; i < 6; i++) sockets.add(plain(port, '127.0.0.1').on('error', () => {}));
    await sleep(200);
    const link = await broker.join('worker', 20_000); // the server hangs up on who says nothing for two seconds
    expect(link.closed).toBe(false);
    expect(broker.warnings[0]).toMatch(/no broker there yet \(it has as many connections as it takes\); waiting for it/);
  });

  it('that refuses in clear, and is silent by the time it is asked what it says, is not one without TLS', async () => {
    let came = 0;
    const busy = createServer((socket) => {
      sockets.add(socket.on('error', () => {}));
      if (came++ % 3 < 2) socket.end("-ERR 'maximum connections exceeded'\r\n"); // to the greeting and the connection; then there is room, and TLS is waited for
    });
    await new Promise<void>((listening) => busy.listen(0, '127.0.0.1', listening));
    const { port } = busy.address() as AddressInfo;
    const { users } = await makeKeys(mkdtempSync(join(tmpdir(), 'spc-keys-')));
    const credentials = users.find(({ name }) => name === 'worker')!;
    const connecting = NatsLink.connect({ url: `tls://127.0.0.1:${port}`, name: 'worker', credentials, waitMs: 3_000 });
    await expect(connecting).rejects.toMatchObject({
      name: 'TransportError',
      message: expect.stringContaining('it hung up before TLS began'),
    });
    busy.close();
  });

  it('without keys that has as many connections as it takes says so, too', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'spc-full-'));
    const config = join(folder, 'full.conf');
    await writePrivate(config, `listen: "127.0.0.1:-1"\nmax_connections: 2\njetstream { store_dir: "${folder}" }\n`);
    const { url } = await startServer({ config });
    for (let i = 0; i < 2; i++) links.add(await NatsLink.connect({ url, name: 'test' }));
    await expect(NatsLink.connect({ url, name: 'test', waitMs: 1_000 })).rejects.toThrow(
      /expected a broker, found none within 1 s, without --creds \(it has as many connections as it takes\)/,
    );
  });

  it('loses the files that its coordinator has, when they take much of their room', async () => {
    const broker = await small(100 * MB);
    const [ours, theirs] = [await broker.join('coordinator'), await broker.join('worker')];
    const has = new Set<string>();
    const origin = { put: async () => '', has: async (_: string, digest: string) => has.has(digest), get: async () => new Uint8Array() };
    const place = { cap: 'cpu-x', sweep: 'quick' };
    const coordinator = await NatsCoordinatorBus.open(ours, { ...place, leaseMs: 300, origin });
    const agent = new NatsAgentBus(theirs, place);
    const files = Array.from({ length: 18 }, (_, i) => new Uint8Array(MB).fill(i));
    for (const bytes of files) await agent.files.put('policies', bytes);
    for (const bytes of files.slice(2)) has.add(contentDigest(bytes));
    const left = async (): Promise<number> => (await ours.jsm.streams.info('FILES')).state.messages;
    for (let i = 0; i < 100 && (await left()) > 20; i++) await sleep(50);
    expect(await left()).toBe(2 * 9); // eight parts and the end of each
    await coordinator.close();
  });
});
