import { evaluateSchema } from '../../../src/contract/evaluate.ts';
import { contentDigest, type Json } from '../../../src/contract/ids.ts';
import { type Job, type Limits, type TrainedRow, unlimited } from '../../../src/contract/job.ts';
import { ppoSchema } from '../../../src/contract/ppo.ts';
import type { Provenance } from '../../../src/contract/rows.ts';
import { type BaseSpec, baseId, type TrialSpec, trialId } from '../../../src/contract/spec.ts';
import type { Planned } from '../../../src/coordinator/schedule.ts';

/** What the fake thread does before it answers; see jobs.mjs. */
export interface Deed {
  readonly do?:
    | 'nan'
    | 'refuse'
    | 'bug'
    | 'exit'
    | 'kill'
    | 'heap'
    | 'hang'
    | 'sulk'
    | 'wait'
    | 'buffers'
    | 'reportedBuffers'
    | 'wasm'
    | 'litter'
    | 'giant'
    | 'giantUntouched'
    | 'giantRefused'
    | 'giantNetwork'
    | 'giantNetworkRefused';
  readonly marker?: string;
  readonly spinMs?: number;
}

const plain = (deed: Deed): Readonly<Record<string, Json>> => JSON.parse(JSON.stringify(deed)) as Record<string, Json>;

export const baseSpec = (seed: number, deed?: Deed): BaseSpec => ({
  environment: 'CartPole-v1',
  options: deed ? { fake: plain(deed) } : {},
  ppo: ppoSchema.parse({}),
  seed,
  engine: 'wasm',
});

export const trialSpec = (base: BaseSpec, strategy = 'none', deed: Deed = {}): TrialSpec => ({
  base,
  rules: [{ where: { theta: [0.08, null] }, forbid: ['left'] }],
  strategy,
  correct: plain(deed),
  evaluate: evaluateSchema.parse({}),
  acceptance: 'report',
  correctionSeed: 0,
});

export const baseJob = (spec: BaseSpec, limits: Partial<Limits> = {}): Job => ({
  kind: 'base',
  id: baseId(spec),
  spec,
  limits: { ...unlimited, ...limits },
});

export const trialJob = (spec: TrialSpec, base: TrainedRow, limits: Partial<Limits> = {}): Job => ({
  kind: 'trial',
  id: trialId(spec),
  spec,
  base,
  limits: { ...unlimited, ...limits },
});

/** Seed-major: every arm of seed 1, then of seed 2. */
export function plan(
  seeds: number,
  arms: readonly (readonly [string, Deed])[],
  baseDeed: (seed: number) => Deed | undefined = () => undefined,
): Planned[] {
  return Array.from({ length: seeds }, (_, i) => {
    const base = baseSpec(i + 1, baseDeed(i + 1));
    return arms.map(([strategy, deed]) => {
      const spec = trialSpec(base, strategy, deed);
      return { id: trialId(spec), baseId: baseId(base), spec };
    });
  }).flat();
}

export const evaluation = { episodes: 100, steps: 50_000, meanReturn: 480, stdReturn: 1, toxicRate: null, occupancy: null, digest: 'd' };

/** The row of a base of which nothing was computed. */
export const trainedRow = (spec: BaseSpec): TrainedRow => ({
  id: baseId(spec),
  spec,
  ok: true,
  result: {
    policy: contentDigest(policyOf(spec)),
    environmentSteps: 1000,
    gradientSteps: 100,
    returns: { step: [500, 1000], value: [null, 40] },
    trace: ['a', 'b'],
    greedy: evaluation,
    sampled: evaluation,
    random: evaluation,
  },
});

/** The file that such a row speaks of. */
export const policyOf = (spec: BaseSpec): Uint8Array => new TextEncoder().encode(`policy of ${baseId(spec)}`);

export const provenanceOf = ({ id, kind }: Job): Provenance => ({
  id,
  kind,
  ok: false,
  attempt: 1,
  host: 'host',
  cpu: 'a cpu',
  node: 'v20',
  engine: 'fake-1',
  numerics: 'n',
  startedAt: new Date(0).toISOString(),
  wallMs: 1,
  phasesMs: {},
});
