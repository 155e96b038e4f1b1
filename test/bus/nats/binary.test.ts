import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { findServer, type Way, waysHere, waysToFetch } from '../../../src/bus/nats/binary.ts';

const way = (name: string, outcome: string | Error): Way => ({
  name,
  find: async () => {
    if (outcome instanceof Error) throw outcome;
    return outcome;
  },
});
const current = async (): Promise<string> => '2.15.2';

describe('findServer', () => {
  it('findServer(ways) takes the first that leads to a server, and looks no further', async () => {
    const never: Way = { name: 'never', find: () => Promise.reject(new Error('must not be asked')) };
    const found = await findServer([way('a', new Error('no')), way('b', '/b'), never], current);
    expect(found).toEqual({ path: '/b', version: '2.15.2', from: 'b' });
  });

  it('findServer(ways) passes over a server that does not run or is too old', async () => {
    const versions: Record<string, string> = { '/old': '2.9.3', '/new': '2.10.27' };
    const versionOf = async (path: string): Promise<string> => versions[path] ?? Promise.reject(new Error('does not run'));
    const found = await findServer([way('broken', '/broken'), way('old', '/old'), way('new', '/new')], versionOf);
    expect(found.from).toBe('new');
  });

  it('findServer(ways) says what was tried and why each way failed', async () => {
    const found = findServer([way('PATH', new Error('not there\nat line 1')), way('old', '/old')], async () => '2.9.3');
    await expect(found).rejects.toThrow(
      /expected one on this machine, found none; install nats-server, or set SPC_NATS_SERVER.*\n {2}PATH: not there\n {2}old: nats-server 2\.9\.3: expected 2\.9\.4/,
    );
  });
});

describe.skipIf(process.platform === 'win32')('waysHere', () => {
  let root: string;
  const fake = (path: string, version = '2.11.0'): string => {
    writeFileSync(path, `#!/bin/sh\necho 'nats-server: v${version}'\n`);
    chmodSync(path, 0o755);
    return path;
  };
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'spc-binary-'));
  });
  const cache = (): string => {
    const folder = join(root, 'safe-policy-correction', 'nats-server');
    mkdirSync(folder, { recursive: true });
    return join(folder, 'nats-server');
  };
  const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

  it('SPC_NATS_SERVER goes before the PATH, and the PATH before the cache', async () => {
    const inCache = fake(cache(), '2.11.3');
    writeFileSync(`${inCache}.sha256`, sha256(`#!/bin/sh\necho 'nats-server: v2.11.3'\n`));
    const env = { SPC_NATS_SERVER: fake(join(root, 'named'), '2.11.1'), PATH: root, XDG_CACHE_HOME: root };
    fake(join(root, 'nats-server'), '2.11.2');
    const versions = [];
    for (const without of [{}, { SPC_NATS_SERVER: '' }, { SPC_NATS_SERVER: '', PATH: '/nowhere' }])
      versions.push((await findServer(waysHere({ ...env, ...without }))).version);
    expect(versions).toEqual(['2.11.1', '2.11.2', '2.11.3']);
  });

  it('SPC_NATS_SERVER that leads nowhere is an error: nothing else is taken in its place', async () => {
    fake(join(root, 'nats-server'));
    await expect(findServer(waysHere({ SPC_NATS_SERVER: join(root, 'no'), PATH: root }))).rejects.toThrow(
      /^SPC_NATS_SERVER: expected an executable, found nothing at .*; unset it/,
    );
  });

  it('a cached server whose bytes have changed does not count', async () => {
    writeFileSync(`${fake(cache())}.sha256`, sha256('something else'));
    await expect(findServer(waysHere({ PATH: '', XDG_CACHE_HOME: root }))).rejects.toThrow(
      /cache: .* is not what was put there; remove it/,
    );
  });

  it('what Go makes is kept in the cache with its SHA-256', async () => {
    const bin = mkdtempSync(join(root, 'bin-'));
    writeFileSync(
      join(bin, 'go'),
      `#!/bin/sh\nprintf '#!/bin/sh\\necho nats-server: v2.15.2\\n' > "$GOBIN/nats-server"\necho "$@" > "${root}/asked"\n`,
    );
    chmodSync(join(bin, 'go'), 0o755);
    const env = { PATH: bin, XDG_CACHE_HOME: root };
    const [byGo] = waysToFetch(env);
    expect((await findServer([byGo!])).version).toBe('2.15.2');
    expect((await findServer(waysHere({ PATH: '', XDG_CACHE_HOME: root }))).from).toBe('cache');
    rmSync(cache());
    await expect(findServer(waysHere({ PATH: '', XDG_CACHE_HOME: root }))).rejects.toThrow(/cache: is empty/);
  });
});
