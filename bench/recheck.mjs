// What spot checks cost: one sweep by two workers over a broker, with --recheck 0, 0.02 and 0.2, from the start of spc run to its end.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { findServer, waysHere } from '../dist/bus/nats/binary.js';
import { NatsServer } from '../dist/bus/nats/server.js';
import { ratio, row } from './stats.mjs';

const ROUNDS = 5;
const SEEDS = 20;
const SHARES = [0, 0.02, 0.2];
const cli = fileURLToPath(new URL('../dist/cli/cli.js', import.meta.url));
const SWEEP = `version: 1
name: x
axes: { scenario: [cartpole/angle], strategy: [none, tsf] }
seeds: ${SEEDS}
acceptance: report
ppo: { totalTimesteps: 16384 }
correct: { steps: 100, episodes: 20 }
`;

/** Seconds, and how many rows were computed again. */
async function measured(url, share) {
  const folder = mkdtempSync(join(tmpdir(), 'spc-bench-'));
  const file = join(folder, 'x.yaml');
  writeFileSync(file, SWEEP);
  const start = performance.now();
  const run = spawn(process.execPath, [cli, 'run', file, '--results', folder, '--nats', url, '--recheck', String(share), '--quiet'], {
    stdio: 'ignore',
  });
  const [code] = await once(run, 'exit');
  const seconds = (performance.now() - start) / 1000;
  if (code !== 0) throw new Error(`spc run ended with ${code}`);
  const checks = join(folder, 'x', 'checks.jsonl');
  const same = existsSync(checks) ? (readFileSync(checks, 'utf8').match(/"state":"same"/g)?.length ?? 0) : 0;
  rmSync(folder, { recursive: true });
  return { seconds, same };
}

export async function recheck(say) {
  const binary = await findServer(waysHere());
  const server = await NatsServer.start({ binary: binary.path });
  const crew = [1, 2].map(() => spawn(process.execPath, [cli, 'worker', '--nats', server.url, '--slots', '1'], { stdio: 'ignore' }));
  await sleep(3_000);
  const times = SHARES.map(() => []);
  const counts = SHARES.map(() => []);
  try {
    for (let round = 1; round <= ROUNDS; round++)
      for (const [i, share] of SHARES.entries()) {
        say(`round ${round} of ${ROUNDS}: --recheck ${share}`);
        const { seconds, same } = await measured(server.url, share);
        times[i].push(seconds);
        counts[i].push(same);
      }
  } finally {
    for (const worker of crew) worker.kill('SIGKILL');
    await server.stop();
  }
  return {
    title: `${SEEDS} bases of 16384 timesteps and ${2 * SEEDS} trials, two workers of one thread, nats-server ${binary.version}`,
    rows: [
      ...SHARES.map((share, i) => row(`spc run --recheck ${share}`, 's', times[i])),
      ...SHARES.slice(1).map((share, i) => ratio(`--recheck ${share} / 0`, times[i + 1], times[0])),
      ...SHARES.slice(1).map((share, i) => row(`rows computed again at ${share}`, 'rows', counts[i + 1])),
    ],
    notes: [],
  };
}
