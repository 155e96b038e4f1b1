import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RESULT_BYTES, TASK_BYTES } from '../../src/bus/nats/streams.ts';
import { ENVIRONMENTS, type Environment, environment } from '../../src/contract/environments.ts';
import { MAX_CURVE_POINTS } from '../../src/contract/evaluate.ts';
import { canonicalJson } from '../../src/contract/ids.ts';
import { cutStack, failureRow, type Job, type TrainedRow } from '../../src/contract/job.ts';
import { parseJob, parseResult } from '../../src/contract/messages.ts';
import type { Curve, Evaluation, Provenance, TrialResult } from '../../src/contract/rows.ts';
import { baseId, type TrialSpec, trialId } from '../../src/contract/spec.ts';
import { STRATEGIES } from '../../src/contract/strategies.ts';
import { parseSweep } from '../../src/contract/sweep.ts';
import { resolveArms } from '../../src/coordinator/arms.ts';
import { expand } from '../../src/coordinator/expand.ts';

/** Subject and headers of a message, with room to spare. */
const ENVELOPE = 2048;
const bytes = (value: unknown): number => new TextEncoder().encode(canonicalJson(value)).length;

// The longest texts that JSON has for a float64, for a count, and for anything that a schema cuts by letters: six bytes for one letter.
const LONGEST = -1.2345678901234566e-300;
const COUNT = Number.MAX_SAFE_INTEGER;
const escaped = (letters: number): string => '\u0001'.repeat(letters);
const DIGEST = 'f'.repeat(64);
const list = <T>(length: number, item: T): T[] => Array.from({ length }, () => item);

const evaluation: Evaluation = {
  ...{ episodes: 100, steps: COUNT, meanReturn: LONGEST, stdReturn: LONGEST, toxicRate: LONGEST, occupancy: LONGEST, digest: DIGEST },
};
const cost = { gradientSteps: COUNT, environmentSteps: COUNT, samples: COUNT };
const curve = (points: number): Curve => ({ step: list(points, COUNT), value: list(points, LONGEST) });
const trace = (points: number): string[] => list(points, DIGEST.slice(0, 16));

/** The largest row of a base: 128 points, as `trainBase` makes at most. */
const baseRow = (spec: TrialSpec['base']): TrainedRow => ({
  ...{ id: baseId(spec), spec, ok: true },
  result: {
    ...{ policy: DIGEST, environmentSteps: COUNT, gradientSteps: COUNT, returns: curve(128), trace: trace(128) },
    ...{ greedy: evaluation, sampled: evaluation, random: evaluation },
  },
});

/** The largest result that a trial can have: every number as long as numbers get, every curve with all of its points. */
function largestResult(spec: TrialSpec): TrialResult {
  const { curvePoints, overrun } = spec.evaluate;
  return {
    acceptance: {
      ...{
        accepted: false,
        reasons: list(4, `mean π(T|s) in the region is ${LONGEST}, below 0.15, fewer than 256`),
        greedyReturn: LONGEST,
        gate: LONGEST,
      },
      ...{ toxicProbability: LONGEST, violatingSteps: COUNT, violatingShare: LONGEST, regionShare: LONGEST },
    },
    influence: { printed: LONGEST, unsaturated: LONGEST, pairs: COUNT, kept: COUNT },
    ...{ fe: LONGEST, finalFe: LONGEST, worstCase: LONGEST, rsi: LONGEST, rsiSampled: LONGEST, retainKl: LONGEST, retainValue: LONGEST },
    ...{ forgetCurve: curve(curvePoints), returnCurve: curve(curvePoints), trace: trace(curvePoints) },
    overrun: { multiple: [...overrun], finalFe: overrun.map(() => LONGEST), meanReturn: overrun.map(() => LONGEST) },
    ...{
      greedy: evaluation,
      sampled: evaluation,
      cost: { identify: cost, correct: cost },
      checkpoint: COUNT,
      policy: DIGEST,
      forgetSet: DIGEST,
    },
  };
}

