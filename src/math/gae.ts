import type { Floats, GaeInput } from './engine.ts';

/**
 * Generalised advantage estimation, one backward sweep per environment.
 *   δ_t = r_t + γ·V(s'_t)·(1 − terminated_t) − V(s_t)
 *   A_t = δ_t + γλ·(1 − ended_t)·A_{t+1}            ended = terminated ∨ truncated
 * s'_t is the observation before any reset: a truncated episode bootstraps, a terminated one does not.
 * Shapes: every array is [numSteps, numEnvs], row-major. Writes `advantage`; allocates nothing.
 * Source: Schulman et al., arXiv:1506.02438 §3; truncation: Pardo et al., arXiv:1712.00378.
 */
export function gae(r: GaeInput, gamma: number, lambda: number, advantage: Floats): void {
  for (let e = 0; e < r.numEnvs; e++) {
    let next = 0; // A_{t+1}
    for (let i = advantage.length - r.numEnvs + e; i >= 0; i -= r.numEnvs) {
      const delta = r.reward[i]! + gamma * r.nextValue[i]! * (1 - r.terminated[i]!) - r.value[i]!;
      advantage[i] = next = delta + gamma * lambda * (1 - r.ended[i]!) * next;
    }
  }
}
