import { join } from 'node:path';
import { describe, it } from 'vitest';
import { noServer } from '../bus/nats/servers.ts';
import { until } from '../cli/spc.ts';
import { chanceOf, deal, faultsOf } from './faults.ts';
import { calmRun, drillFolder, writeSweep } from './folder.ts';
import { checkFiles, checkSite, compareRows, quiet } from './invariants.ts';
import { costs, reported, say } from './report.ts';
import { Rogue } from './rogue.ts';
import { Site } from './site.ts';

const WORKERS = 3;
/** Of acknowledgements that get lost, of messages that are said twice, of jobs that are given out twice. */
const SHARE = 0.05;
const BOUND_MS = 1_200_000;
/** Of the sweep without faults, on two cores that do nothing else. A slower machine gets as many faults per row, not per second. */
const CALM_S = 40;

const seed = Number(process.env['DRILL_SEED'] ?? Date.now() % 100_000);

describe.skipIf(noServer)('spc run --nats and spc worker, under all faults at once', () => {
  it(`600 trials end with the rows of one process; DRILL_SEED=${seed} deals the same faults`, async () => {
    const folder = drillFolder(`chaos-${seed}`);
    const sweep = writeSweep(folder, 30);
    const calm = await calmRun(folder, sweep);
    const noise = { dropAck: SHARE, duplicate: SHARE, chance: chanceOf(seed, 100) };
    const open = (): Promise<Site> => Site.start({ folder, sweep, workers: WORKERS, noise });
    await reported(folder, open, async (site) => {
      site.note(`DRILL_SEED=${seed}`);
      const rogue = await Rogue.start(site.server.url, SHARE, chanceOf(seed, 101));
      const pace = Math.max(1, calm.wallS / CALM_S);
      const began = Date.now();
      const done = site.sweep();
      const faults = deal(site, faultsOf(seed, WORKERS), pace);
      let ended = false;
      const marked = done.finally(() => {
        ended = true;
      });
      marked.catch(() => {}); // thrown below
      await until('the sweep is done', () => ended, BOUND_MS).catch((error: Error) => site.note(`${error.message}; ${site.rows} rows`));
      const dealt = await faults.stop();
      if (ended) await marked;
      else throw new Error(`not done after ${BOUND_MS / 1000} s, with ${site.rows} of ${calm.jobs} rows`);
      const wallS = (Date.now() - began) / 1000;
      await rogue.stop();
      const wrong = [...(await quiet(site)), ...(await site.close()), ...checkSite(site, calm.jobs)];
      const left = join(site.results, 'drill');
      wrong.push(...compareRows(left, calm.folder), ...checkFiles(left));
      const noised = site.seats.map(({ wire }) => wire.noised);
      const sum = (what: 'droppedAcks' | 'duplicates'): number => noised.reduce((all, one) => all + one[what], 0);
      say(
        `chaos, seed ${seed}, pace 1/${pace.toFixed(2)}: ${JSON.stringify(dealt)}, ${sum('droppedAcks')} acknowledgements lost, ${sum('duplicates')} messages said twice, ` +
          `${rogue.given} jobs given twice; ${wallS.toFixed(0)} s, calm ${calm.wallS.toFixed(0)} s; ${costs(site, calm.jobs)}`,
      );
      return wrong;
    });
  });
});
