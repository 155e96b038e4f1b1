import { op, table } from 'arquero';
import { METRICS } from './metrics.ts';
import type { TrialRecord } from './records.ts';

/** Mean and sample standard deviation (÷(n-1)) over the n training seeds that have a number; null where they are not defined, never NaN. */
export interface Summary {
  readonly n: number;
  readonly mean: number | null;
  readonly std: number | null;
}

/** One row of the table. All counts are of training seeds. */
export interface ArmSummary {
  readonly arm: TrialRecord['arm'];
  readonly asked: number;
  /** With at least one finished trial. */
  readonly n: number;
  /** With at least one failed trial. */
  readonly failed: number;
  readonly metrics: Readonly<Record<string, Summary>>;
}

const rollup = <T>(make: (key: string) => Readonly<Record<string, T>>): Record<string, T> =>
  Object.assign({}, ...METRICS.map(({ key }) => make(key)));

/**
 * One row per arm, in the order in which the arms come. A training seed is one number: its correction seeds are averaged first,
 * so `std` is across training seeds. Failed seeds are counted, never dropped.
 */
export function summarize(records: readonly TrialRecord[]): ArmSummary[] {
  const is = (state: TrialRecord['state']): number[] => records.map((r) => (r.state === state ? 1 : 0));
  const rows = table({
    arm: records.map((r) => r.arm),
    seed: records.map((r) => r.seed),
    ok: is('ok'),
    failed: is('failed'),
    ...rollup((key) => ({ [key]: records.map((r) => r.values[key] ?? null) })),
  })
    .groupby('arm', 'seed')
    .rollup({ ok: op.max('ok'), failed: op.max('failed'), ...rollup((key) => ({ [key]: op.mean(key) })) })
    .groupby('arm')
    .rollup({
      asked: op.count(),
      n: op.sum('ok'),
      failed: op.sum('failed'),
      ...rollup((key) => ({ [`${key}.n`]: op.valid(key), [`${key}.mean`]: op.mean(key), [`${key}.std`]: op.stdev(key) })),
    })
    .objects() as (Omit<ArmSummary, 'metrics'> & Record<string, number | undefined>)[];
  return rows.map((row) => ({
    arm: row.arm,
    asked: row.asked,
    n: row.n,
    failed: row.failed,
    metrics: rollup((key) => ({ [key]: summary(row[`${key}.n`] ?? 0, row[`${key}.mean`], row[`${key}.std`]) })),
  }));
}

const summary = (n: number, mean: number | undefined, std: number | undefined): Summary => ({
  n,
  mean: n > 0 ? (mean ?? null) : null,
  std: n > 1 ? (std ?? null) : null,
});
