#!/usr/bin/env node
// What `npx spc` starts. A checkout is built first where its sources have changed; a package comes built.
// `node dist/cli/cli.js` starts the last build as it is.
import { isFresh } from '../tools/build/stamp.mjs';

if (!isFresh()) {
  const { main } = await import('../tools/build.mjs');
  const code = await main();
  if (code !== 0) process.exit(code);
}
await import(new URL('../dist/cli/cli.js', import.meta.url).href);
