import { describe, expect, it } from 'vitest';
import { environment } from '../../src/contract/environments.ts';
import { makeEnv } from '../../src/envs/make.ts';
import type { VecEnv } from '../../src/envs/vecenv.ts';
import { Pcg64 } from '../../src/math/rng/pcg64.ts';
import { Stream } from '../../src/math/rng/threefry.ts';
import { expectReplays, type RecordedEpisode, recording } from './recorded.ts';

const { episodes } = recording('cartpole');
type WithState = RecordedEpisode & { act: number[]; state: number[][] };

/** As a run does it: the contract resolves the options, `makeEnv` takes them. */
function cartPole(options: Record<string, unknown> = {}, n = 1): VecEnv {
  return makeEnv('CartPole-v1', environment('CartPole-v1').options.parse(options), n);
}

const WIDE = { resetAngle: 0.2, thetaLimit: 0.418, impulse: { every: 50, thetaDot: 1 } };

function stateOf(env: VecEnv, i = 0): number[] {
  const state = new Float64Array(4);
  env.state(i, state);
  return [...state];
}

/** Pushes towards the side the pole falls to: keeps a stock pole up, and a wide one mostly. */
function balance(env: VecEnv, i: number): number {
  const o = env.obs.subarray(4 * i, 4 * i + 4);
  return 0.05 * o[0]! + 0.1 * o[1]! + o[2]! + 0.3 * o[3]! > 0 ? 1 : 0;
}

function stepWith(env: VecEnv, action: number): void {
  env.action.fill(action);
  env.step();
}

describe('the recorded episodes', () => {
  it('reset(seed) and step() give Gymnasium’s float32 observations, rewards and flags, whole episodes long', () => {
    expect(episodes).toHaveLength(30);
    const steps = expectReplays(cartPole(), episodes);
    expect(steps).toBe(episodes.reduce((sum, e) => sum + e.act.length, 0));
  });

  it('step() leads from every recorded float64 state to the next, to the bit', () => {
    // More than need be: where the recorder's sine or cosine is not correctly rounded, ours may differ in the last bit. In these it never does.
    const env = cartPole();
    for (const { seed, act, state } of episodes as WithState[]) {
      env.reset(0); // sets the clock back: no step below is truncated
      for (let t = 0; t + 1 < act.length; t++) {
        env.setState(0, state[t]!);
        stepWith(env, act[t]!);
        expect(stateOf(env), `seed ${seed}, step ${t + 1}`).toEqual(state[t + 1]);
      }
    }
  });

  it('reset(seed) draws Gymnasium’s float64 initial states to the bit', () => {
    const env = cartPole();
    for (const { seed, state } of episodes as WithState[]) {
      env.reset(seed);
      expect(stateOf(env)).toEqual(state[0]);
    }
  });
});

describe('anchors', () => {
  it.each([
    [0, 39, [-0.06701713760483866, -0.17472681876723511, -0.22520153153077166, -0.7306654439086074]],
    [42, 23, null],
  ])('step() with actions 0, 1, 0, 1, ... from seed %i ends at %i', (seed, length, final) => {
    const env = cartPole();
    env.reset(seed);
    for (let t = 0; env.ended[0] === 0; t++) stepWith(env, t % 2);
    expect(env.episodeLength[0]).toBe(length);
    if (final) expect([...env.finalObs]).toEqual(final.map(Math.fround));
  });
});

describe('batches', () => {
  it('step() does not depend on the number of worlds beside', () => {
    const trace = (options: Record<string, unknown>, n: number): string[] => {
      const env = cartPole(options, n);
      env.reset(100);
      // World i's actions are words of its own stream, so that they are the same in every batch.
      const actions = Array.from({ length: n }, (_, i) => new Stream(i, 1));
      const seen = Array.from({ length: Math.min(n, 3) }, () => '');
      for (let t = 0; t < 300; t++) {
        for (let i = 0; i < n; i++) env.action[i] = actions[i]!.int(10) === 0 ? actions[i]!.int(2) : balance(env, i);
        env.step();
        seen.forEach((_, i) => {
          const row = (x: Float32Array) => x.subarray(4 * i, 4 * i + 4).join();
          seen[i] += `${row(env.obs)} ${env.reward[i]} ${env.ended[i]} ${env.ended[i] ? row(env.finalObs) : ''}\n`;
        });
      }
      return seen;
    };
    for (const options of [{}, WIDE]) {
      const [one, three, many] = [trace(options, 1), trace(options, 3), trace(options, 64)];
      expect(three[0]).toBe(one[0]);
      expect(many).toEqual(three);
      expect(new Set(many).size).toBe(3);
    }
  });

  it('resetEach(seeds) gives each world its own seed, reset(seed) world i seed + i', () => {
    const env = cartPole({}, 3);
    env.resetEach([7, 5n, 2 ** 40]);
    const single = cartPole();
    [7, 5, 2 ** 40].forEach((seed, i) => {
      single.reset(seed);
      expect(stateOf(env, i)).toEqual(stateOf(single));
    });
    env.reset(2n ** 64n);
    single.reset(2n ** 64n + 2n);
    expect(stateOf(env, 2)).toEqual(stateOf(single));
    expect(() => env.resetEach([1, 2])).toThrow('CartPole-v1.resetEach: expected 3 seeds, got 2');
    expect(() => env.reset(-1)).toThrow(RangeError);
  });

  it('reset(seed) in the middle of an episode forgets it', () => {
    const env = cartPole(WIDE);
    const run = () =>
      Array.from({ length: 101 }, (_, t) => {
        stepWith(env, t % 3 === 0 ? 1 : 0);
        if (env.ended[0]) expect(env.episodeReturn[0]).toBe(env.episodeLength[0]);
        return [...env.obs, env.ended[0], env.ended[0] ? env.episodeLength[0] : 0];
      });
    env.reset(3);
    const first = run();
    env.reset(3);
    expect(run()).toEqual(first);
    expect(first.filter((row) => row[4]).length).toBeGreaterThan(2);
    expect(first.at(-1)![4]).toBe(0);
  });

  it('makeEnv(id, options, n) refuses an unknown id and no worlds', () => {
    expect(() => makeEnv('CartPole-v0', {}, 1)).toThrow(/^makeEnv: expected one of CartPole-v1, .*, got CartPole-v0$/);
    expect(() => cartPole({}, 0)).toThrow(new RangeError('CartPole-v1: expected a number of worlds from 1 up, got 0'));
  });
});

