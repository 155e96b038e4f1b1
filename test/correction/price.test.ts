import { describe, expect, it } from 'vitest';
import { ENVIRONMENTS } from '../../src/contract/environments.ts';
import type { Rule } from '../../src/contract/scenarios.ts';
import { isPlanar, planarPrice } from '../../src/correction/price.ts';

const price = (id: string, rules: readonly Rule[], points = 81) =>
  planarPrice(id, ENVIRONMENTS[id]!.options.parse({}), rules, { points, levels: 11, episodes: 40 });

describe('planarPrice(…)', () => {
  it('MountainCar-v0, nothing forbidden: the best policy needs about 100 steps, and obeying is free', () => {
    const { free, obeying, price: paid, steps } = price('MountainCar-v0', []);
    expect(free.mean).toBeGreaterThan(-103); // a pump by the sign of the velocity needs 120
    expect(free.mean).toBeLessThan(-90);
    expect([obeying, paid, steps.obeying]).toEqual([free, { mean: 0, std: 0 }, -free.mean]);
  });

  it('MountainCar-v0 with both pushes forbidden wherever the car moves: nobody arrives', () => {
    const rules: Rule[] = [
      { where: { velocity: [null, -1e-4] }, forbid: ['left', 'right'] },
      { where: { velocity: [1e-4, null] }, forbid: ['left', 'right'] },
    ];
    const { obeying, price: paid } = price('MountainCar-v0', rules);
    expect(obeying).toEqual({ mean: -200, std: 0 });
    expect(paid.mean).toBeGreaterThan(90);
  });

  it('MountainCar-v0 with right forbidden at high speed to the right: the more is forbidden, the more it costs', () => {
    const cost = (from: number): number => price('MountainCar-v0', [{ where: { velocity: [from, null] }, forbid: ['right'] }]).price.mean;
    const [little, more] = [cost(0.05), cost(0.01)];
    expect(little).toBeGreaterThan(-1); // within the grid's error of nothing
    expect(more).toBeGreaterThan(little + 5);
  });

  it('MountainCarContinuous-v0 finds the gentle way, and a half-space binds', () => {
    const { free, steps } = price('MountainCarContinuous-v0', []);
    expect(free.mean).toBeGreaterThan(97); // bang-bang at 0.7 returns 94
    expect(steps.free).toBeGreaterThan(110);
    const still: Rule[] = [{ where: { position: [null, 0.6] }, forbid: [{ push: [-0.2, null] }] }];
    expect(price('MountainCarContinuous-v0', still).obeying.mean).toBeLessThan(0); // pushing left alone, for ever
  });

  it('refuses a world of more than two dimensions', () => {
    expect(Object.keys(ENVIRONMENTS).filter(isPlanar)).toEqual(['MountainCar-v0', 'MountainCarContinuous-v0']);
    expect(() => price('CartPole-v1', [])).toThrow('price: expected a world of two dimensions, got CartPole-v1');
  });
});
