import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { CommandModule } from 'yargs';
import { ConfigError } from '../contract/errors.ts';
import { nearest, printProblem } from '../contract/problems.ts';
import { isComplete } from '../report/report.ts';
import { readReport } from '../report/tables.ts';
import { printReport } from '../report/terminal.ts';

/** Where `run` leaves its results. */
const RESULTS = 'results';
/** Finished, but some trials failed or are missing. */
const INCOMPLETE = 1;

interface TableArguments {
  readonly results: string;
  readonly json: boolean;
}

export const tableCommand: CommandModule<object, TableArguments> = {
  command: 'table <results>',
  describe: 'print the tables of a sweep; exit code 1 when trials failed or are missing',
  builder: (yargs) =>
    yargs
      .positional('results', { type: 'string', demandOption: true, describe: `a results folder, or the name of a sweep under ${RESULTS}/` })
      .option('json', { type: 'boolean', default: false, describe: 'full precision, for programs' }),
  handler: async ({ results, json }) => {
    const report = await readReport(resultsFolder(results));
    process.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : printReport(report));
    if (!isComplete(report)) process.exitCode = INCOMPLETE;
  },
};

/** The folder that is meant. Throws ConfigError with what there is. */
export function resultsFolder(given: string, root: string = RESULTS): string {
  const named = join(root, given);
  const folder = [given, named].find(hasSweep);
  if (folder !== undefined) return folder;
  const complain = (expected: string, got: string, remedy?: string): ConfigError =>
    new ConfigError(printProblem({ path: [], at: 'value', expected, got, remedy }, 'results'));
  const there = [given, named].find((path) => given !== '' && existsSync(path));
  if (there !== undefined) return fail(complain('a results folder, with its sweep.yaml', `${there} without one`, what(root)));
  return fail(complain(`a results folder or the name of a sweep under ${root}/`, given || 'nothing', what(root, given)));
}

const fail = (error: Error): never => {
  throw error;
};

const hasSweep = (folder: string): boolean => folder !== '' && existsSync(join(folder, 'sweep.yaml'));

/** What could have been meant instead. */
function what(root: string, given = ''): string {
  const isFolder = statSync(root, { throwIfNoEntry: false })?.isDirectory() ?? false;
  const names = isFolder ? readdirSync(root).filter((name) => hasSweep(join(root, name))) : [];
  const meant = nearest(basename(given), names);
  if (meant !== undefined) return `did you mean ${meant}?`;
  return names.length > 0 ? `there are ${names.sort().join(', ')}` : 'there are none yet: spc run writes them';
}
