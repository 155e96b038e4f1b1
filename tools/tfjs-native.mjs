// Brings the native binding of @tensorflow/tfjs-node into node_modules, compiled with a lock that the published one lacks.
//   node tools/tfjs-native.mjs [--root FOLDER]     docs/tensorflow.md says what comes from where
// Exit codes: 0 it is there and works, 2 usage, 3 it cannot be had on this machine: engine: tfjs-cpu goes without.
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { copyFile, cp, link, mkdir, mkdtemp, readdir, readFile, readlink, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { check, compile, fetchLibrary, lastWords, Missing, regularLibrary, WHEEL } from './tfjs/binding.mjs';
import { bringPackages, versionOf } from './tfjs/packages.mjs';

const run = promisify(execFile);
const project = dirname(dirname(fileURLToPath(import.meta.url)));
const PACKAGE = '@tensorflow/tfjs-node';
const ROAD = 'engine: tfjs-cpu goes without';
/** To be raised when what is compiled, or how, changes: older builds in the cache are then left alone. */
const RECIPE = 1;
const DAY_MS = 86_400_000;

const say = (text) => console.log(`tfjs:native: ${text}`);
const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'));

/** What this run writes until it is whole; gone at its end, whichever that is. */
const scratches = new Set();
async function scratchIn(folder, prefix) {
  await mkdir(folder, { recursive: true });
  for (const name of readdirSync(folder).filter((name) => name.startsWith(prefix))) {
    const left = join(folder, name);
    if (Date.now() - statSync(left).mtimeMs > DAY_MS) await rm(left, { recursive: true, force: true }); // of a run that was killed
  }
  const scratch = await mkdtemp(join(folder, prefix));
  scratches.add(scratch);
  return scratch;
}
const clear = () => {
  for (const scratch of scratches) rmSync(scratch, { recursive: true, force: true });
};
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
])
  process.once(signal, () => {
    clear();
    process.exit(code);
  });

/** The marker of a binding that was compiled here; src/worker/tfjs/find.ts reads it. */
const markerOf = (folder) => join(folder, 'lib', 'napi-v8', 'spc.json');

/** What is installed: the library behind a binding that works, whether it has the lock; or why there is none. */
async function installed(folder) {
  if (!existsSync(join(folder, 'package.json'))) return { reason: `${PACKAGE} is not installed` };
  if (!existsSync(join(folder, 'lib'))) return { reason: `${PACKAGE} is installed without its binding` };
  try {
    const library = await check(folder);
    if (!existsSync(markerOf(folder))) return { library, locked: false };
    const noted = readJson(markerOf(folder)).library;
    if (noted !== library) throw new Error(`its note says TensorFlow ${noted}, it is ${library}`);
    return { library, locked: true };
  } catch (error) {
    return { reason: `the binding of ${PACKAGE} does not work (${error.message})` };
  }
}

function demandPlatform() {
  const here = `${process.platform} ${process.arch}`;
  if (here !== 'linux x64') throw new Missing(`expected Linux x86-64 to compile the binding, got ${here}`);
  if (process.report.getReport().header.glibcVersionRuntime === undefined)
    throw new Missing('expected a Linux with glibc, which the TensorFlow library needs, got another C library');
}

const demandTool = (command, args, what) =>
  run(command, args).catch((error) => {
    throw new Missing(`expected ${what}, found none (${lastWords(error)}); install it`);
  });

/** The package as it is locked, where it is not there. */
async function bringPackage(root, folder) {
  const version = versionOf(PACKAGE);
  if (existsSync(join(folder, 'binding')) && readJson(join(folder, 'package.json')).version === version) return;
  say(`npm brings ${PACKAGE} ${version} and what it needs`);
  await bringPackages(root);
}

const filesBelow = async (folder) =>
  (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => !entry.isDirectory());

/** A link where the file system can, and a copy elsewhere: 614 MB lie on the disk once. */
const place = (from, to) => link(from, to).catch(() => copyFile(from, to));

async function placeTree(from, to) {
  for (const entry of await filesBelow(from)) {
    const source = join(entry.parentPath, entry.name);
    const target = join(to, source.slice(from.length));
    await mkdir(dirname(target), { recursive: true });
    if (entry.isSymbolicLink()) await symlink(await readlink(source), target);
    else await place(source, target);
  }
}

async function digests(folder, digestOf) {
  const found = {};
  for (const entry of await filesBelow(folder)) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile() && path !== join(folder, 'sha256.json')) found[path.slice(folder.length + 1)] = await digestOf(path);
  }
  return Object.fromEntries(Object.entries(found).sort());
}

/** What was built before, if it is still what was put there. */
async function cached(entry, digestOf) {
  if (!existsSync(entry)) return false;
  const recorded = await readFile(join(entry, 'sha256.json'), 'utf8').catch(() => '');
  if (recorded === JSON.stringify(await digests(entry, digestOf))) return true;
  say(`${entry} is not what was put there; it is built anew`);
  await rm(entry, { recursive: true, force: true });
  return false;
}

