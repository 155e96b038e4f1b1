import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { spc } from '../cli/spc.ts';

const HOME = fileURLToPath(new URL('../../.drill/', import.meta.url));

/** Where a drill leaves its logs: in the clone, because what a failed drill says must outlive it. */
export function drillFolder(name: string): string {
  const folder = join(HOME, `${name}-${new Date().toISOString().replaceAll(/[:.]/g, '-')}`);
  mkdirSync(folder, { recursive: true });
  return folder;
}

export const forget = (folder: string): void => rmSync(folder, { recursive: true, force: true });

/** The sweep of the drills: real bases and real trials of about a tenth of a second. Poor ones: what is drilled is the way they take. */
export function writeSweep(folder: string, seeds: number): string {
  const file = join(folder, 'drill.yaml');
  writeFileSync(
    file,
    `version: 1
name: drill
seeds: ${seeds}
correctionSeeds: 5
axes:
  scenario: [cartpole/angle]
  strategy: [tsf, zsi, "tsf:paper", random]
acceptance: report
ppo: { totalTimesteps: 1024, numEnvs: 8, numSteps: 128, numMinibatches: 4, updateEpochs: 2, gamma: 0.9 }
correct: { steps: 8, episodes: 20, retainStates: 512 }
evaluate: { curvePoints: 2, curveEpisodes: 1, regionSamples: 200 }
`,
  );
  return file;
}

/** The complete lines of a file of rows. */
export function linesOf(folder: string, name: string): string[] {
  const path = join(folder, name);
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n').slice(0, -1) : [];
}

export const filesIn = (folder: string, kind: string): string[] => readdirSync(join(folder, kind)).sort();

/** The same sweep by one process, without a broker and without faults: what every drill must end with. */
export async function calmRun(
  folder: string,
  sweep: string,
): Promise<{ readonly folder: string; readonly jobs: number; readonly wallS: number }> {
  const began = Date.now();
  const calm = await spc(['run', sweep, '--results', join(folder, 'calm'), '--quiet', '--threads', '2'], { jobs: 'real' });
  if (calm.code !== 0) throw new Error(`the sweep without faults: exit code ${calm.code}: ${calm.stderr}`);
  const left = join(folder, 'calm', 'drill');
  const jobs = linesOf(left, 'bases.jsonl').length + linesOf(left, 'trials.jsonl').length;
  return { folder: left, jobs, wallS: (Date.now() - began) / 1000 };
}
