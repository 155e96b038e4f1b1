/** Takes back what was to happen later; harmless when it has happened. */
export type Stop = () => void;

/** Time as an argument, so that a simulation can bring its own; only what waits needs it. */
export abstract class Clock {
  /** Whole milliseconds, as servers want them; never runs backwards. */
  abstract now(): number;
  abstract after(ms: number, work: () => void): Stop;

  every(ms: number, work: () => void): Stop {
    let stop: Stop = () => {};
    const arm = (): void => {
      stop = this.after(ms, () => {
        arm();
        work();
      });
    };
    arm();
    return () => stop();
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.after(ms, resolve));
  }

  /** What `work` gives, or null when that takes longer. No timer is left behind. */
  within<T>(ms: number, work: Promise<T>): Promise<T | null> {
    return new Promise((resolve, reject) => {
      const stop = this.after(ms, () => resolve(null));
      work.then(resolve, reject).finally(stop);
    });
  }
}

class SystemClock extends Clock {
  now(): number {
    return Math.floor(performance.now());
  }

  after(ms: number, work: () => void): Stop {
    const timer = setTimeout(work, ms);
    return () => clearTimeout(timer);
  }
}

export const systemClock: Clock = new SystemClock();
