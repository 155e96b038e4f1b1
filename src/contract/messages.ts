import { z } from 'zod';
import './wording.ts';
import { environment } from './environments.ts';
import { EVALUATION_EPISODES, evaluateSchema } from './evaluate.ts';
import { canonicalJson, type Json } from './ids.ts';
import type { Job, JobResult } from './job.ts';
import { ppoSchema, resolvePpo } from './ppo.ts';
import { ACCEPTANCE_RULES, baseId, compileRules, ENGINE_NAMES, trialId } from './spec.ts';

/**
 * What arrives from another process is judged before anything is done with it: closed shapes, nothing deep, and ids that are the digest
 * of the spec beside them. Whether options make sense is judged where they are used, as in a file of one's own.
 */

const DEPTH = 24;
const text = z.string().max(65_536);
const name = z.string().max(64);
const id = z.string().regex(/^[a-z2-7]{16}$/);
const digest = z.string().regex(/^[0-9a-f]{64}$/);
const number = z.number();
const count = z.int().min(0);
const share = number.nullable();
const seed = z.int().min(0);
const options = z.record(name, z.json());
/** The last that was found to be so: most messages of a sweep have the same, and judging it was 30 % of reading a job. */
let lastResolved = '';
function isResolved(ppo: unknown): boolean {
  const text = JSON.stringify(ppo) ?? '';
  if (text === lastResolved && text !== '') return true;
  const parsed = ppoSchema.safeParse(ppo);
  if (!parsed.success || canonicalJson(resolvePpo(parsed.data)) !== canonicalJson(ppo as Json)) return false;
  lastResolved = text;
  return true;
}

const interval = z.tuple([number.nullable(), number.nullable()]);

const baseSpec = z.strictObject({
  environment: name.refine(isEnvironment, 'must be an environment'),
  options,
  ppo: z.unknown().refine(isResolved, 'must be resolved options of PPO'),
  seed,
  engine: z.enum(ENGINE_NAMES),
});

const trialSpec = z
  .strictObject({
    base: baseSpec,
    rules: z
      .array(z.strictObject({ where: z.record(name, interval), forbid: z.array(z.union([name, z.record(name, interval)])) }))
      .max(256),
    strategy: name,
    correct: options,
    evaluate: evaluateSchema,
    acceptance: z.enum(ACCEPTANCE_RULES),
    correctionSeed: seed,
  })
  .refine(({ base, rules }) => does(() => compileRules(base.environment, rules)), 'must have rules of its environment');

const curve = z
  .strictObject({ step: z.array(count).max(4096), value: z.array(share).max(4096) })
  .refine(({ step, value }) => step.length === value.length, 'must have as many values as steps');

const trace = z.array(name).max(4096);

const evaluation = z.strictObject({
  episodes: z.int().min(1).max(EVALUATION_EPISODES),
  steps: count,
  meanReturn: number,
  stdReturn: number,
  toxicRate: share,
  occupancy: share,
  digest: name,
});

const baseResult = z.strictObject({
  policy: digest,
  environmentSteps: count,
  gradientSteps: count,
  returns: curve,
  trace,
  greedy: evaluation,
  sampled: evaluation,
  random: evaluation,
});

const cost = z.strictObject({ gradientSteps: count, environmentSteps: count, samples: count });

const trialResult = z.strictObject({
  acceptance: z.strictObject({
    accepted: z.boolean(),
    reasons: z.array(text).max(64),
    greedyReturn: number,
    gate: number,
    toxicProbability: share,
    violatingSteps: count,
    violatingShare: number,
    regionShare: number,
  }),
  influence: z.strictObject({ printed: share, unsaturated: share, pairs: count, kept: count }),
  fe: share,
  finalFe: share,
  worstCase: share,
  rsi: number,
  rsiSampled: number,
  retainKl: share,
  retainValue: share,
  forgetCurve: curve.nullable(),
  returnCurve: curve.nullable(),
  overrun: z
    .strictObject({ multiple: z.array(count).max(64), finalFe: z.array(share).max(64), meanReturn: z.array(share).max(64) })
    .nullable(),
  greedy: evaluation,
  sampled: evaluation,
  cost: z.strictObject({ identify: cost, correct: cost }),
  checkpoint: count,
  policy: digest,
  forgetSet: digest,
  trace,
});

