import type { Delivery, Malformed } from '../../src/bus/bus.ts';
import { NatsAgentBus } from '../../src/bus/nats/agent.ts';
import { NatsCoordinatorBus } from '../../src/bus/nats/coordinator.ts';
import { NatsLink } from '../../src/bus/nats/link.ts';
import { fileSubject, RESULTS, TASKS, whoseResult } from '../../src/bus/nats/streams.ts';
import { SILENT_MS } from '../../src/contract/cards.ts';
import { TransportError } from '../../src/contract/errors.ts';
import { contentDigest } from '../../src/contract/ids.ts';
import type { Job, JobResult } from '../../src/contract/job.ts';
import { Checks, type Present } from '../../src/coordinator/checks.ts';
import { type Planned, Schedule } from '../../src/coordinator/schedule.ts';
import { Agent } from '../../src/worker/agent/agent.ts';
import type { ExecutorPool } from '../../src/worker/executor/pool.ts';
import type { Finished } from '../../src/worker/executor/protocol.ts';
import { Broker } from './broker.ts';
import { calm, SimulatedClient, type Watch, type Weather } from './client.ts';
import { Disk, SimulatedStore } from './disk.ts';
import { becalm, befall, FORGER, isLiar, LIARS, LINGER_MS, strike } from './faults.ts';
import { ARMS, BASES, CAP, compute, computedIds, expected, filesFor, forge, isComputed, judge, trials, trueTextOf } from './jobs.ts';
import { Process, World } from './world.ts';

export interface Outcome {
  readonly seed: number;
  /** What must not be, in words; null when all is well. */
  readonly violation: string | null;
  /** Rows that must be computed. */
  readonly jobs: number;
  /** How often one began to be. */
  readonly executions: number;
  readonly events: number;
  readonly virtualMs: number;
}

const LEASE_MS = 4_000;
/** A coordinator is longer with no row, where nothing hinders it. */
const TURN_MS = 500;
/** Of the histories in which something goes wrong, how many have nothing but lies, and how many a forger among their workers. */
const ONLY_LIES = 0.15;
const FORGED = 0.2;
/** How often a forger forges. */
const FORGES = 0.4;
/** How often a coordinator looks who is there. */
const LOOK_MS = 2_000;
/** From the last fault on, everything must be done within. */
const QUIET_MS = 300_000;
/** No job may be computed more often, whatever happens. */
const MOST = 40;

/** A sweep, with the coordinator that is alive for it. */
export interface Sweep {
  readonly name: string;
  trials: readonly Planned[];
  wanted: ReadonlySet<string>;
  /** All that was ever wanted. */
  readonly once: Set<string>;
  /** Ids that an earlier plan of it wanted, or another sweep of that name. */
  readonly former: Set<string>;
  readonly disk: Disk;
  /** Ids of results that its coordinator said it can do nothing with. */
  readonly dropped: Set<string>;
  by: Process | null;
  schedule: Schedule | null;
  bus: NatsCoordinatorBus | null;
  interrupted: boolean;
  done: boolean;
}

export interface Worker {
  readonly name: string;
  readonly slots: number;
  by: Process | null;
  agent: Agent | null;
  bus: NatsAgentBus | null;
}

/** One history: the real coordinator, agents and buses over a simulated broker, network, disk and pool. */
export class Simulation {
  readonly world: World;
  readonly broker: Broker;
  readonly weather: Weather = { ...calm };
  readonly sweeps: Sweep[];
  readonly workers: Worker[];
  readonly leaseMs = LEASE_MS;
  /** Whether anything goes wrong in it at all. */
  readonly quiet: boolean;
  /** Whether nothing goes wrong but what workers send. */
  readonly onlyLies: boolean;
  /** Whether a worker forges rows; then all rows are computed by two. */
  readonly forging: boolean;
  /** Kinds of faults that do not happen in it. */
  readonly without: readonly string[];
  /** Whom a coordinator has told everybody to hold. */
  readonly #told = new Set<string>();
  /** When workers were seen last. */
  readonly #seen = new Map<string, number>();
  /** How likely it is, for each request, that its sender or the broker ends at that very moment. */
  strikes = 0;
  /** Nothing goes wrong from now on. */
  over = false;
  violation: string | null = null;
  /** Ids of which somebody has sent another row than the true one. */
  readonly lied = new Set<string>();
  ending = false;
  #executions = 0;
  readonly #times = new Map<string, number>();
  /** Jobs whose honest result was in the broker at some time. */
  readonly stored = new Set<string>();
  /** Files that were on their way into the broker at some time. */
  readonly #put = new Set<string>();
  readonly #longestMs: number;
  readonly #watch: Watch;

