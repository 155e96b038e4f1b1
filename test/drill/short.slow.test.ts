import { join } from 'node:path';
import { describe, it } from 'vitest';
import { noServer } from '../bus/nats/servers.ts';
import { until } from '../cli/spc.ts';
import { calmRun, drillFolder, writeSweep } from './folder.ts';
import { checkFiles, checkSite, compareRows, quiet } from './invariants.ts';
import { costs, reported, say } from './report.ts';
import { Site } from './site.ts';

describe.skipIf(noServer)('spc run --nats and spc worker, in a short drill', { timeout: 300_000 }, () => {
  it('kill -9 of a worker, of the server and of the coordinator: the rows of one process, and nobody left over', async () => {
    const folder = drillFolder('short');
    const sweep = writeSweep(folder, 6);
    const calm = await calmRun(folder, sweep);
    const open = (): Promise<Site> => Site.start({ folder, sweep, workers: 2 });
    await reported(folder, open, async (site) => {
      const began = Date.now();
      const done = site.sweep();
      const reached = (share: number): Promise<void> =>
        Promise.race([done, until(`${share} of the rows are there`, () => site.rows >= share * calm.jobs, 120_000)]);
      await reached(0.2);
      await site.killWorker(site.seats[0]!);
      await reached(0.4);
      await site.killServer(1_000);
      await reached(0.6);
      const wrong = site.killCoordinator() ? [] : ['the coordinator was done before it could be killed'];
      await done;
      const wallS = (Date.now() - began) / 1000;
      wrong.push(...(await quiet(site)), ...(await site.close()), ...checkSite(site, calm.jobs));
      const left = join(site.results, 'drill');
      wrong.push(...compareRows(left, calm.folder), ...checkFiles(left));
      say(
        `short drill: one kill each of worker, server, coordinator; ${wallS.toFixed(0)} s, calm ${calm.wallS.toFixed(0)} s; ${costs(site, calm.jobs)}`,
      );
      return wrong;
    });
  });
});
