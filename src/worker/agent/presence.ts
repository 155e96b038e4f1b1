import type { Roll } from '../../bus/bus.ts';
import { type Clock, systemClock } from '../../bus/clock.ts';
import { identityOf, type WorkerCard } from '../../contract/cards.ts';
import type { ExecutorPool } from '../executor/pool.ts';
import type { Agent } from './agent.ts';

export interface PresenceOptions {
  readonly roll: Roll;
  readonly agent: Agent;
  readonly pool: Pick<ExecutorPool, 'progressOf' | 'slots'>;
  readonly who: Pick<WorkerCard, 'id' | 'host' | 'label' | 'pid' | 'cap' | 'node' | 'cpu' | 'startedAt'>;
  readonly warn?: (message: string) => void;
  readonly clock?: Clock;
}

const EVERY_MS = 5_000;

/** A worker among others: shows what it does, and does what is wanted of it. Works on as it was while the roll is away. */
export class Presence {
  readonly #options: PresenceOptions;
  readonly #clock: Clock;
  readonly #end: () => void;
  #turn: Promise<void> = Promise.resolve();
  #leaving = false;
  /** Why it takes nothing, and whether its key is not trusted or somebody asked it alone. */
  #stopped: { readonly why: 'held' | 'drained'; readonly reason: string } | null = null;

  constructor(options: PresenceOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    const [still, deaf] = [this.#clock.every(EVERY_MS, () => this.look()), options.roll.onWish(() => this.look())];
    this.#end = () => {
      still();
      deaf();
    };
    this.look();
  }

  look(): void {
    this.#turn = this.#turn.then(() => this.#look()).catch(() => {});
  }

  /** It ends with what runs. */
  leave(): void {
    this.#leaving = true;
    this.look();
  }

  async close(): Promise<void> {
    this.#end();
    await this.#turn;
    await this.#options.roll.hideWorker(this.#options.who.id).catch(() => {});
  }

  async #look(): Promise<void> {
    const { roll } = this.#options;
    await this.#obey().catch(() => {});
    await roll.showWorker(this.#card());
  }

  async #obey(): Promise<void> {
    const { roll, agent, who, warn } = this.#options;
    const wishes = [await roll.wish({ worker: who.id }), await roll.wish({ identity: identityOf(who.id) })];
    const wanted = wishes.findLast((wish) => wish?.state === 'hold'); // that the key is not trusted says more
    const held = wishes.every((wish) => wish === null) ? agent.held : wanted !== undefined;
    if (held !== agent.held) {
      agent.held = held;
      const why = wishes[1]?.state === 'hold' ? 'held' : 'drained';
      this.#stopped = held ? { why, reason: wanted?.reason ?? '' } : null;
      warn?.(held ? `${why} (${wanted?.reason}): takes nothing more until it is released` : 'released: takes jobs again');
    }
    for (const sweep of new Set(agent.serving.map(({ lease }) => lease.sweep))) {
      if ((await roll.wish({ sweep, cap: who.cap }))?.state === 'cancel') agent.cancel(sweep);
    }
  }

  #card(): WorkerCard {
    const { agent, pool, who } = this.#options;
    const now = this.#clock.now();
    return {
      v: 1,
      ...who,
      slots: pool.slots,
      state: this.#leaving ? 'leaving' : (this.#stopped?.why ?? 'working'),
      reason: this.#stopped?.reason ?? '',
      ...agent.tally,
      running: agent.serving.map(({ lease: { sweep, job, attempt }, since }) => ({
        sweep,
        kind: job.kind,
        id: job.id,
        attempt,
        seconds: Math.round((now - since) / 1000),
        share: Math.min(1, pool.progressOf(job.id) ?? 0),
      })),
    };
  }
}
