// npm run estimates [-- SWEEP ...]: how far plans are off. For each sweep (quick, worlds and cartpole) in an empty folder: five plans by rates
// and the speed of this machine, the sweep itself, and five plans of the same sweep under another name, by what was recorded. The wall time
// of the process counts. On a machine that does nothing else: a plan knows no neighbours. About ten minutes.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PLANS = 5;
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const cli = join(root, 'dist', 'cli', 'cli.js');

function spc(...args) {
  const start = performance.now();
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, ...args], { cwd: root, encoding: 'utf8', maxBuffer: 2 ** 26 });
  if (status !== 0 && status !== 1) throw new Error(stderr);
  return { stdout, s: (performance.now() - start) / 1000 };
}

const five = (...args) => {
  const plans = Array.from({ length: PLANS }, () => {
    const { stdout, s } = spc('plan', ...args, '--json');
    const { wallMs, unknown } = JSON.parse(stdout).estimate;
    return { s: wallMs.median / 1000, unknown: unknown.length, took: s };
  }).sort((a, b) => a.s - b.s);
  return { median: plans[PLANS >> 1].s, least: plans[0].s, most: plans[PLANS - 1].s, took: Math.max(...plans.map(({ took }) => took)) };
};
const print = ({ median, least, most }, took) =>
  `${median.toFixed(1)} [${least.toFixed(1)}, ${most.toFixed(1)}] s, ${(median / took).toFixed(2)} of it`;

for (const name of process.argv.length > 2 ? process.argv.slice(2) : ['quick', 'worlds', 'cartpole']) {
  const results = mkdtempSync(join(tmpdir(), 'spc-estimates-'));
  const file = join('sweeps', `${name}.yaml`);
  const cold = five(file, '--results', results);
  const { s: took } = spc('run', file, '--results', results, '--quiet');
  const warm = five(file, 'name=again', '--results', results);
  console.log(
    `${name}: took ${took.toFixed(1)} s; planned before ${print(cold, took)} (a plan took ${cold.took.toFixed(1)} s at most), after ${print(warm, took)}`,
  );
  rmSync(results, { recursive: true });
}
console.log(
  `${cpus()[0]?.model.trim()}, ${availableParallelism()} threads, node ${process.version}; n = ${PLANS} plans each: median [least, most]`,
);
