import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { headers, type Msg, type MsgHdrs, type NatsConnection } from '@nats-io/transport-node';
import { afterAll, describe, expect, it } from 'vitest';
import { NatsAgentBus } from '../../../../src/bus/nats/agent.ts';
import { NatsCoordinatorBus } from '../../../../src/bus/nats/coordinator.ts';
import { NatsLink } from '../../../../src/bus/nats/link.ts';
import { NatsRoll } from '../../../../src/bus/nats/roll.ts';
import { serverConfig } from '../../../../src/bus/nats/security/config.ts';
import { writePrivate } from '../../../../src/bus/nats/security/keys.ts';
import { rightsOf, type Service } from '../../../../src/bus/nats/security/roles.ts';
import type { SweepCard, WorkerCard } from '../../../../src/contract/cards.ts';
import { canonicalJson } from '../../../../src/contract/ids.ts';
import type { Job, JobResult } from '../../../../src/contract/job.ts';
import type { Plan } from '../../../../src/coordinator/plan.ts';
import { Presence } from '../../../../src/coordinator/presence.ts';
import { type Planned, Schedule } from '../../../../src/coordinator/schedule.ts';
import { Store } from '../../../../src/coordinator/store.ts';
import { Agent } from '../../../../src/worker/agent/agent.ts';
import { Presence as WorkerPresence } from '../../../../src/worker/agent/presence.ts';
import type { ExecutorPool } from '../../../../src/worker/executor/pool.ts';
import { baseJob, baseSpec, plan } from '../../../worker/fake/specs.ts';
import { jobs, resultOf, sleep, take } from '../../conformance.ts';
import { noServer, startServer } from '../servers.ts';
import { makeKeys } from './secured.ts';

/** What a broker has while two sweeps' worth of things are in it: one of everything that somebody could want to spoil. */
const CAP = 'cpu-x';
const SWEEP = 'quick';
const ROLES = ['worker', 'worker-two', 'viewer'] as const;
type Attacker = (typeof ROLES)[number];
const [QUEUED, DONE, NEW] = jobs as [(typeof jobs)[0], (typeof jobs)[0], (typeof jobs)[0]];
/** Of a job that is no more: what is written there is nobody's. */
const forged = baseJob(baseSpec(99));

const open = new Set<{ close(): Promise<void> }>();
afterAll(async () => {
  await Promise.all([...open].map((one) => one.close()));
});
const kept = <T extends { close(): Promise<void> }>(one: T): T => {
  open.add(one);
  return one;
};

interface Site {
  readonly hub: NatsLink;
  join(name: string): Promise<NatsLink>;
}

/** `change` is made to the server's configuration; with `filled` there is something of everything in it. */
async function site(change: (config: string) => string = (config) => config, filled = true): Promise<Site> {
  const folder = mkdtempSync(join(tmpdir(), 'spc-keys-'));
  const { users, server: pem } = await makeKeys(folder, { workers: ['two', 'three'] });
  const [config, store] = [join(folder, 'server.conf'), join(folder, 'store')];
  await writePrivate(config, change(serverConfig({ host: '127.0.0.1', port: -1, store, certificate: pem, key: pem, users })));
  const { port } = await startServer({ config, store });
  const url = `tls://127.0.0.1:${port}`;
  const joined = async (name: string): Promise<NatsLink> => {
    const credentials = users.find((user) => user.name === name)!;
    return kept(await NatsLink.connect({ url, name, credentials, requestMs: 2_000, patienceMs: 5_000 }));
  };
  const hub = await joined('coordinator');
  if (!filled) return { hub, join: joined };
  const coordinator = kept(await NatsCoordinatorBus.open(hub, { cap: CAP, sweep: SWEEP, leaseMs: 600_000 }));
  const roll = new NatsRoll(hub, { mayMake: true });
  const three = await joined('worker-three');
  const agent = new NatsAgentBus(three, { cap: CAP });
  await coordinator.enqueue(DONE);
  await (await agent.next(5_000))!.complete(resultOf(DONE));
  await coordinator.enqueue(QUEUED);
  await coordinator.files.put('policies', new Uint8Array([1]));
  await agent.files.put('policies', new Uint8Array([2]));
  await roll.workers();
  await new NatsRoll(three, { mayMake: false }).showWorker(card('worker-three.1'));
  await roll.claimSweep(sweep);
  await roll.want({ worker: 'worker-three.1' }, { state: 'run', reason: '', at: '' });
  await roll.want({ sweep: SWEEP, cap: CAP }, { state: 'run', reason: '', at: '' });
  return { hub, join: joined };
}

