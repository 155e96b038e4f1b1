// Puts a build in its place so that nobody loses a file: it stays whole in a folder of its own, .dist-STAMP, from which processes
// run to their end (src/cli/cli.ts), and dist, which tests, tools and `npm pack` read, changes file by file, its note last.
import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { at, filesBelow, folderOf, isWhole, NOTE } from './stamp.mjs';

const DAY_MS = 86_400_000;
/** A process renews its build's note every ten minutes (src/cli/cli.ts). */
const KEPT_MS = 7 * DAY_MS;
/** So often the folder of a build that is being made shows that somebody is at it. */
const BEAT_MS = 500;
const SILENT_MS = 4_000;

const scratchesOf = (stamp) => readdirSync(at('.')).filter((name) => name.startsWith(`${folderOf(stamp)}.`));

/** A folder for a build that is being made; `clear` removes it. */
export function scratchFor(stamp) {
  const folder = at(`${folderOf(stamp)}.${process.pid}-${Math.random().toString(36).slice(2, 8)}`);
  mkdirSync(folder);
  const beat = setInterval(() => {
    const now = new Date();
    try {
      utimesSync(folder, now, now);
    } catch {} // gone: it is whole by now, or somebody cleaned up
  }, BEAT_MS);
  const clear = () => {
    clearInterval(beat);
    rmSync(folder, { recursive: true, force: true });
  };
  return { folder, name: folder.slice(at('.').length + 1), clear };
}

/**
 * Waits while somebody else makes the same build and shows it. Who falls silent is no longer waited for: then it is made twice,
 * to the same bytes. `mine`: of two that start at the same moment the first by name
 * goes on.
 */
export async function waitForOthers(stamp, mine) {
  const seen = new Map();
  for (;;) {
    if (isWhole(folderOf(stamp), stamp)) return;
    const others = scratchesOf(stamp).filter((name) => mine === undefined || name < mine);
    const busy = others.filter((name) => {
      const beat = statSync(at(name), { throwIfNoEntry: false })?.mtimeMs;
      if (seen.get(name)?.beat !== beat) seen.set(name, { beat, at: performance.now() });
      return beat !== undefined && performance.now() - seen.get(name).at < SILENT_MS;
    });
    if (busy.length === 0) return;
    await sleep(100);
  }
}

/** `made` becomes the folder of this build, unless another was sooner: their bytes are the same. */
export function keep(made, stamp) {
  const folder = folderOf(stamp);
  try {
    renameSync(made, at(folder));
  } catch (error) {
    if (isWhole(folder, stamp)) return;
    if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    rmSync(at(folder), { recursive: true, force: true }); // somebody changed it: it is no build any more
    renameSync(made, at(folder));
  }
}

/** dist becomes this build. A reader sees each file whole, of the build before or of this one. */
export function show(stamp, scratch) {
  const [from, to] = [at(folderOf(stamp)), at('dist')];
  const files = filesBelow(from);
  for (const name of [...files.filter((name) => name !== NOTE), NOTE]) {
    const [source, target] = [join(from, name), join(to, name)];
    if (existsSync(target) && readFileSync(target).equals(readFileSync(source)) && statSync(target).mode === statSync(source).mode)
      continue;
    mkdirSync(dirname(target), { recursive: true });
    place(source, target, scratch);
  }
  const kept = new Set(files);
  for (const name of filesBelow(to)) if (!kept.has(name)) rmSync(join(to, name), { force: true });
}

/** Over what lies there, in one step; a link where the file system can: a build lies on the disk once. */
function place(source, target, scratch) {
  const between = join(scratch, `next-${Math.random().toString(36).slice(2)}`);
  try {
    linkSync(source, between);
  } catch {
    copyFileSync(source, between);
  }
  renameSync(between, target);
}

/** Files that an earlier build has with the same content are shared with it. */
export function share(made) {
  for (const name of filesBelow(made)) {
    const [fresh, old] = [join(made, name), at('dist', name)];
    if (!existsSync(old) || !readFileSync(old).equals(readFileSync(fresh))) continue;
    try {
      linkSync(old, `${fresh}.old`);
      renameSync(`${fresh}.old`, fresh);
    } catch {} // no links here: a copy of its own
  }
}

/** Builds from which no process has run for a week, and what killed builds left. */
export function clean(stamp) {
  for (const name of readdirSync(at('.')).filter((name) => name.startsWith('.dist-') && name !== folderOf(stamp))) {
    const note = statSync(at(name, NOTE), { throwIfNoEntry: false }) ?? statSync(at(name), { throwIfNoEntry: false });
    const kept = name.includes('.', 1) && !existsSync(at(name, NOTE)) ? DAY_MS : KEPT_MS;
    if (note !== undefined && Date.now() - note.mtimeMs > kept) rmSync(at(name), { recursive: true, force: true });
  }
}
