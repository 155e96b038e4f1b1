import type { Cost } from '../../contract/rows.ts';
import type { CollectOptions } from '../../contract/strategies.ts';
import type { Actions } from '../../math/distribution.ts';
import { encodeTensors } from '../../math/safetensors.ts';
import { type Play, playEpisodes } from '../../ppo/episodes.ts';
import type { Constraint } from '../constraint.ts';
import { pick, type States } from '../states.ts';

/** Recorded pairs (s, a). Shapes: obs [count, obsDim], continuous actions [count, dimensions], the rest [count]. */
export interface ForgetSet extends States {
  readonly action: Actions;
  /** How often it is drawn, in proportion. */
  readonly weight: Float32Array;
  /** Provenance: the episode of the collection and the step in it. */
  readonly episode: Int32Array;
  readonly step: Int32Array;
}

/** Enough to rank 21 checkpoints; all of them would cost a fifth of the correction. */
const VALIDATION_STATES = 2048;

/** For the metrics; not the strategy's to choose. */
const HELD_OUT_STATES = 8192;

/** Recorded states apart from those used for correcting: of other episodes, so that they are nobody's neighbours. */
export interface Held {
  readonly region: States;
  readonly outside: States;
}

/** Phase 1: everything recorded of the base before it is corrected. */
export interface Identified {
  /** Pairs with a in T(s). */
  readonly forget: ForgetSet;
  /** Pairs of all kinds, thinned to as many: what a score of pairs is judged on, and what a control forgets. */
  readonly visited: ForgetSet;
  readonly retain: States;
  /** For choosing a checkpoint. */
  readonly validation: Held;
  /** For every metric, and for nothing else. */
  readonly heldOut: Held;
  readonly steps: number;
  readonly regionSteps: number;
  readonly violatingSteps: number;
  readonly cost: Cost;
}

/**
 * Plays the base with sampled actions and sorts what it met by the constraint: violating pairs, states outside S_f and its margin.
 * Split by episode: the first 60 % correct, the next 20 % validate, the last 20 % are held out.
 * Where there are more than the limits allow, every k-th is kept.
 */
export function identify(
  play: Omit<Play, 'mode' | 'visit'>,
  constraint: Constraint,
  maxSteps: number,
  options: CollectOptions,
): Identified {
  const { obsDim, toxic, outside, policy } = constraint;
  const { width } = policy;
  const episodes = play.streams.length;
  const obs = new Float32Array(episodes * maxSteps * obsDim);
  const actions = policy.room(episodes * maxSteps);
  const { lengths } = playEpisodes({
    ...play,
    mode: 'sampled',
    visit: (episode, step, from, action, first) => {
      const at = episode * maxSteps + step;
      for (let d = 0; d < obsDim; d++) obs[at * obsDim + d] = from[episode * obsDim + d]!;
      for (let d = 0; d < width; d++) actions[at * width + d] = action[first + d]!;
    },
  });

  const steps = lengths.reduce((sum, x) => sum + x, 0);
  let regionSteps = 0;
  let violatingSteps = 0;
  const found = [0, 1, 2].map(() => ({ all: [] as number[], region: [] as number[], outside: [] as number[], violating: [] as number[] }));
  for (let e = 0; e < episodes; e++) {
    const part = found[e < Math.floor(0.6 * episodes) ? 0 : e < Math.floor(0.8 * episodes) ? 1 : 2]!;
    for (let t = 0; t < lengths[e]!; t++) {
      const at = e * maxSteps + t;
      const forbidden = toxic(obs, at);
      part.all.push(at);
      if (forbidden !== 0) {
        regionSteps++;
        part.region.push(at);
        if (policy.contains(forbidden, actions, at * width)) {
          violatingSteps++;
          part.violating.push(at);
        }
      } else if (outside(obs, at)) part.outside.push(at);
    }
  }

  const states = (indices: number[]): States => ({ obs: pick(obs, obsDim, indices), count: indices.length });
  const held = (part: (typeof found)[number], limit: number): Held => ({
    region: states(thin(part.region, limit)),
    outside: states(thin(part.outside, limit)),
  });
  const pairs = (indices: number[]): ForgetSet => ({
    ...states(indices),
    action: pickActions(actions, width, indices),
    weight: new Float32Array(indices.length).fill(1),
    episode: Int32Array.from(indices, (at) => Math.floor(at / maxSteps)),
    step: Int32Array.from(indices, (at) => at % maxSteps),
  });
  return {
    forget: pairs(thin(found[0]!.violating, options.forgetPairs)),
    visited: pairs(thin(found[0]!.all, options.forgetPairs)),
    retain: states(thin(found[0]!.outside, options.retainStates)),
    validation: held(found[1]!, VALIDATION_STATES),
    heldOut: held(found[2]!, HELD_OUT_STATES),
    steps,
    regionSteps,
    violatingSteps,
    cost: { gradientSteps: 0, environmentSteps: steps, samples: 0 },
  };
}

/** Those whose index is in `indices`, of the same kind. */
export function pickActions(source: Actions, width: number, indices: readonly number[]): Actions {
  return source instanceof Int32Array ? Int32Array.from(indices, (at) => source[at]!) : pick(source, width, indices);
}

/** At most `limit` of `items`, evenly spread, in order. */
export function thin(items: readonly number[], limit: number): number[] {
  if (items.length <= limit) return [...items];
  return Array.from({ length: limit }, (_, i) => items[Math.floor((i * items.length) / limit)]!);
}

/** The forget set as a file: pairs, weights, provenance. */
export function encodeForgetSet({ obs, count, action, weight, episode, step }: ForgetSet): Uint8Array {
  return encodeTensors(
    {
      obs: { shape: [count, count > 0 ? obs.length / count : 0], data: obs },
      action: { shape: action instanceof Int32Array ? [count] : [count, count > 0 ? action.length / count : 0], data: action },
      weight: { shape: [count], data: weight },
      episode: { shape: [count], data: episode },
      step: { shape: [count], data: step },
    },
    { format: 'spc-forget-1' },
  );
}
