import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { duration, Progress, type ProgressOptions } from '../../src/cli/progress.ts';
import type { JobResult } from '../../src/contract/job.ts';
import type { Forecast, Remaining } from '../../src/coordinator/forecast.ts';

let written: string;
beforeEach(() => {
  written = '';
  vi.useFakeTimers();
});
afterEach(() => vi.useRealTimers());

const tally = () => ({ trials: 10, bases: 2, done: { trial: 4, base: 2 }, failed: { trial: 1, base: 0 } });
const make = (options: Partial<ProgressOptions> = {}, isTTY = false, columns = 60): Progress => {
  const write = (text: string | Uint8Array): boolean => {
    written += String(text);
    return true;
  };
  const stream = { write, columns, isTTY };
  return new Progress({
    name: 'quick',
    tally: tally(),
    slots: 2,
    threads: () => 2,
    running: () => [{ id: 'a', share: 0.4321, ms: 5000 }],
    others: () => '',
    quiet: false,
    stream,
    env: {},
    ...options,
  });
};
/** That always says the same, or counts down. */
const saying = (left: Remaining | null | (() => Remaining)): Forecast =>
  ({ left: typeof left === 'function' ? left : () => left, row: () => {} }) as unknown as Forecast;
const finished = { row: { id: 'a', ok: true }, provenance: { attempt: 1, wallMs: 1 } } as unknown as JobResult;

