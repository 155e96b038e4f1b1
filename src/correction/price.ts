/**
 * What a constraint costs whoever obeys it best, in a world of two dimensions: dynamic programming on a grid.
 *   V(s) = max over a allowed in s of r(s, a) + γ V(s') (nothing of s' where the step terminates),  γ = 0.9999 so that now is better than later
 * by sweeps in place, to and fro, until none moves it (or `maxSteps` of them), V between grid points bilinear. Its greedy policy then
 * plays real episodes, with T(s) forbidden and without, from the same starts: what it returns there is reached, not interpolated.
 * Source: Bellman, Dynamic Programming, 1957. The world itself is the model: every point is set, every action tried once.
 */
import { environment } from '../contract/environments.ts';
import type { Rule } from '../contract/scenarios.ts';
import { makeEnv } from '../envs/make.ts';
import type { VecEnv } from '../envs/vecenv.ts';
import type { Actions } from '../math/distribution.ts';
import { moments } from '../ppo/episodes.ts';
import { type Constraint, makeConstraint } from './constraint.ts';

export interface PriceOptions {
  /** Grid points per dimension. */
  readonly points: number;
  /** Values tried of a continuous action, from one bound to the other, beside those at the edges of what is forbidden. */
  readonly levels: number;
  /** Episodes played, from the world's own starts: seeds 0, 1, ... */
  readonly episodes: number;
}

export const PRICE_DEFAULTS: PriceOptions = { points: 201, levels: 21, episodes: 200 };

interface Moments {
  readonly mean: number;
  readonly std: number;
}

/** Returns and lengths: mean and sample standard deviation over episodes. */
export interface Price {
  readonly free: Moments;
  readonly obeying: Moments;
  /** Free minus obeying, episode by episode from the same start. */
  readonly price: Moments;
  readonly steps: { readonly free: number; readonly obeying: number };
}

/** Whether the price is to be had by dynamic programming: observations are the state, and there are two of them. */
export const isPlanar = (environmentId: string): boolean => environment(environmentId).observation.length === 2;

const GAMMA = 0.9999;
const TOLERANCE = 1e-3;

/** Throws RangeError for a world of more than two dimensions; RefusedError for rules that leave a state without an action. */
export function planarPrice(environmentId: string, options: Record<string, unknown>, rules: readonly Rule[], how = PRICE_DEFAULTS): Price {
  if (!isPlanar(environmentId)) throw new RangeError(`price: expected a world of two dimensions, got ${environmentId}`);
  const constraint = makeConstraint(environmentId, rules, 0);
  const make = (n: number): VecEnv => makeEnv(environmentId, options, n);
  const actions = choices(environmentId, constraint, how.levels);
  const model = tabulate(environmentId, make, actions, how.points);
  const play = (obeys: boolean) => {
    const forbidden = obeys ? constraint : null;
    const value = iterate(model, forbidden, make(1).maxSteps);
    return rollout(make, model, value, forbidden, how.episodes);
  };
  const [free, obeying] = [play(false), play(true)];
  const paid = free.returns.map((r, i) => r - obeying.returns[i]!);
  return {
    ...{ free: moments(free.returns), obeying: moments(obeying.returns), price: moments(paid) },
    steps: { free: moments(free.lengths).mean, obeying: moments(obeying.lengths).mean },
  };
}

/** The actions among which to choose: all discrete ones; of a continuous one a ladder, and the values beside what is forbidden. Shapes: [count, width]. */
function choices(environmentId: string, { policy }: Constraint, levels: number): { all: Actions; count: number } {
  const { actions, actionBounds } = environment(environmentId);
  if (actionBounds === null) return { all: Int32Array.from(actions, (_, a) => a), count: actions.length };
  if (policy.width !== 1) throw new RangeError(`price: expected one dimension of action, got ${policy.width}`);
  const { low, high } = actionBounds;
  const ladder = Float32Array.from({ length: levels }, (_, k) => low + (k * (high - low)) / (levels - 1));
  const edges = policy.halfSpaces.map((half, i) => {
    const edge = Float32Array.of(half.from);
    policy.pass(i + 1, edge, 0, edge, 0);
    return edge[0]!;
  });
  const all = Float32Array.from([...ladder, ...edges]);
  return { all, count: all.length };
}

/** Where every action leads from every grid point. Shapes: obs [cells, 2]; per transition [cells · count]: reward, corner (−1: terminated), fractions of the cell. */
interface Model {
  readonly points: number;
  readonly low: readonly number[];
  readonly step: readonly number[];
  readonly actions: { readonly all: Actions; readonly count: number };
  readonly obs: Float32Array;
  readonly reward: Float64Array;
  readonly corner: Int32Array;
  readonly along: Float32Array;
}

