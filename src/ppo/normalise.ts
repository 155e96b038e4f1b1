/** Running normalisation, as far as some worlds need it to be learnt at all. Source: Stable-Baselines3's VecNormalize (MIT), by the formulas. */
import type { PpoOptions } from '../contract/ppo.ts';
import type { VecEnv } from '../envs/vecenv.ts';
import type { Floats, Network } from '../math/engine.ts';
import { affine } from '../math/layout.ts';

const EPSILON = 1e-8;
/** A normalised reward stays within ± this. */
const CLIP = 10;

/**
 * Count, mean and variance (÷n) of all the rows there have been, batch by batch; begins as 10^-4 rows of mean 0 and variance 1.
 *   δ = m_b − m;  m += δ n_b/N;  M2 += M2_b + δ² n n_b/N;  N = n + n_b
 * Source: Chan, Golub, LeVeque, Algorithms for Computing the Sample Variance, 1983.
 */
function makeMoments(width: number) {
  let count = 1e-4;
  const mean = new Float64Array(width);
  const squares = new Float64Array(width).fill(count);
  return {
    mean,
    variance: (k: number): number => squares[k]! / count,
    /** Shapes: rows [n, width]. */
    see(rows: Floats): void {
      const n = rows.length / width;
      const total = count + n;
      for (let k = 0; k < width; k++) {
        let sum = 0;
        for (let i = k; i < rows.length; i += width) sum += rows[i]!;
        const m = sum / n;
        let spread = 0;
        for (let i = k; i < rows.length; i += width) spread += (rows[i]! - m) * (rows[i]! - m);
        const delta = m - mean[k]!;
        mean[k] = mean[k]! + (delta * n) / total;
        squares[k] = squares[k]! + spread + (delta * delta * count * n) / total;
      }
      count = total;
    },
  };
}

/**
 * Keeps the network's first layer at shift = mean, scale = 1/√(variance + 1e-8) of every observation of the training so far.
 * Moved between iterations, not between steps; unlike its source it does not clip: a layer of a network is affine.
 */
export function makeObservationNorm(network: Network) {
  const { obsDim } = network.shape;
  const { shift, scale } = affine(network.shape);
  const moments = makeMoments(obsDim);
  return {
    /** Shapes: obs [rows, obsDim]. */
    see(obs: Floats): void {
      moments.see(obs);
      const params = network.get();
      for (let d = 0; d < obsDim; d++) {
        params[shift + d] = moments.mean[d]!;
        params[scale + d] = 1 / Math.sqrt(moments.variance(d) + EPSILON);
      }
      network.set(params);
    },
  };
}

/** r / √(Var R + 1e-8), clipped to ±10, where R_t = γ R_{t−1} + r_t runs in every world and begins anew with its episodes. */
export function makeRewardNorm({ gamma, numEnvs }: Pick<PpoOptions, 'gamma' | 'numEnvs'>) {
  const moments = makeMoments(1);
  const running = new Float64Array(numEnvs);
  return {
    /** After every step of the worlds. */
    see(world: VecEnv): void {
      for (let e = 0; e < numEnvs; e++) running[e] = running[e]! * gamma + world.reward[e]!;
      moments.see(running);
      for (let e = 0; e < numEnvs; e++) if (world.ended[e]) running[e] = 0;
    },
    scale: (reward: number): number => Math.min(Math.max(reward / Math.sqrt(moments.variance(0) + EPSILON), -CLIP), CLIP),
  };
}
