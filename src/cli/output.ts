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
