// What a coordinator holds while so many empty trials come back to it over a real broker: heap and resident size, MB, after every power
// of ten of rows, as a line of JSON each. Run with --expose-gc. Arguments: url, folder, trials (a multiple of 100).
// Its own parts are the real ones, but for files, of which empty trials have none.
import { NatsCoordinatorBus } from '../../dist/bus/nats/coordinator.js';
import { NatsLink } from '../../dist/bus/nats/link.js';
import { expand } from '../../dist/coordinator/expand.js';
import { parseSweepText } from '../../dist/coordinator/load.js';
import { planOf } from '../../dist/coordinator/plan.js';
import { Schedule } from '../../dist/coordinator/schedule.js';
import { Store } from '../../dist/coordinator/store.js';

const [url, folder, trials] = [process.argv[2], process.argv[3], Number(process.argv[4])];
const MB = 2 ** 20;

const seeds = trials / 100;
const text = `version: 1\nname: x\nseeds: ${seeds}\ncorrectionSeeds: 100\naxes: { scenario: [cartpole/angle], strategy: [tsf] }\n`;
const { sweep } = parseSweepText(text, 'x.yaml');
const planned = expand(sweep);
const numerics = { base: '', trial: '', all: '', engine: '', files: {} };
const freeze = { extend: false, recompute: false, warn: () => {} };
const store = await Store.open(folder, { sweepYaml: text, plan: planOf(sweep, planned), numerics }, freeze);
Object.assign(store.files, { has: async () => true, get: async () => new Uint8Array() });

const warn = (message) => void process.stderr.write(`${message}\n`);
const link = await NatsLink.connect({ url, name: 'coordinator', warn });
const bus = await NatsCoordinatorBus.open(link, { cap: 'empty', sweep: 'x' });
const began = performance.now();
function sample(rows) {
  for (let i = 0; i < 3; i++) globalThis.gc();
  const [heap, rss] = [process.memoryUsage().heapUsed / MB, process.memoryUsage.rss() / MB];
  process.stdout.write(`${JSON.stringify({ rows, heap, rss, s: (performance.now() - began) / 1000 })}\n`);
}
const onRow = ({ kind }) => {
  const rows = store.count('trial');
  if (kind === 'trial' && Number.isInteger(Math.log10(rows)) && rows >= 100) sample(rows);
};
await new Schedule({ trials: planned, store, bus, window: 64, numerics: '', onRow, warn }).run();
await store.close();
await link.close();
