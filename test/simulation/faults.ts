import { fileSubject, RESULTS, resultSubject, taskSubject } from '../../src/bus/nats/streams.ts';
import { contentDigest } from '../../src/contract/ids.ts';
import { calm } from './client.ts';
import { CAP, computedIds, garbage, HALF, isComputed, messageOf, strangers } from './jobs.ts';
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

function interruptCoordinator(s: Simulation, sweep = pick(s, s.sweeps)): void {
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

/** As who cancels a sweep and asks for less of it: what runs already still comes. */
function narrow(s: Simulation): void {
  const sweep = pick(s, s.sweeps);
  if (!sweep?.schedule || !sweep.by?.alive || sweep.trials.length < 2) return;
  const before = sweep.wanted;
  s.want(sweep, sweep.trials.slice(0, Math.ceil(sweep.trials.length / 2)));
  for (const id of before) if (!sweep.wanted.has(id)) sweep.former.add(id);
  sweep.by.note(`is asked to leave: only ${sweep.wanted.size} of ${before.size} rows are wanted`);
  interruptCoordinator(s, sweep);
}

/** Workers who send what no honest one has, each in one way only, so that none is held for another's; and how many such rows cost their trust. */
export const LIARS: Readonly<Record<string, number>> = {
  'liar-invents': 1,
  'liar-frames': 1,
  'liar-babbles': 3,
  'liar-cuts': 3,
  'liar-garbles': 1,
};
/** It lies about jobs that it was given. Nothing of one such row tells that it is not true. */
export const FORGER = 'liar forges';
export const isLiar = (name: string): boolean => name.startsWith('liar');
const HONEST = 'agent-1';
/** How often a lie is about a job that is waiting, and takes it away. */
const TAKES = 0.3;

/** A message that is a worker's own doing, whenever it likes; what the broker refuses is nothing. */
function send(s: Simulation, { sweep, id }: Target, who: string, text: string): void {
  const { broker, world } = s;
  if (!broker.up) return;
  const place = { cap: CAP, sweep };
  try {
    if (isLiar(who) && world.happens(TAKES)) broker.dropJob(taskSubject(place, id));
    broker.publish(RESULTS, resultSubject(place, id, who), text);
    if (!isLiar(who)) s.stored.add([CAP, sweep, id].join('.'));
    world.note(who, `sends of ${id}: ${text.slice(0, 40)}`);
  } catch {}
}

function putFile({ broker }: Simulation, who: string, digest: string, bytes: Uint8Array): void {
  try {
    if (broker.up) broker.putFile(fileSubject(who, `policies-${digest}`, 0), bytes);
  } catch {}
}

interface Target {
  readonly sweep: string;
  readonly id: string;
}

function target(s: Simulation, ids: (sweep: Simulation['sweeps'][number]) => Iterable<string>): Target | null {
  const sweep = pick(s, s.sweeps);
  const id = sweep && pick(s, [...ids(sweep)]);
  return sweep && id !== undefined ? { sweep: sweep.name, id } : null;
}

/** A row of a job that nobody gave out; `worker`: who made it, as it says. */
function invent(s: Simulation, who: string, worker: string): void {
  const it = target(s, (sweep) => [...strangers, ...computedIds.filter((id) => !sweep.wanted.has(id) && !sweep.former.has(id))]);
  if (it) send(s, it, who, messageOf(it.id, { worker }));
}

/** An honest row that an earlier plan of the sweep had asked for. */
function sendLate(s: Simulation): void {
  const it = target(s, (sweep) => [...sweep.former].filter(isComputed));
  if (it) send(s, it, HONEST, messageOf(it.id, { worker: HONEST }));
}

const JUNK = [
  '',
  'junk',
  '{}',
  'null',
  '[[',
  '{"kind":"trial"',
  '\ufffd\u0000',
  `${'['.repeat(1000)}${']'.repeat(1000)}`,
  '{"__proto__":{}}',
];

/** What is no result, or the result of another job. */
function babble(s: Simulation): void {
  const it = target(s, (sweep) => sweep.wanted);
  const who = 'liar-babbles';
  if (it) send(s, it, who, JUNK[s.world.int(JUNK.length + 1)] ?? messageOf(strangers[0] ?? '', { worker: who }));
}

/** A row of the right form, of a policy whose file promises a second part and has none. */
function truncate(s: Simulation): void {
  const it = target(s, (sweep) => sweep.wanted);
  if (!it) return;
  s.lied.add(it.id);
  const who = 'liar-cuts';
  putFile(s, who, HALF_DIGEST, HALF);
  send(s, it, who, messageOf(it.id, { worker: who, policy: HALF_DIGEST }));
}
const HALF_DIGEST = contentDigest(HALF);

/** A row of the right form, and what is no policy under the digest of what it is. */
function garble(s: Simulation): void {
  const it = target(s, (sweep) => sweep.wanted);
  const bytes = pick(s, garbage);
  if (!it || !bytes) return;
  s.lied.add(it.id);
  const [who, policy] = ['liar-garbles', contentDigest(bytes)];
  putFile(s, who, policy, bytes);
  send(s, it, who, messageOf(it.id, { worker: who, policy }));
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
  { name: 'interrupt coordinator', everyMs: 15_000, strike: (s) => interruptCoordinator(s) },
  { name: 'freeze', everyMs: 6_000, strike: freeze },
  { name: 'cut', everyMs: 8_000, strike: (s) => cut(s) },
  { name: 'kill server', everyMs: 10_000, strike: (s) => crashServer(s, false) },
  { name: 'wipe', everyMs: 12_000, strike: (s) => crashServer(s, true) },
  { name: 'full', everyMs: 12_000, strike: fill },
  { name: 'stuck', everyMs: 20_000, strike: stick },
];

/** Of rows and files. */
const lies: readonly Fault[] = [
  { name: 'narrow', everyMs: 20_000, strike: narrow },
  { name: 'invented', everyMs: 6_000, strike: (s) => invent(s, 'liar-invents', 'liar-invents') },
  { name: 'framed', everyMs: 6_000, strike: (s) => invent(s, 'liar-frames', HONEST) },
  { name: 'late', everyMs: 6_000, strike: sendLate },
  { name: 'junk', everyMs: 4_000, strike: babble },
  { name: 'truncated', everyMs: 4_000, strike: truncate },
  { name: 'garbage', everyMs: 6_000, strike: garble },
];

/**
 * Plans what befalls a simulation, some kinds of it in each history, so that none hides another. Returns when the last of it is over:
 * after that everything is well.
 */
export function befall(s: Simulation): number {
  const { world, weather } = s;
  const stormMs = world.between(5_000, 40_000);
  for (const { name, everyMs, strike } of [...(s.onlyLies ? [] : faults), ...lies]) {
    if (world.happens(0.5) || s.without.includes(name)) continue;
    for (let at = world.between(0, everyMs); at < stormMs; at += world.between(0.2, 1.8) * everyMs) world.at(at, () => s.over || strike(s));
  }
  world.at(stormMs, () => becalm(s));
  if (s.onlyLies) return stormMs + LINGER_MS;
  if (world.happens(0.6)) {
    weather.lose = world.happens(0.5) ? world.between(0, 0.1) : 0;
    weather.duplicate = world.happens(0.5) ? world.between(0, 0.1) : 0;
    weather.slow = world.happens(0.5) ? world.between(0, 0.2) : 0;
    weather.slowMs = [20, 1_000, 8_000][world.int(3)] ?? 0;
  }
  if (world.happens(0.5)) s.strikes = [0.005, 0.02, 0.08][world.int(3)] ?? 0;
  return stormMs + LINGER_MS;
}

/** Nothing goes wrong any more, but what has begun to goes on for a while. */
export function becalm(s: Simulation): void {
  if (s.over) return;
  s.over = true;
  s.strikes = 0;
  Object.assign(s.weather, calm);
  for (const { by, name } of s.workers) if (isLiar(name)) by?.kill(); // somebody took its key away
  s.world.note('', 'the storm is over');
}
