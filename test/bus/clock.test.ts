import { describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../src/bus/clock.ts';

const never = new Promise<never>(() => {});

describe('systemClock', () => {
  it('now() is whole: a server refuses a pull that waits for a fraction of a millisecond', () => {
    expect(Number.isInteger(systemClock.now())).toBe(true);
  });

  it('within(ms, work) gives what work gives, its error, or null when it takes longer', async () => {
    expect(await systemClock.within(60_000, Promise.resolve(7))).toBe(7);
    await expect(systemClock.within(60_000, Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await systemClock.within(5, never)).toBeNull();
  });

  it('within(ms, work) leaves no timer behind, which would keep the process from ending', async () => {
    const clear = vi.spyOn(globalThis, 'clearTimeout');
    await systemClock.within(60_000, Promise.resolve());
    await systemClock.sleep(1);
    expect(clear).toHaveBeenCalledTimes(1);
    clear.mockRestore();
  });

  it('every(ms, work) goes on until it is stopped, from within too', async () => {
    let times = 0;
    await new Promise<void>((resolve) => {
      const stop = systemClock.every(2, () => {
        if (++times === 3) {
          stop();
          resolve();
        }
      });
    });
    await systemClock.sleep(20);
    expect(times).toBe(3);
  });
});
