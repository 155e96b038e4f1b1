import { fileSubject, PART_BYTES, RESULTS, resultSubject } from '../../src/bus/nats/streams.ts';
import { contentDigest } from '../../src/contract/ids.ts';
import { calm } from './client.ts';
import { CAP, computedIds, filesFor, garbage, LIAR, messageOf } from './jobs.ts';
import type { Simulation } from './simulate.ts';
import type { Process } from './world.ts';

interface Fault {
  readonly name: string;
  /** Mean time between two of them. */
  readonly everyMs: number;
  readonly strike: (simulation: Simulation) => void;
}

/** Leases that a process may be away. */
const LONGEST = 3;
/** What was begun is over after so long, and every late message has arrived. */
export const LINGER_MS = 13_000;

const pick = <T>({ world }: Simulation, among: readonly T[]): T | undefined => among[world.int(Math.max(1, among.length))];

/** Coordinators and agents that are alive. */
const processes = ({ sweeps, workers }: Simulation): Process[] => [...sweeps, ...workers].flatMap(({ by }) => (by?.alive ? [by] : []));

function killAgent(s: Simulation, worker = pick(s, s.workers)): void {
  if (!worker?.by?.alive) return;
  worker.by.note('is killed');
  worker.by.kill();
  s.world.in(s.world.between(10, 6_000), () => s.startWorker(worker));
}

function killCoordinator(s: Simulation, sweep = pick(s, s.sweeps)): void {
  if (!sweep?.by?.alive) return;
  sweep.by.note('is killed');
  sweep.by.kill();
  s.world.in(s.world.between(10, 6_000), () => s.startCoordinator(sweep));
}

/** As the first Ctrl-C does. */
function drainAgent(s: Simulation): void {
  const worker = pick(s, s.workers);
  if (!worker?.by?.alive) return;
  const { agent, bus } = worker;
  worker.by.note('is asked to leave');
  void agent?.drain().then(() => bus?.close());
}

function interruptCoordinator(s: Simulation): void {
  const sweep = pick(s, s.sweeps);
  if (!sweep?.by?.alive || !sweep.schedule) return;
  sweep.by.note('is asked to leave');
  sweep.interrupted = true;
  sweep.schedule.stop();
  void sweep.bus?.close();
}

function freeze(s: Simulation): void {
  const by = pick(s, processes(s));
  if (!by) return;
  by.note('is stopped');
  by.freeze();
  s.world.in(s.world.between(100, LONGEST * s.leaseMs), () => {
    by.note('goes on');
    by.thaw();
  });
}

function cut(s: Simulation, by = pick(s, processes(s))): void {
  if (!by) return;
  by.note('is cut off');
  by.cut = true;
  s.world.in(s.world.between(100, LONGEST * s.leaseMs), () => {
    by.note('is back on the network');
    by.cut = false;
  });
}

function crashServer(s: Simulation, wipe: boolean, longestMs = 5_000): void {
  const { broker, world } = s;
  if (!broker.up) return;
  world.note('broker', wipe ? 'is killed, and its disk is wiped' : 'is killed');
  broker.crash();
  if (wipe) broker.wipe();
  world.in(world.between(1, longestMs), () => {
    world.note('broker', 'is back');
    broker.restart(world.happens(0.5));
  });
}

function fill({ broker, world }: Simulation): void {
  world.note('broker', 'has a full disk');
  broker.full = true;
  world.in(world.between(100, 12_000), () => {
    world.note('broker', 'has space again');
    broker.full = false;
  });
}

function stick({ broker, world }: Simulation): void {
  world.note('broker', 'gives out nothing new');
  broker.stick(true);
}

/** A message that is a worker's own doing, whenever it likes; what the broker refuses is nothing. */
function send({ broker, world }: Simulation, sweep: string, id: string, who: string, text: string): void {
  if (!broker.up) return;
  try {
    broker.publish(RESULTS, resultSubject({ cap: CAP, sweep }, id, who), text);
    world.note(who, `sends of ${id}: ${text.slice(0, 40)}`);
  } catch {}
}

function putFile({ broker }: Simulation, name: string, bytes: Uint8Array): void {
  try {
    if (broker.up) broker.putFile(fileSubject(LIAR, name, 0), bytes);
  } catch {}
}

const HONEST = 'agent-1';
/** An id of which a sweep wants a row, or wants none and never did. */
function someId(s: Simulation, wanted: boolean): readonly [sweep: string, id: string] | null {
  const sweep = pick(s, s.sweeps);
  if (!sweep) return null;
  const id = pick(
    s,
    computedIds.filter((one) => (wanted ? sweep.wanted.has(one) : !sweep.wanted.has(one) && !sweep.former.has(one))),
  );
  return id === undefined ? null : [sweep.name, id];
}

