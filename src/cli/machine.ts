import { spawn } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync, statfsSync, statSync } from 'node:fs';
import { delimiter, dirname, join, resolve } from 'node:path';

/** Where a machine is looked at: a test shows another one. */
export interface Place {
  readonly proc: string;
  readonly cgroup: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export const HERE: Place = { proc: '/proc', cgroup: '/sys/fs/cgroup', env: process.env };

const read = (path: string): string | null => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null; // not Linux, or not for us
  }
};

/** The soft limits of this process by their names in /proc/self/limits; null is unlimited, undefined is unknown. */
export function limitOf(name: string, { proc }: Place): number | null | undefined {
  const line = read(join(proc, 'self/limits'))
    ?.split('\n')
    .find((text) => text.startsWith(name));
  const value = line?.slice(name.length).trim().split(/\s+/)[0];
  if (value === undefined) return undefined;
  return value === 'unlimited' ? null : Number.isFinite(Number(value)) ? Number(value) : undefined;
}

/** The folders of our control group and of all above it, for a controller; version 2 has one tree, version 1 a tree for each. */
function groupFolders(controller: string, { proc, cgroup }: Place): string[] {
  const lines = read(join(proc, 'self/cgroup'))?.trim().split('\n') ?? [];
  return lines.flatMap((line) => {
    const [, names = '', path = '/'] = line.match(/^\d+:([^:]*):(.*)$/) ?? [];
    if (names !== '' && !names.split(',').includes(controller)) return [];
    const root = names === '' ? cgroup : join(cgroup, controller);
    const parts = path.split('/').filter((part) => part !== '' && part !== '..');
    return Array.from({ length: parts.length + 1 }, (_, n) => join(root, ...parts.slice(0, n)));
  });
}

/** What v1 says where there is no limit: the largest number of pages. */
const NONE = 2 ** 60;

/** The least memory that a control group around us allows, in bytes; null without one. */
export function groupMemory(place: Place): number | null {
  const limits = groupFolders('memory', place).flatMap((folder) =>
    ['memory.max', 'memory.limit_in_bytes'].flatMap((name) => {
      const value = Number(read(join(folder, name)) ?? Number.NaN);
      return value > 0 && value < NONE ? [value] : [];
    }),
  );
  return limits.length > 0 ? Math.min(...limits) : null;
}

/** The fewest processors that a control group around us allows, in part perhaps; null without a quota. */
export function groupCores(place: Place): number | null {
  const quotas = groupFolders('cpu', place).flatMap((folder) => {
    const [quota, period] = (read(join(folder, 'cpu.max')) ?? '').trim().split(' ').map(Number);
    const old = [read(join(folder, 'cpu.cfs_quota_us')), read(join(folder, 'cpu.cfs_period_us'))].map((text) => Number(text ?? Number.NaN));
    return [(quota ?? Number.NaN) / (period ?? Number.NaN), (old[0] ?? Number.NaN) / (old[1] ?? Number.NaN)].filter((cores) => cores > 0);
  });
  return quotas.length > 0 ? Math.min(...quotas) : null;
}

/** Where a folder that may not be there yet would be: the nearest one that is; what is free there, and whether it can be written. */
export function diskAt(folder: string): { readonly at: string; readonly free: number | null; readonly writable: boolean } {
  let at = resolve(folder);
  while (!existsSync(at) && dirname(at) !== at) at = dirname(at);
  let free: number | null = null;
  try {
    const { bavail, bsize } = statfsSync(at);
    free = bavail * bsize;
  } catch {}
  try {
    accessSync(at, constants.W_OK);
    return { at, free, writable: statSync(at).isDirectory() };
  } catch {
    return { at, free, writable: false };
  }
}

/** The first of these programs that is on the path, or anywhere else they are usually put. */
export function findProgram(names: readonly string[], { env }: Place, elsewhere: readonly string[] = []): string | null {
  const ends = process.platform === 'win32' ? ['.exe', '.cmd', ''] : [''];
  const folders = (env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  const paths = [...names.flatMap((name) => folders.flatMap((folder) => ends.map((end) => join(folder, `${name}${end}`)))), ...elsewhere];
  return paths.find(isProgram) ?? null;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** What a program prints; null where it fails, is not there, or takes longer than `ms`: then it is ended with all its children. */
export function ask(program: string, args: readonly string[], ms: number): Promise<string | null> {
  return new Promise((answer) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore'], detached: process.platform !== 'win32' });
    let said = '';
    const end = (text: string | null): void => {
      clearTimeout(timer);
      child.stdout.destroy();
      child.unref();
      answer(text);
    };
    const timer = setTimeout(() => {
      try {
        if (child.pid !== undefined) process.kill(process.platform === 'win32' ? child.pid : -child.pid, 'SIGKILL');
      } catch {} // it has just ended
      end(null);
    }, ms);
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said = `${said}${text}`.slice(0, 10_000);
    });
    child.on('error', () => end(null));
    child.on('close', (code) => end(code === 0 ? said.trim() : null));
  });
}
