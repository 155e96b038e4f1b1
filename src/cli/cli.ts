#!/usr/bin/env node
import { tooFewFiles } from './files.ts';

const few = tooFewFiles();
if (few === null) {
  // Late: with too few files these could not even be read.
  const { outliveTerminal } = await import('./interrupt.ts');
  const { expectRefusals } = await import('./output.ts');
  outliveTerminal();
  expectRefusals();
  await (await import('./commands.ts')).runCommandLine();
} else {
  process.stderr.write(`${few}\n`);
  process.exitCode = 1;
}
