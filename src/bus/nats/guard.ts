import { type Clock, systemClock } from '../clock.ts';
import type { NatsLink } from './link.ts';
import { COORDINATOR, FILES, RESULTS } from './streams.ts';

export interface GuardOptions {
  /** Lets nobody in any more with that key. Null where there are no keys. */
  readonly shutOut: ((name: string) => Promise<void>) | null;
  readonly warn: (message: string) => void;
  readonly clock?: Clock;
  /** Of [0, 1): which messages are weighed. */
  readonly random?: () => number;
}

/** Streams into which workers write, each under its name, which is the third word of a subject. */
const WATCHED = [
  { stream: RESULTS, filter: 'lab.result.>', what: 'results', of: (who: string) => `lab.result.${who}.>` },
  { stream: FILES, filter: 'lab.file.>', what: 'files', of: (who: string) => `lab.file.${who}.>` },
  { stream: 'KV_workers', filter: '$KV.workers.>', what: 'cards', of: (who: string) => `$KV.workers.${who}.>` },
] as const;
type Watched = (typeof WATCHED)[number];

/** Fuller than this, it is looked at who fills it. */
const FULL = 0.5;
/** Weighed of each stream: enough to see who has most of it, and little enough for every second. */
const SAMPLES = 100;
/** Of one identity, of all that was weighed. */
const MOST = 0.5;
/** Who fills a stream again so soon does not do it by accident: honest results of a minute are a few megabytes. */
const SOON_MS = 60_000;
const SAY_MS = 60_000;

/**
 * Sees to it that nobody fills the broker for all others: empties what one worker has filled, and shuts its key out when it does so again.
 * A server's own limits are by account and by stream, and what workers write is in streams of the coordinators' account.
 */
export class Guard {
  readonly #link: NatsLink;
  readonly #options: GuardOptions;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #strikes = new Map<string, number>();
  /** Whose keys are shut out. */
  readonly #out = new Set<string>();
  readonly #said = new Map<string, number>();

  constructor(link: NatsLink, options: GuardOptions) {
    this.#link = link;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
  }

  /** Looks at every stream once. Rejects when the broker is away. */
  async look(): Promise<void> {
    for (const watched of WATCHED) await this.#look(watched);
  }

  async #look(watched: Watched): Promise<void> {
    const { streams } = this.#link.jsm;
    const info = await streams.info(watched.stream).catch(() => null); // there is none yet
    if (info === null) return;
    const { state, config } = info;
    const full = Math.max(share(state.bytes, config.max_bytes), share(state.messages, config.max_msgs));
    if (full < FULL) return;
    const who = await this.#heaviest(watched);
    if (who === null)
      return this.#say(watched, `the broker's ${watched.what} take ${Math.round(100 * full)} % of their room, of many workers`);
    await this.#empty(watched, who);
    if (this.#out.has(who)) return; // what was on its way
    const now = this.#clock.now();
    const again = now - (this.#strikes.get(who) ?? Number.NEGATIVE_INFINITY) < SOON_MS;
    this.#strikes.set(who, now);
    const filled = `${who} filled the room for ${watched.what} (${Math.round(100 * full)} %): what it wrote there is removed`;
    if (!again || this.#options.shutOut === null) {
      this.#options.warn(filled);
      return;
    }
    this.#out.add(who);
    await this.#options.shutOut(who);
    this.#options.warn(`${filled}; it did so again, and its key is shut out until spc serve is started again`);
    await this.#empty(watched, who);
  }

  async #empty({ stream, of }: Watched, who: string): Promise<void> {
    const { streams } = this.#link.jsm;
    await streams.purge(stream, { filter: of(who) });
    await streams.purge(stream, { filter: of(who).replace(/\.>$/, '') });
  }

  /**
   * Whose messages are most of it, by weight; null when nobody's are. They are drawn by subject, of which each message has its own: by
   * number, one that stands behind a gap would be drawn for all that were there, and its sender taken for who fills the room.
   */
  async #heaviest({ stream, filter }: Watched): Promise<string | null> {
    const { streams } = this.#link.jsm;
    const weights = new Map<string, number>();
    let all = 0;
    const subjects = Object.keys((await streams.info(stream, { subjects_filter: filter })).state.subjects ?? {});
    for (let drawn = 0; drawn < SAMPLES && subjects.length > 0; drawn++) {
      const subject = subjects[Math.floor(this.#random() * subjects.length)] ?? '';
      const message = await streams.getMessage(stream, { last_by_subj: subject });
      if (message === null) continue; // read by now
      const who = subject.split('.', 3)[2] ?? '';
      const weight = message.data.length + subject.length;
      weights.set(who, (weights.get(who) ?? 0) + weight);
      all += weight;
    }
    const [who, most] = [...weights].sort(([, a], [, b]) => b - a)[0] ?? [COORDINATOR, 0];
    return who !== COORDINATOR && most > MOST * all ? who : null;
  }

  #say({ stream }: Watched, message: string): void {
    const now = this.#clock.now();
    if (now - (this.#said.get(stream) ?? Number.NEGATIVE_INFINITY) < SAY_MS) return;
    this.#said.set(stream, now);
    this.#options.warn(message);
  }
}

const share = (used: number, most: number): number => (most > 0 ? used / most : 0);
