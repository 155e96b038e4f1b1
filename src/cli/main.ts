import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import yargs, { type CommandModule } from 'yargs';
import { ConfigError, TransportError } from '../contract/errors.ts';
import { HostError } from '../contract/host.ts';
import { nearest } from '../contract/problems.ts';

const USAGE = 2;
const FAILED = 1;
const NETWORK = 3;

const home = new URL('../../', import.meta.url);
const version = (): string => (JSON.parse(readFileSync(new URL('package.json', home), 'utf8')) as { version: string }).version;

/** Any command: each has arguments of its own. */
// biome-ignore lint/suspicious/noExplicitAny: yargs cannot say "of some type"
type Command = CommandModule<object, any>;

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
    const parser = commands.reduce((y, command) => y.command(command), yargs([...argv]).scriptName('spc'));
    await parser
      .usage('$0 <command>: remove one behaviour of a trained policy, keep the rest, and prove it')
      .demandCommand(1, `expected a command, one of ${commands.map(nameOf).join(', ')}`)
      .strict()
      .version(version())
      .help()
      .epilogue(`Sweeps to begin with, and documents: the folders sweeps and docs of\n${fileURLToPath(home)}`)
      .exitProcess(false)
      .wrap(80)
      .fail((message, error) => {
        if (error && error.name !== 'YError') throw error;
        const said = explain(message || error?.message || '', commands.map(nameOf), optionsOf(parser));
        throw new ConfigError(`spc: ${said}; spc --help and spc <command> --help tell more`);
      })
      .parseAsync();
  } catch (error) {
    process.exitCode = report(error);
  }
}

const nameOf = ({ command }: Command): string => String(command).split(' ')[0] ?? '';

/** The options that are known where the parser stopped; its types do not speak of them. */
const optionsOf = (y: unknown): readonly string[] => Object.keys((y as { getOptions(): { key: object } }).getOptions().key);

/** What yargs says, and what was probably meant. */
function explain(message: string, commands: readonly string[], options: readonly string[]): string {
  const [, word] = message.match(/^Unknown (?:arguments?|commands?): ([^,]+)/) ?? [];
  if (word === undefined) return message.replace(/\n/g, ' ');
  const meant = nearest(word, commands) ?? nearest(word, options);
  return `${message}${meant ? `; did you mean ${commands.includes(meant) ? meant : `--${meant}`}?` : ''}`;
}

/** What the system refused: no permission, no space, a folder where a file should be. */
const isSystemError = (error: unknown): error is Error => error instanceof Error && 'syscall' in error && 'code' in error;

/** Who must act decides what is said, and the exit code. */
function report(error: unknown): number {
  if (error instanceof ConfigError) {
    process.stderr.write(`${error.message}\n`);
    return USAGE;
  }
  if (error instanceof TransportError) {
    process.stderr.write(`${error.message}\n`);
    return NETWORK;
  }
  if (error instanceof HostError || isSystemError(error)) {
    process.stderr.write(`${error.message}\n`);
    return FAILED;
  }
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`this is a bug in spc; please report it with what follows\n${stack}\n`);
  return FAILED;
}
