import { evaluateSchema } from '../contract/evaluate.ts';
import { canonicalJson } from '../contract/ids.ts';
import { ppoSchema, resolvePpo } from '../contract/ppo.ts';
import { judge } from '../contract/problems.ts';
import { SCENARIOS } from '../contract/scenarios.ts';
import type { EngineName, TrialSpec } from '../contract/spec.ts';
import { STRATEGIES } from '../contract/strategies.ts';
import { short } from './arms.ts';
import { differences, fieldsOf } from './differences.ts';
import type { PlannedTrial } from './expand.ts';

/** What a trial is called: no row has it, because names are labels. */
export interface Named {
  readonly scenario: string;
  /** Scenario, strategy and every parameter in which it differs from the other arms: `cartpole/angle tsf correct.steps=500`. */
  readonly arm: string;
}

/** An arm with its engine: of a sweep with one engine its name is silent about it, and only the usual one goes without saying. */
export const wholeArm = (arm: string, engine: EngineName): string =>
  engine === 'wasm' || new RegExp(` engine=${engine}(?:[ ,]|$)`).test(arm) ? arm : `${arm} engine=${engine}`;

/** `4f3k2m7q...  cartpole/angle tsf correct.steps=500 seed 3/0`: enough to tell a row from its neighbours. */
export const labelOf = (trial: { readonly id: string; readonly arm: string; readonly spec: TrialSpec }): string =>
  `${trial.id}  ${wholeArm(trial.arm, trial.spec.base.engine)} ${seedsOf(trial.spec)}`;

const seedsOf = ({ base, correctionSeed }: TrialSpec): string => `seed ${base.seed}/${correctionSeed}`;

/**
 * The names of rows in a folder whose sweep asks for `planned`. A row that nobody asks for is called after the wanted arm of its scenario and
 * strategy, with every parameter in which it differs from that one; where there is none, with what differs from the defaults.
 */
export function namesOf(planned: readonly PlannedTrial[]): (id: string, spec: TrialSpec) => Named {
  const wanted = new Map(planned.map((trial) => [trial.id, trial]));
  const arms = [...new Map(planned.map((trial) => [trial.arm, trial])).values()];
  const scenarios = new Map([
    ...Object.entries(SCENARIOS).map(
      ([name, { environment, options, rules }]) => [canonicalJson([environment, options, rules]), name] as const,
    ),
    ...arms.map(({ spec, scenario }) => [placeOf(spec), scenario] as const),
  ]);
  const siblings = new Map(arms.toReversed().map((trial) => [`${placeOf(trial.spec)} ${trial.strategy}`, trial]));
  return (id, spec) => {
    const there = wanted.get(id);
    if (there) return { scenario: there.scenario, arm: there.arm };
    const place = placeOf(spec);
    const scenario = scenarios.get(place) ?? spec.base.environment;
    const sibling = siblings.get(`${place} ${spec.strategy}`);
    const names = new Set(Object.keys(sibling?.overrides ?? {}));
    for (const { field } of differences(sibling?.spec ?? usual(spec), spec)) if (!SEEDS.has(field)) names.add(field);
    const fields = fieldsOf(spec);
    const parameters = [...names].map((name) => `${name}=${short(fields.get(name) ?? null)}`);
    return { scenario, arm: [scenario, spec.strategy, ...parameters].join(' ') };
  };
}

/** What jobs are called: those of these that the plan has. */
export function jobNames(planned: readonly PlannedTrial[], ids: ReadonlySet<string>): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  if (ids.size === 0) return names;
  for (const trial of planned) {
    const { id, baseId, arm, spec } = trial;
    if (ids.has(id)) names.set(id, `${wholeArm(arm, spec.base.engine)} ${seedsOf(spec)}`);
    if (ids.has(baseId) && !names.has(baseId)) names.set(baseId, `${baseArm(trial)} seed ${spec.base.seed}`);
  }
  return names;
}

/** What a base is called among the bases of its sweep, without its seed: `cartpole/angle ppo.gamma=0.98`. */
export function baseArm({ scenario, overrides, spec }: Pick<PlannedTrial, 'scenario' | 'overrides' | 'spec'>): string {
  const own = Object.entries(overrides).filter(([name]) => name === 'engine' || name.startsWith('ppo.'));
  return wholeArm([scenario, ...own.map(([name, value]) => `${name}=${short(value)}`)].join(' '), spec.base.engine);
}

const SEEDS = new Set(['seed', 'correctionSeed']);
const placeOf = ({ base, rules }: TrialSpec): string => canonicalJson([base.environment, base.options, rules]);

/** The same trial with every parameter at its default. */
function usual(spec: TrialSpec): TrialSpec {
  const preset = Object.hasOwn(STRATEGIES, spec.strategy) ? STRATEGIES[spec.strategy] : undefined;
  const judged = preset && judge(preset.options, {});
  return {
    ...spec,
    base: { ...spec.base, ppo: resolvePpo(ppoSchema.parse({})), engine: 'wasm' },
    correct: judged?.ok ? (judged.value as TrialSpec['correct']) : {},
    evaluate: evaluateSchema.parse({}),
    acceptance: 'refuse',
  };
}
