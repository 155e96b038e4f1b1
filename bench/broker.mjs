// What a broker costs, and what more workers bring. Needs a nats-server: npm run nats-server fetches one.
//   empty    trials that take no time, from coordinator to worker and back, files of the coordinator's own aside; without keys, and with
//            keys, TLS and an account for each, as spc serve --listen has it
//   agents   real bases by spc worker: one of 2 threads, two of 1, two of 2
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { findServer, waysHere } from '../dist/bus/nats/binary.js';
import { NatsCoordinatorBus } from '../dist/bus/nats/coordinator.js';
import { NatsLink } from '../dist/bus/nats/link.js';
import { NatsRoll } from '../dist/bus/nats/roll.js';
import { serverConfig } from '../dist/bus/nats/security/config.js';
import { openKeys, writePrivate } from '../dist/bus/nats/security/keys.js';
import { NatsServer } from '../dist/bus/nats/server.js';
import { capability } from '../dist/cli/crew.js';
import { expand } from '../dist/coordinator/expand.js';
import { parseSweepText } from '../dist/coordinator/load.js';
import { planOf } from '../dist/coordinator/plan.js';
import { Schedule } from '../dist/coordinator/schedule.js';
import { Store } from '../dist/coordinator/store.js';
import { makeEngine } from '../dist/math/engines/index.js';
import { numerics } from '../dist/worker/numerics.js';
import { ratio, row } from './stats.mjs';

const ROUNDS = 5;
const EMPTY = 2_000;
const SEEDS = 12;
const CREWS = { '1 worker of 2': [2], '2 workers of 1': [1, 1], '2 workers of 2': [2, 2] };

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const head = 'version: 1\nname: x\naxes: { scenario: [cartpole/angle], strategy:';
const emptySweep = `${head} [tsf] }\nseeds: ${EMPTY / 100}\ncorrectionSeeds: 100\n`;
const realSweep = `${head} [none] }\nseeds: ${SEEDS}\nacceptance: report\nppo: { totalTimesteps: 16384 }\n`;

/** Rows per second from the first to the last. */
async function rate(link, cap, text, { withFiles }) {
  const folder = mkdtempSync(join(tmpdir(), 'spc-bench-'));
  const { sweep } = parseSweepText(text, 'x.yaml');
  const trials = expand(sweep);
  const code = { base: '', trial: '', all: '', engine: '', files: {} };
  const frozen = { sweepYaml: text, plan: planOf(sweep, trials), numerics: code };
  const store = await Store.open(join(folder, 'x'), frozen, { extend: false, recompute: false, warn: () => {} });
  if (!withFiles) Object.assign(store.files, { has: async () => true, get: async () => new Uint8Array() });
  const bus = await NatsCoordinatorBus.open(link, { cap, sweep: 'x', ...(withFiles && { origin: store.files }) });
  const at = [];
  await new Schedule({ trials, store, bus, window: 64, numerics: '', onRow: () => at.push(performance.now()) }).run();
  await store.close();
  rmSync(folder, { recursive: true });
  return (1000 * (at.length - 1)) / (at.at(-1) - at[0]);
}

/** With so many workers at a broker of its own, which have nothing else to do. */
async function withCrew(server, commands, ready, work, credentials = null) {
  const crew = commands.map((command) => spawn(process.execPath, command, { stdio: 'ignore' }));
  const url = credentials === null ? server.url : `tls://127.0.0.1:${server.port}`;
  const link = await NatsLink.connect({ url, name: 'coordinator', credentials });
  try {
    await ready(link);
    return await work(link);
  } finally {
    for (const worker of crew) worker.kill('SIGKILL');
    await Promise.all(crew.filter(({ exitCode, signalCode }) => exitCode ?? signalCode === null).map((worker) => once(worker, 'exit')));
    await link.close();
  }
}

/** Rows per second over a server as `spc serve --listen` configures it. */
async function keyed(binary) {
  const folder = mkdtempSync(join(tmpdir(), 'spc-bench-'));
  const keys = join(folder, 'keys');
  const store = join(folder, 'store');
  const { users, server: pem } = await openKeys(keys, {
    url: 'tls://127.0.0.1:4222',
    hosts: ['127.0.0.1'],
    workers: [],
    now: Date.now(),
    warn: () => {},
  });
  const config = join(keys, 'server.conf');
  await writePrivate(config, serverConfig({ host: '127.0.0.1', port: -1, store, certificate: pem, key: pem, users }));
  const server = await NatsServer.start({ binary, config, store });
  const worker = [path('../test/drill/empty.mjs'), `tls://127.0.0.1:${server.port}`, join(keys, 'worker.creds')];
  const of = users.find(({ role }) => role === 'coordinator');
  const rows = await withCrew(
    server,
    [worker],
    async () => {},
    (link) => rate(link, 'empty', emptySweep, { withFiles: false }),
    of,
  );
  await server.stop();
  rmSync(folder, { recursive: true });
  return rows;
}

export async function broker(say) {
  const binary = await findServer(waysHere());
  const cap = capability(numerics(makeEngine('wasm').version).all);
  const [empty, secured] = [[], []];
  const rates = Object.fromEntries(Object.keys(CREWS).map((name) => [name, []]));
  for (let round = 1; round <= ROUNDS; round++) {
    say(`round ${round} of ${ROUNDS}`);
    const server = await NatsServer.start({ binary: binary.path });
    const idle = [[path('../test/drill/empty.mjs'), server.url]];
    empty.push(
      await withCrew(
        server,
        idle,
        async () => {},
        (link) => rate(link, 'empty', emptySweep, { withFiles: false }),
      ),
    );
    secured.push(await keyed(binary.path));
    for (const [name, slots] of Object.entries(CREWS)) {
      const commands = slots.map((n) => [path('../dist/cli/cli.js'), 'worker', '--nats', server.url, '--slots', String(n)]);
      const ready = async (link) => {
        const roll = new NatsRoll(link, { mayMake: true });
        const known = new Set((await roll.workers()).map(({ id }) => id)); // of those that were killed
        while ((await roll.workers()).filter(({ id }) => !known.has(id)).length < slots.length) await sleep(50);
      };
      rates[name].push(await withCrew(server, commands, ready, (link) => rate(link, cap, realSweep, { withFiles: true })));
    }
    await server.stop();
  }
  const [one, split, twice] = Object.values(rates);
  return {
    title: `nats-server ${binary.version}, ${EMPTY} empty trials; ${SEEDS} real bases of 16384 timesteps and a trial of each`,
    rows: [
      row('empty trials, one worker of 16 slots', 'rows/s', empty),
      row('the same over keys, TLS and accounts', 'rows/s', secured),
      ratio('with keys / without', secured, empty),
      ...Object.entries(rates).map(([name, values]) => row(`real rows, ${name} thread(s)`, 'rows/s', values)),
      ratio('2 workers of 1 / 1 worker of 2', split, one),
      ratio('2 workers of 2 / 1 worker of 2', twice, one),
    ],
    notes: [],
  };
}
