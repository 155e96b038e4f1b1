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
  const each = <T>(make: (key: string, i: number) => T): Record<string, T> => Object.fromEntries(keys.map((key, i) => [key, make(key, i)]));
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
    ...each((_, i) => column(({ values }) => values[i] ?? Number.NaN)), // which op.mean leaves out
  })
    .groupby('row', 'seed', 'arm')
    .rollup({ ...counts, ...each((key) => op.mean(key)) })
    .groupby('row', 'seed')
    .rollup({ ...counts, ...each((key) => op.mean(key)) });
  const numbers = (name: string): ArrayLike<number | undefined> => lines.array(name) as ArrayLike<number | undefined>;
  const [rows, seeds, asked, ok, failed] = ['row', 'seed', 'asked', 'ok', 'failed'].map(numbers);
  const means = keys.map((key) => [key, numbers(key)] as const);
  const found = new Map<string, SeedLine[]>();
  for (let i = 0; i < lines.numRows(); i++) {
    const at = (column: ArrayLike<number | undefined> | undefined): number => column?.[i] ?? 0;
    const values: Record<string, number | null> = {};
    for (const [key, column] of means) values[key] = finite(column[i]);
    const line = { seed: at(seeds), asked: at(asked), ok: at(ok), failed: at(failed), values };
    const name = rowNames[at(rows)] ?? '';
    const there = found.get(name);
    if (there) there.push(line);
    else found.set(name, [line]);
  }
  return found;
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
