import { once } from 'node:events';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { connect, errors, type NatsConnection } from '@nats-io/transport-node';
import { afterAll, describe, expect, it } from 'vitest';
import { NatsAgentBus } from '../../../../src/bus/nats/agent.ts';
import { NatsCoordinatorBus, type NatsCoordinatorOptions } from '../../../../src/bus/nats/coordinator.ts';
import { NatsLink } from '../../../../src/bus/nats/link.ts';
import { NatsRoll } from '../../../../src/bus/nats/roll.ts';
import { serverConfig } from '../../../../src/bus/nats/security/config.ts';
import { writePrivate } from '../../../../src/bus/nats/security/keys.ts';
import type { WorkerCard } from '../../../../src/contract/cards.ts';
import { baseSpec, policyOf, trainedRow, trialJob, trialSpec } from '../../../worker/fake/specs.ts';
import { a, b, describeBus, resultOf, sleep, take } from '../../conformance.ts';
import { noServer, startServer } from '../servers.ts';
import { makeKeys, type Secured, startSecured } from './secured.ts';

const LEASE_MS = 700;
const links = new Set<{ close(): Promise<void> }>();
afterAll(async () => {
  await Promise.all([...links].map((one) => one.close()));
});
const kept = <T extends { close(): Promise<void> }>(one: T): T => {
  links.add(one);
  return one;
};

let made = 0;
async function pair(secured: Secured, worker = 'worker', options: Partial<NatsCoordinatorOptions> = {}) {
  const [ours, theirs] = [kept(await secured.join('coordinator')), kept(await secured.join(worker))];
  const place = { cap: `cpu-${made++}`, sweep: 'quick' };
  const coordinator = await NatsCoordinatorBus.open(ours, { ...place, leaseMs: LEASE_MS, ...options });
  const agent = new NatsAgentBus(theirs, place);
  return { coordinator, agent, place, theirs, close: async () => void (await Promise.all([coordinator.close(), agent.close()])) };
}

