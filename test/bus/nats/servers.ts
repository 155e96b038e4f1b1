import { afterAll } from 'vitest';
import { type Binary, findServer, waysHere } from '../../../src/bus/nats/binary.ts';
import { NatsServer, type ServerOptions } from '../../../src/bus/nats/server.ts';
import { HostError } from '../../../src/contract/host.ts';

/** The server of this machine; where there is none, why. `npm run nats-server` fetches one; SPC_NATS_SERVER forbids its absence. */
export const server: Binary | string = await findServer(waysHere()).catch((error: unknown) => {
  if (!(error instanceof HostError)) throw error;
  process.stderr.write(`SKIPPED: tests against a real broker; npm run nats-server fetches one. ${error.message}\n`);
  return error.message;
});

export const noServer = typeof server === 'string';

const running = new Set<NatsServer>();
afterAll(async () => {
  await Promise.all([...running].map((one) => one.stop()));
  running.clear();
});

/** A server of this test file's own, stopped after it. */
export async function startServer(options: Partial<ServerOptions> = {}): Promise<NatsServer> {
  if (typeof server === 'string') throw new Error(server);
  const started = await NatsServer.start({ binary: server.path, ...options });
  running.add(started);
  return started;
}