describe('the end of an episode', () => {
  it('step() shows the last observation in finalObs, and in obs the first of an episode drawn from the same generator', () => {
    const env = cartPole();
    env.reset(8);
    let last = stateOf(env);
    while (env.ended[0] === 0) {
      last = stateOf(env);
      stepWith(env, 0);
    }
    // One more step from the last state of the episode, in a world beside.
    const beside = cartPole();
    beside.reset(0);
    beside.setState(0, last);
    stepWith(beside, 0);
    expect([...env.finalObs]).toEqual([...beside.finalObs]);
    expect(Math.abs(env.finalObs[2]!)).toBeGreaterThan(0.2094);

    const rng = new Pcg64(8);
    for (let k = 0; k < 4; k++) rng.uniform(-0.05, 0.05);
    expect(stateOf(env)).toEqual(Array.from({ length: 4 }, () => rng.uniform(-0.05, 0.05)));
    expect([...env.obs]).toEqual(stateOf(env).map(Math.fround));

    stepWith(env, 0);
    expect([env.ended[0], env.terminated[0], env.reward[0]]).toEqual([0, 0, 1]);
  });

  it('step() truncates at 500, and then may terminate in the same step', () => {
    const env = cartPole({}, 2);
    env.reset(0);
    for (let t = 1; t < 500; t++) {
      env.setState(0, [0, 0, 0, 0]);
      env.setState(1, [0, 0, 0, 0]);
      stepWith(env, 0);
      expect([...env.ended]).toEqual([0, 0]);
    }
    env.setState(0, [0, 0, 0.209, 1]);
    env.setState(1, [0, 0, 0, 0]);
    stepWith(env, 0);
    expect([...env.terminated, ...env.truncated, ...env.ended]).toEqual([1, 0, 1, 1, 1, 1]);
    expect([...env.episodeLength, ...env.episodeReturn]).toEqual([500, 500, 500, 500]);
    stepWith(env, 0);
    expect([...env.truncated, ...env.ended]).toEqual([0, 0, 0, 0]);
  });

  it('step() terminates beyond the limits, not on them', () => {
    const env = cartPole();
    const limit = (12 * 2 * Math.PI) / 360;
    const ends = (state: number[]) => {
      env.reset(0);
      env.setState(0, state);
      stepWith(env, 0);
      return env.terminated[0];
    };
    // With no velocity the positions stay where they are for one step of Euler.
    expect([ends([2.4, 0, 0, 0]), ends([-2.4, 0, 0, 0]), ends([0, 0, limit, 0]), ends([0, 0, -limit, 0])]).toEqual([0, 0, 0, 0]);
    expect([
      ends([2.4 + 1e-15, 0, 0, 0]),
      ends([-2.4 - 1e-15, 0, 0, 0]),
      ends([0, 0, limit + 1e-16, 0]),
      ends([0, 0, -limit - 1e-16, 0]),
    ]).toEqual([1, 1, 1, 1]);
  });

  it('step() pays 1 per step, or with suttonBartoReward 0 and -1 for the fall', () => {
    for (const [options, alive, fallen] of [
      [{}, 1, 1],
      [{ suttonBartoReward: true }, 0, -1],
    ] as const) {
      const env = cartPole(options);
      env.reset(1);
      const rewards: number[] = [];
      while (env.ended[0] === 0) {
        stepWith(env, 1);
        rewards.push(env.reward[0]!);
      }
      expect(new Set(rewards.slice(0, -1))).toEqual(new Set([alive]));
      expect(rewards.at(-1)).toBe(fallen);
      expect(env.episodeReturn[0]).toBe(alive * (rewards.length - 1) + fallen);
    }
  });
});

