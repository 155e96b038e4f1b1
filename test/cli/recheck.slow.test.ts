import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { contentDigest } from '../../src/contract/ids.ts';
import { noServer } from '../bus/nats/servers.ts';
import { type Started, scratch, spc, start, until } from './spc.ts';

const WORKERS = ['worker-1', 'worker-2', 'worker-3'];

let made = 0;

/** A listening broker with three keys, and a sweep beside it. */
async function listening() {
  const sweep = scratch({ seeds: 4, strategies: 'none, retrain, tsf, zsi' });
  const port = 20_000 + (process.pid % 10_000) + ++made;
  const serve = start(['serve', '--listen', `127.0.0.1:${port}`, '--workers', '3'], { cwd: sweep.root });
  const creds = (name: string): string => join(sweep.root, 'broker', `${name}.creds`);
  let said = '';
  serve.child.stdout?.on('data', (text: string) => {
    said += text;
  });
  await until('it says how to join', () => said.endsWith('\n'), 60_000);
  const started: Started[] = [serve];
  return {
    ...sweep,
    worker: async (name: string, jobs: 'slow' | 'liar'): Promise<void> => {
      const worker = start(['worker', '--creds', creds(name), '--slots', '1', '--wait', '30s'], { jobs });
      started.push(worker);
      await new Promise((joined) => worker.child.stderr?.once('data', joined));
    },
    go: (...more: string[]) => spc([...sweep.run, '--creds', creds('coordinator'), '--wait', '30s', ...more]),
    end: async () => {
      for (const { child } of started.reverse()) child.kill(child === serve.child ? 'SIGTERM' : 'SIGKILL');
      await Promise.all(started.map(({ done }) => done));
    },
  };
}

const contentDigestOf = (row: string): string => contentDigest(new TextEncoder().encode(row));
const checksOf = ({ lines }: Awaited<ReturnType<typeof listening>>) => lines('checks.jsonl').map((line) => JSON.parse(line));

describe.skipIf(noServer)('spc run --recheck, over a broker with keys', { timeout: 300_000 }, () => {
  const calm = async (): Promise<string[]> => {
    const sweep = scratch({ seeds: 4, strategies: 'none, retrain, tsf, zsi' });
    expect((await spc(sweep.run)).code).toBe(0);
    return rowsOf(sweep.outcome());
  };
  /** Without the files: what was forged leaves some that no row speaks of. */
  const rowsOf = ({ bases, trials }: { bases: string[]; trials: string[] }): string[] => [...bases, ...trials].map(contentDigestOf);

  it('a worker that forges every row is held, and the rows are those of one process', async () => {
    const broker = await listening();
    try {
      await Promise.all(WORKERS.map((name) => broker.worker(name, name === 'worker-2' ? 'liar' : 'slow')));
      const { code, stderr } = await broker.go('--recheck', '0.3');
      expect(code, stderr).toBe(0);
      expect(rowsOf(broker.outcome())).toEqual(await calm());
      expect(stderr).toMatch(/worker-2 is held \(its row of (base|trial) \w+ is not the one of worker-[13] and worker-[13]\)/);
      expect(stderr).not.toMatch(/worker-[13] is held/);
      expect(checksOf(broker).filter(({ state }) => state === 'decided')).toContainEqual(
        expect.objectContaining({ against: ['worker-2'] }),
      );
      expect(broker.lines('aside.jsonl').length).toBeGreaterThan(0);
    } finally {
      await broker.end();
    }
  });

  it('honest workers check each other, and nothing is said of it', async () => {
    const broker = await listening();
    try {
      await Promise.all(WORKERS.map((name) => broker.worker(name, 'slow')));
      const { code, stderr } = await broker.go('--recheck', '1', '--quiet');
      expect([code, stderr]).toEqual([0, '']);
      expect(rowsOf(broker.outcome())).toEqual(await calm());
      expect(checksOf(broker).filter(({ state }) => state === 'same')).toHaveLength(20);
      const again = await broker.go();
      expect(again.code).toBe(0);
      expect(readFileSync(join(broker.folder, 'trials.jsonl'), 'utf8').trimEnd().split('\n')).toHaveLength(16);
    } finally {
      await broker.end();
    }
  });
});
