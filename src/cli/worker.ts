import { randomInt } from 'node:crypto';
import { hostname, totalmem } from 'node:os';
import type { CommandModule } from 'yargs';
import { NatsAgentBus } from '../bus/nats/agent.ts';
import { NatsLink } from '../bus/nats/link.ts';
import { NatsRoll } from '../bus/nats/roll.ts';
import { ConfigError } from '../contract/errors.ts';
import { limitsSchema } from '../contract/limits.ts';
import { judge, printProblem, suggest } from '../contract/problems.ts';
import { ENGINE_NAMES, type EngineName } from '../contract/spec.ts';
import { Agent } from '../worker/agent/agent.ts';
import { Presence } from '../worker/agent/presence.ts';
import { numericsOf } from '../worker/engines.ts';
import { ExecutorPool } from '../worker/executor/pool.ts';
import { PROCESSOR } from '../worker/processor.ts';
import { type BrokerArguments, brokerOf, brokerOptions, waiting, waitOption } from './broker.ts';
import { capability } from './crew.ts';
import { onInterrupt, SIGNALLED } from './interrupt.ts';
import { type Injected, threadCount, threadsOption } from './run.ts';
import { say } from './text.ts';
import { type Doing, WorkLog } from './worklog.ts';

interface WorkerArguments extends BrokerArguments {
  readonly slots: number;
  readonly wait: string;
  readonly label: string | undefined;
  readonly engine: readonly string[];
  readonly 'until-idle': number | undefined;
  readonly grace: string;
  readonly wall: string | undefined;
  readonly memory: number | undefined;
}

const LOOK_MS = 250;
const TELL_MS = 60_000;
/** A card that is not taken away vanishes by itself: no reason to wait for a broker that is away. */
const MANNERS_MS = 2_000;
const MB = 1024 * 1024;

/** Takes jobs from a broker until it is told to stop, or for as long as there are any. Exit codes: 0; 129, 130 and 143 drained by a signal. */
async function work(args: WorkerArguments, { threadModule }: Injected): Promise<void> {
  const { label, 'until-idle': untilIdle, grace } = args;
  const wait = waiting(args.wait);
  const slots = threadCount(args.slots, '--slots');
  const memoryMb = args.memory ?? Math.floor((0.8 * totalmem()) / MB / slots);
  const most = { wallMs: limit('--wall', 'wall', args.wall), memoryMb: limit('--memory', 'memoryMb', memoryMb) };
  const graceMs = limit('--grace', 'wall', grace);
  if (label !== undefined && !/^[\w.-]{1,40}$/.test(label))
    throw new ConfigError(`--label: expected at most 40 letters, digits, dots, - or _, got ${label}`);
  if (untilIdle !== undefined && untilIdle < 0) throw new ConfigError(`--until-idle: expected a number of seconds >= 0, got ${untilIdle}`);
  const warn = say;
  const names = engines(args.engine);
  const code = numericsOf(names);
  const cap = capability(code.all);
  const broker = brokerOf(args, 'worker', warn);
  const id = workerId(broker.credentials?.name);

  const pool = new ExecutorPool({ slots, engines: names, most, warn, ...(threadModule && { threadModule }) }); // or throws: before anybody hears of us
  const link = await NatsLink.connect({ ...broker, ...wait, name: id, warn });
  const bus = new NatsAgentBus(link, { cap });
  const agent = new Agent({ bus, pool, numerics: code.all, name: id, warn });
  const me = {
    host: hostname().slice(0, 64),
    pid: process.pid,
    node: process.version,
    cpu: PROCESSOR,
    startedAt: new Date().toISOString(),
  };
  const who = { id, label: label ?? null, cap, ...me };
  const presence = new Presence({ roll: new NatsRoll(link, { mayMake: false }), agent, pool, who, warn });
  let late: NodeJS.Timeout | undefined;
  const leave = async (): Promise<void> => {
    presence.leave();
    const drained = agent.drain();
    pool.drain();
    await drained;
    await bus.close();
  };
  const interrupt = onInterrupt({
    drain: () => {
      warn(`finishing what runs (${pool.busy} of ${slots} threads), for at most ${grace}; once more to leave at once`);
      late = setTimeout(() => {
        warn(`${grace} are over: what still runs is given back`);
        agent.stop();
      }, graceMs ?? 0);
      void leave();
    },
    leave: () => agent.stop(),
  });
  let busyAt = performance.now();
  const idle = setInterval(() => {
    if (pool.busy > 0) busyAt = performance.now();
    else if (untilIdle !== undefined && performance.now() - busyAt > 1000 * untilIdle) void leave();
  }, LOOK_MS);
  const log = new WorkLog(performance.now());
  const doing = (): Doing => ({ ...agent.tally, busy: pool.busy, slots });
  const telling = setInterval(() => {
    const line = log.line(doing(), performance.now());
    if (line !== null) warn(line);
  }, TELL_MS);
  warn(`worker ${id}: ${slots} thread(s) for code ${code.all.slice(0, 12)} at ${link.nc.getServer()}`);
  try {
    await agent.run();
    if (link.failure) throw link.failure;
  } finally {
    clearInterval(idle);
    clearInterval(telling);
    clearTimeout(late);
    interrupt.end();
    pool.stop();
    await link.clock.within(MANNERS_MS, presence.close());
    await bus.close();
    await link.close();
    warn(log.last(doing(), performance.now()));
  }
  if (interrupt.signal !== null) process.exitCode = SIGNALLED[interrupt.signal];
}

