// The native binding of @tensorflow/tfjs-node: where its parts come from, how it is compiled, how it is checked. Linux x86-64.
import { execFile } from 'node:child_process';
import { existsSync, lstatSync, readdirSync } from 'node:fs';
import { cp, mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const require = createRequire(import.meta.url);

/** The machine lacks something, and its owner may know better: exit code 3. */
export class Missing extends Error {}

/** What a program said last before it failed. */
export function lastWords(error) {
  const lines = String(error.stderr || error.message)
    .trim()
    .split('\n');
  return (lines.findLast((line) => /error/i.test(line)) ?? lines.at(-1)).slice(0, 300);
}

/** Carries the C library, its headers and nothing that would be run. 2.9 to 2.11 lack libtensorflow_cc.so.2. */
export const WHEEL = { name: 'tensorflow-cpu', version: '2.15.1', mb: 207 };
const WHEEL_SHA256 = '54660c074d7241a503e81edfd9f5ef5af88f64051b72e2945f26318c790f2d26';

const [CORE, FRAMEWORK] = ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2'];

/** What of the wheel is kept, and as what below `deps`. */
const KEPT = {
  [`tensorflow/${CORE}`]: `lib/${CORE}`,
  [`tensorflow/${FRAMEWORK}`]: `lib/${FRAMEWORK}`,
  'tensorflow/THIRD_PARTY_NOTICES.txt': 'THIRD_PARTY_NOTICES.txt',
};
const HEADERS = ['tensorflow/c/', 'tensorflow/core/platform/', 'tsl/c/', 'tsl/platform/'].map((folder) => `tensorflow/include/${folder}`);

const UNZIP = `
import json, os, shutil, sys, zipfile
archive, out, kept, headers = sys.argv[1], sys.argv[2], json.loads(sys.argv[3]), tuple(json.loads(sys.argv[4]))
with zipfile.ZipFile(archive) as z:
    for name in z.namelist():
        header = name.startswith(headers) and name.endswith('.h')
        to = kept.get(name) or (name[len('tensorflow/'):] if header else None)
        if to is None: continue
        path = os.path.join(out, to)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with z.open(name) as source, open(path, 'wb') as target: shutil.copyfileobj(source, target, 1 << 20)
`;

/** Writes the `deps` folder from the wheel, which pip fetches and checks. */
export async function fetchLibrary(scratch, deps) {
  const wheels = join(scratch, 'wheel');
  await mkdir(wheels, { recursive: true });
  const wanted = join(wheels, 'wanted.txt');
  await writeFile(wanted, `${WHEEL.name}==${WHEEL.version} --hash=sha256:${WHEEL_SHA256}\n`);
  // The tag of the interpreter names one wheel of several: only its libraries are used, so any Python will do.
  const target = ['--python-version', '3.11', '--platform', 'manylinux_2_17_x86_64', '--platform', 'manylinux2014_x86_64'];
  const flags = ['-q', '--disable-pip-version-check', '--no-cache-dir', '--no-deps', '--only-binary=:all:', '--require-hashes'];
  await run('python3', ['-m', 'pip', 'download', ...flags, ...target, '-d', wheels, '-r', wanted]).catch((error) => {
    throw new Missing(`expected ${WHEEL.name} ${WHEEL.version} from PyPI, got "${lastWords(error)}"; is it to be reached from here?`);
  });
  const wheel = readdirSync(wheels).find((name) => name.endsWith('.whl'));
  await run('python3', ['-c', UNZIP, join(wheels, wheel), deps, JSON.stringify(KEPT), JSON.stringify(HEADERS)]);
  await rm(wheels, { recursive: true });
  // Without a file of this name tfjs-node's own install script, which "npm rebuild" runs, removes the folder and then cannot fill it.
  await symlink(CORE, join(deps, 'lib', 'libtensorflow.so.2.9.1'));
}

/** The version of a library that the package's own install brought, null if it brought none: ours has a link in that place. */
export function regularLibrary(folder) {
  const lib = join(folder, 'deps', 'lib');
  if (!existsSync(lib) || !existsSync(join(folder, 'deps', 'include'))) return null;
  const own = readdirSync(lib).find((name) => /^libtensorflow\.so\.\d+\.\d+\.\d+$/.test(name));
  return own !== undefined && lstatSync(join(lib, own)).isFile() ? own.slice('libtensorflow.so.'.length) : null;
}

/**
 * The binding keeps the names of attributes in one std::set of the process, and threads add to it at the same time: a red-black tree
 * that two rebalance at once is a crash. The elements of a set stay where they are, so the pointer that comes out needs no lock.
 */
const RACE = 'ATTR_NAME_SET.insert(attr_name_string.c_str()).first->c_str();';
const LOCKED = `[&] { static std::mutex m; std::lock_guard<std::mutex> l(m); return ATTR_NAME_SET.insert(attr_name_string).first->c_str(); }();`;
export function withLock(source) {
  if (source.split(RACE).length !== 2) throw new Missing('tfjs_backend.cc: expected one line to be locked, found another file');
  return `#include <mutex>\n${source.replace(RACE, () => LOCKED)}`;
}

/** The addon from the sources of the package in `folder` and the library in `deps`; it looks for the library beside itself. */
export async function compile({ folder, deps, addon, locked }) {
  const sources = `${addon}.src`;
  await rm(sources, { recursive: true, force: true });
  await cp(join(folder, 'binding'), sources, { recursive: true });
  if (locked) {
    const file = join(sources, 'tfjs_backend.cc');
    await writeFile(file, withLock(await readFile(file, 'utf8')));
  }
  const lib = join(deps, 'lib');
  const core = existsSync(join(lib, CORE)) ? CORE : 'libtensorflow.so.2';
  const include = [require('node-api-headers').include_dir, join(deps, 'include')].flatMap((path) => ['-I', path]);
  const flags = ['-shared', '-fPIC', '-O2', '-std=c++17', '-DNAPI_VERSION=8', '-DBUILDING_NODE_EXTENSION', ...include];
  const link = ['-L', lib, '-Wl,-rpath,$ORIGIN/../../deps/lib', `-l:${core}`, `-l:${FRAMEWORK}`];
  const files = ['tfjs_backend.cc', 'tfjs_binding.cc'].map((name) => join(sources, name));
  await run('g++', [...flags, ...files, '-o', `${addon}.new`, ...link]).catch((error) => {
    throw new Missing(`expected g++ to compile the binding (C++17), got "${lastWords(error)}"`);
  });
  await rm(sources, { recursive: true });
  await rename(`${addon}.new`, addon);
}

/** A product, and one step of Adam down a gradient: in a process of its own, since what is wrong here may end it. */
const CHECK = `
const util = require('node:util');
util.isNullOrUndefined ??= (value) => value === null || value === undefined;
util.isArray ??= Array.isArray;
const tf = require(process.argv[1]);
const x = tf.tensor2d([[1, 2], [3, 4]]);
const product = [...tf.matMul(x, x).dataSync()];
const w = tf.variable(tf.tensor2d([[1], [2]]));
const { grads } = tf.variableGrads(() => tf.mean(tf.square(tf.matMul(x, w))));
const [gradient] = Object.values(grads).map((g) => [...g.dataSync()]);
tf.train.adam(0.125).applyGradients(grads);
const after = [...w.dataSync()];
const right = String([product, gradient]) === '7,10,15,22,38,54' && after.every((v, i) => Math.abs(v - (i + 0.875)) < 1e-4);
const library = tf.getBackend() === 'tensorflow' && tf.backend().binding.TF_Version;
console.log('\\n' + JSON.stringify({ library, right, product, gradient, after }));
`;

/** The version of the library behind the package in `folder`, if its binding computes. Throws with the reason where it does not. */
export async function check(folder) {
  const { stdout } = await run(process.execPath, ['-e', CHECK, folder], {
    cwd: folder,
    timeout: 120_000,
    env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: '2', TF_NUM_INTRAOP_THREADS: '1', TF_NUM_INTEROP_THREADS: '1' },
  }).catch((error) => {
    throw new Error(error.signal ? `the check ended by ${error.signal}` : lastWords(error), { cause: error });
  });
  const { library, right, ...numbers } = JSON.parse(stdout.trim().split('\n').at(-1));
  if (!library) throw new Error('the native backend did not start');
  if (!right) throw new Error(`it computes wrongly: ${JSON.stringify(numbers)}`);
  return library;
}
