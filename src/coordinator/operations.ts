import { environment } from '../contract/environments.ts';
import { EVALUATION_EPISODES } from '../contract/evaluate.ts';
import type { PpoOptions } from '../contract/ppo.ts';
import type { BaseSpec, TrialSpec } from '../contract/spec.ts';
import { strategyPreset } from '../contract/strategies.ts';
import { EPISODES } from './rates.ts';

/**
 * What a job does, counted: so many steps of its world, rows through its network, gradient steps. `rates.ts` has what one of each takes.
 *   world <id>  a step of a world      act  an action that is chosen      record  a step that is kept, labelled by the constraint
 *   call, row, mac          a forward call, a row in it, a multiply-add   score   a state whose π(T|s) or distance to the base is asked
 *   learnRow, learnMac      the same with the loss and its gradient       norm    a pair whose gradient's norm is asked
 *   update, weight          a gradient step, a weight that it moves       draw    a row of a correction's batch, with its losses
 *   invert, pair            a step of an inverted state, a similarity     job     what every job costs
 */
export type Operations = ReadonlyMap<string, number>;

/** Parts of a job whose times provenance tells apart; `main` is what training, correcting and its over-run take. */
export const PARTS = ['main', 'identify', 'curve', 'evaluate'] as const;
export type Part = (typeof PARTS)[number];
export type Work = Readonly<Record<Part, Operations>>;

/** Which part the time of a phase belongs to. */
export const partOf = (phase: string): Part | null =>
  phase === 'train' || phase === 'correct' || phase === 'overrun' ? 'main' : (PARTS.find((part) => part === phase) ?? null);

class Counter {
  readonly counts = new Map<string, number>();
  add(operation: string, n: number): this {
    if (n > 0) this.counts.set(operation, (this.counts.get(operation) ?? 0) + n);
    return this;
  }
}

/** Multiply-adds of a row, and weights. */
function networkOf({ environment: id, ppo }: BaseSpec): { readonly macs: number; readonly weights: number } {
  const { observation, actions } = environment(id);
  let [macs, weights, inputs] = [0, 0, observation.length];
  for (const width of ppo.hidden) {
    macs += inputs * width;
    weights += (inputs + 1) * width;
    inputs = width;
  }
  const towers = ppo.separate ? 2 : 1;
  const heads = actions.length + 1;
  return { macs: towers * macs + inputs * heads, weights: towers * weights + (inputs + 1) * heads };
}

type Mode = 'greedy' | 'sampled' | 'random';

/** Steps of an episode: the mean, and the longest of a hundred. Of a policy that was trained for a short time as of a random one, then as of the measured ones. */
function episodeSteps({ environment: id, ppo }: BaseSpec, mode: Mode): { readonly mean: number; readonly longest: number } {
  const known = EPISODES[id];
  if (!known) return { mean: environment(id).maxSteps / 2, longest: environment(id).maxSteps };
  const trained = Math.min(1, (4 * ppo.totalTimesteps) / known.timesteps);
  const between = (of: 'mean' | 'longest'): number => known.random[of] + trained * (known[mode][of] - known.random[of]);
  return { mean: between('mean'), longest: between('longest') };
}

function train(to: Counter, spec: BaseSpec, totalTimesteps = spec.ppo.totalTimesteps): void {
  const { numEnvs, numSteps, numMinibatches, updateEpochs }: PpoOptions = spec.ppo;
  const { macs, weights } = networkOf(spec);
  const iterations = Math.ceil(totalTimesteps / (numEnvs * numSteps));
  const steps = iterations * numEnvs * numSteps;
  const updates = iterations * updateEpochs * numMinibatches;
  to.add(`world ${spec.environment}`, steps).add('act', steps);
  forward(to, spec, steps, iterations * numSteps);
  to.add('learnRow', steps * updateEpochs).add('learnMac', steps * updateEpochs * macs);
  to.add('update', updates).add('weight', updates * weights);
}

/** Episodes played together: all worlds step until the last of them has ended. */
function play(to: Counter, spec: BaseSpec, episodes: number, mode: Mode): void {
  const { mean, longest } = episodeSteps(spec, mode);
  to.add(`world ${spec.environment}`, episodes * longest);
  if (mode === 'random') return;
  to.add('act', episodes * mean);
  forward(to, spec, episodes * longest, longest);
}

function forward(to: Counter, spec: BaseSpec, rows: number, calls = rows / 1024): void {
  to.add('call', calls)
    .add('row', rows)
    .add('mac', rows * networkOf(spec).macs);
}

