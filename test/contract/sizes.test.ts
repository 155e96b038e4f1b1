import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RESULT_BYTES, TASK_BYTES } from '../../src/bus/nats/streams.ts';
import { ENVIRONMENTS, type Environment, environment } from '../../src/contract/environments.ts';
import { MAX_CURVE_POINTS } from '../../src/contract/evaluate.ts';
import { canonicalJson } from '../../src/contract/ids.ts';
import { failureRow, type Job } from '../../src/contract/job.ts';
import { parseJob, parseResult } from '../../src/contract/messages.ts';
import type { TrialSpec } from '../../src/contract/spec.ts';
import { STRATEGIES } from '../../src/contract/strategies.ts';
import { parseSweep } from '../../src/contract/sweep.ts';
import { resolveArms } from '../../src/coordinator/arms.ts';
import { expand } from '../../src/coordinator/expand.ts';
import { COUNT, LONGEST, list, messagesOf } from './largest.ts';

/** Subject and headers of a message, with room to spare. */
const ENVELOPE = 2048;
const bytes = (value: unknown): number => new TextEncoder().encode(canonicalJson(value)).length;

/** The sizes of the largest messages of a trial and its base; each is what the other side accepts. */
function largestOf(spec: TrialSpec): { readonly job: number; readonly result: number } {
  const { jobs, base, trial, failures } = messagesOf(spec);
  const results = [base, trial, ...failures];
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
  const sizes = expand(judged.value).map(({ spec }) => largestOf(spec));
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
