import { digestsOf, overridesText, type Sheet, seedState } from './cells.ts';
import { columnsOf, type Report } from './report.ts';

type Field = string | number | null;

/** Numbers at full precision, empty where there is none (RFC 4180, lines end in LF). */
export const csvReport = (report: Report, sheet: Sheet = 'summary'): string =>
  SHEETS[sheet](report)
    .map((line) => `${line.map(field).join(',')}\n`)
    .join('');

const SHEETS: Readonly<Record<Sheet, (report: Report) => Field[][]>> = {
  /** One line per row and metric. Counts are of training seeds; differences are to `baseline`. */
  summary: ({ tables, baseline }) => [
    ['scenario', 'strategy', 'overrides', 'metric', 'unit', 'mean', 'std', 'iqm', 'n', 'asked', 'failed'].concat([
      'baseline',
      'difference',
      'differenceStd',
      'differenceLow',
      'differenceHigh',
      'pairs',
    ]),
    ...tables.flatMap((table) =>
      table.rows.flatMap((row) =>
        table.columns.map((key) => {
          const { unit = '', mean = null, std = null, iqm = null, n = 0, difference: d = null } = row.cells[key] ?? {};
          const arm = [table.scenario, row.strategy, overridesText(row.overrides), key, unit];
          const compared = d ? [baseline, d.mean, d.std, d.low, d.high, d.n] : Array<null>(6).fill(null);
          return [...arm, mean, std, iqm, n, row.asked, row.failed, ...compared];
        }),
      ),
    ),
  ],
  /** One line per row, training seed and metric. Counts are of trials. */
  seeds: ({ tables }) => [
    ['scenario', 'strategy', 'overrides', 'seed', 'state', 'asked', 'ok', 'failed', 'metric', 'unit', 'value', 'policies', 'basePolicies'],
    ...tables.flatMap((table) =>
      table.rows.flatMap((row) =>
        (row.seeds ?? []).flatMap((line) => {
          const arm = [
            table.scenario,
            row.strategy,
            overridesText(row.overrides),
            line.seed,
            seedState(line),
            line.asked,
            line.ok,
            line.failed,
          ];
          const digests = [digestsOf(line, 'policy').join(' '), digestsOf(line, 'basePolicy').join(' ')];
          return columnsOf(table).map(({ key, unit }) => [...arm, key, unit, line.values[key] ?? null, ...digests]);
        }),
      ),
    ),
  ],
  unfinished: ({ unfinished }) => [
    ['scenario', 'strategy', 'overrides', 'seed', 'correctionSeed', 'state', 'why', 'engine'],
    ...unfinished.map((u) => [u.scenario, u.strategy, overridesText(u.overrides), u.seed, u.correctionSeed, u.state, u.why, u.engine]),
  ],
};

function field(value: Field): string {
  const text = value === null ? '' : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
