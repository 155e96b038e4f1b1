import type { Engine } from '../../math/engine.ts';
import { type TensorFlowName, tensorFlowVersion } from './find.ts';

export function makeTensorFlow(name: TensorFlowName): Engine {
  return {
    name,
    version: tensorFlowVersion(name),
    network: () => {
      throw new Error('not yet');
    },
  };
}
