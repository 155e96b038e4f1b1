import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { CommandModule } from 'yargs';
import { NatsRoll } from '../bus/nats/roll.ts';
import type { WorkerCard } from '../contract/cards.ts';
import { ConfigError } from '../contract/errors.ts';
import type { Row } from '../contract/job.ts';
import type { BaseRow, Provenance, TrialRow } from '../contract/rows.ts';
import { visible } from '../contract/visible.ts';
import { expand, type PlannedTrial } from '../coordinator/expand.ts';
import { baseArm, labelOf, namesOf } from '../coordinator/labels.ts';
import { readLines } from '../coordinator/lines.ts';
import { loadFrozen } from '../coordinator/load.ts';
import { type Kind, parseRow } from '../coordinator/store.ts';
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
  /** What its row says; null where there is none. */
  readonly row: LoggedRow | null;
}

interface LoggedRow {
  /** Which trial or base it is, in words. */
  readonly label: string;
  /** SHA-256 of the policy that it left, and of the one that a trial started from. */
  readonly policy: string | null;
  readonly base?: { readonly id: string; readonly policy: string | null };
}

/** Every record of every results folder under `root` whose id begins so, or of the one folder that it is. */
async function readLogs(root: string, prefix: string): Promise<ReadonlyMap<string, Logged>> {
  const isSweep = existsSync(join(root, 'provenance.jsonl'));
  const folders = isSweep ? [root] : readdirSync(root).map((name) => join(root, name));
  const found = new Map<string, { sweep: string; records: Provenance[]; row: LoggedRow | null }>();
  for (const folder of folders.filter((path) => statSync(path, { throwIfNoEntry: false })?.isDirectory())) {
    for await (const { text } of readLines(join(folder, 'provenance.jsonl'))) {
      if (!text.includes(`"id":"${prefix}`)) continue;
      const record = recordOf(text);
      if (record === null) continue;
      const logged = found.get(record.id) ?? { sweep: folder, records: [], row: null };
      logged.records.push(record);
      found.set(record.id, logged);
    }
  }
  for (const sweep of new Set([...found.values()].map((logged) => logged.sweep))) {
    const rows = await readLoggedRows(sweep, prefix);
    for (const [id, logged] of found) if (logged.sweep === sweep) logged.row = rows.get(id) ?? null;
  }
  return found;
}

/** Null for a line that is no record: somebody wrote in the file. */
function recordOf(text: string): Provenance | null {
  try {
    const { id, phasesMs, wallMs, startedAt } = JSON.parse(text) as Partial<Provenance>;
    const isRecord = typeof id === 'string' && typeof phasesMs === 'object' && typeof wallMs === 'number' && typeof startedAt === 'string';
    return isRecord && phasesMs !== null ? (JSON.parse(text) as Provenance) : null;
  } catch {
    return null;
  }
}

/** The rows whose id begins so, as far as people ask for them. A line that is none is somebody else's complaint. */
async function readLoggedRows(folder: string, prefix: string): Promise<ReadonlyMap<string, LoggedRow>> {
  const planned = plannedIn(folder);
  const nameOf = namesOf(planned);
  const found = new Map<string, LoggedRow>();
  const trials: TrialRow[] = [];
  for await (const { text } of readLines(join(folder, 'trials.jsonl'))) {
    if (!text.includes(`"id":"${prefix}`)) continue;
    const row = rowOf(text, 'trial') as TrialRow | null;
    if (row?.id.startsWith(prefix)) trials.push(row);
  }
  const wanted = new Set(trials.map(({ base }) => base));
  const policies = new Map<string, string | null>();
  for await (const { text } of readLines(join(folder, 'bases.jsonl'))) {
    const [, id = ''] = text.match(/"id":"([a-z2-7]{16})"/) ?? [];
    if (!wanted.has(id) && !id.startsWith(prefix)) continue;
    const row = rowOf(text, 'base') as BaseRow | null;
    if (row === null) continue;
    const policy = row.ok ? row.result.policy : null;
    policies.set(row.id, policy);
    const user = planned.find(({ baseId }) => baseId === row.id);
    if (row.id.startsWith(prefix))
      found.set(row.id, { label: `${user ? baseArm(user) : row.spec.environment} seed ${row.spec.seed}`, policy });
  }
  for (const { id, base, spec, ...end } of trials) {
    const label = labelOf({ id: '', spec, ...nameOf(id, spec) }).trim();
    const policy = end.ok ? end.result.policy : null;
    found.set(id, { label, policy, base: { id: base, policy: policies.get(base) ?? null } });
  }
  return found;
}

/** None where the sweep is not there, or is of a time when files said other things: then rows have plainer names. */
function plannedIn(folder: string): readonly PlannedTrial[] {
  try {
    return expand(loadFrozen(folder).sweep);
  } catch {
    return [];
  }
}

function rowOf(text: string, kind: Kind): Row | null {
  try {
    return parseRow(text, kind, '');
  } catch {
    return null;
  }
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

/** Digests are short where they are to be looked at: `spc export` takes as much. */
const DIGEST = 12;

function printRow({ label, policy, base }: LoggedRow, folder: string): string[] {
  const from = base === undefined ? '' : `; its base ${base.id}${base.policy === null ? '' : `, policy ${base.policy.slice(0, DIGEST)}`}`;
  if (policy === null) return [`  ${label}`, `  no policy${from}`];
  const short = policy.slice(0, DIGEST);
  return [`  ${label}`, `  policy ${short}${from}`, `  spc export ${short} --results ${folder} --to json`];
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
    const jobs = [...found].flatMap(([id, { sweep, records, row }]) => [
      `${records[0]?.kind ?? 'job'} ${id} of ${sweep}`,
      ...(row === null ? [] : printRow(row, sweep)),
      ...records.flatMap(printRecord),
    ]);
    process.stdout.write([...jobs, ...running].map((line) => `${visible(line)}\n`).join(''));
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