/** A number that the strategy reads; 0 where it reads none of that name. */
const numberOf = (options: TrialSpec['correct'], key: string): number => {
  const value = options[key];
  return typeof value === 'number' ? value : 0;
};

/** Rounds of unlearning and stabilising: correction/correct.ts, and what it calls. */
function descend(to: Counter, { base, correct }: TrialSpec, rounds: number): void {
  const { macs, weights } = networkOf(base);
  const of = (key: string): number => numberOf(correct, key);
  const rows = of('forgetBatch') + of('retainBatch');
  const updates = (correct['alternate'] === true ? 2 : 1) + (correct['weighting'] === 'proj' ? 1 : 0);
  to.add('draw', rounds * rows).add('learnMac', rounds * rows * macs);
  to.add('update', rounds * updates).add('weight', rounds * updates * weights);
  if (of('worstCase') > 0) {
    to.add('score', rounds * of('regionSamples'));
    forward(to, base, rounds * of('regionSamples'), rounds);
  }
  if (of('inverted') > 0) {
    const ascents = Math.ceil(rounds / of('inversionEvery')) * of('inversionSteps');
    to.add('invert', ascents * of('inverted')).add('learnMac', ascents * of('inverted') * macs);
    if (of('inversionSpread') > 0) to.add('pair', ascents * of('inverted') ** 2);
  }
}

/** What of the recorded episodes validates a choice, or is held out: a fifth each, and at most so many states. */
const FIFTH = 0.2;
const MOST = { validation: 2048, heldOut: 8192 } as const;

/** The work of one job. Of another strategy or other parameters it is other counts of the same operations. */
export function workOf(spec: BaseSpec | TrialSpec): Work {
  const parts = { main: new Counter(), identify: new Counter(), curve: new Counter(), evaluate: new Counter() };
  const { main, identify, curve, evaluate } = parts;
  main.add('job', 1);
  const base = 'base' in spec ? spec.base : spec;
  play(evaluate, base, EVALUATION_EPISODES, 'greedy');
  play(evaluate, base, EVALUATION_EPISODES, 'sampled');
  if ('base' in spec) correction(spec);
  else {
    train(main, spec);
    play(evaluate, spec, EVALUATION_EPISODES, 'random');
  }
  return { main: main.counts, identify: identify.counts, curve: curve.counts, evaluate: evaluate.counts };

  function correction({ strategy, correct, evaluate: measured }: TrialSpec & { readonly strategy: string }): void {
    const { needs, masked } = strategyPreset(strategy);
    const steps = numberOf(correct, 'steps');
    const recorded = numberOf(correct, 'episodes') * episodeSteps(base, 'sampled').mean;
    const [validation, heldOut] = [MOST.validation, MOST.heldOut].map((most) => Math.min(most, FIFTH * recorded)) as [number, number];
    play(identify, base, numberOf(correct, 'episodes'), 'sampled');
    identify.add('record', recorded);
    evaluate.add('norm', recorded * (1 - 2 * FIFTH)).add('learnMac', recorded * (1 - 2 * FIFTH) * networkOf(base).macs);
    if (!masked) {
      evaluate.add('score', heldOut + measured.regionSamples);
      forward(evaluate, base, heldOut + measured.regionSamples);
    }
    const points = steps > 0 || (needs === 'environment' && !masked) ? measured.curvePoints : 1;
    if (!masked || needs !== 'environment') play(curve, base, points * measured.curveEpisodes, 'greedy');
    if (needs === 'environment') train(main, base, numberOf(correct, 'timesteps') || base.ppo.totalTimesteps);
    const chooses = correct['keep'] === 'best' || numberOf(correct, 'timesteps') > 0;
    if (chooses) {
      main.add('score', points * validation);
      forward(main, base, points * validation);
    }
    if (steps === 0) return;
    const most = Math.max(1, ...measured.overrun);
    descend(main, spec as TrialSpec, steps * most);
    if (most > 1) play(main, base, measured.overrun.length * measured.curveEpisodes, 'greedy');
    forward(main, base, 2 * numberOf(correct, 'retainStates'));
    if (correct['protect'] !== 'none') main.add('norm', 2 * numberOf(correct, 'retainStates'));
  }
}

/** What operations take, in ms, if one of each takes what `rates` says; an operation that has no rate costs nothing. */
export function total(operations: Operations, rates: Readonly<Record<string, number>>): number {
  let sum = 0;
  for (const [operation, n] of operations) sum += n * (rates[operation] ?? 0);
  return sum;
}
