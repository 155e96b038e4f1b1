import type { ConsumerConfig, StreamConfig } from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import { ConfigError } from '../../contract/errors.ts';
import { HostError } from '../../contract/host.ts';
import { CODE, codeOf, type NatsLink } from './link.ts';

/**
 * What is in the broker. The subject is the key of a job, of a result and of a part of a file: a second one of the same key is refused by
 * the server. What a worker writes has its identity in the subject, and the server lets nobody write under another's (security/roles.ts).
 *
 *     lab.task.<cap>.<sweep>.<id>              stream TASKS     gone when it was acknowledged
 *     lab.check.<who>.<cap>.<sweep>.<id>       stream CHECKS    as TASKS, of jobs that one worker shall do after others
 *     lab.result.<who>.<cap>.<sweep>.<id>      stream RESULTS   gone when the coordinator has its row on the disk
 *     lab.file.<who>.<kind>-<digest>.<part>    stream FILES     files by kind and digest: files.ts
 *     buckets workers, sweeps, ctl                              who is there, and what is wanted: roll.ts
 *
 * `cap` is a capability and the digest of the code behind the rows: agents take, and coordinators see, only what is of their own code.
 */
export const TASKS = 'TASKS';
export const CHECKS = 'CHECKS';
export const RESULTS = 'RESULTS';
export const FILES = 'FILES';

/** Under which coordinators write. No worker is called so. */
export const COORDINATOR = 'coordinator';
/** Of whoever writes: in filters. */
const ANYBODY = '*';

/** What may stand between two dots of a subject. */
const NAME = /^[a-z0-9-]{1,64}$/;

export function expectName(where: string, name: string): string {
  if (NAME.test(name)) return name;
  throw new ConfigError(`${where}: expected at most 64 lower-case letters, digits and -, got ${JSON.stringify(name)}`);
}

/** The place of a sweep on the bus. */
export interface Place {
  readonly cap: string;
  readonly sweep: string;
}

export const taskSubject = ({ cap, sweep }: Place, id: string): string => `lab.task.${cap}.${sweep}.${id}`;
export const checkSubject = (who: string, { cap, sweep }: Place, id: string): string => `lab.check.${who}.${cap}.${sweep}.${id}`;
export const resultSubject = ({ cap, sweep }: Place, id: string, who = ANYBODY): string => `lab.result.${who}.${cap}.${sweep}.${id}`;
export const fileSubject = (who: string, name: string, part: number): string => `lab.file.${who}.${name}.${part}`;
export const consumerOf = (cap: string): string => `cap-${cap}`;

/** Whose result it is, by its subject. */
export const whoseResult = (subject: string): string => subject.split('.', 3)[2] ?? '';

/** The sweep and the id that the subject of a task or of a check names; null for any other subject. */
export function placeOf(subject: string): (Place & { readonly id: string }) | null {
  const [, names] = /^lab\.(?:task|check\.[^.]+)\.(.*)$/.exec(subject) ?? [];
  const [cap = '', sweep = '', id = '', ...more] = (names ?? '').split('.');
  return more.length === 0 && [cap, sweep, id].every((name) => NAME.test(name)) ? { cap, sweep, id } : null;
}

const MB = 1024 * 1024;
/** What a coordinator wants it has fetched, and what a trial needs it puts there again. */
const FILES_MS = 7 * 24 * 3_600_000;
/** Nobody waits so long for one. */
const CHECKS_MS = 24 * 3_600_000;
/** The largest job, and the largest result, which is the largest message there is; headers included. What a sweep may ask for stays below: test/contract/sizes.test.ts. */
export const TASK_BYTES = MB / 16;
export const RESULT_BYTES = MB / 2;
/** A file's parts have so many bytes, its last one fewer. */
export const PART_BYTES = 128 * 1024;
/** Of a message: the server adds who sent it. */
const HEADER_BYTES = 4 * 1024;

/** Full means refused, never something old pushed out. One message per subject makes giving twice the same as once. */
const common = {
  storage: 'file',
  discard: 'new',
  max_msgs_per_subject: 1,
  discard_new_per_subject: true,
  max_bytes: 256 * MB,
  max_msgs: 200_000, // whoever writes as small ones as can be fills the server's memory with subjects
  num_replicas: 1,
} as const;

const STREAMS: readonly (Partial<StreamConfig> & { readonly name: string })[] = [
  { ...common, name: TASKS, subjects: ['lab.task.>'], retention: 'workqueue', max_msg_size: TASK_BYTES },
  {
    ...common,
    name: CHECKS,
    subjects: ['lab.check.>'],
    retention: 'workqueue',
    max_bytes: 16 * MB,
    max_age: nanos(CHECKS_MS),
    max_msg_size: TASK_BYTES,
  },
  {
    ...common,
    name: RESULTS,
    subjects: ['lab.result.>'],
    retention: 'limits',
    allow_direct: true,
    max_msgs: 40_000, // eight windows; who sends tiny rows as fast as it can has half of it within seconds, and is seen
    max_msg_size: RESULT_BYTES,
  },
  {
    ...common,
    name: FILES,
    subjects: ['lab.file.>'],
    retention: 'limits',
    allow_direct: true,
    max_bytes: 4096 * MB,
    max_age: nanos(FILES_MS),
    max_msg_size: PART_BYTES + HEADER_BYTES,
  },
];
/** Of earlier versions, for files: its name, and what it reserved of the disk. */
const OLD_FILES = 'OBJ_artifacts';

/**
 * One consumer for all agents of a capability. A lease is `ack_wait`; no `backoff`, which would take its place; and no end of deliveries:
 * what is poison is decided by us, because a message beyond `max_deliver` stays for ever and is never seen again.
 */
