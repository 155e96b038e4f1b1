import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { headers } from '@nats-io/transport-node';
import { afterAll, describe, expect, it } from 'vitest';
import { NatsAgentBus } from '../../../src/bus/nats/agent.ts';
import { NatsCoordinatorBus, type NatsCoordinatorOptions } from '../../../src/bus/nats/coordinator.ts';
import { type LinkOptions, NatsLink } from '../../../src/bus/nats/link.ts';
import type { NatsServer } from '../../../src/bus/nats/server.ts';
import { FILES, fileSubject, PART_BYTES, RESULT_BYTES, RESULTS, resultSubject, TASKS, taskSubject } from '../../../src/bus/nats/streams.ts';
import { isOlder } from '../../../src/bus/nats/version.ts';
import { canonicalJson, contentDigest } from '../../../src/contract/ids.ts';
import { baseJob, baseSpec, policyOf, trainedRow, trialJob, trialSpec } from '../../worker/fake/specs.ts';
import { a, type Bus, b, describeBus, jobs, malformed, resultOf, sleep, take } from '../conformance.ts';
import { noServer, startServer } from './servers.ts';

const links = new Set<NatsLink>();
const said: string[] = [];
const link = async ({ url }: NatsServer, options: Partial<LinkOptions> = {}): Promise<NatsLink> => {
  const made = await NatsLink.connect({ url, name: 'test', requestMs: 1_000, warn: (message) => said.push(message), ...options });
  links.add(made);
  return made;
};
afterAll(async () => {
  await Promise.all([...links].map((one) => one.close()));
});

interface Pair extends Bus {
  readonly coordinator: NatsCoordinatorBus;
  readonly agent: NatsAgentBus;
  readonly link: NatsLink;
  readonly place: { readonly cap: string; readonly sweep: string };
}

const LEASE_MS = 700;
const big = new Uint8Array(300_000).map((_, i) => i % 251);
const oldResults = {
  retention: 'limits',
  discard: 'new',
  max_msgs_per_subject: 1,
  discard_new_per_subject: true,
  allow_direct: true,
} as const;
let made = 0;

/** Both sides, at a place of their own, each over its own connection. */
async function pair(server: NatsServer, options: Partial<NatsCoordinatorOptions> = {}, linked: Partial<LinkOptions> = {}): Promise<Pair> {
  const [ours, theirs] = [await link(server, linked), await link(server, linked)];
  const place = { cap: `cpu-${made++}`, sweep: 'quick' };
  const coordinator = await NatsCoordinatorBus.open(ours, { ...place, leaseMs: LEASE_MS, ...options });
  const agent = new NatsAgentBus(theirs, place);
  return { coordinator, agent, link: ours, place, close: async () => void (await Promise.all([coordinator.close(), agent.close()])) };
}

