import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statfsSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const script = fileURLToPath(new URL('./fake/memory.mjs', import.meta.url));
const MB = 2 ** 20;

interface Sample {
  readonly rows: number;
  readonly heap: number;
  readonly rss: number;
}

/** Where a hundred thousand fsyncs cost nothing, if there is such a place with room for the rows. */
const memoryDisk = (): string => {
  const path = '/dev/shm';
  if (!existsSync(path)) return tmpdir();
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize > 2 ** 30 ? path : tmpdir();
};

function run(trials: number): { samples: Sample[]; peak: number; diskMb: number } {
  const root = mkdtempSync(join(memoryDisk(), 'spc-'));
  const folder = join(root, 'x');
  try {
    const text = execFileSync(process.execPath, ['--expose-gc', script, folder, String(trials)], { encoding: 'utf8' });
    const { rows, samples, peak } = JSON.parse(text) as { rows: number; samples: Sample[]; peak: number };
    expect([rows, samples.at(-1)?.rows]).toEqual([trials, trials]);
    return { samples, peak, diskMb: statSync(join(folder, 'trials.jsonl')).size / MB };
  } finally {
    rmSync(root, { recursive: true });
  }
}

describe('the coordinator', () => {
  it('stays as large as it is from the 100th to the 100,000th row, within 20 %; a planned trial costs 400 bytes, a row 100', () => {
    const [few, many] = [run(100), run(100_000)];
    const [start, end] = [many.samples[0]!, many.samples.at(-1)!];
    const print = ({ rows, heap, rss }: Sample): string => `${rows} rows: heap ${heap.toFixed(1)} MB, resident ${rss.toFixed(0)} MB`;
    process.stderr.write(
      `coordinator, 100 trials, after ${few.samples.map(print).join('; ')}; peak ${few.peak.toFixed(0)} MB\n` +
        `coordinator, 100,000 trials, after ${many.samples.map(print).join('; ')}; peak ${many.peak.toFixed(0)} MB\n`,
    );
    expect(many.diskMb).toBeGreaterThan(150); // were they in memory, they would show
    expect(Math.abs(end.rss / start.rss - 1)).toBeLessThan(0.2);
    expect(((end.heap - start.heap) * MB) / 100_000).toBeLessThan(100);
    expect(((start.heap - few.samples[0]!.heap) * MB) / 100_000).toBeLessThan(400);
  });
});
