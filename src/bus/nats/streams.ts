import type { ConsumerConfig, StreamConfig } from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import { ConfigError } from '../../contract/errors.ts';
import { CODE, codeOf, type NatsLink } from './link.ts';

/**
 * What is in the broker. The subject is the key of a job and of a result: a second one of the same key is refused by the server.
 *
 *     lab.task.<cap>.<sweep>.<id>     stream TASKS     gone when it was acknowledged
 *     lab.result.<cap>.<sweep>.<id>   stream RESULTS   gone when the coordinator has its row on the disk
 *     bucket artifacts                                 files by kind and digest
 *     buckets workers, sweeps, ctl                     who is there, and what is wanted: roll.ts
 *
 * `cap` is a capability and the digest of the code behind the rows: agents take, and coordinators see, only what is of their own code.
 */
export const TASKS = 'TASKS';
export const RESULTS = 'RESULTS';
export const BUCKET = 'artifacts';

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
export const resultSubject = ({ cap, sweep }: Place, id: string): string => `lab.result.${cap}.${sweep}.${id}`;
export const consumerOf = (cap: string): string => `cap-${cap}`;

/** The sweep and the id that a task's subject names; null for any other subject. */
export function placeOf(subject: string): (Place & { readonly id: string }) | null {
  const [lab, task, cap = '', sweep = '', id = '', ...more] = subject.split('.');
  const known = lab === 'lab' && task === 'task' && more.length === 0 && [cap, sweep, id].every((name) => NAME.test(name));
  return known ? { cap, sweep, id } : null;
}

const MB = 1024 * 1024;
/** What a coordinator wants it has fetched, and what a trial needs it puts there again. */
const FILES_MS = 7 * 24 * 3_600_000;
/** The largest job, and the largest result, which is the largest message there is; headers included. What a sweep may ask for stays below: test/contract/sizes.test.ts. */
export const TASK_BYTES = MB / 16;
export const RESULT_BYTES = MB / 2;

/** Full means refused, never something old pushed out. One message per subject makes giving twice the same as once. */
const common = {
  storage: 'file',
  discard: 'new',
  max_msgs_per_subject: 1,
  discard_new_per_subject: true,
  max_bytes: 256 * MB,
  num_replicas: 1,
} as const;

const STREAMS: readonly (Partial<StreamConfig> & { readonly name: string })[] = [
  { ...common, name: TASKS, subjects: ['lab.task.>'], retention: 'workqueue', max_msg_size: TASK_BYTES },
  { ...common, name: RESULTS, subjects: ['lab.result.>'], retention: 'limits', allow_direct: true, max_msg_size: RESULT_BYTES },
];

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

/** Makes what is not there; does nothing otherwise. A broker may have lost its disk. */
export async function ensureBroker({ jsm, objects }: NatsLink, cap: string, leaseMs: number): Promise<void> {
  for (const config of STREAMS) {
    try {
      await jsm.streams.add(config);
    } catch (error) {
      if (codeOf(error) !== CODE.nameInUse) throw error;
      await expectFit(jsm, config); // somebody chose other sizes: theirs count
    }
  }
  await objects.create(BUCKET, { storage: 'file', max_bytes: 4096 * MB, ttl: nanos(FILES_MS) });
  await jsm.consumers.add(TASKS, consumerConfig(cap, leaseMs));
}

/** Sizes and replicas are the operator's business, what makes a key of a subject is ours. */
async function expectFit({ streams }: NatsLink['jsm'], wanted: Partial<StreamConfig> & { readonly name: string }): Promise<void> {
  const { config } = await streams.info(wanted.name);
  for (const key of ['retention', 'discard', 'max_msgs_per_subject', 'discard_new_per_subject'] as const) {
    if (config[key] === wanted[key]) continue;
    throw new ConfigError(
      `stream ${wanted.name}: expected ${key} ${String(wanted[key])}, got ${String(config[key])}; it is another program's, or delete it`,
    );
  }
}
