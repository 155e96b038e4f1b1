import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { basename } from 'node:path';

/** Who holds a lock, as its file says. Empty where the system does not tell; the file of an older version has only the first four. */
export interface Holder {
  readonly pid: number;
  readonly host: string;
  /** When the process began, in ticks since boot: process ids come again. */
  readonly began: string;
  readonly token: string;
  /** The machine's installation, its present boot, and the PID namespace: process ids mean something within one of these alone. */
  readonly machine: string;
  readonly boot: string;
  readonly space: string;
  /** For people. */
  readonly since: string;
  readonly command: string;
}

export function ourselves(token: string): Holder {
  return {
    pid: process.pid,
    host: hostname(),
    began: statOf('self').began,
    token,
    machine: read('/etc/machine-id'),
    boot: read('/proc/sys/kernel/random/boot_id'),
    space: namespace(),
    since: new Date().toISOString(),
    command: command(process.argv.slice(2)),
  };
}

/** Null for what no process wrote whole. */
export function parseHolder(text: string): Holder | null {
  try {
    const { pid, host, ...rest } = JSON.parse(text) as Record<string, unknown>;
    if (!Number.isInteger(pid) || (pid as number) < 1 || (pid as number) > MAX_PID || typeof host !== 'string') return null;
    const word = (key: string): string => String(rest[key] ?? '');
    return {
      ...{ pid: pid as number, host, began: word('began'), token: word('token') },
      ...{ machine: word('machine'), boot: word('boot'), space: word('space'), since: word('since'), command: word('command') },
    };
  } catch {
    return null;
  }
}

/**
 * What can be told of a holder from here: it lives, or is dead for ever; `restarted`: its machine was started anew since, if it is this one;
 * `walled`: on this machine, in a container that we cannot look into; `elsewhere`: on another machine.
 */
export type Sight = 'alive' | 'dead' | 'restarted' | 'walled' | 'elsewhere';

export function sightOf(holder: Holder, me: Holder): Sight {
  const known = (key: 'boot' | 'space'): boolean => holder[key] !== '' && me[key] !== '';
  const sameHost = holder.host === me.host;
  if (known('boot') && holder.boot !== me.boot) return sameHost && holder.machine === me.machine ? 'restarted' : 'elsewhere';
  if (!known('boot') && !sameHost) return 'elsewhere';
  if (!sameHost || (known('space') && holder.space !== me.space)) return 'walled';
  return isAlive(holder) ? 'alive' : 'dead';
}

/** The largest that a process id can be on any system of ours; 0 and below are groups. */
const MAX_PID = 2 ** 31 - 1;

function isAlive({ pid, began: since }: Holder): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  if (read('/proc/self/stat') !== '' && !procIsOurs()) return true; // it numbers processes as another namespace does
  const { state, began } = statOf(pid);
  return state !== 'Z' && state !== 'X' && (since === '' || began === '' || began === since);
}

const procIsOurs = (): boolean => link('/proc/self') === String(process.pid);

/** Fields 3 and 22 of /proc/<pid>/stat. */
function statOf(pid: number | 'self'): { readonly state: string; readonly began: string } {
  const stat = read(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { state: fields[0] ?? '', began: fields[19] ?? '' };
}

/** `pid:[4026531836]`: its number, which no two living namespaces of a machine share. */
const namespace = (): string => /\d+/.exec(link('/proc/self/ns/pid'))?.[0] ?? '';

/** `spc run sweeps/quick.yaml`: up to the first option, for options may have secrets in them. */
function command(args: readonly string[]): string {
  const end = args.findIndex((arg) => arg.startsWith('-') || arg.includes('://'));
  return ['spc', ...args.slice(0, end < 0 ? args.length : end).map((arg) => basename(arg))].join(' ').slice(0, 120);
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return '';
  }
}

function link(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}
