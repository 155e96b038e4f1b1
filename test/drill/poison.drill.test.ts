import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { TrialRow } from '../../src/contract/rows.ts';
import { noServer } from '../bus/nats/servers.ts';
import { calmRun, drillFolder, linesOf, writeSweep } from './folder.ts';
import { checkFiles, checkSite, quiet } from './invariants.ts';
import { reported, say } from './report.ts';
import { Site } from './site.ts';

const MOST_EXECUTORS = 3;

describe.skipIf(noServer)('a job that kills its executor, at a broker', () => {
  it('costs three executors at most and has one row that says so; all others are those of one process', async () => {
    const folder = drillFolder('poison');
    const sweep = writeSweep(folder, 3);
    const calm = await calmRun(folder, sweep);
    const env = { THREAD_MODULE: new URL('./poison.mjs', import.meta.url).href };
    await reported(
      folder,
      () => Site.start({ folder, sweep, workers: 2, env }),
      async (site) => {
        await site.sweep(1);
        const wrong = [...(await quiet(site)), ...(await site.close()), ...checkSite(site, calm.jobs)];
        const left = join(site.results, 'drill');
        wrong.push(...checkFiles(left));
        const rows = linesOf(left, 'trials.jsonl');
        const isOk = (line: string): boolean => (JSON.parse(line) as TrialRow).ok;
        const [poison, ...more] = rows.filter((line) => !isOk(line)).map((line) => JSON.parse(line) as TrialRow);
        expect(more).toEqual([]);
        expect(poison).toMatchObject({ ok: false, failure: { kind: 'crashed' }, spec: { strategy: 'zsi', correctionSeed: 1 } });
        const others = linesOf(calm.folder, 'trials.jsonl').filter((line) => (JSON.parse(line) as TrialRow).id !== poison?.id);
        expect(rows.filter(isOk).sort()).toEqual(others.sort());
        expect(linesOf(left, 'bases.jsonl').sort()).toEqual(linesOf(calm.folder, 'bases.jsonl').sort());
        const killed = [...site.logs.values()].join('').match(/executor process died/g)?.length ?? 0;
        if (killed > MOST_EXECUTORS) wrong.push(`I7: expected at most ${MOST_EXECUTORS} executors to die of one job, got ${killed}`);
        say(`poison: ${killed} warnings of a dead executor, one row: ${JSON.stringify(poison?.ok === false && poison.failure)}`);
        return wrong;
      },
    );
  });
});
