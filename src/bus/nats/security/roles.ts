import type { Credentials } from '../../../contract/credentials.ts';
import type { Bucket } from '../roll.ts';
import { BUCKET, RESULTS, TASKS } from '../streams.ts';

/** Subjects that one may publish to and subscribe to; everything else is refused by the server. */
export interface Permissions {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
}

/** Buckets: every agent's card, every coordinator's sweep, and what is wanted of a sweep. */
const CARDS: Bucket = 'workers';
const SWEEPS: Bucket = 'sweeps';
const WANTED: Bucket = 'ctl';
const FILES = `OBJ_${BUCKET}`;

/** Said by coordinators to all agents. May be lost: whoever missed one finds the same in a bucket. */
const HINTS = 'lab.hint.>';

/** By sequence, and by subject. */
const read = (stream: string): string[] => [
  `$JS.API.STREAM.INFO.${stream}`,
  `$JS.API.DIRECT.GET.${stream}`,
  `$JS.API.DIRECT.GET.${stream}.>`,
];

/**
 * What each role needs, found by running with it, and nothing else. Above all no worker may make a consumer: which messages it gets
 * cannot be limited (nats-server issue 6180), and it may deliver them to a subject that its maker may not publish to.
 * A worker with a name of its own has a card of that name, or several: `<name>`, `<name>.<anything>`.
 */
const OF: Readonly<Record<Credentials['role'], (name: string) => Permissions>> = {
  coordinator: () => ({ publish: ['>'], subscribe: ['>'] }),
  worker: (name) => ({
    publish: [
      '$JS.API.INFO',
      `$JS.API.CONSUMER.INFO.${TASKS}.*`,
      `$JS.API.CONSUMER.MSG.NEXT.${TASKS}.*`,
      `$JS.ACK.${TASKS}.>`,
      'lab.result.>',
      `$JS.API.DIRECT.GET.${RESULTS}.>`,
      `$JS.API.DIRECT.GET.${FILES}`,
      `$JS.API.STREAM.MSG.GET.${FILES}`,
      `$O.${BUCKET}.C.>`,
      `$O.${BUCKET}.M.>`,
      ...(name === 'worker' ? [`$KV.${CARDS}.>`] : [`$KV.${CARDS}.${name}`, `$KV.${CARDS}.${name}.>`]),
      `$JS.API.STREAM.INFO.KV_${CARDS}`,
      ...read(`KV_${WANTED}`),
    ],
    subscribe: [inbox(name), HINTS],
  }),
  viewer: (name) => ({
    publish: [
      '$JS.API.INFO',
      ...[TASKS, RESULTS, ...[CARDS, SWEEPS, WANTED].map((bucket) => `KV_${bucket}`)].flatMap(read),
      `$JS.API.CONSUMER.INFO.${TASKS}.*`,
    ],
    subscribe: [inbox(name), HINTS],
  }),
};

const inbox = (name: string): string => `_INBOX_${name}.>`;

export const permissionsOf = ({ role, name }: Pick<Credentials, 'role' | 'name'>): Permissions => OF[role](name);
