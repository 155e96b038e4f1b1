// TensorFlow.js from npm into node_modules/@tensorflow, as package-lock.json beside this file has it. It is no dependency of ours:
// a run that does not name the engine needs none of it, and it is larger than all the rest.
import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { lastWords, Missing } from './binding.mjs';

const run = promisify(execFile);
const LISTED = ['package.json', 'package-lock.json'];
const here = (name) => fileURLToPath(new URL(name, import.meta.url));

/** The packages that are asked for by name, with their versions. */
const wanted = () => JSON.parse(readFileSync(here('package.json'), 'utf8')).dependencies;
export const versionOf = (name) => wanted()[name];

/** Whether all of them are there, at the versions of the list. */
export function arePackagesIn(root) {
  const version = (name) => {
    const file = join(root, 'node_modules', name, 'package.json');
    return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).version : undefined;
  };
  return Object.entries(wanted()).every(([name, one]) => !name.startsWith('@tensorflow/') || version(name) === one);
}

/**
 * Replaces node_modules/@tensorflow below `root` in one step. What TensorFlow.js needs in its turn lies in a node_modules there, where
 * Node looks and where npm keeps nothing of ours. Without source maps, which are two thirds of it, and without running install scripts.
 */
export async function bringPackages(root) {
  const modules = join(root, 'node_modules');
  mkdirSync(modules, { recursive: true });
  const scratch = mkdtempSync(join(modules, '.spc-tensorflow-'));
  try {
    for (const name of LISTED) cpSync(here(name), join(scratch, name));
    await run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--no-bin-links'], { cwd: scratch }).catch((error) => {
      throw new Missing(`expected @tensorflow/tfjs-node ${versionOf('@tensorflow/tfjs-node')} from npm, got "${lastWords(error)}"`);
    });
    const [from, fresh] = [join(scratch, 'node_modules'), join(scratch, 'node_modules', '@tensorflow')];
    mkdirSync(join(fresh, 'node_modules'));
    for (const name of readdirSync(from).filter((name) => name !== '@tensorflow' && !name.startsWith('.')))
      renameSync(join(from, name), join(fresh, 'node_modules', name));
    for (const entry of readdirSync(fresh, { recursive: true, withFileTypes: true }))
      if (entry.isFile() && entry.name.endsWith('.map')) rmSync(join(entry.parentPath, entry.name));
    const folder = join(modules, '@tensorflow');
    if (existsSync(folder)) renameSync(folder, join(scratch, 'old'));
    renameSync(fresh, folder);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
