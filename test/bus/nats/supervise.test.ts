import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { NatsLink } from '../../../src/bus/nats/link.ts';
import type { NatsServer } from '../../../src/bus/nats/server.ts';
import { supervise } from '../../../src/bus/nats/supervise.ts';
import { isAlive, until } from '../../cli/spc.ts';
import { noServer, startServer } from './servers.ts';

/** A supervised server, and all that was started in its place. */
async function supervised() {
  const first = await startServer({ store: mkdtempSync(join(tmpdir(), 'spc-store-')) });
  const again = { store: first.store, port: first.port };
  const [servers, said, leaving] = [[first], [] as string[], new AbortController()];
  let fails = 0;
  const start = async (): Promise<NatsServer> => {
    if (fails-- > 0) throw new Error('no space');
    servers.push(await startServer(again));
    return servers.at(-1)!;
  };
  const link = await NatsLink.connect({ url: first.url, name: 'probe', requestMs: 300 });
  const probe = () => link.jsm.getAccountInfo();
  const over = supervise(first, { start, probe, warn: (message) => said.push(message), everyMs: 100 }, leaving.signal);
  return {
    servers,
    said,
    failing: (times: number) => {
      fails = times;
    },
    end: async () => {
      leaving.abort();
      await over;
      await link.nc.close();
      return servers.filter(({ pid }) => isAlive(pid));
    },
  };
}

describe.skipIf(noServer)('supervise(server, supervision, leave)', () => {
  it('starts a server again that was killed, and leaves none', async () => {
    const { servers, said, end } = await supervised();
    await servers[0]!.kill();
    await until('it runs again', () => servers.length === 2);
    expect(said).toEqual(['nats-server: it has ended; starting it again']);
    expect(await end()).toEqual([]);
  });

  it('kills one that does not answer three times, and starts it again', async () => {
    const { servers, said, end } = await supervised();
    process.kill(servers[0]!.pid, 'SIGSTOP');
    await until('it runs again', () => servers.length === 2);
    expect([said, isAlive(servers[0]!.pid)]).toEqual([['nats-server: it did not answer 3 times in a row; starting it again'], false]);
    expect(await end()).toEqual([]);
  });

  it('tries again, later, when it does not start', async () => {
    const { servers, said, failing, end } = await supervised();
    failing(1);
    await servers[0]!.kill();
    await until('it runs again', () => servers.length === 2);
    expect(said.filter((message) => message === 'no space')).toHaveLength(1);
    expect(await end()).toEqual([]);
  });

  it('leaves at once while it waits', async () => {
    const { servers, failing, end } = await supervised();
    failing(100);
    await servers[0]!.kill();
    expect(await end()).toEqual([]);
  });
});
