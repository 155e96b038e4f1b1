import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { expect } from 'vitest';
import type { VecEnv } from '../../src/envs/vecenv.ts';

/** An episode of a golden file; test/golden/README.md has the fields. */
export interface RecordedEpisode {
  seed: number;
  obs: number[][];
  act: (number | number[])[];
  rew: number[];
  term: boolean[];
  trunc: boolean[];
  /** Of every frame, in float64; CartPole alone has it. */
  state?: number[][];
}

export interface Recording {
  readonly environment: string;
  readonly options: { readonly enable_wind?: boolean };
  readonly episodes: readonly RecordedEpisode[];
}

/** test/golden/<name>.json.gz. */
export function recording(name: string): Recording {
  const packed = readFileSync(new URL(`../golden/${name}.json.gz`, import.meta.url));
  return JSON.parse(gunzipSync(packed).toString());
}

/** Expects that a world, a single one, plays every episode as it was recorded, to the bit. Returns the number of steps. */
export function expectReplays(env: VecEnv, episodes: readonly RecordedEpisode[]): number {
  let steps = 0;
  for (const { seed, obs, act, rew, term, trunc } of episodes) {
    env.reset(seed);
    expect([...env.obs], `seed ${seed}`).toEqual(obs[0]);
    act.forEach((action, t) => {
      if (typeof action === 'number') env.action.fill(action);
      else env.continuousAction.set(action);
      env.step();
      const ended = term[t] || trunc[t];
      const seen = [...(ended ? env.finalObs : env.obs), env.reward[0], env.terminated[0], env.truncated[0], env.ended[0]];
      const expected = [...obs[t + 1]!, rew[t], Number(term[t]), Number(trunc[t]), Number(ended)];
      expect(seen, `seed ${seed}, step ${t + 1}`).toEqual(expected);
      steps++;
    });
    expect([env.ended[0], env.episodeLength[0], env.episodeReturn[0]]).toEqual([1, act.length, rew.reduce((a, b) => a + b)]);
  }
  return steps;
}
