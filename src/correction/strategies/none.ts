import type { Strategy } from '../strategy.ts';

/** The base as it is: what every correction is compared with. */
export const none: Strategy = {
  name: 'none',
  source: 'control',
  needs: 'nothing',
  correct: ({ base, checkpoint }, _options, engine) => {
    const network = engine.network(base.shape, 1024);
    network.set(base.params);
    checkpoint(0, network);
    network.free();
    return { policy: base, cost: { gradientSteps: 0, environmentSteps: 0, samples: 0 }, checkpoint: 0 };
  },
};
