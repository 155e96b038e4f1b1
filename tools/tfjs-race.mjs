// Does the lock hold? Threads that use the native binding for the first time at the same moment, in one process after the other.
//   node tools/tfjs-race.mjs [--runs 100] [--threads 2] [--training | --unlocked]
// --training: a real training step instead of strange attributes; --unlocked: the binding as it is published, compiled for this.
// Exit codes: 0 none crashed (with --unlocked: whatever happened), 1 some did, 2 usage, 3 there is no binding, or no compiler.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { compile, Missing } from './tfjs/binding.mjs';

const folder = join(dirname(dirname(fileURLToPath(import.meta.url))), 'node_modules', '@tensorflow', 'tfjs-node');
const addonIn = (at) => join(at, 'lib', 'napi-v8', 'tfjs_binding.node');

/** A process takes one second. A tree that was spoiled may have a cycle, and whoever walks it then never returns. */
const HANG_MS = 10_000;

class Usage extends Error {}
function options() {
  const count = (name, text, least) => {
    const n = Number(text);
    if (!Number.isSafeInteger(n) || n < least) throw new Usage(`--${name}: expected a whole number from ${least} on, got ${text}`);
    return n;
  };
  try {
    const { values } = parseArgs({
      options: {
        runs: { type: 'string', default: '100' },
        threads: { type: 'string', default: '2' },
        training: { type: 'boolean', default: false },
        unlocked: { type: 'boolean', default: false },
      },
    });
    if (values.training && values.unlocked) throw new Usage('--unlocked: expected without --training, which loads the installed package');
    return { ...values, runs: count('runs', values.runs, 1), threads: count('threads', values.threads, 2) };
  } catch (error) {
    throw error instanceof Usage ? error : new Usage(error.message);
  }
}

/** How a process ended; null if as it should. */
function race(what, path, threads) {
  const { status, signal, error, stderr } = spawnSync(
    process.execPath,
    [fileURLToPath(new URL('tfjs/race.mjs', import.meta.url)), what, path, String(threads)],
    {
      encoding: 'utf8',
      timeout: HANG_MS,
      killSignal: 'SIGKILL',
      env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: '3', TF_NUM_INTRAOP_THREADS: '1', TF_NUM_INTEROP_THREADS: '1' },
    },
  );
  if (error?.code === 'ETIMEDOUT') return 'going round and round';
  if (signal !== null) return signal;
  // Not a crash of the binding: then nothing was tried, and to count it would prove too much.
  if (status !== 0) throw new Error(`expected the threads to finish or to crash, got exit code ${status}:\n${stderr.slice(0, 2000)}`);
  return null;
}

const scratch = mkdtempSync(join(tmpdir(), 'spc-race-'));
try {
  const { runs, threads, training, unlocked } = options();
  if (!existsSync(addonIn(folder))) throw new Missing('expected the native binding, found none; npm run tfjs:native brings it');
  if (!unlocked && !existsSync(join(dirname(addonIn(folder)), 'spc.json')))
    throw new Missing('expected a binding with the lock, found the published one; npm run tfjs:native compiles it');
  let path = training ? folder : addonIn(folder);
  if (unlocked) {
    path = addonIn(scratch);
    mkdirSync(dirname(path), { recursive: true });
    symlinkSync(join(folder, 'deps'), join(scratch, 'deps'));
    await compile({ folder, deps: join(folder, 'deps'), addon: path, locked: false });
  }
  const ends = new Map();
  for (let i = 0; i < runs; i++) {
    const end = race(training ? 'training' : 'strange', path, threads);
    if (end !== null) ends.set(end, (ends.get(end) ?? 0) + 1);
  }
  const crashed = [...ends.values()].reduce((sum, n) => sum + n, 0);
  const how = [...ends].map(([end, n]) => `${n} ${end}`).join(', ');
  const what = `${unlocked ? 'without' : 'with'} the lock, ${threads} threads ${training ? 'that train' : 'with new names'}`;
  console.log(`tfjs:race: ${what}: ${crashed} of ${runs} processes crashed${how && ` (${how})`}`);
  process.exitCode = crashed > 0 && !unlocked ? 1 : 0;
} catch (error) {
  if (!(error instanceof Missing || error instanceof Usage)) throw error;
  console.error(`tfjs:race: ${error.message}`);
  process.exitCode = error instanceof Usage ? 2 : 3;
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
