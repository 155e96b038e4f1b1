import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { HostError } from '../../contract/host.ts';

/** `tfjs`: the native binding and the library that it finds beside it; `tfjs-cpu`: plain JavaScript. */
export type TensorFlowName = 'tfjs' | 'tfjs-cpu';
export const PACKAGES = { tfjs: '@tensorflow/tfjs-node', 'tfjs-cpu': '@tensorflow/tfjs' } as const;

/** What oneDNN may use of a processor: another cap, other bits. Machines without these instructions are older than 2013. */
export const INSTRUCTION_SET = 'AVX2';

export interface Binding {
  /** Of the package. */
  readonly version: string;
  /** Of the TensorFlow library behind it. */
  readonly library: string;
  /** Compiled here, with a lock where the published binding has none: without it two threads that start at once may crash. */
  readonly locked: boolean;
}

/** What `npm run tfjs:native` leaves beside the addon that it compiled. */
interface Built {
  readonly library: string;
}

const require = createRequire(import.meta.url);
/** A package comes without the tools of a clone: what it finds beside itself is another package. */
const inClone = existsSync(new URL('../../../tools/tfjs.mjs', import.meta.url));
const REMEDY = `${inClone ? 'npm run tfjs:native' : `npm install -g ${PACKAGES.tfjs}@4.22.0`} brings it; engine: tfjs-cpu goes without`;
/** What to do where a package is not there, or is not whole. */
export const REMEDIES = {
  tfjs: REMEDY,
  'tfjs-cpu': `${inClone ? 'npm run tfjs' : `npm install -g ${PACKAGES['tfjs-cpu']}@4.22.0`} brings it`,
} as const;

function libraryOf(note: string): string {
  const text = readFileSync(note, 'utf8');
  try {
    const { library } = JSON.parse(text) as Partial<Built>;
    if (typeof library === 'string') return library;
  } catch {}
  throw new HostError(`engine tfjs: expected the version of a library in ${note}, got ${JSON.stringify(text.slice(0, 60))}; ${REMEDY}`);
}

/** The folder of an installed package. Throws HostError where there is none. */
function packageOf(name: TensorFlowName): string {
  try {
    return dirname(require.resolve(`${PACKAGES[name]}/package.json`));
  } catch (error) {
    throw new HostError(`engine ${name}: expected the package ${PACKAGES[name]}, found none; ${REMEDIES[name]}`, { cause: error });
  }
}

const versionOf = (folder: string): string =>
  (JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string }).version;

/** The native binding as it lies on the disk, in the package's `folder`; it is not loaded. Throws HostError where it is not whole. */
export function findBinding(folder = packageOf('tfjs')): Binding {
  const lib = join(folder, 'lib');
  const addons = existsSync(lib) ? readdirSync(lib).map((napi) => join(lib, napi)) : [];
  const addon = addons.find((path) => existsSync(join(path, 'tfjs_binding.node')));
  if (addon === undefined) throw new HostError(`engine tfjs: expected the native binding of ${PACKAGES.tfjs}, found none; ${REMEDY}`);
  const version = versionOf(folder);
  const note = join(addon, 'spc.json');
  if (existsSync(note)) return { version, library: libraryOf(note), locked: true };
  const deps = join(folder, 'deps', 'lib');
  const libraries = (existsSync(deps) ? readdirSync(deps) : []).map((name) => name.match(/^libtensorflow\.(?:so\.)?(\d+\.\d+\.\d+)/)?.[1]);
  const library = libraries.find((found) => found !== undefined);
  if (library === undefined) throw new HostError(`engine tfjs: expected a TensorFlow library beside the binding, found none; ${REMEDY}`);
  return { version, library, locked: false };
}

/** What decides the bits of an engine, but for the processor. */
export function tensorFlowVersion(name: TensorFlowName): string {
  if (name === 'tfjs-cpu') return `tfjs ${versionOf(packageOf(name))}`;
  const { version, library } = findBinding();
  return `tfjs-node ${version}, TensorFlow ${library}, at most ${INSTRUCTION_SET}`;
}
