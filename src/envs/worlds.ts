import { Pcg64 } from '../math/rng/pcg64.ts';
import type { RunOptions, VecEnv } from './vecenv.ts';

/** What a world's file says of itself. */
type Size = Pick<VecEnv, 'id' | 'n' | 'obsDim' | 'actions' | 'continuous' | 'maxSteps' | 'sceneSize' | 'frameSize'> & RunOptions;

/**
 * What all worlds share: episodes, the time limit, restarts. A world's own file adds its dynamics, for all n at once.
 * A class with the arrays taken into locals before each loop, not closures over them: as soon as a process has made several worlds,
 * closures run at 60 % of this speed.
 */
export abstract class Worlds implements VecEnv {
  readonly id: string;
  readonly n: number;
  readonly obsDim: number;
  readonly actions: number;
  readonly continuous: boolean;
  readonly maxSteps: number;
  readonly sceneSize: number;
  readonly frameSize: number;
  readonly obs: Float32Array;
  readonly finalObs: Float32Array;
  readonly reward: Float64Array;
  readonly terminated: Uint8Array;
  readonly truncated: Uint8Array;
  readonly ended: Uint8Array;
  readonly episodeReturn: Float64Array;
  readonly episodeLength: Int32Array;
  readonly action: Int32Array;
  readonly continuousAction: Float32Array;
  /** [n], steps done in the running episode; during `advance` without the one it makes. */
  protected readonly elapsed: Int32Array;
  /** [n], a generator per world, so that a world's episodes do not depend on n. */
  protected readonly rng: readonly Pcg64[];
  readonly #runningReturn: Float64Array;
  readonly #autoreset: boolean;
  #started = false;

  constructor({ id, n, obsDim, actions, continuous, maxSteps, sceneSize, frameSize, autoreset = true }: Size) {
    if (!(Number.isInteger(n) && n >= 1)) throw new RangeError(`${id}: expected a number of worlds from 1 up, got ${n}`);
    this.id = id;
    this.n = n;
    this.obsDim = obsDim;
    this.actions = actions;
    this.continuous = continuous;
    this.maxSteps = maxSteps;
    this.sceneSize = sceneSize;
    this.frameSize = frameSize;
    this.#autoreset = autoreset;
    this.obs = new Float32Array(n * obsDim);
    this.finalObs = new Float32Array(n * obsDim);
    this.reward = new Float64Array(n);
    this.terminated = new Uint8Array(n);
    this.truncated = new Uint8Array(n);
    this.ended = new Uint8Array(n);
    this.episodeReturn = new Float64Array(n);
    this.episodeLength = new Int32Array(n);
    this.action = new Int32Array(continuous ? 0 : n);
    this.continuousAction = new Float32Array(continuous ? n * actions : 0);
    this.elapsed = new Int32Array(n);
    this.rng = Array.from({ length: n }, () => new Pcg64(0));
    this.#runningReturn = new Float64Array(n);
  }

  /** Moves all worlds one timestep: reads the actions and `elapsed`, writes `obs`, `reward` and `terminated`. */
  protected abstract advance(): void;
  /** Draws the initial state of world i from its generator and writes its row of `obs`. */
  protected abstract start(i: number): void;
  abstract state(i: number, out: Float64Array): void;
  /** Writes the row of `obs`, too. */
  abstract setState(i: number, state: ArrayLike<number>): void;
  abstract frame(i: number, out: Float32Array): void;

  scene(_i: number, _out: Float32Array): void {
    // most worlds look the same in every episode
  }

  reset(seed: number | bigint): void {
    this.#restart((i) => (typeof seed === 'bigint' ? seed + BigInt(i) : seed + i));
  }

  resetEach(seeds: ArrayLike<number | bigint>): void {
    if (seeds.length !== this.n) throw new RangeError(`${this.id}.resetEach: expected ${this.n} seeds, got ${seeds.length}`);
    this.#restart((i) => seeds[i]!);
  }

  #restart(seed: (i: number) => number | bigint): void {
    for (let i = 0; i < this.n; i++) this.rng[i]!.seed(seed(i));
    for (let i = 0; i < this.n; i++) this.start(i);
    const { reward, terminated, truncated, ended, elapsed } = this;
    for (const array of [reward, terminated, truncated, ended, elapsed, this.#runningReturn]) array.fill(0);
    this.#started = true;
  }

  step(): void {
    if (!this.#started) throw new Error(`${this.id}.step: expected a reset first`);
    const { n, obsDim, maxSteps, obs, finalObs, reward, terminated, truncated, ended, elapsed } = this;
    const runningReturn = this.#runningReturn;
    const autoreset = this.#autoreset;
    this.#check();
    this.advance();
    for (let i = 0; i < n; i++) {
      const length = elapsed[i]! + 1;
      const sum = runningReturn[i]! + reward[i]!;
      const late = length >= maxSteps ? 1 : 0;
      const over = late | terminated[i]!;
      truncated[i] = late;
      ended[i] = over;
      elapsed[i] = length;
      runningReturn[i] = sum;
      if (over === 0) continue;
      this.episodeReturn[i] = sum;
      this.episodeLength[i] = length;
      for (let k = i * obsDim; k < (i + 1) * obsDim; k++) finalObs[k] = obs[k]!;
      if (!autoreset) continue;
      elapsed[i] = 0;
      runningReturn[i] = 0;
      this.start(i);
    }
  }

  #check(): void {
    const { id, n, actions, action, continuousAction, ended } = this;
    for (let i = 0; i < action.length; i++) {
      if (action[i]! >>> 0 >= actions)
        throw new RangeError(`${id}.step: expected an action from 0 to ${actions - 1}, got ${action[i]} in world ${i}`);
    }
    for (let k = 0; k < continuousAction.length; k++) {
      if (!Number.isFinite(continuousAction[k]))
        throw new RangeError(`${id}.step: expected finite numbers, got ${continuousAction[k]} in world ${Math.floor(k / actions)}`);
    }
    if (this.#autoreset) return;
    for (let i = 0; i < n; i++) if (ended[i]) throw new Error(`${id}.step: world ${i} has ended; reset it first`);
  }
}
