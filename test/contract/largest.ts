import { cutStack, failureRow, type Job, type TrainedRow } from '../../src/contract/job.ts';
import type { Curve, Evaluation, Provenance, TrialResult } from '../../src/contract/rows.ts';
import { baseId, type TrialSpec, trialId } from '../../src/contract/spec.ts';

// The longest texts that JSON has for a float64, for a count, and for anything that a schema cuts by letters: six bytes for one letter.
export const LONGEST = -1.2345678901234566e-300;
export const COUNT = Number.MAX_SAFE_INTEGER;
export const escaped = (letters: number): string => '\u0001'.repeat(letters);
const DIGEST = 'f'.repeat(64);
export const list = <T>(length: number, item: T): T[] => Array.from({ length }, () => item);

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
  ...{ numerics: DIGEST, basePolicy: DIGEST, startedAt: escaped(64), wallMs: LONGEST, stack: cutStack(escaped(1_000_000)) },
  phasesMs: Object.fromEntries(['train', 'identify', 'correct', 'curve', 'evaluate', 'overrun'].map((phase) => [phase, LONGEST])),
});

/** Every message that a trial and its base make, of the largest rows there are. */
export function messagesOf(spec: TrialSpec) {
  const limits = { wallMs: COUNT, memoryMb: COUNT };
  const base = baseRow(spec.base);
  const ofBase: Job = { kind: 'base', id: base.id, spec: spec.base, limits };
  const ofTrial: Job = { kind: 'trial', id: trialId(spec), spec, base, limits };
  const boundless = { kind: 'bug', message: escaped(1_000_000) } as const;
  const trial = { id: ofTrial.id, base: base.id, spec, ok: true, result: largestResult(spec) } as const;
  return {
    jobs: [ofBase, ofTrial],
    base: { kind: 'base', row: base, provenance: provenance(base.id, 'base') },
    trial: { kind: 'trial', row: trial, provenance: provenance(trial.id, 'trial') },
    failures: [
      { kind: 'base', row: failureRow(ofBase, boundless), provenance: provenance(base.id, 'base') },
      { kind: 'trial', row: failureRow(ofTrial, boundless), provenance: provenance(trial.id, 'trial') },
    ],
  } as const;
}
