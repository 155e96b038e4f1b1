import { canonicalJson, type Json } from '../contract/ids.ts';
import { baseId, type EngineName, type TrialSpec, trialId } from '../contract/spec.ts';
import type { Sweep } from '../contract/sweep.ts';
import { expand, type PlannedTrial } from '../coordinator/expand.ts';

/** A trial that was asked for: all that the tables need of the plan. */
export interface Asked {
  readonly scenario: string;
  readonly strategy: string;
  readonly overrides: Readonly<Record<string, Json>>;
  readonly arm: string;
  readonly engine: EngineName;
  readonly seed: number;
  readonly correctionSeed: number;
  /** Its spec without the seed: the two together tell which row is its row. */
  readonly template: string;
  readonly id: string;
  readonly baseId: string;
  readonly spec: TrialSpec;
}

/** The canonical text of a spec at seed 0. */
export const templateOf = (spec: TrialSpec): string => canonicalJson({ ...spec, base: { ...spec.base, seed: 0 } });

/** Its ids are computed when somebody wants them: digests of ten thousand trials take longer than reading their rows. */
class LazyTrial implements Asked {
  readonly seed: number;
  readonly template: string;
  readonly #first: PlannedTrial;

  constructor(first: PlannedTrial, template: string, seed: number) {
    this.#first = first;
    this.template = template;
    this.seed = seed;
  }

  get scenario(): string {
    return this.#first.scenario;
  }
  get strategy(): string {
    return this.#first.strategy;
  }
  get overrides(): Asked['overrides'] {
    return this.#first.overrides;
  }
  get arm(): string {
    return this.#first.arm;
  }
  get engine(): EngineName {
    return this.#first.spec.base.engine;
  }
  get correctionSeed(): number {
    return this.#first.correctionSeed;
  }
  get spec(): TrialSpec {
    const { spec } = this.#first;
    return { ...spec, base: { ...spec.base, seed: this.seed } };
  }
  get id(): string {
    return trialId(this.spec);
  }
  get baseId(): string {
    return baseId(this.spec.base);
  }
}

/** The trials of `expand(sweep)`, in its order: seed after seed the same ones, so that one seed is expanded. */
export function askedOf(sweep: Sweep): Asked[] {
  const first = expand({ ...sweep, seeds: sweep.seeds.slice(0, 1) }).map((trial) => ({ trial, template: templateOf(trial.spec) }));
  return sweep.seeds.flatMap((seed) => first.map(({ trial, template }) => new LazyTrial(trial, template, seed)));
}
