#!/usr/bin/env node
import { currentBuild } from './build.ts';
import { tooFewFiles } from './files.ts';

const few = tooFewFiles();
if (few === null) {
  // Late: with too few files these could not even be read.
  const build = currentBuild();
  if (build) await import(new URL('cli/start.js', build).href);
  else await import('./start.ts');
} else {
  process.stderr.write(`${few}\n`);
  process.exitCode = 1;
}
