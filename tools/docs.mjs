// Writes what the pages in docs/ say from the data itself between its markers: npm run docs. test/docs/generated.test.ts fails when they are stale.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { runnerImport } from 'vite';

const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const { module } = await runnerImport(at('tools/docs/blocks.ts'), { configFile: false });
for (const [path, blocks] of Object.entries(module.pages())) {
  const before = readFileSync(at(path), 'utf8');
  const after = module.filled(before, blocks);
  if (after !== before) writeFileSync(at(path), after);
  console.log(`${after === before ? 'as it was' : 'written  '}  ${path}: ${Object.keys(blocks).join(', ')}`);
}
