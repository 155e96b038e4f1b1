import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { environment } from '../../src/contract/environments.ts';
import { makeEnv } from '../../src/envs/make.ts';
import type { RunOptions, VecEnv } from '../../src/envs/vecenv.ts';
import { heuristic } from './heuristic.ts';

interface Golden {
  environment: string;
  options: { enable_wind?: boolean };
  episodes: { seed: number; obs: number[][]; act: (number | number[])[]; rew: number[]; term: boolean[]; trunc: boolean[] }[];
}

function golden(name: string): Golden {
  return JSON.parse(gunzipSync(readFileSync(new URL(`../golden/${name}.json.gz`, import.meta.url))).toString());
}

/** As a run does it: the contract resolves the options, `makeEnv` takes them. */
function lander(options: Record<string, unknown> = {}, n = 1, id = 'LunarLander-v3', run: RunOptions = {}): VecEnv {
  return makeEnv(id, environment(id).options.parse(options), n, run);
}

function stepWith(env: VecEnv, action: number | number[]): void {
  if (typeof action === 'number') env.action.fill(action);
  else env.continuousAction.set(action);
  env.step();
}

describe('the recorded episodes', () => {
  it.each([
    ['lunarlander', 24, 4335],
    ['lunarlander-continuous', 12, 1974],
    ['lunarlander-wind', 8, 1033],
  ])('%s: reset(seed) and step() give Gymnasium’s float32 observations, float64 rewards and flags', (name, count, total) => {
    const { environment: id, options, episodes } = golden(name);
    expect(episodes).toHaveLength(count);
    const env = lander({ enableWind: options.enable_wind ?? false }, 1, id);
    let steps = 0;
    for (const { seed, obs, act, rew, term, trunc } of episodes) {
      env.reset(seed);
      expect([...env.obs], `seed ${seed}`).toEqual(obs[0]);
      act.forEach((action, t) => {
        stepWith(env, action);
        const ended = term[t] || trunc[t];
        const seen = [...(ended ? env.finalObs : env.obs), env.reward[0], env.terminated[0], env.truncated[0], env.ended[0]];
        const recorded = [...obs[t + 1]!, rew[t], Number(term[t]), Number(trunc[t]), Number(ended)];
        expect(seen, `seed ${seed}, step ${t + 1}`).toEqual(recorded);
        steps++;
      });
      expect([env.ended[0], env.episodeLength[0], env.episodeReturn[0]]).toEqual([1, act.length, rew.reduce((a, b) => a + b)]);
    }
    expect(steps).toBe(total);
  });
});

describe('anchors', () => {
  it.each([
    ['nothing', 0, 52, -119.05959591305864],
    ['nothing', 1, 81, -152.42199768689855],
    ['nothing', 42, 83, -137.26541856047677],
    ['heuristic', 0, 152, 297.35305860799826],
    ['heuristic', 1, 205, 260.9438325461483],
    ['heuristic', 2, 200, 254.62466577894168],
    ['heuristic', 42, 235, 255.99242940923276],
  ] as const)('step() with the pilot %s from seed %i ends at %i with return %f', (pilot, seed, length, sum) => {
    const env = lander();
    env.reset(seed);
    while (env.ended[0] === 0) stepWith(env, pilot === 'nothing' ? 0 : heuristic(env.obs));
    expect([env.episodeLength[0], env.episodeReturn[0]]).toEqual([length, sum]);
  });
});
