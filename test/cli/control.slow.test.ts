import { describe, expect, it } from 'vitest';
import { noServer, startServer } from '../bus/nats/servers.ts';
import { type Left, type Started, scratch, sleep, spc, start } from './spc.ts';

const REAL = { jobs: 'real' } as const;
const SMALL = { seeds: 6, more: 'acceptance: report\nppo: { totalTimesteps: 10000, numEnvs: 8 }\n' } as const;

/** Asks until it is so. */
async function eventually(what: string, look: () => Promise<boolean>, ms = 60_000): Promise<void> {
  for (const end = Date.now() + ms; !(await look()); await sleep(200)) if (Date.now() > end) throw new Error(`waited in vain: ${what}`);
}

describe.skipIf(noServer)('spc status, workers, pause, resume, cancel, over a real broker', { timeout: 300_000 }, () => {
  it('what is wanted is done, and the rows are those of one process all the same', async () => {
    const calm = scratch(SMALL);
    expect((await spc(calm.run, REAL)).code).toBe(0);

    const { url } = await startServer();
    const at = (...args: string[]): Promise<Left> => spc([...args, '--nats', url], REAL);
    const status = async () => JSON.parse((await at('status', '--json')).stdout);
    const sweep = scratch(SMALL);
    const run = (): Started => start([...sweep.run, '--nats', url], REAL);
    const worker = start(['worker', '--nats', url, '--slots', '1', '--label', 'bench'], REAL);
    const first = run();
    await eventually('a row', async () => sweep.lines('trials.jsonl').length > 0);

    expect((await at('pause', 'quick', '--reason', 'lunch')).stdout).toBe('quick is paused; what runs is finished\n');
    await eventually('the pause', async () => (await status()).sweeps[0].state === 'paused');
    const rows = (): number => sweep.lines('trials.jsonl').length + sweep.lines('bases.jsonl').length;
    // A card is up to 5 s old: it may be from between two jobs.
    await eventually('quiet', async () => {
      const before = rows();
      await sleep(2_000);
      return rows() === before && (await status()).workers[0].running.length === 0;
    });
    const paused = rows();
    await sleep(2_000);
    expect(rows()).toBe(paused);

    expect((await at('workers', 'drain', 'bench')).stdout).toMatch(/^[\w.-]+ finishes what it runs and takes nothing more\n$/);
    await eventually('the drain', async () => (await status()).workers[0].state === 'drained');
    await at('resume', 'quick');
    await eventually('the resumption', async () => (await status()).sweeps[0].state === 'running');
    await sleep(2_000);
    expect(rows()).toBe(paused);
    await at('workers', 'release', 'bench');
    await eventually('more rows', async () => rows() > paused);

    const second = scratch(SMALL); // of the same name, elsewhere
    const refused = await spc([...second.run, '--nats', url], REAL);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringMatching(/^quick: expected to be the only one that runs it, got /)]);

    await at('cancel', 'quick', '--reason', 'enough');
    const cancelled = await first.done;
    expect([cancelled.code, cancelled.stderr]).toEqual([
      7,
      expect.stringContaining('cancelled (enough); the same command goes on from here'),
    ]);
    await eventually('nothing runs', async () => (await status()).workers[0].running.length === 0);
    expect((await status()).sweeps).toEqual([]);

    const { code, stderr } = await run().done;
    expect(code, stderr).toBe(0);
    expect(sweep.outcome()).toEqual(calm.outcome());
    expect((await at('status')).stdout).toContain('no sweep is being run');
    process.kill(worker.pid, 'SIGTERM');
    expect((await worker.done).code).toBe(143);
    expect((await status()).workers).toEqual([]);
  });

  it('says what it does not know, and what was meant', async () => {
    const { url } = await startServer();
    const nobody = await spc(['pause', 'quick', '--nats', url], REAL);
    expect([nobody.code, nobody.stderr]).toEqual([
      2,
      'sweep quick: expected one that the broker knows, got none of that name; there is none\n',
    ]);
    const none = await spc(['workers', 'drain', '--nats', url], REAL);
    expect([none.code, none.stderr]).toEqual([
      2,
      'spc workers drain: expected ids or labels of workers, got none; spc workers lists them\n',
    ]);
  });
});
