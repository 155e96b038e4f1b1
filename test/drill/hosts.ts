import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';

const ip = (...args: string[]): string => execFileSync('ip', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

/** Why there can be no hosts here; null where there can. */
export function noHosts(): string | null {
  const name = `spc-probe-${process.pid}`;
  try {
    ip('netns', 'add', name);
    ip('-n', name, 'link', 'add', 'name', 'a', 'type', 'veth', 'peer', 'name', 'b');
    return null;
  } catch (error) {
    return error instanceof Error ? error.message.replaceAll('\n', ' ').trim() : String(error);
  } finally {
    try {
      ip('netns', 'del', name);
    } catch {
      // it was not made
    }
  }
}

/** A process on a host. */
export interface Resident {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly log: string;
  readonly ended: Promise<number | null>;
}

/**
 * A hub and some hosts around it, each with a wire of its own to the hub: network namespaces of one machine. Linux, and root.
 * Addresses are known within the namespaces alone.
 */
export class Hosts {
  readonly #folder: string;
  readonly #names: readonly string[];
  readonly #residents: Resident[] = [];

  /** `folder` is for the logs. The first name is the hub's. */
  constructor(folder: string, names: readonly string[]) {
    this.#folder = folder;
    this.#names = names;
    const [hub = ''] = names;
    for (const name of names) {
      ip('netns', 'add', space(name));
      ip('-n', space(name), 'link', 'set', 'lo', 'up');
    }
    for (const [i, name] of names.entries()) {
      if (name === hub) continue;
      ip('-n', space(hub), 'link', 'add', 'name', name, 'type', 'veth', 'peer', 'name', 'wire', 'netns', space(name));
      ip('-n', space(hub), 'address', 'add', `10.213.${i}.1/24`, 'dev', name);
      ip('-n', space(name), 'address', 'add', `10.213.${i}.2/24`, 'dev', 'wire');
      ip('-n', space(hub), 'link', 'set', name, 'up');
      ip('-n', space(name), 'link', 'set', 'wire', 'up');
    }
  }

  /** The hub's address as that host sees it. */
  hubOf(name: string): string {
    return `10.213.${this.#names.indexOf(name)}.1`;
  }

  /** Starts a process there. `ip` becomes that process, so its number is the process's. */
  run(host: string, role: string, command: readonly string[], env: Readonly<Record<string, string>> = {}): Resident {
    const log = join(this.#folder, `${role}.log`);
    const file = openSync(log, 'w');
    const args = ['netns', 'exec', space(host), ...command];
    const child = spawn('ip', args, { cwd: this.#folder, env: { ...process.env, ...env }, stdio: ['ignore', file, file] });
    closeSync(file);
    const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
    const resident = { child, pid: child.pid ?? 0, log, ended };
    this.#residents.push(resident);
    return resident;
  }

  /** What a command there prints. */
  ask(host: string, command: readonly string[]): string {
    return ip('netns', 'exec', space(host), ...command);
  }

  /** Cuts or mends the wire of a host, at the hub's end: nobody is told, packets vanish. */
  link(host: string, state: 'up' | 'down'): void {
    ip('-n', space(this.#names[0] ?? ''), 'link', 'set', host, state);
  }

  async close(): Promise<void> {
    for (const { child } of this.#residents) child.kill('SIGKILL');
    await Promise.all(this.#residents.map(({ ended }) => ended));
    for (const name of this.#names) ip('netns', 'del', space(name));
  }
}

const space = (name: string): string => `spc-${process.pid}-${name}`;
