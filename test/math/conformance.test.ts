/**
 * One suite over every engine: recorded gradients, finite differences, and the promises of src/math/engine.ts.
 * What an engine cannot be asked alone (agreement with `reference`, the bits of the kernels) stands at the end.
 */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { EngineName } from '../../src/contract/spec.ts';
import { adam, rootScale, stepSize } from '../../src/math/adam.ts';
import { decodeBase64 } from '../../src/math/base64.ts';
import { tanh } from '../../src/math/elementary.ts';
import type { AdamOptions, AdamState, Engine, Floats, Network, Shape } from '../../src/math/engine.ts';
import { KERNELS_SHA256, KERNELS_WASM } from '../../src/math/engines/kernels.wasm.ts';
import { affine, layout, size, weightCount } from '../../src/math/layout.ts';
import { makeEngine } from '../../src/worker/engines.ts';
import { ABSENT, ENGINES } from './engines.ts';
import { type Case, flatten, loadCases } from './golden.ts';
import { distance, evaluate, noise, randomCotangents, randomNetwork, readRows, vectorOf } from './harness.ts';
import { losses } from './losses.ts';

/** Largest `distance` allowed. Finite differences lose half the digits that a loss has. */
interface Tolerance {
  /** Against recorded values and the definitions. */
  readonly exact: number;
  readonly difference: number;
  /** Their step along a direction of length 1. */
  readonly step: number;
}
const FLOAT32: Tolerance = { exact: 1e-5, difference: 1e-2, step: 3e-3 };
const toleranceOf = (name: EngineName): Tolerance => (name === 'reference' ? { exact: 1e-10, difference: 1e-7, step: 1e-5 } : FLOAT32);

const CASES = loadCases();
const titleOf = ({ obsDim, hidden, actions, gaussian, separate, normalised }: Shape) =>
  `${obsDim}-${hidden.join('-')}-${actions}${gaussian ? ' gaussian' : ''}${separate ? ' separate' : ''}${normalised ? ' normalised' : ''}`;

const SHARED: Shape = { obsDim: 4, hidden: [64, 64], actions: 2, gaussian: false, separate: false };
/** Widths that no vector divides, one layer and three, one action dimension and many, every block of the kernels and its rest. */
const SHAPES: readonly Shape[] = [
  SHARED,
  { obsDim: 8, hidden: [64, 64], actions: 4, gaussian: false, separate: true },
  { obsDim: 3, hidden: [10], actions: 2, gaussian: false, separate: false },
  { obsDim: 5, hidden: [5, 7], actions: 3, gaussian: false, separate: true },
  { obsDim: 2, hidden: [36, 20, 12], actions: 6, gaussian: false, separate: false },
  { obsDim: 7, hidden: [13, 8], actions: 1, gaussian: true, separate: true },
  { obsDim: 1, hidden: [1], actions: 2, gaussian: true, separate: false },
  { obsDim: 5, hidden: [12], actions: 2, gaussian: true, separate: false, normalised: true },
  { obsDim: 3, hidden: [6, 9], actions: 3, gaussian: false, separate: true, normalised: true },
];
const ROWS = [1, 2, 3, 4, 7, 8, 13, 31];
const OPTIONS: AdamOptions = { learningRate: 1e-2, beta1: 0.9, beta2: 0.999, eps: 1e-5, scale: 1 };

const freshState = (network: Network): AdamState => ({ m: network.vector(network.size), v: network.vector(network.size), step: 0 });
const paramsOf = (network: Network): Float64Array => Float64Array.from(network.get());
const caseNetwork = (engine: Engine, data: Case): Network => {
  const network = engine.network(data.shape, data.obs.length);
  network.set(flatten(data.shape, (entry) => data.params.find(({ name }) => name === entry.name)!.values));
  return network;
};
/** Everything a forward and backward of random rows give, copied. */
function everything(
  network: Network,
  rows: number,
): { head: number[]; weights: number[]; input: number[]; norms: number[]; fisher: number[] } {
  const { shape } = network;
  const head = network.forward(noise(3)(rows * shape.obsDim), rows);
  const { z, value } = readRows(head, shape, rows);
  randomCotangents(head, shape, rows);
  const { weights, input } = network.backward(rows, { weights: true, input: true });
  const norms = network.vector(rows);
  const fisher = network.vector(network.size);
  network.sampleNorms(rows, norms);
  network.fisher(rows, fisher);
  return {
    head: [...z.flat(), ...value],
    weights: [...weights],
    input: [...input.subarray(0, rows * shape.obsDim)],
    norms: [...norms],
    fisher: [...fisher],
  };
}

