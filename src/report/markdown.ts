import { cellText, LEGEND, overridesText, superscripts } from './cells.ts';
import { METRICS, type Metric, metricName } from './metrics.ts';
import { type Report, type Row, type ScenarioTable, strangersText } from './report.ts';
import { titleText } from './terminal.ts';

const GLOSSARY =
  'FE: forget effectiveness, 1 - area under p̄(u)/p̄(0) over the correction; final FE: the same at its end; worst case: largest π(T|s) over samples of the region; closed loop: P(a in T(s) | s in the region), sampled actions; RSI: retain stability, greedy; failed: seeds with a trial without numbers. The last three columns are shares of what training the base took: recording and correcting, measurements excluded.';

/** GitHub-flavoured Markdown: one table per scenario, and below it what the numbers are. */
export function markdownReport(report: Report): string {
  const tables = report.tables.map(markdownTable);
  return `${[`# ${plain(report.sweep)}`, ...tables, ...strangersText(report), LEGEND, GLOSSARY].join('\n\n')}\n`;
}

function markdownTable(table: ScenarioTable): string {
  const header = ['strategy', 'n', 'failed', ...METRICS.map((m) => `${metricName(m)} (${m.unit})`)];
  const rule = [':--', ...header.slice(1).map(() => '--:')];
  const lines = [header, rule, ...table.rows.map(cellsOf)].map((cells) => `| ${cells.join(' | ')} |`);
  const notes = table.notes.map((note, i) => `${superscripts([i + 1])} ${plain(note)}`);
  return [`## ${plain(table.scenario)}`, `${titleText(table)}.`, lines.join('\n'), ...(notes.length > 0 ? [notes.join('  \n')] : [])].join(
    '\n\n',
  );
}

const cellsOf = (row: Row): string[] => [
  [row.strategy, overridesText(row.overrides)]
    .filter((text) => text !== '')
    .map(plain)
    .join('<br>'),
  `${row.n}/${row.asked}${superscripts(row.marks)}`,
  String(row.failed),
  ...METRICS.map((metric) => number(row, metric)),
];

function number(row: Row, { key, decimals }: Metric): string {
  const cell = row.cells[key];
  if (!cell) return '';
  const { mean, std, marks } = cellText(cell, decimals);
  return `${plain(mean)}${std === '' ? '' : ` ± ${std}`}${marks}`;
}

/** What Markdown would read as its own. */
const plain = (text: string): string => text.replace(/[\\`*_<>|[\]]/g, (c) => (c === '<' ? '&lt;' : c === '>' ? '&gt;' : `\\${c}`));
