import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Information, makeProtection } from '../../../src/correction/protect/index.ts';
import type { Floats, Network } from '../../../src/math/engine.ts';
import { linears } from '../../../src/math/layout.ts';
import { ENGINES } from '../../math/engines.ts';
import { distance, noise, vectorOf } from '../../math/harness.ts';
import { networkOf, TOY_SHAPE, untrained } from '../probe.ts';

const OPTIONS = { protectShare: 0.3, protectRatio: 10, protectStrength: 2 };
const never = (): Floats => expect.unreachable('this information is not asked for');
const known = (retain: () => Floats, forget = never): Information => ({ retain, forget });
/** Parameters that may move: all but the value's. */
const moving = (network: Network): number[] =>
  linears(network.shape).flatMap(({ name, inputs, outputs, weights }) =>
    name.startsWith('value') ? [] : Array.from({ length: (inputs + 1) * outputs }, (_, i) => weights + i),
  );
const positive = (network: Network, seed = 5): Floats =>
  vectorOf(
    network,
    noise(seed)(network.size, 3).map((x) => x * x),
  );

describe.each(ENGINES)('makeProtection(…) on $name', (engine) => {
  const network = (separate = false): Network => networkOf(engine, untrained({ ...TOY_SHAPE, separate }), 4);

  it.each([false, true])(
    'none freezes the value head alone and asks for nothing (separate networks, whose value tower it is: %s)',
    (separate) => {
      const n = network(separate);
      const { free, damp, pull } = makeProtection(n, { ...OPTIONS, protect: 'none' }, known(never));
      expect([damp, pull]).toEqual([null, null]);
      const may = new Set(moving(n));
      expect(may.size).toBe(n.size - (separate ? 2 * 6 + 6 : 0) - (6 + 1));
      expect([...free]).toEqual(Array.from({ length: n.size }, (_, i) => Number(may.has(i))));
    },
  );

  it('hard freezes exactly the share with the largest information, of equals the first, and no value weight counts', () => {
    const n = network();
    const may = moving(n);
    fc.assert(
      fc.property(
        fc.array(fc.nat(6), { minLength: n.size, maxLength: n.size }),
        fc.double({ min: 0.01, max: 0.99, noNaN: true }),
        (values, share) => {
          const { free, damp, pull } = makeProtection(
            n,
            { ...OPTIONS, protect: 'hard', protectShare: share },
            known(() => vectorOf(n, values)),
          );
          expect([damp, pull]).toEqual([null, null]);
          const frozen = may.filter((i) => free[i] === 0);
          expect(frozen).toHaveLength(Math.floor(share * may.length));
          const least = Math.min(...frozen.map((i) => values[i]!));
          for (const i of may) {
            if (free[i] === 1) expect(values[i]!).toBeLessThanOrEqual(least);
            if (values[i]! === least && free[i] === 1) expect(frozen.every((j) => values[j]! > least || j < i)).toBe(true);
          }
          for (let i = 0; i < n.size; i++) if (!may.includes(i)) expect(free[i]).toBe(0);
        },
      ),
      { seed: 1, numRuns: 40 },
    );
  });

  it('ratio freezes where retaining needs a weight more than α times as much as forgetting, and nothing that neither needs', () => {
    const n = network();
    const may = moving(n);
    const [retain, forget] = [new Float64Array(n.size), new Float64Array(n.size)];
    const table = [
      [10, 1, 1],
      [10.5, 1, 0],
      [0, 0, 1],
      [1e-9, 0, 0],
      [0, 5, 1],
    ] as const;
    may.forEach((i, k) => {
      [retain[i], forget[i]] = table[k % table.length]!;
    });
    const { free, damp, pull } = makeProtection(
      n,
      { ...OPTIONS, protect: 'ratio' },
      known(
        () => vectorOf(n, retain),
        () => vectorOf(n, forget),
      ),
    );
    expect([damp, pull]).toEqual([null, null]);
    expect(may.map((i) => free[i])).toEqual(may.map((_, k) => table[k % table.length]![2]));
  });

  it('soft damps the step by 1/(1 + c F/F̄), F̄ over the weights that may move, and freezes no policy weight', () => {
    const n = network();
    const may = moving(n);
    const F = positive(n);
    const { free, damp, pull } = makeProtection(
      n,
      { ...OPTIONS, protect: 'soft' },
      known(() => F),
    );
    expect(pull).toBeNull();
    expect(may.every((i) => free[i] === 1)).toBe(true);
    const mean = may.reduce((sum, i) => sum + F[i]!, 0) / may.length;
    const plain = may.map((i) => 1 / (1 + (2 * F[i]!) / mean));
    expect(
      distance(
        may.map((i) => damp![i]!),
        plain,
      ),
    ).toBeLessThan(engine.name === 'reference' ? 1e-14 : 1e-6);
  });

  it('ewc pulls with the derivative of c/2 Σ F/F̄ (θ − θ0)², θ0 the weights it was made with', () => {
    const n = network();
    const may = moving(n);
    const F = positive(n);
    const origin = Float64Array.from(n.get());
    const { free, damp, pull } = makeProtection(
      n,
      { ...OPTIONS, protect: 'ewc' },
      known(() => F),
    );
    expect(damp).toBeNull();
    expect(may.every((i) => free[i] === 1)).toBe(true);
    const mean = may.reduce((sum, i) => sum + F[i]!, 0) / may.length;
    const loss = (theta: Float64Array) => may.reduce((sum, i) => sum + 0.5 * 2 * (F[i]! / mean) * (theta[i]! - origin[i]!) ** 2, 0);
    const params = Float64Array.from(origin, (x, i) => x + noise(9)(n.size, 0.5)[i]!);
    n.set(params);
    const already = 0.75;
    const gradient = n.vector(n.size).fill(already);
    pull!(n.get(), gradient);
    const numeric = Float64Array.from(params, (x, i) => {
      const [up, down] = [params.with(i, x + 1e-4), params.with(i, x - 1e-4)];
      return (loss(up) - loss(down)) / 2e-4;
    });
    expect(
      distance(
        gradient.map((g) => g - already),
        numeric,
      ),
    ).toBeLessThan(engine.name === 'reference' ? 1e-7 : 1e-5);
  });

  it.each(['soft', 'ewc'] as const)('%s does nothing where there is no information', (protect) => {
    const n = network();
    const { damp, pull } = makeProtection(
      n,
      { ...OPTIONS, protect },
      known(() => n.vector(n.size)),
    );
    expect(damp?.every((d) => d === 1) ?? true).toBe(true);
    const gradient = n.vector(n.size);
    pull?.(noise(9)(n.size), gradient);
    expect(gradient.every((g) => g === 0)).toBe(true);
  });
});
