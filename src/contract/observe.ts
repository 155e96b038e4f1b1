/** The phases whose times provenance records; `curve`, `evaluate` and `overrun` are measurements and count as no overhead. */
export type Phase = 'train' | 'identify' | 'correct' | 'curve' | 'evaluate' | 'overrun';

/**
 * How pure code is watched from outside. It gives nothing back that could change a number:
 * the executor's clock stands behind `phase`, and `progress` may throw `AbortedError`.
 */
export interface Observe {
  /** Runs `work`; its time is charged to `name` and not to the phase around it. */
  phase<T>(name: Phase, work: () => T): T;
  progress(done: number, total: number): void;
}

/** Watches nothing. */
export const unobserved: Observe = { phase: (_name, work) => work(), progress: () => {} };
