import { describe, expect, it } from 'vitest';
import { WorkLog } from '../../src/cli/worklog.ts';

const doing = (done: number, busy = 2, failed = 0) => ({ done, failed, busy, slots: 4 });

describe('WorkLog', () => {
  it('says what was done since the last time, and in all', () => {
    const log = new WorkLog(0);
    expect(log.line(doing(12), 60_000)).toBe('12 jobs in 1 min 0 s, 2 of 4 threads busy; 12 done so far');
    expect(log.line(doing(13, 0, 1), 120_000)).toBe('2 jobs in 1 min 0 s, 0 of 4 threads busy; 13 done, 1 failed so far');
  });

  it('shows a sign of life while a long job runs', () => {
    expect(new WorkLog(0).line(doing(0, 1), 60_000)).toBe('0 jobs in 1 min 0 s, 1 of 4 threads busy; 0 done so far');
  });

  it('says nothing for ten minutes where nothing is to be done', () => {
    const log = new WorkLog(0);
    for (let minute = 1; minute < 10; minute++) expect(log.line(doing(0, 0), 60_000 * minute)).toBeNull();
    expect(log.line(doing(0, 0), 600_000)).toBe('nothing to do for 10 min 0 s; 0 done so far');
    expect(log.line(doing(0, 0), 660_000)).toBeNull();
  });

  it('ends with a sum', () => {
    expect(new WorkLog(0).last(doing(120, 0, 3), 200_000)).toBe('leaves after 3 min 20 s: 120 done, 3 failed');
  });
});
