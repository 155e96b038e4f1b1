import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { CommandModule } from 'yargs';
import { ConfigError } from '../contract/errors.ts';
import { didYouMean, either, printProblem } from '../contract/problems.ts';
import { whatIsThere } from '../coordinator/there.ts';
import { namesBelow } from './folders.ts';
import { say } from './text.ts';

/** Where `run` leaves its results. */
export const RESULTS = 'results';

const EXIT = { incomplete: 1, empty: 5 } as const;
const FORMATS = ['md', 'csv', 'tex', 'json'] as const;

interface TableArguments {
  readonly sweep: string;
  readonly results: string;
  readonly format: (typeof FORMATS)[number] | undefined;
  readonly json: boolean | undefined;
  readonly where: string | undefined;
  readonly 'group-by': string | undefined;
  readonly metric: string | undefined;
  readonly baseline: string | undefined;
  readonly 'per-seed': boolean | undefined;
  readonly missing: boolean | undefined;
}

/** Names by commas. */
export const list = (text: string | undefined): string[] | undefined => text?.split(',').map((name) => name.trim());

/** Reads, never writes. */
async function table(args: TableArguments): Promise<void> {
  const folder = resultsFolder(args.sweep, args.results);
  // Late: a table library of 0.1 s that no other command has a use for.
  const { FORMATS: printers, NothingSelected, readReport } = await import('../report/tables.ts');
  const { printReport } = await import('../report/terminal.ts');
  const { isComplete } = await import('../report/report.ts');
  const format = args.json ? 'json' : args.format;
  // A terminal has room for differences when they are asked for.
  const { where, baseline = format ? undefined : null } = args;
  const options = { where, baseline, groupBy: list(args['group-by']), metrics: list(args.metric), perSeed: args['per-seed'] };
  try {
    const report = await readReport(folder, options);
    const sheet = args.missing ? 'unfinished' : args['per-seed'] ? 'seeds' : 'summary';
    process.stdout.write(format ? printers[format](report, sheet) : printReport(report, sheet));
    if (!isComplete(report)) process.exitCode = EXIT.incomplete;
  } catch (error) {
    if (!(error instanceof NothingSelected)) throw error;
    say(`table ${folder}: ${error.message}`);
    process.exitCode = EXIT.empty;
  }
}

export const tableCommand: CommandModule<object, TableArguments> = {
  command: 'table <sweep>',
  describe: 'print the tables of a sweep; exit code 1 when trials failed or are missing',
  builder: (yargs) =>
    yargs
      .positional('sweep', { type: 'string', demandOption: true, describe: 'a results folder, or the name of a sweep' })
      .option('format', { choices: FORMATS, requiresArg: true, describe: 'instead of the view for a terminal; tex needs booktabs' })
      .option('json', { type: 'boolean', describe: 'short for --format json' })
      .option('where', { type: 'string', requiresArg: true, describe: 'only these trials: strategy=tsf|none,seed=1..3' })
      .option('group-by', { type: 'string', requiresArg: true, describe: 'axes, by commas; the others are averaged within each seed' })
      .option('metric', { type: 'string', requiresArg: true, describe: 'columns, by commas; also those that are not shown otherwise' })
      .option('baseline', { type: 'string', requiresArg: true, describe: 'a strategy: differences to it, seed by seed' })
      .option('per-seed', { type: 'boolean', describe: 'a line per training seed' })
      .option('missing', { type: 'boolean', describe: 'which trials have no numbers, and why' })
      .option('results', { type: 'string', default: RESULTS, requiresArg: true, describe: 'where results of that name are' })
      .conflicts('missing', 'per-seed')
      .conflicts('json', 'format')
      .epilogue('Exit codes: 0 complete, 1 some trials failed or are missing, 2 usage, 5 nothing selected.'),
  handler: table,
};

/** The folder that is meant. Throws ConfigError with what there is. */
export function resultsFolder(given: string, root: string = RESULTS): string {
  const named = join(root, given);
  const folder = [given, named].find(hasSweep);
  if (folder !== undefined) return folder;
  const complain = (expected: string, got: string, remedy: string): never => {
    throw new ConfigError(printProblem({ path: [], at: 'value', expected, got, remedy }, 'results'));
  };
  const path = [given, named].find((one) => given !== '' && existsSync(one));
  if (path === undefined) return complain(`a results folder or the name of a sweep under ${root}/`, given || 'nothing', what(root, given));
  const { kind, what: there, format } = whatIsThere(path);
  if (hasSweep(dirname(path))) return complain('a results folder', `a file in one, ${path}`, `did you mean ${dirname(path)}?`);
  if (format !== 'sweep')
    return complain(
      'a results folder, with its sweep.yaml',
      kind === 'folder' ? `${path} without one` : `${path}, which is ${there}`,
      what(root, given),
    );
  const [, name = basename(path).replace(/\.\w+$/, '')] = readFileSync(path, 'utf8').match(/^name:[ ]*["']?([\w-]+)/m) ?? [];
  const own = join(root, name);
  const remedy = hasSweep(own) ? `did you mean ${own}?` : `its results go to ${own}: spc run ${path} makes them`;
  return complain('a results folder', `the sweep file ${path}`, remedy);
}

const hasSweep = (folder: string): boolean => folder !== '' && existsSync(join(folder, 'sweep.yaml'));

/** What could have been meant instead. */
function what(root: string, given = ''): string {
  const names = namesBelow(root);
  const deeper = names.filter((name) => basename(name) === basename(given));
  const meant = deeper.length > 0 ? `did you mean ${either(deeper)}?` : didYouMean(basename(given).replace(/\.ya?ml$/, ''), names);
  if (meant !== undefined) return meant;
  return names.length > 0 ? `there are ${names.join(', ')}` : 'there are none yet: spc run writes them';
}
