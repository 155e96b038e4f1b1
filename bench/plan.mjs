// What it costs to ask first: `spc plan` of a grid of 100,000 trials, as a user has it, in a process of its own.
//   time     from start to exit; and CPU time of all its threads, of which a busy machine takes less away
//   memory   the most that was resident, as Linux counts it for an ended child
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { row } from './stats.mjs';

const ROUNDS = 5;
const GRIDS = [
  { arms: 4, seeds: 25_000 },
  { arms: 100, seeds: 1_000 },
  { arms: 5_000, seeds: 20 },
];
const cli = fileURLToPath(new URL('../dist/cli/cli.js', import.meta.url));
/** Says at the end of the process what it took: KiB resident at most, ms of CPU time. */
const probe = `process.on('exit', () => {
  const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage();
  require('node:fs').writeFileSync(process.env.SPC_BENCH_TOOK, JSON.stringify({ kb: maxRSS, cpu: (userCPUTime + systemCPUTime) / 1000 }));
});`;

const grid = ({ arms, seeds }) => `version: 1
name: grid
seeds: ${seeds}
axes: { scenario: [cartpole/angle], strategy: [tsf], correct.steps: [${Array.from({ length: arms }, (_, i) => i + 1)}] }
`;

const nameOf = ({ arms, seeds }) => `${arms} arms x ${seeds} seeds`;

export async function plan(say) {
  const root = mkdtempSync(join(tmpdir(), 'spc-bench-'));
  const [file, took, preload] = ['grid.yaml', 'took.json', 'probe.cjs'].map((name) => join(root, name));
  writeFileSync(preload, probe);
  const samples = GRIDS.map(() => ({ ms: [], cpu: [], mb: [] }));
  for (let round = 0; round < ROUNDS; round++) {
    say(`round ${round + 1} of ${ROUNDS}`);
    GRIDS.forEach((one, i) => {
      writeFileSync(file, grid(one));
      const start = performance.now();
      const { status, stdout, stderr } = spawnSync(process.execPath, ['--require', preload, cli, 'plan', file, '--results', root], {
        encoding: 'utf8',
        env: { ...process.env, SPC_BENCH_TOOK: took },
        maxBuffer: 2 ** 26,
      });
      samples[i].ms.push(performance.now() - start);
      if (status !== 0 || !stdout.includes('100000 trials')) throw new Error(stderr || stdout);
      const { kb, cpu } = JSON.parse(readFileSync(took, 'utf8'));
      samples[i].mb.push(kb / 1024);
      samples[i].cpu.push(cpu);
    });
  }
  rmSync(root, { recursive: true });
  return {
    title: 'spc plan of 100,000 trials, from start to exit',
    rows: [
      ...GRIDS.map((one, i) => row(nameOf(one), 'ms of wall time', samples[i].ms)),
      ...GRIDS.map((one, i) => row(nameOf(one), 'ms of CPU time', samples[i].cpu)),
      ...GRIDS.map((one, i) => row(nameOf(one), 'MiB resident at most', samples[i].mb)),
    ],
    notes: [],
  };
}
