import { cos, sin, tanh } from '../../math/elementary.ts';
import type { RunOptions, VecEnv } from '../vecenv.ts';
import { Worlds } from '../worlds.ts';
import { makeSolver, type Solver } from './solver.ts';

/** Options, resolved; Gymnasium's own. */
export interface LunarLanderOptions {
  /** Vertical, in m/s². */
  readonly gravity: number;
  readonly enableWind: boolean;
  /** Largest force and torque of the wind. */
  readonly windPower: number;
  readonly turbulencePower: number;
}

const OBS_DIM = 8;
const MAX_STEPS = 1000;

/** Pixels per metre: Gymnasium gives most lengths in pixels. */
const SCALE = 30;
const FPS = 50;
const HALF_WIDTH = 600 / SCALE / 2; // m
const HEIGHT = 400 / SCALE;
const HALF_HEIGHT = 400 / SCALE / 2;
const HELIPAD_Y = HEIGHT / 4;
const LEG_DOWN = 18;
const CHUNKS = 11;
const START_FORCE = 1000;
const MAIN_ENGINE = 13;
const MAIN_ENGINE_Y = 4;
const SIDE_ENGINE = 0.6;
const SIDE_ENGINE_AWAY = 12;
const SIDE_ENGINE_HEIGHT = 14;
const WIND_RANGE = 9999;

/** Of the lander, as float32; assembly/shapes.ts has them, too. */
const INV_MASS = Math.fround(0.207612455);
const INV_INERTIA = Math.fround(1.27570426);

/** Where things lie in a world's record, in words; assembly/record.ts has them in bytes. */
const BODY = 20;
const [CX, CY, ANGLE, VX, VY, OMEGA, X, Y, AWAKE] = [0, 1, 2, 3, 4, 5, 6, 7, 15] as const;
const [FORCE_X, FORCE_Y, TORQUE, GRAVITY, TOUCHED, COUNT, HEIGHTS, CONTACTS, WORDS] = [70, 71, 72, 73, 75, 78, 79, 90, 750] as const;
const CONTACT = 20;

/** Where the episode's own numbers lie, five per world; a state begins with them. */
const EPISODE = 5;
const [SHAPING, WIND, TURBULENCE, MAIN_POWER, SIDE_POWER] = [0, 1, 2, 3, 4] as const;

/** Length of a state. */
export const LUNAR_LANDER_STATE = EPISODE + WORDS;

/**
 * LunarLander-v3 and LunarLanderContinuous-v3 as Gymnasium 1.4.0 computes them on x86-64, to the bit: terrain, draws, engines, wind,
 * observations and rewards here, in float64; the physics in assembly/, in float32 like Box2D's.
 *   shaping = −100·|(x, y)| − 100·|(vx, vy)| − 100·|angle| + 10·leg1 + 10·leg2
 *   reward  = change of shaping − 0.3·main power − 0.03·side power; −100 for a crash or leaving, +100 for coming to rest
 * State: shaping, wind's and turbulence's indices, powers of main and side engine (left negative) in the last step; then the record
 * of assembly/record.ts, impulses and contacts included: a restored world goes on as the original did, on the ground, too.
 * Source: gymnasium/envs/box2d/lunar_lander.py. Ours: sin, cos and tanh (see elementary.ts) in float64, whose last bit is lost when
 * impulses become float32.
 */
class LunarLander extends Worlds {
  readonly #options: LunarLanderOptions;
  readonly #solver: Solver;
  readonly #floats: Float32Array;
  /** [n], index of each record in `#floats`. */
  readonly #records: Int32Array;
  /** [n, EPISODE]. */
  readonly #episodes: Float64Array;

  /** Scratch: heights as drawn. */
  readonly #raw = new Float64Array(CHUNKS + 1);

  constructor(id: string, options: LunarLanderOptions, n: number, run: RunOptions) {
    const continuous = id === 'LunarLanderContinuous-v3';
    const size = { obsDim: OBS_DIM, actions: continuous ? 2 : 4, continuous, maxSteps: MAX_STEPS, sceneSize: CHUNKS, frameSize: 11 };
    super({ id, n, ...size, ...run });
    this.#options = options;
    this.#solver = makeSolver(n);
    this.#floats = this.#solver.floats;
    this.#records = Int32Array.from(this.#solver.worlds, (address) => address / 4);
    this.#episodes = new Float64Array(n * EPISODE);
  }

  protected override advance(): void {
    const { n, continuous, action, continuousAction } = this;
    const { list } = this.#solver;
    for (let i = 0; i < n; i++) {
      if (continuous) this.#act(i, continuousAction[2 * i]!, continuousAction[2 * i + 1]!);
      else this.#act(i, action[i] === 2 ? 1 : 0, action[i] === 1 ? -1 : action[i] === 3 ? 1 : 0);
    }
    this.#solver.step(list, n);
    for (let i = 0; i < n; i++) this.#judge(i);
  }

