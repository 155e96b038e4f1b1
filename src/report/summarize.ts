import { op, table } from './arquero.ts';
import type { Metric } from './metrics.ts';
import type { TrialRecord } from './records.ts';

/** One training seed of a row of the table: the unit of every statistic. */
export interface SeedLine {
  readonly seed: number;
  /** Counts of trials. */
  readonly asked: number;
  readonly ok: number;
  readonly failed: number;
  /** By metric key, null where no trial has a number. */
  readonly values: Readonly<Record<string, number | null>>;
}

/**
 * The training seeds of each row, by the key that `rowOf` gives a record, rows and seeds in the order in which they come. Within a seed the
 * correction seeds of an arm are averaged first and then the arms, so that every arm and every seed weighs the same.
 */
export function seedLines(
  records: readonly TrialRecord[],
  rowOf: (record: TrialRecord) => string,
  metrics: readonly Metric[],
): Map<string, SeedLine[]> {
  const keys = metrics.map(({ key }) => key);
  const each = <T>(make: (key: string) => T): Record<string, T> => Object.fromEntries(keys.map((key) => [key, make(key)]));
  const counts = { asked: op.sum('asked'), ok: op.sum('ok'), failed: op.sum('failed') };
  const [rowIds, armIds] = [numbering(), numbering()];
  const rowNames: string[] = [];
  const row = records.map((record) => {
    const name = rowOf(record);
    const id = rowIds(name);
    rowNames[id] = name;
    return id;
  });
  const column = (of: (record: TrialRecord) => number): Float64Array => {
    const values = new Float64Array(records.length);
    for (const [i, record] of records.entries()) values[i] = of(record);
    return values;
  };
  const lines = table({
    row,
    arm: records.map(({ trial }) => armIds(trial.arm)),
    seed: column(({ trial }) => trial.seed),
    asked: column(() => 1),
    ok: column(({ state }) => (state === 'ok' ? 1 : 0)),
    failed: column(({ state }) => (state === 'failed' ? 1 : 0)),
    ...each((key) => column(({ values }) => values[key] ?? Number.NaN)), // which op.mean leaves out
  })
    .groupby('row', 'seed', 'arm')
    .rollup({ ...counts, ...each((key) => op.mean(key)) })
    .groupby('row', 'seed')
    .rollup({ ...counts, ...each((key) => op.mean(key)) })
    .objects() as (Record<'row' | 'seed' | 'asked' | 'ok' | 'failed', number> & Record<string, unknown>)[];
  const rows = new Map<string, SeedLine[]>();
  for (const { row, seed, asked, ok, failed, ...means } of lines) {
    const line = { seed, asked, ok, failed, values: each((key) => finite(means[key])) };
    const name = rowNames[row] ?? '';
    const there = rows.get(name);
    if (there) there.push(line);
    else rows.set(name, [line]);
  }
  return rows;
}

/** 0, 1, 2, ... for texts in the order in which they first come: numbers are grouped sooner than texts. */
function numbering(): (text: string) => number {
  const ids = new Map<string, number>();
  return (text) => {
    const id = ids.get(text) ?? ids.size;
    ids.set(text, id);
    return id;
  };
}

const finite = (x: unknown): number | null => (typeof x === 'number' && Number.isFinite(x) ? x : null);