function tabulate(environmentId: string, make: (n: number) => VecEnv, actions: Model['actions'], points: number): Model {
  const { observation } = environment(environmentId);
  const low = observation.map((d) => d.low);
  const step = observation.map((d) => (d.high - d.low) / (points - 1));
  const cells = points * points;
  const { count } = actions;
  const model: Model = {
    ...{ points, low, step, actions },
    obs: new Float32Array(cells * 2),
    reward: new Float64Array(cells * count),
    corner: new Int32Array(cells * count),
    along: new Float32Array(cells * count * 2),
  };
  const world = make(cells);
  const handed = world.continuous ? world.continuousAction : world.action;
  world.reset(0);
  const at = (cell: number): [number, number] => [low[0]! + Math.floor(cell / points) * step[0]!, low[1]! + (cell % points) * step[1]!];
  for (let cell = 0; cell < cells; cell++) world.setState(cell, at(cell));
  model.obs.set(world.obs);
  for (let a = 0; a < count; a++) {
    for (let cell = 0; cell < cells; cell++) world.setState(cell, at(cell));
    handed.fill(actions.all[a]!);
    world.step();
    for (let cell = 0; cell < cells; cell++) {
      const t = cell * count + a;
      model.reward[t] = world.reward[cell]!;
      const next = world.ended[cell] ? world.finalObs : world.obs;
      model.corner[t] = world.terminated[cell] ? -1 : locate(model, next, cell * 2, model.along, t * 2);
    }
  }
  return model;
}

/** The cell of an observation, by its lower corner; where in it, from 0 to 1 in each dimension, goes into `along`. */
function locate({ points, low, step }: Model, obs: Float32Array, from: number, along: Float32Array, to: number): number {
  let corner = 0;
  for (let d = 0; d < 2; d++) {
    const x = Math.min(Math.max((obs[from + d]! - low[d]!) / step[d]!, 0), points - 1);
    const whole = Math.min(Math.floor(x), points - 2);
    along[to + d] = x - whole;
    corner = corner * points + whole;
  }
  return corner;
}

function interpolate(value: Float64Array, points: number, corner: number, along: Float32Array, at: number): number {
  const [x, y] = [along[at]!, along[at + 1]!];
  const near = (1 - y) * value[corner]! + y * value[corner + 1]!;
  const far = (1 - y) * value[corner + points]! + y * value[corner + points + 1]!;
  return (1 - x) * near + x * far;
}

/** V over the grid: the best that is allowed. */
function iterate(model: Model, forbidden: Constraint | null, horizon: number): Float64Array {
  const { points, actions, obs, reward, corner, along } = model;
  const { all, count } = actions;
  const cells = points * points;
  const allowed = new Uint8Array(cells * count).fill(1);
  if (forbidden) {
    for (let cell = 0; cell < cells; cell++) {
      const toxic = forbidden.toxic(obs, cell);
      for (let a = 0; a < count; a++) if (forbidden.policy.contains(toxic, all, a)) allowed[cell * count + a] = 0;
    }
  }
  const value = new Float64Array(cells);
  for (let k = 0; k < horizon; k++) {
    let moved = 0;
    for (let i = 0; i < cells; i++) {
      const cell = k % 2 === 0 ? i : cells - 1 - i;
      let best = -Infinity;
      for (let t = cell * count; t < (cell + 1) * count; t++) {
        if (allowed[t] === 0) continue;
        const q = reward[t]! + (corner[t]! < 0 ? 0 : GAMMA * interpolate(value, points, corner[t]!, along, 2 * t));
        if (q > best) best = q;
      }
      moved = Math.max(moved, Math.abs(best - value[cell]!));
      value[cell] = best;
    }
    if (moved < TOLERANCE) break;
  }
  return value;
}

/** Episodes in which every step is the best of a look at what each allowed action does. */
function rollout(make: (n: number) => VecEnv, model: Model, value: Float64Array, forbidden: Constraint | null, episodes: number) {
  const { points, actions } = model;
  const { all, count } = actions;
  const world = make(episodes);
  const trial = make(episodes * count);
  const [handed, tried] = [world, trial].map((w) => (w.continuous ? w.continuousAction : w.action));
  const state = new Float64Array(2);
  const along = new Float32Array(2);
  world.reset(0);
  trial.reset(0);
  const returns = new Float64Array(episodes);
  const lengths = new Int32Array(episodes); // 0: still playing
  for (let left = episodes; left > 0; ) {
    for (let e = 0; e < episodes; e++) {
      world.state(e, state);
      for (let a = 0; a < count; a++) {
        trial.setState(e * count + a, state);
        tried![e * count + a] = all[a]!;
      }
    }
    trial.step();
    for (let e = 0; e < episodes; e++) {
      const toxic = forbidden?.toxic(world.obs, e) ?? 0;
      let best = -Infinity;
      for (let a = 0; a < count; a++) {
        if (forbidden?.policy.contains(toxic, all, a)) continue;
        const t = e * count + a;
        const next = trial.ended[t] ? trial.finalObs : trial.obs;
        const q =
          trial.reward[t]! + (trial.terminated[t] ? 0 : GAMMA * interpolate(value, points, locate(model, next, 2 * t, along, 0), along, 0));
        if (q <= best) continue;
        best = q;
        handed![e] = all[a]!;
      }
    }
    world.step();
    for (let e = 0; e < episodes; e++) {
      if (!world.ended[e] || lengths[e] !== 0) continue;
      returns[e] = world.episodeReturn[e]!;
      lengths[e] = world.episodeLength[e]!;
      left--;
    }
  }
  return { returns, lengths };
}
