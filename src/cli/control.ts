import { userInfo } from 'node:os';
import type { CommandModule } from 'yargs';
import type { Roll, Wished } from '../bus/bus.ts';
import { NatsRoll } from '../bus/nats/roll.ts';
import { identityOf, type SweepCard, type Wish, type WorkerCard } from '../contract/cards.ts';
import { ConfigError } from '../contract/errors.ts';
import { nearest } from '../contract/problems.ts';
import { wish } from '../coordinator/presence.ts';
import { atBroker, type BrokerArguments, brokerOptions } from './broker.ts';
import { status } from './status.ts';

interface SweepArguments extends BrokerArguments {
  readonly sweep: string;
  readonly reason: string;
}

interface WorkersArguments extends BrokerArguments {
  readonly action: 'list' | 'drain' | 'release';
  readonly workers: readonly string[];
  readonly reason: string;
}

const atRoll = (broker: BrokerArguments, work: (roll: Roll) => Promise<void>): Promise<void> =>
  atBroker(broker, 'coordinator', (link) => work(new NatsRoll(link, { mayMake: true })));

/** Writes down what is wanted of each, and says so. */
async function want<T>(roll: Roll, found: readonly T[], of: (one: T) => Wished, what: Wish, said: (one: T) => string): Promise<void> {
  for (const one of found) {
    await roll.want(of(one), what);
    process.stdout.write(`${said(one)}\n`);
  }
}

const DONE = { pause: 'is paused; what runs is finished', cancel: 'is cancelled; what runs is given up', run: 'goes on' } as const;

const sweepCommand = (verb: string, state: keyof typeof DONE, describe: string): CommandModule<object, SweepArguments> => ({
  command: `${verb} <sweep>`,
  describe,
  builder: (yargs) =>
    yargs
      .positional('sweep', { type: 'string', demandOption: true, describe: 'its name' })
      .options(brokerOptions)
      .option('reason', reasonOption),
  handler: ({ sweep, reason, ...broker }) =>
    atRoll(broker, async (roll) => {
      const all = await roll.sweeps();
      const found = all.filter(({ name }) => name === sweep);
      if (found.length === 0)
        throw nobody(
          'sweep',
          sweep,
          all.map(({ name }) => name),
        );
      const of = ({ key, cap }: SweepCard): Wished => ({ sweep: key, cap });
      await want(roll, found, of, wish(state, reason), ({ name }) => `${name} ${DONE[state]}`);
    }),
});

/** A worker is meant by its id, the beginning of it or of what comes after its identity, or its label. */
const means = ({ id, label }: WorkerCard, said: string): boolean =>
  id.startsWith(said) || id.slice(id.indexOf('.') + 1).startsWith(said) || label === said;

async function workers({ action, workers: said, reason, ...broker }: WorkersArguments): Promise<void> {
  if (action === 'list') return status({ ...broker, json: false });
  if (said.length === 0)
    throw new ConfigError(`spc workers ${action}: expected ids or labels of workers, got none; spc workers lists them`);
  await atRoll(broker, async (roll) => {
    const all = await roll.workers();
    const release = action === 'release';
    const held = release ? await roll.held() : new Set<string>(); // whoever is held may show no card
    for (const name of said) {
      if (held.has(name) || all.some((worker) => means(worker, name))) continue;
      const known = all.flatMap(({ id, label }) => (label === null ? [id] : [id, label]));
      throw nobody('worker', name, [...held, ...known]);
    }
    const found = all.filter((worker) => said.some((name) => means(worker, name)));
    const identities = new Set([...said, ...found.map(({ id }) => identityOf(id))].filter((identity) => held.has(identity)));
    await want(
      roll,
      [...identities],
      (identity) => ({ identity }),
      wish('run', reason),
      (identity) => `${identity} is trusted again`,
    );
    const state = release ? 'run' : 'hold';
    const done = release ? 'takes jobs again' : 'finishes what it runs and takes nothing more';
    await want(
      roll,
      found,
      ({ id }) => ({ worker: id }),
      wish(state, reason),
      ({ id }) => `${id} ${done}`,
    );
  });
}

function nobody(what: string, said: string, known: readonly string[]): ConfigError {
  const meant = nearest(said, known);
  const remedy = meant
    ? `did you mean ${meant}?`
    : known.length > 0
      ? `there ${known.length === 1 ? 'is' : 'are'} ${known.join(', ')}`
      : `there is none`;
  return new ConfigError(`${what} ${said}: expected one that the broker knows, got none of that name; ${remedy}`);
}

const reasonOption = {
  type: 'string',
  requiresArg: true,
  default: `by ${userName()}`,
  defaultDescription: 'who says so',
  describe: 'shown to whom it concerns',
} as const;

function userName(): string {
  try {
    return userInfo().username.slice(0, 64);
  } catch {
    return 'somebody';
  }
}

export const pauseCommand = sweepCommand('pause', 'pause', 'hand out nothing more of a sweep until spc resume');
export const resumeCommand = sweepCommand('resume', 'run', 'go on with a sweep that was paused');
export const cancelCommand = sweepCommand('cancel', 'cancel', 'end a sweep and what runs of it; its rows stay');

/** `spc workers`. */
export const workersCommand: CommandModule<object, WorkersArguments> = {
  command: 'workers [action] [workers..]',
  describe: 'list workers; drain some of them, release them again',
  builder: (yargs) =>
    yargs
      .positional('action', { choices: ['list', 'drain', 'release'] as const, default: 'list' as const })
      .positional('workers', { type: 'string', array: true, default: [] as string[], describe: 'ids, their beginnings, or labels' })
      .options(brokerOptions)
      .option('reason', reasonOption),
  handler: workers,
};