  constructor(seed: number, trace: ((line: string) => void) | null, without: readonly string[]) {
    this.without = without;
    this.world = new World(seed, trace);
    this.broker = new Broker(this.world);
    this.quiet = seed % 8 === 0;
    const { world } = this;
    this.#longestMs = [200, 1_000, 3 * LEASE_MS][world.int(3)] ?? 0;
    this.sweeps = ['alpha', 'beta'].slice(0, 1 + world.int(2)).map((name) => this.#sweep(name));
    this.onlyLies = !this.quiet && world.happens(ONLY_LIES);
    this.forging = !this.quiet && world.happens(FORGED) && !without.includes('forged');
    // Two must say the same to be believed against a third.
    const honest = this.forging ? 2 + world.int(2) : 1 + world.int(3);
    const names = Array.from({ length: honest }, (_, i) => `agent ${i + 1}`);
    if (this.forging) names.push(FORGER);
    this.workers = names.map((name) => ({ name, slots: 1 + world.int(2), by: null, agent: null, bus: null }));
    this.#watch = {
      onArrival: (by) => {
        if (world.happens(this.strikes)) strike(this, by);
      },
      onAck: (by, subject) => {
        if (!isLiar(by.name) && !this.stored.has(subject.split('.').slice(-3).join('.')))
          this.fail(`${by.name} says that ${subject} is done, but its result never was in the broker`);
      },
      onLateNak: (by, reply) => this.fail(`${by.name} gives back what it has lost: ${reply}`),
      onPurge: (by, subject) => {
        if (!subject.startsWith('lab.result.') || isLiar(whoseResult(subject))) return;
        const id = subject.slice(subject.lastIndexOf('.') + 1);
        const sweep = this.sweeps.find(({ name }) => subject.includes(`.${name}.`));
        if (!sweep || sweep.disk.retracted || sweep.disk.whole.has(id) || !sweep.wanted.has(id) || sweep.dropped.has(id)) return;
        this.fail(`${by.name} takes ${subject} out of the broker before its row is on the disk`);
      },
      onPut: (subject) => void this.#put.add(subject),
      onStored: (subject, data) => {
        if (isLiar(whoseResult(subject))) return;
        const id = subject.slice(subject.lastIndexOf('.') + 1);
        const misled = this.forging && data.includes('"basePolicy"') ? (JSON.parse(data) as JobResult).provenance : {};
        const text = trueTextOf(id, misled);
        if (!data.includes(`"row":${text}`)) this.fail(`${subject}: not the row that was expected: ${data}`);
        for (const [kind, digest] of text === expected.get(id) ? filesFor(id) : [])
          if (!this.#put.has(fileSubject(whoseResult(subject), `${kind}-${digest}`, 0)))
            this.fail(`${subject}: it is in the broker before its file ${kind}-${digest} ever was`);
        this.stored.add(subject.split('.').slice(3).join('.'));
      },
    };
  }

  fail(what: string): void {
    if (this.violation !== null) return;
    this.violation = what;
    this.world.note('VIOLATION', what);
  }

  #sweep(name: string): Sweep {
    const { world } = this;
    const arms = 1 + world.int(ARMS);
    const bases = 1 + world.int(BASES);
    const first = world.int(BASES);
    const its = Array.from({ length: bases }, (_, i) => ((first + i) % BASES) * ARMS).flatMap((at) => trials.slice(at, at + arms));
    const wanted = idsOf(its);
    return {
      name,
      trials: its,
      wanted,
      once: new Set(wanted),
      former: new Set(computedIds.filter((id, i) => i % 2 === 0 && !wanted.has(id))),
      disk: new Disk(),
      dropped: new Set(),
      by: null,
      schedule: null,
      bus: null,
      interrupted: false,
      done: false,
    };
  }

