import type { ConsumerConfig, StoredMsg } from '@nats-io/jetstream';
import { ContentError } from '../../contract/errors.ts';
import { HostError } from '../../contract/host.ts';
import { canonicalJson } from '../../contract/ids.ts';
import { type FileKind, type Job, MOST_FILE_BYTES } from '../../contract/job.ts';
import { parseResult } from '../../contract/messages.ts';
import type { CoordinatorBus, Delivery, Files, Malformed } from '../bus.ts';
import type { Stop } from '../clock.ts';
import { Underway } from '../underway.ts';
import { NatsFiles } from './files.ts';
import { CODE, codeOf, type NatsLink } from './link.ts';
import {
  CHECKS,
  COORDINATOR,
  checkConfig,
  checkSubject,
  consumerConfig,
  ensureBroker,
  expectName,
  FILES,
  fileSubject,
  type Place,
  RESULT_BYTES,
  RESULTS,
  resultSubject,
  TASKS,
  taskSubject,
  whoseResult,
} from './streams.ts';

export interface NatsCoordinatorOptions extends Place {
  readonly leaseMs?: number;
  /** The coordinator's own files: the policy of a base is put into the broker before a trial that needs it. */
  readonly origin?: Files;
}

/** How often the stream is looked at when nobody said that a result came: hints may be lost. */
const POLL_MS = 1_000;
/** Requests on their way. */
const AT_ONCE = 64;
/** So long after the files were made anew, one may be missing without anybody's fault. */
const LOST_LEASES = 10;
const CLOSING_MS = 5_000;
/** Of the room for files. */
const TIDY = 0.25;
/** Or when so many bytes were fetched since it was looked. */
const TIDY_BYTES = 4 * 1024 * 1024;
/** After a hint: the message may not be stored yet. */
const SOON_MS = 2;

/**
 * The coordinator's view of the broker. Results are read one by one by their place in the stream and are taken out after their row is on
 * the disk, so nothing is held by a consumer and a restart reads what is left from the start.
 */
export class NatsCoordinatorBus implements CoordinatorBus {
  readonly files: NatsFiles;
  readonly #link: NatsLink;
  readonly #place: Place;
  readonly #leaseMs: number;
  readonly #origin: Files | undefined;
  readonly #watchdog: Stop;
  /** Acknowledgements on their way. */
  readonly #acks = new Underway(AT_ONCE);
  /** Policies that are in the broker, when last looked, and the trials there that need one. */
  readonly #known = new Set<string>();
  readonly #needed = new Map<string, string>();
  /** Jobs that were given to one identity alone, and to whom some were. */
  readonly #checks = new Set<string>();
  readonly #checkers = new Set<string>();
  #fetched = 0;
  /** Consumers that give out jobs of ours: how many each has given, and since when no more. */
  readonly #givers = new Map<string, { delivered: number; since: number }>();
  /** Whose results count for nothing. */
  #held: ReadonlySet<string> = new Set();
  #closed = false;
  #wake: (() => void) | null = null;
  #hinted = false;

