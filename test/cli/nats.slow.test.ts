import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { noServer, startServer } from '../bus/nats/servers.ts';
import { scratch, sleep, spc, start } from './spc.ts';

/** Real jobs: what a worker makes up is no result to a coordinator. */
const SMALL = { seeds: 2, more: 'acceptance: report\nppo: { totalTimesteps: 20000, numEnvs: 8 }\n' } as const;
const REAL = { jobs: 'real' } as const;

describe.skipIf(noServer)('spc run --nats and spc worker, over a real broker', { timeout: 180_000 }, () => {
  it('two workers compute what one process computes, to the same bytes; one leaves in the middle, one comes before the run', async () => {
    const calm = scratch(SMALL);
    expect((await spc(calm.run, REAL)).code).toBe(0);

    const server = await startServer();
    const sweep = scratch(SMALL);
    const worker = (...more: string[]) => start(['worker', '--nats', server.url, '--slots', '1', ...more], REAL);
    const [early, stays] = [worker(), worker('--until-idle', '20')];
    const run = start([...sweep.run, '--nats', server.url], REAL);
    while (sweep.lines('trials.jsonl').length < 2) await sleep(20);
    process.kill(early.pid, 'SIGTERM');
    const left = await early.done;
    expect([left.code, left.stderr]).toEqual([143, expect.stringContaining('finishing what runs')]);
    const { code, stderr, stdout } = await run.done;
    expect([code, stdout.includes('quick: cartpole/angle')], stderr).toEqual([0, true]);
    expect(sweep.outcome()).toEqual(calm.outcome());

    const again = await spc([...sweep.run, '--nats', server.url], REAL); // nothing is missing, so nobody is asked
    expect([again.code, again.stdout]).toEqual([0, stdout]);
    expect((await stays.done).code).toBe(0); // nothing more came
  });

  it('a coordinator that is killed goes on from its rows and from what its workers finished meanwhile', async () => {
    const server = await startServer();
    const sweep = scratch(SMALL);
    const worker = start(['worker', '--nats', server.url, '--slots', '2'], REAL);
    const first = start([...sweep.run, '--nats', server.url], REAL);
    while (sweep.lines('trials.jsonl').length < 2) await sleep(20);
    process.kill(first.pid, 'SIGKILL');
    await first.done;
    const second = await spc([...sweep.run, '--nats', server.url], REAL);
    expect(second.code, second.stderr).toBe(0);
    const calm = scratch(SMALL);
    await spc(calm.run, REAL);
    expect(sweep.outcome()).toEqual(calm.outcome());
    process.kill(worker.pid, 'SIGKILL');
    await worker.done;
  });

  it('a worker with --engine for each engine of a sweep serves it, one with fewer does not', async () => {
    const small = {
      seeds: 1,
      strategies: 'none',
      more: '  engine: [reference, wasm]\nacceptance: report\nppo: { totalTimesteps: 4096 }\n',
    };
    const server = await startServer();
    const sweep = scratch(small);
    const worker = (...more: string[]) => start(['worker', '--nats', server.url, '--slots', '1', '--until-idle', '3', ...more], REAL);
    const run = start([...sweep.run, '--nats', server.url], REAL);
    const [fewer] = await Promise.all([worker('--engine', 'reference').done]);
    expect([fewer.code, sweep.lines('bases.jsonl')]).toEqual([0, []]);
    const all = worker('--engine', 'wasm', '--engine', 'reference');
    const { code, stderr } = await run.done;
    expect([code, sweep.lines('trials.jsonl').length], stderr).toEqual([0, 2]);
    expect((await all.done).code).toBe(0);
  });

  it('a worker without work leaves on SIGTERM though its broker is gone', async () => {
    const server = await startServer();
    const sweep = scratch({ seeds: 1, strategies: 'none' });
    const run = start([...sweep.run, '--nats', server.url], REAL); // which makes what a worker asks for
    const worker = start(['worker', '--nats', server.url, '--slots', '2', '--engine', 'reference'], REAL);
    await once(worker.child.stderr!, 'data'); // its first line says that it has joined
    await sleep(2_000);
    await server.kill();
    await sleep(3_000);
    const since = performance.now();
    process.kill(worker.pid, 'SIGTERM');
    expect((await worker.done).code).toBe(143);
    expect(performance.now() - since).toBeLessThan(6_000); // it took 27 s
    process.kill(run.pid, 'SIGKILL');
    await run.done;
  });

  it('a worker without work leaves after --until-idle', async () => {
    const server = await startServer();
    expect((await spc(['worker', '--nats', server.url, '--slots', '1', '--until-idle', '1'], REAL)).code).toBe(0);
  });
});
