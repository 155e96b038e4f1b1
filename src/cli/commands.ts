import { compareCommand } from './compare.ts';
import { cancelCommand, pauseCommand, resumeCommand, workersCommand } from './control.ts';
import { exportCommand } from './export.ts';
import { logsCommand } from './logs.ts';
import { main, withExamples } from './main.ts';
import { planCommand } from './plan.ts';
import { priceCommand } from './price.ts';
import { rerunCommand } from './rerun.ts';
import { runCommand } from './run.ts';
import { schemaCommand } from './schema.ts';
import { serveCommand } from './serve.ts';
import { statusCommand, watchCommand } from './status.ts';
import { tableCommand } from './table.ts';
import { whyCommand } from './why.ts';
import { workerCommand } from './worker.ts';

// Nobody reads on: `spc table x | head`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit();
  throw error;
});

await main(process.argv.slice(2), [
  withExamples(planCommand, {
    'plan sweeps/quick.yaml': 'arms, seeds, trials, and what is there already',
    'plan sweeps/quick.yaml seeds=10 --list': 'every trial',
    'plan sweeps/quick.yaml --where state=missing --json': 'what is left, for programs',
  }),
  runCommand(),
  withExamples(tableCommand, {
    'table quick': 'the tables of results/quick',
    'table quick --baseline none --metric fe,rsi': 'differences to the untouched base, seed by seed',
    'table quick --group-by strategy --format tex': 'averaged over all other axes, for a paper',
    'table quick --json': 'full precision, for programs',
  }),
  withExamples(compareCommand, {
    'compare engines --axis engine --to wasm': 'the engines of a sweep side by side, and where they part',
    'compare tuning --axis correct.learningRate --where strategy=tsf:paper --metric fe,rsi': 'any other axis',
  }),
  rerunCommand(),
  withExamples(exportCommand, {
    'export 3f0a --results quick --to json --out policy.json': 'a stored policy, by the beginning of its digest',
    'export policy.json --to safetensors --out policy.safetensors': 'and back, to the same bytes',
  }),
  withExamples(whyCommand, {
    'why results/quick 3fk2': 'a trial of a results folder, by the beginning of its id',
    'why sweeps/quick.yaml strategy=tsf,seed=3 correct.steps=1000': 'which field would make it new',
  }),
  withExamples(logsCommand, {
    'logs 3fk2': 'every attempt, by the beginning of its id, in all results',
    'logs 3fk2 --nats nats://127.0.0.1:4222': 'and where it runs now',
  }),
  withExamples(priceCommand, {
    'price mountaincar/pump-left': 'by dynamic programming',
    'price lunarlander/descent seeds=5': 'by training with and without the mask',
  }),
  serveCommand,
  workerCommand(),
  statusCommand,
  watchCommand,
  workersCommand,
  pauseCommand,
  resumeCommand,
  cancelCommand,
  withExamples(schemaCommand, { 'schema > sweep.schema.json': 'for an editor that completes and checks YAML' }),
]);