/** Library and addon as one folder of the cache: written beside it, and moved there whole. */
async function build({ entry, folder, regular, digestOf }) {
  const scratch = await scratchIn(dirname(entry), '.new-');
  const [deps, addons] = [join(scratch, 'deps'), join(scratch, 'lib', 'napi-v8')];
  await mkdir(addons, { recursive: true });
  if (regular !== null) {
    say(`uses TensorFlow ${regular}, which the regular install brought`);
    await placeTree(join(folder, 'deps'), deps);
  } else {
    say(`downloads TensorFlow ${WHEEL.version} from PyPI (${WHEEL.name}, ${WHEEL.mb} MB)`);
    await fetchLibrary(scratch, deps);
  }
  say('compiles the binding');
  await compile({ folder, deps, addon: join(addons, 'tfjs_binding.node'), locked: true });
  await writeFile(join(scratch, 'sha256.json'), JSON.stringify(await digests(scratch, digestOf)));
  await rm(entry, { recursive: true, force: true });
  await rename(scratch, entry);
}

/** A copy of the package with the build in it, checked and marked, then put in its place. */
async function install(entry, folder) {
  const scratch = await scratchIn(dirname(folder), '.spc-tfjs-node-');
  const [fresh, old] = [join(scratch, 'new'), join(scratch, 'old')];
  await cp(folder, fresh, { recursive: true, filter: (path) => path !== join(folder, 'deps') && path !== join(folder, 'lib') });
  for (const part of ['deps', 'lib']) await placeTree(join(entry, part), join(fresh, part));
  const library = await check(fresh);
  await writeFile(markerOf(fresh), JSON.stringify({ library }));
  await rename(folder, old);
  await rename(fresh, folder);
  return library;
}

async function sizeMb(folder) {
  let bytes = 0;
  for (const entry of await filesBelow(folder)) if (entry.isFile()) bytes += (await stat(join(entry.parentPath, entry.name))).size;
  return Math.round(bytes / 1e6);
}

async function main(root) {
  const started = Date.now();
  const folder = join(root, 'node_modules', PACKAGE);
  const now = await installed(folder);
  if (now.locked) return say(`there already, and works: TensorFlow ${now.library}, with the lock`);
  if (now.reason) say(now.reason);
  try {
    demandPlatform();
    const { cacheFolder, digestOf } = await import(new URL('dist/bus/cache.js', `file://${project}/`).href).catch((error) => {
      throw new Missing(`expected the compiled project in dist, found none (${error.code}); npm run build`);
    });
    const regular = regularLibrary(folder);
    const entry = join(cacheFolder('tfjs-native'), `${versionOf(PACKAGE)}-tensorflow-${regular ?? WHEEL.version}-${RECIPE}`);
    let made = !(await cached(entry, digestOf));
    if (made) {
      await demandTool('g++', ['--version'], 'g++');
      if (regular === null) await demandTool('python3', ['-m', 'pip', '--version'], 'python3 with pip');
    }
    await bringPackage(root, folder);
    if (made) await build({ entry, folder, regular, digestOf });
    const fresh = () =>
      install(entry, folder).catch(async (error) => {
        await rm(entry, { recursive: true, force: true }); // or the next call would take it for good
        throw new Missing(`expected what was built to compute on this machine, got "${error.message}"`);
      });
    const again = async (error) => {
      say(`what ${entry} holds does not run here (${error.message}); it is built anew`);
      made = true;
      await build({ entry, folder, regular, digestOf });
      return fresh();
    };
    const library = await (made ? fresh() : install(entry, folder).catch(again));
    const seconds = Math.round((Date.now() - started) / 1000);
    say(
      `${made ? 'built' : 'taken from the cache'} in ${seconds} s: TensorFlow ${library}, with the lock; a product and a training step are right`,
    );
    say(
      `${await sizeMb(entry)} MB in ${entry}, for the next time; licences: ${join(PACKAGE, 'deps', 'THIRD_PARTY_NOTICES.txt')} and NOTICE`,
    );
  } catch (error) {
    if (!(error instanceof Missing) || now.library === undefined) throw error;
    say(`the regular install's binding works: TensorFlow ${now.library}, without the lock, so for executors of one thread`);
    say(`not compiled with the lock: ${error.message}`);
  }
}

try {
  const { values } = parseArgs({ options: { root: { type: 'string', default: project } } });
  await main(resolve(values.root));
} catch (error) {
  console.error(`tfjs:native: ${error.message}${error instanceof Missing ? `; ${ROAD}` : ''}`);
  if (!(error instanceof Missing) && !error.code?.startsWith('ERR_PARSE_ARGS')) console.error(error.stack);
  process.exitCode = error instanceof Missing ? 3 : error.code?.startsWith('ERR_PARSE_ARGS') ? 2 : 1;
} finally {
  clear();
}
