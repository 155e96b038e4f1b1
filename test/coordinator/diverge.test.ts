import { describe, expect, it } from 'vitest';
import type { BaseRow, TrialRow } from '../../src/contract/rows.ts';
import { baseDivergence, trialDivergence } from '../../src/coordinator/diverge.ts';

const evaluation = { episodes: 100, steps: 1, meanReturn: 1, stdReturn: 1, toxicRate: null, occupancy: null, digest: 'e' };
const baseResult = {
  policy: 'p',
  environmentSteps: 30,
  gradientSteps: 3,
  returns: { step: [10, 20, 30], value: [1, 2, 3] },
  trace: ['t1', 't2', 't3'],
  greedy: evaluation,
  sampled: evaluation,
  random: evaluation,
};
const trialResult = {
  acceptance: { accepted: true, reasons: [] },
  fe: 0.5,
  forgetSet: 'f',
  forgetCurve: { step: [0, 25, 50], value: [1, 0.5, 0] },
  returnCurve: null,
  trace: ['t1', 't2', 't3'],
  policy: 'p',
  greedy: evaluation,
  sampled: evaluation,
};
const base = (change: object = {}): BaseRow =>
  ({ id: 'b', spec: {}, ok: true, result: { ...baseResult, ...change } }) as unknown as BaseRow;
const trial = (change: object = {}): TrialRow =>
  ({ id: 't', spec: {}, ok: true, result: { ...trialResult, ...change } }) as unknown as TrialRow;
const failed = (message: string): TrialRow => ({ id: 't', spec: {}, ok: false, failure: { kind: 'bug', message } }) as unknown as TrialRow;

describe('baseDivergence(stored, again)', () => {
  it('is null for the same bytes', () => {
    expect(baseDivergence(base(), base())).toBeNull();
  });

  it('names the first step at which the weights parted, not what follows from it', () => {
    const again = base({ trace: ['t1', 'x2', 'x3'], policy: 'x', greedy: { ...evaluation, meanReturn: 2 } });
    expect(baseDivergence(base(), again)).toEqual({
      where: 'base policy, checkpoint 2 of 3 (environment step 20)',
      stored: 't2',
      again: 'x2',
    });
  });

  it('goes on to the evaluations and to any other field', () => {
    expect(baseDivergence(base(), base({ sampled: { ...evaluation, digest: 'x' } }))?.where).toBe('base evaluation, sampled');
    expect(baseDivergence(base(), base({ gradientSteps: 4 }))).toEqual({ where: 'base.result.gradientSteps', stored: '3', again: '4' });
  });
});

describe('trialDivergence(stored, again)', () => {
  it.each([
    ['acceptance', { acceptance: { accepted: false, reasons: ['no'] }, forgetSet: 'x' }],
    ['forget set', { forgetSet: 'x', trace: ['x', 'x', 'x'] }],
    ['correction, checkpoint 3 of 3 (gradient step 50)', { trace: ['t1', 't2', 'x'], policy: 'x' }],
    ['correction, checkpoint 3 of 3 (gradient step 50)', { trace: ['t1', 't2'] }],
    ['correction, number of checkpoints', { trace: ['t1', 't2', 't3', 't4'] }],
    ['final weights', { policy: 'x', greedy: { ...evaluation, digest: 'x' } }],
    ['evaluation, greedy', { greedy: { ...evaluation, digest: 'x' }, fe: 0.4 }],
    ['evaluation, sampled', { sampled: { ...evaluation, digest: 'x' } }],
    ['result.fe', { fe: 0.4 }],
    ['result.forgetCurve.value.1', { forgetCurve: { step: [0, 25, 50], value: [1, 0.4, 0] } }],
  ])('goes through the pipeline in order: %s', (where, change) => {
    expect(trialDivergence(trial(), trial(change))?.where).toBe(where);
  });

  it('compares failures by their words, and a failure with a result', () => {
    expect(trialDivergence(failed('no'), failed('no'))).toBeNull();
    expect(trialDivergence(failed('no'), failed('yes'))).toEqual({ where: 'failure.message', stored: 'no', again: 'yes' });
    expect(trialDivergence(failed('no'), trial())?.where).toBe('failure');
  });
});
