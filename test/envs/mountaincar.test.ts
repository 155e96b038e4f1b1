import { describe, expect, it } from 'vitest';
import { environment } from '../../src/contract/environments.ts';
import { makeEnv } from '../../src/envs/make.ts';
import type { RunOptions, VecEnv } from '../../src/envs/vecenv.ts';
import { Pcg64 } from '../../src/math/rng/pcg64.ts';
import { Stream } from '../../src/math/rng/threefry.ts';
import { expectReplays, recording } from './recorded.ts';

const DISCRETE = 'MountainCar-v0';
const CONTINUOUS = 'MountainCarContinuous-v0';
const BOTH = [DISCRETE, CONTINUOUS] as const;

/** As a run does it: the contract resolves the options, `makeEnv` takes them. */
function car(id: string, options: Record<string, unknown> = {}, n = 1, run: RunOptions = {}): VecEnv {
  return makeEnv(id, environment(id).options.parse(options), n, run);
}

function stateOf(env: VecEnv, i = 0): number[] {
  const state = new Float64Array(2);
  env.state(i, state);
  return [...state];
}

function stepWith(env: VecEnv, action: number): void {
  (env.continuous ? env.continuousAction : env.action).fill(action);
  env.step();
}

/** Full speed ahead, or to the left. */
const [RIGHT, LEFT] = [(env: VecEnv) => (env.continuous ? 1 : 2), (env: VecEnv) => (env.continuous ? -1 : 0)];

describe.each([
  ['mountaincar', DISCRETE, 10],
  ['mountaincar-continuous', CONTINUOUS, 6],
])('the recorded episodes of %s', (name, id, count) => {
  const { episodes } = recording(name);

  it('reset(seed) and step() give Gymnasium’s float32 observations, rewards and flags, whole episodes long', () => {
    expect(episodes).toHaveLength(count);
    const steps = expectReplays(car(id), episodes);
    expect(steps).toBe(episodes.reduce((sum, e) => sum + e.act.length, 0));
  });

  it('step() leads from every recorded state to the next', () => {
    const env = car(id);
    for (const { seed, act, state = [] } of episodes) {
      env.reset(0);
      for (let t = 0; t + 1 < act.length; t++) {
        env.setState(0, state[t]!);
        expect(stateOf(env)).toEqual(state[t]);
        const action = act[t]!;
        stepWith(env, typeof action === 'number' ? action : action[0]!);
        const [position, velocity] = stateOf(env);
        // float64, and the recorder's cosine is not ours; float32 hides that.
        const off = id === DISCRETE ? 4.5e-16 : 0;
        expect(Math.abs(position! - state[t + 1]![0]!), `seed ${seed}, step ${t + 1}`).toBeLessThanOrEqual(off);
        expect(Math.abs(velocity! - state[t + 1]![1]!), `seed ${seed}, step ${t + 1}`).toBeLessThanOrEqual(off);
      }
    }
  });

  it('reset(seed) draws Gymnasium’s float64 initial states to the bit', () => {
    const env = car(id);
    for (const { seed, state } of episodes) {
      env.reset(seed);
      expect(stateOf(env)).toEqual(state![0]);
    }
  });
});

describe('anchors', () => {
  const play = (id: string, seed: number, push: number, pull: number): VecEnv => {
    const env = car(id);
    env.reset(seed);
    while (env.ended[0] === 0) stepWith(env, env.obs[1]! >= 0 ? push : pull);
    return env;
  };

  it.each([
    [0, 122],
    [42, 121],
  ])('MountainCar-v0, pumped from seed %i, takes %i steps', (seed, length) => {
    expect(play(DISCRETE, seed, 2, 0).episodeLength[0]).toBe(length);
  });

  it.each([
    [0, 123, 93.97300020527841, [0.47429391741752625, 0.049296312034130096]],
    [42, 121, 94.07100020194055, null],
  ])('MountainCarContinuous-v0, pumped with 0.7 from seed %i, takes %i steps and returns %f', (seed, length, total, final) => {
    const env = play(CONTINUOUS, seed, 0.7, -0.7);
    expect([env.episodeLength[0], env.episodeReturn[0]]).toEqual([length, total]);
    if (final) expect([...env.finalObs]).toEqual(final);
  });
});