function describeEngine(engine: Engine): void {
  describe(`engine ${engine.name}`, () => {
    const tolerance = toleranceOf(engine.name);
    /** Ours give a row the same bits in any company; TensorFlow chooses another kernel for another size. */
    const sameRow = (got: number[][], want: number[][]): void => {
      if (engine.name !== 'tfjs') expect(got).toEqual(want);
      else expect(distance(got.flat(), want.flat())).toBeLessThan(tolerance.exact);
    };

    describe.each(CASES.map((data) => [titleOf(data.shape), data] as const))('recorded %s', (_, data) => {
      const rows = data.obs.length;
      const { shape } = data;

      it('forward(…) gives the recorded head', () => {
        const head = readRows(caseNetwork(engine, data).forward(Float64Array.from(data.obs.flat()), rows), shape, rows);
        expect(distance(head.z.flat(), data.head.flat())).toBeLessThan(tolerance.exact);
        expect(distance(head.value, data.value)).toBeLessThan(tolerance.exact);
      });

      const recorded = Object.entries(data.losses).filter(([loss]) => loss in losses);
      it.each(recorded)('backward(…) gives the recorded gradient of %s', (loss, { loss: value, grad }) => {
        const network = caseNetwork(engine, data);
        expect(Math.abs(evaluate(network, data, losses[loss]!) - value)).toBeLessThan(tolerance.exact * Math.max(1, Math.abs(value)));
        const { weights } = network.backward(rows, { weights: true });
        if (Object.values(grad).some((g) => g.includes(null))) return; // the recording overflowed; finite differences below
        expect(
          distance(
            weights,
            flatten(shape, (entry) => grad[entry.name]!),
          ),
        ).toBeLessThan(tolerance.exact);
      });

      it.each(recorded)('backward(…) gives the slope of %s that finite differences see', (loss) => {
        const network = caseNetwork(engine, data);
        evaluate(network, data, losses[loss]!);
        const gradient = Float64Array.from(network.backward(rows, { weights: true }).weights);
        const params = paramsOf(network);
        const at = (scale: number, direction: Floats) => {
          network.set(params.map((p, i) => p + scale * direction[i]!));
          return evaluate(network, data, losses[loss]!);
        };
        const length = Math.hypot(...gradient);
        if (length < 1e-6) return expect(Math.max(...gradient.map(Math.abs))).toBeLessThan(1e-6); // one allowed action has no entropy
        for (const direction of [gradient.map((g) => g / length), noise(4)(network.size, Math.sqrt(3 / network.size))]) {
          const slope = gradient.reduce((sum, g, i) => sum + g * direction[i]!, 0);
          const difference = (at(tolerance.step, direction) - at(-tolerance.step, direction)) / (2 * tolerance.step);
          expect(Math.abs(difference - slope)).toBeLessThan(tolerance.difference * length);
        }
        return undefined;
      });

      it('backward(…) gives the recorded gradient of Σ log π by the observations', () => {
        const network = caseNetwork(engine, data);
        evaluate(network, data, losses['logProb']!);
        const { input } = network.backward(rows, { input: true });
        const want = data.logProbInputGrad.flat().map((g) => g / rows); // recorded of the sum
        expect(distance(input.subarray(0, want.length), want)).toBeLessThan(tolerance.exact);
      });

      it('sampleNorms(…) and fisher(…) give the recorded squared norms and diagonal', () => {
        const network = caseNetwork(engine, data);
        evaluate(network, data, losses['logProb']!);
        network.backward(rows, { weights: true });
        const norms = network.vector(rows);
        const fisher = vectorOf(network, new Float64Array(network.size).fill(1));
        network.sampleNorms(rows, norms);
        network.fisher(rows, fisher);
        const logStd = data.params.find((p) => p.name === 'logStd')?.values ?? []; // not in our norms: its share is the loss's to add
        const wantNorms = data.logProbSquaredGradNorm.map((norm, r) =>
          logStd.reduce((rest, s, j) => {
            const error = (data.action[r] as number[])[j]! - data.head[r]![j]!;
            return rest - (error * error * Math.exp(-2 * s) - 1) ** 2;
          }, norm),
        );
        expect(
          distance(
            norms.map((n) => n * rows * rows),
            wantNorms,
          ),
        ).toBeLessThan(tolerance.exact);
        const wantFisher = flatten(shape, (entry) =>
          entry.name === 'logStd' ? logStd.map(() => 0) : data.logProbFisherDiagonal[entry.name]!,
        );
        const got = Float64Array.from(fisher, (f) => (f - 1) * rows); // added to the ones; its mean over rows of (gradient of the mean · rows)²
        expect(distance(got, wantFisher)).toBeLessThan(tolerance.exact * 10); // f − 1 loses a digit
      });
    });

    describe.each(SHAPES.map((shape) => [titleOf(shape), shape] as const))('shape %s', (_, shape) => {
      it('forward(…) gives a row the same bits alone, among others, and from any memory', () => {
        const network = randomNetwork(engine, shape, 31);
        const obs = noise(3)(31 * shape.obsDim);
        const own = vectorOf(network, obs);
        const bits = (from: Floats, rows: number) => {
          const { z, value } = readRows(network.forward(from, rows), shape, rows);
          return z.map((logits, r) => [...logits, value[r]!]);
        };
        const all = bits(own, 31);
        for (const rows of ROWS) {
          sameRow(bits(obs, rows), all.slice(0, rows));
          expect(bits(own, rows)).toEqual(bits(obs, rows));
        }
        for (let r = 0; r < 31; r++) sameRow(bits(obs.subarray(r * shape.obsDim), 1), [all[r]!]);
      });

      it('backward(…), sampleNorms(…) and fisher(…) give the same bits whatever maxRows', () => {
        for (const rows of ROWS) {
          expect(everything(randomNetwork(engine, shape, rows), rows)).toEqual(everything(randomNetwork(engine, shape, 64), rows));
        }
      });

      it('backward(…) of the first rows alone is that of a forward of them alone', () => {
        const [all, few] = [31, 5];
        const network = randomNetwork(engine, shape, all);
        const gradients = (forwarded: number) => {
          const head = network.forward(noise(3)(all * shape.obsDim), forwarded);
          randomCotangents(head, shape, few);
          const { weights, input } = network.backward(few, { weights: true, input: true });
          const norms = network.vector(few);
          network.sampleNorms(few, norms);
          return [...weights, ...input.subarray(0, few * shape.obsDim), ...norms];
        };
        expect(distance(gradients(all), gradients(few))).toBeLessThan(tolerance.exact);
      });

      it('backward(…) gives the slope that finite differences see', () => {
        const rows = 7;
        const network = randomNetwork(engine, shape, rows);
        const obs = noise(3)(rows * shape.obsDim);
        const draw = noise(5);
        const dz = draw(rows * shape.actions);
        const dValue = draw(rows);
        /** A loss that is linear in the head, Σ dz·z + Σ dValue·V; its cotangents are the coefficients. */
        const lossAt = (at: Floats): number => {
          const head = readRows(network.forward(at, rows), shape, rows);
          return head.z.flat().reduce((s, z, i) => s + z * dz[i]!, 0) + head.value.reduce((s, v, r) => s + v * dValue[r]!, 0);
        };
        lossAt(obs);
        const head = network.forward(obs, rows);
        for (let r = 0; r < rows; r++) {
          for (let j = 0; j < shape.actions; j++) head.dLogits[r * head.stride + j] = dz[r * shape.actions + j]!;
          head.dValue[r * head.valueStride] = dValue[r]!;
        }
        head.dLogStd.fill(0);
        const got = network.backward(rows, { weights: true, input: true });
        const weights = Float64Array.from(got.weights);
        const input = Float64Array.from(got.input.subarray(0, obs.length));
        const params = paramsOf(network);
        const check = (gradient: Float64Array, base: Float64Array, loss: (x: Float64Array) => number) => {
          const length = Math.hypot(...gradient);
          for (const direction of [gradient.map((g) => g / length), draw(base.length, Math.sqrt(3 / base.length))]) {
            const slope = gradient.reduce((sum, g, i) => sum + g * direction[i]!, 0);
            const along = (h: number) => loss(base.map((b, i) => b + h * direction[i]!));
            const difference = (along(tolerance.step) - along(-tolerance.step)) / (2 * tolerance.step);
            expect(Math.abs(difference - slope)).toBeLessThan(tolerance.difference * length);
          }
        };
        check(input, obs, lossAt);
        const frozen = affine(shape).shift;
        check(weights, params, (p) => {
          network.set(p.map((x, i) => (i < frozen ? x : params[i]!)));
          return lossAt(obs);
        });
        expect([...weights.subarray(frozen)].every((g) => g === 0)).toBe(true);
      });

      it('forward(…) of a normalised shape is that of the plain one on (obs − shift)·scale', () => {
        if (!shape.normalised) return;
        const { normalised: _, ...plain } = shape;
        const { shift, scale, count } = affine(shape);
        const network = randomNetwork(engine, shape, 6);
        const params = network.get();
        const bare = engine.network(plain, 6);
        bare.set(params.subarray(0, shift));
        const obs = noise(8)(6 * count, 3);
        const cast = (x: number): number => (engine.name === 'reference' ? x : Math.fround(x));
        const inside = obs.map((x, i) => cast(cast(cast(x) - params[shift + (i % count)]!) * params[scale + (i % count)]!));
        expect(readRows(network.forward(obs, 6), shape, 6)).toEqual(readRows(bare.forward(inside, 6), plain, 6));
      });

      it('adam(…) follows its definition, with and without a mask', () => {
        for (const masked of [false, true]) {
          const network = randomNetwork(engine, shape, 1);
          const state = freshState(network);
          const params = paramsOf(network);
          const plain: AdamState = { m: new Float64Array(network.size), v: new Float64Array(network.size), step: 0 };
          const mask = Float64Array.from(params, (_, i) => (i % 3) / 2); // 0, ½, 1
          const draw = noise(6);
          for (let step = 0; step < 20; step++) {
            const gradient = draw(network.size);
            const options = { ...OPTIONS, scale: 1 / (1 + step) };
            network.adam(state, vectorOf(network, gradient), options, masked ? vectorOf(network, mask) : undefined);
            adam(params, plain, gradient, options, masked ? mask : undefined);
          }
          expect(state.step).toBe(20);
          expect(distance(paramsOf(network), params)).toBeLessThan(tolerance.exact);
          expect(distance(state.m, plain.m)).toBeLessThan(tolerance.exact);
          expect(distance(state.v, plain.v)).toBeLessThan(tolerance.exact);
        }
      });
    });

    it('network(…) lays its parameters out as layout(…) says', () => {
      for (const shape of SHAPES) {
        const network = engine.network(shape, 1);
        expect(network.size).toBe(size(shape));
        const params = Float64Array.from({ length: network.size }, (_, i) => i); // exact in float32, too
        network.set(params);
        expect(paramsOf(network)).toEqual(params);
        if (shape.gaussian)
          expect([...network.forward(new Float64Array(shape.obsDim), 1).logStd]).toEqual([
            ...params.subarray(weightCount(shape), affine(shape).shift),
          ]);
      }
    });

    it('forward(…) sees new parameters after set(…) and after adam(…), backward(…) too', () => {
      for (const shape of SHAPES) {
        const network = randomNetwork(engine, shape, 4);
        const before = everything(network, 4);
        network.adam(freshState(network), vectorOf(network, new Float64Array(network.size).fill(1)), OPTIONS);
        const stepped = everything(network, 4);
        const fresh = engine.network(shape, 4);
        fresh.set(paramsOf(network));
        expect(stepped).toEqual(everything(fresh, 4));
        expect(stepped).not.toEqual(before);
        network.set(noise(1)(network.size, 0.6));
        expect(everything(network, 4)).toEqual(before);
      }
    });

    it('backward(…) is linear in the cotangents: those of dLogStd pass straight through', () => {
      const network = randomNetwork(engine, SHAPES[5]!, 2);
      const head = network.forward(new Float64Array(14), 2);
      for (const cotangents of [head.dLogits, head.dValue]) cotangents.fill(0);
      head.dLogStd[0] = 0.25;
      const { weights } = network.backward(2, { weights: true });
      expect(weights.at(-1)).toBe(0.25);
      expect(weights.subarray(0, -1).every((w) => w === 0)).toBe(true);
    });

    it('forward(…) and backward(…) return the same objects every time', () => {
      const network = randomNetwork(engine, SHARED, 2);
      const obs = new Float32Array(8);
      const head = network.forward(obs, 2);
      randomCotangents(head, SHARED, 2);
      const gradients = network.backward(2, { weights: true });
      expect(network.forward(obs, 1)).toBe(head);
      expect(network.backward(1, { input: true })).toBe(gradients);
    });

    it('two networks of one engine do not disturb each other', () => {
      const shape = SHAPES[3]!;
      const alone = everything(randomNetwork(engine, shape, 8), 8);
      const one = randomNetwork(engine, shape, 8);
      const other = randomNetwork(engine, SHARED, 8);
      const head = one.forward(noise(3)(8 * shape.obsDim), 8);
      randomCotangents(head, shape, 8);
      everything(other, 8);
      other.adam(freshState(other), vectorOf(other, new Float64Array(other.size).fill(1)), OPTIONS);
      expect([...one.backward(8, { weights: true }).weights]).toEqual(alone.weights);
    });

    it('adam(…) takes the step of a hand computation', () => {
      const network = engine.network(SHAPES[6]!, 1);
      const state = freshState(network);
      const g = vectorOf(network, new Float64Array(network.size).fill(0.5));
      network.adam(state, g, { ...OPTIONS, learningRate: 0.1, eps: 0.5 });
      expect(paramsOf(network)[0]).toBeCloseTo(-0.05, 6); // m̂ = 0.5, √v̂ = 0.5: 0.1 · 0.5 / (0.5 + 0.5)
      network.adam(state, g, { ...OPTIONS, learningRate: 0.1, eps: 0.5 });
      expect(paramsOf(network)[0]).toBeCloseTo(-0.1, 6); // bias correction keeps a constant gradient's step constant
    });

    it('adam(…) leaves parameter and moments exactly still where the mask is 0', () => {
      for (const shape of SHAPES) {
        const network = randomNetwork(engine, shape, 1);
        const state = freshState(network);
        state.m.set(noise(7)(network.size));
        state.v.set(noise(8)(network.size).map(Math.abs));
        state.m[0] = 1e-30; // would be flushed if they were touched
        state.v[4] = 1e-40;
        const mask = Float64Array.from({ length: network.size }, (_, i) => i % 2);
        const gradient = noise(9)(network.size);
        gradient[2] = Number.NaN; // masked, so nobody's business
        const before = [paramsOf(network), Float64Array.from(state.m), Float64Array.from(state.v)];
        for (let i = 0; i < 5; i++) network.adam(state, vectorOf(network, gradient), OPTIONS, vectorOf(network, mask));
        const after = [paramsOf(network), Float64Array.from(state.m), Float64Array.from(state.v)];
        after.forEach((array, k) => {
          const moved = [...array.keys()].filter((i) => !Object.is(array[i], before[k]![i]));
          expect(moved).toEqual([...array.keys()].filter((i) => i % 2 === 1));
        });
      }
    });

    it('adam(…) shows a NaN instead of flushing it', () => {
      const network = randomNetwork(engine, SHAPES[2]!, 1);
      const state = freshState(network);
      network.adam(state, vectorOf(network, new Float64Array(network.size).fill(Number.NaN)), OPTIONS);
      for (const array of [paramsOf(network), state.m, state.v]) expect(array.every(Number.isNaN)).toBe(true);
    });

    it('forward(…) and backward(…) show a NaN instead of clamping it', () => {
      const network = randomNetwork(engine, SHARED, 2);
      const head = network.forward(new Float64Array(8).fill(Number.NaN, 4), 2);
      expect(head.value[0]).not.toBeNaN();
      expect(head.value[head.valueStride]).toBeNaN();
      randomCotangents(head, SHARED, 2);
      expect(network.norm(network.backward(2, { weights: true }).weights)).toBeNaN();
    });

    it('200 Adam steps with cotangents about 1e-40 and masked parameters stay finite and keep no denormals', () => {
      for (const shape of [SHAPES[1]!, SHAPES[3]!]) {
        const network = randomNetwork(engine, shape, 4);
        const state = freshState(network);
        const draw = noise(10)(network.size, 1e-20); // their squares are denormal
        const small = vectorOf(
          network,
          draw.map((g, i) => (i % 3 === 0 ? g : 0)),
        );
        const mask = vectorOf(
          network,
          Float64Array.from({ length: network.size }, (_, i) => (i % 4 === 0 ? 0 : 1)),
        );
        state.m.fill(1e-32); // both would decay into denormals
        state.v.fill(1.2e-38);
        mask.forEach((kept, i) => {
          if (kept === 0) state.m[i] = state.v[i] = 0;
        });
        for (let step = 0; step < 200; step++) {
          const head = network.forward(noise(3)(4 * shape.obsDim), 4);
          randomCotangents(head, shape, 4, 1e-40);
          network.adam(state, network.backward(4, { weights: true }).weights, OPTIONS, mask);
          if (step % 2 === 0) network.adam(state, small, OPTIONS);
          else network.adam(state, small, OPTIONS, mask);
        }
        expect(paramsOf(network).every(Number.isFinite)).toBe(true);
        const smallest = engine.name === 'reference' ? Number.MIN_VALUE : 2 ** -126; // of normal float32
        for (const moment of [state.m, state.v]) expect(moment.every((x) => x === 0 || Math.abs(x) >= smallest)).toBe(true);
      }
    });

    it('gae(…) bootstraps a truncated episode and not a terminated one', () => {
      const network = engine.network(SHAPES[6]!, 1);
      const of = (...values: number[]) => vectorOf(network, values);
      // γ = λ = ½, one environment, 5 steps: truncated at t = 1, terminated at t = 3, cut off while running at t = 4.
      const input = {
        numEnvs: 1,
        reward: of(1, 2, 3, 4, 5),
        value: of(1, 1, 2, 2, 4),
        nextValue: of(1, 6, 2, 8, 2), // V(s'), before any reset
        terminated: of(0, 0, 0, 1, 0),
        ended: of(0, 1, 0, 1, 0),
      };
      const advantage = network.vector(5);
      network.gae(input, 0.5, 0.5, advantage);
      // δ = (1 + ½ − 1, 2 + 3 − 1, 3 + 1 − 2, 4 + 0 − 2, 5 + 1 − 4) = (0.5, 4, 2, 2, 2)
      // A_4 = 2;  A_3 = 2 (terminated);  A_2 = 2 + ¼·2 = 2.5;  A_1 = 4 (truncated, with V(s') in δ);  A_0 = 0.5 + ¼·4 = 1.5
      expect([...advantage]).toEqual([1.5, 4, 2.5, 2, 2]);
    });

    it('gae(…) gives an environment the same bits alone and among others', () => {
      const network = engine.network(SHAPES[6]!, 1);
      const [numSteps, numEnvs] = [9, 7];
      const draw = noise(11);
      const number = () => vectorOf(network, draw(numSteps * numEnvs));
      const flag = (one: number) =>
        vectorOf(
          network,
          draw(numSteps * numEnvs).map((u) => (u > one ? 1 : 0)),
        );
      const all = { numEnvs, reward: number(), value: number(), nextValue: number(), terminated: flag(0.8), ended: flag(0.6) };
      const together = network.vector(numSteps * numEnvs);
      network.gae(all, 0.99, 0.95, together);
      for (let e = 0; e < numEnvs; e++) {
        const column = (x: Floats) =>
          vectorOf(
            network,
            Array.from({ length: numSteps }, (_, t) => x[t * numEnvs + e]!),
          );
        const { reward, value, nextValue, terminated, ended } = all;
        const one = {
          numEnvs: 1,
          reward: column(reward),
          value: column(value),
          nextValue: column(nextValue),
          terminated: column(terminated),
          ended: column(ended),
        };
        const alone = network.vector(numSteps);
        network.gae(one, 0.99, 0.95, alone);
        expect(alone).toEqual(column(together));
      }
    });

    it('mul, axpy, dot, norm and gather compute what their names say, for every length', () => {
      const network = engine.network(SHAPES[6]!, 1);
      for (const n of [0, 1, 3, 4, 7, 8, 21, 64]) {
        const x = noise(12)(n);
        const y = noise(13)(n);
        const a = vectorOf(network, x);
        const b = vectorOf(network, y);
        const product = x.reduce((sum, xi, i) => sum + xi * y[i]!, 0);
        expect(Math.abs(network.dot(a, b) - product)).toBeLessThanOrEqual(tolerance.exact);
        expect(Math.abs(network.norm(a) - Math.hypot(...x))).toBeLessThanOrEqual(tolerance.exact);
        network.axpy(0.5, a, b);
        expect(
          distance(
            b,
            y.map((yi, i) => yi + 0.5 * x[i]!),
          ),
        ).toBeLessThan(tolerance.exact);
        network.mul(a, b);
        expect(
          distance(
            a,
            x.map((xi, i) => xi * (y[i]! + 0.5 * xi)),
          ),
        ).toBeLessThan(tolerance.exact);
      }
      for (const width of [1, 2, 4, 5, 9]) {
        const source = vectorOf(
          network,
          Float64Array.from({ length: 50 * width }, (_, i) => i),
        );
        const indices = Int32Array.from({ length: 3000 }, (_, i) => (i * 7) % 50);
        const out = network.vector(3000 * width);
        network.gather(source, indices, width, out);
        expect([...out]).toEqual([...indices].flatMap((index) => Array.from({ length: width }, (_, j) => index * width + j)));
      }
      expect(network.norm(vectorOf(network, [3e20, 4e20, ...Array(14).fill(0)])) / 5e20).toBeCloseTo(1, 6); // squares beyond float32
    });

    it('kernels touch nothing beside the vectors they are given', () => {
      const network = engine.network(SHAPES[6]!, 1);
      const all = vectorOf(network, new Float64Array(31).fill(2));
      const middle = all.subarray(5, 18);
      const ones = vectorOf(network, new Float64Array(31).fill(1));
      network.axpy(1, ones, middle);
      network.mul(middle, middle);
      network.gather(ones, new Int32Array(10), 1, all.subarray(20, 30));
      const off = network.vector(13);
      network.gae({ numEnvs: 13, reward: off, value: off, nextValue: off, terminated: off, ended: off }, 1, 1, all.subarray(2, 15));
      expect([...all]).toEqual([2, 2, ...Array(13).fill(0), 9, 9, 9, 2, 2, ...Array(10).fill(1), 2]);
    });

    it('forward(…) refuses more rows than maxRows, and fewer numbers than rows need', () => {
      const network = randomNetwork(engine, SHARED, 4);
      expect(() => network.forward(new Float64Array(20), 5)).toThrow(new RangeError('forward: expected at most 4 rows, got 5'));
      expect(() => network.forward(new Float64Array(15), 4)).toThrow(
        new RangeError('forward: expected 16 numbers in 4 observations, got 15'),
      );
    });

    it('backward(…), sampleNorms(…) and fisher(…) refuse rows that were not computed', () => {
      const network = randomNetwork(engine, SHARED, 4);
      randomCotangents(network.forward(new Float64Array(12), 3), SHARED, 3);
      expect(() => network.backward(4, { weights: true })).toThrow(
        new RangeError('backward: expected at most the 3 rows of the last forward, got 4'),
      );
      network.backward(3, { weights: true });
      const out = network.vector(network.size);
      expect(() => network.sampleNorms(2, out)).toThrow(new RangeError('sampleNorms: expected the 3 rows of the last backward, got 2'));
      expect(() => network.fisher(2, out)).toThrow(new RangeError('fisher: expected the 3 rows of the last backward, got 2'));
    });

    it('gather(…) refuses an index without a row', () => {
      const network = engine.network(SHAPES[6]!, 1);
      const source = network.vector(9);
      expect(() => network.gather(source, Int32Array.of(0, 3), 3, network.vector(6))).toThrow(
        new RangeError('gather: expected indices below 3, got 3'),
      );
      expect(() => network.gather(source, Int32Array.of(-1), 3, network.vector(3))).toThrow(
        new RangeError('gather: expected indices below 3, got -1'),
      );
    });

    it('vector(…) has room for a rollout, a forget and a retain set, and 20 parameter-sized vectors', () => {
      const network = engine.network(SHAPES[1]!, 512);
      for (let i = 0; i < 20; i++) network.vector(network.size);
      for (const rows of [2048, 8192, 8192]) for (const width of [8, ...Array(10).fill(1)]) network.vector(rows * width);
    });
  });
}

