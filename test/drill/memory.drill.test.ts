import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { noServer, startServer } from '../bus/nats/servers.ts';
import { drillFolder, forget } from './folder.ts';
import { say } from './report.ts';

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));
const TRIALS = Number(process.env['DRILL_TRIALS'] ?? 100_000);
const MOST_GROWTH = 0.2;
const MOST_WORKER_GROWTH_MB = 50;
const WARM = 1_000;

interface Sample {
  readonly rows: number;
  readonly heap: number;
  readonly rss: number;
  /** Since the first job. */
  readonly s: number;
}

const residentMb = (pid = 0): number => Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;

describe.skipIf(noServer)('the coordinator at a broker', () => {
  it(`stays as large as it is from the 100th to the ${TRIALS.toLocaleString('en')}th row, within 20 %; so does its worker, within 50 MB`, async () => {
    const folder = drillFolder('memory');
    const server = await startServer({ store: join(folder, 'store') });
    const run = (...args: string[]): ChildProcess =>
      spawn(process.execPath, ['--expose-gc', ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
    const worker = run(path('./empty.mjs'), server.url);
    const coordinator = run(path('./memory.mjs'), server.url, join(folder, 'x'), String(TRIALS));
    const samples: (Sample & { readonly worker: number; readonly broker: number })[] = [];
    let rest = '';
    coordinator.stdout?.setEncoding('utf8').on('data', (text: string) => {
      const lines = `${rest}${text}`.split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        samples.push({ ...(JSON.parse(line) as Sample), worker: residentMb(worker.pid), broker: residentMb(server.pid) });
        const { rows, heap, rss, s, worker: its, broker } = samples.at(-1)!;
        const mb = [heap, rss, its, broker].map((one) => one.toFixed(0));
        say(
          `memory: ${rows} rows after ${s.toFixed(0)} s: coordinator ${mb[1]} MB (heap ${mb[0]}), worker ${mb[2]} MB, broker ${mb[3]} MB`,
        );
      }
    });
    const [code] = (await once(coordinator, 'close')) as [number | null];
    worker.kill('SIGKILL');
    expect(code).toBe(0);
    const [first, last] = [samples[0]!, samples.at(-1)!];
    expect([first.rows, last.rows]).toEqual([100, TRIALS]);
    expect(Math.abs(last.rss / first.rss - 1)).toBeLessThan(MOST_GROWTH);
    const warm = samples.find(({ rows }) => rows >= WARM)!; // its code is compiled, and its heap has found its size
    expect(last.worker - warm.worker).toBeLessThan(MOST_WORKER_GROWTH_MB);
    forget(folder);
  });
});
