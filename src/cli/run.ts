import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import type { CommandModule } from 'yargs';
import { ConfigError } from '../contract/errors.ts';
import type { JobResult } from '../contract/job.ts';
import { Checks } from '../coordinator/checks.ts';
import { enginesOf, expand } from '../coordinator/expand.ts';
import type { Frozen } from '../coordinator/freeze.ts';
import { jobNames } from '../coordinator/labels.ts';
import { Ledger } from '../coordinator/ledger.ts';
import { type Loaded, loadSweep } from '../coordinator/load.ts';
import { planOf } from '../coordinator/plan.ts';
import { Schedule } from '../coordinator/schedule.ts';
import { Store } from '../coordinator/store.ts';
import { expectFit, numericsOf } from '../worker/engines.ts';
import { judgeFile } from '../worker/judge.ts';
import { type BrokerArguments, brokerOf, brokerOptions, type Waiting, waiting, waitOption } from './broker.ts';
import { localCrew, natsCrew } from './crew.ts';
import { onInterrupt, SIGNALLED } from './interrupt.ts';
import { Progress } from './progress.ts';
import { many, say as tell } from './text.ts';

interface RunArguments extends BrokerArguments {
  readonly file: string;
  readonly overrides: readonly string[];
  readonly threads: number;
  readonly results: string;
  readonly extend: boolean;
  readonly recompute: boolean;
  readonly quiet: boolean;
  readonly weight: number;
  readonly wait: string;
  readonly recheck: number | undefined;
}

/** What only a test may set. */
export interface Injected {
  readonly threadModule?: string;
  /** How long a job of a worker that fell silent is nobody else's. */
  readonly leaseMs?: number;
}

export const EXIT = { complete: 0, incomplete: 1, cancelled: 7 } as const;

/** Share of the rows of a listening broker's workers that others compute again. */
const RECHECK = 0.02;

/** Threads that share a core take turns; each has its memory all the same. */
const MOST_THREADS = Math.max(16, 4 * availableParallelism());

/** Of what was asked for, what this machine can use. */
export function threadCount(threads: number, option = '--threads'): number {
  if (!Number.isInteger(threads) || threads < 1) throw new ConfigError(`${option}: expected a whole number from 1 on, got ${threads}`);
  if (threads <= MOST_THREADS) return threads;
  process.stderr.write(
    `${option} ${threads}: more than this machine can use, which has ${many(availableParallelism(), 'core')}; taken as ${MOST_THREADS}\n`,
  );
  return MOST_THREADS;
}

/** How one sweep is computed here. */
export interface Compute {
  readonly loaded: Pick<Loaded, 'sweep' | 'text'>;
  readonly folder: string;
  readonly slots: number;
  readonly extend: boolean;
  readonly recompute: boolean;
  readonly quiet: boolean;
  /** The broker whose workers compute, and the share of them that is wanted; without one this process does. */
  readonly at?: { readonly broker: BrokerArguments; readonly weight: number; readonly wait: Waiting; readonly recheck: number } | undefined;
}

/**
 * Coordinator here; agents and executors here too, or at a broker: it is the same path.
 * Returns whether every trial has a row without a failure; null when it was interrupted, and the exit code is set.
 */
export async function compute(
  { loaded, folder, slots, extend, recompute, quiet, at }: Compute,
  { threadModule, leaseMs }: Injected = {},
): Promise<boolean | null> {
  const { sweep, text } = loaded;
  const trials = expand(sweep);
  const engines = enginesOf(trials);
  const code = numericsOf(engines); // both throw where one of them is not installed, or not fit: before anything is written
  if (at === undefined) expectFit(engines, slots);
  let say = tell;
  const warn = (message: string): void => say(message);

  const frozen: Frozen = { sweepYaml: text, plan: planOf(sweep, trials), numerics: code };
  const store = await Store.open(folder, frozen, { extend, recompute, warn });
  const common = { files: store.files, numerics: code.all, warn };
  const joining =
    at === undefined
      ? localCrew({ ...common, slots, engines, ...(threadModule && { threadModule }) })
      : natsCrew({ ...common, ...at, folder, sweep: sweep.name, cancelled: (reason) => cancel(reason), ...(leaseMs && { leaseMs }) });
  const crew = await joining.catch(async (error: unknown) => {
    await store.close();
    throw error;
  });
  const ledger = new Ledger(store);
  const checks = at && (await Checks.open({ store, ledger, share: at.recheck, warn }));
  const { bus, window } = crew;
  const { limits } = sweep;
  const onRow = (result: JobResult): void => {
    progress.row(result);
    crew.row(result);
  };
  const hold = (identity: string, reason: string): void => crew.hold(identity, reason);
  const schedule = new Schedule({
    trials,
    store,
    bus,
    window,
    numerics: code.all,
    limits,
    judgeFile,
    warn,
    hold,
    onRow,
    ...(checks && { checks }),
  });
  const { tally } = schedule;
  const progress: Progress = new Progress({ name: sweep.name, tally, ...crew, checking: () => checks?.underway ?? 0, quiet });
  say = (message) => progress.note(message);
  const left = {
    trials: trials.filter(({ id }) => store.state('trial', id) === undefined),
    bases: new Set(trials.flatMap(({ baseId }) => (store.state('base', baseId) === undefined ? [baseId] : []))),
  };
  let cancelled: string | null = null;
  const cancel = (reason: string): void => {
    cancelled = reason;
    void schedule.pause(new Set()).then(() => bus.close());
  };
  crew.attend(schedule, { left: () => progress.remaining(), nameOf: (ids) => jobNames(trials, ids) });

  const interrupt = onInterrupt({
    drain: () => {
      schedule.stop();
      say(crew.drain());
      progress.drain();
    },
    leave: () => {
      crew.stop();
      store.release();
    },
  });
  try {
    const works = [schedule.run(), crew.work()];
    if (!quiet) void progress.foresee(left, trials, { root: dirname(folder), name: sweep.name, threads: crew.threads() });
    await settled(works, () => {
      crew.stop();
      void bus.close();
    });
  } finally {
    interrupt.end();
    await crew.close();
    await ledger.close();
    await store.close();
    progress.end();
  }
  for (const words of checks?.leftover() ?? []) say(words);
  if (!schedule.complete && cancelled !== null) {
    say(`cancelled (${cancelled}); the same command goes on from here`);
    process.exitCode = EXIT.cancelled;
    return null;
  }
  if (!schedule.complete && interrupt.signal !== null) {
    say(`interrupted; the same command goes on from here`);
    process.exitCode = SIGNALLED[interrupt.signal];
    return null;
  }
  return schedule.complete && schedule.tally.failed.trial === 0;
}

