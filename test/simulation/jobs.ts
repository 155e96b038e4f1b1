import { canonicalJson, contentDigest, type Json } from '../../src/contract/ids.ts';
import { type FileKind, failureRow, filesOf, type Job, type Row } from '../../src/contract/job.ts';
import type { TrialRow } from '../../src/contract/rows.ts';
import type { Planned } from '../../src/coordinator/schedule.ts';
import type { Finished } from '../../src/worker/executor/protocol.ts';
import { baseJob, evaluation, plan, policyOf, trainedRow, trialJob } from '../worker/fake/specs.ts';

export const CAP = 'cpu-simulated';
/** A worker that is not one of ours: what it sends is made up. */
export const LIAR = 'agent-9';

/** What every job of every history gives, made once: ids cost more than a history does. */
export const BASES = 4;
export const ARMS = 3;
/** It diverges, so its trials are refused. */
const BAD = BASES;

/** Base-major. The rows are what the closed schemas of messages ask. */
export const trials: readonly Planned[] = plan(
  BASES,
  ['none', 'tsf', 'retrain'].map((strategy) => [strategy, {}] as const),
  (seed) => (seed === BAD ? { do: 'nan' } : undefined),
);

const facts = { node: 'v20', engine: 'simulated', startedAt: '1970-01-01T00:00:00.000Z', wallMs: 1, phasesMs: {} };
const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

const trialRow = ({ id, baseId, spec }: Planned, policy: Uint8Array, forgetSet: Uint8Array): TrialRow => ({
  id,
  base: baseId,
  spec,
  ok: true,
  result: {
    acceptance: {
      accepted: true,
      reasons: [],
      greedyReturn: 480,
      gate: 475,
      toxicProbability: 0.5,
      violatingSteps: 500,
      violatingShare: 0.1,
      regionShare: 0.2,
    },
    influence: { printed: 0.5, unsaturated: 0.5, pairs: 500, kept: 500 },
    fe: 0.9,
    finalFe: 0.99,
    worstCase: 0.01,
    rsi: 1,
    rsiSampled: 1,
    retainKl: 0.01,
    retainValue: 0.01,
    forgetCurve: null,
    returnCurve: null,
    overrun: null,
    greedy: evaluation,
    sampled: evaluation,
    cost: {
      identify: { gradientSteps: 0, environmentSteps: 1, samples: 0 },
      correct: { gradientSteps: 1, environmentSteps: 0, samples: 1 },
    },
    checkpoint: 1,
    policy: contentDigest(policy),
    forgetSet: contentDigest(forgetSet),
    trace: [],
  },
});

const finished = new Map<string, Finished>();
/** The text of the row that an id must have in the end. */
export const expected = new Map<string, string>();

const add = (row: Row, files: Finished['files']): void => {
  finished.set(row.id, { row, files, facts });
  expected.set(row.id, canonicalJson(row));
};

for (const trial of trials) {
  const { id, baseId, spec } = trial;
  const { base } = spec;
  const bad = base.seed === BAD;
  const row = trainedRow(base);
  if (!finished.has(baseId)) {
    if (bad) add(failureRow(baseJob(base), { kind: 'diverged', message: 'NaN' }), []);
    else add(row, [['policies', policyOf(base)]]);
  }
  if (bad) expected.set(id, canonicalJson(failureRow(trialJob(spec, row), { kind: 'refused', message: `base ${baseId} diverged: NaN` })));
  else {
    const [policy, forgetSet] = [encode(`policy of ${id}`), encode(`forget set of ${id}`)];
    add(trialRow(trial, policy, forgetSet), [
      ['policies', policy],
      ['forget', forgetSet],
    ]);
  }
}

/** Computes: the same row whoever asks, and whenever. */
export function compute(job: Job): Finished {
  const found = finished.get(job.id);
  if (!found) throw new Error(`${job.id}: there is no such job`);
  return found;
}

/** Ids of all rows that are computed, whatever a sweep wants of them. */
export const computedIds: readonly string[] = [...finished.keys()];
/** A file of the wrong kind, under the digest of what it is. */
export const garbage = encode('neither a policy nor a forget set');

/** Whether a file is of the kind that its row says: as the worker's own judge, for what these jobs write. */
export function judgeFile(_row: Row, kind: FileKind, bytes: Uint8Array): void {
  const text = new TextDecoder().decode(bytes);
  if (!text.startsWith(kind === 'policies' ? 'policy of ' : 'forget set of ')) throw new RangeError(`${kind}: another file`);
}

/** The message of a result as a worker would send it, with `worker` for its maker; `policy`: of another policy than the true one. */
export function messageOf(id: string, worker: string, policy?: string): string {
  const { row } = finished.get(id)!;
  const kind = 'base' in row ? 'trial' : 'base';
  const said = policy === undefined || !row.ok ? row : { ...row, result: { ...row.result, policy } };
  const known = { id, kind, ok: row.ok, attempt: 1, worker, host: 'host', cpu: 'a cpu', numerics: 'n', ...facts };
  return canonicalJson({ kind, row: said, provenance: known } as unknown as Json);
}

/** Whether its row is computed, not written because its base failed. */
export const isComputed = (id: string): boolean => finished.has(id);

/** The files that the row of an id speaks of. */
export const filesFor = (id: string): ReturnType<typeof filesOf> => {
  const found = finished.get(id);
  return found ? filesOf(found.row) : [];
};
