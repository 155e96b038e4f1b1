import { describe, expect, it } from 'vitest';
import { environment } from '../../src/contract/environments.ts';
import { drawingOf } from '../../src/envs/geometry.ts';
import { type Replay, recordEpisode } from '../../src/envs/replay.ts';
import type { VecEnv } from '../../src/envs/vecenv.ts';
import { type RecordedEpisode, recording } from './recorded.ts';

const record = (id: string, seed: number | bigint, choose: (world: VecEnv, step: number) => void): Replay =>
  recordEpisode(id, environment(id).options.parse({}), seed, choose);

describe('recordEpisode(environment, options, seed, choose)', () => {
  it('plays a recorded episode as it was recorded', () => {
    const [{ seed, act, obs, rew }] = recording('mountaincar').episodes as [RecordedEpisode];
    const replay = record('MountainCar-v0', seed, (world, step) => {
      world.action[0] = act[step] as number;
    });
    expect(replay).toMatchObject({ environment: 'MountainCar-v0', seed, steps: act.length, terminated: true, truncated: false });
    expect([...replay.actions]).toEqual(act);
    expect([...replay.rewards]).toEqual(rew);
    expect([...replay.obs]).toEqual(obs.flat());
    expect([...replay.frames]).toEqual(obs.map(([position]) => position));
    expect(replay.scene).toHaveLength(0);
  });

  it('keeps continuous actions as they were given, until patience ends', () => {
    const replay = record('MountainCarContinuous-v0', 2n ** 70n, (world) => world.continuousAction.fill(0.25));
    expect([replay.steps, replay.terminated, replay.truncated]).toEqual([999, false, true]);
    expect(replay.actions).toEqual(new Float32Array(999).fill(0.25));
    expect([replay.frames.length, replay.obs.length, replay.rewards.length]).toEqual([1000, 2000, 999]);
  });

  it('gives frames that can be drawn, the last one included', () => {
    const { frames, steps, obs } = record('CartPole-v1', 3, (world) => world.action.fill(0));
    expect(frames).toHaveLength((steps + 1) * 2);
    const last = frames.subarray(steps * 2);
    expect([...last]).toEqual([obs[steps * 4], obs[steps * 4 + 2]]);
    expect(drawingOf('CartPole-v1').frame(last)).toHaveLength(3);
  });

  it('is data: what structuredClone keeps is all there is', () => {
    const replay = record('CartPole-v1', 3, (world, step) => world.action.fill(step % 2));
    expect(structuredClone(replay)).toEqual(replay);
  });
});
