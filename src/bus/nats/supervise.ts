import { setTimeout as sleep } from 'node:timers/promises';
import type { NatsServer } from './server.ts';

export interface Supervision {
  /** The same server, once more: same port, same store. */
  start(): Promise<NatsServer>;
  /** Rejects when the server is not well. May take for ever. */
  probe(): Promise<unknown>;
  readonly warn: (message: string) => void;
  readonly everyMs?: number;
}

const PATIENCE_MS = 5_000;
const FAILURES = 3;
const PAUSE_MS = { first: 500, longest: 30_000 };
/** Who lived for so long does not die of the same thing at once. */
const CALM_MS = 60_000;

/** Starts a server again that died, or that does not answer three times in a row, until `leave`; then stops it. */
export async function supervise(server: NatsServer, supervision: Supervision, leave: AbortSignal): Promise<void> {
  const { start, warn } = supervision;
  const left = new Promise<void>((resolve) => {
    if (leave.aborted) resolve();
    leave.addEventListener('abort', () => resolve(), { once: true });
  });
  let current = server;
  for (let pauseMs = PAUSE_MS.first; ; ) {
    const since = performance.now();
    const why = await endOf(current, supervision, left);
    if (performance.now() - since > CALM_MS) pauseMs = PAUSE_MS.first;
    await sleep(pauseMs, undefined, { signal: leave }).catch(() => {}); // Ctrl-C reaches a child as soon as us
    await current.stop();
    if (leave.aborted) return;
    warn(`nats-server: ${why}; starting it again`);
    try {
      current = await start();
    } catch (error) {
      warn(error instanceof Error ? error.message : String(error));
    }
    pauseMs = Math.min(2 * pauseMs, PAUSE_MS.longest);
  }
}

/** Resolves when it has ended or was told to leave. One that does not answer is ended as by a crash: old ones do not obey with a full disk. */
async function endOf(server: NatsServer, { probe, everyMs = 10_000 }: Supervision, left: Promise<void>): Promise<string> {
  let over = false;
  const ended = Promise.race([server.ended, left]).then(() => {
    over = true;
  });
  for (let failures = 0; failures < FAILURES; ) {
    await Promise.race([sleep(everyMs, undefined, { ref: false }), ended]);
    if (over) return 'it has ended';
    const well = await Promise.race([probe().then(() => true), sleep(PATIENCE_MS, false, { ref: false }), ended.then(() => true)]).catch(
      () => false,
    );
    failures = well ? 0 : failures + 1;
  }
  await server.kill();
  return `it did not answer ${FAILURES} times in a row`;
}
