import type { CommandModule } from 'yargs';
import { list, RESULTS, resultsFolder } from './table.ts';
import { say } from './text.ts';

const EXIT = { incomplete: 1, empty: 5 } as const;

interface CompareArguments {
  readonly sweep: string;
  readonly axis: string;
  readonly to: string | undefined;
  readonly metric: string | undefined;
  readonly where: string | undefined;
  readonly format: 'text' | 'json';
  readonly json: boolean | undefined;
  readonly results: string;
}

/** Reads, never writes. */
async function compare(args: CompareArguments): Promise<void> {
  const { axis, to, where } = args;
  const folder = resultsFolder(args.sweep, args.results);
  const { NothingSelected, readComparison } = await import('../report/tables.ts'); // late: see table.ts
  const { printComparison } = await import('../report/sides.ts');
  try {
    const comparison = await readComparison(folder, { axis, to, where, metrics: list(args.metric) });
    const isJson = args.json || args.format === 'json';
    process.stdout.write(isJson ? `${JSON.stringify(comparison, null, 2)}\n` : printComparison(comparison));
    if (comparison.combinations.length === 0) {
      say(`compare ${folder}: no two arms differ in ${axis} alone; spc table --baseline also pairs arms of which one has more parameters`);
      process.exitCode = EXIT.empty;
      return;
    }
    const { asked, ok } = comparison.trials;
    if (ok < asked) process.exitCode = EXIT.incomplete;
  } catch (error) {
    if (!(error instanceof NothingSelected)) throw error;
    say(`compare ${folder}: ${error.message}`);
    process.exitCode = EXIT.empty;
  }
}

/** `spc compare`: exit codes as of `spc table`. */
export const compareCommand: CommandModule<object, CompareArguments> = {
  command: 'compare <sweep>',
  describe: 'the same numbers side by side along one axis, and their differences seed by seed',
  builder: (yargs) =>
    yargs
      .positional('sweep', { type: 'string', demandOption: true, describe: 'a results folder, or the name of a sweep' })
      .option('axis', {
        type: 'string',
        demandOption: true,
        requiresArg: true,
        describe: 'an axis of the sweep: engine, scenario, strategy, or a parameter; everything else is equal',
      })
      .option('to', { type: 'string', requiresArg: true, describe: 'the value that the others are compared to; default: the first' })
      .option('metric', { type: 'string', requiresArg: true, describe: 'quantities, by commas: the keys of spc table' })
      .option('where', { type: 'string', requiresArg: true, describe: 'only these trials: strategy=tsf|none,seed=1..3' })
      .option('format', {
        choices: ['text', 'json'] as const,
        default: 'text' as const,
        requiresArg: true,
        describe: 'text fits a terminal',
      })
      .option('json', { type: 'boolean', describe: 'short for --format json' })
      .option('results', { type: 'string', default: RESULTS, requiresArg: true, describe: 'where results of that name are' })
      .epilogue('Exit codes: 0 complete, 1 some trials failed or are missing, 2 usage, 5 nothing selected.'),
  handler: compare,
};
