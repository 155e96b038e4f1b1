// AssemblyScript -> WebAssembly -> a TypeScript module that holds it as base64.
// The SHA-256 of each is committed beside its source; other bits are an error, not a surprise.
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { compiler, Refused } from './compiler.mjs';
import { at, digestOf, sha256 } from './stamp.mjs';

/** What is compiled: the entry, where the module goes as base64, flags of its own. */
const MODULES = [
  { from: 'src/math/assembly/kernels.ts', to: 'src/math/engines/kernels.wasm.ts', flags: [] },
  // Its functions pass vectors to each other; none of them is exported from the module, of which asc warns all the same.
  { from: 'src/envs/lunarlander/assembly/solver.ts', to: 'src/envs/lunarlander/solver.wasm.ts', flags: ['--disableWarning', '112'] },
];
const FLAGS = [
  '-O3',
  '--noAssert',
  '--runtime',
  'stub',
  '--enable',
  'simd',
  '--disable',
  'bulk-memory',
  '--importMemory',
  '--use',
  'abort=',
];

const assemblyScript = () => JSON.parse(readFileSync(at('package-lock.json'), 'utf8')).packages['node_modules/assemblyscript'].version;

/** Writes what is missing or of other sources. `record` accepts new bits on purpose. Returns the digest of each written module. */
export async function compileModules(scratch, { record, signal }) {
  const written = await Promise.all(MODULES.map((module) => compileModule(module, scratch, { record, signal })));
  return Object.fromEntries(written.map((digest, i) => [MODULES[i].to, digest]));
}

async function compileModule({ from, to, flags }, scratch, { record, signal }) {
  const name = basename(from, '.ts');
  const made = `// Written by tools/build.mjs from ${dirname(from)}, ${digestOf([dirname(from)], FLAGS, flags, assemblyScript())}; not in git.\n`;
  const committed = at(from.replace(/\.ts$/, '.sha256'));
  const expected = existsSync(committed) ? readFileSync(committed, 'utf8').trim() : '(none)';
  const lying = existsSync(at(to)) ? readFileSync(at(to), 'utf8') : '';
  if (!record && lying === textOf(made, name, base64In(lying)) && sha256(base64In(lying)) === expected) return sha256(lying);

  const file = join(scratch, `${name}.wasm`);
  await compiler('assemblyscript', 'bin/asc.js', [from, '-o', file, ...FLAGS, ...flags], signal);
  const wasm = readFileSync(file);
  const digest = sha256(wasm);
  if (record) writeFileSync(committed, `${digest}\n`);
  else if (digest !== expected)
    throw new Refused(
      `${name}.wasm: expected SHA-256 ${expected}, got ${digest}; if ${dirname(from)} was changed on purpose: node tools/build.mjs --record`,
    );
  const text = textOf(made, name, wasm);
  writeFileSync(`${file}.ts`, text);
  renameSync(`${file}.ts`, at(to)); // whole or not at all: another build, or a test, may be reading it
  return sha256(text);
}

const base64In = (text) => Buffer.from(text.match(/_WASM = '([^']*)'/)?.[1] ?? '', 'base64');

const textOf = (made, name, wasm) => `${made}export const ${name.toUpperCase()}_SHA256 = '${sha256(wasm)}';
export const ${name.toUpperCase()}_WASM = '${wasm.toString('base64')}';
`;
