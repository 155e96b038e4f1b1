import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { noServer, server } from '../bus/nats/servers.ts';
import { childrenOf, isAlive, sleep, until } from '../cli/spc.ts';
import { calmRun, drillFolder, forget, linesOf, writeSweep } from './folder.ts';
import { Hosts, noHosts, type Resident } from './hosts.ts';
import { checkFiles, compareRows } from './invariants.ts';
import { say } from './report.ts';
import { LEASE_MS } from './site.ts';

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));
const CUT_MS = 20_000;
const PORT = 4222;
const MONITOR = 8222;
/** Of a hundredth of a second: Linux. */
const TICK_MS = 10;

const without = noServer ? 'there is no nats-server' : noHosts();
if (without !== null) say(`SKIPPED: the drill with hosts of their own: ${without}`);

/** What the broker and its workers call each other. With keys and TLS this is the address of the hub, and `forward.mjs` can go. */
const broker = `nats://127.0.0.1:${PORT}`;

/** ms of CPU time of a worker's executor. */
function computedMs({ pid }: Resident): number {
  let ms = 0;
  for (const child of childrenOf(pid)) {
    const stat = readFileSync(`/proc/${child}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    ms += (Number(fields[11]) + Number(fields[12])) * TICK_MS;
  }
  return ms;
}

interface Stream {
  readonly name: string;
  readonly state: { readonly messages: number };
  readonly consumer_detail?: readonly { readonly num_ack_pending: number }[];
}

/** Jobs in the work queue, and of them those that are leased. */
function queue(hosts: Hosts): readonly [number, number] {
  const script = `fetch('http://127.0.0.1:${MONITOR}/jsz?consumers=1').then((r) => r.text()).then((text) => process.stdout.write(text))`;
  const seen = JSON.parse(hosts.ask('hub', [process.execPath, '-e', script])) as { account_details: { stream_detail: Stream[] }[] };
  const tasks = seen.account_details.flatMap(({ stream_detail }) => stream_detail).find(({ name }) => name === 'TASKS');
  return [tasks?.state.messages ?? -1, tasks?.consumer_detail?.reduce((sum, { num_ack_pending }) => sum + num_ack_pending, 0) ?? -1];
}

describe.skipIf(without !== null)('spc run --nats and spc worker, on three hosts', () => {
  it('a worker whose host is cut off for 20 s: the other goes on, both go on after, and the rows are those of one process', async () => {
    if (typeof server === 'string') throw new Error(server);
    const folder = drillFolder('partition');
    const sweep = writeSweep(folder, 30);
    const calm = await calmRun(folder, sweep);
    const results = join(folder, 'results');
    const left = join(results, 'drill');
    const rows = (): number => linesOf(left, 'bases.jsonl').length + linesOf(left, 'trials.jsonl').length;
    const hosts = new Hosts(folder, ['hub', 'far', 'near']);
    const diary: string[] = [];
    try {
      const store = join(folder, 'store');
      hosts.run('hub', 'server', [server.path, '-a', '0.0.0.0', '-p', `${PORT}`, '-m', `${MONITOR}`, '-js', '-sd', store]);
      const spc = (host: string, role: string, ...args: string[]): Resident =>
        hosts.run(host, role, [process.execPath, path('./spc.mjs'), ...args], { LEASE_MS: `${LEASE_MS}` });
      const [far, near] = (['far', 'near'] as const).map((host) => {
        hosts.run(host, `forward-${host}`, [process.execPath, path('./forward.mjs'), `${PORT}`, hosts.hubOf(host), `${PORT}`]);
        return spc(host, `worker-${host}`, 'worker', '--nats', broker, '--slots', '1', '--wait', '10m');
      }) as [Resident, Resident];
      const began = Date.now();
      const run = spc('hub', 'coordinator', 'run', sweep, '--results', results, '--nats', broker, '--wait', '10m', '--quiet');
      const note = (what: string): void => {
        diary.push(
          `${((Date.now() - began) / 1000).toFixed(1)} s  ${what}; ${rows()} rows, CPU ms far ${computedMs(far)}, near ${computedMs(near)}`,
        );
      };

      await until('both compute', () => rows() >= 40 && computedMs(far) > 2_000 && computedMs(near) > 2_000, 120_000);
      hosts.link('far', 'down');
      note('far is cut off');
      await sleep(CUT_MS / 2);
      const [middle, idle] = [rows(), computedMs(far)];
      note('half of it');
      await sleep(CUT_MS / 2);
      note('far is back');
      hosts.link('far', 'up');
      expect(rows()).toBeGreaterThan(middle); // near goes on
      expect(computedMs(far) - idle).toBeLessThan(500); // nothing reaches far
      await until('far computes again', () => computedMs(far) > idle + 1_000, 120_000);
      note('far computes again');
      const code = await run.ended;
      note('done');
      expect(code, readFileSync(run.log, 'utf8')).toBe(0);
      const wallS = (Date.now() - began) / 1000;

      await sleep(2 * LEASE_MS);
      expect(queue(hosts)).toEqual([0, 0]);
      const executors = [far, near].flatMap(({ pid }) => childrenOf(pid));
      for (const { child } of [far, near]) child.kill('SIGTERM');
      expect(await Promise.all([far.ended, near.ended])).toEqual([143, 143]);
      await until('the executors have gone', () => !executors.some(isAlive));
      expect([...compareRows(left, calm.folder), ...checkFiles(left)]).toEqual([]);
      say(`three hosts: ${calm.jobs} jobs, ${wallS.toFixed(0)} s, calm ${calm.wallS.toFixed(0)} s\n  ${diary.join('\n  ')}`);
    } catch (error) {
      throw new Error(`${error instanceof Error ? error.message : error}\n${diary.join('\n')}\nlogs: ${folder}`, { cause: error });
    } finally {
      await hosts.close();
    }
    forget(folder);
  });
});
