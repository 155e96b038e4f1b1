import { describe, expect, it } from 'vitest';
import { DivergedError, RefusedError } from '../../src/contract/errors.ts';
import { canonicalJson, contentDigest } from '../../src/contract/ids.ts';
import { type Observe, type Phase, unobserved } from '../../src/contract/observe.ts';
import type { BaseRow, TrialRow } from '../../src/contract/rows.ts';
import { STRATEGIES } from '../../src/contract/strategies.ts';
import { makeEngine } from '../../src/math/engines/index.ts';
import { decodeTensors } from '../../src/math/safetensors.ts';
import { runTrial, trainBase } from '../../src/worker/jobs.ts';
import { smallBase, smallTrial } from './specs.ts';

const wasm = makeEngine('wasm');
const reference = makeEngine('reference');
const base = trainBase(smallBase(), wasm, unobserved);

const resultOf = <R extends BaseRow | TrialRow>(row: R) => {
  if (!row.ok) throw new Error(row.failure.message);
  return row.result as Extract<R, { ok: true }>['result'];
};
const before = resultOf(base.row);

describe('trainBase(…)', () => {
  // A refactor keeps these; an intended change records them anew and says so in the commit.
  it('gives the recorded weights after every iteration, and the recorded row', () => {
    expect(before.trace).toMatchInlineSnapshot(`
      [
        "dcfd88683d5c2a36",
        "03fafd153feaf38d",
      ]
    `);
    expect(contentDigest(new TextEncoder().encode(canonicalJson(base.row)))).toMatchInlineSnapshot(
      `"1d40ccd82f1ea50524ef6cb5adc70ef2fd525c4cc43d26d95452a24a4927da49"`,
    );
  });

  it('gives the recorded weights on the reference engine', () => {
    expect(resultOf(trainBase(smallBase(1, {}, 'reference'), reference, unobserved).row).trace).toMatchInlineSnapshot(`
      [
        "6bcd9f34720aabd2",
        "82e4b8216fc025c4",
      ]
    `);
  });

  it('gives the same bytes again, and other bytes for another seed', () => {
    expect(trainBase(smallBase(), wasm, unobserved)).toEqual(base);
    expect(trainBase(smallBase(2), wasm, unobserved).policy).not.toEqual(base.policy);
  });

  it('names its policy by the digest of the file', () => {
    expect(before.policy).toBe(contentDigest(base.policy));
  });

  it('counts steps: two iterations of 256, two epochs of four minibatches each', () => {
    expect([before.environmentSteps, before.gradientSteps]).toEqual([512, 16]);
    expect(before.returns.step).toEqual([256, 512]);
  });

  it('thins its curve to at most 128 points, the last iteration included', () => {
    const { returns, trace } = resultOf(
      trainBase(smallBase(1, { totalTimesteps: 300 * 8, numEnvs: 1, numSteps: 8, numMinibatches: 1 }), wasm, unobserved).row,
    );
    expect(returns.step.length).toBeLessThanOrEqual(128);
    expect(returns.step.at(-1)).toBe(2400);
    expect(trace).toHaveLength(returns.step.length);
  });

  it('throws DivergedError, with the step, when a gradient is no number', () => {
    expect(() => trainBase(smallBase(1, { learningRate: 1e38, maxGradNorm: null }), wasm, unobserved)).toThrow(DivergedError);
    expect(() => trainBase(smallBase(1, { learningRate: 1e38, maxGradNorm: null }), wasm, unobserved)).toThrow(
      /PPO gradient step \d+: expected a finite gradient/,
    );
  });
});

