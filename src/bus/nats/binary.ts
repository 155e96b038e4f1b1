import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { ConfigError } from '../../contract/errors.ts';
import { HostError } from '../../contract/host.ts';
import { cacheFolder, digestOf } from '../cache.ts';
import { judgeVersion } from './version.ts';

/** The server that is fetched where there is none. */
export const PINNED = '2.15.2';

export interface Binary {
  readonly path: string;
  readonly version: string;
  /** Where it came from, in words. */
  readonly from: string;
}

/** One way to a server: gives its path, or throws with the reason why it does not lead there. */
export interface Way {
  readonly name: string;
  /** Asked for by name, so that its failure is an error and not a reason to look elsewhere. */
  readonly demanded?: boolean;
  find(): Promise<string>;
}

type Environment = Readonly<Record<string, string | undefined>>;
const run = promisify(execFile);

/** The first way that leads to a server which runs. The message of the error says what was tried and why each way failed. */
export async function findServer(ways: readonly Way[], versionOf = askVersion): Promise<Binary> {
  const tried: string[] = [];
  for (const { name, demanded, find } of ways) {
    try {
      const path = await find();
      const version = await versionOf(path);
      const { refused } = judgeVersion(version, true);
      if (refused !== null) throw new Error(refused);
      return { path, version, from: name };
    } catch (error) {
      const why = `${name}: ${firstLine(error)}`;
      if (demanded) throw new ConfigError(`${why}; unset it to have a server looked for`);
      tried.push(`  ${why}`);
    }
  }
  const remedy = 'install nats-server, or set SPC_NATS_SERVER to its path';
  throw new HostError(`nats-server: expected one on this machine, found none; ${remedy}. Tried:\n${tried.join('\n')}`);
}

/** Where a server may be already: nothing is downloaded. */
export function waysHere(env: Environment = process.env): Way[] {
  const named = env['SPC_NATS_SERVER'];
  const folder = cacheFolder('nats-server', env);
  return [
    {
      name: 'SPC_NATS_SERVER',
      demanded: named !== undefined && named !== '',
      find: async () => (named ? there(named) : fail('is not set')),
    },
    { name: 'PATH', find: () => onPath(env['PATH'] ?? '', EXE) },
    { name: 'cache', find: () => cached(folder) },
  ];
}

/** How one is fetched into the cache. None of them needs to be root or installs anything. */
export function waysToFetch(env: Environment = process.env): Way[] {
  const folder = cacheFolder('nats-server', env);
  const into = (fetch: (scratch: string) => Promise<string>) => () => intoCache(folder, fetch);
  return [
    { name: `go install of ${PINNED}`, find: into((scratch) => byGo(scratch, env)) },
    { name: 'apt-get download', find: into(byApt) },
    { name: `release ${PINNED}`, find: into(byRelease) },
  ];
}

const EXE = process.platform === 'win32' ? 'nats-server.exe' : 'nats-server';

const fail = (why: string): never => {
  throw new Error(why);
};

const firstLine = (error: unknown): string => {
  const { stderr, message } = error as { stderr?: string; message?: string };
  const lines = (stderr || message || String(error)).trim().split('\n');
  return lines.at(stderr ? -1 : 0) ?? '';
};

const there = (path: string): string => (existsSync(path) ? path : fail(`expected an executable, found nothing at ${path}`));

/** `nats-server: v2.15.2`. */
async function askVersion(path: string): Promise<string> {
  const { stdout } = await run(path, ['--version'], { timeout: 10_000 });
  return (
    /nats-server: v(\S+)/.exec(stdout)?.[1] ?? fail(`expected "nats-server: v…" from --version, got ${JSON.stringify(stdout.slice(0, 60))}`)
  );
}

async function onPath(path: string, name: string): Promise<string> {
  const found = path.split(delimiter).map((folder) => join(folder, name));
  return found.find((candidate) => existsSync(candidate)) ?? fail(`no ${name} on it`);
}

/** A binary counts when it is still what was put there: its SHA-256 stands beside it. */
async function cached(folder: string): Promise<string> {
  const path = join(folder, EXE);
  if (!existsSync(path)) fail('is empty');
  const recorded = (await readFile(`${path}.sha256`, 'utf8')).trim();
  return (await digestOf(path)) === recorded ? path : fail(`${path} is not what was put there; remove it`);
}

