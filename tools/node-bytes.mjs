// Runs sweeps/bytes.yaml under several versions of Node, and compares rows and policies byte for byte.
//   node tools/node-bytes.mjs [22 24 ...] [engine=tfjs ...]     the current version and these majors; 22 and 24 unless told otherwise,
//   24 if 22 is the current one; overrides are those of `spc run`
// The versions come from the `node` package of npm's registry, once, into node_modules/.cache/node. Exit codes: 0 the same bytes, 1 others, 2 could not check.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const [SAME, OTHERS, UNCHECKED] = [0, 1, 2];
const overrides = process.argv.slice(2).filter((word) => word.includes('='));
const named = process.argv.slice(2).filter((word) => !word.includes('='));
const majors = named.length > 0 ? named : ['22', '24'];

/** Nothing was compared: as loud as a difference, for silence would pass for sameness. */
class Unchecked extends Error {}
function unchecked(message) {
  throw new Unchecked(message);
}

const versionOf = (binary) => execFileSync(binary, ['--version'], { encoding: 'utf8' }).trim();

/** The binary of a major version; installed if it is not there. */
function nodeOf(major) {
  if (!/^\d+$/.test(major)) unchecked(`expected major versions of Node such as 22, got ${major}`);
  if (process.versions.node.startsWith(`${major}.`)) return process.execPath;
  const folder = join(root, 'node_modules', '.cache', 'node', major);
  const binary = join(folder, 'node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
  try {
    if (existsSync(binary) && versionOf(binary).startsWith(`v${major}.`)) return binary;
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
    // Its install script links the binary of this platform, which is a package of its own.
    execFileSync('npm', ['install', '--no-audit', '--no-fund', '--no-save', '--ignore-scripts=false', `node@${major}`], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    if (versionOf(binary).startsWith(`v${major}.`)) return binary;
    throw new Error(`${binary} is ${versionOf(binary)}`);
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    return unchecked(`Node ${major} is not to be had here: ${String(error.stderr ?? '').trim() || error.message}`);
  }
}

/** Sorted rows by line, files by name: what must not depend on the version. */
function outcome(folder) {
  const parts = new Map();
  for (const name of ['bases.jsonl', 'trials.jsonl']) {
    const lines = readFileSync(join(folder, name), 'utf8').split('\n').slice(0, -1).sort();
    for (const [i, line] of lines.entries()) parts.set(`${name}, sorted line ${i + 1}`, Buffer.from(line));
  }
  for (const kind of ['policies', 'forget'])
    for (const name of readdirSync(join(folder, kind)).sort()) parts.set(`${kind}/${name}`, readFileSync(join(folder, kind, name)));
  return parts;
}

function run(binary, results) {
  const spc = join(root, 'dist', 'cli', 'cli.js');
  if (!existsSync(spc)) unchecked('expected the compiled project in dist; npm run build');
  try {
    execFileSync(binary, [spc, 'run', join(root, 'sweeps', 'bytes.yaml'), ...overrides, '--results', results, '--quiet'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
  } catch (error) {
    throw new Error(`the sweep does not run under ${versionOf(binary)} (exit code ${error.status}): ${error.stderr}`);
  }
  return outcome(join(results, 'bytes'));
}

/** The first part, and in it the first byte, where two outcomes part; null if they do not. */
function difference(before, after) {
  for (const name of [...new Set([...before.keys(), ...after.keys()])]) {
    const [a, b] = [before.get(name), after.get(name)];
    if (!a || !b) return `${name}: ${a ? 'missing' : 'there'} with the second`;
    if (a.equals(b)) continue;
    let at = 0;
    while (at < Math.min(a.length, b.length) && a[at] === b[at]) at++;
    const show = (bytes) =>
      name.endsWith('.safetensors') ? bytes.subarray(at, at + 8).toString('hex') : bytes.subarray(Math.max(0, at - 40), at + 20).toString();
    return `${name}, byte ${at + 1}:\n  ${show(a)}\n  ${show(b)}`;
  }
  return null;
}

const scratch = mkdtempSync(join(tmpdir(), 'spc-bytes-'));
try {
  const binaries = [process.execPath, ...majors.map(nodeOf)].filter((binary, i, all) => all.indexOf(binary) === i);
  if (binaries.length < 2) binaries.push(nodeOf('24'));
  if (binaries[0] === binaries[1]) unchecked(`expected another version than ${process.version} to compare with`);
  const first = run(process.execPath, join(scratch, '0'));
  if (first.size < 5) unchecked(`expected rows and policies to compare, got ${first.size} of them`);
  let code = SAME;
  for (const [i, binary] of binaries.entries()) {
    if (i === 0) continue;
    const found = difference(first, run(binary, join(scratch, String(i))));
    if (found) code = OTHERS;
    console.log(
      `bytes: ${process.version} and ${versionOf(binary)}: ${found ? `DIFFERENT at ${found}` : `${first.size} rows and files, the same bytes`}`,
    );
  }
  process.exitCode = code;
} catch (error) {
  if (!(error instanceof Unchecked)) throw error;
  console.error(`bytes: CANNOT CHECK: ${error.message}`);
  process.exitCode = UNCHECKED;
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
