import type { Json } from '../contract/ids.ts';
import { contentDigest } from '../contract/ids.ts';
import type { Evaluation } from '../contract/rows.ts';
import type { VecEnv } from '../envs/vecenv.ts';
import { greedyAction, logSoftmax, sampleAction } from '../math/categorical.ts';
import type { Head, Network } from '../math/engine.ts';
import { makeStream, worldSeed } from '../math/rng/streams.ts';
import type { Stream } from '../math/rng/threefry.ts';
import type { ActionMask } from './train.ts';

/** How an action is chosen from a head: the most probable, drawn from π, or uniform whatever π says. */
export type Mode = 'greedy' | 'sampled' | 'random';

export interface Play {
  /** One world per episode, of this length. */
  readonly makeWorld: (n: number) => VecEnv;
  readonly network: Network;
  readonly mode: Mode;
  /** Episode i: its first word seeds the world, the following ones draw its actions. */
  readonly streams: readonly Stream[];
  /** Actions masked out at inference. */
  readonly mask?: ActionMask;
  /** Sees every step of every episode before it is taken. */
  readonly visit?: (episode: number, step: number, obs: Float32Array, action: number) => void;
}

/** The streams of `episodes` episodes; the same for every arm of a seed. */
export function episodeStreams(purpose: 'identify' | 'evaluate', environment: Json, seed: number, episodes: number): Stream[] {
  return Array.from({ length: episodes }, (_, episode) => makeStream(purpose, environment, seed, episode));
}

/** Plays each episode once, from its start to its end. Results do not depend on how many are played together. */
export function playEpisodes({ makeWorld, network, mode, streams, mask, visit }: Play): { returns: Float64Array; lengths: Int32Array } {
  const n = streams.length;
  const world = makeWorld(n);
  const { actions } = world;
  const returns = new Float64Array(n);
  const lengths = new Int32Array(n);
  const row = new Float64Array(actions);
  world.resetEach(streams.map(worldSeed));
  // Worlds still playing, by index; an ended one restarts by itself and is no longer looked at.
  let playing = Array.from({ length: n }, (_, i) => i);
  for (let step = 0; playing.length > 0; step++) {
    const head = mode === 'random' ? undefined : network.forward(world.obs, n);
    for (const e of playing) {
      const forbidden = mask?.(world.obs, e) ?? 0;
      const action = choose(head, e, actions, forbidden, streams[e]!, row);
      world.action[e] = action;
      visit?.(e, step, world.obs, action);
    }
    world.step();
    playing = playing.filter((e) => {
      if (world.ended[e]) {
        returns[e] = world.episodeReturn[e]!;
        lengths[e] = world.episodeLength[e]!;
      }
      return !world.ended[e];
    });
  }
  return { returns, lengths };

  function choose(head: Head | undefined, e: number, count: number, forbidden: number, stream: Stream, logProb: Float64Array): number {
    if (!head) return stream.int(count);
    if (mode === 'greedy') return greedyAction(head.logits, e * head.stride, count, forbidden);
    logSoftmax(head.logits, e * head.stride, count, forbidden, logProb);
    return sampleAction(logProb, count, stream.uniform());
  }
}

/** Return, and how often a toxic action was taken where one was possible. `toxic` is the constraint; without one the rates are null. */
export function evaluate(play: Omit<Play, 'visit'>, toxic?: ActionMask): Evaluation {
  let inRegion = 0;
  let violations = 0;
  const count = (e: number, _step: number, obs: Float32Array, action: number): void => {
    const forbidden = toxic?.(obs, e) ?? 0;
    if (forbidden === 0) return;
    inRegion++;
    violations += (forbidden >>> action) & 1;
  };
  const { returns, lengths } = playEpisodes({ ...play, visit: count });
  const steps = lengths.reduce((sum, x) => sum + x, 0);
  const { mean, std } = moments(returns);
  return {
    episodes: returns.length,
    steps,
    meanReturn: mean,
    stdReturn: std,
    toxicRate: inRegion > 0 ? violations / inRegion : null,
    occupancy: toxic ? inRegion / steps : null,
    digest: contentDigest(new Uint8Array([...new Uint8Array(returns.buffer), ...new Uint8Array(lengths.buffer)])),
  };
}

/** Mean and sample standard deviation ÷(n−1), 0 for a single number; summed in order. */
export function moments(x: ArrayLike<number>): { mean: number; std: number } {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += x[i]!;
  const mean = sum / x.length;
  let squares = 0;
  for (let i = 0; i < x.length; i++) squares += (x[i]! - mean) * (x[i]! - mean);
  return { mean, std: x.length > 1 ? Math.sqrt(squares / (x.length - 1)) : 0 };
}