describe.skipIf(noServer)('over TLS, with keys', () => {
  let shared: Promise<Secured> | null = null;
  const secured = (): Promise<Secured> => {
    shared ??= startSecured();
    return shared;
  };

  describeBus('NATS with the keys of a coordinator and a worker', LEASE_MS, async () => pair(await secured()));

  it('workers show cards and read what is wanted of them, a viewer reads both, and only a coordinator wants anything', async () => {
    const broker = await secured();
    const rollOf = async (name: string, mayMake: boolean) => new NatsRoll(kept(await broker.join(name)), { mayMake });
    const [coordinator, worker, two, viewer] = [
      await rollOf('coordinator', true),
      await rollOf('worker', false),
      await rollOf('worker-two', false),
      await rollOf('viewer', false),
    ];
    const card = (id: string): WorkerCard => ({
      ...{ v: 1, id, host: 'host', label: null, pid: 1, cap: 'cpu-1', node: 'v20', startedAt: 'now', slots: 2 },
      ...{ state: 'working', reason: '', done: 0, failed: 0, running: [] },
    });
    const wish = { state: 'hold', reason: 'a test', at: 'now' } as const;
    await coordinator.workers();
    await worker.showWorker(card('worker.host-1'));
    await two.showWorker(card('worker-two.1'));
    await expect(two.showWorker(card('worker.host-1'))).rejects.toThrow();
    await coordinator.want({ worker: 'worker-two.1' }, wish);
    await expect(worker.want({ worker: 'worker-two.1' }, { ...wish, state: 'run' })).rejects.toThrow();
    expect(await two.wish({ worker: 'worker-two.1' })).toEqual(wish);
    expect((await viewer.workers()).map(({ id }) => id)).toEqual(['worker-two.1', 'worker.host-1']);
    expect(await viewer.sweeps()).toEqual([]);
    await expect(viewer.showWorker(card('viewer'))).rejects.toThrow();
  });

  it.each(['worker', 'worker-two'])('%s does all that an agent does, and nothing of it is refused', async (name) => {
    const spec = baseSpec(7);
    const row = trainedRow(spec);
    const origin = { put: async () => '', has: async () => true, get: async () => policyOf(spec) };
    const { coordinator, agent, place, theirs } = await pair(await secured(), name, { origin });
    const refused: string[] = [];
    void (async () => {
      for await (const status of theirs.nc.status()) if (status.type === 'error') refused.push(status.error.message);
    })();
    await coordinator.enqueue(trialJob(trialSpec(spec), row));
    const gone = new NatsAgentBus(kept(await (await secured()).join(name)), place);
    expect(await gone.next(1_000)).not.toBeNull(); // and never heard of again
    const lease = await agent.next(20_000);
    expect([lease?.attempt, await lease?.extend()]).toEqual([2, true]);
    expect(await agent.files.get('policies', row.result.policy)).toEqual(policyOf(spec));
    const bytes = new Uint8Array(300_000).map((_, i) => i % 251);
    const digest = await agent.files.put('policies', bytes);
    await expect(agent.files.get('policies', digest)).rejects.toThrow(/found nothing/); // it is the coordinator's that it gets
    await lease!.release('once more');
    const again = await agent.next(5_000);
    const result = resultOf(again!.job);
    expect([await again!.complete(result), await again!.complete(result)]).toEqual(['stored', 'exists']);
    const [delivery] = await take(coordinator, 1);
    expect([delivery!.result, delivery!.from]).toEqual([result, name]);
    expect(Buffer.compare(await delivery!.file('policies', digest), bytes)).toBe(0);
    expect(refused).toEqual([]);
  });

  it('a job for one key reaches agents with that key alone, is leased to them as any other, and answered under their name', async () => {
    const { coordinator, agent, place } = await pair(await secured(), 'worker-two');
    const other = new NatsAgentBus(kept(await (await secured()).join('worker')), place);
    const job = a;
    expect([await coordinator.enqueue(job, 'worker-two'), await coordinator.enqueue(job, 'worker-two')]).toEqual([true, false]);
    expect(await coordinator.queued()).toEqual(new Set([job.id]));
    expect(await Promise.all([other.next(1_000), other.nextCheck(1_000), agent.next(1_000)])).toEqual([null, null, null]);
    const gone = await agent.nextCheck(10_000);
    expect(gone?.job).toEqual(job);
    const again = await agent.nextCheck(20_000); // its lease ran out
    expect([again?.attempt, await again?.extend(), again?.sweep]).toEqual([2, true, place.sweep]);
    expect(await again!.complete(resultOf(job))).toBe('stored');
    const [delivery] = await take(coordinator, 1);
    expect([delivery!.result, delivery!.from]).toEqual([resultOf(job), 'worker-two']);
    await delivery!.ack();
    expect(await coordinator.enqueue(b, 'worker-two')).toBe(true);
    await coordinator.withdraw([b.id]);
    expect([await coordinator.queued(), await agent.nextCheck(1_000)]).toEqual([new Set(), null]);
  });

  it('a server that is too old for strangers is told by its first line inside TLS, before anything else is said', async () => {
    const { folder, of } = await secured();
    const pem = readFileSync(join(folder, 'server.pem'), 'utf8');
    const said: string[] = [];
    const old = createTlsServer({ cert: pem, key: pem }, (socket) => {
      const info = {
        server_id: 'x',
        version: '2.9.3',
        jetstream: true,
        nonce: 'abcdefghijklmno',
        auth_required: true,
        tls_required: true,
        max_payload: 1_048_576,
        proto: 1,
        headers: true,
      };
      socket.write(`INFO ${JSON.stringify(info)}\r\n`);
      socket
        .on('error', () => {})
        .on('data', (data) => {
          said.push(String(data).split(' ', 1)[0] ?? '');
          if (String(data).includes('PING')) socket.write('PONG\r\n');
        });
    }).listen(0, '127.0.0.1');
    await once(old, 'listening');
    const { port } = old.address() as { port: number };
    const join_ = NatsLink.connect({ url: `tls://127.0.0.1:${port}`, name: 'worker', credentials: of('worker'), waitMs: 5_000 });
    await expect(join_).rejects.toThrow(/tls:\/\/127\.0\.0\.1:\d+: .*2\.9\.3/);
    expect(said.every((verb) => ['CONNECT', 'PING\r\n'].includes(verb))).toBe(true);
    old.close();
  });

  describe('refuses', () => {
    /** What the server refuses of it, each over one connection. */
    async function refused(name: string, does: (nc: NatsConnection) => void): Promise<string[]> {
      const link = kept(await (await secured()).join(name));
      const said: string[] = [];
      void (async () => {
        for await (const status of link.nc.status()) {
          if (status.type === 'error' && status.error instanceof errors.PermissionViolationError)
            said.push(`${status.error.operation} ${status.error.subject}`);
        }
      })();
      does(link.nc);
      await link.nc.flush();
      await sleep(50);
      await link.close();
      return said;
    }
    const publishing = (name: string, subjects: readonly string[]) =>
      refused(name, (nc) => {
        for (const subject of subjects) nc.publish(subject);
      });
    const subscribing = (name: string, subjects: readonly string[]) =>
      refused(name, (nc) => {
        for (const subject of subjects) nc.subscribe(subject, { callback: () => {} });
      });

    const worker = [
      'lab.task.cpu-x.quick.a',
      'lab.check.worker.cpu-x.quick.a',
      '$JS.API.CONSUMER.MSG.NEXT.CHECKS.worker-other',
      '$JS.ACK.CHECKS.worker-other.1',
      '$JS.API.CONSUMER.CREATE.CHECKS.mine',
      '$JS.API.STREAM.PURGE.TASKS',
      '$JS.API.STREAM.PURGE.RESULTS',
      '$JS.API.STREAM.DELETE.TASKS',
      '$JS.API.STREAM.DELETE.FILES',
      '$JS.API.STREAM.UPDATE.TASKS',
      '$JS.API.STREAM.CREATE.MORE',
      '$JS.API.STREAM.MSG.DELETE.RESULTS',
      '$JS.API.CONSUMER.CREATE.TASKS',
      '$JS.API.CONSUMER.CREATE.TASKS.mine',
      '$JS.API.CONSUMER.DURABLE.CREATE.TASKS.mine',
      '$JS.API.CONSUMER.CREATE.FILES.mine',
      '$JS.API.STREAM.INFO.KV_ctl',
      '$JS.API.STREAM.MSG.GET.RESULTS',
      '$JS.API.STREAM.MSG.GET.FILES',
      '$JS.API.DIRECT.GET.RESULTS',
      '$JS.API.DIRECT.GET.FILES',
      '$JS.API.DIRECT.GET.KV_ctl',
      '$JS.API.DIRECT.GET.FILES.lab.file.worker-other.policies-x.0',
      '$JS.API.DIRECT.GET.RESULTS.lab.result.worker-other.cpu-x.quick.a',
      'lab.result.worker-other.cpu-x.quick.a',
      'lab.result.coordinator.cpu-x.quick.a',
      'lab.result.cpu-x.quick.a',
      'lab.file.worker-other.policies-x.0',
      'lab.file.coordinator.policies-x.0',
      '$KV.workers.anything',
      '$KV.workers.worker-other',
      '$JS.API.INFO',
      '$JS.API.CONSUMER.DELETE.TASKS.cap-x',
      '$KV.ctl.quick',
      '$KV.sweeps.quick',
      'lab.hint.all',
      '_INBOX_coordinator.x',
      '$SYS.REQ.SERVER.PING',
    ];
    const viewer = [
      ...worker.filter((subject) => !subject.includes('STREAM.INFO')),
      'lab.result.viewer.cpu-x.quick.a',
      'lab.file.viewer.policies-x.0',
      '$KV.workers.viewer',
      '$JS.ACK.TASKS.cap-x.1',
      '$JS.API.CONSUMER.MSG.NEXT.TASKS.cap-x',
      '$JS.API.CONSUMER.CREATE.KV_workers.mine.$KV.workers.>',
    ];
    it.each([
      ['worker', [...worker, '$JS.API.CONSUMER.CREATE.KV_ctl.mine', '$KV.workers.worker-two', 'lab.result.worker-two.cpu-x.quick.a']],
      ['worker-two', [...worker, '$KV.workers.worker', '$KV.workers.worker.a', '$JS.API.DIRECT.GET.KV_ctl.$KV.ctl.worker.worker.a']],
      ['viewer', viewer],
    ])('%s publishing to what is not its business', async (name, subjects) => {
      expect(await publishing(name, subjects)).toEqual(subjects.map((subject) => `publish ${subject}`));
    });

    it.each([
      ['worker', '_INBOX_worker-two.>'],
      ['worker-two', '_INBOX_worker.>'],
      ['viewer', '_INBOX_worker.>'],
    ])('%s subscribing to what is not its business', async (name, inbox) => {
      const subjects = ['>', 'lab.>', 'lab.task.>', 'lab.result.>', '$KV.>', '$JS.>', '_INBOX_coordinator.>', '_INBOX.>', inbox];
      expect(await subscribing(name, subjects)).toEqual(subjects.map((subject) => `subscription ${subject}`));
    });

    it.each([
      [
        'worker',
        [
          '$KV.workers.worker.anything',
          'lab.api.DIRECT.GET.KV_ctl.$KV.ctl.worker.worker.anything',
          'lab.api.DIRECT.GET.KV_ctl.$KV.ctl.sweep.x.quick',
          'lab.result.worker.cpu-x.quick.a',
          'lab.file.worker.policies-x.0',
          'lab.api.DIRECT.GET.FILES.lab.file.coordinator.policies-x.0',
        ],
      ],
      ['worker-two', ['$KV.workers.worker-two', '$KV.workers.worker-two.7f3a', 'lab.result.worker-two.cpu-x.quick.a']],
      ['viewer', ['lab.api.STREAM.INFO.KV_sweeps', 'lab.api.CONSUMER.INFO.TASKS.cap-x', 'lab.api.STREAM.MSG.GET.KV_workers']],
      ['coordinator', [...viewer, '$KV.ctl.quick', 'lab.hint.all']],
    ])('nothing that %s needs', async (name, subjects) => {
      expect(
        await publishing(
          name,
          subjects.filter((subject) => !subject.includes('.DELETE')),
        ),
      ).toEqual([]);
      expect(await subscribing(name, ['lab.hint.>', `_INBOX_${name}.>`])).toEqual([]);
    });
  });

  describe('connect(options)', () => {
    it('with a key that the server does not know throws at once', async () => {
      const { url, of } = await secured();
      const { users } = await makeKeys(mkdtempSync(join(tmpdir(), 'spc-keys-')));
      const credentials = { ...of('worker'), seed: users[0]!.seed };
      await expect(NatsLink.connect({ url, name: 'worker', credentials })).rejects.toMatchObject({
        name: 'ConfigError',
        message: `${url}: the broker does not know the key of worker; take the credential file that it made`,
      });
    });

    it('to a server whose certificate is of another authority throws at once', async () => {
      const { url } = await secured();
      const { users } = await makeKeys(mkdtempSync(join(tmpdir(), 'spc-keys-')));
      await expect(NatsLink.connect({ url, name: 'worker', credentials: users[1]! })).rejects.toMatchObject({
        name: 'ConfigError',
        message: `${url}: its certificate is not that of the credentials; take the credential file that this broker made`,
      });
    });

    it('to a server without TLS throws at once, and says nothing to it', async () => {
      const { of } = await secured();
      const { url } = await startServer();
      await expect(NatsLink.connect({ url, name: 'worker', credentials: of('worker') })).rejects.toThrow(
        `${url}: it speaks no TLS; leave --creds out on its own machine, or start it with spc serve --listen`,
      );
    });

    it('under a name that the certificate does not have throws at once', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'spc-keys-'));
      const { users, server: pem } = await makeKeys(folder, { hosts: ['127.0.0.1'] });
      const config = join(folder, 'server.conf');
      await writePrivate(
        config,
        serverConfig({ host: '127.0.0.1', port: -1, store: join(folder, 'store'), certificate: pem, key: pem, users }),
      );
      const { port } = await startServer({ config });
      await expect(NatsLink.connect({ url: `tls://localhost:${port}`, name: 'worker', credentials: users[1]! })).rejects.toThrow(
        /its certificate does not name this address; start it with --host/,
      );
    });

    it('without TLS, or without a key, gets nowhere', async () => {
      const { url, of } = await secured();
      await expect(connect({ servers: url.replace('tls', 'nats'), reconnect: false })).rejects.toThrow(/undefined error/);
      await expect(connect({ servers: url, reconnect: false, tls: { ca: of('worker').ca, handshakeFirst: true } })).rejects.toThrow(
        /Authorization Violation/,
      );
    });
  });

  it('what a role may not do is said once, and not tried again', async () => {
    const link = kept(await (await secured()).join('worker'));
    await expect(NatsCoordinatorBus.open(link, { cap: 'cpu-x', sweep: 'quick' })).rejects.toMatchObject({
      name: 'ConfigError',
      message:
        'streams: these credentials do not allow publish on lab.api.STREAM.INFO.TASKS; take those of another role, or start spc serve again if its version is another',
    });
  });

  it('a key that was taken away ends the connection, and says why', async () => {
    const { folder, server, of, join: joined } = await startSecured();
    const link = kept(await joined('worker'));
    const agent = new NatsAgentBus(link, { cap: 'cpu-x' });
    const next = agent.next(60_000);
    const pem = join(folder, 'server.pem');
    const config = join(folder, 'server.conf');
    await server.kill();
    const less = { host: '127.0.0.1', port: server.port, store: server.store, certificate: pem, key: pem, users: [of('coordinator')] };
    await writePrivate(config, serverConfig(less));
    await startServer({ config, store: server.store });
    expect(await next).toBeNull();
    expect([agent.closed, link.failure?.message]).toEqual([true, expect.stringContaining('the broker does not know the key of worker')]);
  });

  it('a coordinator reads what its workers finished while it was away, and b after a', async () => {
    const { coordinator, agent, place } = await pair(await secured());
    for (const job of [a, b]) await coordinator.enqueue(job);
    await coordinator.close();
    for (const job of [a, b]) expect(await (await agent.next(5_000))!.complete(resultOf(job))).toBe('stored');
    const later = await NatsCoordinatorBus.open(kept(await (await secured()).join('coordinator')), { ...place, leaseMs: LEASE_MS });
    expect((await take(later, 2)).map(({ result }) => result.row.id)).toEqual([a.id, b.id]);
  });
});
