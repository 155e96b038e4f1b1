import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { forgetEffectiveness, retainStability } from '../../../src/correction/metrics/effectiveness.ts';

describe('forgetEffectiveness(curve)', () => {
  it('is the area above the curve, by trapezoids over uneven steps', () => {
    // ratios 1, 0.5, 0 at u = 0, 0.25, 1: area 0.25·0.75 + 0.75·0.25 = 0.375
    expect(forgetEffectiveness({ step: [0, 25, 100], value: [0.4, 0.2, 0] }, 0.4)).toBeCloseTo(1 - 0.375, 12);
  });

  it('counts no point above the first: forgetting cannot be negative', () => {
    expect(forgetEffectiveness({ step: [0, 1, 2], value: [0.4, 0.8, 0.9] }, 0.4)).toBe(0);
  });

  it('is measured against the base where the curve begins elsewhere, as that of a training from scratch', () => {
    expect(forgetEffectiveness({ step: [0, 1], value: [0.4, 0.1] }, 0.8)).toBeCloseTo(1 - (0.5 + 0.125) / 2, 12);
    expect(forgetEffectiveness({ step: [0, 1], value: [0.9, 0] }, 0.8)).toBeCloseTo(0.5, 12);
  });

  it('is 0 where nothing was done and null where there was nothing to forget', () => {
    expect(forgetEffectiveness({ step: [0], value: [0.4] }, 0.4)).toBe(0);
    expect(forgetEffectiveness({ step: [0, 1], value: [0, 0] }, 0)).toBeNull();
    expect(forgetEffectiveness({ step: [0, 1], value: [null, null] }, null)).toBeNull();
  });

  it('lies in [0, 1] and falls when any later point rises', () => {
    const curve = fc.array(fc.double({ min: 0.001, max: 1, noNaN: true }), { minLength: 3, maxLength: 21 });
    fc.assert(
      fc.property(curve, fc.nat(), fc.double({ min: 0, max: 1, noNaN: true }), (value, at, up) => {
        const step = value.map((_, i) => i);
        const fe = forgetEffectiveness({ step, value }, value[0]!) as number;
        expect(fe).toBeGreaterThanOrEqual(0);
        expect(fe).toBeLessThanOrEqual(1);
        const raised = value.map((v, i) => (i === 1 + (at % (value.length - 1)) ? v + up : v));
        expect(forgetEffectiveness({ step, value: raised }, value[0]!) as number).toBeLessThanOrEqual(fe + 1e-12);
      }),
      { seed: 1 },
    );
  });
});

describe('retainStability(base, corrected, random)', () => {
  it('is normalised by the range to a random policy, also for negative returns', () => {
    expect(retainStability(500, 451, 20)).toBeCloseTo(1 - 49 / 480, 12);
    expect(retainStability(-110, -155, -200)).toBeCloseTo(0.5, 12);
  });

  it('is one-sided: a better policy is as stable as an equal one', () => {
    expect(retainStability(-110, -100, -200)).toBe(1);
  });

  it('never falls below 0, and a base no better than random has nothing to lose', () => {
    expect(retainStability(260, -828, -180)).toBe(0);
    expect(retainStability(20, 20, 20)).toBe(1);
    expect(retainStability(20, 19, 20)).toBe(0);
  });
});
