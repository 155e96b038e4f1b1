import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { forget } from './folder.ts';
import type { Site } from './site.ts';

/**
 * Runs a drill in its folder; it says what is wrong in words. What fails leaves the folder, with the logs of all processes, the rows, what
 * was done to whom and when, and what came of it. What does not fail leaves nothing, unless DRILL_KEEP is set.
 */
export async function reported(folder: string, open: () => Promise<Site>, drill: (site: Site) => Promise<string[]>): Promise<void> {
  const site = await open();
  const wrong: string[] = [];
  try {
    wrong.push(...(await drill(site)));
  } catch (error) {
    wrong.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
    wrong.push(...(await site.close()));
  }
  if (wrong.length === 0 && process.env['DRILL_KEEP'] === undefined) return forget(folder);
  writeFileSync(join(folder, 'REPORT.txt'), `${wrong.join('\n')}\n\nwhat happened:\n${site.diary.join('\n')}\n`);
  if (wrong.length === 0) return say(`kept: ${folder}`);
  throw new Error(`${wrong.join('\n')}\nlogs of all processes, rows, and REPORT.txt with every fault: ${folder}`);
}

export const say = (text: string): void => void process.stderr.write(`${text}\n`);

/** Attempts, executions and sizes of a drill in a line. */
export function costs(site: Site, jobs: number): string {
  const most = site.given.reduce((max, { attempt }) => Math.max(max, attempt), 0);
  const again = site.given.filter(({ attempt }) => attempt > 1).length;
  return (
    `${jobs} jobs, ${site.given.length} given out (${again} of them again, an attempt of at most ${most}), ` +
    `${site.finished.size} executions finished (${(site.finished.size / jobs).toFixed(3)} per job); a worker grew by ${site.growthMb.toFixed(1)} MB at most`
  );
}
