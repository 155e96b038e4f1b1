#!/usr/bin/env node
/**
 * What `spc` starts. In a checkout, this process and all that it starts later run from the folder of the build that is current now:
 * a later build is made beside it, so files that are loaded late (executors, tables) are those of the same code. A package has no such
 * folders, and runs from the files beside this one.
 */
import { readFileSync, utimesSync } from 'node:fs';

const RENEW_MS = 600_000;

/** The folder of the current build, which tools/build/place.mjs made. */
function current(): URL | undefined {
  try {
    const { stamp } = JSON.parse(readFileSync(new URL('../build.json', import.meta.url), 'utf8')) as { stamp: string };
    const folder = new URL(`../../.dist-${stamp.slice(0, 16)}/`, import.meta.url);
    readFileSync(new URL('build.json', folder));
    return folder;
  } catch {
    return undefined;
  }
}

/** Says that somebody runs from there: builds of which nobody says so for a week are removed. */
function renew(folder: URL): void {
  const now = new Date();
  try {
    utimesSync(new URL('build.json', folder), now, now);
  } catch {} // somebody else's folder: they look after it
}

const folder = current();
if (folder) {
  renew(folder);
  setInterval(renew, RENEW_MS, folder).unref();
  await import(new URL('cli/commands.js', folder).href);
} else await import('./commands.ts');
