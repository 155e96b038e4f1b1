/**
 * Gymnasium's scripted LunarLander pilot: leans towards the pad in proportion to distance and speed, hovers the higher the farther
 * away it is; with a leg down it only brakes. Lands nine of ten worlds. Source: `heuristic` in gymnasium/envs/box2d/lunar_lander.py.
 */
function wish(obs: ArrayLike<number>, at: number): [turn: number, lift: number] {
  const [x, y, vx, vy, angle, omega] = [obs[at]!, obs[at + 1]!, obs[at + 2]!, obs[at + 3]!, obs[at + 4]!, obs[at + 5]!];
  if (obs[at + 6] || obs[at + 7]) return [0, -vy * 0.5];
  const lean = Math.min(0.4, Math.max(-0.4, x * 0.5 + vx));
  return [(lean - angle) * 0.5 - omega, (0.55 * Math.abs(x) - y) * 0.5 - vy * 0.5];
}

/** The pilot's action for the world whose observation begins at `at`. */
export function heuristic(obs: ArrayLike<number>, at = 0): number {
  const [turn, lift] = wish(obs, at);
  if (lift > Math.abs(turn) && lift > 0.05) return 2;
  return turn < -0.05 ? 3 : turn > 0.05 ? 1 : 0;
}