  private constructor(link: NatsLink, { cap, sweep, leaseMs = 30_000, origin }: NatsCoordinatorOptions) {
    this.#link = link;
    this.#place = { cap: expectName('capability', cap), sweep: expectName('sweep', sweep) };
    this.#leaseMs = leaseMs;
    this.#origin = origin;
    this.files = new NatsFiles(link, { own: COORDINATOR, from: COORDINATOR, mend: () => this.#ensure() });
    this.#watchdog = link.clock.every(leaseMs / 2, () => void this.#watch().catch(() => {}));
  }

  static async open(link: NatsLink, options: NatsCoordinatorOptions): Promise<NatsCoordinatorBus> {
    const bus = new NatsCoordinatorBus(link, options);
    try {
      await link.retry('streams', () => bus.#ensure());
      const most = link.nc.info?.max_payload ?? RESULT_BYTES;
      if (most < RESULT_BYTES)
        link.warn(
          `broker: expected max_payload of at least ${RESULT_BYTES} bytes, got ${most}; a row that is larger cannot pass: raise it in the server's configuration`,
        );
      return bus;
    } catch (error) {
      await bus.close();
      throw error;
    }
  }

  async enqueue(job: Job, who?: string): Promise<boolean> {
    if (this.#closed) return false;
    return this.#retry(`job ${job.id}`, async () => {
      if (who === undefined && (await this.#isFinished(job.id))) return false;
      // A job that comes again may have been given back because its policy is not what it should be.
      if (job.kind === 'trial') await this.#putPolicy(job.base.result.policy, this.#needed.has(job.id));
      if (who === undefined) this.#checks.delete(job.id);
      else {
        await this.#link.jsm.consumers.add(CHECKS, checkConfig(who, this.#leaseMs));
        this.#checkers.add(who);
        this.#checks.add(job.id);
      }
      const subject = who === undefined ? taskSubject(this.#place, job.id) : checkSubject(who, this.#place, job.id);
      try {
        const expect = { streamName: who === undefined ? TASKS : CHECKS, lastSubjectSequence: 0 };
        await this.#link.js.publish(subject, canonicalJson(job), { expect });
        if (job.kind === 'trial') this.#needed.set(job.id, job.base.result.policy);
        return true;
      } catch (error) {
        if (codeOf(error) === CODE.wrongLastSequence) return false;
        throw error;
      }
    });
  }

  async #isFinished(id: string): Promise<boolean> {
    const there = await this.#next(resultSubject(this.#place, id), 1);
    return there !== null && !this.#held.has(whoseResult(there.subject));
  }

  async queued(): Promise<ReadonlySet<string>> {
    await this.#acks.settled();
    const there = await this.#retry('list of jobs', async () => {
      const [jobs, checks, results] = await Promise.all([
        this.#subjects(TASKS, taskSubject(this.#place, '>')),
        this.#subjects(CHECKS, checkSubject('*', this.#place, '>')),
        this.#subjects(RESULTS, this.#results),
      ]);
      const counted = results.filter((subject) => !this.#held.has(whoseResult(subject)));
      // Whom a job was given alone may have left for good, and by now it is wanted of anybody.
      const open = checks.map(idOf).filter((id) => this.#checks.has(id));
      return new Set([...[...jobs, ...counted].map(idOf), ...open]);
    });
    // A disk that was lost between a policy and the job that needs it took the one and not the other.
    this.#known.clear();
    for (const digest of new Set([...this.#needed].filter(([id]) => there.has(id)).map(([, needed]) => needed)))
      await this.#putPolicy(digest);
    return there;
  }

  async withdraw(ids: readonly string[]): Promise<void> {
    const { streams } = this.#link.jsm;
    const purge = (id: string): Promise<unknown> =>
      this.#checks.has(id)
        ? streams.purge(CHECKS, { filter: checkSubject('*', this.#place, id) })
        : streams.purge(TASKS, { filter: taskSubject(this.#place, id) });
    for (let from = 0; from < ids.length; from += AT_ONCE)
      await this.#retry('jobs to withdraw', () => Promise.all(ids.slice(from, from + AT_ONCE).map(purge)));
    for (const id of ids) {
      this.#needed.delete(id);
      this.#checks.delete(id);
    }
  }

  distrust(held: ReadonlySet<string>): void {
    this.#held = held;
  }

  async *results(): AsyncGenerator<Delivery | Malformed> {
    const hints = this.#link.nc.subscribe(this.#results, {
      callback: () => {
        this.#hinted = true;
        this.#wake?.();
      },
    });
    try {
      let [next, made] = [1, await this.#created()];
      let ahead: Promise<StoredMsg | null> | null = null;
      for (let pauseMs = POLL_MS; ; ) {
        const message: StoredMsg | null = await (ahead ?? this.#read(next));
        ahead = null;
        if (message) {
          next = message.seq + 1;
          ahead = this.#read(next); // while this one is being recorded
          ahead.catch(() => {});
          pauseMs = SOON_MS;
          yield await this.#deliver(message);
          continue;
        }
        if (this.#closed) return;
        if (pauseMs === POLL_MS) {
          const created = await this.#created();
          if (created !== made) next = 1; // another stream of that name: the old one was lost
          made = created;
        }
        if (await this.#pause(pauseMs)) pauseMs = SOON_MS;
        else pauseMs = Math.min(2 * pauseMs, POLL_MS);
      }
    } finally {
      hints.unsubscribe();
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#watchdog();
    this.#wake?.();
    // An acknowledgement that is lost is made again by whoever reads the result again.
    await this.#link.clock.within(CLOSING_MS, this.#acks.settled());
  }

  get #results(): string {
    return resultSubject(this.#place, '>');
  }

  /** The first result from that place of the stream on. */
  #read(seq: number): Promise<StoredMsg | null> {
    this.#hinted = false;
    return this.#retry('results', () => this.#next(this.#results, seq));
  }

  /** Not of the direct kind of answers, in which the headers of whoever wrote the message decide how the client takes it. */
  #next(subject: string, seq: number): Promise<StoredMsg | null> {
    const query = { seq, next_by_subj: subject }; // the server has it, the client's type for this kind has not
    return this.#link.jsm.streams.getMessage(RESULTS, query);
  }

  #ensure(): Promise<void> {
    this.#known.clear();
    return ensureBroker(this.#link, this.#place.cap, this.#leaseMs);
  }

  #retry<T>(what: string, work: () => Promise<T>): Promise<T> {
    return this.#link.retry(what, work, () => this.#ensure());
  }

  /** When the stream of results was made: it tells one from another of that name. */
  async #created(): Promise<string> {
    return (await this.#retry('results', () => this.#link.jsm.streams.info(RESULTS))).created;
  }

  async #subjects(stream: string, subjects_filter: string): Promise<string[]> {
    const { state } = await this.#link.jsm.streams.info(stream, { subjects_filter });
    return Object.keys(state.subjects ?? {});
  }

  /** Sees to it that workers find a policy; `again` reads what is there. */
  async #putPolicy(digest: string, again = false): Promise<void> {
    if (this.#origin === undefined || (this.#known.has(digest) && !again)) return;
    if (again) await this.files.getFrom(COORDINATOR, 'policies', digest).catch(unlessContent); // which makes room
    if (!(await this.files.has('policies', digest))) {
      const bytes = await this.#origin.get('policies', digest);
      if (bytes.length > MOST_FILE_BYTES)
        throw new HostError(
          `policies-${digest}: expected at most ${MOST_FILE_BYTES} bytes, which is what goes through a broker, got ${bytes.length}; run this sweep without --nats and --creds`,
        );
      await this.files.put('policies', bytes);
    }
    this.#known.add(digest);
  }

  /** What is no result is taken out, and its job will be missed and given out again. */
  async #deliver({ subject, data, time }: StoredMsg): Promise<Delivery | Malformed> {
    // By subject, not by number: in a stream that was lost and made anew the number may be another result's.
    const purge = async (): Promise<void> => void (await this.#link.jsm.streams.purge(RESULTS, { filter: subject }));
    const ack = (): Promise<void> => this.#acks.add(this.#retry(subject, purge).catch(() => {}));
    const from = whoseResult(subject);
    try {
      const result = parseResult(new TextDecoder().decode(data));
      if (resultSubject(this.#place, result.row.id, from) !== subject) throw new Error(`id: expected the subject's, got ${result.row.id}`);
      this.#needed.delete(result.row.id);
      return { result, from, file: (kind, digest) => this.#fetch({ from, time }, kind, digest), ack };
    } catch (error) {
      await ack();
      return { from, malformed: `${subject}: dropped what is no result (${error instanceof Error ? error.message : String(error)})` };
    }
  }

  /** Whether a hint ended it. */
  async #pause(ms: number): Promise<boolean> {
    if (this.#hinted) {
      await this.#link.clock.sleep(SOON_MS);
      return true;
    }
    const hinted = await new Promise<boolean>((resolve) => {
      const stop = this.#link.clock.after(ms, () => resolve(false));
      this.#wake = () => {
        stop();
        resolve(true);
      };
    });
    this.#wake = null;
    return hinted;
  }

  /** Whoever makes what a wiped broker lost may end halfway: then nothing fails here any more, and agents have no consumer. */
  async #watch(): Promise<void> {
    try {
      await this.#unstick();
      await this.#tidy();
    } catch {
      await this.#ensure();
    }
  }

  /** Whoever fetches much tidies up more often than the watchdog would. */
  async #fetch({ from, time }: { readonly from: string; readonly time: Date }, kind: FileKind, digest: string): Promise<Uint8Array> {
    const bytes = await this.files.getFrom(from, kind, digest).catch(async (error: unknown) => {
      if (!(error instanceof ContentError) || !error.lost || (await this.#mayBeLost(time))) throw error;
      throw new ContentError(error.message, false);
    });
    this.#fetched += bytes.length;
    if (this.#fetched >= TIDY_BYTES) {
      this.#fetched = 0;
      void this.#tidy().catch(() => {}); // the watchdog tries again
    }
    return bytes;
  }

  /** A broker that lost its disk between a file and its row took the one and not the other, from as many rows as were on their way. */
  async #mayBeLost(time: Date): Promise<boolean> {
    const { created } = await this.#retry('files', () => this.#link.jsm.streams.info(FILES));
    return time.getTime() - Date.parse(created) < LOST_LEASES * this.#leaseMs;
  }

  /** Files that are on our own disk need no room in the broker any more; looked for when they take a good part of it. */
  async #tidy(): Promise<void> {
    const origin = this.#origin;
    if (origin === undefined) return;
    const { state, config } = await this.#link.jsm.streams.info(FILES);
    if (state.bytes < TIDY * config.max_bytes) return;
    const first = /^lab\.file\.(.+)\.(policies|forget)-([0-9a-f]{64})\.0$/;
    for (const subject of await this.#subjects(FILES, fileSubject('*', '*', 0))) {
      const [, who, kind, digest = ''] = first.exec(subject) ?? [];
      if (who === undefined || who === COORDINATOR || !(await origin.has(kind as FileKind, digest))) continue;
      await this.#link.jsm.streams.purge(FILES, { filter: `lab.file.${who}.${kind}-${digest}.*` });
    }
  }

  /**
   * A consumer that has work, has agents that wait, and gives out nothing for two leases is turned off and on again: a work queue keeps
   * what was not acknowledged. Reported of servers up to 2.12.3 (nats-server issue 7680).
   */
  async #unstick(): Promise<void> {
    await this.#expectFlow(TASKS, consumerConfig(this.#place.cap, this.#leaseMs));
    for (const who of this.#checkers) {
      const config = checkConfig(who, this.#leaseMs);
      await this.#expectFlow(CHECKS, config).catch(() => this.#link.jsm.consumers.add(CHECKS, config)); // a lost one is nobody else's to make
    }
  }

  async #expectFlow(stream: string, config: Partial<ConsumerConfig>): Promise<void> {
    const { consumers } = this.#link.jsm;
    const { durable_name: name = '' } = config;
    const now = this.#link.clock.now();
    const { num_pending, num_waiting, delivered } = await consumers.info(stream, name);
    const before = this.#givers.get(name);
    const idle = num_pending === 0 || num_waiting === 0 || delivered.consumer_seq !== before?.delivered;
    const since = idle ? now : before.since;
    this.#givers.set(name, { delivered: delivered.consumer_seq, since });
    if (now - since < 2 * this.#leaseMs) return;
    this.#link.warn(`consumer ${name}: ${num_pending} job(s) wait and none is given out; it is made anew`);
    await consumers.delete(stream, name);
    await consumers.add(stream, config);
  }
}

const idOf = (subject: string): string => subject.slice(subject.lastIndexOf('.') + 1);

const unlessContent = (error: unknown): void => {
  if (!(error instanceof ContentError)) throw error;
};
