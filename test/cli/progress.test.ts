import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { duration, Progress, type ProgressOptions } from '../../src/cli/progress.ts';
import type { JobResult } from '../../src/contract/job.ts';

let written: string;
beforeEach(() => {
  written = '';
  vi.useFakeTimers();
});
afterEach(() => vi.useRealTimers());

const tally = () => ({ trials: 10, bases: 2, done: { trial: 4, base: 2 }, failed: { trial: 1, base: 0 } });
const make = (options: Partial<ProgressOptions> = {}, isTTY = false): Progress => {
  const write = (text: string | Uint8Array): boolean => {
    written += String(text);
    return true;
  };
  const stream = { write, columns: 60, isTTY };
  return new Progress({
    name: 'quick',
    tally: tally(),
    slots: 2,
    threads: () => ({ busy: 2, done: 0.5 }),
    others: () => '',
    quiet: false,
    stream,
    env: {},
    ...options,
  });
};
const took = (kind: 'base' | 'trial', wallMs: number): JobResult => ({ kind, provenance: { attempt: 1, wallMs } }) as unknown as JobResult;

describe('Progress', () => {
  it('writes a line every 30 s and one at the end where there is no terminal', () => {
    const progress = make();
    vi.advanceTimersByTime(61_000);
    progress.end();
    vi.advanceTimersByTime(61_000);
    expect(written).toBe('quick: 4/10 trials, 1 failed, 2/2 bases, 2/2 threads busy\n'.repeat(3));
  });

  it('rewrites one line on a terminal, no wider than it', () => {
    const progress = make({}, true);
    vi.advanceTimersByTime(500);
    progress.note('a warning');
    progress.end();
    const line = 'quick: 4/10 trials, 1 failed, 2/2 bases, 2/2 threads busy';
    const erase = '\r\x1b[2K';
    expect(written).toBe(`${erase}${line}${erase}${line}${erase}a warning\n${erase}${line}${erase}${line}\n`);
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

  it('estimates what is left from the mean time of what is done', () => {
    const progress = make();
    expect(progress.line()).not.toContain('left');
    for (const ms of [50_000, 70_000]) progress.row(took('trial', ms));
    expect(progress.line()).toMatch(/, about 2 min 45 s left$/); // (6 * 60 s - half a trial) / 2 threads
  });

  it('says nothing of a time when a kind of job that is left was never seen', () => {
    const progress = make({ tally: { ...tally(), done: { trial: 4, base: 1 } } });
    progress.row(took('trial', 60_000));
    expect(progress.line()).not.toContain('left');
    progress.row(took('base', 60_000));
    expect(progress.line()).toContain('left');
  });

  it('tells what it waits for when it drains', () => {
    const progress = make();
    progress.drain();
    expect(progress.line()).toBe('quick: 4/10 trials, 1 failed, 2/2 bases, 2 running to their end');
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
