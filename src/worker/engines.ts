import { HostError } from '../contract/host.ts';
import type { Numerics } from '../contract/numerics.ts';
import type { EngineName } from '../contract/spec.ts';
import type { Engine } from '../math/engine.ts';
import { makeEngine as ours } from '../math/engines/index.ts';
import { numerics } from './numerics.ts';
import { makeTensorFlow } from './tfjs/engine.ts';
import { findBinding, tensorFlowVersion } from './tfjs/find.ts';

const isTensorFlow = (name: EngineName): name is 'tfjs' | 'tfjs-cpu' => name === 'tfjs' || name === 'tfjs-cpu';

/** The engine of that name. TensorFlow is loaded when it is named, and not before. Throws HostError where it is not installed. */
export const makeEngine = (name: EngineName): Engine => (isTensorFlow(name) ? makeTensorFlow(name) : ours(name));

const versionOf = (name: EngineName): string => (isTensorFlow(name) ? tensorFlowVersion(name) : ours(name).version);

/** Throws HostError where an engine is not fit for so many threads of a process. */
export function expectFit(names: readonly EngineName[], threads: number): void {
  if (threads > 1 && names.includes('tfjs') && !findBinding().locked)
    throw new HostError(
      `engine tfjs: expected a binding with a lock for ${threads} threads, found the published one, which may crash when two start at once; npm run tfjs:native compiles it with one, or run one thread`,
    );
}

/**
 * The code behind the rows of a sweep that computes with these engines. Loads none of them: what of TensorFlow is installed is read off the disk.
 * Throws HostError where one is not there.
 */
export function numericsOf(names: readonly EngineName[]): Numerics {
  const [only, ...others] = [...new Set(names)].sort();
  if (only === undefined) throw new RangeError('numericsOf: expected an engine, got none');
  const version = others.length === 0 ? versionOf(only) : [only, ...others].map((name) => `${name} ${versionOf(name)}`).join(', ');
  return numerics(version, names.some(isTensorFlow) ? ['worker/tfjs/engine.js'] : []);
}
