import type { Credentials } from '../../../contract/credentials.ts';
import type { Bucket } from '../roll.ts';
import { CHECKS, COORDINATOR, FILES, RESULTS, TASKS } from '../streams.ts';
import { API, API_OF_GUESTS } from './join.ts';

/** What one may ask for. `many`: there may be several answers to one question. */
export interface Service {
  /** As coordinators and JetStream know it. */
  readonly subject: string;
  /** Where one asks for it. */
  readonly asked: string;
  readonly answers: 'one' | 'many';
}

/** What somebody may do at the broker; everything else is refused by the server. `all`: a coordinator is limited in nothing. */
export type Rights = 'all' | { readonly services: readonly Service[]; readonly hints: string; readonly inbox: string };

/** Buckets: every agent's card, every coordinator's sweep, and what is wanted of a sweep. */
const CARDS: Bucket = 'workers';
const SWEEPS: Bucket = 'sweeps';
const WANTED: Bucket = 'ctl';

/** Said by coordinators to all agents. May be lost: whoever missed one finds the same in a bucket. */
const HINTS = 'lab.hint.>';

const one = (subject: string): Service => ({ subject, asked: subject, answers: 'one' });
const ask = (api: string): Service => ({ subject: `${API}.${api}`, asked: `${API_OF_GUESTS}.${api}`, answers: 'one' });
/** The last message of these subjects. */
const last = (stream: string, subject: string): Service => ask(`DIRECT.GET.${stream}.${subject}`);

/**
 * What each role needs, found by running with it, and nothing else. Above all no worker may make a consumer: which messages it gets
 * cannot be limited (nats-server issue 6180), and it may deliver them to a subject that its maker may not publish to.
 *
 * What a worker writes has its name in the subject: rows, files and cards of another it can neither write, remove nor come before.
 * A list of subjects alone would not do: it says nothing of where an answer goes, and whoever asks chooses that. So each has an account
 * of its own (config.ts), in which it may have answers sent to wherever it likes.
 */
function servicesOf(role: 'worker' | 'viewer', name: string): readonly Service[] {
  if (role === 'viewer')
    return [
      ...[TASKS, RESULTS, ...[CARDS, SWEEPS, WANTED].map((bucket) => `KV_${bucket}`)].map((stream) => ask(`STREAM.INFO.${stream}`)),
      ask(`STREAM.MSG.GET.KV_${CARDS}`),
      ...[SWEEPS, WANTED].map((bucket) => last(`KV_${bucket}`, '>')),
      ask(`CONSUMER.INFO.${TASKS}.*`),
    ];
  return [
    ask(`CONSUMER.INFO.${TASKS}.*`),
    { ...ask(`CONSUMER.MSG.NEXT.${TASKS}.*`), answers: 'many' },
    one(`$JS.ACK.${TASKS}.>`),
    ask(`CONSUMER.INFO.${CHECKS}.${name}`),
    { ...ask(`CONSUMER.MSG.NEXT.${CHECKS}.${name}`), answers: 'many' },
    one(`$JS.ACK.${CHECKS}.${name}.>`),
    one(`lab.result.${name}.>`),
    last(RESULTS, `lab.result.${name}.>`),
    one(`lab.file.${name}.>`),
    last(FILES, `lab.file.${name}.>`),
    last(FILES, `lab.file.${COORDINATOR}.>`),
    one(`$KV.${CARDS}.${name}`),
    one(`$KV.${CARDS}.${name}.>`),
    last(`KV_${WANTED}`, `$KV.${WANTED}.worker.${name}.>`),
    last(`KV_${WANTED}`, `$KV.${WANTED}.worker.${name}`),
    last(`KV_${WANTED}`, `$KV.${WANTED}.identity.${name}`),
    last(`KV_${WANTED}`, `$KV.${WANTED}.sweep.>`),
  ];
}

export function rightsOf({ role, name }: Pick<Credentials, 'role' | 'name'>): Rights {
  return role === 'coordinator' ? 'all' : { services: servicesOf(role, name), hints: HINTS, inbox: `_INBOX_${name}.>` };
}
