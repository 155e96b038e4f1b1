import { Clock, type Stop } from '../../src/bus/clock.ts';
import { Stream } from '../../src/math/rng/threefry.ts';

/** What happens at a moment of virtual time. */
interface Event {
  readonly at: number;
  /** Breaks ties: what was asked for first comes first. */
  readonly order: number;
  work: (() => void) | null;
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/**
 * Virtual time, one seed, and a list of what is to happen. Between two events every promise runs as far as it can, so nothing is
 * left to the machine: the same seed is the same history, event by event.
 */
export class World {
  now = 0;
  events = 0;
  readonly #random: Stream;
  readonly #heap: Event[] = [];
  readonly #trace: ((line: string) => void) | null;
  #order = 0;

  constructor(seed: number, trace: ((line: string) => void) | null = null) {
    this.#random = new Stream(seed | 0, 0x5eed);
    this.#trace = trace;
  }

  /** Uniform in [0, 1). */
  readonly chance = (): number => this.#random.uniform();

  /** Whether something of this probability happens. */
  happens(probability: number): boolean {
    return probability > 0 && this.chance() < probability;
  }

  between(low: number, high: number): number {
    return low + (high - low) * this.chance();
  }

  int(n: number): number {
    return this.#random.int(n);
  }

  get tracing(): boolean {
    return this.#trace !== null;
  }

  note(who: string, what: string): void {
    this.#trace?.(`${this.now.toFixed(1).padStart(10)}  ${who.padEnd(14)} ${what}`);
  }

  at(time: number, work: () => void): Stop {
    const event: Event = { at: Math.max(time, this.now), order: this.#order++, work };
    this.#push(event);
    return () => {
      event.work = null;
    };
  }

  in(ms: number, work: () => void): Stop {
    return this.at(this.now + ms, work);
  }

  /** Runs until `over`, until nothing is left to happen, or until `limit`. */
  async run(over: () => boolean, limit: number): Promise<void> {
    for (await settle(); !over(); ) {
      const event = this.#pop();
      if (!event) return;
      if (event.work === null) continue;
      if (event.at > limit) return;
      this.now = event.at;
      this.events++;
      event.work();
      await settle();
    }
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let i = heap.length;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!before(event, heap[parent]!)) break;
      heap[i] = heap[parent]!;
      i = parent;
    }
    heap[i] = event;
  }

  #pop(): Event | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (!first || !last || first === last) return first;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, last)) break;
      heap[i] = heap[child]!;
      i = child;
    }
    heap[i] = last;
    return first;
  }
}

const before = (a: Event, b: Event): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);

/** A process that can be killed between any two of its steps, or stopped for a while: then what comes waits until it goes on. */
export class Process extends Clock {
  readonly name: string;
  readonly world: World;
  alive = true;
  /** No message gets through, in either direction. */
  cut = false;
  #frozen = false;
  #backlog: (() => void)[] = [];

  constructor(name: string, world: World) {
    super();
    this.name = name;
    this.world = world;
  }

  now(): number {
    return Math.floor(this.world.now);
  }

  after(ms: number, work: () => void): Stop {
    let stopped = false;
    const stop = this.world.in(ms, () => this.receive(() => stopped || work()));
    return () => {
      stopped = true;
      stop();
    };
  }

  /** Something arrives: a message, a timer, the end of a write. */
  receive(work: () => void): void {
    if (!this.alive) return;
    if (this.#frozen) this.#backlog.push(work);
    else work();
  }

  note(what: string): void {
    this.world.note(this.name, what);
  }

  kill(): void {
    this.alive = false;
    this.#backlog = [];
  }

  freeze(): void {
    this.#frozen = true;
  }

  /** Timers and messages that came meanwhile are seen one after the other, in either order. */
  thaw(): void {
    this.#frozen = false;
    const backlog = this.#backlog.splice(0);
    if (this.world.happens(0.5)) backlog.reverse();
    for (const work of backlog) this.world.in(0, () => this.receive(work));
  }
}