const failure = z.strictObject({ kind: z.enum(['diverged', 'refused', 'bug', 'crashed', 'limit']), message: text });
const notOk = z.literal(false);
const trainedRow = z.strictObject({ id, spec: baseSpec, ok: z.literal(true), result: baseResult });
const baseRow = z.discriminatedUnion('ok', [trainedRow, z.strictObject({ id, spec: baseSpec, ok: notOk, failure })]);
const trialRow = z.discriminatedUnion('ok', [
  z.strictObject({ id, base: id, spec: trialSpec, ok: z.literal(true), result: trialResult }),
  z.strictObject({ id, base: id, spec: trialSpec, ok: notOk, failure }),
]);

const positive = z.int().positive().nullable();
const limits = z.strictObject({ wallMs: positive, memoryMb: positive });

const job = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('base'), id, spec: baseSpec, limits }),
  z.strictObject({ kind: z.literal('trial'), id, spec: trialSpec, base: trainedRow, limits }),
]);

const provenance = z.strictObject({
  id,
  kind: z.enum(['base', 'trial']),
  ok: z.boolean(),
  attempt: count,
  worker: name.optional(),
  host: name,
  cpu: z.string().max(256),
  node: name,
  engine: name,
  numerics: name,
  startedAt: name,
  wallMs: number,
  phasesMs: z.record(name, number),
  basePolicy: digest.optional(),
  stack: text.optional(),
});

const result = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('base'), row: baseRow, provenance }),
  z.strictObject({ kind: z.literal('trial'), row: trialRow, provenance }),
]);

/** A job that arrived. Throws what is wrong with it. */
export function parseJob(message: string): Job {
  const parsed = parseMessage(job, message) as Job;
  if (parsed.kind === 'base') expectId(parsed.id, baseId(parsed.spec));
  else {
    expectId(parsed.id, trialId(parsed.spec));
    expectId(parsed.base.id, baseId(parsed.spec.base));
    if (JSON.stringify(parsed.base.spec) !== JSON.stringify(parsed.spec.base)) expectId(baseId(parsed.base.spec), parsed.base.id);
  }
  return parsed;
}

/** A result that arrived. Throws what is wrong with it. */
export function parseResult(message: string): JobResult {
  const parsed = parseMessage(result, message) as JobResult;
  const { row, provenance: facts } = parsed;
  expectId(facts.id, row.id);
  if ('base' in row) {
    expectId(row.id, trialId(row.spec));
    expectId(row.base, baseId(row.spec.base));
  } else {
    expectId(row.id, baseId(row.spec));
  }
  return parsed;
}

/** What was sent, not what the schema makes of it: its canonical text is what ids and comparisons are of. */
export function parseMessage(schema: z.ZodType, message: string): unknown {
  const value = JSON.parse(message) as Json;
  expectPlain(value, 0);
  const { success, error } = schema.safeParse(value);
  if (success) return value;
  const [issue] = error.issues;
  throw new Error(`${issue?.path.join('.') || 'message'}: ${issue?.message ?? 'invalid'}`);
}

function expectPlain(value: Json, depth: number): void {
  if (typeof value !== 'object' || value === null) return;
  if (depth === DEPTH) throw new Error(`message: expected at most ${DEPTH} levels`);
  if (Object.hasOwn(value, '__proto__')) throw new Error('message: __proto__ is no name');
  for (const inner of Object.values(value)) expectPlain(inner as Json, depth + 1);
}

function expectId(got: string, expected: string): void {
  if (got !== expected) throw new Error(`id: expected ${expected}, which is the digest of the spec beside it, got ${got}`);
}

function isEnvironment(candidate: string): boolean {
  return does(() => environment(candidate));
}

function does(work: () => unknown): boolean {
  try {
    work();
    return true;
  } catch {
    return false;
  }
}
