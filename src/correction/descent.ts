import type { AdamState, Floats, Network } from '../math/engine.ts';
import { linears } from '../math/layout.ts';
import { clippingScale } from '../ppo/train.ts';

export interface DescentOptions {
  readonly steps: number;
  readonly learningRate: number;
  readonly annealLr: boolean;
  readonly adamEps: number;
  readonly maxGradNorm: number;
}

/**
 * Takes one gradient step after another on policy and trunk: fresh Adam, global-norm clipping, the value head frozen
 * (and, where the networks are separate, its whole tower). A linear decay of the learning rate reaches 0 after the last step.
 */
export function makeDescent(network: Network, options: DescentOptions) {
  const adam: AdamState = { m: network.vector(network.size), v: network.vector(network.size), step: 0 };
  const trainable = trainableMask(network);
  return {
    /** One step along what the head's cotangents of rows [0, rows) say. */
    step(rows: number): void {
      const gradient = network.backward(rows, { weights: true }).weights;
      network.mul(gradient, trainable); // a moment that never saw a gradient moves nothing
      const scale = clippingScale(network.norm(gradient), options.maxGradNorm, `correction step ${adam.step + 1}`);
      const learningRate = options.learningRate * (options.annealLr ? 1 - adam.step / options.steps : 1);
      network.adam(adam, gradient, { learningRate, beta1: 0.9, beta2: 0.999, eps: options.adamEps, scale });
    },
  };
}

/** 1 where a parameter may move, 0 in the value head. */
function trainableMask(network: Network): Floats {
  const mask = network.vector(network.size).fill(1);
  for (const { name, inputs, outputs, weights } of linears(network.shape)) {
    if (name.startsWith('value')) mask.fill(0, weights, weights + (inputs + 1) * outputs);
  }
  return mask;
}
