import { overridesText } from './cells.ts';
import { METRICS } from './metrics.ts';
import type { Report } from './report.ts';

const HEADER = ['scenario', 'strategy', 'overrides', 'metric', 'unit', 'mean', 'std', 'n', 'asked', 'failed'];

/** One line per arm and metric, numbers at full precision, empty where there is none (RFC 4180, lines end in LF). Counts are of training seeds. */
export function csvReport(report: Report): string {
  const lines = report.tables.flatMap(({ scenario, rows }) =>
    rows.flatMap((row) =>
      METRICS.map(({ key, unit }) => {
        const { mean = null, std = null, n = 0 } = row.cells[key] ?? {};
        return [scenario, row.strategy, overridesText(row.overrides), key, unit, mean, std, n, row.asked, row.failed];
      }),
    ),
  );
  return [HEADER, ...lines].map((line) => `${line.map(field).join(',')}\n`).join('');
}

const field = (value: string | number | null): string => {
  const text = value === null ? '' : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};
