import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { environment } from '../../src/contract/environments.ts';
import { heuristic } from '../../src/envs/lunarlander/heuristic.ts';
import { LUNAR_LANDER_STATE } from '../../src/envs/lunarlander/lunarlander.ts';
import { SOLVER_SHA256, SOLVER_WASM } from '../../src/envs/lunarlander/solver.wasm.ts';
import { makeEnv } from '../../src/envs/make.ts';
import type { RunOptions, VecEnv } from '../../src/envs/vecenv.ts';
import { decodeBase64 } from '../../src/math/base64.ts';
import { Pcg64 } from '../../src/math/rng/pcg64.ts';
import { Stream } from '../../src/math/rng/threefry.ts';
import { expectReplays, recording } from './recorded.ts';

/** As a run does it: the contract resolves the options, `makeEnv` takes them. */
function lander(options: Record<string, unknown> = {}, n = 1, id = 'LunarLander-v3', run: RunOptions = {}): VecEnv {
  return makeEnv(id, environment(id).options.parse(options), n, run);
}

function stepWith(env: VecEnv, action: number | number[]): void {
  if (typeof action === 'number') env.action.fill(action);
  else env.continuousAction.set(action);
  env.step();
}

function stateOf(env: VecEnv, i = 0): Float64Array {
  const state = new Float64Array(LUNAR_LANDER_STATE);
  env.state(i, state);
  return state;
}

/** What a step shows of world i. */
function seenOf(env: VecEnv, i = 0): number[] {
  const frame = new Float32Array(env.frameSize);
  env.frame(i, frame);
  return [...env.obs.subarray(8 * i, 8 * i + 8), env.reward[i]!, env.terminated[i]!, ...frame];
}

/** The pilot, but now and then an action of chance, from the world's own stream. */
function wander(env: VecEnv, i: number, stream: Stream): number {
  return stream.int(8) === 0 ? stream.int(4) : heuristic(env.obs, 8 * i);
}