describe('runTrial(…)', () => {
  it.each(Object.keys(STRATEGIES))('%s gives the same bytes again and leaves the base untouched', (strategy) => {
    const copy = base.policy.slice();
    const once = runTrial(smallTrial(strategy), base, wasm, unobserved);
    expect(runTrial(smallTrial(strategy), base, wasm, unobserved)).toEqual(once);
    expect(base.policy).toEqual(copy);
    expect(resultOf(once.row).policy).toBe(contentDigest(once.policy));
    expect(resultOf(once.row).forgetSet).toBe(contentDigest(once.forgetSet));
    expect(canonicalJson(once.row)).not.toMatch(/NaN|Infinity/);
  });

  it('gives the recorded rows', () => {
    const digest = (strategy: string) =>
      contentDigest(new TextEncoder().encode(canonicalJson(runTrial(smallTrial(strategy), base, wasm, unobserved).row)));
    expect(Object.keys(STRATEGIES).map((s) => [s, digest(s).slice(0, 16)])).toMatchInlineSnapshot(`
      [
        [
          "none",
          "e384506aad44b81b",
        ],
        [
          "retrain",
          "8206ac20b1d21da0",
        ],
        [
          "shield",
          "472ad1d9c945ef0c",
        ],
        [
          "random",
          "796788620641b6dd",
        ],
        [
          "finetune",
          "c35e9e006e0886c5",
        ],
        [
          "retrain-penalty",
          "5ca799b7d416a53e",
        ],
        [
          "tsf:paper",
          "51b814b54efa1a55",
        ],
        [
          "zsi:paper",
          "0249837d95466a26",
        ],
        [
          "mrp+tsf:paper",
          "25f7a378f21d924c",
        ],
        [
          "mrp+zsi:paper",
          "e690c55c9c0f0f95",
        ],
        [
          "tsf+zsi:paper",
          "ad9aeb3fce6e05d4",
        ],
        [
          "tsf",
          "1338ad11aaf3f32b",
        ],
        [
          "zsi",
          "222c02ddcabe64d9",
        ],
        [
          "mrp+tsf",
          "73e680625c80608a",
        ],
        [
          "mrp+zsi",
          "60ab2011369ea9bb",
        ],
        [
          "tsf+zsi",
          "b3ecacd64d4ef336",
        ],
      ]
    `);
  });

  it('none is the base: nothing forgotten, nothing lost, its own policy', () => {
    const result = resultOf(runTrial(smallTrial('none'), base, wasm, unobserved).row);
    expect(result).toMatchObject({ fe: 0, finalFe: 0, rsi: 1, retainKl: 0, retainValue: 0, policy: before.policy });
    expect(result.cost.correct).toEqual({ gradientSteps: 0, environmentSteps: 0, samples: 0 });
  });

  it('retrain never violates, costs a training, and has no forgetting to speak of', () => {
    const result = resultOf(runTrial(smallTrial('retrain'), base, wasm, unobserved).row);
    expect(result).toMatchObject({ fe: null, finalFe: null, worstCase: null, forgetCurve: null });
    expect(result.greedy.toxicRate ?? 0).toBe(0);
    expect(result.sampled.toxicRate).toBe(0);
    expect(result.cost.correct).toMatchObject({ gradientSteps: 16, environmentSteps: 512 });
  });

  it('tsf forgets, and counts what it did', () => {
    const { row } = runTrial(smallTrial('tsf'), base, wasm, unobserved);
    const result = resultOf(row);
    expect(row.base).toBe(base.row.id);
    expect(result.finalFe).toBeGreaterThan(0.1);
    expect(result.forgetCurve?.step).toEqual([0, 5, 10, 15, 20]);
    expect(result.trace).toHaveLength(5);
    expect(result.cost.correct).toEqual({ gradientSteps: 20, environmentSteps: 0, samples: 20 * 64 });
    expect(result.cost.identify.environmentSteps).toBeGreaterThan(0);
  });

  it('measures every arm of a seed on the same worlds: the base is measured by none as by trainBase', () => {
    const { greedy, sampled } = resultOf(runTrial(smallTrial('none'), base, wasm, unobserved).row);
    expect([greedy.digest, sampled.digest]).toEqual([before.greedy.digest, before.sampled.digest]);
  });

  it('draws its batches by correctionSeed, and records the same forget set for all of them', () => {
    const [a, b] = [0, 1].map((seed) => resultOf(runTrial(smallTrial('tsf', smallBase(), {}, seed), base, wasm, unobserved).row));
    expect(a!.policy).not.toBe(b!.policy);
    expect(a!.forgetSet).toBe(b!.forgetSet);
    expect(a!.forgetCurve?.value[0]).toBe(b!.forgetCurve?.value[0]);
  });

  it('freezes the value head and moves policy and trunk', () => {
    const [was, is] = [base.policy, runTrial(smallTrial('tsf'), base, wasm, unobserved).policy].map((file) => decodeTensors(file).tensors);
    for (const name of Object.keys(was!)) {
      if (name.startsWith('valueHead')) expect(is![name], name).toEqual(was![name]);
      else expect(is![name], name).not.toEqual(was![name]);
    }
  });

  it('reports its phases, none inside another by mistake', () => {
    const seen: Phase[] = [];
    const phase: Observe['phase'] = (name, work) => {
      seen.push(name);
      return work();
    };
    runTrial(smallTrial('tsf'), base, wasm, { phase, progress: () => {} });
    expect(seen).toEqual(['identify', 'correct', ...Array(5).fill('curve'), 'evaluate']);
  });

  it('refuses a scenario in which the base violates nothing, with the numbers', () => {
    const spec = smallTrial('tsf');
    const nowhere = { ...spec, rules: [{ where: { x: [2.39, null] as const }, forbid: ['left'] }] };
    expect(() => runTrial(nowhere, base, wasm, unobserved)).toThrow(RefusedError);
    expect(() => runTrial(nowhere, base, wasm, unobserved)).toThrow(/got 0 pairs and \d+ states/);
  });

  it('measures a bare environment without a word on forgetting', () => {
    const result = resultOf(runTrial({ ...smallTrial('none'), rules: [] }, base, wasm, unobserved).row);
    expect(result).toMatchObject({ fe: null, finalFe: null, worstCase: null, rsi: 1, greedy: { toxicRate: null, occupancy: null } });
    expect(result.acceptance.reasons).toEqual([expect.stringMatching(/^greedy return/)]);
  });

  it('says why a base is not accepted', () => {
    const { acceptance } = resultOf(runTrial(smallTrial('none'), base, wasm, unobserved).row);
    expect(acceptance.accepted).toBe(false);
    expect(acceptance.reasons[0]).toMatch(/^greedy return \d+\.\d is below the gate of 475$/);
  });

  it('throws DivergedError when only the last step leaves the finite numbers, in training and in correcting', () => {
    const once = { totalTimesteps: 256, updateEpochs: 1, numMinibatches: 1, learningRate: 1e38, maxGradNorm: null };
    expect(() => trainBase(smallBase(1, { ...once, adamEps: 1e-38 }), wasm, unobserved)).toThrow(DivergedError);
    for (const strategy of ['tsf', 'tsf:paper'])
      expect(() =>
        runTrial(smallTrial(strategy, smallBase(), { steps: 1, annealLr: false, learningRate: 3e38 }), base, wasm, unobserved),
      ).toThrow(DivergedError);
  });

  it('refuses to choose a checkpoint without validation states in the region', () => {
    const spec = smallTrial('tsf', smallBase(), { episodes: 5 });
    const rare = { ...spec, rules: [{ where: { theta: [0.35, null] as const }, forbid: ['left'] }] };
    expect(() => runTrial(rare, base, wasm, unobserved)).toThrow(RefusedError);
  });

  it('throws DivergedError when the correction leaves the finite numbers', () => {
    const wild = smallTrial('tsf', smallBase(), { learningRate: 1e38, maxGradNorm: 1e30 });
    expect(() => runTrial(wild, base, wasm, unobserved)).toThrow(DivergedError);
  });

  it('refuses a base that is not accepted, with the numbers, unless the sweep says report', () => {
    const refused = { ...smallTrial('tsf'), acceptance: 'refuse' } as const;
    expect(() => runTrial(refused, base, wasm, unobserved)).toThrow(RefusedError);
    expect(() => runTrial(refused, base, wasm, unobserved)).toThrow(/greedy return \d+\.\d is below the gate of 475.*acceptance: report/);
  });

  it('refuses rules that leave some state without an action, and names them', () => {
    const spec = smallTrial('tsf');
    const rules = [...spec.rules, { where: { theta: [0.1, 0.2] as const }, forbid: ['right'] }];
    expect(() => runTrial({ ...spec, rules }, base, wasm, unobserved)).toThrow(/none where rules\[0\] and rules\[2\] hold together/);
  });

  it('refuses an influence threshold that no pair exceeds, with the largest score', () => {
    const spec = smallTrial('tsf', smallBase(), { influenceThreshold: 1e6 });
    expect(() => runTrial(spec, base, wasm, unobserved)).toThrow(/above 1000000, got none of \d+; the largest has \d/);
  });

  it('shield returns the base itself, never violates, and counts nothing as forgotten', () => {
    const result = resultOf(runTrial(smallTrial('shield'), base, wasm, unobserved).row);
    expect(result).toMatchObject({ policy: before.policy, fe: null, finalFe: null, sampled: { toxicRate: 0 } });
    expect(result.cost.correct).toEqual({ gradientSteps: 0, environmentSteps: 0, samples: 0 });
  });

  it('finetune interacts, and keeps the best of its checkpoints', () => {
    const result = resultOf(runTrial(smallTrial('finetune'), base, wasm, unobserved).row);
    expect(result.cost.correct).toEqual({ gradientSteps: 16, environmentSteps: 512, samples: 2 * 512 });
    expect(result.forgetCurve?.step).toEqual([0, 8, 16]);
    expect(result.forgetCurve?.step).toContain(result.checkpoint);
  });

  it('retrain-penalty starts from scratch and returns its last policy', () => {
    const result = resultOf(runTrial(smallTrial('retrain-penalty'), base, wasm, unobserved).row);
    expect(result.checkpoint).toBe(16);
    expect(result.trace[0]).not.toBe(resultOf(runTrial(smallTrial('tsf'), base, wasm, unobserved).row).trace[0]);
  });

  it('measures the over-run beside the correction and changes nothing of it', () => {
    const spec = smallTrial('zsi');
    const without = resultOf(runTrial(spec, base, wasm, unobserved).row);
    const { overrun, ...rest } = resultOf(
      runTrial({ ...spec, evaluate: { ...spec.evaluate, overrun: [4, 2] } }, base, wasm, unobserved).row,
    );
    expect(without.overrun).toBeNull();
    expect({ ...rest, overrun: null }).toEqual(without);
    expect(overrun?.multiple).toEqual([2, 4]);
    expect(overrun?.finalFe.every((fe) => fe !== null && fe > 0)).toBe(true);
    expect(overrun?.meanReturn).toHaveLength(2);
  });

  it('judges the influence scores on the base: the same for every arm of a seed', () => {
    const [a, b] = ['none', 'tsf'].map((s) => resultOf(runTrial(smallTrial(s), base, wasm, unobserved).row).influence);
    expect(a).toEqual(b);
    expect(a!.printed).toBeGreaterThan(0);
    expect(a!.kept).toBe(a!.pairs);
  });
});
