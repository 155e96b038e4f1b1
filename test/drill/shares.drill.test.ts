import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'vitest';
import { noServer } from '../bus/nats/servers.ts';
import { sleep } from '../cli/spc.ts';
import { calmRun, drillFolder, linesOf, writeSweep } from './folder.ts';
import { checkFiles, compareRows, quiet } from './invariants.ts';
import { reported, say } from './report.ts';
import { Site } from './site.ts';

/** A window is a minute of work: jobs are as long, and sweeps as large, that one has several. What is shorter is all in the queue at once, and weights change nothing. */
const SEEDS = 36;
const STEPS = 200;
/** Of rows, heavy to light, while both have work to do; 3 was asked for. */
const SHARE = { least: 2, most: 4.5 };

describe.skipIf(noServer)('two sweeps with weights, at the workers of one broker', () => {
  it('have their rows in the proportion of their weights while both run, and end with those of one process', async () => {
    const folder = drillFolder('shares');
    const sweep = writeSweep(folder, SEEDS);
    writeFileSync(sweep, readFileSync(sweep, 'utf8').replace('steps: 8,', `steps: ${STEPS},`));
    const calm = await calmRun(folder, sweep);
    // The same trials under another name: rows carry no name of a sweep.
    const files = ['heavy', 'light'].map((name) => {
      const file = join(folder, `${name}.yaml`);
      writeFileSync(file, readFileSync(sweep, 'utf8').replace('name: drill', `name: ${name}`));
      return file;
    });
    await reported(
      folder,
      () => Site.start({ folder, sweep, workers: 2 }),
      async (site) => {
        const rows = (name: string): number => linesOf(join(site.results, name), 'trials.jsonl').length;
        const [heavy = '', light = ''] = files;
        const runs = [site.beside(heavy, '--weight', '3'), site.beside(light, '--weight', '1')];
        let over = false;
        void Promise.race(runs).then(() => {
          over = true;
        });
        const seen: [number, number][] = [];
        for (; !over; await sleep(200)) seen.push([rows('heavy'), rows('light')]);
        const codes = await Promise.all(runs);
        const wrong = [...(await quiet(site)), ...(await site.close())];
        if (codes.some((code) => code !== 0)) wrong.push(`expected exit codes 0, got ${codes.join(' and ')}`);
        for (const name of ['heavy', 'light'])
          wrong.push(...compareRows(join(site.results, name), calm.folder), ...checkFiles(join(site.results, name)));
        const most = calm.jobs - SEEDS;
        // From when shares have settled to before the first has too little left to fill its window.
        const [from, to] = [seen.find(([h, l]) => h + l >= 0.15 * most), seen.findLast(([h]) => h <= 0.85 * most)];
        const [h, l] = [(to?.[0] ?? 0) - (from?.[0] ?? 0), (to?.[1] ?? 0) - (from?.[1] ?? 0)];
        if (!(h / l >= SHARE.least && h / l <= SHARE.most))
          wrong.push(`expected heavy to get 3 times the rows of light, got ${h} and ${l}`);
        say(`shares: ${h} and ${l} rows with weights 3 and 1`);
        return wrong;
      },
    );
  });
});
