import type { PpoOptions } from '../contract/ppo.ts';
import type { Shape } from '../math/engine.ts';
import { affine, linears, size, weightCount } from '../math/layout.ts';
import type { Stream } from '../math/rng/threefry.ts';

/**
 * Fresh parameters, biases 0 (core detail 2).
 * Orthogonal: W has orthonormal rows or columns times a gain, √2 for hidden layers, 0.01 for the policy head, 1 for the value head.
 * Otherwise W and b are uniform in ±1/√fan-in, PyTorch's default for linear layers. A normalising layer passes observations as they are.
 * Source: Saxe et al., arXiv:1312.6120; gains: openai/baselines, a2c/utils.py.
 */
export function initialParams(
  shape: Shape,
  { orthogonalInit, logStdInit = 0 }: Pick<PpoOptions, 'orthogonalInit' | 'logStdInit'>,
  rng: Stream,
): Float64Array {
  const params = new Float64Array(size(shape));
  for (const { name, inputs, outputs, weights, bias, squashed } of linears(shape)) {
    if (orthogonalInit) {
      const gain = squashed ? Math.SQRT2 : name === 'policyHead' ? 0.01 : 1;
      const q = orthogonal(inputs, outputs, rng);
      for (let i = 0; i < q.length; i++) params[weights + i] = gain * q[i]!;
    } else {
      const bound = 1 / Math.sqrt(inputs);
      for (let i = weights; i < bias + outputs; i++) params[i] = bound * (2 * rng.uniform() - 1);
    }
  }
  const { shift, scale, count } = affine(shape);
  params.fill(logStdInit, weightCount(shape), shift);
  params.fill(1, scale, scale + count);
  return params;
}

/**
 * A uniformly random matrix [rows][columns] whose shorter side is orthonormal: Gram-Schmidt on Gaussian vectors,
 * each orthogonalised twice so that it stays orthogonal to rounding ("twice is enough", Kahan).
 */
export function orthogonal(rows: number, columns: number, rng: Stream): Float64Array {
  const count = Math.min(rows, columns);
  const length = Math.max(rows, columns);
  const vectors: Float64Array[] = [];
  while (vectors.length < count) {
    const v = Float64Array.from({ length }, () => rng.normal());
    for (const u of [...vectors, ...vectors]) {
      let projection = 0;
      for (let i = 0; i < length; i++) projection += u[i]! * v[i]!;
      for (let i = 0; i < length; i++) v[i] = v[i]! - projection * u[i]!;
    }
    let square = 0;
    for (let i = 0; i < length; i++) square += v[i]! * v[i]!;
    const norm = Math.sqrt(square);
    vectors.push(v.map((x) => x / norm));
  }
  const out = new Float64Array(rows * columns);
  for (let k = 0; k < count; k++) {
    for (let i = 0; i < length; i++) out[rows >= columns ? i * columns + k : k * columns + i] = vectors[k]![i]!;
  }
  return out;
}
