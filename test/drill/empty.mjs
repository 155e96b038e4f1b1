// Takes jobs from a broker and gives back rows without computing them, until it is killed. Arguments: url, and a credential file where it takes one.
import { readFileSync } from 'node:fs';
import { NatsAgentBus } from '../../dist/bus/nats/agent.js';
import { NatsLink } from '../../dist/bus/nats/link.js';
import { parseCredentials } from '../../dist/contract/credentials.js';
import { runTrial, trainBase } from '../worker/fake/jobs.mjs';

const SLOTS = 16;
const observe = { phase: (_name, work) => work(), progress: () => {} };
const warn = (message) => void process.stderr.write(`${message}\n`);
const [url, file] = process.argv.slice(2);
const credentials = file === undefined ? null : parseCredentials(file, readFileSync(file, 'utf8'));
const bus = new NatsAgentBus(await NatsLink.connect({ url, name: 'worker', credentials, warn }), { cap: 'empty' });

/** With what the real ones have besides: a coordinator takes closed shapes alone. */
function rowOf(job) {
  if (job.kind === 'base') return trainBase(job.spec, null, observe).row;
  const base = { row: job.base, policy: trainBase(job.base.spec, null, observe).policy };
  const { row } = runTrial(job.spec, base, null, observe);
  const more = { influence: { printed: null, unsaturated: null, pairs: 0, kept: 0 }, overrun: null };
  return { ...row, result: { ...row.result, ...more } };
}

const facts = { ok: true, host: '', cpu: '', node: '', engine: '', numerics: '', startedAt: '', wallMs: 1, phasesMs: {} };
await Promise.all(
  Array.from({ length: SLOTS }, async () => {
    for (;;) {
      const lease = await bus.next(5_000);
      if (!lease) continue;
      const { job } = lease;
      const provenance = { id: job.id, kind: job.kind, attempt: lease.attempt, ...facts };
      await lease.complete({ kind: job.kind, row: rowOf(job), provenance });
    }
  }),
);
