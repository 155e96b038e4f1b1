import { readFileSync, utimesSync } from 'node:fs';

const RENEW_MS = 600_000;

/**
 * The folder of the build that is current now, in a checkout: this process and all that it starts later run from there. A later build is
 * made beside it, so files that are loaded late (executors, tables) are those of the same code. A package has no such folder.
 */
export function currentBuild(): URL | null {
  try {
    const { stamp } = JSON.parse(readFileSync(new URL('../build.json', import.meta.url), 'utf8')) as { stamp: string };
    const folder = new URL(`../../.dist-${stamp.slice(0, 16)}/`, import.meta.url); // tools/build/place.mjs made it
    readFileSync(new URL('build.json', folder));
    renew(folder);
    setInterval(renew, RENEW_MS, folder).unref();
    return folder;
  } catch {
    return null;
  }
}

/** Says that somebody runs from there: builds of which nobody says so for a week are removed. */
function renew(folder: URL): void {
  const now = new Date();
  try {
    utimesSync(new URL('build.json', folder), now, now);
  } catch {} // somebody else's folder: they look after it
}
