import type { Engine } from '../../math/engine.ts';
import { type BoundsInput, type Corrected, strategy } from '../strategy.ts';

/**
 * The base with toxic actions masked at inference and the rest renormalised (a continuous one goes to the nearest that is allowed): no weight moves, and whoever copies the weights has the old policy.
 * Its return is what obeying costs this base. The unmasked logits are the base's, so it has no forgetting to speak of.
 */
export const shield = strategy({
  name: 'shield',
  source: 'Alshiekh et al., arXiv:1708.08611, for constraints on single steps',
  needs: 'bounds',
  correct: (input, _options, engine) => ({ ...unchanged(input, engine), mask: input.constraint.toxic }),
});

/** The base's own weights, measured once. */
export function unchanged({ base, checkpoint }: BoundsInput, engine: Engine): Corrected {
  const network = engine.network(base.shape, 1024);
  network.set(base.params);
  checkpoint(0, network);
  network.free();
  return { policy: base, cost: { gradientSteps: 0, environmentSteps: 0, samples: 0 }, checkpoint: 0, overrun: null };
}