/** A worker that shows its card, and does what is wanted of it. */
function present(link: NatsLink, bus: NatsAgentBus, id: string): Agent {
  const pool = { slots: 0 } as ExecutorPool;
  const agent = new Agent({ bus, pool, numerics: 'n', name: id });
  const { host, label, pid, node, startedAt } = card(id);
  const who = { id, host, label, pid, node, startedAt, cap: CAP };
  kept(new WorkerPresence({ roll: new NatsRoll(link, { mayMake: false }), agent, pool, who }));
  return agent;
}

const card = (id: string): WorkerCard => ({
  ...{ v: 1, id, host: 'host', label: null, pid: 1, cap: CAP, node: 'v20', startedAt: 'now', slots: 2 },
  ...{ state: 'working', reason: '', done: 0, failed: 0, running: [] },
});
const none = { trial: 0, base: 0 };
const sweep: SweepCard = {
  ...{ v: 1, name: SWEEP, key: SWEEP, cap: CAP, origin: 'here', host: 'host', pid: 1, startedAt: 'now', state: 'running', weight: 1 },
  ...{ window: 8, queued: 0, wanted: none, done: none, failed: none },
};

/** Where no answer of anybody's must arrive. `attacker`'s own subjects are not among them. */
function sensitive(attacker: Attacker): string[] {
  const others = ['worker', 'worker-two', 'worker-three'].filter((name) => name !== attacker);
  const streams = ['TASKS', 'CHECKS', 'RESULTS', 'FILES', 'KV_workers', 'KV_sweeps', 'KV_ctl'];
  return [
    `lab.task.${CAP}.${SWEEP}.${forged.id}`,
    `lab.task.other.other.${forged.id}`,
    ...['worker', 'worker-two', 'worker-three'].map((name) => `lab.check.${name}.${CAP}.${SWEEP}.${forged.id}`),
    `lab.result.${CAP}.${SWEEP}.${forged.id}`,
    `lab.result.coordinator.${CAP}.${SWEEP}.${forged.id}`,
    ...others.map((name) => `lab.result.${name}.${CAP}.${SWEEP}.${forged.id}`),
    'lab.file.coordinator.policies-evil.0',
    ...others.map((name) => `lab.file.${name}.policies-evil.0`),
    'lab.hint.ctl',
    'lab.hint.evil',
    'lab.evil',
    ...others.flatMap((name) => [`$KV.workers.${name}`, `$KV.workers.${name}.evil`]),
    '$KV.workers.evil',
    '$KV.sweeps.evil',
    `$KV.sweeps.${CAP}.${SWEEP}`,
    `$KV.ctl.sweep.${CAP}.${SWEEP}`,
    '$KV.ctl.worker.worker-three.1',
    '$KV.ctl.identity.worker-three',
    '$KV.ctl.identity.evil',
    '$KV.evil.evil',
    '$O.artifacts.M.evil',
    '$O.artifacts.C.evil',
    ...streams.flatMap((stream) => [
      `$JS.API.STREAM.PURGE.${stream}`,
      `$JS.API.STREAM.DELETE.${stream}`,
      `$JS.API.STREAM.UPDATE.${stream}`,
      `$JS.API.STREAM.MSG.DELETE.${stream}`,
      `$JS.API.CONSUMER.CREATE.${stream}`,
      `$JS.API.CONSUMER.CREATE.${stream}.evil`,
      `$JS.API.CONSUMER.DURABLE.CREATE.${stream}.evil`,
      `$JS.API.STREAM.SNAPSHOT.${stream}`,
      `lab.api.STREAM.PURGE.${stream}`,
    ]),
    '$JS.API.STREAM.CREATE.EVIL',
    '$JS.API.STREAM.RESTORE.EVIL',
    `$JS.API.CONSUMER.DELETE.TASKS.cap-${CAP}`,
    `$JS.API.CONSUMER.PAUSE.TASKS.cap-${CAP}`,
    '$JS.API.ACCOUNT.PURGE.SPC',
    '$JS.API.SERVER.REMOVE',
    `$JS.ACK.TASKS.cap-${CAP}.1.2.2.0.0`,
    ...others.map((name) => `$JS.ACK.CHECKS.${name}.1.1.1.0.0`),
    '$JS.ACK.RESULTS.evil.1.1.1.0.0',
    '$JS.FC.evil',
    '$JS.EVENT.ADVISORY.evil',
    '$SYS.REQ.SERVER.PING',
    '$SYS.REQ.SERVER.evil.RELOAD',
    '$SYS.ACCOUNT.SPC.CONNECT',
    '_R_.evil',
    '_INBOX.evil',
    '_INBOX_coordinator.evil',
    ...['viewer', ...others].filter((name) => name !== attacker).map((name) => `_INBOX_${name}.evil`),
  ];
}

