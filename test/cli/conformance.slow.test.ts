import { execFileSync } from 'node:child_process';
import { createWriteStream, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { createGzip, gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';

const MB = 2 ** 20;
const SIZE = 200 * MB;
const tool = fileURLToPath(new URL('../../tools/conformance.mjs', import.meta.url));
const golden = gunzipSync(readFileSync(new URL('../golden/cartpole.json.gz', import.meta.url))).toString();

/** The golden episodes again and again, up to SIZE characters. */
function* recording(): Generator<string> {
  const { episodes, ...header } = JSON.parse(golden);
  const text = (episodes as unknown[]).map((episode) => JSON.stringify(episode)).join(',');
  yield `${JSON.stringify(header).slice(0, -1)},"episodes":[${text}`;
  for (let written = text.length; written < SIZE; written += text.length) yield `,${text}`;
  yield ']}';
}

/** Reports the largest resident size seen, every 20 ms; what a process inherits of its parent's peak is none of it. */
const SAMPLE =
  'data:text/javascript,let peak=0;const look=()=>{peak=Math.max(peak,process.memoryUsage.rss())};setInterval(look,20).unref();' +
  'process.on("exit",()=>{look();console.log("peak",peak)})';

describe('conformance(files)', () => {
  it('reads 200 MB of JSON in 150 MB of memory', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'spc-'));
    try {
      const path = join(folder, 'big.json.gz');
      await pipeline(Readable.from(recording()), createGzip({ level: 1 }), createWriteStream(path));
      const said = execFileSync(process.execPath, ['--import', SAMPLE, tool, path], { encoding: 'utf8' });
      const peak = Number(said.match(/peak (\d+)/)![1]) / MB;
      const [, episodes] = said.match(/([\d,]+) episodes/)!;
      process.stderr.write(
        `conformance: ${episodes} episodes, ${(statSync(path).size / MB).toFixed(0)} MB packed, peak ${peak.toFixed(0)} MB\n`,
      );
      expect(said).toContain('0 in observations, 0 in rewards, 0 in terminated, 0 in truncated, 0 ended early');
      expect(Number(episodes!.replaceAll(',', '')) % 30).toBe(0);
      expect(peak).toBeLessThan(150);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