  protected override start(i: number): void {
    const floats = this.#floats;
    const record = this.#records[i]!;
    const rng = this.rng[i]!;
    const { gravity, enableWind } = this.#options;
    const raw = this.#raw;
    for (let k = 0; k <= CHUNKS; k++) raw[k] = rng.uniform(0, HEIGHT / 2);
    raw.fill(HELIPAD_Y, 3, 8);
    for (let k = 0; k < CHUNKS; k++) floats[record + HEIGHTS + k] = 0.33 * (raw[k === 0 ? CHUNKS : k - 1]! + raw[k]! + raw[k + 1]!);
    floats[record + GRAVITY] = gravity;
    floats[record + FORCE_X] = rng.uniform(-START_FORCE, START_FORCE);
    floats[record + FORCE_Y] = rng.uniform(-START_FORCE, START_FORCE);
    const episode = i * EPISODE;
    if (enableWind) {
      this.#episodes[episode + WIND] = rng.integers(-WIND_RANGE, WIND_RANGE);
      this.#episodes[episode + TURBULENCE] = rng.integers(-WIND_RANGE, WIND_RANGE);
    }
    this.#solver.begin(4 * record);
    // A first step without engines: its observation is the episode's first.
    this.#act(i, 0, 0);
    this.#solver.step(this.#solver.list + 4 * i, 1);
    this.#episodes[episode + SHAPING] = this.#observe(i);
  }