for (const engine of ENGINES) describeEngine(engine);

describe.each(ABSENT)('engine %s, which is not installed', (name, reason) => {
  it('says what is missing and what brings it', () => {
    expect(reason).toMatch(new RegExp(`^engine ${name}: .*; npm run tfjs(:native)? `));
  });
});

describe('layout', () => {
  it.each(CASES.map((data) => [titleOf(data.shape), data] as const))(
    'layout(%s) has the recorded names and shapes in order and without gaps',
    (_, data) => {
      expect(layout(data.shape).map(({ name, shape }) => ({ name, shape }))).toEqual(
        data.params.map(({ name, shape }) => ({ name, shape })),
      );
      let end = 0;
      for (const { shape, offset } of layout(data.shape)) {
        expect(offset).toBe(end);
        end += shape.reduce((product, n) => product * n, 1);
      }
      expect(size(data.shape)).toBe(end);
    },
  );

  it('every recorded loss is checked, but the one that needs Φ', () => {
    const recorded = new Set(CASES.flatMap((data) => Object.keys(data.losses)));
    expect([...recorded].filter((loss) => !(loss in losses))).toEqual(['halfSpace']);
    expect(CASES).toHaveLength(4);
  });
});

describe('adam', () => {
  it('stepSize(…) is α / (1 − β1^t), rootScale(…) is 1 / √(1 − β2^t)', () => {
    for (const step of [1, 2, 3, 10, 1000]) {
      expect(Math.abs(stepSize({ ...OPTIONS, learningRate: 0.5 }, step) * (1 - 0.9 ** step) - 0.5)).toBeLessThan(1e-13);
      expect(Math.abs(rootScale(OPTIONS, step) * Math.sqrt(1 - 0.999 ** step) - 1)).toBeLessThan(1e-12);
    }
  });
});