/** A row of a job that nobody gave out; `framing`: it says that somebody else made it. */
function invent(s: Simulation, framing: boolean): void {
  const [sweep, id] = someId(s, false) ?? [];
  if (sweep !== undefined && id !== undefined) send(s, sweep, id, LIAR, messageOf(id, framing ? HONEST : LIAR));
}

/** An honest row that an earlier plan of the sweep had asked for. */
function sendLate(s: Simulation): void {
  const sweep = pick(s, s.sweeps);
  const id = sweep && pick(s, [...sweep.former]);
  if (sweep && id !== undefined) send(s, sweep.name, id, HONEST, messageOf(id, HONEST));
}

function sendJunk(s: Simulation): void {
  const [sweep, id] = someId(s, true) ?? [];
  if (sweep !== undefined && id !== undefined) send(s, sweep, id, LIAR, ['', 'junk', '{}', '{"kind":"trial"'][s.world.int(4)] ?? '');
}

/** The true row, and a file that promises a second part and has none. */
function truncate(s: Simulation): void {
  const [sweep, id] = someId(s, true) ?? [];
  if (sweep === undefined || id === undefined) return;
  for (const [kind, digest] of filesFor(id)) putFile(s, `${kind}-${digest}`, HALF);
  send(s, sweep, id, LIAR, messageOf(id, LIAR));
}
const HALF = new Uint8Array(PART_BYTES);

/** A row of the right form, and what is no policy under the digest of what it is. */
function sendGarbage(s: Simulation): void {
  const [sweep, id] = someId(s, true) ?? [];
  if (sweep === undefined || id === undefined) return;
  const digest = contentDigest(garbage);
  s.lied.add(id);
  putFile(s, `policies-${digest}`, garbage);
  send(s, sweep, id, LIAR, messageOf(id, LIAR, digest));
}

/** What ends at the very moment at which a request arrives. */
export function strike(s: Simulation, by: Process): void {
  const worker = s.workers.find((worker) => worker.by === by);
  const sweep = s.sweeps.find((sweep) => sweep.by === by);
  const which = s.world.chance();
  if (which < 0.4) crashServer(s, s.world.happens(0.7), 20);
  else if (which < 0.7) cut(s, by);
  else if (worker) killAgent(s, worker);
  else if (sweep) killCoordinator(s, sweep);
}

const faults: readonly Fault[] = [
  { name: 'kill agent', everyMs: 6_000, strike: (s) => killAgent(s) },
  { name: 'kill coordinator', everyMs: 8_000, strike: (s) => killCoordinator(s) },
  { name: 'drain agent', everyMs: 10_000, strike: drainAgent },
  { name: 'interrupt coordinator', everyMs: 15_000, strike: interruptCoordinator },
  { name: 'freeze', everyMs: 6_000, strike: freeze },
  { name: 'cut', everyMs: 8_000, strike: (s) => cut(s) },
  { name: 'kill server', everyMs: 10_000, strike: (s) => crashServer(s, false) },
  { name: 'wipe', everyMs: 12_000, strike: (s) => crashServer(s, true) },
  { name: 'full', everyMs: 12_000, strike: fill },
  { name: 'stuck', everyMs: 20_000, strike: stick },
  { name: 'invented row', everyMs: 8_000, strike: (s) => invent(s, false) },
  { name: 'framed', everyMs: 8_000, strike: (s) => invent(s, true) },
  { name: 'late row', everyMs: 6_000, strike: sendLate },
  { name: 'junk', everyMs: 6_000, strike: sendJunk },
  { name: 'truncated file', everyMs: 6_000, strike: truncate },
  { name: 'garbage', everyMs: 8_000, strike: sendGarbage },
];

/**
 * Plans what befalls a simulation, some kinds of it in each history, so that none hides another. Returns when the last of it is over:
 * after that everything is well.
 */
export function befall(s: Simulation): number {
  const { world, weather } = s;
  const stormMs = world.between(5_000, 40_000);
  for (const { everyMs, strike } of faults) {
    if (world.happens(0.5)) continue;
    for (let at = world.between(0, everyMs); at < stormMs; at += world.between(0.2, 1.8) * everyMs) world.at(at, () => s.over || strike(s));
  }
  if (world.happens(0.6)) {
    weather.lose = world.happens(0.5) ? world.between(0, 0.1) : 0;
    weather.duplicate = world.happens(0.5) ? world.between(0, 0.1) : 0;
    weather.slow = world.happens(0.5) ? world.between(0, 0.2) : 0;
    weather.slowMs = [20, 1_000, 8_000][world.int(3)] ?? 0;
  }
  if (world.happens(0.5)) s.strikes = [0.005, 0.02, 0.08][world.int(3)] ?? 0;
  world.at(stormMs, () => becalm(s));
  return stormMs + LINGER_MS;
}

/** Nothing goes wrong any more, but what has begun to goes on for a while. */
export function becalm(s: Simulation): void {
  if (s.over) return;
  s.over = true;
  s.strikes = 0;
  Object.assign(s.weather, calm);
  s.world.note('', 'the storm is over');
}
