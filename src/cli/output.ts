import { writeRefused } from '../contract/host.ts';

const FAILED = 1;

/** What is printed may find no reader, no room, or no terminal any more. */
export function expectRefusals(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(); // nobody reads on: `spc table x | head`
    process.stderr.write(`${writeRefused('stdout:', error).message}\n`);
    process.exit(FAILED);
  });
  process.stderr.on('error', () => {}); // nobody to tell; the work is worth going on
}

/** Who may open few files cannot even start. Throws what is no fault of the machine. */
export function explainStart(error: unknown): undefined {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code !== 'EMFILE' && code !== 'ENFILE') throw error;
  const remedy = code === 'EMFILE' ? 'ulimit -n 1024 allows this shell more' : 'the whole machine has too many open';
  process.stderr.write(`spc: expected to open its files, got ${message}; ${remedy}\n`);
  process.exitCode = FAILED;
}
