/** Work that nobody waits for in turn, unless too much of it is under way. Whoever adds it deals with its errors. */
export class Underway {
  readonly #most: number;
  readonly #works = new Set<Promise<void>>();

  constructor(most: number) {
    this.#most = most;
  }

  /** Resolves when there is room for more. */
  async add(work: Promise<void>): Promise<void> {
    const its = work.finally(() => this.#works.delete(its));
    this.#works.add(its);
    if (this.#works.size >= this.#most) await Promise.race(this.#works);
  }

  /** Resolves when what is under way now is done. */
  async settled(): Promise<void> {
    await Promise.all(this.#works);
  }
}