/** Everything that an attacker may say, literally, where it may say it. */
function requests(name: Attacker, id: string): string[] {
  const rights = rightsOf({ role: name === 'viewer' ? 'viewer' : 'worker', name });
  if (rights === 'all') throw new Error(name);
  const literal = ({ asked }: Service): string[] => {
    if (asked.endsWith('.*')) return [asked.replace(/\*$/, `cap-${CAP}`), asked.replace(/\*$/, 'cap-none')];
    if (asked === '$JS.ACK.TASKS.>') return [`$JS.ACK.TASKS.cap-${CAP}.1.1.1.0.0`, '$JS.ACK.TASKS.cap-none.1.1.1.0.0'];
    if (asked.startsWith('$JS.ACK.CHECKS.')) return [asked.replace('>', '1.1.1.0.0')];
    if (asked.includes('lab.result.')) return [asked.replace('>', `${CAP}.${SWEEP}.${id}`), asked.replace('>', `none.none.${id}`)];
    if (asked.includes('lab.file.')) return [asked.replace('>', `evil-${id}.0`), asked.replace('>', 'evil-planted.0')];
    if (asked.endsWith('.ctl.sweep.>')) return [asked.replace('>', `${CAP}.${SWEEP}`)];
    return [asked.replace('>', `evil-${id}`)];
  };
  return rights.services.flatMap(literal);
}

/** An answer with content of the attacker's choice is more dangerous than one of the server's. */
const PLANTED = [
  canonicalJson(forged),
  canonicalJson({ state: 'cancel', reason: 'evil', at: '' }),
  '{"name":"EVIL","subjects":["evil.>"],"storage":"memory"}',
  '',
];

/** What is in the broker, apart from what is the attacker's to write and what time changes. */
async function contents({ jsm }: NatsLink, attacker: Attacker): Promise<Record<string, unknown>> {
  const all: Record<string, unknown> = {};
  const own = [`lab.result.${attacker}.`, `lab.file.${attacker}.`, `$KV.workers.${attacker}.`];
  for await (const { config, created } of jsm.streams.list()) {
    const { state } = await jsm.streams.info(config.name, { subjects_filter: '>' });
    const subjects = Object.entries(state.subjects ?? {}).filter(([subject]) => !own.some((its) => `${subject}.`.startsWith(its)));
    const consumers: unknown[] = [];
    for await (const consumer of jsm.consumers.list(config.name)) consumers.push([consumer.name, consumer.config]);
    all[config.name] = { config, created, subjects, consumers };
  }
  return all;
}

