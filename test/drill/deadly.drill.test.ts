import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { TrialRow } from '../../src/contract/rows.ts';
import { noServer } from '../bus/nats/servers.ts';
import { calmRun, drillFolder, linesOf, writeSweep } from './folder.ts';
import { checkFiles, quiet } from './invariants.ts';
import { reported, say } from './report.ts';
import { Site } from './site.ts';

/** The tenth time that a job is handed out it is not run again. */
const MOST_DEATHS = 9;

describe.skipIf(noServer)('a job that kills its worker, at a broker', () => {
  it('costs nine workers at most and has one row that says so; all others are those of one process', async () => {
    const folder = drillFolder('deadly');
    const sweep = writeSweep(folder, 3);
    const calm = await calmRun(folder, sweep);
    const env = { THREAD_MODULE: new URL('./deadly.mjs', import.meta.url).href };
    await reported(
      folder,
      () => Site.start({ folder, sweep, workers: 2, env }),
      async (site) => {
        let deaths = 0;
        const reviving = setInterval(() => {
          deaths += site.revive();
        }, 200);
        await site.sweep(1);
        clearInterval(reviving);
        const wrong = [...(await quiet(site)), ...(await site.close())];
        const left = join(site.results, 'drill');
        wrong.push(...checkFiles(left));
        const rows = linesOf(left, 'trials.jsonl').map((line) => ({ line, row: JSON.parse(line) as TrialRow }));
        const failed = rows.filter(({ row }) => !row.ok);
        expect(failed.map(({ row }) => row)).toMatchObject([
          {
            failure: { kind: 'crashed', message: expect.stringMatching(/handed out 9 times/) },
            spec: { strategy: 'zsi', correctionSeed: 1 },
          },
        ]);
        const others = linesOf(calm.folder, 'trials.jsonl').filter((line) => (JSON.parse(line) as TrialRow).id !== failed[0]?.row.id);
        expect(
          rows
            .filter(({ row }) => row.ok)
            .map(({ line }) => line)
            .sort(),
        ).toEqual(others.sort());
        expect(linesOf(left, 'bases.jsonl').sort()).toEqual(linesOf(calm.folder, 'bases.jsonl').sort());
        if (deaths > MOST_DEATHS) wrong.push(`expected at most ${MOST_DEATHS} workers to die of one job, got ${deaths}`);
        say(`deadly: ${deaths} workers died, one row: ${JSON.stringify(failed[0]?.row.ok === false && failed[0].row.failure)}`);
        return wrong;
      },
    );
  });
});
