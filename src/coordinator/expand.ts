import { hash } from 'node:crypto';
import { ConfigError } from '../contract/errors.ts';
import { canonicalJson, digestId, type Json } from '../contract/ids.ts';
import { printProblem } from '../contract/problems.ts';
import { type AcceptanceRule, type BaseSpec, baseId, type EngineName, type TrialSpec, trialId } from '../contract/spec.ts';
import { strategyPreset } from '../contract/strategies.ts';
import type { Sweep } from '../contract/sweep.ts';
import { type Arm, resolveArms } from './arms.ts';

export interface PlannedTrial {
  readonly id: string;
  readonly baseId: string;
  readonly spec: TrialSpec;
  readonly scenario: string;
  readonly strategy: string;
  readonly overrides: Readonly<Record<string, Json>>;
  readonly arm: string;
  readonly seed: number;
  readonly correctionSeed: number;
}

export interface PlannedBase {
  readonly id: string;
  readonly spec: BaseSpec;
}

/** Stands for a seed in a text that is otherwise complete; no value of a sweep has such a letter. */
const SEED = '\u0000seed';
const CORRECTION_SEED = '\u0000correctionSeed';

/** Everything of an arm's trials but the seeds, and of their bases: arms that train alike share one. */
interface Row {
  readonly arm: Arm;
  readonly base: BaseKind;
  readonly correctionSeeds: readonly number[];
  /** The canonical JSON of a spec, cut where its seeds go: nothing else differs between the trials of an arm. */
  readonly text: readonly string[];
}
interface BaseKind {
  readonly arm: Arm;
  readonly text: readonly string[];
}

/** Canonical JSON of an object, its parts written once however many arms share them. */
function writer(): (value: unknown) => string {
  const known = new Map<object, string>();
  const part = (value: unknown): string => {
    if (typeof value !== 'object' || value === null) return canonicalJson(value);
    const text = known.get(value) ?? canonicalJson(value);
    known.set(value, text);
    return text;
  };
  return (value) => {
    const entries = Object.entries(value as object).toSorted(([a], [b]) => (a < b ? -1 : 1));
    return `{${entries.map(([key, inside]) => `${JSON.stringify(key)}:${part(inside)}`).join(',')}}`;
  };
}

const baseSpec = ({ environment, options, ppo, engine }: Arm, seed: number): BaseSpec => ({
  environment,
  options,
  ppo,
  seed,
  engine,
});
const trialSpec = ({ rules, strategy, correct, evaluate }: Arm, acceptance: AcceptanceRule, base: BaseSpec, seed: number): TrialSpec => ({
  base,
  rules,
  strategy,
  correct,
  evaluate,
  acceptance,
  correctionSeed: seed,
});

function rowsOf(arms: readonly Arm[], { acceptance, correctionSeeds }: Sweep): Row[] {
  const write = writer();
  const bases = new Map<string, BaseKind>();
  const [hole, correctionHole] = [SEED, CORRECTION_SEED] as unknown as [number, number];
  const cut = (text: string, ...holes: readonly string[]): readonly string[] =>
    holes.reduce<readonly string[]>((parts, at) => parts.flatMap((piece) => piece.split(JSON.stringify(at))), [text]);
  return arms.map((arm) => {
    const text = write(baseSpec(arm, hole));
    const base = bases.get(text) ?? { arm, text: cut(text, SEED) };
    bases.set(text, base);
    // What stands for the base is replaced by its text, so that this is written once, too.
    const whole = write(trialSpec(arm, acceptance, BASE, correctionHole)).replace(canonicalJson(BASE), () => text);
    return {
      arm,
      base,
      correctionSeeds: strategyPreset(arm.strategy).draws ? correctionSeeds : [0],
      text: cut(whole, SEED, CORRECTION_SEED),
    };
  });
}
const BASE = '\u0000base' as unknown as BaseSpec;

/** `shortId` of a text that is canonical JSON already, by the system's own SHA-256. */
const idOf = (canonical: string): string => digestId(Buffer.from(hash('sha256', canonical), 'hex'));

/**
 * All trials of a sweep, in the order in which they are to run: all arms at a seed before the next seed, within an arm its correction seeds.
 * A strategy that draws no random numbers stands once, at correction seed 0. Pure. Throws ConfigError for a grid that makes no sense.
 */
export function expand(sweep: Sweep): PlannedTrial[] {
  const { arms, problems } = resolveArms(sweep);
  if (problems.length > 0) throw new ConfigError(problems.map((problem) => printProblem(problem)).join('\n'));
  const rows = rowsOf(arms, sweep);
  const kinds = [...new Set(rows.map(({ base }) => base))];
  const trials: PlannedTrial[] = [];
  for (const seed of sweep.seeds) {
    const bases = new Map(kinds.map((kind) => [kind, { id: idOf(kind.text.join(String(seed))), spec: baseSpec(kind.arm, seed) }]));
    for (const { arm: resolved, base: kind, correctionSeeds, text } of rows) {
      const base = bases.get(kind) as PlannedBase;
      const { scenario, strategy, overrides, arm } = resolved;
      const [before, between, after] = text;
      for (const correctionSeed of correctionSeeds) {
        const id = idOf(`${before}${seed}${between}${correctionSeed}${after}`);
        const spec = trialSpec(resolved, sweep.acceptance, base.spec, correctionSeed);
        trials.push({ id, baseId: base.id, spec, scenario, strategy, overrides, arm, seed, correctionSeed });
      }
    }
  }
  checkIds(trials);
  return trials;
}

/** The ids above are a short cut: they must be those of the definition, and each stand once. */
function checkIds(trials: readonly PlannedTrial[]): void {
  const [first] = trials;
  if (first && (first.id !== trialId(first.spec) || first.baseId !== baseId(first.spec.base)))
    throw new Error(`expand: ${first.id} on ${first.baseId} are not the ids of their specs`);
  const ids = new Set(trials.map(({ id }) => id));
  if (ids.size !== trials.length) throw new Error(`expand: ${trials.length} trials have ${ids.size} ids`);
}

/** Who computes the trials, each once, in the order in which they are needed. */
export const enginesOf = (trials: readonly { readonly spec: TrialSpec }[]): EngineName[] => [
  ...new Set(trials.map(({ spec }) => spec.base.engine)),
];

/** The policies that the trials correct, each once, in the order in which they are needed. */
export function basesOf(trials: readonly PlannedTrial[]): PlannedBase[] {
  const bases = new Map<string, PlannedBase>();
  for (const { baseId: id, spec } of trials) if (!bases.has(id)) bases.set(id, { id, spec: spec.base });
  return [...bases.values()];
}