describe.each(BOTH)('%s', (id) => {
  it('step() does not depend on the number of worlds beside', () => {
    const trace = (n: number): string[] => {
      const env = car(id, {}, n);
      env.reset(100);
      // World i's actions are words of its own stream, so that they are the same in every batch.
      const actions = Array.from({ length: n }, (_, i) => new Stream(i, 1));
      const seen = Array.from({ length: Math.min(n, 3) }, () => '');
      for (let t = 0; t < 2500; t++) {
        actions.forEach((stream, i) => {
          const pump = env.obs[2 * i + 1]! >= 0;
          if (env.continuous) env.continuousAction[i] = (pump ? 1 : -1) * (0.4 + stream.uniform());
          else env.action[i] = stream.int(10) === 0 ? stream.int(3) : pump ? 2 : 0;
        });
        env.step();
        seen.forEach((_, i) => {
          const row = (x: Float32Array) => x.subarray(2 * i, 2 * i + 2).join();
          seen[i] += `${row(env.obs)} ${env.reward[i]} ${env.ended[i]} ${env.ended[i] ? row(env.finalObs) : ''}\n`;
        });
      }
      return seen;
    };
    const [one, three, many] = [trace(1), trace(3), trace(64)];
    expect(three[0]).toBe(one[0]);
    expect(many).toEqual(three);
    expect(new Set(many).size).toBe(3);
  });

  it('step() truncates at maxSteps, and then may terminate in the same step', () => {
    const env = car(id, {}, 2);
    const last = { [DISCRETE]: 200, [CONTINUOUS]: 999 }[id];
    expect(env.maxSteps).toBe(last);
    env.reset(0);
    for (let t = 1; t < last; t++) {
      env.setState(0, [-0.5, 0]);
      stepWith(env, 1);
      expect([...env.ended]).toEqual([0, 0]);
      env.setState(1, [-0.5, 0]);
    }
    env.setState(0, [0.49, 0.05]);
    stepWith(env, 1);
    expect([...env.terminated, ...env.truncated, ...env.ended]).toEqual([1, 0, 1, 1, 1, 1]);
    expect([...env.episodeLength]).toEqual([last, last]);
    stepWith(env, 1);
    expect([...env.truncated, ...env.ended]).toEqual([0, 0, 0, 0]);
  });

  it('step() stops the car at the left wall, and keeps its velocity at the right end', () => {
    const env = car(id, { goalVelocity: 1 });
    env.reset(0);
    stepWith(env, LEFT(env)); // from here on the continuous world computes in float32
    env.setState(0, [-1.17, -0.06]);
    stepWith(env, LEFT(env));
    expect([...env.obs]).toEqual([Math.fround(-1.2), 0]);
    stepWith(env, RIGHT(env));
    expect(env.obs[0]).toBeGreaterThan(Math.fround(-1.2));
    env.setState(0, [0.58, 0.06]);
    stepWith(env, RIGHT(env));
    expect(env.obs[0]).toBe(Math.fround(0.6));
    expect(env.obs[1]).toBeGreaterThan(0.06);
    expect(env.ended[0]).toBe(0);
  });

  it('step() bounds the speed to ±0.07', () => {
    const env = car(id);
    // The slope pulls the same way: down to the right at -0.6, to the left at -0.45.
    for (const [position, velocity, action] of [
      [-0.6, 0.0699, RIGHT(env)],
      [-0.45, -0.0699, LEFT(env)],
    ] as const) {
      env.reset(0);
      env.setState(0, [position, velocity]);
      stepWith(env, action);
      expect(env.obs[1]).toBe(Math.fround(Math.sign(velocity) * 0.07));
    }
  });

  it('step() counts the goal from goalVelocity on', () => {
    const arrives = (goalVelocity: number, velocity: number): boolean => {
      const env = car(id, { goalVelocity });
      env.reset(0);
      env.setState(0, [0.49, velocity]);
      stepWith(env, RIGHT(env));
      return env.terminated[0] === 1;
    };
    expect([arrives(0, 0.03), arrives(0.02, 0.03), arrives(0.05, 0.03), arrives(0.05, 0.06)]).toEqual([true, true, false, true]);
  });

  it('reset(seed) draws the position within resetLow and resetHigh, and nothing else', () => {
    const env = car(id, { resetLow: -0.9, resetHigh: 0.3 });
    env.reset(11);
    expect(stateOf(env)).toEqual([new Pcg64(11).uniform(-0.9, 0.3), 0]);
    expect([...env.obs]).toEqual(stateOf(env).map(Math.fround));
    expect(() => car(id, { resetLow: 1 })).toThrow('must not exceed resetHigh');
  });

  it('step() shows the last observation in finalObs, and in obs the first of an episode drawn from the same generator', () => {
    const env = car(id, { resetLow: 0.4, resetHigh: 0.44 });
    env.reset(8);
    while (env.ended[0] === 0) {
      env.setState(0, [0.4, 0.069]);
      stepWith(env, RIGHT(env));
    }
    expect(env.finalObs[0]).toBeGreaterThan(0.45);
    const rng = new Pcg64(8);
    rng.random();
    expect(stateOf(env)).toEqual([rng.uniform(0.4, 0.44), 0]);
    expect([...env.obs]).toEqual(stateOf(env).map(Math.fround));
  });

  it('step() with autoreset: false leaves an ended world as it ended, and then refuses until it is reset', () => {
    const env = car(id, {}, 2, { autoreset: false });
    env.reset(8);
    env.setState(1, [0.49, 0.06]);
    stepWith(env, RIGHT(env));
    expect([...env.ended]).toEqual([0, 1]);
    expect([...env.obs.subarray(2)]).toEqual([...env.finalObs.subarray(2)]);
    expect(stateOf(env, 1).map(Math.fround)).toEqual([...env.finalObs.subarray(2)]);
    const before = stateOf(env);
    expect(() => env.step()).toThrow(new Error(`${id}.step: world 1 has ended; reset it first`));
    expect(stateOf(env)).toEqual(before);
    env.reset(8);
    stepWith(env, RIGHT(env));
    expect([...env.ended]).toEqual([0, 0]);
  });

  it('frame(i) is the position', () => {
    const env = car(id, {}, 2);
    env.reset(1);
    const frame = new Float32Array(env.frameSize);
    env.frame(1, frame);
    expect([...frame]).toEqual([env.obs[2]]);
    expect(env.sceneSize).toBe(0);
  });
});