/** Where anything of it arrived that should not have, and what of the broker is another than before. */
async function attack({ hub, join: joined }: Site, attacker: Attacker): Promise<{ arrived: string[]; changed: boolean; sent: number }> {
  const { nc } = await joined(attacker);
  const targets = new Set(sensitive(attacker));
  const arrived = new Set<string>();
  const listen = (to: NatsConnection, where: string, subject: string): void => {
    const callback = (_error: Error | null, { subject: at }: Msg): void => void (targets.has(at) && arrived.add(`${where}: ${at}`));
    to.subscribe(subject, { callback });
  };
  listen(hub.nc, 'hub', '>');
  await hub.nc.flush();
  for (const name of ['worker', 'worker-two', 'worker-three', 'viewer'].filter((other) => other !== attacker)) {
    const other = await joined(name);
    for (const subject of [`_INBOX_${name}.>`, 'lab.hint.>']) listen(other.nc, name, subject);
    await other.nc.flush();
  }
  const before = await contents(hub, attacker);
  let sent = 0;
  const say = async (subject: string, payload: string, reply: string, said?: MsgHdrs): Promise<void> => {
    nc.publish(subject, payload, { reply, ...(said && { headers: said }) });
    if (++sent % 500 === 0) await nc.flush();
  };
  for (const [at, content] of PLANTED.entries()) {
    if (attacker !== 'viewer') await nc.request(`lab.file.${attacker}.evil-planted${at}.0`, content, { timeout: 2_000 }).catch(() => {});
    let n = 0;
    for (const reply of targets) {
      for (const request of requests(attacker, `${at}-${n++}`)) {
        // Of MSG.NEXT and of acknowledgements these are the verbs: they would take what is queued, which is a worker's right.
        const payload = request.includes('MSG.NEXT') ? '{"batch":1,"no_wait":true}' : request.startsWith('$JS.ACK') ? '+WPI' : content;
        await say(request.replace('evil-planted.0', `evil-planted${at}.0`), payload, reply);
      }
    }
  }
  for (const request of requests(attacker, 'rollup')) {
    if (request.includes('MSG.NEXT') || request.startsWith('$JS.ACK')) continue;
    for (const [name, value] of HEADERS) {
      const said = headers();
      said.append(name, value);
      await say(request, PLANTED[0]!, `_INBOX_${attacker}.x`, said);
    }
  }
  await nc.flush();
  await sleep(300);
  await hub.nc.flush();
  return {
    arrived: [...arrived].sort(),
    changed: canonicalJson(before as never) !== canonicalJson((await contents(hub, attacker)) as never),
    sent,
  };
}

/** What the server reads of a message that anybody may send. */
const HEADERS = [
  ['Nats-Rollup', 'all'],
  ['Nats-Rollup', 'sub'],
  ['Nats-Trace-Dest', `lab.task.${CAP}.${SWEEP}.${forged.id}`],
  ['Nats-Trace-Dest', '$JS.API.STREAM.PURGE.TASKS'],
  ['Nats-Request-Info', '{"acc":"SPC","svc":"SPC"}'],
  ['Nats-Schedule', '@every 1s'],
  ['Nats-Schedule-Target', `lab.task.${CAP}.${SWEEP}.${forged.id}`],
  ['Nats-Msg-Id', 'evil'],
  ['Nats-TTL', '1s'],
  ['Nats-Expected-Stream', 'TASKS'],
] as const;

/** As it was: everybody in the account of coordinators, with the same list of subjects. */
function flattened(config: string): string {
  type User = { permissions?: { publish: { allow: string[] } } };
  const parsed = JSON.parse(config) as { accounts: Record<string, { users?: User[] }> };
  const users = Object.values(parsed.accounts).flatMap((account) => account.users ?? []);
  for (const { permissions } of users)
    permissions?.publish.allow.push(...permissions.publish.allow.map((at) => at.replace(/^lab.api/, '$JS.API')));
  const SPC = { jetstream: 'enabled', users, mappings: { 'lab.api.>': '$JS.API.>' } };
  return JSON.stringify({ ...parsed, accounts: { SPC, SYS: {} } });
}

