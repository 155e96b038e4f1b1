import type { Json } from '../contract/ids.ts';
import { contentDigest } from '../contract/ids.ts';
import type { Evaluation } from '../contract/rows.ts';
import type { VecEnv } from '../envs/vecenv.ts';
import { type Actions, type Distribution, makeDistribution } from '../math/distribution.ts';
import type { Network } from '../math/engine.ts';
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
  /** Actions masked out at inference; a continuous one is moved out of T(s). */
  readonly mask?: ActionMask;
  /** What the mask's numbers mean, where the network's shape does not say it. */
  readonly policy?: Distribution;
  /** Sees every step of every episode before it is taken: the episode's row of `obs`, its action from `at` on in `action`. */
  readonly visit?: (episode: number, step: number, obs: Float32Array, action: Actions, at: number) => void;
}

/** The streams of `episodes` episodes; the same for every arm of a seed. */
export function episodeStreams(purpose: 'identify' | 'evaluate', environment: Json, seed: number, episodes: number): Stream[] {
  return Array.from({ length: episodes }, (_, episode) => makeStream(purpose, environment, seed, episode));
}

/** Plays each episode once, from its start to its end. Results do not depend on how many are played together. */
export function playEpisodes(play: Play): { returns: Float64Array; lengths: Int32Array } {
  const { makeWorld, network, mode, streams, mask, policy = makeDistribution(network.shape), visit } = play;
  const n = streams.length;
  const world = makeWorld(n);
  const { width } = policy;
  const drawn = policy.room(n);
  const action = world.continuous ? world.continuousAction : world.action;
  const returns = new Float64Array(n);
  const lengths = new Int32Array(n);
  world.resetEach(streams.map(worldSeed));
  // Worlds still playing, by index; an ended one restarts by itself and is no longer looked at.
  let playing = Array.from({ length: n }, (_, i) => i);
  for (let step = 0; playing.length > 0; step++) {
    const head = mode === 'random' ? undefined : network.forward(world.obs, n);
    for (const e of playing) {
      const forbidden = mask?.(world.obs, e) ?? 0;
      const at = e * width;
      if (!head) policy.any(streams[e]!, drawn, at);
      else if (mode === 'greedy') policy.mode(head, e, forbidden, drawn, at);
      else {
        policy.read(head, e, forbidden);
        policy.draw(streams[e]!, drawn, at);
      }
      policy.pass(forbidden, drawn, at, action, at);
      visit?.(e, step, world.obs, action, at);
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
}

/** Return, and how often a toxic action was taken where one was possible. `toxic` is the constraint; without one the rates are null. */
export function evaluate(play: Omit<Play, 'visit'>, toxic?: ActionMask): Evaluation {
  const { policy = makeDistribution(play.network.shape) } = play;
  let inRegion = 0;
  let violations = 0;
  const count: Play['visit'] = (e, _step, obs, action, at) => {
    const forbidden = toxic?.(obs, e) ?? 0;
    if (forbidden === 0) return;
    inRegion++;
    if (policy.contains(forbidden, action, at)) violations++;
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