// Without a server all of this is skipped, loudly; .ci/run names one in SPC_NATS_SERVER, and then its absence is an error.
describe.skipIf(noServer)('over a real nats-server', () => {
  let shared: Promise<NatsServer> | null = null;
  const server = (): Promise<NatsServer> => {
    shared ??= startServer();
    return shared;
  };
  describeBus('NATS', LEASE_MS, async () => pair(await server()));

  describe('NATS alone', () => {
    it('two agents share the jobs, each takes one at a time', async () => {
      const { coordinator, agent, place } = await pair(await server());
      const other = new NatsAgentBus(await link(await server()), place);
      const many = Array.from({ length: 20 }, (_, i) => baseJob(baseSpec(100 + i)));
      for (const job of many) await coordinator.enqueue(job);
      const taken = [0, 0];
      await Promise.all(
        [agent, other].map(async (one, i) => {
          for (let lease = await one.next(1); lease; lease = await one.next(1)) {
            taken[i]!++;
            await sleep(10);
            expect(await lease.complete(resultOf(lease.job))).toBe('stored');
          }
        }),
      );
      expect(taken[0]! + taken[1]!).toBe(20);
      expect(Math.min(...taken)).toBeGreaterThan(5);
      expect(new Set((await take(coordinator, 20)).map(({ result }) => result.row.id))).toEqual(new Set(many.map(({ id }) => id)));
    });

    it('a reader of files leaves nothing behind in the broker, which keeps at most a thousand consumers of a stream', async () => {
      const { coordinator, agent, link } = await pair(await server());
      const digest = await agent.files.put('policies', big);
      for (let i = 0; i < 10; i++) expect(Buffer.compare(await coordinator.files.getFrom('test', 'policies', digest), big)).toBe(0);
      expect((await link.jsm.streams.info(FILES)).state.consumer_count).toBe(0);
    });

    it('a job whose agent is gone goes to another after its lease', async () => {
      const { coordinator, agent, place } = await pair(await server());
      const gone = await link(await server());
      await coordinator.enqueue(a);
      expect(await new NatsAgentBus(gone, place).next(1_000)).not.toBeNull();
      await gone.nc.close();
      const since = Date.now();
      expect((await agent.next(20_000))?.attempt).toBe(2);
      expect(Date.now() - since).toBeLessThan(LEASE_MS + 2_000);
    });

    it('sees nothing of another sweep or of other code', async () => {
      const [one, two] = [await pair(await server()), await pair(await server())];
      const sibling = await NatsCoordinatorBus.open(one.link, { ...one.place, sweep: 'other', leaseMs: LEASE_MS });
      await one.coordinator.enqueue(a);
      expect(await two.agent.next(1)).toBeNull();
      expect([await sibling.queued(), await two.coordinator.queued()]).toEqual([new Set(), new Set()]);
    });

    it.each([
      ['nothing', 0],
      ['one part', 1_000],
      ['exactly one part', PART_BYTES],
      ['several', 2 * PART_BYTES + 7],
    ])('files.put(kind, bytes) of %s is idempotent, and gives the same bytes to whoever reads', async (_, size) => {
      const { coordinator, agent } = await pair(await server());
      const bytes = new Uint8Array(size).map((_, i) => (7 * i) % 251);
      const digest = await coordinator.files.put('policies', bytes);
      expect(await coordinator.files.put('policies', bytes)).toBe(digest);
      expect([await coordinator.files.has('policies', digest), await coordinator.files.has('forget', digest)]).toEqual([true, false]);
      expect(Buffer.compare(await agent.files.get('policies', digest), bytes)).toBe(0);
      await expect(agent.files.get('forget', digest)).rejects.toThrow(/expected it in the broker's store, found nothing/);
    });

    it('a delivery has the files of who sent it, and of nobody else', async () => {
      const { coordinator, agent, place } = await pair(await server());
      const other = new NatsAgentBus(await link(await server(), { name: 'other' }), place);
      const digest = await agent.files.put('policies', big);
      for (const job of [a, b]) await coordinator.enqueue(job);
      for (const one of [agent, other]) {
        const lease = await one.next(5_000);
        await lease!.complete(resultOf(lease!.job));
      }
      const [mine, theirs] = await take(coordinator, 2);
      expect([mine!.from, theirs!.from]).toEqual(['test', 'other']);
      expect(Buffer.compare(await mine!.file('policies', digest), big)).toBe(0);
      await expect(theirs!.file('policies', digest)).rejects.toMatchObject({ name: 'ContentError', forged: false });
      await expect(other.files.get('policies', digest)).rejects.toThrow(/found nothing/);
    });

    it('a file that lacks a part, or is another, has its verdict at once and leaves room for an honest copy', async () => {
      const { coordinator, agent, link } = await pair(await server());
      const bytes = big.map((value) => 255 - value);
      const digest = contentDigest(bytes);
      const subject = (part: number): string => fileSubject('test', `policies-${digest}`, part);
      const read = () => coordinator.files.getFrom('test', 'policies', digest);
      await link.js.publish(subject(0), new Uint8Array(PART_BYTES));
      await expect(read()).rejects.toMatchObject({ forged: false, message: expect.stringContaining('found its first 1 part(s) alone') });
      await link.js.publish(subject(0), new Uint8Array(PART_BYTES + 1));
      await expect(read()).rejects.toMatchObject({
        forged: true,
        message: expect.stringContaining(`expected parts of ${PART_BYTES} bytes`),
      });
      await link.js.publish(subject(0), new Uint8Array(3));
      await expect(read()).rejects.toMatchObject({
        forged: true,
        message: expect.stringContaining('expected the content that its name says'),
      });
      const odd = headers(503, 'no responders'); // as if nobody had answered
      await link.js.publish(subject(0), new Uint8Array(0), { headers: odd });
      await expect(read()).rejects.toMatchObject({ forged: true });
      await agent.files.put('policies', bytes);
      expect(Buffer.compare(await read(), bytes)).toBe(0);
    });

    it('a row whose headers say that there is none is read all the same', async () => {
      const { coordinator, link, place } = await pair(await server());
      for (const [job, odd] of [
        [a, headers(404, 'Message Not Found')],
        [b, headers(503, 'no responders')],
      ] as const) {
        odd.append('Nats-Subject', resultSubject(place, job.id, 'innocent'));
        await link.js.publish(resultSubject(place, job.id, 'test'), canonicalJson(resultOf(job)), { headers: odd });
      }
      const found = await take(coordinator, 2);
      expect(found.map(({ result, from }) => [result.row.id, from])).toEqual([
        [a.id, 'test'],
        [b.id, 'test'],
      ]);
    });

    it('a result of who is held does not count as being there', async () => {
      const { coordinator, agent, place } = await pair(await server());
      const liar = new NatsAgentBus(await link(await server(), { name: 'liar' }), place);
      await coordinator.enqueue(a);
      await (await liar.next(5_000))!.complete(resultOf(a, 'a lie'));
      expect([await coordinator.enqueue(a), await coordinator.queued()]).toEqual([false, new Set([a.id])]);
      coordinator.distrust(new Set(['liar']));
      expect(await coordinator.queued()).toEqual(new Set());
      expect(await coordinator.enqueue(a)).toBe(true);
      await (await agent.next(5_000))!.complete(resultOf(a));
      expect((await take(coordinator, 2)).map(({ from }) => from)).toEqual(['liar', 'test']);
    });

    it('what an earlier version left in the broker makes room for what is there now', async () => {
      const server = await startServer();
      const before = await link(server);
      await before.jsm.streams.add({ name: 'OBJ_artifacts', subjects: ['$O.artifacts.>'], max_bytes: 1_000_000 });
      await before.jsm.streams.add({ name: 'RESULTS', subjects: ['lab.result.>'], ...oldResults });
      await before.js.publish(`lab.result.cpu-x.quick.${a.id}`, canonicalJson(resultOf(a)));
      said.length = 0;
      const { coordinator, agent } = await pair(server);
      expect(said).toEqual(['the broker has results and files of an earlier version: they are removed, and computed again']);
      expect((await before.jsm.streams.info(RESULTS)).state.messages).toBe(0);
      await expect(before.jsm.streams.info('OBJ_artifacts')).rejects.toThrow(/stream not found/);
      await coordinator.enqueue(a);
      expect(await (await agent.next(5_000))!.complete(resultOf(a))).toBe('stored');
    });

    it('a job that comes again finds its policy, though somebody had written another in its place', async () => {
      const spec = baseSpec(77);
      const [bytes, digest] = [policyOf(spec), contentDigest(policyOf(spec))];
      const origin = { put: async () => digest, get: async () => bytes, has: async () => true };
      const { coordinator, agent, link } = await pair(await server(), { origin });
      const job = trialJob(trialSpec(spec), trainedRow(spec));
      expect(await coordinator.enqueue(job)).toBe(true);
      const part = fileSubject('coordinator', `policies-${digest}`, 0);
      await link.jsm.streams.purge(FILES, { filter: part });
      await link.js.publish(part, new Uint8Array(10));
      const lease = await agent.next(5_000);
      await expect(agent.files.get('policies', digest)).rejects.toThrow(/another/);
      await lease!.drop();
      expect(await coordinator.enqueue(job)).toBe(true);
      expect(Buffer.compare(await agent.files.get('policies', digest), bytes)).toBe(0);
    });

    it("enqueue(trial) puts its base's policy where agents find it", async () => {
      const spec = baseSpec(7);
      const row = trainedRow(spec);
      const origin = { put: async () => '', has: async () => true, get: async () => policyOf(spec) };
      const { coordinator, agent } = await pair(await server(), { origin });
      await coordinator.enqueue(trialJob(trialSpec(spec), row));
      expect(await agent.files.get('policies', row.result.policy)).toEqual(policyOf(spec));
    });

    it('a message that is no job is dropped, and so is one that is no result', async () => {
      const { coordinator, agent, link, place } = await pair(await server());
      said.length = 0;
      await link.js.publish(taskSubject(place, 'no-json'), '{');
      await link.js.publish(taskSubject(place, a.id), canonicalJson(b));
      await link.js.publish(`lab.task.${place.cap}.Odd.${b.id}`, canonicalJson(b));
      await coordinator.enqueue(b);
      expect((await agent.next(5_000))?.job).toEqual(b);
      await link.js.publish(resultSubject(place, 'no-json', 'test'), '{"kind":"base"}');
      await link.js.publish(resultSubject(place, a.id, 'test'), canonicalJson(resultOf(b)));
      await link.js.publish(resultSubject(place, b.id, 'test'), canonicalJson(resultOf(b)));
      expect((await take(coordinator, 1))[0]!.result).toEqual(resultOf(b));
      expect(said.filter((message) => /dropped what is no job/.test(message))).toHaveLength(3);
      expect(malformed.splice(0).map((one) => [one.from, one.malformed])).toEqual([
        ['test', expect.stringMatching(/no-json: dropped what is no result/)],
        ['test', expect.stringMatching(/dropped what is no result \(id: expected the subject's/)],
      ]);
      expect(await coordinator.queued()).toEqual(new Set([b.id]));
    });

    it('what one worker alone was given is no job of all: who has it may have left for good', async () => {
      const { coordinator, agent } = await pair(await server());
      expect([await coordinator.enqueue(a, 'gone'), await coordinator.queued()]).toEqual([true, new Set([a.id])]);
      await coordinator.enqueue(a);
      await (await agent.next(5_000))!.drop();
      expect(await coordinator.queued()).toEqual(new Set());
    });

    it.each([
      ['the fault of nobody where the broker is new', 600_000, true],
      ['the fault of who sent its row elsewhere', 1, false],
    ])('a file of which nothing is there is %s', async (_, leaseMs, lost) => {
      const { coordinator, link, place } = await pair(await startServer(), { leaseMs });
      await sleep(50);
      await link.js.publish(resultSubject(place, a.id, 'test'), canonicalJson(resultOf(a)));
      const [delivery] = await take(coordinator, 1);
      const read = delivery!.file('policies', contentDigest(big));
      await expect(read).rejects.toMatchObject({ name: 'ContentError', forged: false, lost });
    });

    it('a consumer that gives out nothing is made anew', async ({ skip }) => {
      const { coordinator, agent, link, place } = await pair(await server());
      if (isOlder(link.nc.info!.version, '2.11.0')) skip('this server cannot pause a consumer');
      await link.jsm.consumers.pause(TASKS, `cap-${place.cap}`, new Date(Date.now() + 600_000));
      await coordinator.enqueue(a);
      expect((await agent.next(20_000))?.job.id).toBe(a.id);
      expect(said.at(-1)).toMatch(/1 job\(s\) wait and none is given out; it is made anew/);
    });
  });

  describe('NATS, a broker that fails', () => {
    it('jobs, leases and results survive a server that is killed', async () => {
      const first = await startServer();
      const { coordinator, agent } = await pair(first, { leaseMs: 4_000 });
      for (const job of jobs) await coordinator.enqueue(job);
      await (await agent.next(1_000))!.complete(resultOf(a));
      const held = await agent.next(1_000);
      await first.kill();
      const done = held!.complete(resultOf(b)); // the broker is away now
      await startServer({ store: first.store, port: first.port });
      expect(await done).toMatch(/stored|exists/);
      expect((await take(coordinator, 2)).map(({ result }) => result.row.id)).toEqual([a.id, b.id]);
      // A server forgets the deliveries of its last moments: b may come again, and is refused as one that exists.
      for (let last = ''; last !== jobs[2]!.id; ) {
        const lease = await agent.next(10_000);
        last = lease!.job.id;
        expect(await lease!.complete(resultOf(lease!.job))).toBe(last === b.id ? 'exists' : 'stored');
      }
    });

    it('a store that was wiped fills again', async () => {
      const first = await startServer();
      const { coordinator, agent } = await pair(first);
      const results = take(coordinator, 4);
      const finish = async (): Promise<void> => {
        const lease = await agent.next(20_000);
        await lease!.complete(resultOf(lease!.job));
      };
      for (const job of jobs) await coordinator.enqueue(job);
      for (const _ of jobs) await finish();
      await sleep(100); // all three are read, none is acknowledged
      await first.kill();
      await startServer({ port: first.port });
      expect(await coordinator.queued()).toEqual(new Set());
      expect(await coordinator.enqueue(b)).toBe(true);
      await finish();
      expect((await results).map(({ result }) => result.row.id)).toEqual([...jobs.map(({ id }) => id), b.id]);
    });

    it('a full stream is not taken for one that has the result, and heals', async () => {
      const { coordinator, agent, link } = await pair(await startServer());
      await link.jsm.streams.update(RESULTS, { max_bytes: 10 });
      await coordinator.enqueue(a);
      const lease = await agent.next(1_000);
      const heartbeat = setInterval(() => void lease!.extend(), LEASE_MS / 4);
      let completion = '';
      const done = lease!.complete(resultOf(a)).then((said) => {
        completion = said;
      });
      await sleep(500);
      expect(completion).toBe('');
      await link.jsm.streams.update(RESULTS, { max_bytes: 1_000_000 });
      await done;
      clearInterval(heartbeat);
      expect(completion).toBe('stored');
    });

    it('says when a server takes smaller messages than a row may be', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'spc-nats-'));
      const config = join(folder, 'small.conf');
      writeFileSync(config, `listen: "127.0.0.1:-1"\nmax_payload: 65536\njetstream { store_dir: "${folder}" }\n`);
      said.splice(0);
      await pair(await startServer({ config }));
      const most = `expected max_payload of at least ${RESULT_BYTES} bytes, got 65536`;
      expect(said).toEqual([`broker: ${most}; a row that is larger cannot pass: raise it in the server's configuration`]);
      said.splice(0);
      await pair(await server());
      expect(said).toEqual([]);
    });

    it('gives up with a TransportError when patience is over', async () => {
      const server = await startServer();
      const { coordinator, link } = await pair(server, {}, { patienceMs: 300 });
      await link.jsm.streams.update(TASKS, { max_bytes: 10 });
      await expect(coordinator.enqueue(a)).rejects.toMatchObject({ name: 'TransportError' });
    });
  });
});
