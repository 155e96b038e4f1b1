import type { CommandModule } from 'yargs';
import { NatsAgentBus } from '../bus/nats/agent.ts';
import { NatsLink } from '../bus/nats/link.ts';
import type { EngineName } from '../contract/spec.ts';
import { makeEngine } from '../math/engines/index.ts';
import { Agent } from '../worker/agent/agent.ts';
import { ExecutorPool } from '../worker/executor/pool.ts';
import { numerics } from '../worker/numerics.ts';
import { capability, expectLoopback } from './crew.ts';
import { EXIT, type Injected, onInterrupt, threadCount, threadsOption } from './run.ts';

interface WorkerArguments {
  readonly nats: string;
  readonly slots: number;
  readonly engine: EngineName;
  readonly 'until-idle': number | undefined;
}

const LOOK_MS = 250;

/** Takes jobs from a broker until it is told to stop, or for as long as there are any. Exit codes: 0; 130 and 143 drained by a signal. */
async function work({ nats, slots: given, engine, 'until-idle': untilIdle }: WorkerArguments, { threadModule }: Injected): Promise<void> {
  const slots = threadCount(given, '--slots');
  const warn = (message: string): void => void process.stderr.write(`${message}\n`);
  const code = numerics(makeEngine(engine).version);
  const link = await NatsLink.connect({ url: expectLoopback(nats), name: 'worker', warn });
  const bus = new NatsAgentBus(link, { cap: capability(code.all) });
  const pool = new ExecutorPool({ slots, warn, ...(threadModule && { threadModule }) });
  const agent = new Agent({ bus, pool, numerics: code.all, warn });
  const leave = async (): Promise<void> => {
    await agent.drain();
    await bus.close();
  };
  const interrupt = onInterrupt({
    drain: () => {
      warn(`finishing what runs (${pool.busy} of ${slots} threads); once more to leave at once`);
      void leave();
    },
    leave: () => agent.stop(),
  });
  let busyAt = performance.now();
  const idle = setInterval(() => {
    if (pool.busy > 0) busyAt = performance.now();
    else if (untilIdle !== undefined && performance.now() - busyAt > 1000 * untilIdle) void leave();
  }, LOOK_MS);
  warn(`worker: ${slots} thread(s) for code ${code.all.slice(0, 12)} at ${nats}`);
  try {
    await agent.run();
  } finally {
    clearInterval(idle);
    interrupt.end();
    pool.stop();
    await bus.close();
    await link.close();
  }
  if (interrupt.signal !== null) process.exitCode = EXIT[interrupt.signal];
}

/** `spc worker`. */
export const workerCommand = (injected: Injected = {}): CommandModule<object, WorkerArguments> => ({
  command: 'worker',
  describe: 'compute for whoever runs a sweep at a broker',
  builder: (yargs) =>
    yargs
      .option('nats', { type: 'string', demandOption: true, requiresArg: true, describe: 'address of the broker, nats://127.0.0.1:4222' })
      .option('slots', { ...threadsOption, describe: 'jobs at the same time' })
      .option('engine', { choices: ['wasm', 'reference'] as const, default: 'wasm' as const, describe: 'a sweep names its engine' })
      .option('until-idle', { type: 'number', requiresArg: true, describe: 'leave after so many seconds without a job' })
      .example('$0 worker --nats nats://127.0.0.1:4222', 'joins; Ctrl-C finishes what runs and leaves')
      .epilogue('A worker takes jobs of its own code alone: build the same commit on both sides. Exit codes: 0; 130 and 143 drained.'),
  handler: (args) => work(args, injected),
});
