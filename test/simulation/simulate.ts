import { NatsAgentBus } from '../../src/bus/nats/agent.ts';
import { NatsCoordinatorBus } from '../../src/bus/nats/coordinator.ts';
import { NatsLink } from '../../src/bus/nats/link.ts';
import { fileSubject, RESULTS, TASKS, whoseResult } from '../../src/bus/nats/streams.ts';
import { TransportError } from '../../src/contract/errors.ts';
import { contentDigest } from '../../src/contract/ids.ts';
import type { Job } from '../../src/contract/job.ts';
import { type Planned, Schedule } from '../../src/coordinator/schedule.ts';
import { Agent } from '../../src/worker/agent/agent.ts';
import type { ExecutorPool } from '../../src/worker/executor/pool.ts';
import type { Finished } from '../../src/worker/executor/protocol.ts';
import { Broker } from './broker.ts';
import { calm, SimulatedClient, type Watch, type Weather } from './client.ts';
import { Disk, SimulatedStore } from './disk.ts';
import { becalm, befall, LINGER_MS, strike } from './faults.ts';
import { ARMS, BASES, CAP, compute, computedIds, expected, filesFor, isComputed, judgeFile, LIAR, trials } from './jobs.ts';
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
/** From the last fault on, everything must be done within. */
const QUIET_MS = 300_000;
/** No job may be computed more often, whatever happens. */
const MOST = 40;

/** A sweep, with the coordinator that is alive for it. */
export interface Sweep {
  readonly name: string;
  readonly trials: readonly Planned[];
  readonly wanted: ReadonlySet<string>;
  /** Ids that an earlier plan of it wanted. */
  readonly former: ReadonlySet<string>;
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
  readonly #stored = new Set<string>();
  /** Files that were on their way into the broker at some time. */
  readonly #put = new Set<string>();
  readonly #longestMs: number;
  readonly #watch: Watch;

