import type { BoundsOptions } from '../contract/strategies.ts';
import type { AdamState, Floats, Network } from '../math/engine.ts';
import { clippingScale } from '../ppo/train.ts';
import type { Protection } from './protect/index.ts';

type Options = Pick<BoundsOptions, 'steps' | 'learningRate' | 'annealLr' | 'adamEps' | 'maxGradNorm'>;

/** Gradient steps on policy and trunk: fresh Adam, global-norm clipping, and what is protected stays. */
export function makeDescent(network: Network, options: Options, { free, damp, pull }: Protection) {
  const adam: AdamState = { m: network.vector(network.size), v: network.vector(network.size), step: 0 };
  const own = network.vector(network.size);
  const gradientOf = (rows: number): Floats => {
    const gradient = network.backward(rows, { weights: true }).weights;
    network.mul(gradient, free); // a moment that never saw a gradient moves nothing
    return gradient;
  };
  return {
    /** Gradient steps done. */
    get steps(): number {
      return adam.step;
    },
    /** dL/dparams by the head's cotangents of rows [0, rows), 0 where frozen. A view, overwritten by the next `backward`. */
    gradientOf,
    /** `gradientOf` in memory of its own: the next `backward` leaves it alone, the next `keep` overwrites it. */
    keep(rows: number): Floats {
      own.set(gradientOf(rows));
      return own;
    },
    /** One step along `gradient`; `round` of the K counts for the decay of the learning rate, which starts again after K. */
    step(gradient: Floats, round: number): void {
      pull?.(network.get(), gradient);
      const scale = clippingScale(network.norm(gradient), options.maxGradNorm, `correction step ${adam.step + 1}`);
      const learningRate = options.learningRate * (options.annealLr ? 1 - (round % options.steps) / options.steps : 1);
      network.adam(adam, gradient, { learningRate, beta1: 0.9, beta2: 0.999, eps: options.adamEps, scale }, damp ?? undefined);
    },
  };
}

/**
 * forget −= (forget·retain / ‖retain‖²) retain where they point apart, so that forgetting costs, to first order, nothing retained.
 * Writes `forget`. Source: PCGrad, Yu et al., arXiv:2001.06782, one way.
 */
export function project(network: Network, forget: Floats, retain: Floats): void {
  const along = network.dot(forget, retain);
  const squared = network.dot(retain, retain);
  if (along < 0 && squared > 0) network.axpy(-along / squared, retain, forget);
}
