import { describe, expect, it } from 'vitest';
import { environment } from '../../src/contract/environments.ts';
import { SCENARIOS } from '../../src/contract/scenarios.ts';
import { makeConstraint } from '../../src/correction/constraint.ts';
import { makeEnv } from '../../src/envs/make.ts';
import { penalised } from '../../src/envs/penalised.ts';
import type { VecEnv } from '../../src/envs/vecenv.ts';
import { Stream } from '../../src/math/rng/threefry.ts';

const scenario = SCENARIOS['cartpole/angle']!;
const { toxic, policy } = makeConstraint(scenario.environment, scenario.rules, 0.02);
const N = 8;
const PENALTY = 0.25;
const makeWorld = (): VecEnv => makeEnv(scenario.environment, environment(scenario.environment).options.parse(scenario.options), N);

const untouched = ['obs', 'finalObs', 'terminated', 'truncated', 'ended', 'episodeReturn', 'episodeLength'] as const;

describe('penalised(world, policy, toxic, penalty)', () => {
  it('takes the penalty from the reward of a toxic step, the last of an episode too, and changes nothing else', () => {
    const plain = makeWorld();
    const world = penalised(makeWorld(), policy, toxic, PENALTY);
    plain.reset(5);
    world.reset(5);
    const draw = new Stream(1, 2);
    const seen = { toxic: 0, harmless: 0, toxicEnds: 0, harmlessEnds: 0 };
    for (let step = 0; step < 200; step++) {
      const before = plain.obs.slice();
      for (let i = 0; i < N; i++) plain.action[i] = world.action[i] = draw.int(2);
      plain.step();
      world.step();
      for (let i = 0; i < N; i++) {
        const violates = (toxic(before, i) >>> plain.action[i]!) & 1;
        expect(world.reward[i]).toBe(plain.reward[i]! - PENALTY * violates);
        seen[violates ? 'toxic' : 'harmless']++;
        if (plain.ended[i]) seen[violates ? 'toxicEnds' : 'harmlessEnds']++;
      }
      for (const name of untouched) expect(world[name], name).toEqual(plain[name]);
    }
    expect(Math.min(seen.toxic, seen.harmless, seen.toxicEnds, seen.harmlessEnds)).toBeGreaterThan(5);
  });

  it('is the world that it is given: its size, its resets and its states', () => {
    const inner = makeWorld();
    const world = penalised(inner, policy, toxic, PENALTY);
    const { id, n, obsDim, actions, maxSteps } = inner;
    expect(world).toMatchObject({ id, n, obsDim, actions, maxSteps });
    const plain = makeWorld();
    const seeds = Array.from({ length: N }, (_, i) => 7 * i);
    plain.resetEach(seeds);
    world.resetEach(seeds);
    expect(world.obs).toEqual(plain.obs);
    world.setState(3, [0.1, 0.2, 0.3, 0.4]);
    const state = new Float64Array(4);
    inner.state(3, state);
    expect([...state]).toEqual([0.1, 0.2, 0.3, 0.4]);
    world.state(3, state.fill(0));
    expect([...state]).toEqual([0.1, 0.2, 0.3, 0.4]);
  });

  it('steps no world for an action that is not there', () => {
    const world = penalised(makeWorld(), policy, toxic, PENALTY);
    world.reset(1);
    const before = world.obs.slice();
    world.action[2] = 2;
    expect(() => world.step()).toThrow(RangeError);
    expect(world.obs).toEqual(before);
  });
});
