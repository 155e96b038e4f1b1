import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { CommandModule } from 'yargs';
import { visible } from '../contract/visible.ts';
import { WHERE_HELP } from '../coordinator/where.ts';
import type { ListedBase, ListedTrial, Listing } from '../report/listing.ts';
import { countFolder, type FolderCounts, resultsFolders } from './folders.ts';
import { RESULTS, resultsFolder } from './table.ts';
import { many, WIDTH } from './text.ts';

interface ListArguments {
  readonly folder: string | undefined;
  readonly results: string;
  readonly where: string;
  readonly json: boolean;
}

const EXIT = { broken: 1, empty: 5 } as const;

/** Reads, never writes. */
async function list({ folder: given, results, where, json }: ListArguments): Promise<void> {
  const all = given === undefined ? results : existsSync(join(given, 'sweep.yaml')) ? null : given;
  const folders = all === null ? [] : resultsFolders(all);
  if (given === undefined || folders.length > 0) return listFolders(all ?? results, folders, json);
  const folder = resultsFolder(given, results);
  const { readListing } = await import('../report/listing.ts'); // late: the metrics, which no other command line needs
  const listing = await readListing(folder, where);
  if ('empty' in listing) {
    process.stderr.write(`list ${folder}: ${listing.empty}\n`);
    process.exitCode = EXIT.empty;
    return;
  }
  await write(json ? jsonOf(folder, listing) : textOf(listing));
  for (const message of listing.broken) process.stderr.write(`${visible(message)}\n`);
  if (listing.broken.length > 0) process.exitCode = EXIT.broken;
}

const CHUNK = 1 << 16;

/** In pieces, as fast as they are taken: there may be a hundred thousand lines. */
async function write(lines: Iterable<string>): Promise<void> {
  let text = '';
  for (const line of lines) {
    text += line;
    if (text.length < CHUNK) continue;
    if (!process.stdout.write(text)) await once(process.stdout, 'drain');
    text = '';
  }
  process.stdout.write(text);
}

/** One object, a line per base and per trial. */
function* jsonOf(folder: string, { trials, bases, ...head }: Listing): Generator<string> {
  yield `${JSON.stringify({ version: 1, folder, ...head }).slice(0, -1)},\n"bases": [\n`;
  yield* commaed(bases);
  yield '],\n"trials": [\n';
  yield* commaed(trials);
  yield ']}\n';
}

function* commaed(entries: Iterable<object>): Generator<string> {
  let before = '';
  for (const entry of entries) {
    yield `${before}${JSON.stringify(entry)}`;
    before = ',\n';
  }
  yield '\n';
}

const DIGEST = 12;
const ID = 16;
const STATE = 7;
/** Reasons that are printed whole. */
const SHOWN = 12;
const NUMBERS = ['fe', 'finalFe', 'worstCase', 'rsi'] as const;
const HEADERS = ['FE', 'final', 'worst', 'RSI'];

const number = (value: number | null | undefined, decimals = 1): string => (typeof value === 'number' ? value.toFixed(decimals) : '–');
const digest = (policy: string | null): string => (policy ?? '–').slice(0, DIGEST).padEnd(DIGEST);
const cut = (text: string, room: number): string => {
  const letters = [...text];
  return letters.length <= room ? letters.join('') : `${letters.slice(0, room - 1).join('')}…`;
};

/** What is said of lines that have no numbers: each reason once, whole, below the list. */
class Reasons {
  readonly texts: string[] = [];

  mark(why: string | null): string {
    const text = visible(why?.split('\n', 1)[0] ?? '');
    const there = this.texts.indexOf(text);
    return `[${there >= 0 ? there + 1 : this.texts.length < SHOWN ? this.texts.push(text) : '+'}] ${text}`;
  }

  *below(): Generator<string> {
    for (const [i, text] of this.texts.entries()) yield* fold(`[${i + 1}] ${text}`);
    if (this.texts.length === SHOWN) yield '[+] other reasons: spc list --json has them all\n';
  }
}

function* textOf({ sweep, where, counts, bases, trials, strangers }: Listing): Generator<string> {
  const { ok, failed, missing } = counts;
  const only = where === null ? '' : ` where ${visible(where)}`;
  const reasons = new Reasons();
  yield `${sweep}${only}: ${many(ok + failed + missing, 'trial')}: ${ok} ok, ${failed} failed, ${missing} missing; ${many(bases.length, 'base')}\n`;
  const baseSeed = bases.reduce((widest, { seed }) => Math.max(widest, String(seed).length), 4);
  yield `\n${line('base', 'seed'.padStart(baseSeed), 'state', 'policy'.padEnd(DIGEST), '  return')}`;
  let under = '';
  for (const base of sortedByName(bases)) {
    if (base.name !== under) yield* fold(base.name);
    under = base.name;
    yield baseLine(base, baseSeed, reasons);
  }
  let seeds = 4;
  for (const trial of trials) seeds = Math.max(seeds, seedOf(trial).length);
  yield `\n${line('trial', 'seed'.padEnd(seeds), 'state', 'policy'.padEnd(DIGEST), HEADERS.map((text) => text.padStart(5)).join('  '))}`;
  under = '';
  for (const trial of trials) {
    if (trial.arm !== under) yield* fold(trial.arm);
    under = trial.arm;
    yield trialLine(trial, seeds, reasons);
  }
  yield '\n';
  if (strangers > 0) yield `${many(strangers, 'row')} of no trial of this sweep: not in the list\n`;
  yield* reasons.below();
  yield 'seed: training seed/correction seed. FE, final FE, worst case, RSI in per cent.\n';
  yield 'policy: the beginning of a SHA-256, for spc export; whole with --json.\n';
}

