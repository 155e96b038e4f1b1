/** A closed interval over a float32 observation; `null` is an open end. */
export type Interval = readonly [low: number | null, high: number | null];

/** Where every named component lies in its interval, the named actions are forbidden. A constraint is a list of rules: a union of boxes. */
export interface Rule {
  readonly where: Readonly<Record<string, Interval>>;
  readonly forbid: readonly string[];
}

/** An environment with its options, plus a constraint. An empty list of rules is the bare environment. */
export interface Scenario {
  readonly environment: string;
  /** What differs from the environment's defaults. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly rules: readonly Rule[];
}

/** Thresholds were calibrated on trained policies. */
export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  // Pushing a tilting pole further over. Stock CartPole never leaves ±0.09 rad once trained: hence the wider world and the impulses.
  'cartpole/angle': {
    environment: 'CartPole-v1',
    options: { resetAngle: 0.2, thetaLimit: 0.418, impulse: { every: 50, thetaDot: 1.0 } },
    rules: [
      { where: { theta: [0.08, null] }, forbid: ['left'] },
      { where: { theta: [null, -0.08] }, forbid: ['right'] },
    ],
  },
};
