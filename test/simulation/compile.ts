import { rmSync } from 'node:fs';
import { relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build, type Plugin } from 'vite';
import { type Mutant, mutants, type Patch } from './mutants.ts';
import type { Outcome } from './simulate.ts';

export type Simulate = (seed: number, trace?: ((line: string) => void) | null, without?: readonly string[]) => Promise<Outcome>;

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** What a message says depends on its text alone, and judging it is most of the work of a history: it is judged once. */
const remember = (name: 'parseJob' | 'parseResult'): Patch => ({
  file: 'src/contract/messages.ts',
  from: `export function ${name}(message: string)`,
  to: `const ${name}ed = new Map();
export function ${name}(message: string) {
  let known = ${name}ed.get(message);
  if (!known) ${name}ed.set(message, (known = ${name}Anew(message)));
  return known;
}
function ${name}Anew(message: string)`,
});

/** Rows and specs are written many times and never changed: their text is made once. */
const rememberTexts: Patch = {
  file: 'src/contract/ids.ts',
  from: 'return canonicalize(value);',
  to: `if (typeof value !== 'object' || value === null || Array.isArray(value)) return canonicalize(value);
  const known = texts.get(value);
  if (known !== undefined) return known;
  const keys = Object.keys(value).filter((key) => value[key] !== undefined).sort();
  const text = '{' + keys.map((key) => JSON.stringify(key) + ':' + canonicalJson(value[key])).join(',') + '}';
  texts.set(value, text);
  return text;
}
const texts = new WeakMap();
{`,
};

function apply(patches: readonly Patch[]): Plugin {
  const left = new Set(patches);
  return {
    name: 'patches',
    enforce: 'pre',
    transform(code, id) {
      const file = relative(ROOT, id);
      const its = patches.filter((patch) => patch.file === file);
      if (its.length === 0) return null;
      for (const patch of its) left.delete(patch);
      return its.reduce((text, { from, to }) => {
        const parts = text.split(from);
        if (parts.length !== 2) throw new Error(`${file}: expected once, found ${parts.length - 1} times: ${from}`);
        return parts.join(to);
      }, code);
    },
    buildEnd() {
      for (const { file } of left) throw new Error(`${file}: is no part of the simulation`);
    },
  };
}

export function mutantOf(name: string): Mutant {
  const found = mutants.find((mutant) => mutant.name === name);
  if (found) return found;
  throw new Error(`mutant: expected one of ${mutants.map((mutant) => mutant.name).join(', ')}, got ${name}`);
}

/** Compiles the simulation, and a mutant into it if one is named, to a module of plain JavaScript. Returns its address. */
export async function compile(mutant?: string): Promise<string> {
  const outDir = `${ROOT}/node_modules/.simulation/${mutant ?? 'sound'}-${process.pid}`;
  const patches = [remember('parseJob'), remember('parseResult'), rememberTexts, ...(mutant === undefined ? [] : mutantOf(mutant).patches)];
  await build({
    configFile: false,
    root: ROOT,
    logLevel: 'error',
    plugins: [apply(patches)],
    build: { ssr: 'test/simulation/simulate.ts', outDir, emptyOutDir: true, minify: false, target: 'node20' },
  });
  process.once('exit', () => rmSync(outDir, { recursive: true, force: true }));
  return pathToFileURL(`${outDir}/simulate.js`).href;
}