  /** From its next coordinator on. */
  want(sweep: Sweep, trials: readonly Planned[]): void {
    Object.assign(sweep, { trials, wanted: idsOf(trials) });
  }

  #link(by: Process, warn: (message: string) => void): NatsLink {
    const { client } = new SimulatedClient(by, this.broker, this.weather, this.#watch, LEASE_MS);
    return new NatsLink(client, { name: by.name.replace(' ', '-'), warn, patienceMs: 40_000, clock: by, random: this.world.chance });
  }

  #warn(by: Process): (message: string) => void {
    return (message) => {
      by.note(`warns: ${message}`);
      const [, alarmed] = /^determinism alarm: \w+ (\w+)/.exec(message) ?? [];
      if (alarmed !== undefined && !this.forging && !this.lied.has(alarmed)) this.fail(`${by.name}: ${message}`);
      if (this.quiet) this.fail(`${by.name} warns of something although nothing went wrong: ${message}`);
    };
  }

  startCoordinator(sweep: Sweep): void {
    const { world } = this;
    const by = new Process(`coord ${sweep.name}`, world);
    Object.assign(sweep, { by, schedule: null, bus: null, interrupted: false });
    by.note('starts');
    const again = (why: string): void => {
      if (!by.alive) return;
      by.note(`ends: ${why}; is started again`);
      by.kill();
      world.in(world.between(10, 2_000), () => this.startCoordinator(sweep));
    };
    const run = async (): Promise<void> => {
      const say = this.#warn(by);
      const refused = new Set<string>();
      const warn = (message: string): void => {
        const [, id] = /^\w+ (\w+): (?:row refused, .* found nothing|it started from a policy)/.exec(message) ?? [];
        if (id !== undefined) sweep.dropped.add(id);
        const liar = LIE.exec(message)
          ?.slice(1)
          .find((name) => name !== undefined);
        if (liar !== undefined) refused.add(liar);
        say(message);
      };
      const link = this.#link(by, warn);
      const store = new SimulatedStore(sweep.disk, by, sweep.former);
      const bus = await NatsCoordinatorBus.open(link, { cap: CAP, sweep: sweep.name, leaseMs: LEASE_MS, origin: store.files });
      const window = 1 + world.int(8);
      const held = new Set(world.happens(0.5) ? this.#told : []);
      const hold = (who: string, reason: string): void => {
        by.note(`holds ${who}: ${reason}`);
        if (!isLiar(who)) this.fail(`${by.name} holds ${who}, which is honest: ${reason}`);
        held.add(who);
        this.#told.add(who);
      };
      const { results } = bus;
      bus.results = () => this.#watched(results.call(bus), held, refused);
      const checks = this.forging ? await Checks.open({ store, ledger: store.ledger, share: 1, warn, random: world.chance }) : undefined;
      const schedule = new Schedule({
        trials: sweep.trials,
        store,
        bus,
        window,
        numerics: 'n',
        warn,
        hold,
        judgeFile: judge,
        clock: by,
        ...(checks && { checks }),
      });
      schedule.distrust(held);
      if (checks) by.every(LOOK_MS, () => void schedule.present(this.#present).catch((error: unknown) => by.note(String(error))));
      Object.assign(sweep, { schedule, bus });
      await schedule.run();
      await link.close();
      if (!schedule.complete && sweep.interrupted) return again('interrupted');
      if (checks?.leftover().length) return again('nobody was there to check some rows, as it says');
      if (!schedule.complete) return this.fail(`${by.name} ends although rows are missing`);
      by.note('is done');
      sweep.done = true;
      by.kill();
    };
    run().catch((error: unknown) => {
      if (error instanceof TransportError) again(error.message);
      else if (by.alive) this.fail(`${by.name}: ${(error as Error).stack}`);
    });
  }

  /** Whoever lies is held in time, and keeps nobody waiting. */
  async *#watched(
    results: AsyncIterable<Delivery | Malformed>,
    held: ReadonlySet<string>,
    refused: Set<string>,
  ): AsyncGenerator<Delivery | Malformed> {
    const bad = new Map<string, number>();
    for await (const delivery of results) {
      const { from } = delivery;
      const most = LIARS[from ?? ''];
      const since = this.world.now;
      yield delivery;
      const ms = this.world.now - since;
      if (this.onlyLies && ms > TURN_MS) this.fail(`a row of ${from} was on the desk for ${ms.toFixed(0)} ms`);
      if (from === null || most === undefined || held.has(from) || refused.delete(from) !== true) continue;
      const times = (bad.get(from) ?? 0) + 1;
      bad.set(from, times);
      if (times >= most) this.fail(`${from} is not held after ${times} row(s) that no honest worker has`);
    }
  }

  /** Who takes jobs, as its cards tell: one that is silent for long has gone. */
  get #present(): Present[] {
    const { now } = this.world;
    for (const { by, name } of this.workers) if (by?.alive && !by.cut) this.#seen.set(name, now);
    const there = this.workers.filter(({ name }) => now - (this.#seen.get(name) ?? -SILENT_MS) < SILENT_MS);
    return there.map(({ name }) => ({ identity: name.replace(' ', '-'), cpu: 'a cpu', node: 'v20' }));
  }

  startWorker(worker: Worker): void {
    const { world } = this;
    if (this.over && isLiar(worker.name)) return;
    const by = new Process(worker.name, world);
    by.note('starts');
    const warn = this.#warn(by);
    const link = this.#link(by, warn);
    const bus = new NatsAgentBus(link, { cap: CAP });
    const agent = new Agent({ bus, pool: this.#pool(by, worker.slots), numerics: 'n', name: link.name, warn, clock: by });
    Object.assign(worker, { by, bus, agent });
    const run = async (): Promise<void> => {
      await agent.run();
      await bus.close();
      await link.close();
      by.note('leaves');
      by.kill();
      if (!this.ending) world.in(world.between(10, 2_000), () => this.startWorker(worker));
    };
    run().catch((error: unknown) => this.fail(`${by.name}: ${(error as Error).stack}`));
  }

  #pool(by: Process, slots: number): ExecutorPool {
    let busy = 0;
    const run = async (job: Job, policy: Uint8Array | null): Promise<Finished> => {
      if (++busy > (this.forging ? 2 : 1) * slots) this.fail(`${by.name}: more jobs than slots`);
      if (job.kind === 'trial' && (!policy || contentDigest(policy) !== job.base.result.policy))
        this.fail(`${by.name}: not the policy of its base`);
      const isForged = isLiar(by.name) && this.world.happens(FORGES);
      if (!isLiar(by.name)) this.#count(job);
      by.note(`${isForged ? 'forges' : 'computes'} ${job.kind} ${job.id}`);
      await by.sleep(this.world.between(1, this.#longestMs));
      busy--;
      return isForged ? forge(job) : compute(job);
    };
    return { slots, run, stop: () => {} } as unknown as ExecutorPool;
  }

  #count({ kind, id }: Job): void {
    this.#executions++;
    const times = (this.#times.get(id) ?? 0) + 1;
    this.#times.set(id, times);
    if (times > MOST) this.fail(`${kind} ${id}: computed ${times} times`);
  }

  get #settled(): boolean {
    const { sweeps, broker } = this;
    return sweeps.every(({ done }) => done) && broker.messages(TASKS).length === 0 && broker.leased === 0;
  }

  async run(): Promise<void> {
    const { world } = this;
    for (const sweep of this.sweeps) world.in(world.between(0, 100), () => this.startCoordinator(sweep));
    for (const worker of this.workers) world.in(world.between(0, 2_000), () => this.startWorker(worker));
    const planned = this.quiet ? 0 : befall(this);
    const done = (): boolean => this.sweeps.every((sweep) => sweep.done);
    await world.run(() => this.violation !== null || done(), planned + QUIET_MS);
    becalm(this);
    this.broker.stick(false); // whoever would have made them anew has left
    const end = this.quiet ? 0 : Math.min(planned, world.now + LINGER_MS); // something late may still arrive
    await world.run(() => this.violation !== null || (world.now >= end && this.#settled), end + QUIET_MS);
    if (this.violation !== null) return;
    if (!this.#settled) return this.fail(this.#unsettled());
    this.ending = true;
    for (const { agent, bus } of this.workers) void agent?.drain().then(() => bus?.close());
    await world.run(() => this.workers.every(({ by }) => !by?.alive), world.now + QUIET_MS);
    if (this.workers.some(({ by }) => by?.alive)) this.fail('an agent does not leave when it is told to');
    this.#judge();
  }

  #unsettled(): string {
    const left = this.sweeps
      .filter(({ done }) => !done)
      .map(({ name, disk, wanted }) => `${name} has ${disk.whole.size} of ${wanted.size} rows`);
    const there = [TASKS, RESULTS].map(
      (name) => `${this.broker.messages(name).length} in ${name} (${this.broker.messages(name)[0]?.subject ?? ''})`,
    );
    return `not done ${QUIET_MS / 1000} s after the last fault: ${[...left, ...there].join(', ')}`;
  }

  #judge(): void {
    for (const { name, disk, wanted, once } of this.sweeps) {
      const rows = new Map([...disk.rows('base'), ...disk.rows('trial')]);
      for (const id of wanted)
        if (rows.get(id) !== expected.get(id)) this.fail(`${name}: ${id}: expected ${expected.get(id)}, got ${rows.get(id)}`);
      for (const id of rows.keys()) if (!once.has(id)) this.fail(`${name}: a row of ${id}, which nobody asked for`);
      for (const id of wanted)
        for (const [kind, digest] of filesFor(id)) {
          const bytes = disk.files.get(`${kind}-${digest}`);
          if (!bytes || contentDigest(bytes) !== digest) this.fail(`${name}: the file ${kind} ${digest} is not there`);
        }
    }
    if (!this.quiet) return;
    for (const [id, times] of this.#times)
      if (times > this.sweeps.length) this.fail(`${id}: computed ${times} times although nothing went wrong`);
  }

  outcome(seed: number): Outcome {
    const jobs = this.sweeps.reduce((sum, { once }) => sum + [...once].filter(isComputed).length, 0);
    return { seed, violation: this.violation, jobs, executions: this.#executions, events: this.world.events, virtualMs: this.world.now };
  }
}

/** Of what a coordinator says of a row, whose it is, if no accident explains it: files may be lost. */
const LIE = /row refused, (?!.*found nothing).*\(from (liar-\w+)\)|^lab\.result\.(liar-\w+)\..*dropped what is no result/;

const idsOf = (trials: readonly Planned[]): ReadonlySet<string> => new Set(trials.flatMap(({ id, baseId }) => [id, baseId]));

/** The history of a seed. `trace` is given a line for each thing that happens; `without`: kinds of faults that do not. */
export async function simulate(
  seed: number,
  trace: ((line: string) => void) | null = null,
  without: readonly string[] = [],
): Promise<Outcome> {
  const simulation = new Simulation(seed, trace, without);
  const unhandled = (error: unknown): void => simulation.fail(`unhandled: ${error instanceof Error ? error.stack : String(error)}`);
  process.on('unhandledRejection', unhandled);
  try {
    await simulation.run();
    return simulation.outcome(seed);
  } finally {
    process.off('unhandledRejection', unhandled);
  }
}
