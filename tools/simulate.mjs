// Histories of the whole distributed system, seed by seed: npm run simulate [-- --seeds N --from S --threads T --mutant NAME --without FAULT,FAULT --trace]
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

if (isMainThread) await main();
else await work(workerData);

async function main() {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string', default: '10000' },
      from: { type: 'string', default: '0' },
      threads: { type: 'string', default: String(availableParallelism()) },
      mutant: { type: 'string' },
      without: { type: 'string' },
      trace: { type: 'boolean', default: false },
    },
  });
  const [seeds, from, threads] = [values.seeds, values.from, values.threads].map(Number);
  const without = values.without?.split(',') ?? [];
  const bundle = await compiled(values.mutant);
  if (values.trace) {
    const { simulate } = await import(bundle);
    const { violation } = await simulate(from, (line) => console.log(line), without);
    process.exitCode = violation === null ? 0 : 1;
    return;
  }
  const [start, cpu] = [performance.now(), process.cpuUsage()];
  const sum = { seeds: 0, jobs: 0, executions: 0, events: 0, virtualMs: 0 };
  const violations = [];
  await Promise.all(
    Array.from(
      { length: threads },
      (_, thread) =>
        new Promise((resolve, reject) => {
          const worker = new Worker(new URL(import.meta.url), {
            workerData: { bundle, seeds, from, thread, threads, without },
          });
          worker.on('error', reject).on('exit', resolve);
          worker.on('message', (outcomes) => {
            for (const outcome of outcomes) {
              sum.seeds++;
              for (const key of ['jobs', 'executions', 'events', 'virtualMs']) sum[key] += outcome[key];
              if (outcome.violation !== null) violations.push(outcome);
            }
          });
        }),
    ),
  );
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  violations.sort((a, b) => a.seed - b.seed);
  for (const { seed, violation } of violations.slice(0, 10)) {
    const mutant = values.mutant === undefined ? '' : ` --mutant ${values.mutant}`;
    console.log(`seed ${seed}: ${violation}\n  npm run simulate -- --from ${seed} --trace${mutant}`);
  }
  console.log(
    `${sum.seeds} histories in ${seconds.toFixed(1)} s (${(sum.seeds / seconds).toFixed(0)} a second): ${(sum.jobs / sum.seeds).toFixed(1)} rows, ` +
      `${(sum.events / sum.seeds).toFixed(0)} events and ${(sum.virtualMs / sum.seeds / 1000).toFixed(0)} s each; ` +
      `${((user + system) / sum.events).toFixed(2)} µs of CPU an event; ` +
      `${(sum.executions / sum.jobs).toFixed(2)} executions a row; ${violations.length} violations`,
  );
  process.exitCode = violations.length === 0 ? 0 : 1;
}

/** The simulation as one module, for threads. */
async function compiled(mutant) {
  const { runnerImport } = await import('vite');
  const { module } = await runnerImport(fileURLToPath(new URL('../test/simulation/compile.ts', import.meta.url)), { configFile: false });
  return module.compile(mutant);
}

async function work({ bundle, seeds, from, thread, threads, without }) {
  const { simulate } = await import(bundle);
  let outcomes = [];
  let last = performance.now();
  for (let seed = from + thread; seed < from + seeds; seed += threads) {
    outcomes.push(await simulate(seed, null, without));
    if (performance.now() - last < 500) continue;
    parentPort.postMessage(outcomes);
    outcomes = [];
    last = performance.now();
  }
  parentPort.postMessage(outcomes);
}
