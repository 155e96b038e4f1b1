// Builds what a clone needs: AssemblyScript -> wasm -> a base64 module, then TypeScript -> dist. Where the sources have not changed
// since, nothing happens. It is made beside what is there and then put in its place: build/place.mjs says how, build/stamp.mjs when.
//   node tools/build.mjs [--record]     --record accepts other bits of the WebAssembly modules
import { chmodSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { compiler, Refused } from './build/compiler.mjs';
import { clean, keep, scratchFor, share, show, waitForOthers } from './build/place.mjs';
import { digestsIn, folderOf, isFresh, isPackage, isWhole, NOTE, root, stampOf } from './build/stamp.mjs';
import { compileModules } from './build/wasm.mjs';

const say = (text) => process.stderr.write(`build: ${text}\n`);
/** A change of the sources while they are compiled: compiled again, so often. */
const TRIES = 5;

/** Returns an exit code; what went wrong is said. */
export async function main({ record = false } = {}) {
  if (isPackage() || (!record && isFresh())) return 0;
  const stop = new AbortController();
  const ended = (name) => stop.abort(name);
  const signals = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };
  for (const name of Object.keys(signals)) process.on(name, ended);
  try {
    const started = performance.now();
    say('compiles the sources, which are new or have changed; 10 s on a calm machine of two cores, and what was built stays usable');
    await build({ record, signal: stop.signal });
    say(`done in ${Math.round((performance.now() - started) / 1000)} s`);
    return 0;
  } catch (error) {
    const name = stop.signal.aborted ? stop.signal.reason : undefined;
    if (name) say(`ended by ${name}; what was built before is as it was`);
    else if (error instanceof Refused) say(`${error.message}; what was built before is as it was`);
    else if (error.syscall) say(`expected to write in ${root}, got ${error.message}; what was built before is as it was`);
    else throw error;
    return signals[name] ?? 1;
  } finally {
    for (const name of Object.keys(signals)) process.off(name, ended);
  }
}

async function build({ record, signal }) {
  for (let i = 0; i < TRIES; i++) {
    const stamp = stampOf();
    if (!record) await waitForOthers(stamp);
    const scratch = scratchFor(stamp);
    try {
      if (!record) await waitForOthers(stamp, scratch.name);
      const written = await compileModules(scratch.folder, { record, signal });
      if (!isWhole(folderOf(stamp), stamp)) await compileSources(scratch.folder, { stamp, written, signal });
      if (stampOf() !== stamp) continue;
      show(stamp, scratch.folder);
      clean(stamp);
      return;
    } finally {
      scratch.clear();
    }
  }
  throw new Refused(`the sources changed ${TRIES} times while they were compiled`);
}

async function compileSources(scratch, { stamp, written, signal }) {
  const made = join(scratch, 'dist');
  await compiler('typescript', 'bin/tsc', ['-p', 'tsconfig.build.json', '--outDir', made], signal);
  if (stampOf() !== stamp) return;
  chmodSync(join(made, 'cli', 'cli.js'), 0o755);
  share(made);
  writeFileSync(join(made, NOTE), `${JSON.stringify({ stamp, written, files: digestsIn(made) })}\n`);
  keep(made, stamp);
}

/** npm runs `prepare` for `npx spc` as well, hides what it says, and starts bin/spc.mjs right after, which builds in sight. */
const isForNpx = ({ npm_lifecycle_event, npm_command, npm_package_resolved } = process.env) =>
  npm_lifecycle_event === 'prepare' && npm_command === 'exec' && npm_package_resolved === 'null';

const isCalled = process.argv[1] !== undefined && import.meta.url === pathToFileURL(realpathSync(process.argv[1])).href;
if (isCalled && !isForNpx()) process.exitCode = await main({ record: process.argv.includes('--record') });