/** Bases that are called alike together, in the order of the first of them. */
function sortedByName(bases: readonly ListedBase[]): ListedBase[] {
  const order = new Map([...new Set(bases.map(({ name }) => name))].map((name, i) => [name, i]));
  return bases.toSorted((a, b) => (order.get(a.name) ?? 0) - (order.get(b.name) ?? 0));
}

/** A name that is longer than a line goes on in the next. */
function* fold(name: string): Generator<string> {
  let text = '';
  for (const word of visible(name).split(' ')) {
    if (text !== '' && text.length + 1 + word.length > WIDTH) {
      yield `${text}\n`;
      text = '   ';
    }
    text = text === '' ? word : `${text} ${word}`;
  }
  yield `${text}\n`;
}

const line = (id: string, seed: string, state: string, policy: string, rest: string): string =>
  `${`  ${id.padEnd(ID)}  ${seed}  ${state.padEnd(STATE)}  ${policy}  ${rest}`.trimEnd()}\n`;

/** Why there are no numbers stands where they would; what does not fit stands below. */
const without = (id: string, seed: string, state: string, why: string): string => {
  const before = `  ${visible(id).padEnd(ID)}  ${seed}  ${state.padEnd(STATE)}  `;
  return `${before}${cut(why, Math.max(20, WIDTH - before.length))}\n`;
};

/** What is missing says so in a few words; a failure may need more than the line has. */
const told = (state: string, why: string | null, reasons: Reasons): string => (state === 'failed' ? reasons.mark(why) : (why ?? ''));

function baseLine({ id, seed, state, policy, greedyReturn, why }: ListedBase, width: number, reasons: Reasons): string {
  const seedText = String(seed).padStart(width);
  if (state !== 'ok') return without(id, seedText, state, told(state, why, reasons));
  return line(id, seedText, state, digest(policy), number(greedyReturn).padStart(8));
}

const seedOf = ({ seed, correctionSeed }: ListedTrial): string => `${seed}/${correctionSeed}`;

function trialLine(trial: ListedTrial, width: number, reasons: Reasons): string {
  const { id, state, policy, values, why } = trial;
  const seed = seedOf(trial).padEnd(width);
  if (state !== 'ok') return without(id, seed, state, told(state, why, reasons));
  return line(id, seed, state, digest(policy), NUMBERS.map((key) => number(values[key]).padStart(5)).join('  '));
}

/** What there is under a folder of results, a line for each. */
async function listFolders(root: string, folders: readonly string[], json: boolean): Promise<void> {
  const counts: FolderCounts[] = [];
  for (const folder of folders) counts.push(await countFolder(folder));
  if (json) process.stdout.write(`${JSON.stringify({ version: 1, results: root, folders: counts }, null, 2)}\n`);
  if (counts.length === 0) {
    process.stderr.write(`list: ${visible(root)} has no results yet; spc run writes them, --results names another folder\n`);
    process.exitCode = EXIT.empty;
    return;
  }
  if (json) return;
  const cells = counts.map(({ folder, trials, asked, failed, bases }) => [
    visible(folder),
    `${trials}/${asked ?? '?'}`,
    String(failed),
    String(bases),
  ]);
  const header = ['results', 'trials', 'failed', 'bases'];
  const widths = header.map((title, i) => Math.max(title.length, ...cells.map((row) => row[i]?.length ?? 0)));
  for (const row of [header, ...cells])
    process.stdout.write(`${row.map((text, i) => (i === 0 ? text.padEnd(widths[i] ?? 0) : text.padStart(widths[i] ?? 0))).join('  ')}\n`);
}

/** `spc list`. */
export const listCommand: CommandModule<object, ListArguments> = {
  command: 'list [folder]',
  describe: 'every trial and base of a sweep: state, policy, main numbers; without a name, what results there are',
  builder: (yargs) =>
    yargs
      .positional('folder', { type: 'string', describe: 'a results folder, or the name of a sweep' })
      .option('where', { type: 'string', default: '', requiresArg: true, describe: 'only these trials: strategy=tsf|none,seed=1..3' })
      .option('results', { type: 'string', default: RESULTS, requiresArg: true, describe: 'where results of that name are' })
      .option('json', { type: 'boolean', default: false, describe: 'whole digests and every number, for programs' })
      .epilogue(`${WHERE_HELP} Exit codes: 0; 1 some lines of its files are no rows, 2 usage, 5 there is nothing.`),
  handler: list,
};
