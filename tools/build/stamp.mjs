// Says whether the build in dist is that of the sources, by their content: the time of a file says little after git or cp.
// Every `npx spc` asks, so it reads nothing but the files and starts nothing.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
export const at = (...parts) => resolve(root, ...parts);

/** What compiling depends on beside `src`: this tool, its settings, and the versions of the compilers, which are in the lock. */
const MORE = ['tools/build.mjs', 'tools/build', 'tsconfig.json', 'tsconfig.build.json', 'package-lock.json'];
/** Where a build notes what it was made of; in dist and in the folder of the build. */
export const NOTE = 'build.json';

export const sha256 = (data) => createHash('sha256').update(data).digest('hex');

/** Everything below a folder, by its path there; a file is itself. Written modules of the build are no sources. */
export function filesBelow(folder) {
  if (!existsSync(folder)) return [];
  if (!statSync(folder).isDirectory()) return [''];
  const found = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => !entry.isDirectory());
  return found.map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1)).sort();
}

/** One digest of everything below these paths: of names and content. */
export function digestOf(paths, ...more) {
  const hash = createHash('sha256').update(JSON.stringify(more));
  for (const path of paths)
    for (const name of filesBelow(at(path)).filter((name) => !name.endsWith('.wasm.ts'))) {
      const content = readFileSync(join(at(path), name));
      hash.update(`\n${path}/${name.split(sep).join('/')} ${content.length}\n`).update(content);
    }
  return hash.digest('hex');
}

export const stampOf = () => digestOf(['src', ...MORE]);

/** The folder in which a build stays as it is; a process runs from there to its end (src/cli/cli.ts). */
export const folderOf = (stamp) => `.dist-${stamp.slice(0, 16)}`;

/** Where there are no sources there is nothing to build: a package. */
export const isPackage = () => !existsSync(at('src'));

/** The digest of every file below a folder, but of its note. */
export const digestsIn = (folder) =>
  Object.fromEntries(
    filesBelow(at(folder))
      .filter((name) => name !== NOTE)
      .map((name) => [name, sha256(readFileSync(join(at(folder), name)))]),
  );

function noteIn(folder) {
  try {
    return JSON.parse(readFileSync(at(folder, NOTE), 'utf8'));
  } catch {
    return null; // none, or no JSON: not built
  }
}

/** Whether a folder holds the build of these sources, and nothing was lost or changed in it since. */
export function isWhole(folder, stamp) {
  const note = noteIn(folder);
  return note?.stamp === stamp && JSON.stringify(digestsIn(folder)) === JSON.stringify(note.files);
}

/** Whether what lies in dist, in the build's own folder and beside the sources is what these sources give. */
export function isFresh() {
  if (isPackage()) return true;
  const stamp = stampOf();
  if (!isWhole('dist', stamp) || !isWhole(folderOf(stamp), stamp)) return false;
  const written = Object.entries(noteIn('dist').written);
  return written.every(([path, digest]) => existsSync(at(path)) && sha256(readFileSync(at(path))) === digest);
}