describe('the recorded episodes', () => {
  it.each([
    ['lunarlander', 24, 4335],
    ['lunarlander-continuous', 12, 1974],
    ['lunarlander-wind', 8, 1033],
  ])('%s: reset(seed) and step() give Gymnasium’s float32 observations, float64 rewards and flags', (name, count, total) => {
    const { environment: id, options, episodes } = recording(name);
    expect(episodes).toHaveLength(count);
    const steps = expectReplays(lander({ enableWind: options.enable_wind ?? false }, 1, id), episodes);
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

describe('batches', () => {
  it.each([
    ['LunarLander-v3', {}],
    ['LunarLander-v3', { enableWind: true, gravity: -7 }],
    ['LunarLanderContinuous-v3', {}],
  ])('%s %o: step() does not depend on the number of worlds beside', (id, options) => {
    const trace = (n: number): string[] => {
      const env = lander(options, n, id);
      env.reset(100);
      const streams = Array.from({ length: n }, (_, i) => new Stream(i, 1));
      const seen = Array.from({ length: Math.min(n, 3) }, () => '');
      for (let t = 0; t < 500; t++) {
        for (let i = 0; i < n; i++) {
          const action = wander(env, i, streams[i]!);
          if (env.continuous) env.continuousAction.set([action === 2 ? 1 : -1, action === 0 ? 0 : action - 2], 2 * i);
          else env.action[i] = action;
        }
        env.step();
        seen.forEach((_, i) => {
          seen[i] += `${seenOf(env, i).join()} ${env.ended[i] ? env.finalObs.subarray(8 * i, 8 * i + 8).join() : ''}\n`;
        });
      }
      return seen;
    };
    const [one, three, many] = [trace(1), trace(3), trace(64)];
    expect(three[0]).toBe(one[0]);
    expect(many).toEqual(three);
    expect(new Set(many).size).toBe(3);
  });
});

describe('states', () => {
  it.each([
    ['in flight', 60, 0],
    ['on the ground', 0, 1],
  ])('setState(state) %s goes on as the original did', (_, after, legs) => {
    const env = lander({ enableWind: true });
    env.reset(4);
    let steps = 0;
    while (steps < after || env.obs[6] !== legs || env.obs[7] !== legs) {
      stepWith(env, heuristic(env.obs));
      steps++;
      expect(env.ended[0]).toBe(0);
    }
    const saved = stateOf(env);
    const observed = [...env.obs];
    // Beside it one that has drawn as often from the same generator, but is elsewhere.
    const other = lander({ enableWind: true }, 2);
    other.resetEach([9, 4]);
    for (let t = 0; t < steps; t++) {
      other.setState(1, saved);
      other.action.set([0, t % 4]);
      other.step();
    }
    other.setState(1, saved);
    expect([...other.obs.subarray(8, 16)]).toEqual(observed);
    expect(stateOf(other, 1)).toEqual(saved);
    for (let t = 0; t < 20; t++) {
      const action = t % 4;
      stepWith(env, action);
      stepWith(other, action);
      expect(seenOf(other, 1), `step ${t}`).toEqual(seenOf(env));
    }
  });

  it('setState(state) keeps the gravity of its own world', () => {
    const [heavy, light] = [lander({ gravity: -11 }), lander({ gravity: -1 })];
    heavy.reset(0);
    light.reset(0);
    light.setState(0, stateOf(heavy));
    const before = light.obs[3]!;
    for (let t = 0; t < 10; t++) stepWith(light, 0);
    // 10 steps of 0.02 s; a speed of 7.5 m/s is observed as 1.
    expect((light.obs[3]! - before) * 7.5).toBeCloseTo(-0.2, 1);
  });

  it('state(i) holds sines and cosines of the bodies’ angles as glibc’s sinf and cosf give them', () => {
    const env = lander();
    let turned = 0;
    for (let seed = 0; seed < 6; seed++) {
      env.reset(seed);
      while (env.ended[0] === 0 && env.obs[1]! > -0.5) {
        const state = stateOf(env);
        for (let b = 0; b < 3; b++) {
          const [angle, s, c] = [2, 8, 9].map((k) => state[5 + 20 * b + k]!) as [number, number, number];
          expect([s, c]).toEqual(sinCos(angle));
          expect(Math.abs(s - Math.sin(angle))).toBeLessThan(6.1e-8);
          expect(Math.abs(c - Math.cos(angle))).toBeLessThan(6.1e-8);
          if (Math.abs(angle) > 2.4) turned++;
        }
        stepWith(env, seed % 2 === 0 ? 1 : 3);
      }
    }
    expect(turned).toBeGreaterThan(10); // beyond the first three quadrants
  });
});

/** The definition of assembly/angles.ts. */
function sinCos(angle: number): [number, number] {
  const n = Math.floor((Math.trunc(angle * 10680707.430881744) + 2 ** 23) / 2 ** 24);
  const x = angle - n * 1.5707963267948966;
  const [x2, x3] = [x * x, x * (x * x)];
  const x4 = x2 * x2;
  const s = Math.fround(x + x3 * -0.16666654943701084 + x3 * x2 * (0.008332178146138854 + x2 * -0.00019517298981385725));
  const c = Math.fround(
    1 + x2 * -0.49999999725108224 + x4 * 0.041666623324344516 + x4 * x2 * (-0.001388676379437604 + x2 * 0.000024390450703564542),
  );
  const [first, second] = n % 2 === 0 ? [s, c] : [c, s];
  return [(n & 2) !== 0 ? -first : first, ((n + 1) & 2) !== 0 ? -second : second];
}

describe('options', () => {
  it.each([-0.5, -5, -11.9])('step() falls with gravity %f', (gravity) => {
    const env = lander({ gravity });
    env.reset(5);
    const before = env.obs[3]!;
    for (let t = 0; t < 20; t++) stepWith(env, 0);
    expect((env.obs[3]! - before) * 7.5).toBeCloseTo(0.4 * gravity, 1);
  });

  it('step() has wind only with enableWind, of windPower and turbulencePower', () => {
    const speeds = [{}, { enableWind: true }, { enableWind: true, windPower: 0, turbulencePower: 0 }].map((options) => {
      const env = lander(options);
      env.reset(3);
      for (let t = 0; t < 30; t++) stepWith(env, 0);
      return [env.obs[2]!, env.obs[5]!];
    });
    expect(Math.abs(speeds[1]![0]! - speeds[0]![0]!)).toBeGreaterThan(0.01);
    expect(Math.abs(speeds[1]![1]! - speeds[0]![1]!)).toBeGreaterThan(0.001);
    expect(speeds[2]).toEqual(speeds[0]);
  });
});

describe('the end of an episode', () => {
  it('step() truncates at 1000', () => {
    const env = lander();
    env.reset(0);
    const start = stateOf(env);
    for (let t = 1; t < 1000; t++) {
      stepWith(env, 0);
      expect(env.ended[0]).toBe(0);
      env.setState(0, start);
    }
    stepWith(env, 0);
    expect([env.terminated[0], env.truncated[0], env.ended[0], env.episodeLength[0]]).toEqual([0, 1, 1, 1000]);
    stepWith(env, 0);
    expect([env.truncated[0], env.ended[0]]).toEqual([0, 0]);
  });

  it('step() starts the next episode from where the generator stands', () => {
    const env = lander({ enableWind: true });
    env.reset(8);
    let steps = 0;
    while (env.ended[0] === 0) {
      stepWith(env, 0);
      steps++;
    }
    expect([env.terminated[0], env.reward[0]]).toEqual([1, -100]);
    const rng = new Pcg64(8);
    const draw = () => {
      const heights = Array.from({ length: 12 }, () => rng.uniform(0, 400 / 30 / 2));
      heights.fill(400 / 30 / 4, 3, 8);
      for (let k = 0; k < 2; k++) rng.random();
      for (let k = 0; k < 2; k++) rng.integers(-9999, 9999);
      for (let k = 0; k < 2; k++) rng.random(); // the step within the reset
      return heights;
    };
    draw();
    for (let k = 0; k < 2 * steps; k++) rng.random();
    const next = draw();
    const scene = new Float32Array(env.sceneSize);
    env.scene(0, scene);
    expect([...scene]).toEqual(Array.from({ length: 11 }, (_, k) => Math.fround(0.33 * (next.at(k - 1)! + next[k]! + next[k + 1]!))));
    expect(env.obs[1]).toBeGreaterThan(1.3);
    expect(env.finalObs[1]).toBeLessThan(0.5);
  });

  it('step() of worlds made with autoreset: false waits for a reset', () => {
    const env = lander({}, 1, 'LunarLander-v3', { autoreset: false });
    env.reset(0);
    while (env.ended[0] === 0) stepWith(env, 0);
    expect([...env.obs]).toEqual([...env.finalObs]);
    expect(() => stepWith(env, 0)).toThrow('LunarLander-v3.step: world 0 has ended; reset it first');
    env.reset(0);
    stepWith(env, 0);
    expect(env.ended[0]).toBe(0);
  });
});

describe('actions', () => {
  it('step() clips continuous actions, not the caller’s', () => {
    const [wild, tame] = ['wild', 'tame'].map(() => lander({}, 1, 'LunarLanderContinuous-v3')) as [VecEnv, VecEnv];
    wild.reset(1);
    tame.reset(1);
    for (let t = 0; t < 40; t++) {
      stepWith(wild, [7, t % 2 === 0 ? 3 : -1e30]);
      stepWith(tame, [1, t % 2 === 0 ? 1 : -1]);
      expect(seenOf(wild)).toEqual(seenOf(tame));
    }
    expect(wild.continuousAction[0]).toBe(7);
  });

  it('frame(i) shows three bodies and the powers of the last step, left negative', () => {
    const env = lander();
    env.reset(0);
    const powers = [0, 1, 2, 3].map((action) => {
      stepWith(env, action);
      return seenOf(env).slice(-2);
    });
    expect(powers).toEqual([
      [0, 0],
      [0, -1],
      [1, 0],
      [0, 1],
    ]);
    const [x, y, angle, x1, y1, , x2, y2] = seenOf(env).slice(10) as number[];
    expect([x! / 10 - 1, angle]).toEqual([expect.closeTo(env.obs[0]!, 6), env.obs[4]]);
    // The legs' middles lie a pixel or so beyond the lander's lower corners, leg 1 to the right.
    expect(Math.hypot(x1! - x!, y1! - y!)).toBeGreaterThan(0.6);
    expect(x1! - x2!).toBeGreaterThan(1);
    expect(Math.abs(y1! - y2!)).toBeLessThan(0.5);
    expect(lander({}, 1, 'LunarLanderContinuous-v3').actions).toBe(2);
  });

  it('step() refuses an action that is not there before any world moves', () => {
    const env = lander({}, 2);
    env.reset(0);
    const before = stateOf(env);
    env.action.set([0, 4]);
    expect(() => env.step()).toThrow(new RangeError('LunarLander-v3.step: expected an action from 0 to 3, got 4 in world 1'));
    expect(stateOf(env)).toEqual(before);
    const continuous = lander({}, 1, 'LunarLanderContinuous-v3');
    continuous.reset(0);
    expect(() => stepWith(continuous, [0, Number.NaN])).toThrow(
      'LunarLanderContinuous-v3.step: expected finite numbers, got NaN in world 0',
    );
  });
});

it('the solver’s bits are the committed ones', () => {
  expect(createHash('sha256').update(decodeBase64(SOLVER_WASM)).digest('hex')).toBe(SOLVER_SHA256);
  const committed = readFileSync(new URL('../../src/envs/lunarlander/assembly/solver.sha256', import.meta.url), 'utf8');
  expect(committed).toBe(`${SOLVER_SHA256}\n`);
});
