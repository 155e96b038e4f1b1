import { PART_BYTES } from '../../src/bus/nats/streams.ts';
import { canonicalJson, contentDigest, type Json } from '../../src/contract/ids.ts';
import { type FileKind, failureRow, filesOf, type Job, type Row, type TrainedRow } from '../../src/contract/job.ts';
import { ppoSchema } from '../../src/contract/ppo.ts';
import type { TrialRow } from '../../src/contract/rows.ts';
import { type BaseSpec, baseId, trialId } from '../../src/contract/spec.ts';
import type { Planned } from '../../src/coordinator/schedule.ts';
import { size } from '../../src/math/layout.ts';
import { encodeTensors, type TensorData } from '../../src/math/safetensors.ts';
import { encodePolicy } from '../../src/ppo/policy.ts';
import type { Finished } from '../../src/worker/executor/protocol.ts';
import { shapeOf } from '../../src/worker/jobs.ts';
import { judgeFile } from '../../src/worker/judge.ts';
import { baseJob, baseSpec, evaluation, trainedRow, trialJob, trialSpec } from '../worker/fake/specs.ts';

export const CAP = 'cpu-simulated';

/** What every job of every history gives, made once: ids cost more than a history does. */
export const BASES = 4;
export const ARMS = 3;
/** It diverges, so its trials are refused. */
const BAD = BASES;

/** Small networks: a file is read, digested and judged for each row. */
const ppo = ppoSchema.parse({ hidden: [1] });
const arms = ['none', 'tsf', 'retrain'];
/** Base-major. The rows are what the closed schemas of messages ask. */
const all: readonly Planned[] = Array.from({ length: BASES + 1 }, (_, i) => {
  const base = { ...baseSpec(i + 1, i + 1 === BAD ? { do: 'nan' } : undefined), ppo };
  return arms.map((strategy) => {
    const spec = trialSpec(base, strategy);
    return { id: trialId(spec), baseId: baseId(base), spec };
  });
}).flat();
export const trials = all.slice(0, BASES * ARMS);
/** No sweep ever asks for them. */
export const strangers = all.slice(BASES * ARMS).map(({ id }) => id);

const facts = { node: 'v20', engine: 'simulated', startedAt: '1970-01-01T00:00:00.000Z', wallMs: 1, phasesMs: {} };

/** A policy of the shape that such a spec trains, another one for each number. */
function policyFile(spec: BaseSpec, number: number): Uint8Array {
  const shape = shapeOf(spec);
  return encodePolicy({ shape, params: new Float32Array(size(shape)).fill(number) });
}

function forgetFile(number: number): Uint8Array {
  const one = (data: TensorData) => ({ shape: [1], data });
  const tensors = {
    obs: { shape: [1, 4], data: new Float32Array(4).fill(number) },
    action: one(new Int32Array(1)),
    weight: one(new Float32Array(1)),
    episode: one(new Int32Array(1)),
    step: one(new Int32Array(1)),
  };
  return encodeTensors(tensors, { format: 'spc-forget-1' });
}

const trainedOf = (spec: BaseSpec, policy: string): TrainedRow => {
  const row = trainedRow(spec);
  return { ...row, result: { ...row.result, policy } };
};

const trialRow = ({ id, baseId: base, spec }: Planned, policy: string, forgetSet: string): TrialRow => ({
  id,
  base,
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
    policy,
    forgetSet,
    trace: [],
  },
});

/** Of each id, trial or base, a trial that speaks of it. */
const plannedOf = new Map<string, Planned>(all.flatMap((trial) => [[trial.id, trial] as const, [trial.baseId, trial] as const]));

/** A row with its files, as it would be if all had gone well, another one for each number. */
function madeOf(id: string, number: number): Finished {
  const planned = plannedOf.get(id);
  if (!planned) throw new Error(`${id}: there is no such job`);
  const policy = policyFile(planned.spec.base, number);
  if (id === planned.baseId) return { row: trainedOf(planned.spec.base, contentDigest(policy)), files: [['policies', policy]], facts };
  const forget = forgetFile(number);
  const files: Finished['files'] = [
    ['policies', policy],
    ['forget', forget],
  ];
  return { row: trialRow(planned, contentDigest(policy), contentDigest(forget)), files, facts };
}

const finished = new Map<string, Finished>();
/** The text of the row that an id must have in the end. */
export const expected = new Map<string, string>();

const add = (made: Finished): void => {
  finished.set(made.row.id, made);
  expected.set(made.row.id, canonicalJson(made.row));
};