describe.skipIf(noServer)('a key that is in the wrong hands', () => {
  it.each(ROLES)('of %s has no answer arrive anywhere, and changes nothing that is not its own', async (attacker) => {
    expect(sensitive(attacker).length).toBeGreaterThan(60);
    const { arrived, changed, sent } = await attack(await site(), attacker);
    expect(sent).toBeGreaterThan(1_000);
    expect([arrived, changed]).toEqual([[], false]);
  });

  it('is an attack: where all are in one account, with the same list of subjects, answers arrive and things change', async () => {
    const { arrived, changed } = await attack(await site(flattened), 'worker');
    expect(changed).toBe(true);
    expect(arrived.length).toBeGreaterThan(60);
    for (const where of [
      `hub: lab.task.${CAP}.${SWEEP}.${forged.id}`,
      'hub: $JS.API.STREAM.PURGE.TASKS',
      'worker-two: _INBOX_worker-two.evil',
    ])
      expect(arrived).toContain(where);
  });

  it('reads nothing of others: neither by asking nor by listening', async () => {
    const { hub, join: joined } = await site();
    for (const attacker of ['worker', 'worker-two'] as const) {
      const { nc } = await joined(attacker);
      const heard: string[] = [];
      for (const subject of ['>', '*.>', 'lab.>', '$KV.>', '$JS.>', '_R_.>', '_INBOX.>', '_INBOX_coordinator.>', '_INBOX_worker-three.>'])
        nc.subscribe(subject, { callback: (error, message) => void (error ?? heard.push(message.subject)) });
      const asked = [
        `DIRECT.GET.RESULTS.lab.result.worker-three.${CAP}.${SWEEP}.${DONE.id}`,
        `DIRECT.GET.RESULTS.lab.result.*.${CAP}.${SWEEP}.${DONE.id}`,
        'DIRECT.GET.FILES.lab.file.worker-three.>',
        'DIRECT.GET.FILES.lab.file.>',
        'DIRECT.GET.KV_ctl.$KV.ctl.worker.worker-three.1',
        'DIRECT.GET.KV_ctl.$KV.ctl.>',
        'DIRECT.GET.KV_workers.$KV.workers.worker-three.1',
        'STREAM.MSG.GET.RESULTS',
        'STREAM.INFO.RESULTS',
        'STREAM.NAMES',
        'INFO',
      ];
      for (const subject of asked.flatMap((api) => [`lab.api.${api}`, `$JS.API.${api}`]))
        await expect(nc.request(subject, '{"seq":1}', { timeout: 1_000 })).rejects.toThrow(/Permissions Violation|permission/i);
      // Within its own: a body does not widen what the subject says.
      const own = await nc
        .request(`lab.api.DIRECT.GET.RESULTS.lab.result.${attacker}.x`, JSON.stringify({ seq: 1, next_by_subj: 'lab.>' }), {
          timeout: 1_000,
        })
        .catch(() => null);
      expect(own?.headers?.code ?? 404).toBeGreaterThanOrEqual(400);
      hub.nc.publish('_INBOX_coordinator.secret');
      await hub.nc.flush();
      await sleep(100);
      expect(heard.filter((subject) => subject !== 'lab.hint.ctl')).toEqual([]);
    }
  });

  it('frames nobody: a row has the identity of the key, whatever its sender says of itself', async () => {
    const { hub, join: joined } = await site();
    const coordinator = kept(await NatsCoordinatorBus.open(hub, { cap: CAP, sweep: 'framed', leaseMs: 600_000 }));
    const evil = await joined('worker-two');
    const row = resultOf(NEW);
    const text = canonicalJson({ ...row, provenance: { ...row.provenance, worker: 'worker-three.1' } } as never);
    const said = headers();
    for (const [name, value] of [
      ['Nats-Subject', `lab.result.worker-three.${CAP}.framed.${NEW.id}`],
      ['Nats-Request-Info', '{"acc":"worker-three"}'],
    ] as const)
      said.append(name, value);
    await evil.nc.request(`lab.result.worker-two.${CAP}.framed.${NEW.id}`, text, { headers: said, timeout: 2_000 });
    for (const subject of [
      `lab.result.worker-three.${CAP}.framed.${NEW.id}`,
      `lab.result.${CAP}.framed.${NEW.id}`,
      `lab.result.*.${CAP}.framed.x`,
    ])
      await expect(evil.nc.request(subject, text, { timeout: 1_000 })).rejects.toThrow(/Permissions Violation|permission/i);
    const honest = await joined('worker-three');
    await honest.js.publish(`lab.result.worker-three.${CAP}.framed.${DONE.id}`, canonicalJson(resultOf(DONE)));
    expect((await take(coordinator, 2)).map(({ from, result }) => [from, result.row.id])).toEqual([
      ['worker-two', NEW.id],
      ['worker-three', DONE.id],
    ]);
  });

  it('of a liar is held, nobody that it names, and its jobs are done by others; a release takes its rows again', async () => {
    const { hub, join: joined } = await site();
    const cap = 'cpu-y';
    const numerics = { base: '', trial: '', all: '', engine: '', files: {} };
    const freeze = { extend: false, recompute: false, warn: () => {} };
    const folder = join(mkdtempSync(join(tmpdir(), 'spc-')), 'x');
    const store = await Store.open(folder, { sweepYaml: '', plan: { digest: '' } as Plan, numerics }, freeze);
    const bus = kept(await NatsCoordinatorBus.open(hub, { cap, sweep: 'lied-to', leaseMs: 2_000 }));
    const roll = new NatsRoll(hub, { mayMake: true });
    const who = { ...sweep, name: 'lied-to', key: 'lied-to', cap };
    const presence = kept(await Presence.open({ roll, who, cancelled: () => {}, howToJoin: 'spc worker' }));
    const trials = plan(3, [['none', {}]]) as Planned[];
    const rows: JobResult[] = [];
    const schedule = new Schedule({
      ...{ trials, store, bus, window: 8, numerics: 'n', auditMs: 100 },
      hold: (identity, reason) => presence.hold(identity, reason),
      onRow: (result) => rows.push(result),
    });
    presence.attend(schedule);
    const running = schedule.run();
    const [evil, good] = [await joined('worker-two'), await joined('worker-three')];
    const lie = (job: Job): JobResult => {
      const result = resultOf(job, 'a lie');
      return { ...result, provenance: { ...result.provenance, worker: 'worker-three.1' } } as JobResult;
    };
    await evil.js.publish(`lab.result.worker-two.${cap}.lied-to.${forged.id}`, canonicalJson(lie(forged) as never));
    while (!(await roll.held()).has('worker-two')) await sleep(20);
    const [liar, honest] = [new NatsAgentBus(evil, { cap }), new NatsAgentBus(good, { cap })];
    const workers = [present(evil, liar, 'worker-two.1'), present(good, honest, 'worker-three.1')] as const;
    while (!workers[0].held) await sleep(20); // if it were honest, and its program
    expect(workers[1].held).toBe(false);
    for (const _ of [1, 2]) {
      const lease = await liar.next(5_000);
      expect(await lease!.complete(lie(lease!.job))).toBe('stored');
    }
    const computing = (async () => {
      while (!schedule.complete) {
        const lease = await honest.next(1_000);
        if (lease) await lease.complete(resultOf(lease.job, 'the truth'));
      }
    })();
    await Promise.all([running, computing]);
    const bases = rows.flatMap(({ kind, row }) => (kind === 'base' && !row.ok ? [row.failure.message] : []));
    expect(bases).toEqual(['the truth', 'the truth', 'the truth']);
    expect(await roll.held()).toEqual(new Set(['worker-two']));
    expect(await roll.wish({ identity: 'worker-three' })).toBeNull();
    await roll.want({ identity: 'worker-two' }, { state: 'run', reason: '', at: '' });
    while (workers[0].held) await sleep(20);
    expect(await roll.held()).toEqual(new Set());
    await store.close();
  });

  it('of a worker, at a broker that an earlier version started, says so and waits for nothing', async () => {
    const { join: joined } = await site(
      (config) => config.replaceAll('"lab.api.CONSUMER.INFO.TASKS.*"', '"$JS.API.CONSUMER.INFO.TASKS.*"'),
      false,
    );
    await expect(new NatsAgentBus(await joined('worker'), { cap: CAP }).next(60_000)).rejects.toMatchObject({
      name: 'ConfigError',
      message: expect.stringMatching(
        /^jobs: these credentials do not allow publish on lab\.api\..*start spc serve again if its version is another$/,
      ),
    });
  });
});
