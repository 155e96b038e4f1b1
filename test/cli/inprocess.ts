import type { complete as completeIn } from '../../src/cli/complete.ts';
import type { main } from '../../src/cli/main.ts';
import type { Injected } from '../../src/cli/run.ts';
import type { Left, SpcOptions } from './spc.ts';

const dist = new URL('../../dist/cli/', import.meta.url);
const load = async <T>(name: string): Promise<T> => (await import(new URL(name, dist).href)) as T;
type Command = Parameters<typeof main>[1][number];
type Make = (injected: Injected) => Command;
const spc = await load<{ main: typeof main }>('main.js');
const { exportCommand } = await load<{ exportCommand: Command }>('export.js');
const [{ runCommand }, { rerunCommand }] = [await load<{ runCommand: Make }>('run.js'), await load<{ rerunCommand: Make }>('rerun.js')];
const { whyCommand } = await load<{ whyCommand: Command }>('why.js');
const { logsCommand } = await load<{ logsCommand: Command }>('logs.js');
const { completionCommand } = await load<{ completionCommand: Command }>('completion.js');
const { doctorCommand } = await load<{ doctorCommand: Command }>('doctor.js');
const { initCommand } = await load<{ initCommand: Command }>('init.js');
const { planCommand } = await load<{ planCommand: Command }>('plan.js');
const { listCommand } = await load<{ listCommand: Command }>('list.js');
const { tableCommand } = await load<{ tableCommand: Command }>('table.js');
const { compareCommand } = await load<{ compareCommand: Command }>('compare.js');
const { complete } = await load<{ complete: typeof completeIn }>('complete.js');

/** What tab offers: the last word is the one under the cursor. */
export const completed = (...words: string[]): string[] => complete(['spc', ...words], commands('')).map(({ value }) => value);

const commands = (threadModule: string): Command[] => [
  ...[runCommand({ threadModule }), rerunCommand({ threadModule })],
  ...[
    exportCommand,
    whyCommand,
    logsCommand,
    listCommand,
    initCommand,
    planCommand,
    doctorCommand,
    completionCommand,
    tableCommand,
    compareCommand,
  ],
];

/** The compiled command line, called in this process: half a second sooner than `spc`. */
export async function inProcess(args: readonly string[], { jobs = 'thread' }: Pick<SpcOptions, 'jobs'> = {}): Promise<Left> {
  const threadModule = new URL(`../worker/fake/${jobs}.mjs`, import.meta.url).href;
  const said = { stdout: '', stderr: '' };
  const real = { stdout: process.stdout.write, stderr: process.stderr.write };
  for (const name of ['stdout', 'stderr'] as const) {
    process[name].write = ((text: string | Uint8Array, done?: () => void) => {
      said[name] += typeof text === 'string' ? text : Buffer.from(text).toString('latin1'); // policies are bytes
      if (typeof done === 'function') done();
      return true;
    }) as typeof process.stdout.write;
  }
  try {
    await spc.main(args, commands(threadModule));
    return { code: Number(process.exitCode ?? 0), signal: null, ...said };
  } finally {
    process.exitCode = undefined;
    process.stdout.write = real.stdout;
    process.stderr.write = real.stderr;
  }
}
