import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { readLines } from '../coordinator/lines.ts';

/** A results folder, counted without being understood: rows of ended trials, and how many its frozen plan asks for. */
export interface FolderCounts {
  readonly folder: string;
  readonly trials: number;
  readonly failed: number;
  /** Null where the plan is not there or cannot be read. */
  readonly asked: number | null;
  readonly bases: number;
}

/** How far below the folder of all results a sweep's may be: `results/reference/worlds`. */
const DEPTH = 2;

/** The results folders under `root`, itself included, sorted by path. What cannot be read is passed over. */
export function resultsFolders(root: string, depth = DEPTH): string[] {
  if (existsSync(join(root, 'sweep.yaml'))) return [root];
  if (depth === 0) return [];
  const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
  try {
    const inside = readdirSync(root)
      .sort()
      .map((name) => join(root, name));
    return inside.filter(isFolder).flatMap((path) => resultsFolders(path, depth - 1));
  } catch {
    return [];
  }
}

/** What they are called in a command: their paths below `root`. */
export const namesBelow = (root: string): string[] =>
  resultsFolders(root)
    .filter((path) => path !== root)
    .map((path) => relative(root, path));

export async function countFolder(folder: string): Promise<FolderCounts> {
  let [trials, failed, bases] = [0, 0, 0];
  for await (const { text } of readLines(join(folder, 'trials.jsonl'))) {
    trials++;
    if (!text.includes('"ok":true')) failed++;
  }
  for await (const _ of readLines(join(folder, 'bases.jsonl'))) bases++;
  return { folder, trials, failed, asked: askedIn(folder), bases };
}

function askedIn(folder: string): number | null {
  try {
    const { trials } = JSON.parse(readFileSync(join(folder, 'plan.json'), 'utf8')) as { trials?: unknown };
    return typeof trials === 'number' ? trials : null;
  } catch {
    return null;
  }
}
