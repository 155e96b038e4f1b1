import { makeEnv } from './make.ts';
import type { VecEnv } from './vecenv.ts';

/** One episode of T steps, as data: drawn by geometry.ts, or replayed from its seed and actions. */
export interface Replay {
  readonly environment: string;
  /** Resolved, as `makeEnv` takes them. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly seed: number | bigint;
  /** T. */
  readonly steps: number;
  readonly terminated: boolean;
  readonly truncated: boolean;
  /** [sceneSize] and [T + 1, frameSize]. */
  readonly scene: Float32Array;
  readonly frames: Float32Array;
  /** [T + 1, obsDim], the last one included. */
  readonly obs: Float32Array;
  /** [T], or [T, actions] where they are continuous, as they were given. */
  readonly actions: Int32Array | Float32Array;
  /** [T]. */
  readonly rewards: Float64Array;
}

/** Plays one episode from `seed` to its end. `choose` sees the world, a single one, and fills `action` or `continuousAction` before each step. */
export function recordEpisode(
  environment: string,
  options: Record<string, unknown>,
  seed: number | bigint,
  choose: (world: VecEnv, step: number) => void,
): Replay {
  const world = makeEnv(environment, options, 1, { autoreset: false });
  const { maxSteps, obsDim, sceneSize, frameSize, continuous } = world;
  const scene = new Float32Array(sceneSize);
  const frames = new Float32Array((maxSteps + 1) * frameSize);
  const obs = new Float32Array((maxSteps + 1) * obsDim);
  const actions = continuous ? new Float32Array(maxSteps * world.actions) : new Int32Array(maxSteps);
  const rewards = new Float64Array(maxSteps);
  const given = continuous ? world.continuousAction : world.action;
  const look = (t: number): void => {
    world.frame(0, frames.subarray(t * frameSize, (t + 1) * frameSize));
    obs.set(world.obs, t * obsDim);
  };

  world.reset(seed);
  world.scene(0, scene);
  look(0);
  let steps = 0;
  while (world.ended[0] === 0) {
    choose(world, steps);
    actions.set(given, steps * given.length);
    world.step();
    rewards[steps] = world.reward[0]!;
    look(++steps);
  }
  return {
    environment,
    options,
    seed,
    steps,
    terminated: world.terminated[0] === 1,
    truncated: world.truncated[0] === 1,
    scene,
    frames: frames.slice(0, (steps + 1) * frameSize),
    obs: obs.slice(0, (steps + 1) * obsDim),
    actions: actions.slice(0, steps * given.length),
    rewards: rewards.slice(0, steps),
  };
}
