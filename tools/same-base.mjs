// Corrects wasm's bases of a results folder once more with another engine, from the same policies: what is left of a difference between
// engines when training has no part in it. Compares with the rows that are there; writes nothing.
//   npm run same-base -- results/engines tfjs [tsf]
// Exit codes: 0 compared, 1 a trial failed, 2 usage, 5 nothing to compare.

import { unobserved } from '../dist/contract/observe.js';
import { ENGINE_NAMES } from '../dist/contract/spec.js';
import { DiskFiles } from '../dist/coordinator/disk.js';
import { readRows } from '../dist/coordinator/store.js';
import { interval95, summaryOf } from '../dist/report/statistics.js';
import { makeEngine } from '../dist/worker/engines.js';
import { runTrial } from '../dist/worker/jobs.js';

/** Shares of one, printed in per cent. */
const QUANTITIES = ['fe', 'finalFe', 'worstCase', 'rsi'];

const [folder, name, strategy = 'tsf', ...more] = process.argv.slice(2);
if (folder === undefined || !ENGINE_NAMES.includes(name) || more.length > 0) {
  console.error(`same-base: expected RESULTS ENGINE [STRATEGY], the engine one of ${ENGINE_NAMES.join(', ')}`);
  process.exit(2);
}

const bases = new Map();
for await (const { row } of readRows(folder, 'base')) if (row.ok) bases.set(row.id, row);
const rows = [];
for await (const { row } of readRows(folder, 'trial'))
  if (row.ok && row.spec.strategy === strategy && row.spec.base.engine === 'wasm' && bases.has(row.base)) rows.push(row);
if (rows.length === 0) {
  console.error(`same-base: no finished trial of ${strategy} on a base of wasm in ${folder}`);
  process.exit(5);
}

const [engine, files] = [makeEngine(name), new DiskFiles(folder)];
const differences = Object.fromEntries(QUANTITIES.map((key) => [key, []]));
for (const { spec, base: id, result } of rows) {
  const base = bases.get(id);
  const again = runTrial(spec, { row: base, policy: await files.get('policies', base.result.policy) }, engine, unobserved).row;
  if (!again.ok) throw new Error(`${again.id}: ${again.failure.message}`);
  for (const key of QUANTITIES) differences[key].push(100 * (again.result[key] - result[key]));
  console.error(
    `seed ${spec.base.seed}/${spec.correctionSeed}: RSI ${(100 * result.rsi).toFixed(2)} -> ${(100 * again.result.rsi).toFixed(2)} %`,
  );
}
console.log(`${strategy} by ${name} minus wasm on the same ${rows.length} bases, in points: mean ± std [95 % interval]`);
for (const key of QUANTITIES) {
  const summary = summaryOf(differences[key]);
  const { low, high } = interval95(summary);
  const [mean, std, ...ends] = [summary.mean, summary.std, low, high].map((x) => (x === null ? '–' : x.toFixed(3)));
  console.log(`${key.padEnd(9)}  ${mean} ± ${std}  [${ends.join(', ')}]`);
}