  constructor(seed: number, trace: ((line: string) => void) | null) {
    this.world = new World(seed, trace);
    this.broker = new Broker(this.world);
    this.quiet = seed % 8 === 0;
    const { world } = this;
    this.#longestMs = [200, 1_000, 3 * LEASE_MS][world.int(3)] ?? 0;
    this.sweeps = ['alpha', 'beta'].slice(0, 1 + world.int(2)).map((name) => this.#sweep(name));
    this.workers = Array.from({ length: 1 + world.int(3) }, (_, i) => ({
      name: `agent ${i + 1}`,
      slots: 1 + world.int(2),
      by: null,
      agent: null,
      bus: null,
    }));
    this.#watch = {
      onArrival: (by) => {
        if (world.happens(this.strikes)) strike(this, by);
      },
      onAck: (by, subject) => {
        if (!this.#stored.has(subject.slice('lab.task.'.length)))
          this.fail(`${by.name} says that ${subject} is done, but its result never was in the broker`);
      },
      onLateNak: (by, reply) => this.fail(`${by.name} gives back what it has lost: ${reply}`),
      onPurge: (by, subject) => {
        if (subject.startsWith(`lab.result.${LIAR}.`)) return;
        const id = subject.slice(subject.lastIndexOf('.') + 1);
        const sweep = this.sweeps.find(({ name }) => subject.includes(`.${name}.`));
        if (!sweep || sweep.disk.whole.has(id) || !sweep.wanted.has(id) || sweep.dropped.has(id)) return;
        this.fail(`${by.name} takes ${subject} out of the broker before its row is on the disk`);
      },
      onPut: (subject) => void this.#put.add(subject),
      onStored: (subject, data) => {
        const id = subject.slice(subject.lastIndexOf('.') + 1);
        if (!data.includes(`"row":${expected.get(id)}`)) this.fail(`${subject}: not the row that was expected: ${data}`);
        for (const [kind, digest] of filesFor(id))
          if (!this.#put.has(fileSubject(whoseResult(subject), `${kind}-${digest}`, 0)))
            this.fail(`${subject}: it is in the broker before its file ${kind}-${digest} ever was`);
        this.#stored.add(subject.split('.').slice(3).join('.'));
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
    const wanted = new Set(its.flatMap(({ id, baseId }) => [id, baseId]));
    return {
      name,
      trials: its,
      wanted,
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

  #link(by: Process, warn: (message: string) => void): NatsLink {
    const { client } = new SimulatedClient(by, this.broker, this.weather, this.#watch, LEASE_MS);
    return new NatsLink(client, { name: by.name.replace(' ', '-'), warn, patienceMs: 40_000, clock: by, random: this.world.chance });
  }

  #warn(by: Process): (message: string) => void {
    return (message) => {
      by.note(`warns: ${message}`);
      const [, alarmed] = /^determinism alarm: \w+ (\w+)/.exec(message) ?? [];
      if (alarmed !== undefined && !this.lied.has(alarmed)) this.fail(`${by.name}: ${message}`);
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
      const warn = (message: string): void => {
        const [, id] = /^\w+ (\w+): row refused, .* found nothing/.exec(message) ?? [];
        if (id !== undefined) sweep.dropped.add(id);
        say(message);
      };
      const link = this.#link(by, warn);
      const store = new SimulatedStore(sweep.disk, by, sweep.former);
      const bus = await NatsCoordinatorBus.open(link, { cap: CAP, sweep: sweep.name, leaseMs: LEASE_MS, origin: store.files });
      const window = 1 + world.int(8);
      const hold = (who: string, reason: string): void => {
        by.note(`holds ${who}: ${reason}`);
        if (who !== LIAR) this.fail(`${by.name} holds ${who}, which is honest: ${reason}`);
      };
      const schedule = new Schedule({ trials: sweep.trials, store, bus, window, numerics: 'n', warn, hold, judgeFile, clock: by });
      Object.assign(sweep, { schedule, bus });
      await schedule.run();
      await link.close();
      if (!schedule.complete && sweep.interrupted) return again('interrupted');
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

  startWorker(worker: Worker): void {
    const { world } = this;
    const by = new Process(worker.name, world);
    by.note('starts');
    const warn = this.#warn(by);
    const link = this.#link(by, warn);
    const bus = new NatsAgentBus(link, { cap: CAP });
    const agent = new Agent({ bus, pool: this.#pool(by, worker.slots), numerics: 'n', warn, clock: by });
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
      if (++busy > slots) this.fail(`${by.name}: more jobs than slots`);
      if (job.kind === 'trial' && (!policy || contentDigest(policy) !== job.base.result.policy))
        this.fail(`${by.name}: not the policy of its base`);
      this.#executions++;
      const times = (this.#times.get(job.id) ?? 0) + 1;
      this.#times.set(job.id, times);
      if (times > MOST) this.fail(`${job.kind} ${job.id}: computed ${times} times`);
      by.note(`computes ${job.kind} ${job.id}`);
      await by.sleep(this.world.between(1, this.#longestMs));
      busy--;
      return compute(job);
    };
    return { slots, run, stop: () => {} } as unknown as ExecutorPool;
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
    for (const { name, disk, wanted } of this.sweeps) {
      const rows = new Map([...disk.rows('base'), ...disk.rows('trial')]);
      for (const id of wanted)
        if (rows.get(id) !== expected.get(id)) this.fail(`${name}: ${id}: expected ${expected.get(id)}, got ${rows.get(id)}`);
      if (rows.size !== wanted.size) this.fail(`${name}: ${rows.size} rows for ${wanted.size} ids`);
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
    const jobs = this.sweeps.reduce((sum, { wanted }) => sum + [...wanted].filter(isComputed).length, 0);
    return { seed, violation: this.violation, jobs, executions: this.#executions, events: this.world.events, virtualMs: this.world.now };
  }
}

/** The history of a seed. `trace` is given a line for each thing that happens. */
export async function simulate(seed: number, trace: ((line: string) => void) | null = null): Promise<Outcome> {
  const simulation = new Simulation(seed, trace);
  const unhandled = (error: unknown): void => simulation.fail(`unhandled: ${error instanceof Error ? error.stack : String(error)}`);
  process.on('unhandledRejection', unhandled);
  try {
    await simulation.run();
    return simulation.outcome(seed);
  } finally {
    process.off('unhandledRejection', unhandled);
  }
}
