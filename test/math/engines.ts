/** The engines that a suite runs over: ours, and TensorFlow where it is installed. Where it is not, that is said, and conformance.test.ts judges how. */
import { HostError } from '../../src/contract/host.ts';
import { ENGINE_NAMES, type EngineName } from '../../src/contract/spec.ts';
import type { Engine } from '../../src/math/engine.ts';
import { makeEngine } from '../../src/worker/engines.ts';

/** The engine of that name, or why there is none. `SPC_REQUIRE_TFJS` (set by .ci/run where the binding was built) makes its absence an error. */
export function installed(name: EngineName): Engine | string {
  try {
    return makeEngine(name);
  } catch (error) {
    if (!(error instanceof HostError) || process.env['SPC_REQUIRE_TFJS'] === '1') throw error;
    return error.message;
  }
}

/** Largest distance from recorded values: float64 of the reference, float32 of all others. */
export const exactOf = (engine: Engine): number => (engine.name === 'reference' ? 1e-11 : 2e-5);

const found = ENGINE_NAMES.map((name) => [name, installed(name)] as const);
export const ENGINES: readonly Engine[] = found.flatMap(([, engine]) => (typeof engine === 'string' ? [] : [engine]));
/** The others, each with the reason. */
export const ABSENT = found.flatMap(([name, reason]) => (typeof reason === 'string' ? [[name, reason] as const] : []));
for (const [, reason] of ABSENT) process.stderr.write(`not tested: ${reason}\n`);
