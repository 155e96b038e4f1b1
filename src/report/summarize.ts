import { op, table } from './arquero.ts';
import type { Column, TrialRecord } from './records.ts';

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
  columns: readonly Column[],
): Map<string, SeedLine[]> {
  const keys = columns.map(({ metric }) => metric.key);
  const [rowIds, armIds] = [new Numbering(), new Numbering()];
  const column = (of: (record: TrialRecord) => number): Float64Array => {
    const values = new Float64Array(records.length);
    for (let i = 0; i < records.length; i++) values[i] = of(records[i] as TrialRecord);
    return values;
  };
  const ofTrials = table({
    row: column((record) => rowIds.of(rowOf(record))),
    arm: column(({ trial }) => armIds.of(trial.arm)),
    seed: column(({ trial }) => trial.seed),
    ok: column(({ state }) => (state === 'ok' ? 1 : 0)),
    failed: column(({ state }) => (state === 'failed' ? 1 : 0)),
    ...Object.fromEntries(columns.map(({ metric, values }) => [metric.key, column(({ at }) => values[at] ?? Number.NaN)])),
  });
  const sums = { ok: op.sum('ok'), failed: op.sum('failed') };
  const means = Object.fromEntries(keys.map((key) => [key, op.mean(key)])); // NaN is left out
  const ofArms = ofTrials.groupby('row', 'seed', 'arm').rollup({ asked: op.count(), ...sums, ...means });
  // Where every row is one arm, that is it.
  const lines =
    rowIds.names.length === armIds.names.length
      ? ofArms
      : ofArms.groupby('row', 'seed').rollup({ asked: op.sum('asked'), ...sums, ...means });
  const numbers = (name: string): ArrayLike<number | undefined> => lines.array(name) as ArrayLike<number | undefined>;
  const [rows, seeds, asked, ok, failed] = ['row', 'seed', 'asked', 'ok', 'failed'].map(numbers);
  const values = keys.map((key) => [key, numbers(key)] as const);
  const found = new Map<string, SeedLine[]>();
  for (let i = 0; i < lines.numRows(); i++) {
    const at = (column: ArrayLike<number | undefined> | undefined): number => column?.[i] ?? 0;
    const ofSeed: Record<string, number | null> = {};
    for (const [key, column] of values) ofSeed[key] = finite(column[i]);
    const line = { seed: at(seeds), asked: at(asked), ok: at(ok), failed: at(failed), values: ofSeed };
    const name = rowIds.names[at(rows)] ?? '';
    const there = found.get(name);
    if (there) there.push(line);
    else found.set(name, [line]);
  }
  return found;
}

/** 0, 1, 2, ... for texts in the order in which they first come: numbers are grouped sooner than texts. */
class Numbering {
  readonly names: string[] = [];
  readonly #ids = new Map<string, number>();

  of(name: string): number {
    const there = this.#ids.get(name);
    if (there !== undefined) return there;
    this.#ids.set(name, this.names.length);
    return this.names.push(name) - 1;
  }
}

const finite = (x: unknown): number | null => (typeof x === 'number' && Number.isFinite(x) ? x : null);