describe('Progress', () => {
  it('writes a line when it knows how long it takes, every 30 s, and at the end where there is no terminal', () => {
    const progress = make();
    expect(written).toBe('');
    progress.forecast(saying({ ms: 83_000, atLeast: false }));
    vi.advanceTimersByTime(61_000);
    progress.end();
    vi.advanceTimersByTime(61_000);
    const counts = 'quick: 4/10 trials, 1 failed, 2/2 bases';
    const lines = ['', ' in 30 s', ' in 60 s', ' in 61 s'].map((spent) => `${counts}${spent}, about 83 s left, at 43 %\n`);
    expect(written).toBe(lines.join(''));
    expect(written).not.toMatch(/[^\x20-\x7e\n]/); // no control characters in a log
  });

  it('rewrites one line on a terminal, without what does not fit, the running jobs first', () => {
    const line = (columns: number): string => {
      written = '';
      const progress = make({}, true, columns);
      progress.forecast(saying({ ms: 5000, atLeast: true }));
      vi.advanceTimersByTime(1000);
      progress.end();
      return written.split('\x1b[2K').at(-2) ?? '';
    };
    const counts = 'quick: 4/10 trials, 1 failed, 2/2 bases';
    expect(line(80)).toBe(`${counts} in 1 s, at least 5 s left, at 43 %\r`);
    expect(line(70)).toBe(`${counts} in 1 s, at least 5 s left\r`);
    expect(line(62)).toBe(`${counts}, at least 5 s left\r`);
    expect(line(50)).toBe(`${counts}\r`);
    expect(line(20)).toBe(`${counts.slice(0, 19)}\r`);
  });

  it('shortens a long name rather than leave out what is left', () => {
    const progress = make({ name: 'a-name-of-a-sweep-that-says-all-that-is-asked-in-it' });
    progress.forecast(saying({ ms: 5000, atLeast: false }));
    expect(progress.line(79)).toBe('a-name-of-a-sweep-that-says-…: 4/10 trials, 1 failed, 2/2 bases, about 5 s left');
  });

  it('keeps what must be said above its line', () => {
    const progress = make({ running: () => [] }, true);
    progress.note('a warning');
    progress.end();
    const line = 'quick: 4/10 trials, 1 failed, 2/2 bases, 0 running';
    const erase = '\r\x1b[2K';
    expect(written).toBe(`${erase}${line}${erase}a warning\n${erase}${line}${erase}${line}\n`);
  });

  it.each([[{ TERM: 'dumb' }], [{ CI: 'true' }]])('does not animate under %j', (env) => {
    make({ env }, true).end();
    expect(written).not.toContain('\x1b');
  });

  it('is quiet when asked, but for what must be said', () => {
    const progress = make({ quiet: true }, true);
    vi.advanceTimersByTime(61_000);
    progress.note('a warning');
    progress.end();
    expect(written).toBe('a warning\n');
  });

  it('says long times in minutes, and longer ones in hours', () => {
    const progress = make();
    const left = (ms: number): string | undefined => {
      progress.forecast(saying({ ms, atLeast: false }));
      return progress.line().match(/about (.*) left/)?.[1];
    };
    expect([left(119_000), left(1_000_000), left(7_500_000)]).toEqual(['119 s', '17 min', '2 h 5 min']);
  });

  it('never says that nothing is left while there is work', () => {
    const progress = make();
    for (const ms of [0, 1, 400, 1400]) {
      progress.forecast(saying({ ms, atLeast: false }));
      expect(progress.line()).toContain(', about 1 s left');
    }
  });

  it('says nothing of a time that nobody knows, nor where nobody computes', () => {
    const progress = make();
    progress.forecast(saying(null));
    expect(progress.line()).not.toContain('left');
    expect(written).toBe('');
    const alone = make({ slots: 0, threads: () => 0, running: () => [], others: () => '0 workers, 0 slots' });
    alone.forecast(saying({ ms: 5000, atLeast: false }));
    expect(alone.line()).toBe('quick: 4/10 trials, 1 failed, 2/2 bases, 0 workers, 0 slots');
    const all = { trials: 10, bases: 2, done: { trial: 10, base: 2 }, failed: { trial: 0, base: 0 } };
    const checked = make({ tally: all, slots: 0, others: () => '2 workers, 4 slots', checking: () => 3 });
    expect(checked.line()).toBe('quick: 10/10 trials, 2/2 bases, 3 being checked'); // why it does not end yet
  });

  it('says at a broker how long it takes, as long as somebody computes', () => {
    const progress = make({ slots: 0, threads: () => 6, others: () => '3 workers, 6 slots' });
    progress.forecast(saying({ ms: 5000, atLeast: false }));
    vi.advanceTimersByTime(2000);
    expect(progress.line()).toBe('quick: 4/10 trials, 1 failed, 2/2 bases in 2 s, about 5 s left, 3 workers, 6 slots');
  });

  it('tells its forecast of the rows that came before it, and of those that come', () => {
    const progress = make();
    const told: unknown[] = [];
    progress.row(finished);
    progress.forecast({ left: () => null, row: (row: unknown) => told.push(row) } as unknown as Forecast);
    progress.row(finished);
    expect(told).toEqual([finished, finished]);
  });

  it('names the shares of few running jobs, and the number of many', () => {
    const running = (n: number) => () => Array.from({ length: n }, (_, i) => ({ id: `${i}`, share: 0.999, ms: 1 }));
    expect(make({ running: running(4) }).line()).toContain(', at 99 %, 99 %, 99 %, 99 %');
    expect(make({ running: running(5) }).line()).toMatch(/, 5 running$/);
  });

  it('says at the end how long it took, where there was work', () => {
    const full = { trials: 10, bases: 2, done: { trial: 10, base: 2 }, failed: { trial: 0, base: 0 } };
    const [idle, worked] = [make({ tally: full }), make({ tally: full })];
    worked.row(finished);
    vi.advanceTimersByTime(28_000);
    expect([idle.line(), worked.line()]).toEqual(['quick: 10/10 trials, 2/2 bases', 'quick: 10/10 trials, 2/2 bases in 28 s']);
  });

  it('tells what it waits for when it drains', () => {
    const progress = make();
    progress.drain();
    expect(progress.line()).toBe('quick: 4/10 trials, 1 failed, 2/2 bases, 1 running to their end');
  });
});

describe('duration(ms)', () => {
  it.each([
    [999, '1 s'],
    [59_400, '59 s'],
    [200_000, '3 min 20 s'],
    [7_500_000, '2 h 5 min'],
  ])('%i is %s', (ms, text) => {
    expect(duration(ms)).toBe(text);
  });
});
