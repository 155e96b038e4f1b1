// What a coordinator holds while it runs so many empty trials: heap and resident size, MB, after every power of ten of rows, as JSON.
// Run with --expose-gc. Arguments: folder, trials (a multiple of 100).
import { LocalBus } from '../../../dist/bus/local.js';
import { expand } from '../../../dist/coordinator/expand.js';
import { parseSweepText } from '../../../dist/coordinator/load.js';
import { planOf } from '../../../dist/coordinator/plan.js';
import { Schedule } from '../../../dist/coordinator/schedule.js';
import { Store } from '../../../dist/coordinator/store.js';
import { runTrial, trainBase } from '../../worker/fake/jobs.mjs';

const [folder, count] = [process.argv[2], Number(process.argv[3])];
const observe = { phase: (_name, work) => work(), progress: () => {} };
const MB = 2 ** 20;

const seeds = count / 100;
const text = `version: 1\nname: x\nseeds: ${seeds}\ncorrectionSeeds: 100\naxes: { scenario: [cartpole/angle], strategy: [tsf] }\n`;
const { sweep } = parseSweepText(text, 'x.yaml');
const trials = expand(sweep);

const numerics = { base: '', trial: '', all: '', engine: '', files: {} };
const freeze = { extend: false, recompute: false, warn: () => {} };
const store = await Store.open(folder, { sweepYaml: text, plan: planOf(sweep, trials), numerics }, freeze);
// Files are the agent's matter, and would be most of the time.
Object.assign(store.files, { has: async () => true, get: async () => new Uint8Array(), put: async () => '' });
const bus = new LocalBus(store.files);
const samples = [];
function sample(rows) {
  for (let i = 0; i < 3; i++) globalThis.gc();
  samples.push({ rows, heap: process.memoryUsage().heapUsed / MB, rss: process.memoryUsage.rss() / MB });
}
const onRow = ({ kind }) => {
  const rows = store.count('trial');
  if (kind === 'trial' && Number.isInteger(Math.log10(rows)) && rows >= 100) sample(rows);
};
const schedule = new Schedule({ trials, store, bus, window: 6, numerics: '', onRow });

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

await Promise.all([schedule.run(), agent()]);
const rows = store.count('trial');
await store.close();
process.stdout.write(JSON.stringify({ rows, samples, peak: process.resourceUsage().maxRSS / 1024 }));
