import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import yargs from 'yargs';
import { ConfigError, TransportError } from '../contract/errors.ts';
import { HostError, refused } from '../contract/host.ts';
import { meanings } from '../contract/problems.ts';
import { whatIsThere } from '../coordinator/there.ts';
import { judgeArguments } from './arguments.ts';
import { type Command, describeOf, nameOf, shapeOf } from './shape.ts';
import { helpWidth, say } from './text.ts';

const USAGE = 2;
const FAILED = 1;
const NETWORK = 3;

const home = new URL('../../', import.meta.url);
const version = (): string => (JSON.parse(readFileSync(new URL('package.json', home), 'utf8')) as { version: string }).version;

const MORE = `\`spc help <command>\` tells more of each. Sweeps to begin with, and documents: the folders sweeps and docs of\n${fileURLToPath(home)}`;

/** `examples`: what follows `spc`, and what it is for. */
export const withExamples = (command: Command, examples: Readonly<Record<string, string>>): Command => ({
  ...command,
  builder: (y) => {
    const built = typeof command.builder === 'function' ? (command.builder(y) as typeof y) : y;
    return Object.entries(examples).reduce((all, [line, what]) => all.example(`$0 ${line}`, what), built);
  },
});

/** Finds and runs the command; errors become messages on stderr and an exit code. */
export async function main(argv: readonly string[], commands: readonly Command[]): Promise<void> {
  try {
    const asked = understand(argv, commands);
    if (asked === 'version') process.stdout.write(`${version()}\n`);
    else await parse(asked, commands);
  } catch (error) {
    process.exitCode = report(error);
  }
}

const [HELP, VERSION] = [
  ['--help', '-h', '-?'],
  ['--version', '-v'],
];

/** `help` and `version` in all the ways in which they are asked for; else the arguments of a command, judged. */
function understand(argv: readonly string[], commands: readonly Command[]): readonly string[] | 'version' {
  const options = argv.includes('--') ? argv.slice(0, argv.indexOf('--')) : argv;
  const words = argv.filter((word) => !word.startsWith('-'));
  const names = commands.map(nameOf);
  const at = argv.findIndex((word) => names.includes(word));
  const [first = ''] = words;
  const asksHelp = options.some((word) => HELP.includes(word)) || (first === 'help' && !names.includes('help'));
  if (options.some((word) => VERSION.includes(word)) || (first === 'version' && !names.includes('version'))) return 'version';
  if (asksHelp) {
    const about = words.find((word) => word !== 'help');
    if (about !== undefined && at < 0) throw unknown(about, commands);
    return at < 0 ? ['--help'] : [argv[at] ?? '', '--help'];
  }
  if (at < 0 || (first !== argv[at] && !argv.slice(0, at).some((word) => word.startsWith('-')))) throw unknown(words[0], commands, argv[0]);
  const command = commands.find((one) => nameOf(one) === argv[at]) as Command;
  const rest = argv.filter((_, i) => i !== at);
  const shape = shapeOf(command);
  if (rest[0] === 'help' && shape.places.length > 0) return [shape.name, '--help']; // a file of that name is ./help
  return [shape.name, ...judgeArguments(rest, shape, commands.filter((one) => one !== command).map(shapeOf))];
}

/** The library takes it from here: defaults, help, the command itself. What is wrong was said before. */
async function parse(argv: readonly string[], commands: readonly Command[]): Promise<void> {
  const isHelp = argv.includes('--help');
  const wanted = isHelp ? commands : commands.filter((command) => nameOf(command) === argv[0]);
  await wanted
    .reduce((y, command) => y.command(command), yargs([...argv]).scriptName('spc'))
    .usage('$0 <command>: remove one behaviour of a trained policy, keep the rest, and prove it')
    .strict()
    .version(version())
    .help()
    .alias('h', 'help')
    .alias('v', 'version')
    .epilogue(isHelp && argv.length === 1 ? MORE : '')
    .exitProcess(false)
    .wrap(helpWidth())
    .fail((message, error) => {
      throw error ?? new Error(message);
    })
    .parseAsync();
}

/** What is no command: the one that was meant, and all there are. */
function unknown(word: string | undefined, commands: readonly Command[], first = word): ConfigError {
  const names = commands.map(nameOf);
  const wide = Math.max(...names.map((name) => name.length));
  const all = commands.map((command) => `\n  ${nameOf(command).padEnd(wide)}  ${describeOf(command)}`).join('');
  if (word === undefined || first?.startsWith('-')) {
    const got = first === undefined ? 'none' : `the option ${first}`;
    return new ConfigError(`spc: expected a command, got ${got}; spc help <command> tells more of each of these${all}`);
  }
  const got = `spc: expected a command, got the unknown command ${word}`;
  const there = whatIsThere(word);
  if (there.format === 'sweep') return new ConfigError(`${got}, which is a sweep file; did you mean spc run ${word}?`);
  if (there.what === 'a results folder') return new ConfigError(`${got}, which is a results folder; did you mean spc table ${word}?`);
  const meant = meanings(word, names)[0];
  if (meant !== undefined) return new ConfigError(`${got}; did you mean ${meant}?\n  commands: ${names.join(', ')}`);
  return new ConfigError(`${got}; spc help <command> tells more of each of these${all}`);
}

/** What the system refused: no permission, no space, a folder where a file should be. */
const isSystemError = (error: unknown): error is NodeJS.ErrnoException => error instanceof Error && 'syscall' in error && 'code' in error;

/** Who must act decides what is said, and the exit code. */
function report(error: unknown): number {
  if (error instanceof ConfigError) {
    say(error.message);
    return USAGE;
  }
  if (error instanceof TransportError) {
    say(error.message);
    return NETWORK;
  }
  if (error instanceof HostError || isSystemError(error)) {
    say(error instanceof HostError ? error.message : refused(error));
    return FAILED;
  }
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`this is a bug in spc; please report it with what follows\n${stack}\n`);
  return FAILED;
}
