import { join } from 'node:path';
import type { CommandModule } from 'yargs';
import { ConfigError } from '../contract/errors.ts';
import { HostError } from '../contract/host.ts';
import { printGot, printProblem } from '../contract/problems.ts';
import type { Difference } from '../coordinator/differences.ts';
import { enginesOf, expand, type PlannedTrial } from '../coordinator/expand.ts';
import { readFrozen } from '../coordinator/freeze.ts';
import { labelOf } from '../coordinator/labels.ts';
import { loadFrozen, loadSweep } from '../coordinator/load.ts';
import { planOf } from '../coordinator/plan.ts';
import { whatIsThere } from '../coordinator/there.ts';
import { WHERE_HELP } from '../coordinator/where.ts';
import { choose, explain, readCandidates, type Why } from '../coordinator/why.ts';
import { numericsOf } from '../worker/engines.ts';
import { resultsFolder } from './table.ts';
import { say, wrap } from './text.ts';

interface WhyArguments {
  readonly sweep: string;
  readonly trial: string;
  readonly overrides: readonly string[];
  readonly results: string;
  readonly json: boolean;
}

const EMPTY = 5;

/** What `--json` gives. */
interface WhyJson extends Why {
  readonly version: 1;
  readonly folder: string;
  /** Whether the folder's rows belong to this plan, and were computed by this code: `run` refuses others. */
  readonly plan: 'same' | 'other' | 'none';
  readonly code: 'same' | 'other' | 'none';
}

/** A sweep file and where its results go, or a results folder and the file it was made from. */
function asked({ sweep: given, overrides, results }: WhyArguments): {
  folder: string;
  trials: PlannedTrial[];
  digest: string;
} {
  const isFile = /\.ya?ml$/.test(given) || whatIsThere(given).kind === 'file';
  if (!isFile && overrides.length > 0) {
    const remedy = 'name the sweep file instead of its results';
    throw new ConfigError(
      printProblem({ path: [], at: 'value', expected: 'overrides of a sweep file', got: printGot(overrides[0]), remedy }, given),
    );
  }
  const folder = isFile ? null : resultsFolder(given, results);
  const { sweep } = folder === null ? loadSweep(given, overrides) : loadFrozen(folder);
  const trials = expand(sweep);
  return { folder: folder ?? join(results, sweep.name), trials, digest: planOf(sweep, trials).digest };
}

/** The digest of the code that would run here; or why nothing would: an engine of the sweep is not installed. */
function codeHere(trials: readonly PlannedTrial[]): { readonly all: string } | HostError {
  try {
    return numericsOf(enginesOf(trials));
  } catch (error) {
    if (error instanceof HostError) return error;
    throw error;
  }
}

/** Reads, never writes. */
async function why(args: WhyArguments): Promise<void> {
  const { folder, trials, digest } = asked(args);
  const { candidates, bases } = await readCandidates(folder, trials);
  const chosen = choose(args.trial, candidates);
  if (typeof chosen === 'string') {
    say(chosen);
    process.exitCode = EMPTY;
    return;
  }
  const found = explain(chosen, candidates, bases, folder);
  const frozen = await readFrozen(folder);
  const here = codeHere(trials);
  const code = frozen && (!(here instanceof HostError) && frozen.numerics.all === here.all ? 'same' : 'other');
  const plan = frozen && (frozen.plan.digest === digest ? 'same' : 'other');
  if (args.json) {
    const json: WhyJson = { version: 1, ...found, folder, plan: plan ?? 'none', code: code ?? 'none' };
    process.stdout.write(`${JSON.stringify(json, null, 2)}\n`);
    return;
  }
  const notes = [
    ...(plan === 'other' ? [`the rows in ${folder} belong to another plan: run asks for --extend`] : []),
    ...(here instanceof HostError ? [`run would stop here: ${here.message}`] : []),
    ...(code === 'other' && !(here instanceof HostError)
      ? [`the rows in ${folder} were computed by other code: run asks for --recompute`]
      : []),
  ];
  process.stdout.write(`${[labelOf(chosen), ...printWhy(found), ...notes.flatMap((note) => wrap(note))].join('\n')}\n`);
}

const printDifference = ({ field, from, to }: Difference): string =>
  `  ${field}: ${from === null ? '(absent)' : printGot(from)} -> ${to === null ? '(absent)' : printGot(to)}`;

const STATE: Readonly<Record<Why['state'], string>> = {
  cached: 'cached',
  failed: 'failed',
  again: 'to run again',
  missing: 'to run',
  waiting: 'to run',
  refused: 'refused',
};

function printWhy({ state, reason, wanted, nearest }: Why): string[] {
  const head = wrap(`${STATE[state]}: ${reason}`);
  if (nearest === null) return head;
  const n = nearest.differences.length;
  const what = wanted ? `new against ${nearest.id}` : `the nearest that is asked for is ${nearest.id}`;
  return [...head, `${what}, which differs in ${n} field${n === 1 ? '' : 's'}:`, ...nearest.differences.map(printDifference)];
}

/** `spc why`: exit codes 0; 2 for an invalid file or a choice of several; 5 when there is no such trial. */
export const whyCommand: CommandModule<object, WhyArguments> = {
  command: 'why <sweep> <trial> [overrides..]',
  describe: 'say why a trial is cached, failed or still to run, and which field makes it new',
  builder: (yargs) =>
    yargs
      .positional('sweep', { type: 'string', demandOption: true, describe: 'a sweep file, a results folder, or the name of a sweep' })
      .positional('trial', {
        type: 'string',
        demandOption: true,
        describe: 'any beginning of an id, or a filter such as strategy=tsf,seed=3',
      })
      .positional('overrides', { type: 'string', array: true, default: [] as string[], describe: 'key=value, applied after the file' })
      .option('results', { type: 'string', default: 'results', requiresArg: true, describe: 'folder of results' })
      .option('json', { type: 'boolean', default: false, describe: 'for programs' })
      .epilogue(`${WHERE_HELP} Exit codes: 0; 2 several trials, 5 none.`),
  handler: why,
};
