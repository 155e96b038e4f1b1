import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
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
});
