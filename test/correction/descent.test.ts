import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DivergedError } from '../../src/contract/errors.ts';
import { makeDescent, project } from '../../src/correction/descent.ts';
import type { Protection } from '../../src/correction/protect/index.ts';
import type { Network } from '../../src/math/engine.ts';
import { ENGINES } from '../math/engines.ts';
import { distance, noise, randomCotangents, vectorOf } from '../math/harness.ts';
import { networkOf, regionStates, TOY, TOY_SHAPE, untrained } from './probe.ts';

const ROWS = 6;
const K = 4;
const OPTIONS = { steps: K, learningRate: 0.125, annealLr: false, adamEps: 1e-12, maxGradNorm: 1e6 };
const obs = regionStates(TOY, ROWS).obs;

describe.each(ENGINES)('descent on $name', (engine) => {
  const tolerance = engine.name === 'reference' ? 1e-9 : 1e-5;
  const network = (): Network => networkOf(engine, untrained(TOY_SHAPE), ROWS);
  const open = (n: Network): Protection => ({ free: n.vector(n.size).fill(1), damp: null, pull: null });
  /** How far each weight goes in a step with `gradient`. */
  const moves = (n: Network, step: () => void): Float64Array => {
    const before = Float64Array.from(n.get());
    step();
    const after = n.get();
    return before.map((x, i) => after[i]! - x);
  };
  const write = (n: Network, scale = 1): void => randomCotangents(n.forward(obs, ROWS), TOY_SHAPE, ROWS, scale);

  it('makeDescent(…).step: the learning rate falls linearly to lr/K in the last round, and starts again after K', () => {
    for (const annealLr of [true, false]) {
      const n = network();
      const descent = makeDescent(n, { ...OPTIONS, annealLr }, open(n));
      // Under the same gradient in every step Adam's step is the learning rate, and the sign is the gradient's.
      const gradient = vectorOf(n, noise(3)(n.size, 1));
      for (let round = 0; round < 2 * K + 1; round++) {
        const moved = moves(n, () => descent.step(gradient, round));
        const rate = 0.125 * (annealLr ? [1, 0.75, 0.5, 0.25][round % K]! : 1);
        const plain = Float64Array.from(gradient, (g) => -rate * Math.sign(g));
        expect(distance(moved, plain), `round ${round}`).toBeLessThan(1e-4);
      }
      expect(descent.steps).toBe(2 * K + 1);
    }
  });

  it('makeDescent(…).step clips by the global norm: above it only the direction counts', () => {
    const run = (scale: number, maxGradNorm: number) => {
      const n = network();
      const descent = makeDescent(n, { ...OPTIONS, maxGradNorm, adamEps: 1 }, open(n)); // with so large an ε the size counts, too
      const direction = vectorOf(n, noise(3)(n.size, 1));
      const gradient = n.vector(n.size);
      n.axpy(scale / n.norm(direction), direction, gradient);
      return moves(n, () => descent.step(gradient, 0));
    };
    expect(distance(run(7, 0.5), run(0.5, 1e6))).toBeLessThan(1e-4);
    expect(distance(run(0.25, 0.5), run(0.25, 1e6))).toBe(0);
    expect(distance(run(7, 1e6), run(0.5, 1e6))).toBeGreaterThan(0.5);
  });

  it('makeDescent(…).gradientOf leaves out what is frozen, so that it takes no part in the norm and never moves', () => {
    const n = network();
    write(n);
    const plain = n.backward(ROWS, { weights: true }).weights.slice();
    const free = vectorOf(
      n,
      plain.map((_, i) => (i % 3 === 0 ? 0 : 1)),
    );
    const descent = makeDescent(n, OPTIONS, { free, damp: null, pull: null });
    const gradient = descent.gradientOf(ROWS);
    expect([...gradient]).toEqual(Array.from(plain, (g, i) => (i % 3 === 0 ? g * 0 : g)));
    for (let round = 0; round < 3; round++) {
      const moved = moves(n, () => {
        write(n);
        descent.step(descent.gradientOf(ROWS), round);
      });
      expect(moved.every((x, i) => (i % 3 === 0 ? x === 0 : x !== 0))).toBe(true);
    }
  });

  it('makeDescent(…).keep holds a gradient that the next backward leaves alone', () => {
    const n = network();
    const descent = makeDescent(n, OPTIONS, open(n));
    write(n);
    const kept = descent.keep(ROWS);
    const copy = kept.slice();
    write(n, 2);
    const other = descent.gradientOf(ROWS);
    expect(kept).toEqual(copy);
    expect(
      distance(
        other,
        copy.map((g) => 2 * g),
      ),
    ).toBeLessThan(tolerance);
  });

  it('makeDescent(…): damping shortens the step and not the gradient, whose scale Adam would divide out', () => {
    const run = (damp: boolean) => {
      const n = network();
      const share = vectorOf(
        n,
        Float64Array.from({ length: n.size }, (_, i) => 1 / (1 + (i % 4))),
      );
      const descent = makeDescent(n, OPTIONS, { ...open(n), damp: damp ? share : null });
      const gradient = vectorOf(n, noise(3)(n.size, 1));
      const moved = moves(n, () => {
        for (let round = 0; round < 3; round++) descent.step(gradient, round);
      });
      return moved;
    };
    const plain = run(false);
    expect(
      distance(
        run(true),
        plain.map((x, i) => x / (1 + (i % 4))),
      ),
    ).toBeLessThan(1e-5);
  });

  it('makeDescent(…): what pulls back is part of the gradient, before it is clipped', () => {
    const n = network();
    const pulled = 5;
    const descent = makeDescent(
      n,
      { ...OPTIONS, adamEps: 1, maxGradNorm: 1 },
      {
        ...open(n),
        pull: (params, gradient) => {
          expect([...params]).toEqual([...n.get()]);
          gradient[pulled] = gradient[pulled]! + 100;
        },
      },
    );
    const gradient = n.vector(n.size);
    const moved = moves(n, () => descent.step(gradient, 0));
    expect(moved[pulled]).toBeCloseTo(-0.125 / 2, 5); // clipped to norm 1: g/(|g| + ε) = 1/2
    expect(moved.every((x, i) => i === pulled || x === 0)).toBe(true);
  });

  it('makeDescent(…).step throws DivergedError with the step for a gradient that is no number', () => {
    const n = network();
    const descent = makeDescent(n, OPTIONS, open(n));
    descent.step(n.vector(n.size), 0);
    const bad = n.vector(n.size);
    bad[1] = Number.NaN;
    expect(() => descent.step(bad, 1)).toThrow(DivergedError);
    expect(() => descent.step(bad, 1)).toThrow('correction step 2: expected a finite gradient, got norm NaN');
  });

  it('project(network, forget, retain) removes exactly what points against retain, and nothing where they agree', () => {
    const n = network();
    const [forget, retain] = [n.vector(n.size), n.vector(n.size)];
    const seen = { against: 0, along: 0 };
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e6 }), fc.constantFrom(1e-3, 1, 30), (seed, scale) => {
        const draw = noise(seed);
        draw(7);
        forget.set(draw(n.size, 1));
        retain.set(draw(n.size, scale));
        const before = forget.slice();
        const along = n.dot(forget, retain);
        const size = n.norm(forget) * n.norm(retain);
        project(n, forget, retain);
        if (along >= 0) {
          seen.along++;
          expect(forget).toEqual(before);
          return;
        }
        seen.against++;
        expect(Math.abs(n.dot(forget, retain)) / size).toBeLessThan(tolerance);
        const coefficient = -along / n.dot(retain, retain);
        expect(
          distance(
            forget,
            before.map((f, i) => f + coefficient * retain[i]!),
          ),
        ).toBeLessThan(tolerance);
      }),
      { seed: 1, numRuns: 60 },
    );
    expect(Math.min(seen.against, seen.along)).toBeGreaterThan(10);
    // Nothing to retain, or so little that its square is 0 in this precision.
    for (const little of [0, -1e-200]) {
      const before = forget.slice();
      retain.set(before.map((f) => little * f));
      expect(n.dot(retain, retain)).toBe(0);
      project(n, forget, retain);
      expect(forget).toEqual(before);
    }
  });
});