/** Inputs add up over hundreds of units: weights of this size keep their tanh from saturating. */
const WIDE: readonly Shape[] = [
  { obsDim: 4, hidden: [256, 256], actions: 2, gaussian: false, separate: false },
  { obsDim: 8, hidden: [128, 96, 128, 64], actions: 4, gaussian: false, separate: true },
];

describe.each(ENGINES.filter(({ name }) => name !== 'reference'))('$name against reference', (engine) => {
  const reference = makeEngine('reference');
  const agree = (shape: Shape, rows: number, scale: number): void => {
    const [got, want] = [engine, reference].map((either) => {
      const network = either.network(shape, rows);
      network.set(noise(1)(network.size, scale));
      return everything(network, rows);
    });
    for (const key of ['head', 'weights', 'input', 'norms', 'fisher'] as const)
      expect(distance(got![key], want![key]), key).toBeLessThan(FLOAT32.exact);
  };

  it.each(SHAPES.map((shape) => [titleOf(shape), shape] as const))(
    '%s: heads, gradients, norms and Fisher agree for every number of rows',
    (_, shape) => {
      for (const rows of ROWS) agree(shape, rows, 0.6);
    },
  );

  it.each(WIDE.map((shape) => [titleOf(shape), shape] as const))('%s: a wide or deep network agrees, too', (_, shape) => {
    for (const rows of [1, 64]) agree(shape, rows, 0.1);
  });
});

