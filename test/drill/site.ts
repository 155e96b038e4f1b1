import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NatsServer } from '../../src/bus/nats/server.ts';
import { server as binary } from '../bus/nats/servers.ts';
import { childrenOf, isAlive, sleep } from '../cli/spc.ts';
import { linesOf } from './folder.ts';
import type { Frame } from './frames.ts';
import { type Noise, Wire } from './wire.ts';

/** Short, so that what a fault costs is seconds. */
export const LEASE_MS = 4_000;

const ENTRY = fileURLToPath(new URL('./spc.mjs', import.meta.url));
const KB = 1024;
/** A process is as large as it is going to be for lack of work after so long. */
const SETTLED_MS = 5_000;

/** One life of a process. */
export interface Life {
  readonly name: string;
  readonly pid: number;
  readonly child: ChildProcess;
  readonly bornAt: number;
  readonly ended: Promise<number | null>;
}

/** One worker, life after life, at its own end of its own wire. */
export interface Seat {
  readonly name: string;
  readonly wire: Wire;
  life: Life;
  /** Between two lives. */
  vacant: boolean;
  /** Jobs that the server gave out over this wire in this life, and of which no result went back. */
  readonly holds: Set<string>;
}

/** A job that was given out: what the wires have seen. */
export interface Given {
  readonly seat: string;
  readonly id: string;
  readonly attempt: number;
  readonly at: number;
}

export interface SiteOptions {
  readonly folder: string;
  readonly sweep: string;
  readonly workers: number;
  readonly noise?: Noise;
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * A broker, workers and a coordinator as what they are, processes, with a wire between each worker and the broker that can be listened to.
 * Every process writes into a log of its own.
 */
export class Site {
  readonly results: string;
  readonly seats: Seat[] = [];
  readonly given: Given[] = [];
  /** Results that went over a wire: one for every execution that was finished, however often it was said. */
  readonly finished = new Set<string>();
  /** What happened, in order. */
  readonly diary: string[] = [];
  readonly #options: SiteOptions;
  readonly #seen = new Set<number>();
  /** Resident KB of a worker when it had settled, and the most since. */
  readonly #sizes = new Map<number, { settled: number; most: number }>();
  readonly #startedAt = Date.now();
  readonly #watch: NodeJS.Timeout;
  #server: NatsServer;
  #coordinator: Life | null = null;
  #closing = false;
  #lives = 0;

  private constructor(options: SiteOptions, server: NatsServer) {
    this.#options = options;
    this.#server = server;
    this.results = join(options.folder, 'results');
    this.#watch = setInterval(() => this.#look(), 200);
  }

  static async start(options: SiteOptions): Promise<Site> {
    if (typeof binary === 'string') throw new Error(binary);
    const site = new Site(options, await NatsServer.start({ binary: binary.path, store: join(options.folder, 'store') }));
    site.#seen.add(site.#server.pid);
    for (let i = 0; i < options.workers; i++) await site.#seat(`worker-${i}`);
    return site;
  }

  get server(): NatsServer {
    return this.#server;
  }

  get coordinator(): Life | null {
    return this.#coordinator;
  }

  /** Rows on the disk. */
  get rows(): number {
    const folder = join(this.results, 'drill');
    return linesOf(folder, 'bases.jsonl').length + linesOf(folder, 'trials.jsonl').length;
  }

  note(text: string): void {
    this.diary.push(`${((Date.now() - this.#startedAt) / 1000).toFixed(2).padStart(7)} s  ${text}`);
  }

