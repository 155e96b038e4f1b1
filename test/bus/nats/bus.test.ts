import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { NatsAgentBus } from '../../../src/bus/nats/agent.ts';
import { NatsCoordinatorBus, type NatsCoordinatorOptions } from '../../../src/bus/nats/coordinator.ts';
import { type LinkOptions, NatsLink } from '../../../src/bus/nats/link.ts';
import type { NatsServer } from '../../../src/bus/nats/server.ts';
import { RESULT_BYTES, RESULTS, resultSubject, TASKS, taskSubject } from '../../../src/bus/nats/streams.ts';
import { isOlder } from '../../../src/bus/nats/version.ts';
import { ContentError } from '../../../src/contract/errors.ts';
import { canonicalJson, contentDigest } from '../../../src/contract/ids.ts';
import { baseJob, baseSpec, policyOf, trainedRow, trialJob, trialSpec } from '../../worker/fake/specs.ts';
import { a, type Bus, b, describeBus, jobs, resultOf, sleep, take } from '../conformance.ts';
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

/** How the object store writes a file's name in a subject. */
const base64 = (name: string): string => Buffer.from(name).toString('base64').replaceAll('+', '-').replaceAll('/', '_');

const LEASE_MS = 700;
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

    it('files.get(...) leaves nothing behind in the broker, which keeps at most a thousand readers of a bucket', async () => {
      const { coordinator, agent, link } = await pair(await server());
      const bytes = new Uint8Array(300_000).map((_, i) => i % 251);
      const digest = await agent.files.put('policies', bytes);
      for (let i = 0; i < 10; i++) expect(await coordinator.files.get('policies', digest)).toEqual(bytes);
      expect((await link.jsm.streams.info('OBJ_artifacts')).state.consumer_count).toBe(0);
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

    it('put(kind, bytes) is idempotent, get(kind, digest) gives what its name says or nothing', async () => {
      const { coordinator, agent } = await pair(await server());
      const bytes = new Uint8Array(300_000).map((_, i) => i % 251);
      const digest = await agent.files.put('policies', bytes);
      expect(await agent.files.put('policies', bytes)).toBe(digest);
      expect(Buffer.compare(await coordinator.files.get('policies', digest), bytes)).toBe(0);
      expect(await coordinator.files.has('forget', digest)).toBe(false);
      await expect(coordinator.files.get('forget', digest)).rejects.toThrow(/expected it in the broker's store, found nothing/);
    });

    describe('get(kind, digest) ends with a verdict, soon, whatever somebody wrote about a file', () => {
      const digest = 'd'.repeat(64);
      const name = `policies-${digest}`;
      const meta = `$O.artifacts.M.${base64(name)}`;
      const honest = { name, bucket: 'artifacts', nuid: 'N', size: 10, chunks: 1, digest: 'SHA-256=x' };
      it.each([
        [
          'a size that was never stored',
          JSON.stringify({ ...honest, size: 2e5 }),
          [70_000],
          /expected 200000 bytes in the broker's store, found 70000/,
        ],
        ['no chunk at all', JSON.stringify({ ...honest, nuid: 'none' }), [], /expected 10 bytes in the broker's store, found 0/],
        ['many small chunks', JSON.stringify({ ...honest, size: 1e6 }), [5, 5, 5], /expected chunks of at least 65536 bytes, got 5/],
        ['empty chunks', JSON.stringify(honest), [0, 0, 0], /expected chunks of at least 65536 bytes, got 0/],
        ['more than it says', JSON.stringify(honest), [20], /expected 10 bytes, got more/],
        ['an endless size', JSON.stringify({ ...honest, size: 1e15 }), [], /expected at most 268435456 bytes, got 1000000000000000/],
        ['a negative size', JSON.stringify({ ...honest, size: -1 }), [], /expected at most 268435456 bytes, got -1/],
        ['a size of letters', JSON.stringify({ ...honest, size: '10' }), [], /expected at most 268435456 bytes, got 10/],
        ['the chunks of others', JSON.stringify({ ...honest, nuid: '>' }), [], /expected a file's key, got ">"/],
        ['a key that is none', JSON.stringify({ ...honest, nuid: { a: 1 } }), [], /expected a file's key, got {"a":1}/],
        ['no JSON', '{"name":', [], /expected a description of a file, got what is none/],
        ['null', 'null', [], /expected a description of a file, got what is none/],
        ['a list', '[]', [], /expected at most 268435456 bytes, got undefined/],
        ['other content', JSON.stringify(honest), [10], /expected the content that its name says, got another/],
      ])('%s', async (_, text, chunks, verdict) => {
        const { coordinator, agent, link } = await pair(await startServer());
        for (const length of chunks) await link.js.publish('$O.artifacts.C.N', new Uint8Array(length));
        await link.js.publish(meta, text);
        const since = Date.now();
        await expect(coordinator.files.get('policies', digest)).rejects.toThrow(verdict);
        await expect(agent.files.get('policies', digest)).rejects.toThrow(ContentError);
        expect(Date.now() - since).toBeLessThan(5_000); // it took ten minutes
      });

      it('and put(kind, bytes) does not rely on it', async () => {
        const { coordinator, agent, link } = await pair(await server());
        const bytes = new Uint8Array(200_000).map((_, i) => i % 241);
        const its = `policies-${contentDigest(bytes)}`;
        await link.js.publish(`$O.artifacts.M.${base64(its)}`, JSON.stringify({ ...honest, name: its }));
        const put = await agent.files.put('policies', bytes);
        expect(Buffer.compare(await coordinator.files.get('policies', put), bytes)).toBe(0);
      });
    });

    it('a job that comes again finds its policy, though somebody had written another in its place', async () => {
      const spec = baseSpec(77);
      const [bytes, digest] = [policyOf(spec), contentDigest(policyOf(spec))];
      const origin = { put: async () => digest, get: async () => bytes, has: async () => true };
      const { coordinator, agent, link } = await pair(await server(), { origin });
      const job = trialJob(trialSpec(spec), trainedRow(spec));
      expect(await coordinator.enqueue(job)).toBe(true);
      const objects = await link.objects.open('artifacts', false);
      await objects.putBlob({ name: `policies-${digest}` }, new Uint8Array(10));
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
      await link.js.publish(resultSubject(place, 'no-json'), '{"kind":"base"}');
      await link.js.publish(resultSubject(place, a.id), canonicalJson(resultOf(b)));
      await link.js.publish(resultSubject(place, b.id), canonicalJson(resultOf(b)));
      expect((await take(coordinator, 1))[0]!.result).toEqual(resultOf(b));
      expect(said.filter((message) => /dropped what is no (job|result)/.test(message))).toHaveLength(5);
      expect(await coordinator.queued()).toEqual(new Set([b.id]));
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