const provenance = (id: string, kind: 'base' | 'trial'): Provenance => ({
  ...{
    id,
    kind,
    ok: false,
    attempt: COUNT,
    worker: escaped(64),
    host: escaped(64),
    cpu: escaped(256),
    node: escaped(64),
    engine: escaped(64),
  },
  ...{ numerics: DIGEST, startedAt: escaped(64), wallMs: LONGEST, stack: cutStack(escaped(1_000_000)) },
  phasesMs: Object.fromEntries(['train', 'identify', 'correct', 'curve', 'evaluate', 'overrun'].map((phase) => [phase, LONGEST])),
});

/** Every message that a trial and its base make, with its limit; each is what the other side accepts. */
function messagesOf(spec: TrialSpec): { readonly job: number; readonly result: number } {
  const limits = { wallMs: COUNT, memoryMb: COUNT };
  const base = baseRow(spec.base);
  const jobs: Job[] = [
    { kind: 'base', id: base.id, spec: spec.base, limits },
    { kind: 'trial', id: trialId(spec), spec, base, limits },
  ];
  const [ofBase, ofTrial] = jobs as [Job, Job];
  const boundless = { kind: 'bug', message: escaped(1_000_000) } as const;
  const results = [
    { kind: 'base', row: base, provenance: provenance(base.id, 'base') },
    { kind: 'base', row: failureRow(ofBase, boundless), provenance: provenance(base.id, 'base') },
    {
      kind: 'trial',
      row: { id: ofTrial.id, base: base.id, spec, ok: true, result: largestResult(spec) },
      provenance: provenance(ofTrial.id, 'trial'),
    },
    { kind: 'trial', row: failureRow(ofTrial, boundless), provenance: provenance(ofTrial.id, 'trial') },
  ];
  for (const job of jobs) parseJob(canonicalJson(job));
  for (const result of results) parseResult(canonicalJson(result));
  return { job: Math.max(...jobs.map(bytes)), result: Math.max(...results.map(bytes)) };
}

/** A box of all dimensions, its ends as long as numbers get: around 0, which every box of every world contains. */
const boxOf = ({ observation }: Environment) => Object.fromEntries(observation.map(({ name }) => [name, [LONGEST, -LONGEST]]));

interface Asked {
  readonly world: string;
  readonly rules: number;
  readonly strategy: string;
  readonly curvePoints: number;
  readonly layers: number;
  readonly overrun: readonly number[];
  readonly seed: number;
  readonly description: number;
}

const MULTIPLES = Array.from({ length: 15 }, (_, i) => i + 2);
/** At the edges of what is accepted, and beyond them. */
const asked: fc.Arbitrary<Asked> = fc.record({
  world: fc.constantFrom(...Object.keys(ENVIRONMENTS)),
  rules: fc.constantFrom(1, 64, 65),
  strategy: fc.constantFrom(...Object.keys(STRATEGIES)),
  curvePoints: fc.constantFrom(2, 21, MAX_CURVE_POINTS, MAX_CURVE_POINTS + 1, 30_001),
  layers: fc.constantFrom(1, 16, 16, 17, 5000),
  overrun: fc.constantFrom<readonly number[]>([], MULTIPLES, list(5000, 2)),
  seed: fc.constantFrom(1, COUNT),
  description: fc.constantFrom(0, 200_000),
});

/** As a file has it. */
function written({ world: id, rules, strategy, curvePoints, layers, overrun, seed, description }: Asked): object {
  const world = environment(id);
  const { actions, actionBounds } = world;
  const forbid = actionBounds === null ? actions.slice(0, -1) : [{ [actions[0] ?? '']: [-LONGEST, 1] }];
  const impulse = { every: 499, thetaDot: -LONGEST };
  const options =
    id === 'CartPole-v1' ? { resetLow: LONGEST, resetHigh: -LONGEST, resetAngle: -LONGEST, thetaLimit: -LONGEST, impulse } : {};
  return {
    ...{ version: 1, name: 'x'.repeat(64), description: 'd'.repeat(description), seeds: [seed], acceptance: 'report' },
    axes: { scenario: ['own/one'], strategy: [strategy] },
    scenarios: { 'own/one': { environment: id, options, rules: list(rules, { where: boxOf(world), forbid }) } },
    ppo: { hidden: list(layers, COUNT), gamma: -LONGEST, learningRate: -LONGEST, adamEps: -LONGEST, gaeLambda: -LONGEST },
    evaluate: { curvePoints, overrun },
  };
}

