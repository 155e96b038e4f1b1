import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { NatsServer } from '../../../src/bus/nats/server.ts';
import { isAlive, until } from '../../cli/spc.ts';
import { noServer, server, startServer } from './servers.ts';

describe('NatsServer', () => {
  it('start(options) says what a server said that does not come up', async () => {
    await expect(NatsServer.start({ binary: '/bin/false' })).rejects.toThrow(/expected it to take connections/);
    await expect(NatsServer.start({ binary: '/no/such/file' })).rejects.toThrow(/ENOENT/);
  });
});

describe.skipIf(noServer)('NatsServer, real', () => {
  it('start(options) listens on a free loopback port; stop() leaves nothing', async () => {
    const [a, b] = await Promise.all([startServer(), startServer()]);
    expect(a.port).not.toBe(b.port);
    await Promise.all([a.stop(), b.stop()]);
    expect([isAlive(a.pid), isAlive(b.pid), existsSync(a.store)]).toEqual([false, false, false]);
  });

  it('start(options) comes back on the same port and store after kill()', async () => {
    const store = mkdtempSync(join(tmpdir(), 'spc-store-'));
    const first = await startServer({ store });
    await first.kill();
    const second = await startServer({ store, port: first.port });
    expect(second.url).toBe(first.url);
    await second.stop();
    expect(existsSync(store)).toBe(true);
  });

  it('ends with a parent that is killed', async () => {
    const module = new URL('../../../dist/bus/nats/server.js', import.meta.url).href;
    const binary = typeof server === 'string' ? '' : server.path;
    const script = `const { NatsServer } = await import(${JSON.stringify(module)}); const s = await NatsServer.start({ binary: ${JSON.stringify(binary)} }); console.log(s.pid);`;
    const parent = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    const pid = await new Promise<number>((resolve) => parent.stdout.once('data', (text) => resolve(Number(String(text)))));
    expect(isAlive(pid)).toBe(true);
    parent.kill('SIGKILL');
    await until('the server has ended', () => !isAlive(pid));
  });
});