/** Says where it runs, and is another one every time. With credentials it begins with their name: the broker takes no other. */
function workerId(credentials: string | undefined): string {
  const host = hostname()
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]/g, '-')
    .slice(0, 40);
  const nonce = randomInt(36 ** 4)
    .toString(36)
    .padStart(4, '0');
  if (credentials === undefined) return `${host}-${nonce}`;
  return credentials === 'worker' ? `${credentials}.${host}-${nonce}` : `${credentials}.${nonce}`;
}

/** Names by commas. */
function engines(given: readonly string[]): EngineName[] {
  const names = given.flatMap((list) => list.split(',')).map((name) => name.trim());
  const known = names.flatMap((name) => ENGINE_NAMES.find((one) => one === name) ?? []);
  const strange = names.find((name) => !ENGINE_NAMES.some((one) => one === name));
  if (strange === undefined && known.length > 0) return known;
  const remedy = suggest(strange ?? '', ENGINE_NAMES, 'there are');
  throw new ConfigError(`--engine: expected the engines of a sweep, got ${strange || 'nothing'}; ${remedy}`);
}

/** An option that is judged as the `limits` of a sweep are. */
function limit(option: string, key: 'wall' | 'memoryMb', value: string | number | undefined): number | null {
  const judged = judge(limitsSchema, value === undefined ? {} : { [key]: value });
  if (judged.ok) return key === 'wall' ? judged.value.wallMs : judged.value.memoryMb;
  throw new ConfigError(
    judged.problems
      .map((problem) => printProblem({ ...problem, path: [], expected: problem.expected.replace(' or null', '') }, option))
      .join('\n'),
  );
}

/** `spc worker`. */
export const workerCommand = (injected: Injected = {}): CommandModule<object, WorkerArguments> => ({
  command: 'worker',
  describe: 'compute for whoever runs a sweep at a broker',
  builder: (yargs) =>
    yargs
      .options(brokerOptions)
      .option('wait', waitOption)
      .option('slots', { ...threadsOption, describe: 'jobs at the same time' })
      .option('label', { type: 'string', requiresArg: true, describe: 'a name for people, in spc status and for spc workers drain' })
      .option('engine', {
        type: 'string',
        array: true,
        default: ['wasm'],
        defaultDescription: 'wasm',
        requiresArg: true,
        describe: 'serves sweeps with exactly these engines, by commas or given again: wasm,tfjs',
      })
      .option('until-idle', { type: 'number', requiresArg: true, describe: 'leave after so many seconds without a job' })
      .option('grace', {
        type: 'string',
        default: '5m',
        requiresArg: true,
        describe: 'how long what runs may take after SIGTERM or Ctrl-C',
      })
      .option('wall', { type: 'string', requiresArg: true, describe: 'what a job gets at most, whatever its sweep allows: 90s, 30m, 2h' })
      .option('memory', {
        type: 'number',
        requiresArg: true,
        defaultDescription: '80 % of the machine by slots',
        describe: 'the same in MiB',
      })
      .example('$0 worker --nats nats://127.0.0.1:4222', 'joins; Ctrl-C finishes what runs and leaves')
      .example('$0 worker --creds worker.creds', 'joins the broker of another machine')
      .epilogue('A worker takes jobs of its own code alone: build the same commit on both sides. Exit codes: 0; 129, 130 and 143 drained.'),
  handler: (args) => work(args, injected),
});
