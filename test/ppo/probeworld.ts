import type { VecEnv } from '../../src/envs/vecenv.ts';
import { Stream } from '../../src/math/rng/threefry.ts';

/** What one probe world does: a one-number observation, two actions (or a continuous one), episodes of fixed length. */
export interface Probe {
  readonly length: number;
  readonly continuous?: boolean;
  /** Whether the end is a time limit, or one that falls together with the task's end. */
  readonly truncates?: boolean | 'too';
  /** The observation at the start of an episode; ±1 by default. */
  readonly start?: (coin: boolean) => number;
  readonly reward: (obs: number, action: number, step: number) => number;
  /** The observation after the step; unchanged by default. */
  readonly next?: (obs: number, action: number) => number;
}

/** A world that can fail a learner for one reason only (Andy Jones, "Debugging reinforcement learning systems"). */
export function probeWorld(probe: Probe, n: number, seed = 1): VecEnv {
  const rng = new Stream(seed, 0);
  const continuous = probe.continuous === true;
  const world = {
    id: 'probe',
    n,
    obsDim: 1,
    maxSteps: probe.length,
    actions: continuous ? 1 : 2,
    continuous,
    sceneSize: 0,
    frameSize: 0,
    obs: new Float32Array(n),
    finalObs: new Float32Array(n),
    reward: new Float64Array(n),
    terminated: new Uint8Array(n),
    truncated: new Uint8Array(n),
    ended: new Uint8Array(n),
    episodeReturn: new Float64Array(n),
    episodeLength: new Int32Array(n),
    action: new Int32Array(continuous ? 0 : n),
    continuousAction: new Float32Array(continuous ? n : 0),
    reset: () => start(),
    resetEach: () => start(),
    state: () => {},
    setState: () => {},
    scene: () => {},
    frame: () => {},
    step(): void {
      for (let i = 0; i < n; i++) {
        const obs = world.obs[i]!;
        const action = (continuous ? world.continuousAction : world.action)[i]!;
        world.reward[i] = probe.reward(obs, action, elapsed[i]!);
        total[i]! += world.reward[i]!;
        world.obs[i] = probe.next?.(obs, action) ?? obs;
        const ended = ++elapsed[i]! >= probe.length;
        world.ended[i] = ended ? 1 : 0;
        world.terminated[i] = ended && probe.truncates !== true ? 1 : 0;
        world.truncated[i] = ended && probe.truncates ? 1 : 0;
        if (!ended) continue;
        world.finalObs[i] = world.obs[i]!;
        world.episodeReturn[i] = total[i]!;
        world.episodeLength[i] = elapsed[i]!;
        begin(i);
      }
    },
  };
  const elapsed = new Int32Array(n);
  const total = new Float64Array(n);
  const begin = (i: number): void => {
    world.obs[i] = (probe.start ?? ((coin) => (coin ? 1 : -1)))(rng.uniform() < 0.5);
    elapsed[i] = 0;
    total[i] = 0;
  };
  const start = (): void => {
    for (let i = 0; i < n; i++) begin(i);
  };
  start();
  return world;
}