for (const { id, baseId: of, spec } of all) {
  const { base } = spec;
  const bad = base.seed === BAD;
  if (!finished.has(of))
    add(bad ? { row: failureRow(baseJob(base), { kind: 'diverged', message: 'NaN' }), files: [], facts } : madeOf(of, finished.size));
  const failure = { kind: 'refused', message: `base ${of} diverged: NaN` } as const;
  if (bad) expected.set(id, canonicalJson(failureRow(trialJob(spec, trainedRow(base)), failure)));
  else add(madeOf(id, finished.size));
}

/** The files that the row of an id speaks of. */
export const filesFor = (id: string): ReturnType<typeof filesOf> => {
  const found = finished.get(id);
  return found ? filesOf(found.row) : [];
};

/** Whether its row is computed, not written because its base failed. */
export const isComputed = (id: string): boolean => finished.has(id);
/** Ids of all rows that sweeps may want and that are computed. */
export const computedIds: readonly string[] = [...finished.keys()].filter((id) => !strangers.includes(id));

const others = new Map<string, Finished>();
/** Well made, and not true: one for each `why`. */
function other(id: string, why: string): Finished {
  const key = `${id} ${why}`;
  const known = others.get(key) ?? madeOf(id, 1_000 + others.size);
  others.set(key, known);
  return known;
}

const isPolicyOf = (base: string, policy: string): boolean => filesFor(base).some(([, digest]) => digest === policy);

/** Computes: the same row whoever asks, and whenever, and another one from another policy of its base. */
export function compute(job: Job): Finished {
  if (job.kind === 'trial' && !isPolicyOf(job.base.id, job.base.result.policy)) return other(job.id, job.base.result.policy);
  const found = finished.get(job.id);
  if (!found) throw new Error(`${job.id}: there is no such job`);
  return found;
}

/** What a forger makes of a job. */
export const forge = ({ id }: Job): Finished => other(id, 'forged');

/** What must stand in a message of an honest worker: of a trial it depends on the policy that it was given. */
export function trueTextOf(id: string, { basePolicy }: { readonly basePolicy?: string }): string | undefined {
  const base = plannedOf.get(id)?.baseId;
  const isTrue = base === id || base === undefined || basePolicy === undefined || isPolicyOf(base, basePolicy);
  return isTrue ? expected.get(id) : canonicalJson(other(id, basePolicy).row);
}

/** Its first part is whole, and there is no other. */
export const HALF = new Uint8Array(PART_BYTES);
/** Files that are no policy of our bases: no file of this kind, one of another shape, and one with a weight that is no number. */
export const garbage: readonly Uint8Array[] = [
  new TextEncoder().encode('neither a policy nor a forget set'),
  forgetFile(1),
  encodePolicy({ shape: { ...shapeOf((all[0] as Planned).spec.base), obsDim: 5 }, params: new Float32Array(1e5) }),
  policyFile((all[0] as Planned).spec.base, Number.NaN),
];

const texts = new Map<string, string>();
/** The message of a result as a worker may send it. `policy`: of another one than the true policy. */
export function messageOf(id: string, { worker, policy }: { readonly worker: string; readonly policy?: string }): string {
  const key = [id, worker, policy].join(' ');
  let text = texts.get(key);
  if (text !== undefined) return text;
  const row = finished.get(id)?.row ?? madeOf(id, 0).row;
  const kind = 'base' in row ? 'trial' : 'base';
  const good = row.ok ? row : madeOf(id, 0).row;
  const said = policy !== undefined && good.ok ? { ...good, result: { ...good.result, policy } } : row;
  const basePolicy = policy === undefined && 'base' in row ? { basePolicy: filesFor(row.base)[0]?.[1] } : {};
  const provenance = { id, kind, ok: said.ok, attempt: 1, worker, host: 'host', cpu: 'a cpu', numerics: 'n', ...basePolicy, ...facts };
  text = canonicalJson({ kind, row: said, provenance } as unknown as Json);
  texts.set(key, text);
  return text;
}

/** What was said of a file of that digest: it is judged once. */
const judged = new Map<string, RangeError | null>();

/** The worker's own judge; policies of all our bases have one shape. */
export function judge(row: Row, kind: FileKind, bytes: Uint8Array): void {
  const [, digest] = filesOf(row).find(([its]) => its === kind) ?? [];
  const key = `${kind} ${digest}`;
  if (!judged.has(key)) judged.set(key, judgementOf(row, kind, bytes));
  const why = judged.get(key);
  if (why) throw why;
}

function judgementOf(row: Row, kind: FileKind, bytes: Uint8Array): RangeError | null {
  try {
    judgeFile(row, kind, bytes);
    return null;
  } catch (error) {
    if (error instanceof RangeError) return error;
    throw error;
  }
}