describe('options', () => {
  it('reset(seed) draws within resetLow and resetHigh, theta within ±resetAngle, in the same order', () => {
    const env = cartPole({ resetLow: -0.5, resetHigh: 0.25, resetAngle: 0.2 });
    env.reset(11);
    const rng = new Pcg64(11);
    expect(stateOf(env)).toEqual([rng.uniform(-0.5, 0.25), rng.uniform(-0.5, 0.25), rng.uniform(-0.2, 0.2), rng.uniform(-0.5, 0.25)]);
  });

  it('step() ends at thetaLimit', () => {
    const env = cartPole({ thetaLimit: 0.418 });
    env.reset(0);
    env.setState(0, [0, 0, 0.41, 0]);
    stepWith(env, 1);
    expect(env.ended[0]).toBe(0);
    env.setState(0, [0, 0, 0.4181, 0]);
    stepWith(env, 1);
    expect(env.terminated[0]).toBe(1);
  });

  it('step() adds the impulse after the dynamics of steps every, 2·every, ..., and the observation shows it', () => {
    const pushed = cartPole({ impulse: { every: 50, thetaDot: 1 } });
    const plain = cartPole();
    const rng = new Pcg64(4);
    for (let k = 0; k < 4; k++) rng.random();
    pushed.reset(4);
    plain.reset(4);
    let impulses = 0;
    for (let t = 1; t <= 200; t++) {
      const before = stateOf(pushed);
      plain.setState(0, before);
      const action = balance(pushed, 0);
      stepWith(pushed, action);
      stepWith(plain, action);
      const expected = stateOf(plain);
      if (t % 50 === 0) {
        expected[3]! += rng.uniform(-1, 1);
        impulses++;
      }
      expect(stateOf(pushed), `step ${t}`).toEqual(expected);
      expect([...pushed.obs]).toEqual(expected.map(Math.fround));
      // Held upright by hand: this is about the impulse, not about balancing.
      pushed.setState(0, [0, 0, 0, 0]);
    }
    expect(impulses).toBe(4);
  });

  it('step() counts the impulse’s steps anew in every episode', () => {
    const env = cartPole({ impulse: { every: 50, thetaDot: 1 } });
    env.reset(4);
    for (let t = 1; t <= 30; t++) {
      env.setState(0, t < 30 ? [0, 0, 0, 0] : [3, 0, 0, 0]);
      stepWith(env, 0);
    }
    expect([env.ended[0], env.episodeLength[0]]).toEqual([1, 30]);
    const rng = new Pcg64(4);
    for (let k = 0; k < 8; k++) rng.random();
    const plain = cartPole();
    plain.reset(0);
    for (let t = 1; t <= 50; t++) {
      for (const each of [env, plain]) {
        each.setState(0, [0, 0, 0, 0]);
        stepWith(each, 0);
      }
      const expected = stateOf(plain);
      if (t === 50) expected[3]! += rng.uniform(-1, 1);
      expect(stateOf(env)).toEqual(expected);
    }
  });

  it.each([
    ['terminates', 50, [0, 0, 1, 0]],
    ['truncates', 500, [0, 0, 0, 0]],
  ])('step() draws no impulse in a step that %s', (_, at, state) => {
    const env = cartPole({ impulse: { every: 50, thetaDot: 1 } });
    env.reset(6);
    const rng = new Pcg64(6);
    for (let k = 0; k < 4 + Math.ceil(at / 50) - 1; k++) rng.random();
    for (let t = 1; t <= at; t++) {
      env.setState(0, t === at ? state : [0, 0, 0, 0]);
      stepWith(env, 0);
    }
    expect([env.ended[0], env.episodeLength[0]]).toEqual([1, at]);
    const plain = cartPole();
    plain.reset(0);
    plain.setState(0, state);
    stepWith(plain, 0);
    expect(env.finalObs[3]).toBe(at === 50 ? plain.finalObs[3] : plain.obs[3]);
    // The next episode starts from the very next draws.
    expect(stateOf(env)).toEqual(Array.from({ length: 4 }, () => rng.uniform(-0.05, 0.05)));
  });
});

describe('misuse', () => {
  it('step() refuses an action that is not there before any world moves', () => {
    const env = cartPole({}, 3);
    env.reset(0);
    const before = [0, 1, 2].map((i) => stateOf(env, i));
    for (const action of [2, -1]) {
      env.action.set([0, 1, action]);
      expect(() => env.step()).toThrow(new RangeError(`CartPole-v1.step: expected an action from 0 to 1, got ${action} in world 2`));
    }
    expect([0, 1, 2].map((i) => stateOf(env, i))).toEqual(before);
  });

  it('step() before a reset throws', () => {
    expect(() => cartPole().step()).toThrow('CartPole-v1.step: expected a reset first');
  });
});