  /** Wind and engines of world i; `main` above 0 and `side` beyond ±0.5 fire. */
  #act(i: number, main: number, side: number): void {
    const floats = this.#floats;
    const record = this.#records[i]!;
    const episodes = this.#episodes;
    const episode = i * EPISODE;
    const rng = this.rng[i]!;
    const { enableWind, windPower, turbulencePower } = this.#options;
    if (enableWind && floats[record + TOUCHED + 1] === 0 && floats[record + TOUCHED + 2] === 0) {
      floats[record + FORCE_X]! += Math.fround(gust(episodes[episode + WIND]!++) * windPower);
      floats[record + TORQUE]! += Math.fround(gust(episodes[episode + TURBULENCE]!++) * turbulencePower);
    }
    // Both are drawn in every step, whether an engine fires or not.
    const d0 = rng.uniform(-1, 1) / SCALE;
    const d1 = rng.uniform(-1, 1) / SCALE;
    const angle = floats[record + ANGLE]!;
    const mainPower = main > 0 ? (Math.min(main, 1) + 1) * 0.5 : 0;
    const size = Math.abs(side);
    const sidePower = size > 0.5 ? Math.min(size, 1) : 0;
    const direction = side < 0 ? -1 : 1;
    episodes[episode + MAIN_POWER] = mainPower;
    episodes[episode + SIDE_POWER] = direction * sidePower;
    if (mainPower === 0 && sidePower === 0) return;
    const tipX = sin(angle);
    const tipY = cos(angle);
    const x = floats[record + X]!;
    const y = floats[record + Y]!;
    if (mainPower > 0) {
      const ox = tipX * (MAIN_ENGINE_Y / SCALE + 2 * d0) + -tipY * d1;
      const oy = -tipY * (MAIN_ENGINE_Y / SCALE + 2 * d0) - tipX * d1;
      this.#push(record, -ox * MAIN_ENGINE * mainPower, -oy * MAIN_ENGINE * mainPower, x + ox, y + oy);
    }
    if (sidePower > 0) {
      const across = 3 * d1 + (direction * SIDE_ENGINE_AWAY) / SCALE;
      const ox = tipX * d0 + -tipY * across;
      const oy = -tipY * d0 - tipX * across;
      const atX = x + ox - (tipX * 17) / SCALE; // 17, not SIDE_ENGINE_HEIGHT: so it is in Gymnasium
      const atY = y + oy + (tipY * SIDE_ENGINE_HEIGHT) / SCALE;
      this.#push(record, -ox * SIDE_ENGINE * sidePower, -oy * SIDE_ENGINE * sidePower, atX, atY);
    }
  }

  /** An impulse (jx, jy) on the lander at a point, in float32 as Box2D applies it. */
  #push(record: number, jx: number, jy: number, x: number, y: number): void {
    const floats = this.#floats;
    const impulseX = Math.fround(jx);
    const impulseY = Math.fround(jy);
    const armX = Math.fround(Math.fround(x) - floats[record + CX]!);
    const armY = Math.fround(Math.fround(y) - floats[record + CY]!);
    floats[record + VX]! += Math.fround(INV_MASS * impulseX);
    floats[record + VY]! += Math.fround(INV_MASS * impulseY);
    floats[record + OMEGA]! += Math.fround(INV_INERTIA * Math.fround(Math.fround(armX * impulseY) - Math.fround(armY * impulseX)));
  }

  /** Writes the observation of world i; returns its shaping. */
  #observe(i: number): number {
    const floats = this.#floats;
    const record = this.#records[i]!;
    const { obs } = this;
    const at = i * OBS_DIM;
    const x = (floats[record + X]! - HALF_WIDTH) / HALF_WIDTH;
    const y = (floats[record + Y]! - (HELIPAD_Y + LEG_DOWN / SCALE)) / HALF_HEIGHT;
    const vx = (floats[record + VX]! * HALF_WIDTH) / FPS;
    const vy = (floats[record + VY]! * HALF_HEIGHT) / FPS;
    const angle = floats[record + ANGLE]!;
    const leg1 = floats[record + TOUCHED + 1]!;
    const leg2 = floats[record + TOUCHED + 2]!;
    obs[at] = x;
    obs[at + 1] = y;
    obs[at + 2] = vx;
    obs[at + 3] = vy;
    obs[at + 4] = angle;
    obs[at + 5] = (20 * floats[record + OMEGA]!) / FPS;
    obs[at + 6] = leg1;
    obs[at + 7] = leg2;
    return -100 * Math.sqrt(x * x + y * y) - 100 * Math.sqrt(vx * vx + vy * vy) - 100 * Math.abs(angle) + 10 * leg1 + 10 * leg2;
  }

  /** Observation, reward and end of world i after a step. */
  #judge(i: number): void {
    const floats = this.#floats;
    const record = this.#records[i]!;
    const episodes = this.#episodes;
    const episode = i * EPISODE;
    const shaping = this.#observe(i);
    let reward = shaping - episodes[episode + SHAPING]!;
    episodes[episode + SHAPING] = shaping;
    reward -= episodes[episode + MAIN_POWER]! * 0.3;
    reward -= Math.abs(episodes[episode + SIDE_POWER]!) * 0.03;
    const lost = floats[record + TOUCHED] !== 0 || Math.abs((floats[record + X]! - HALF_WIDTH) / HALF_WIDTH) >= 1;
    const resting = floats[record + AWAKE] === 0;
    this.reward[i] = resting ? 100 : lost ? -100 : reward;
    this.terminated[i] = lost || resting ? 1 : 0;
  }

  override state(i: number, out: Float64Array): void {
    out.set(this.#episodes.subarray(i * EPISODE, (i + 1) * EPISODE));
    const record = this.#records[i]!;
    out.set(this.#floats.subarray(record, record + WORDS), EPISODE);
    out.fill(0, EPISODE + CONTACTS + CONTACT * this.#floats[record + COUNT]!, LUNAR_LANDER_STATE); // what contacts of the past have left
  }

  override setState(i: number, state: ArrayLike<number>): void {
    const record = this.#records[i]!;
    for (let k = 0; k < EPISODE; k++) this.#episodes[i * EPISODE + k] = state[k]!;
    for (let k = EPISODE; k < LUNAR_LANDER_STATE; k++) this.#floats[record + k - EPISODE] = state[k]!;
    this.#floats[record + GRAVITY] = this.#options.gravity;
    this.#solver.ground(4 * record);
    this.#observe(i);
  }

  /** Heights of the terrain at x = 0, 2, ..., 20 m. */
  override scene(i: number, out: Float32Array): void {
    const record = this.#records[i]!;
    for (let k = 0; k < CHUNKS; k++) out[k] = this.#floats[record + HEIGHTS + k]!;
  }

  /** x, y, angle of the lander, the leg made first (the right one), the other; powers of main and side engine, left negative. */
  override frame(i: number, out: Float32Array): void {
    for (let b = 0; b < 3; b++) {
      const body = this.#records[i]! + b * BODY;
      out[3 * b] = this.#floats[body + X]!;
      out[3 * b + 1] = this.#floats[body + Y]!;
      out[3 * b + 2] = this.#floats[body + ANGLE]!;
    }
    out[9] = this.#episodes[i * EPISODE + MAIN_POWER]!;
    out[10] = this.#episodes[i * EPISODE + SIDE_POWER]!;
  }
}

/** Between −1 and 1, and never periodic. */
function gust(index: number): number {
  return tanh(sin(0.02 * index) + sin(Math.PI * 0.01 * index));
}

/** n worlds; `options` are resolved. */
export function makeLunarLander(id: string, options: LunarLanderOptions, n: number, run: RunOptions = {}): VecEnv {
  return new LunarLander(id, options, n, run);
}