  /** Starts coordinators until one ends by itself: with that exit code the sweep is done, with any other this throws. */
  async sweep(expected = 0): Promise<void> {
    const command = ['run', this.#options.sweep, '--results', this.results, '--nats', this.#server.url, '--wait', '10m', '--quiet'];
    for (;;) {
      const life = this.#spawn('coordinator', command);
      this.#coordinator = life;
      const code = await life.ended;
      this.#coordinator = null;
      if (code === expected) return this.note('the coordinator is done');
      if (code !== null || this.#closing) throw new Error(`${life.name} ended with exit code ${code}; see its log`);
      await sleep(500);
    }
  }

  /** A coordinator beside others, for a sweep of its own. Resolves with its exit code. */
  beside(sweep: string, ...more: string[]): Promise<number | null> {
    const command = ['run', sweep, '--results', this.results, '--nats', this.#server.url, '--wait', '10m', '--quiet', ...more];
    return this.#spawn('coordinator', command).ended;
  }

  /** Starts workers again that ended by themselves, as a supervisor does. Returns how many. */
  revive(): number {
    const dead = this.seats.filter(({ life, vacant }) => !vacant && !isAlive(life.pid));
    for (const seat of dead) {
      this.note(`${seat.life.name} has died`);
      this.#hire(seat);
    }
    return dead.length;
  }

  killCoordinator(): boolean {
    if (this.#coordinator === null) return false;
    this.note(`kill -9 ${this.#coordinator.name}`);
    return signal(this.#coordinator.pid, 'SIGKILL');
  }

  async killWorker(seat: Seat, pauseMs = 300): Promise<boolean> {
    if (seat.vacant) return false;
    seat.vacant = true;
    this.note(`kill -9 ${seat.life.name}, with ${seat.holds.size} job(s)`);
    this.#look(); // who its executor is
    signal(seat.life.pid, 'SIGKILL');
    await seat.life.ended;
    await sleep(pauseMs);
    if (!this.#closing) this.#hire(seat);
    return true;
  }

  /** Stands still, with its executor: as a machine that is paused. */
  async freezeWorker(seat: Seat, ms: number): Promise<boolean> {
    if (seat.vacant) return false;
    const { life } = seat;
    const all = [life.pid, ...childrenOf(life.pid)];
    this.note(`SIGSTOP ${life.name} for ${ms} ms`);
    for (const pid of all) signal(pid, 'SIGSTOP');
    await sleep(ms);
    for (const pid of all) signal(pid, 'SIGCONT');
    return true;
  }

  async blackhole(seat: Seat, ms: number, cut: boolean): Promise<boolean> {
    this.note(`blackhole of ${seat.life.name} for ${ms} ms${cut ? ', and its connection is lost' : ''}`);
    seat.wire.freeze();
    await sleep(ms);
    seat.wire.thaw(cut);
    return true;
  }

  /** On the same port; with the same store, unless that is lost. */
  async killServer(pauseMs: number, { wipe = false } = {}): Promise<void> {
    const { port, store } = this.#server;
    this.note(`kill -9 of the server${wipe ? ', and its store is deleted' : ''}`);
    await this.#server.kill();
    if (wipe) rmSync(store, { recursive: true, force: true });
    await sleep(pauseMs);
    if (this.#closing || typeof binary === 'string') return;
    this.#server = await NatsServer.start({ binary: binary.path, store, port });
    this.#seen.add(this.#server.pid);
    this.note(`the server is back as process ${this.#server.pid}`);
  }

  /** Ends everything as its owner would. Returns the processes that did not end, and workers that ended otherwise than asked. */
  async close(): Promise<string[]> {
    this.#closing = true;
    clearInterval(this.#watch);
    this.#look();
    const wrong: string[] = [];
    if (this.#coordinator !== null) signal(this.#coordinator.pid, 'SIGKILL');
    const codes = this.seats.map(({ life }) => {
      signal(life.pid, 'SIGTERM');
      return Promise.race([life.ended, sleep(20_000).then(() => 'did not end within 20 s of SIGTERM')]);
    });
    for (const [i, code] of (await Promise.all(codes)).entries())
      if (code !== 143) wrong.push(`${this.seats[i]!.life.name}: expected exit code 143 after SIGTERM, got ${code}`);
    for (const { wire } of this.seats) await wire.close();
    await this.#server.stop();
    for (const end = Date.now() + 5_000; this.#left().length > 0 && Date.now() < end; ) await sleep(50);
    wrong.push(...this.#left().map((pid) => `process ${pid} is left over: ${commandOf(pid)}`));
    for (const pid of this.#left()) signal(pid, 'SIGKILL');
    return wrong;
  }

  /** MB that a worker has grown by since it had settled, at most. */
  get growthMb(): number {
    return Math.max(0, ...[...this.#sizes.values()].map(({ settled, most }) => (most - settled) / KB));
  }

  get logs(): ReadonlyMap<string, string> {
    const names = readdirSync(this.#options.folder).filter((name) => name.endsWith('.log'));
    return new Map(names.map((name) => [name, readFileSync(join(this.#options.folder, name), 'utf8')]));
  }

  async #seat(name: string): Promise<void> {
    const { noise } = this.#options;
    const fromServer = ({ subject, reply }: Frame): void => {
      if (!subject.startsWith('lab.task.') || !reply.startsWith('$JS.ACK.')) return;
      const id = lastOf(subject);
      seat.holds.add(id);
      this.given.push({ seat: name, id, attempt: attemptOf(reply), at: performance.now() });
    };
    const fromWorker = ({ verb, subject, body }: Frame): void => {
      if (!verb.endsWith('PUB') || !subject.startsWith('lab.result.')) return;
      seat.holds.delete(lastOf(subject));
      this.finished.add(createHash('sha256').update(body).digest('hex')); // times are part of it, so no two executions are alike
    };
    const wire = await Wire.start({ port: () => this.#server.port, fromServer, fromWorker, ...(noise && { noise }) });
    const seat: Seat = { name, wire, holds: new Set(), vacant: false, life: this.#worker(name, wire.url) };
    this.seats.push(seat);
  }

  #hire(seat: Seat): void {
    seat.holds.clear();
    seat.vacant = false;
    seat.life = this.#worker(seat.name, seat.wire.url);
  }

  #worker(name: string, url: string): Life {
    return this.#spawn(name, ['worker', '--nats', url, '--slots', '1', '--wait', '10m']);
  }

  #spawn(role: string, args: readonly string[]): Life {
    const name = `${role}.${++this.#lives}`;
    const log = openSync(join(this.#options.folder, `${name}.log`), 'w');
    const child = spawn(process.execPath, [ENTRY, ...args], {
      cwd: this.#options.folder,
      env: { ...process.env, LEASE_MS: String(LEASE_MS), ...this.#options.env },
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    const pid = child.pid ?? 0;
    this.#seen.add(pid);
    const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
    this.note(`${name} is process ${pid}`);
    return { name, pid, child, bornAt: Date.now(), ended };
  }

  /** Remembers who there was and how large the workers are. */
  #look(): void {
    for (const { life } of this.seats) {
      for (const pid of childrenOf(life.pid)) this.#seen.add(pid);
      const kb = residentKb(life.pid);
      if (kb === 0 || Date.now() - life.bornAt < SETTLED_MS) continue;
      const { settled, most } = this.#sizes.get(life.pid) ?? { settled: kb, most: kb };
      this.#sizes.set(life.pid, { settled, most: Math.max(most, kb) });
    }
  }

  #left(): number[] {
    return [...this.#seen].filter(isAlive);
  }
}

const lastOf = (subject: string): string => subject.slice(subject.lastIndexOf('.') + 1);

/** `$JS.ACK.<stream>.<consumer>.<delivered>...`; servers with a domain say two words more. */
function attemptOf(reply: string): number {
  const words = reply.split('.');
  return Number(words[words.length > 10 ? 6 : 4]);
}

function signal(pid: number, what: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, what);
  } catch {
    return false; // it has ended
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

const commandOf = (pid: number): string => read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim();
const residentKb = (pid: number): number => Number(/^VmRSS:\s+(\d+)/m.exec(read(`/proc/${pid}/status`))?.[1] ?? 0);
