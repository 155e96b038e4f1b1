import type { BoundsOptions } from '../../contract/strategies.ts';
import type { Floats, Network } from '../../math/engine.ts';
import { affine, linears } from '../../math/layout.ts';

/** How weights are kept from moving. Shapes: all [size]. */
export interface Protection {
  /** 0 where a weight may not move, 1 elsewhere: multiplies the gradient, so that a frozen weight takes no part in its norm. */
  readonly free: Floats;
  /** Multiplies Adam's step, in (0, 1]; null damps nothing. */
  readonly damp: Floats | null;
  /** Adds to the gradient what pulls a weight back to the base. */
  readonly pull: ((params: Floats, gradient: Floats) => void) | null;
}

/** Fisher information where the policy is to stay, and where it is to change. */
export interface Information {
  readonly retain: () => Floats;
  readonly forget: () => Floats;
}

type Options = Pick<BoundsOptions, 'protect' | 'protectShare' | 'protectRatio' | 'protectStrength'>;

/**
 * Memory replay protection, with F the Fisher information of retaining and F̄ its mean over the weights that may move:
 *   hard   frozen: the `protectShare` of weights with the largest F          Takács & Gulyás 2025 (a global quantile, where the authors' code has one per tensor)
 *   ratio  frozen: F > α F_forget                                            after Foster et al., arXiv:2308.07707
 *   soft   step · 1/(1 + c F/F̄)                                              ours
 *   ewc    loss + c/2 Σ F/F̄ (θ − θ0)²                                        Kirkpatrick et al., arXiv:1612.00796
 * The value head is always frozen (and, where the networks are separate, its whole tower).
 */
export function makeProtection(network: Network, options: Options, information: Information): Protection {
  const free = trainable(network);
  if (options.protect === 'none') return { free, damp: null, pull: null };
  const F = information.retain();
  const moving = indices(free);
  if (options.protect === 'hard') {
    const order = [...moving].sort((i, j) => F[j]! - F[i]! || i - j);
    for (const i of order.slice(0, Math.floor(options.protectShare * order.length))) free[i] = 0;
    return { free, damp: null, pull: null };
  }
  if (options.protect === 'ratio') {
    const toForget = information.forget();
    for (const i of moving) if (F[i]! > options.protectRatio * toForget[i]!) free[i] = 0;
    return { free, damp: null, pull: null };
  }
  let sum = 0;
  for (const i of moving) sum += F[i]!;
  const scale = sum > 0 ? (options.protectStrength * moving.length) / sum : 0;
  if (options.protect === 'soft') {
    const damp = network.vector(network.size).fill(1);
    for (const i of moving) damp[i] = 1 / (1 + scale * F[i]!);
    return { free, damp, pull: null };
  }
  const origin = network.get();
  return {
    free,
    damp: null,
    pull: (params, gradient) => {
      for (const i of moving) gradient[i] = gradient[i]! + scale * F[i]! * (params[i]! - origin[i]!);
    },
  };
}

/** 1 where a parameter may move, 0 in the value head and in a normalising layer. */
function trainable(network: Network): Floats {
  const mask = network.vector(network.size).fill(1);
  for (const { name, inputs, outputs, weights } of linears(network.shape)) {
    if (name.startsWith('value')) mask.fill(0, weights, weights + (inputs + 1) * outputs);
  }
  const { shift, count } = affine(network.shape);
  return mask.fill(0, shift, shift + 2 * count);
}

function indices(mask: Floats): number[] {
  const found: number[] = [];
  mask.forEach((kept, i) => {
    if (kept !== 0) found.push(i);
  });
  return found;
}