/** The digest goes first: a binary without one is never seen. */
async function intoCache(folder: string, fetch: (scratch: string) => Promise<string>): Promise<string> {
  await mkdir(folder, { recursive: true });
  const scratch = await mkdtemp(join(folder, '.new-'));
  try {
    const made = await fetch(scratch);
    await chmod(made, 0o755);
    const path = join(folder, EXE);
    await writeFile(`${path}.sha256`, `${await digestOf(made)}\n`);
    await rename(made, path);
    return path;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Checked by Go's own checksum database. */
async function byGo(scratch: string, env: Environment): Promise<string> {
  const go = await onPath(env['PATH'] ?? '', process.platform === 'win32' ? 'go.exe' : 'go');
  const module = `github.com/nats-io/nats-server/v2@v${PINNED}`;
  await run(go, ['install', module], { env: { ...env, GOBIN: scratch, GOFLAGS: '' }, timeout: 600_000 });
  return join(scratch, EXE);
}

/**
 * From the Debian mirror that this machine uses, out of a newer suite, with lists and state of its own: apt verifies the chain of signatures,
 * and nothing of the system is touched. Testing before stable: newer versions go away when they are superseded.
 */
async function byApt(scratch: string): Promise<string> {
  await onPath('/usr/bin', 'apt-get');
  const { stdout } = await run('apt-get', ['indextargets', '--format', '$(SITE)']);
  const mirror = stdout.split('\n').find((site) => site.endsWith('/debian')) ?? fail('expected a Debian mirror among the sources of apt');
  const keyring = there('/usr/share/keyrings/debian-archive-keyring.gpg');
  const failures: string[] = [];
  for (const suite of ['sid', 'trixie']) {
    const root = await mkdtemp(join(tmpdir(), 'spc-apt-')); // apt drops privileges: where root runs it, the folder must be reachable
    try {
      await chmod(root, 0o755);
      await mkdir(join(root, 'state', 'lists', 'partial'), { recursive: true });
      await mkdir(join(root, 'cache', 'archives', 'partial'), { recursive: true });
      await writeFile(join(root, 'sources.list'), `deb [signed-by=${keyring}] ${mirror} ${suite} main\n`);
      await writeFile(join(root, 'status'), '');
      const settings = [
        `Dir::State=${join(root, 'state')}`,
        `Dir::State::status=${join(root, 'status')}`,
        `Dir::Cache=${join(root, 'cache')}`,
        `Dir::Etc::sourcelist=${join(root, 'sources.list')}`,
        'Dir::Etc::sourceparts=-',
        'APT::Sandbox::User=',
        'Acquire::Languages=none',
      ].flatMap((setting) => ['-o', setting]);
      await run('apt-get', [...settings, 'update', '--error-on=any'], { timeout: 300_000 });
      await run('apt-get', [...settings, 'download', 'nats-server'], { cwd: root, timeout: 300_000 });
      const [deb] = (await readdir(root)).filter((name) => name.endsWith('.deb'));
      await run('dpkg-deb', ['-x', join(root, deb ?? ''), join(root, 'x')]);
      const made = join(scratch, EXE);
      await writeFile(made, await readFile(join(root, 'x', 'usr', 'sbin', EXE)).catch(() => readFile(join(root, 'x', 'usr', 'bin', EXE))));
      return made;
    } catch (error) {
      failures.push(`${suite}: ${firstLine(error)}`);
    } finally {
      await rm(root, { recursive: true, force: true });
    }
  }
  return fail(failures.join(', '));
}

const RELEASES = 'https://github.com/nats-io/nats-server/releases/download';

/** The archive that the project publishes, checked against the list of SHA-256 that it publishes beside it. */
async function byRelease(scratch: string): Promise<string> {
  const platform = { linux: 'linux', darwin: 'darwin' }[process.platform as string] ?? fail(`none is unpacked on ${process.platform}`);
  const machine = { x64: 'amd64', arm64: 'arm64' }[process.arch as string] ?? fail(`none for ${process.arch}`);
  const name = `nats-server-v${PINNED}-${platform}-${machine}.tar.gz`;
  const sums = Buffer.from(await download(`${RELEASES}/v${PINNED}/SHA256SUMS`)).toString();
  const wanted =
    sums
      .split('\n')
      .find((line) => line.endsWith(name))
      ?.slice(0, 64) ?? fail(`SHA256SUMS does not know ${name}`);
  const archive = join(scratch, name);
  await writeFile(archive, await download(`${RELEASES}/v${PINNED}/${name}`));
  const got = await digestOf(archive);
  if (got !== wanted) fail(`${name}: expected SHA-256 ${wanted}, got ${got}`);
  await run('tar', ['-xzf', archive, '-C', scratch]);
  return join(scratch, basename(name, '.tar.gz'), EXE);
}

async function download(url: string): Promise<Uint8Array> {
  const response = await fetch(url, { signal: AbortSignal.timeout(120_000) }).catch((error: Error) =>
    fail(`${new URL(url).host} cannot be reached (${(error.cause as Error | undefined)?.message ?? error.message})`),
  );
  return response.ok ? new Uint8Array(await response.arrayBuffer()) : fail(`${url}: ${response.status}`);
}
