import { NatsLink } from '../../src/bus/nats/link.ts';
import { sleep } from '../cli/spc.ts';
import type { Chance } from './faults.ts';

const LATER_MS = { least: 1_000, most: 5_000 };
const TRIES = 20;

/**
 * Gives out a share of all jobs once more, with the same subject and bytes. While the first is there the server refuses the second, so
 * this tries until the first is done: then its worker's row is refused, or the coordinator compares it with the one it has.
 */
export class Rogue {
  given = 0;
  readonly #link: NatsLink;
  readonly #seen = new Set<string>();
  readonly #under = new Set<Promise<void>>();
  #over = false;

  private constructor(link: NatsLink) {
    this.#link = link;
  }

  static async start(url: string, share: number, chance: Chance): Promise<Rogue> {
    const rogue = new Rogue(await NatsLink.connect({ url, name: 'rogue' }));
    rogue.#link.nc.subscribe('lab.task.>', {
      callback: (_error, { subject, data }) => {
        if (rogue.#seen.has(subject)) return; // an offer that the stream refused is heard here all the same
        rogue.#seen.add(subject);
        if (chance() >= share) return;
        const work = rogue.#again(subject, data, LATER_MS.least + chance() * (LATER_MS.most - LATER_MS.least));
        rogue.#under.add(work);
        void work.finally(() => rogue.#under.delete(work));
      },
    });
    return rogue;
  }

  async stop(): Promise<void> {
    this.#over = true;
    await Promise.all(this.#under);
    await this.#link.close();
  }

  async #again(subject: string, data: Uint8Array, afterMs: number): Promise<void> {
    for (let i = 0; i < TRIES && !this.#over; i++) {
      await sleep(afterMs);
      try {
        await this.#link.js.publish(subject, data, { retries: 0 });
        this.given++;
        return;
      } catch {
        // It is still there, or the server is away.
      }
    }
  }
}
