import { compareCommand } from './compare.ts';
import { COMPLETE, complete, printCandidates } from './complete.ts';
import { completionCommand } from './completion.ts';
import { cancelCommand, pauseCommand, resumeCommand, workersCommand } from './control.ts';
import { doctorCommand } from './doctor.ts';
import { exportCommand } from './export.ts';
import { initCommand } from './init.ts';
import { listCommand } from './list.ts';
import { logsCommand } from './logs.ts';
import { main, withExamples } from './main.ts';
import { planCommand } from './plan.ts';
import { priceCommand } from './price.ts';
import { rerunCommand } from './rerun.ts';
import { runCommand } from './run.ts';
import { schemaCommand } from './schema.ts';
import { serveCommand } from './serve.ts';
import type { Command } from './shape.ts';
import { statusCommand, watchCommand } from './status.ts';
import { tableCommand } from './table.ts';
import { whyCommand } from './why.ts';
import { workerCommand } from './worker.ts';

const COMMANDS: readonly Command[] = [
  withExamples(initCommand, {
    'init cartpole/angle': 'writes cartpole-angle.yaml, with a comment for every key',
    'init lunarlander/descent --out moon.yaml': 'under another name',
  }),
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
  withExamples(listCommand, {
    list: 'the results there are, with counts',
    'list quick': 'every trial and base of results/quick, with the digests of their policies',
    'list quick --where state!=ok': 'what failed or is missing, and why',
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
  withExamples(doctorCommand, { doctor: 'what is here, what it is for, how to get what is not', 'doctor --json': 'for programs' }),
  withExamples(completionCommand, {
    'completion bash >> ~/.bashrc': 'for every shell from now on; in a clone: npx spc completion bash',
    'completion fish > ~/.config/fish/completions/spc.fish': 'for fish',
  }),
  withExamples(schemaCommand, { 'schema > sweep.schema.json': 'for an editor that completes and checks YAML' }),
];

/** Finds and runs what the command line says, or completes it. */
export async function runCommandLine(): Promise<void> {
  const [first, ...words] = process.argv.slice(2);
  if (first !== COMPLETE) return main(process.argv.slice(2), COMMANDS);
  process.stdout.write(printCandidates(complete(words, COMMANDS)));
}
