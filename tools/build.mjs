// Builds what a clone needs: AssemblyScript -> wasm -> a base64 module, then TypeScript -> dist.
// A module's SHA-256 is committed beside its source; other bits are an error, not a surprise.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const require = createRequire(import.meta.url);
const at = (...parts) => join(root, ...parts);
const run = (packageName, script, ...args) =>
  execFileSync(process.execPath, [join(dirname(require.resolve(`${packageName}/package.json`)), script), ...args], {
    cwd: root,
    stdio: 'inherit',
  });

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

/** Compiles a module and writes it as TypeScript. `--record` accepts new bits on purpose. */
function compile({ from, to, flags }, record) {
  const name = basename(from, '.ts');
  mkdirSync(at('build'), { recursive: true });
  run('assemblyscript', 'bin/asc.js', from, '-o', `build/${name}.wasm`, ...FLAGS, ...flags);
  const wasm = readFileSync(at(`build/${name}.wasm`));
  const digest = createHash('sha256').update(wasm).digest('hex');
  const file = at(from.replace(/\.ts$/, '.sha256'));
  if (record) writeFileSync(file, `${digest}\n`);
  const expected = existsSync(file) ? readFileSync(file, 'utf8').trim() : '(none)';
  if (digest !== expected) {
    console.error(
      `${name}.wasm: expected SHA-256 ${expected}, got ${digest}.\nIf ${dirname(from)} was changed on purpose: node tools/build.mjs --record`,
    );
    process.exit(1);
  }
  const text = `// Written by tools/build.mjs from ${dirname(from)}; not in git.
export const ${name.toUpperCase()}_SHA256 = '${digest}';
export const ${name.toUpperCase()}_WASM = '${wasm.toString('base64')}';
`;
  const generated = at(to);
  mkdirSync(dirname(generated), { recursive: true });
  if (!existsSync(generated) || readFileSync(generated, 'utf8') !== text) writeFileSync(generated, text);
}

for (const module of MODULES) compile(module, process.argv.includes('--record'));

rmSync(at('dist'), { recursive: true, force: true });
run('typescript', 'bin/tsc', '-p', 'tsconfig.build.json');
chmodSync(at('dist/cli/cli.js'), 0o755);
