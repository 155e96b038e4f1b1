import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { CommandModule } from 'yargs';
import { LocalBus } from '../bus/local.ts';
import { ConfigError } from '../contract/errors.ts';
import type { JobResult } from '../contract/job.ts';
import { expand } from '../coordinator/expand.ts';
import type { Frozen } from '../coordinator/freeze.ts';
import { type Loaded, loadSweep } from '../coordinator/load.ts';
import { planOf } from '../coordinator/plan.ts';
import { Schedule } from '../coordinator/schedule.ts';
import { Store } from '../coordinator/store.ts';
import { makeEngine } from '../math/engines/index.ts';
import { Agent } from '../worker/agent/agent.ts';
import { ExecutorPool } from '../worker/executor/pool.ts';
import { numerics } from '../worker/numerics.ts';
import { Progress } from './progress.ts';

interface RunArguments {
  readonly file: string;
  readonly overrides: readonly string[];
  readonly threads: number;
  readonly results: string;
  readonly extend: boolean;
  readonly recompute: boolean;
  readonly quiet: boolean;
}

/** What only a test may set. */
export interface Injected {
  readonly threadModule?: string;
}

export const EXIT = { complete: 0, incomplete: 1, SIGINT: 130, SIGTERM: 143 } as const;

export function threadCount(threads: number): number {
  if (Number.isInteger(threads) && threads >= 1) return threads;
  throw new ConfigError(`--threads: expected a whole number from 1 on, got ${threads}`);
}

/** How one sweep is computed here. */
export interface Compute {
  readonly loaded: Pick<Loaded, 'sweep' | 'text'>;
  readonly folder: string;
  readonly slots: number;
  readonly extend: boolean;
  readonly recompute: boolean;
  readonly quiet: boolean;
}

/**
 * Coordinator, bus, agent and executor on this machine: the same path that many machines take.
 * Returns whether every trial has a row without a failure; null when it was interrupted, and the exit code is set.
 */
export async function compute(
  { loaded, folder, slots, extend, recompute, quiet }: Compute,
  { threadModule }: Injected = {},
): Promise<boolean | null> {
  const { sweep, text } = loaded;
  const trials = expand(sweep);
  const code = numerics(makeEngine(sweep.engine).version);
  let say = (message: string): void => void process.stderr.write(`${message}\n`);
  const warn = (message: string): void => say(message);

  const frozen: Frozen = { sweepYaml: text, plan: planOf(sweep, trials), numerics: code };
  const store = await Store.open(folder, frozen, { extend, recompute, warn });
  const bus = new LocalBus(store.files);
  const pool = new ExecutorPool({ slots, warn, ...(threadModule && { threadModule }) });
  const agent = new Agent({ bus, pool, numerics: code.all, warn });
  // One job more than slots: none waits for the coordinator's disk, and bases of later seeds do not go before trials that can run.
  const { limits } = sweep;
  const onRow = (result: JobResult): void => progress.row(result);
  const schedule = new Schedule({ trials, store, bus, window: slots + 1, numerics: code.all, limits, warn, onRow });
  const threads = () => ({ busy: pool.busy, done: pool.progress });
  const progress: Progress = new Progress({ name: sweep.name, tally: schedule.tally, slots, threads, quiet });
  say = (message) => progress.note(message);

  const interrupt = onInterrupt({
    drain: () => {
      say(`finishing what runs (${pool.busy} of ${slots} threads); once more to leave at once`);
      progress.drain();
      schedule.stop();
      void agent.drain().then(() => bus.close());
    },
    leave: () => {
      pool.stop();
      store.release();
    },
  });
  try {
    await settled([schedule.run(), agent.run()], () => {
      pool.stop();
      void bus.close();
    });
  } finally {
    interrupt.end();
    pool.stop();
    await store.close();
    progress.end();
  }
  if (!schedule.complete && interrupt.signal !== null) {
    say(`interrupted; the same command goes on from here`);
    process.exitCode = EXIT[interrupt.signal];
    return null;
  }
  return schedule.complete && schedule.tally.failed.trial === 0;
}

async function run(args: RunArguments, injected: Injected): Promise<void> {
  const slots = threadCount(args.threads);
  const loaded = loadSweep(args.file, args.overrides);
  const folder = join(args.results, loaded.sweep.name);
  const complete = await compute({ loaded, folder, slots, extend: args.extend, recompute: args.recompute, quiet: args.quiet }, injected);
  if (complete === null) return;
  const { writeTables } = await import('../report/tables.ts'); // late: a table library of 0.2 s that most of a run has no use for
  process.stdout.write(await writeTables(folder));
  process.exitCode = complete ? EXIT.complete : EXIT.incomplete;
}

/** Waits for all of them; when one fails, `abandon` ends the others, and the first error is thrown. */
async function settled(works: readonly Promise<void>[], abandon: () => void): Promise<void> {
  try {
    await Promise.all(works);
  } catch (error) {
    abandon();
    await Promise.allSettled(works);
    throw error;
  }
}

type Signal = 'SIGINT' | 'SIGTERM';

/** The first signal drains, the second leaves at once. */
export function onInterrupt({ drain, leave }: { drain(): void; leave(): void }): { readonly signal: Signal | null; end(): void } {
  const state = { signal: null as Signal | null, end: () => {} };
  const heard = (signal: Signal): void => {
    if (state.signal === null) {
      state.signal = signal;
      drain();
    } else {
      leave();
      process.exit(EXIT[signal]);
    }
  };
  process.on('SIGINT', heard);
  process.on('SIGTERM', heard);
  state.end = () => {
    process.off('SIGINT', heard);
    process.off('SIGTERM', heard);
  };
  return state;
}

export const threadsOption = {
  type: 'number',
  default: availableParallelism(),
  defaultDescription: 'cores',
  requiresArg: true,
  describe: 'jobs at the same time; does not change a byte of the results',
} as const;

/** `spc run`: exit codes 0 complete, 1 some trials failed, 2 usage or invalid file, 130 and 143 interrupted. */
export const runCommand = (injected: Injected = {}): CommandModule<object, RunArguments> => ({
  command: 'run <file> [overrides..]',
  describe: 'run what is missing of a sweep, here, and print its tables',
  builder: (yargs) =>
    yargs
      .positional('file', { type: 'string', demandOption: true, describe: 'the sweep file' })
      .positional('overrides', { type: 'string', array: true, default: [] as string[], describe: 'key=value, applied after the file' })
      .option('threads', threadsOption)
      .option('results', {
        type: 'string',
        default: 'results',
        requiresArg: true,
        describe: 'folder of results; the sweep gets one of its name in it',
      })
      .option('extend', { type: 'boolean', default: false, describe: 'accept that the sweep has changed since its first run' })
      .option('recompute', { type: 'boolean', default: false, describe: 'move the rows there are aside and compute all anew' })
      .option('quiet', { type: 'boolean', default: false, describe: 'no progress, only warnings' })
      .example('$0 run sweeps/quick.yaml', 'the first table')
      .example('$0 run sweeps/quick.yaml seeds=10 --extend', 'five more seeds of it')
      .epilogue(
        'Ctrl-C finishes what runs, twice leaves at once; the same command then goes on. Exit codes: 0 complete, 1 some trials failed, 2 invalid, 130 interrupted.',
      ),
  handler: (args) => run(args, injected),
});
