import { describe, expect, it } from 'vitest';
import type { JobResult } from '../../src/contract/job.ts';
import type { Expected, Prospect } from '../../src/coordinator/estimate.ts';
import { expand } from '../../src/coordinator/expand.ts';
import { Forecast } from '../../src/coordinator/forecast.ts';
import { sizer } from '../../src/coordinator/history.ts';
import { parseSweepText } from '../../src/coordinator/load.ts';

const planned = expand(
  parseSweepText('version: 1\nname: x\nseeds: 3\naxes: { scenario: [cartpole/angle], strategy: [none, tsf] }\n', 'x').sweep,
);
const sizes = sizer();
const ms = (median: number | null): Expected['ms'] => (median === null ? null : { low: median, median, high: median });
/** Bases take 10 s, `none` 1 s, `tsf` 4 s: 3 x 15 s. */
const prospect = (tsf: number | null = 4000, records = new Map<string, never[]>()): Pick<Prospect, 'trial' | 'base' | 'records'> => ({
  base: (trial) => ({ kind: sizes(trial).base, ms: ms(10_000) }),
  trial: (trial) => ({ kind: sizes(trial).trial, ms: ms(trial.strategy === 'none' ? 1000 : tsf) }),
  records,
});
const all = { trials: planned, bases: new Set(planned.map(({ baseId }) => baseId)) };
const row = (id: string, wallMs: number, { ok = true, attempt = 1 } = {}): Pick<JobResult, 'row' | 'provenance'> =>
  ({ row: { id, ok }, provenance: { attempt, wallMs } }) as unknown as JobResult;
const [none, tsf] = planned as [(typeof planned)[0], (typeof planned)[0]];

describe('Forecast', () => {
  it('left(…) is the plan before anything has happened', () => {
    expect(new Forecast(all, planned, prospect()).left([], 1)).toEqual({ ms: 45_000, atLeast: false });
    expect(new Forecast(all, planned, prospect()).left([], 2)?.ms).toBeLessThan(30_000);
  });

  it('left(…) counts what has no row: not what was there before, nor what has come', () => {
    const left = { trials: planned.slice(2), bases: new Set(planned.slice(2).map(({ baseId }) => baseId)) };
    const forecast = new Forecast(left, planned, prospect());
    expect(forecast.left([], 1)?.ms).toBe(30_000);
    forecast.row(row(planned[2]!.baseId, 10_000));
    expect(forecast.left([], 1)?.ms).toBe(20_000);
    forecast.row(row('a stranger', 1));
    expect(forecast.left([], 1)?.ms).toBe(20_000);
    for (const { id, baseId } of planned) for (const one of [id, baseId]) forecast.row(row(one, 1));
    expect(forecast.left([], 1)).toEqual({ ms: 0, atLeast: false });
  });

  it('left(…) follows how long jobs really take, those of a kind most', () => {
    const forecast = new Forecast(all, planned, prospect());
    forecast.row(row(none.baseId, 30_000)); // three times as long as expected
    const after = forecast.left([], 1)?.ms ?? 0;
    expect(after).toBeGreaterThan(35_000 * 1.5);
    expect(after).toBeLessThan(35_000 * 3);
    forecast.row(row(planned[2]!.baseId, 30_000));
    const once = forecast.left([], 1)?.ms ?? 0;
    expect(once).toBeGreaterThan(25_000 * 2);
  });

  it('left(…) believes records of a kind more than rates', () => {
    const records = new Map([[sizes(none).base.key, []]]);
    const [rated, recorded] = [prospect(), prospect(4000, records)].map((one) => {
      const forecast = new Forecast(all, planned, one);
      forecast.row(row(none.baseId, 20_000));
      return forecast.left([], 1)?.ms ?? 0;
    }) as [number, number];
    expect(recorded).toBeLessThan(rated);
  });

  it('left(…) does not learn from failures, nor from rows of trials that did not run', () => {
    const forecast = new Forecast(all, planned, prospect());
    forecast.row(row(none.baseId, 1, { ok: false }));
    forecast.row(row(none.id, 1, { ok: false, attempt: 0 }));
    forecast.row(row(tsf.id, 1, { ok: false, attempt: 0 }));
    expect(forecast.left([], 1)?.ms).toBe(30_000);
  });

  it('left(…) takes off what running jobs have done, and hears from them how long they take', () => {
    const forecast = new Forecast(all, planned, prospect());
    const at = (share: number, spent: number): number => forecast.left([{ id: none.baseId, share, ms: spent }], 1)?.ms ?? 0;
    expect(at(0.5, 5000)).toBe(40_000);
    expect(at(0, 4000)).toBe(41_000); // before it says how far it is, by the time
    expect(at(0.1, 10_000)).toBeGreaterThan(60_000); // ten times as slow as expected
  });

  it('left(…) is never nothing while a job runs, however late it is', () => {
    const [last] = planned.slice(-1);
    const forecast = new Forecast({ trials: [last!], bases: new Set() }, planned, prospect());
    for (const spent of [0, 4000, 10_000, 1e6]) expect(forecast.left([{ id: last!.id, share: 0, ms: spent }], 2)?.ms).toBeGreaterThan(0);
    expect(forecast.left([{ id: last!.id, share: 1, ms: 5000 }], 2)?.ms).toBeGreaterThan(0);
  });

  it('left(kinds of which nothing is known) is "at least", until one of them has finished', () => {
    const forecast = new Forecast(all, planned, prospect(null));
    expect(forecast.left([], 1)).toEqual({ ms: expect.closeTo(33_000), atLeast: true });
    forecast.row(row(tsf.id, 7000));
    expect(forecast.left([], 1)).toEqual({ ms: 33_000 + 14_000, atLeast: false });
    const trials = planned.filter(({ strategy }) => strategy === 'tsf');
    expect(new Forecast({ trials, bases: new Set() }, planned, prospect(null)).left([], 1)).toBeNull();
  });
});