async function run(args: RunArguments, injected: Injected): Promise<void> {
  const { extend, recompute, quiet, nats, creds, weight } = args;
  const slots = threadCount(args.threads);
  if (!(weight > 0 && Number.isFinite(weight))) throw new ConfigError(`--weight: expected a number greater than 0, got ${weight}`);
  const broker = nats === undefined && creds === undefined ? undefined : { nats, creds };
  if (broker) brokerOf(broker, 'coordinator'); // before anything is written
  const wait = waiting(args.wait);
  const recheck = recheckShare(args.recheck, broker);
  const at = broker && { broker, weight, wait, recheck };
  const loaded = loadSweep(args.file, args.overrides);
  const folder = join(args.results, loaded.sweep.name);
  const complete = await compute({ loaded, folder, slots, extend, recompute, quiet, at }, injected);
  if (complete === null) return;
  const { writeTables } = await import('../report/tables.ts'); // late: a table library of 0.2 s that most of a run has no use for
  process.stdout.write(await writeTables(folder));
  process.exitCode = complete ? EXIT.complete : EXIT.incomplete;
}

/** Of the rows of workers that others can be, some are computed twice unless it is said otherwise. */
function recheckShare(recheck: number | undefined, broker: BrokerArguments | undefined): number {
  if (recheck !== undefined && !(recheck >= 0 && recheck <= 1))
    throw new ConfigError(`--recheck: expected a share of 0 to 1, got ${recheck}`);
  if (recheck !== undefined && recheck > 0 && broker === undefined)
    throw new ConfigError('--recheck: expected --nats or --creds beside it, got neither; what this machine computed spc rerun checks');
  return recheck ?? (broker?.creds === undefined ? 0 : RECHECK);
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

export const threadsOption = {
  type: 'number',
  default: availableParallelism(),
  defaultDescription: 'cores',
  requiresArg: true,
  describe: 'jobs at the same time; does not change a byte of the results',
} as const;

/** `spc run`: exit codes 0 complete, 1 some trials failed, 2 usage or invalid file, 129, 130 and 143 interrupted. */
export const runCommand = (injected: Injected = {}): CommandModule<object, RunArguments> => ({
  command: 'run <file> [overrides..]',
  describe: 'run what is missing of a sweep, here or by the workers of a broker, and print its tables',
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
      .options(brokerOptions)
      .option('wait', waitOption)
      .option('weight', {
        type: 'number',
        default: 1,
        requiresArg: true,
        describe: 'share of the workers, against other sweeps at the broker',
      })
      .option('recheck', {
        type: 'number',
        requiresArg: true,
        defaultDescription: `${RECHECK} with --creds, else 0`,
        describe: 'share of the rows of workers that another worker computes again, to compare them',
      })
      .option('quiet', { type: 'boolean', default: false, describe: 'no progress, only warnings' })
      .example('$0 run sweeps/quick.yaml', 'the first table')
      .example('$0 run sweeps/quick.yaml seeds=10 --extend', 'five more seeds of it')
      .epilogue(
        'Ctrl-C finishes what runs, twice leaves at once; the same command then goes on. Exit codes: 0 complete, 1 some trials failed, 2 invalid, 3 the broker was away for ten minutes, 7 cancelled, 130, 143 and 129 interrupted by Ctrl-C, SIGTERM and the end of the terminal. Under nohup, or where nothing is a terminal, it outlives the terminal.',
      ),
  handler: (args) => run(args, injected),
});
