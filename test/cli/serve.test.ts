import { chmodSync, copyFileSync, existsSync, mkdtempSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { noServer } from '../bus/nats/servers.ts';
import { childrenOf, isAlive, scratch, spc, start, until } from './spc.ts';

const root = (): string => mkdtempSync(join(tmpdir(), 'spc-serve-'));

/** A port that was free a moment ago. */
const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });

const pids = new Set<number>();
afterAll(() => {
  for (const pid of pids) if (isAlive(pid)) process.kill(pid, 'SIGKILL');
});

/** `spc serve`, when it has said how to join. */
async function serve(cwd: string, ...args: string[]) {
  const started = start(['serve', ...args], { cwd });
  pids.add(started.pid);
  let line = '';
  started.child.stdout?.on('data', (text: string) => {
    line += text;
  });
  await until('it says how to join', () => line.endsWith('\n') || started.child.exitCode !== null);
  return { ...started, line: line.trim() };
}

const said = async (args: string[], options: Parameters<typeof spc>[1] = {}) => {
  const { code, stderr } = await spc(args, options);
  return [code, stderr.trim()];
};

describe.skipIf(noServer)('spc serve', { timeout: 60_000 }, () => {
  it('is a broker on this machine until Ctrl-C, started again when it dies, with its store', async () => {
    const cwd = root();
    const port = await freePort();
    const broker = await serve(cwd, '--port', String(port));
    expect(broker.line).toBe(`spc worker --nats nats://127.0.0.1:${port}`);
    const worker = await spc(['worker', '--nats', `nats://127.0.0.1:${port}`, '--slots', '1', '--until-idle', '1']);
    expect(worker.code, worker.stderr).toBe(0);
    expect(await said(['serve', '--port', String(port)], { cwd })).toEqual([2, expect.stringMatching(/\.lock: expected to be alone/)]);
    expect(await said(['serve', '--port', String(port)], { cwd: root() })).toEqual([
      1,
      `127.0.0.1:${port}: expected a free port, but something listens there already; take another`,
    ]);
    if (process.platform === 'linux') {
      const [server = 0] = childrenOf(broker.pid);
      process.kill(server, 'SIGKILL');
      await until('another one runs', () => childrenOf(broker.pid).some((pid) => pid !== server && isAlive(pid)));
    }
    const children = childrenOf(broker.pid);
    process.kill(broker.pid, 'SIGINT');
    expect((await broker.done).code).toBe(0);
    expect(children.filter(isAlive)).toEqual([]);
    expect(readdirSync(join(cwd, 'broker', 'store'))).toEqual(['jetstream']);
  });

  it('--listen makes keys and TLS: with the file of a role one joins, without it nobody does', async () => {
    const cwd = root();
    const port = await freePort();
    const broker = await serve(cwd, '--listen', `127.0.0.1:${port}`, '--worker', 'gpu', '--workers', '2');
    expect(broker.line).toBe('spc worker --creds worker.creds');
    const creds = (name: string): string => join(cwd, 'broker', `${name}.creds`);
    for (const name of ['worker', 'worker-gpu', 'worker-1', 'worker-2']) expect(statSync(creds(name)).mode & 0o777).toBe(0o600);
    const briefly = ['--slots', '1', '--until-idle', '1'];
    const open = join(cwd, 'open.creds');
    copyFileSync(creds('worker'), open);
    chmodSync(open, 0o644);
    const [one, two, three] = await Promise.all([
      spc(['worker', '--creds', open, ...briefly]),
      spc(['worker', '--creds', creds('worker-gpu'), '--nats', `localhost:${port}`, ...briefly]),
      spc(['worker', '--creds', creds('worker-2'), ...briefly]),
    ]);
    expect([one.code, one.stderr]).toEqual([0, expect.stringMatching(/open\.creds: other users of this machine can read it; chmod 600/)]);
    expect([two.code, two.stderr]).toEqual([0, expect.stringMatching(/^worker [\w.-]+: 1 thread/)]);
    expect([three.code, three.stderr]).toEqual([0, expect.stringMatching(/^worker worker-2\.\w+: 1 thread/)]);

    const sweep = scratch();
    expect(await said([...sweep.run, '--creds', creds('worker')])).toEqual([
      2,
      `--creds: expected those of a coordinator, got those of a worker in ${creds('worker')}`,
    ]);
    expect(existsSync(sweep.results)).toBe(false);

    const other = root();
    const theirs = await serve(other, '--listen', `127.0.0.1:${await freePort()}`);
    const wrong = join(other, 'broker', 'worker.creds');
    expect(await said(['worker', '--creds', wrong, '--nats', `tls://127.0.0.1:${port}`])).toEqual([
      2,
      `tls://127.0.0.1:${port}: its certificate is not that of the credentials; take the credential file that this broker made`,
    ]);

    for (const { pid } of [broker, theirs]) process.kill(pid, 'SIGTERM');
    expect([(await broker.done).code, (await theirs.done).code]).toEqual([0, 0]);
  });

  it.each([
    [['--listen', 'x:y'], '--listen: expected HOST:PORT such as 0.0.0.0:4222, got x:y'],
    [['--port', '70000'], '--port: expected a port from 1 to 65535, got 70000'],
    [['--worker', 'gpu'], 'serve: --host, --worker and --workers go with --listen'],
    [['--workers', '2'], 'serve: --host, --worker and --workers go with --listen'],
    [['--listen', '127.0.0.1:4222', '--workers', '1.5'], '--workers: expected a whole number up to 1000, got 1.5'],
    [['--listen', '127.0.0.1:4222', '--workers', '2000'], '--workers: expected a whole number up to 1000, got 2000'],
    [['--listen', '127.0.0.1:4222', '--port', '1'], 'spc serve: expected --listen or --port, got both; leave one of them out'],
  ])('refuses %j', async (args, why) => {
    expect(await said(['serve', ...args], { cwd: root() })).toEqual([2, why]);
  });

  it('--listen refuses keys where they cannot be, and a server that is too old for others', async () => {
    const cwd = root();
    writeFileSync(join(cwd, 'file'), '');
    expect(await said(['serve', '--listen', '127.0.0.1:4222', '--keys', 'file/keys'], { cwd })).toEqual([
      2,
      '--keys: expected a folder, got file/keys: nothing: a part of that path is a file',
    ]);
    const old = join(cwd, 'old');
    writeFileSync(old, '#!/bin/sh\necho "nats-server: v2.10.22"\n', { mode: 0o755 });
    expect(await said(['serve', '--listen', '0.0.0.0:4222'], { cwd, env: { SPC_NATS_SERVER: old } })).toEqual([
      1,
      '--listen 0.0.0.0:4222: nats-server 2.10.22: may lose what it stored when it crashes; results are safe, some will be computed twice; expected 2.10.23 or later beyond loopback; set SPC_NATS_SERVER to one',
    ]);
    expect(existsSync(join(cwd, 'broker'))).toBe(false);
  });
});

describe('--creds', () => {
  it('refuses what cannot be read, and what is none', async () => {
    const file = join(root(), 'a.creds');
    expect(await said(['worker', '--creds', file])).toEqual([2, `--creds: expected a credential file, got ${file}: nothing`]);
    writeFileSync(file, '{}');
    expect(await said(['worker', '--creds', file])).toEqual([
      2,
      expect.stringMatching(/a\.creds: expected a credential file, but version is not what one has/),
    ]);
    expect(await said(['worker'])).toEqual([
      2,
      '--nats: expected the address of a broker, or --creds FILE, got neither; spc serve starts one',
    ]);
  });
});