/** The sizes of the largest messages, where such a sweep is accepted. */
function sizesOf(sweep: Asked): { readonly job: number; readonly result: number } | null {
  const judged = parseSweep(written(sweep));
  if (!judged.ok || resolveArms(judged.value).problems.length > 0) return null;
  const sizes = expand(judged.value).map(({ spec }) => messagesOf(spec));
  return { job: Math.max(...sizes.map(({ job }) => job)), result: Math.max(...sizes.map(({ result }) => result)) };
}

describe('the messages of a sweep that is accepted', () => {
  it('are smaller than a broker takes, whatever the sweep asks for', () => {
    const accepted = new Set<boolean>();
    fc.assert(
      fc.property(asked, (sweep) => {
        const sizes = sizesOf(sweep);
        accepted.add(sizes !== null);
        if (sizes === null) return;
        expect(sizes.job + ENVELOPE).toBeLessThan(TASK_BYTES);
        expect(sizes.result + ENVELOPE).toBeLessThan(RESULT_BYTES);
      }),
      { numRuns: 200 },
    );
    expect(accepted.size).toBe(2);
  });

  it('are smaller at every bound at once, and not by a wide margin: a bound that is far away guards nothing', () => {
    const most = { rules: 64, curvePoints: MAX_CURVE_POINTS, layers: 16, overrun: MULTIPLES, seed: COUNT, description: 200_000 };
    const sizes = Object.keys(STRATEGIES).map((strategy) => sizesOf({ ...most, strategy, world: 'LunarLander-v3' }));
    const job = Math.max(...sizes.map((size) => size?.job ?? Number.NaN));
    const result = Math.max(...sizes.map((size) => size?.result ?? Number.NaN));
    expect(job + ENVELOPE).toBeLessThan(TASK_BYTES);
    expect(result + ENVELOPE).toBeLessThan(RESULT_BYTES);
    expect([job > TASK_BYTES / 2, result > RESULT_BYTES / 2]).toEqual([true, true]);
  });

  const refusalOf = (change: object): string => {
    const judged = parseSweep({ version: 1, name: 'x', seeds: 1, axes: { scenario: ['cartpole/angle'], strategy: ['tsf'] }, ...change });
    return judged.ok
      ? ''
      : judged.problems.map(({ path, expected, got }) => `${path.join('.')}: expected ${expected}, got ${got}`).join('\n');
  };
  it.each<[object, string]>([
    [{ evaluate: { curvePoints: 30_001 } }, 'evaluate.curvePoints: expected an integer in [2, 2001], got 30001'],
    [{ evaluate: { curvePoints: 1 } }, 'evaluate.curvePoints: expected an integer in [2, 2001], got 1'],
    [{ evaluate: { overrun: [2, 4, 2] } }, 'evaluate.overrun: expected overrun to name a multiple once, got overrun [2, 4, 2]'],
    [{ ppo: { hidden: list(17, 4) } }, 'ppo.hidden: expected at most 16 values, got 17'],
  ])('%j is refused by its own bound', (change, message) => {
    expect(refusalOf(change)).toBe(message);
  });

  it('are whole when a message is cut: no half of a letter, and how much is missing', () => {
    const job = { kind: 'base', id: 'x', spec: {}, limits: {} } as unknown as Job;
    const messageOf = (message: string): string =>
      (failureRow(job, { kind: 'bug', message }) as { failure: { message: string } }).failure.message;
    expect(messageOf('short')).toBe('short');
    expect(messageOf('x'.repeat(8192))).toBe('x'.repeat(8192));
    expect(messageOf('x'.repeat(8200))).toBe(`${'x'.repeat(8192)}… (8 more letters)`);
    expect(messageOf(`${'x'.repeat(8191)}𝜋𝜋`)).toBe(`${'x'.repeat(8191)}… (4 more letters)`);
  });
});