export const consumerConfig = (cap: string, leaseMs: number): Partial<ConsumerConfig> => ({
  durable_name: consumerOf(cap),
  ack_policy: 'explicit',
  ack_wait: nanos(leaseMs),
  max_deliver: -1,
  max_ack_pending: 8192,
  max_waiting: 8192,
  filter_subject: `lab.task.${cap}.>`,
});

/** Of what is for agents of one identity alone: it has the identity's name, by which the server knows who may read from it. */
export const checkConfig = (who: string, leaseMs: number): Partial<ConsumerConfig> => ({
  ...consumerConfig('', leaseMs),
  durable_name: who,
  filter_subject: `lab.check.${who}.>`,
});

/** Makes what is not there; does nothing otherwise. A broker may have lost its disk. */
export async function ensureBroker(link: NatsLink, cap: string, leaseMs: number): Promise<void> {
  for (let share = 1; !(await makeStreams(link, share)); share /= 2) if (share / 2 < SMALLEST) throw noRoom(share);
  await link.jsm.consumers.add(TASKS, consumerConfig(cap, leaseMs));
}

/** Of all that streams may take: less would not hold the largest results and a policy or two. */
const SMALLEST = 1 / 64;
const megabytes = (share: number): string =>
  `${Math.ceil((share * STREAMS.reduce((sum, { max_bytes = 0 }) => sum + max_bytes, 0)) / MB).toLocaleString('en')} MB`;
const noRoom = (share: number): HostError =>
  new HostError(
    `broker: expected room for at least ${megabytes(share)} of queues and files, got less; start it with a --store on a larger disk, or raise max_file_store in its configuration`,
  );

/** What the server says when a stream may take more than is left for streams, of its disk or by its configuration. */
const NO_ROOM: readonly (number | null)[] = [10002, 10023, 10028, 10047];
export const isNoRoom = (error: unknown): boolean => NO_ROOM.includes(codeOf(error));

/** Streams may take such a share of what they have by default. False: the server has not so much; then those that were made are gone again. */
async function makeStreams(link: NatsLink, share: number): Promise<boolean> {
  const made: string[] = [];
  for (const wanted of STREAMS) {
    // Not simply made: a server that has it compares what it reserves with what is left of the disk beside it.
    const there = await configOf(link, wanted.name);
    if (there !== null) {
      expectFit(there, wanted);
      continue;
    }
    if (wanted.name === FILES) await upgrade(link);
    try {
      await link.jsm.streams.add({ ...wanted, max_bytes: Math.floor(share * (wanted.max_bytes ?? 0)) });
      made.push(wanted.name);
    } catch (error) {
      if (!isNoRoom(error)) throw error;
      for (const name of made) await link.jsm.streams.delete(name);
      return false;
    }
  }
  if (share < 1 && made.length > 0)
    link.warn(
      `the broker has room for ${megabytes(share)} of queues and files, of ${megabytes(1)}: many results or large policies may have to wait`,
    );
  return true;
}

const PROBE = { place: { cap: 'spc-probe', sweep: 'none' }, id: 'none' } as const;
const PROBES = [
  [TASKS, taskSubject(PROBE.place, PROBE.id)],
  [CHECKS, checkSubject(COORDINATOR, PROBE.place, PROBE.id)],
  [RESULTS, resultSubject(PROBE.place, PROBE.id, COORDINATOR)],
  [FILES, fileSubject(COORDINATOR, PROBE.id, 0)],
] as const;

/**
 * Writes a message of no meaning into each stream, and takes it out again. Rejects where a stream takes nothing: after its disk was full
 * nats-server 2.15.2 refuses whatever would be written until it is started again, and answers everything else.
 */
export async function probeWrites({ js, jsm }: NatsLink, timeoutMs: number): Promise<void> {
  const probe = async ([stream, subject]: (typeof PROBES)[number]): Promise<void> => {
    const purge = (): Promise<unknown> => jsm.streams.purge(stream, { filter: subject });
    try {
      await purge();
      await js.publish(subject, '', { timeout: timeoutMs, retries: 0 });
      await purge();
    } catch (error) {
      const code = codeOf(error);
      if (code === CODE.noStream || (code === CODE.notStored && !/no space/i.test(String(error)))) return; // there is none, or it is full
      throw error;
    }
  };
  await Promise.all(PROBES.map(probe));
}

/** Null when there is no such stream. */
async function configOf({ jsm }: NatsLink, stream: string): Promise<StreamConfig | null> {
  try {
    return (await jsm.streams.info(stream)).config;
  } catch (error) {
    if (codeOf(error) === CODE.noStream) return null;
    throw error;
  }
}

/** Earlier versions kept files in a bucket, which reserves the space that ours need, and results without the name of who sent them. */
async function upgrade(link: NatsLink): Promise<void> {
  if ((await configOf(link, OLD_FILES)) === null) return;
  link.warn('the broker has results and files of an earlier version: they are removed, and computed again');
  await link.jsm.streams.purge(RESULTS); // made before FILES
  await link.jsm.streams.delete(OLD_FILES);
}

/** Sizes and replicas are the operator's business, what makes a key of a subject is ours. */
function expectFit(there: StreamConfig, wanted: Partial<StreamConfig> & { readonly name: string }): void {
  for (const key of ['retention', 'discard', 'max_msgs_per_subject', 'discard_new_per_subject'] as const) {
    if (there[key] === wanted[key]) continue;
    throw new ConfigError(
      `stream ${wanted.name}: expected ${key} ${String(wanted[key])}, got ${String(there[key])}; it is another program's, or delete it`,
    );
  }
}
