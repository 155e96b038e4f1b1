import { execFileSync } from 'node:child_process';
import { mkdtempSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const script = fileURLToPath(new URL('./fake/memory.mjs', import.meta.url));
const MB = 2 ** 20;

/** Growth of the coordinator's heap over so many trials, MB, and what their rows take on disk. */
function grow(trials: number): { rows: number; heapMb: number; diskMb: number } {
  const folder = join(mkdtempSync(join(tmpdir(), 'spc-')), 'x');
  const { rows, before, after } = JSON.parse(
    execFileSync(process.execPath, ['--expose-gc', script, folder, String(trials)], { encoding: 'utf8' }),
  );
  return { rows, heapMb: (after - before) / MB, diskMb: statSync(join(folder, 'trials.jsonl')).size / MB };
}

describe('the coordinator', () => {
  it('keeps ids and states in memory, never rows: 20,000 trials cost no more than 200, but for 400 bytes each', () => {
    const [few, many] = [grow(200), grow(20_000)];
    expect([few.rows, many.rows]).toEqual([200, 20_000]);
    expect(many.diskMb).toBeGreaterThan(30);
    expect(many.heapMb - few.heapMb).toBeLessThan(8);
  });
});
