import type { Distribution } from '../math/distribution.ts';
import type { VecEnv } from './vecenv.ts';

/**
 * The same worlds, where a step with a toxic action earns `penalty` less: r' = r − penalty·1[a in T(s)], s the state the action was chosen in.
 * Observations, ends and `episodeReturn` are the world's own: a return stays comparable. Steps the world that it is given.
 * `toxic(obs, row)` is T(s), as `policy` numbers it.
 */
export function penalised(
  world: VecEnv,
  policy: Pick<Distribution, 'contains' | 'width'>,
  toxic: (obs: Float32Array, row: number) => number,
  penalty: number,
): VecEnv {
  const violates = new Uint8Array(world.n);
  const action = world.continuous ? world.continuousAction : world.action;
  return {
    id: world.id,
    n: world.n,
    obsDim: world.obsDim,
    actions: world.actions,
    continuous: world.continuous,
    maxSteps: world.maxSteps,
    sceneSize: world.sceneSize,
    frameSize: world.frameSize,
    obs: world.obs,
    finalObs: world.finalObs,
    reward: world.reward,
    terminated: world.terminated,
    truncated: world.truncated,
    ended: world.ended,
    episodeReturn: world.episodeReturn,
    episodeLength: world.episodeLength,
    action: world.action,
    continuousAction: world.continuousAction,
    reset: (seed) => world.reset(seed),
    resetEach: (seeds) => world.resetEach(seeds),
    state: (i, out) => world.state(i, out),
    setState: (i, state) => world.setState(i, state),
    scene: (i, out) => world.scene(i, out),
    frame: (i, out) => world.frame(i, out),
    step(): void {
      for (let i = 0; i < world.n; i++) violates[i] = policy.contains(toxic(world.obs, i), action, i * policy.width) ? 1 : 0;
      world.step();
      for (let i = 0; i < world.n; i++) if (violates[i]) world.reward[i] = world.reward[i]! - penalty;
    },
  };
}
