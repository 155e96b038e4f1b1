import { describe, expect, it } from 'vitest';
import { makeWeighting } from '../../src/correction/weighting.ts';

const OPTIONS = { dualRate: 2, dualKl: 0.25 };

describe('makeWeighting(…)', () => {
  it.each(['fixed', 'proj'] as const)('%s weighs 1 and 1, whatever happens, and asks for nothing', (mode) => {
    const weighting = makeWeighting({ weighting: mode, ...OPTIONS });
    for (const kl of [0, 5, 0.1]) {
      expect(weighting.forget(() => expect.unreachable('fixed weights need no probability'))).toBe(1);
      expect(weighting.retain()).toBe(1);
      weighting.saw(kl);
    }
  });

  it('prob weighs forgetting by p̄_k/p̄_0, between 0.05 and 1', () => {
    const weighting = makeWeighting({ weighting: 'prob', ...OPTIONS });
    const weights = [0.5, 0.25, 0.375, 0.75, 0.025, 0.02, 0, 0.5].map((p) => weighting.forget(() => p));
    expect(weights).toEqual([1, 0.5, 0.75, 1, 0.05, 0.05, 0.05, 1]);
    weighting.saw(3);
    expect(weighting.retain()).toBe(1);
  });

  it('prob weighs 1 where there was nothing to forget', () => {
    const weighting = makeWeighting({ weighting: 'prob', ...OPTIONS });
    expect([0, 0, 0.5].map((p) => weighting.forget(() => p))).toEqual([1, 1, 1]);
  });

  it('primal-dual raises λ by ρ (KL − κ), from 1, and never below 0', () => {
    const weighting = makeWeighting({ weighting: 'primal-dual', ...OPTIONS });
    const weights = [0.75, 0.25, 0, 1.25, 0, 0, 0, 0, 0, 0, 0, 0, 0.5].map((kl) => {
      const now = weighting.retain();
      weighting.saw(kl);
      return now;
    });
    expect(weights).toEqual([1, 2, 2, 1.5, 3.5, 3, 2.5, 2, 1.5, 1, 0.5, 0, 0]);
    expect(weighting.retain()).toBe(0.5);
    expect(weighting.forget(() => 0.1)).toBe(1);
  });
});
