// Heap of a coordinator before and after `trials` trials, as JSON. Run with --expose-gc. Arguments: folder, trials.
import { LocalBus } from '../../../dist/bus/local.js';
import { evaluateSchema } from '../../../dist/contract/evaluate.js';
import { ppoSchema } from '../../../dist/contract/ppo.js';
import { baseId, trialId } from '../../../dist/contract/spec.js';
import { Schedule } from '../../../dist/coordinator/schedule.js';
import { Store } from '../../../dist/coordinator/store.js';
import { runTrial, trainBase } from '../../worker/fake/jobs.mjs';

const [folder, count] = [process.argv[2], Number(process.argv[3])];
const observe = { phase: (_name, work) => work(), progress: () => {} };

const [ppo, evaluate] = [ppoSchema.parse({}), evaluateSchema.parse({})];
const trials = [];
for (let seed = 1; trials.length < count; seed++) {
  const base = { environment: 'CartPole-v1', options: {}, ppo, seed, engine: 'wasm' };
  for (let correctionSeed = 0; correctionSeed < 20; correctionSeed++) {
    const spec = { base, rules: [], strategy: 'tsf', correct: {}, evaluate, correctionSeed };
    trials.push({ id: trialId(spec), baseId: baseId(base), spec });
  }
}

const numerics = { base: '', trial: '', all: '', engine: '', files: {} };
const freeze = { extend: false, recompute: false, warn: () => {} };
const store = await Store.open(folder, { sweepYaml: '', plan: { digest: '' }, numerics }, freeze);
// Files are the agent's matter, and would be most of the time.
const digests = new Set();
store.files.has = async () => true;
store.files.put = async (_kind, bytes) => digests.add(bytes.length);
const bus = new LocalBus(store.files);
const schedule = new Schedule({ trials, store, bus, window: 6, numerics: '' });

async function agent() {
  while (!bus.closed) {
    const lease = await bus.next(1000);
    if (!lease) continue;
    const { job } = lease;
    const made =
      job.kind === 'base'
        ? trainBase(job.spec, null, observe)
        : runTrial(job.spec, { row: job.base, policy: trainBase(job.base.spec, null, observe).policy }, null, observe);
    const provenance = { id: job.id, kind: job.kind, ok: true, phasesMs: {}, attempt: 1, wallMs: 1 };
    await lease.complete({ kind: job.kind, row: made.row, provenance });
  }
}

const heap = () => {
  for (let i = 0; i < 3; i++) globalThis.gc();
  return process.memoryUsage().heapUsed;
};
const before = heap();
await Promise.all([schedule.run(), agent()]);
const after = heap();
const rows = store.count('trial');
await store.close();
process.stdout.write(JSON.stringify({ rows, before, after }));
