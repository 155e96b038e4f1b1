import { describe, expect, it } from 'vitest';
import { ENVIRONMENTS } from '../../src/contract/environments.ts';
import { makeEnv } from '../../src/envs/make.ts';
import { makeEngine } from '../../src/math/engines/index.ts';
import { Stream } from '../../src/math/rng/threefry.ts';
import { episodeStreams, evaluate, type Mode, moments, playEpisodes } from '../../src/ppo/episodes.ts';
import { initialParams } from '../../src/ppo/init.ts';

const options = ENVIRONMENTS['CartPole-v1']!.options.parse({});
const makeWorld = (n: number) => makeEnv('CartPole-v1', options, n);
const network = makeEngine('wasm').network({ obsDim: 4, hidden: [8], actions: 2, gaussian: false, separate: false }, 64);
network.set(initialParams(network.shape, { orthogonalInit: true }, new Stream(5, 6)));
const streams = (n: number) => episodeStreams('evaluate', {}, 3, n);

describe('playEpisodes(…)', () => {
  it.each<Mode>(['greedy', 'sampled', 'random'])('%s episodes do not depend on how many are played together', (mode) => {
    const together = playEpisodes({ makeWorld, network, mode, streams: streams(20) });
    const alone = streams(20).map((stream) => playEpisodes({ makeWorld, network, mode, streams: [stream] }));
    expect([...together.returns]).toEqual(alone.map(({ returns }) => returns[0]));
    expect([...together.lengths]).toEqual(alone.map(({ lengths }) => lengths[0]));
  });

  it('shows every step of every episode once, and no step after its end', () => {
    const seen = new Map<number, number[]>();
    const visit = (episode: number, step: number): void => void seen.set(episode, [...(seen.get(episode) ?? []), step]);
    const { lengths } = playEpisodes({ makeWorld, network, mode: 'sampled', streams: streams(10), visit });
    for (let e = 0; e < 10; e++) expect(seen.get(e)).toEqual(Array.from({ length: lengths[e]! }, (_, t) => t));
  });

  it('never takes a masked action, greedy or sampled', () => {
    for (const mode of ['greedy', 'sampled'] as const) {
      const taken = new Set<number>();
      playEpisodes({
        makeWorld,
        network,
        mode,
        streams: streams(5),
        mask: () => 0b10,
        visit: (_e, _t, _o, action, at) => void taken.add(action[at]!),
      });
      expect([...taken]).toEqual([0]);
    }
  });
});

describe('evaluate(…)', () => {
  const play = { makeWorld, network, mode: 'sampled' as const };

  it('counts toxic actions among the steps in which one was possible', () => {
    const always = evaluate({ ...play, streams: streams(10) }, () => 0b11);
    expect([always.toxicRate, always.occupancy]).toEqual([1, 1]);
    const never = evaluate({ ...play, streams: streams(10) }, () => 0);
    expect([never.toxicRate, never.occupancy]).toEqual([null, 0]);
    const without = evaluate({ ...play, streams: streams(10) });
    expect([without.toxicRate, without.occupancy]).toEqual([null, null]);
    expect(without.digest).toBe(always.digest);
  });

  it('finds about half of the actions of an untrained policy to be action 0', () => {
    const { toxicRate } = evaluate({ ...play, streams: streams(50) }, () => 0b01);
    expect(toxicRate).toBeGreaterThan(0.4);
    expect(toxicRate).toBeLessThan(0.6);
  });
});

describe('moments(…)', () => {
  it('divides the squares by n − 1', () => {
    expect(moments([1, 2, 3, 4])).toEqual({ mean: 2.5, std: Math.sqrt(5 / 3) });
    expect(moments([7])).toEqual({ mean: 7, std: 0 });
  });
});
