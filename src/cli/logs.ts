import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { CommandModule } from 'yargs';
import { NatsRoll } from '../bus/nats/roll.ts';
import type { WorkerCard } from '../contract/cards.ts';
import { ConfigError } from '../contract/errors.ts';
import type { Provenance } from '../contract/rows.ts';
import { readLines } from '../coordinator/lines.ts';
import { atBroker, type BrokerArguments, brokerOptions } from './broker.ts';
import { duration } from './progress.ts';
import { say } from './text.ts';

interface LogsArguments extends BrokerArguments {
  readonly trial: string;
  readonly results: string;
  readonly json: boolean;
}

const EMPTY = 5;

/** What is on record of one job. */
interface Logged {
  readonly sweep: string;
  readonly records: readonly Provenance[];
}

/** Every record of every results folder under `root` whose id begins so, or of the one folder that it is. */
async function readLogs(root: string, prefix: string): Promise<ReadonlyMap<string, Logged>> {
  const isSweep = existsSync(join(root, 'provenance.jsonl'));
  const folders = isSweep ? [root] : readdirSync(root).map((name) => join(root, name));
  const found = new Map<string, { sweep: string; records: Provenance[] }>();
  for (const folder of folders.filter((path) => statSync(path).isDirectory())) {
    for await (const { text } of readLines(join(folder, 'provenance.jsonl'))) {
      if (!text.includes(`"id":"${prefix}`)) continue;
      const record = JSON.parse(text) as Provenance;
      const logged = found.get(record.id) ?? { sweep: folder, records: [] };
      logged.records.push(record);
      found.set(record.id, logged);
    }
  }
  return found;
}

/** Where jobs of that id run now. */
async function readRunning(broker: BrokerArguments, prefix: string): Promise<readonly string[]> {
  if (broker.nats === undefined && broker.creds === undefined) return [];
  const workers = await atBroker(broker, 'viewer', (link) => new NatsRoll(link, { mayMake: false }).workers());
  return workers.flatMap((worker) => worker.running.filter(({ id }) => id.startsWith(prefix)).map((job) => printRunning(worker, job)));
}

const printRunning = ({ id: worker }: WorkerCard, { kind, id, attempt, seconds, share }: WorkerCard['running'][number]): string =>
  `${kind} ${id}: runs now on ${worker}, attempt ${attempt}, ${Math.floor(100 * share)} % after ${duration(1000 * seconds)}`;

function printRecord(record: Provenance): string[] {
  const { startedAt, attempt, ok, worker, host, cpu, node, engine, wallMs, phasesMs, stack } = record;
  const phases = Object.entries(phasesMs).map(([phase, ms]) => `${phase} ${(ms / 1000).toFixed(2)} s`);
  return [
    `  ${startedAt}  ${ok ? 'ok' : 'failed'}${attempt > 1 ? `, attempt ${attempt}` : ''}, ${(wallMs / 1000).toFixed(2)} s${worker === undefined ? '' : ` on ${worker}`}`,
    `    host ${host}, ${cpu || 'unknown processor'}, Node ${node}${engine === '' ? '' : `, ${engine}`}`,
    ...(phases.length > 0 ? [`    ${phases.join(', ')}`] : []),
    ...(stack === undefined ? [] : stack.split('\n').map((line) => `    ${line}`)),
  ];
}

/** Reads, never writes. */
async function logs({ trial, results, json, ...broker }: LogsArguments): Promise<void> {
  if (!/^[a-z2-7]{1,16}$/.test(trial))
    throw new ConfigError(`trial: expected an id, or its beginning, got ${trial}; spc plan --list has them`);
  const found = existsSync(results) ? await readLogs(results, trial) : new Map<string, Logged>();
  const running = await readRunning(broker, trial);
  if (json) {
    process.stdout.write(`${JSON.stringify({ version: 1, jobs: [...found.values()], running }, null, 2)}\n`);
  } else {
    const jobs = [...found].flatMap(([id, { sweep, records }]) => [
      `${records[0]?.kind ?? 'job'} ${id} of ${sweep}`,
      ...records.flatMap(printRecord),
    ]);
    process.stdout.write([...jobs, ...running].map((line) => `${line}\n`).join(''));
  }
  if (found.size + running.length > 0) return;
  say(`${trial}: nothing is on record under ${results}, and nothing of that id is known to run`);
  process.exitCode = EMPTY;
}

/** `spc logs`. */
export const logsCommand: CommandModule<object, LogsArguments> = {
  command: 'logs <trial>',
  describe: 'what happened to a trial or a base: every attempt, where, how long, and why it failed',
  builder: (yargs) =>
    yargs
      .positional('trial', { type: 'string', demandOption: true, describe: 'its id, or the beginning of it' })
      .option('results', {
        type: 'string',
        default: 'results',
        requiresArg: true,
        describe: 'a results folder, or the folder of all of them',
      })
      .options(brokerOptions)
      .option('json', { type: 'boolean', default: false, describe: 'for programs' })
      .epilogue('With --nats or --creds also where it runs now. Exit codes: 0; 5 nothing is known of it.'),
  handler: logs,
};
