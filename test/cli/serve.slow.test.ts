import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { NatsLink } from '../../src/bus/nats/link.ts';
import { ensureBroker } from '../../src/bus/nats/streams.ts';
import { parseCredentials } from '../../src/contract/credentials.ts';
import { noServer } from '../bus/nats/servers.ts';
import { childrenOf, scratch, sleep, spc, start, until } from './spc.ts';

const SMALL = { seeds: 2, more: 'acceptance: report\nppo: { totalTimesteps: 20000, numEnvs: 8 }\n' } as const;
const REAL = { jobs: 'real' } as const;

describe.skipIf(noServer)('spc serve --listen, run and worker with --creds', { timeout: 600_000 }, () => {
  it('computes what one process computes, to the same bytes, while the broker is killed and comes back', async () => {
    const calm = scratch(SMALL);
    expect((await spc(calm.run, REAL)).code).toBe(0);

    const sweep = scratch(SMALL);
    const port = 20_000 + (process.pid % 10_000);
    const broker = start(['serve', '--listen', `127.0.0.1:${port}`, '--worker', 'two'], { ...REAL, cwd: sweep.root });
    let said = '';
    broker.child.stdout?.on('data', (text: string) => {
      said += text;
    });
    await until('it says how to join', () => said.endsWith('\n'), 60_000);
    const creds = (name: string): string => join(sweep.root, 'broker', `${name}.creds`);
    expect(JSON.parse(readFileSync(creds('worker-two'), 'utf8'))).toMatchObject({ role: 'worker', url: `tls://127.0.0.1:${port}` });
    const workers = ['worker', 'worker-two'].map((name) =>
      start(['worker', '--creds', creds(name), '--slots', '1', '--until-idle', '30'], REAL),
    );
    const run = start([...sweep.run, '--creds', creds('coordinator')], REAL);
    while (sweep.lines('trials.jsonl').length < 2) await sleep(20);
    for (const pid of childrenOf(broker.pid)) process.kill(pid, 'SIGKILL');
    const { code, stderr } = await run.done;
    expect(code, stderr).toBe(0);
    expect(sweep.outcome()).toEqual(calm.outcome());
    expect((await Promise.all(workers.map(({ done }) => done))).map((left) => left.code)).toEqual([0, 0]);
    process.kill(broker.pid, 'SIGTERM');
    const left = await broker.done;
    expect([left.code, left.stderr]).toEqual([0, expect.stringContaining('it has ended; starting it again')]);
  });

  it('shuts a key out with which somebody fills the broker for all others', async () => {
    const root = mkdtempSync(join(tmpdir(), 'spc-'));
    const port = 30_000 + (process.pid % 10_000);
    const broker = start(['serve', '--listen', `127.0.0.1:${port}`, '--worker', 'two'], { ...REAL, cwd: root });
    let [said, complained] = ['', ''];
    broker.child.stdout?.on('data', (text: string) => {
      said += text;
    });
    broker.child.stderr?.on('data', (text: string) => {
      complained += text;
    });
    await until('it says how to join', () => said.endsWith('\n'), 60_000);
    const join_ = async (name: string): Promise<NatsLink> => {
      const file = join(root, 'broker', `${name}.creds`);
      const credentials = parseCredentials(file, readFileSync(file, 'utf8'));
      return NatsLink.connect({ url: credentials.url, name, credentials });
    };
    const [ours, hostile] = [await join_('coordinator'), await join_('worker-two')];
    await ensureBroker(ours, 'cpu-x', 5_000);
    const junk = new Uint8Array(500_000);
    for (let i = 0; !hostile.closed && i < 20_000; i++) {
      hostile.nc.publish(`lab.result.worker-two.cpu-none.none${i}.aaaaaaaaaaaaaaaa`, junk);
      if (i % 4 === 0) await hostile.nc.flush().catch(() => sleep(50));
    }
    expect(hostile.closed).toBe(true);
    await until('it has said so', () => /worker-two filled .* its key is shut out until spc serve is started again/.test(complained));
    await (await join_('worker')).close(); // nobody else is
    await ours.close();
    process.kill(broker.pid, 'SIGTERM');
    expect((await broker.done).code).toBe(0);
  });
});
