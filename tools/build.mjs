// Builds what a clone needs: AssemblyScript -> wasm -> a base64 module, then TypeScript -> dist.
// The wasm's SHA-256 is committed in src/math/assembly/kernels.sha256; other bits are an error, not a surprise.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const require = createRequire(import.meta.url);
const at = (...parts) => join(root, ...parts);
const run = (packageName, script, ...args) =>
  execFileSync(process.execPath, [join(dirname(require.resolve(`${packageName}/package.json`)), script), ...args], {
    cwd: root,
    stdio: 'inherit',
  });

/** Compiles the kernels; returns their bytes. `--record` accepts new bits on purpose. */
function kernels(record) {
  mkdirSync(at('build'), { recursive: true });
  run(
    'assemblyscript',
    'bin/asc.js',
    'src/math/assembly/kernels.ts',
    '-o',
    'build/kernels.wasm',
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
  );
  const wasm = readFileSync(at('build/kernels.wasm'));
  const digest = createHash('sha256').update(wasm).digest('hex');
  const file = at('src/math/assembly/kernels.sha256');
  if (record) writeFileSync(file, `${digest}\n`);
  const expected = existsSync(file) ? readFileSync(file, 'utf8').trim() : '(none)';
  if (digest !== expected) {
    console.error(
      `kernels.wasm: expected SHA-256 ${expected}, got ${digest}.\nIf the kernels were changed on purpose: node tools/build.mjs --record`,
    );
    process.exit(1);
  }
  return { wasm, digest };
}

const { wasm, digest } = kernels(process.argv.includes('--record'));
const module = `// Written by tools/build.mjs from src/math/assembly; not in git.
export const KERNELS_SHA256 = '${digest}';
export const KERNELS_WASM = '${wasm.toString('base64')}';
`;
const generated = at('src/math/engines/kernels.wasm.ts');
mkdirSync(dirname(generated), { recursive: true });
if (!existsSync(generated) || readFileSync(generated, 'utf8') !== module) writeFileSync(generated, module);

rmSync(at('dist'), { recursive: true, force: true });
run('typescript', 'bin/tsc', '-p', 'tsconfig.build.json');
chmodSync(at('dist/cli/cli.js'), 0o755);