describe('actions', () => {
  it('step() refuses a discrete action that is not there before any world moves', () => {
    const env = car(DISCRETE, {}, 3);
    env.reset(0);
    const before = [0, 1, 2].map((i) => stateOf(env, i));
    for (const action of [3, -1]) {
      env.action.set([0, 1, action]);
      expect(() => env.step()).toThrow(new RangeError(`MountainCar-v0.step: expected an action from 0 to 2, got ${action} in world 2`));
    }
    expect([0, 1, 2].map((i) => stateOf(env, i))).toEqual(before);
  });

  it('step() refuses NaN before any world moves', () => {
    const env = car(CONTINUOUS, {}, 3);
    env.reset(0);
    const before = [0, 1, 2].map((i) => stateOf(env, i));
    env.continuousAction.set([0, 2, Number.NaN]);
    expect(() => env.step()).toThrow(new RangeError('MountainCarContinuous-v0.step: expected finite numbers, got NaN in world 2'));
    expect([0, 1, 2].map((i) => stateOf(env, i))).toEqual(before);
  });

  it('step() clips a continuous action for the force, and charges it as it was given', () => {
    const env = car(CONTINUOUS, {}, 3);
    env.resetEach([0, 0, 0]);
    env.continuousAction.set([1, 1.5, -1.5]);
    env.step();
    expect(stateOf(env, 1)[1]).toBeCloseTo(stateOf(env, 0)[1]!, 9);
    expect(stateOf(env, 2)[1]! - stateOf(env, 1)[1]!).toBeCloseTo(-0.003, 9);
    expect([...env.reward]).toEqual([-0.1, 1.5 * 1.5 * -0.1, 1.5 * 1.5 * -0.1]);
    env.continuousAction.set([Number.POSITIVE_INFINITY, 0, -0]);
    expect(() => env.step()).toThrow('MountainCarContinuous-v0.step: expected finite numbers, got Infinity in world 0');
  });

  it('setState(i) of the continuous world is float64 before the first step of an episode, float32 after it', () => {
    const env = car(CONTINUOUS);
    env.reset(0);
    env.setState(0, [-0.51, 0.01]);
    expect(stateOf(env)).toEqual([-0.51, 0.01]);
    stepWith(env, 0.5);
    expect(stateOf(env)).toEqual(stateOf(env).map(Math.fround));
    env.setState(0, [-0.51, 0.01]);
    expect(stateOf(env)).toEqual([-0.51, 0.01].map(Math.fround));
  });
});