describe('wasm', () => {
  const wasm = makeEngine('wasm');

  it('tanh is right to 5e-7 relative over [−10, 10], bounded by 1, and odd', () => {
    const shape: Shape = { obsDim: 1, hidden: [1], actions: 2, gaussian: false, separate: false };
    const points = 40_001;
    const network = wasm.network(shape, points);
    const params = new Float64Array(network.size);
    for (const { name, offset } of layout(shape)) if (name === 'trunk.0.W' || name === 'valueHead.W') params[offset] = 1; // V(x) = tanh(x)
    network.set(params);
    const x = Float32Array.from({ length: points }, (_, i) => (i - 20_000) / 2000);
    const { value, valueStride } = network.forward(x, points);
    let worst = 0;
    const odd: number[] = [];
    for (let i = 0; i < points; i++) {
      const y = value[i * valueStride]!;
      if (Math.abs(y) > 1 || y !== -value[(points - 1 - i) * valueStride]!) odd.push(x[i]!);
      if (x[i] !== 0) worst = Math.max(worst, Math.abs(y / tanh(x[i]!) - 1));
    }
    expect(odd).toEqual([]);
    expect(worst).toBeLessThan(5e-7);
    expect(worst).toBeGreaterThan(1e-8); // float32 it is
  });

  it('the embedded kernels have the digest that their version names', () => {
    expect(createHash('sha256').update(decodeBase64(KERNELS_WASM)).digest('hex')).toBe(KERNELS_SHA256);
    expect(wasm.version).toBe(KERNELS_SHA256.slice(0, 12));
  });

  it('kernels refuse vectors of another memory, and too short ones', () => {
    const network = wasm.network(SHARED, 1);
    const own = network.vector(8);
    const foreign = wasm.network(SHARED, 1).vector(8);
    const message = "expected a vector in this network's memory, got one elsewhere; make it with network.vector(length)";
    for (const other of [foreign, new Float32Array(8)]) {
      for (const call of [
        () => network.mul(own, other),
        () => network.axpy(1, other, own),
        () => network.dot(own, other),
        () => network.norm(other),
        () => network.gather(other, Int32Array.of(0), 1, own),
        () => network.adam(freshState(network), other, OPTIONS),
      ])
        expect(call).toThrow(new TypeError(message));
    }
    expect(() => network.mul(own, own.subarray(1))).toThrow(new RangeError('expected a vector of at least 8 numbers, got 7'));
    expect(() => network.adam(freshState(network), own, OPTIONS)).toThrow(RangeError);
  });

  it('cotangents below 1e-17 give a gradient of exactly 0', () => {
    for (const scale of [1e-18, 1e-30, 1e-40]) {
      const network = randomNetwork(wasm, SHARED, 4);
      randomCotangents(network.forward(noise(3)(16), 4), SHARED, 4, scale);
      expect(network.backward(4, { weights: true }).weights.every((g) => g === 0)).toBe(true);
    }
  });

  it('vector(…) says what was asked when the memory is full', () => {
    const network = wasm.network(SHARED, 1);
    expect(() => network.vector(1e8)).toThrow(/^vector: expected at most \d+ more numbers in this network's memory, got 100000000; /);
    expect(() => {
      for (;;) network.vector(1e5);
    }).toThrow(RangeError);
    expect(network.vector(1)).toHaveLength(1);
  });

  it('a network is of no use after free(), and its memory can be had again', () => {
    const network = wasm.network(SHARED, 1);
    network.free();
    expect(() => network.forward(new Float32Array(4), 1)).toThrow('network: expected one in use, got one that was freed');
    for (let i = 0; i < 300; i++) wasm.network(SHARED, 64).free(); // each reserves gigabytes of addresses
  });
});
