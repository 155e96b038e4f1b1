import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { writeWhole } from '../coordinator/disk.ts';
import { loadFrozen } from '../coordinator/load.ts';
import { explainEmpty, parseWhere, type Subject } from '../coordinator/where.ts';
import { askedOf } from './asked.ts';
import type { Sheet } from './cells.ts';
import { type Comparison, makeComparison, type Question } from './compare.ts';
import { csvReport } from './csv.ts';
import { jsonReport } from './json.ts';
import { markdownReport } from './markdown.ts';
import { chooseMetrics } from './metrics.ts';
import { readWays } from './partings.ts';
import { readRecords, type TrialRecord } from './records.ts';
import { makeReport, type Report } from './report.ts';
import { readSource } from './source.ts';
import { printReport } from './terminal.ts';
import { texReport } from './tex.ts';
import { type ViewOptions, viewOf } from './view.ts';

/** No trial meets the filter. */
export class NothingSelected extends Error {}

/** A results folder that was read: what it looks like to whom. */
type Reporter = (options: Omit<ViewOptions, 'metrics'>) => Report;

/** The trials of a results folder, from its frozen sweep, its rows and their provenance. Reads, never writes. */
async function readResults(folder: string, metrics: ViewOptions['metrics']): Promise<Reporter> {
  const columns = chooseMetrics(metrics); // before what takes time
  const { sweep } = loadFrozen(folder);
  const asked = askedOf(sweep);
  const found = await readRecords(asked, readSource(folder, asked), columns);
  return (options) => {
    const records = choose(found.records, options.where ?? '');
    const trials = records.map(({ trial }) => trial);
    return makeReport(sweep.name, { ...found, records }, viewOf({ ...options, metrics }, sweep, trials));
  };
}

/** Throws NothingSelected when none meets the filter. */
function choose(records: readonly TrialRecord[], where: string): readonly TrialRecord[] {
  const terms = parseWhere(where);
  if (terms.length === 0) return records;
  const chosen = records.filter((record) => terms.every((term) => term.matches(subject(record))));
  if (chosen.length === 0) throw new NothingSelected(explainEmpty(terms, records.map(subject)));
  return chosen;
}

/** Most filters read neither id nor spec. */
const subject = ({ trial, state }: TrialRecord): Subject => ({
  get id() {
    return trial.id;
  },
  get spec() {
    return trial.spec;
  },
  scenario: trial.scenario,
  state,
});

/** The tables of a results folder. Throws ConfigError for names that are not there, NothingSelected for a filter that nothing meets. */
export const readReport = async (folder: string, options: ViewOptions = {}): Promise<Report> =>
  (await readResults(folder, options.metrics))(options);

/** What stands along an axis without being asked for: what a correction is judged by, and what it costs. */
const COMPARED = ['fe', 'finalFe', 'worstCase', 'closedLoop', 'rsi', 'timeOverhead'];

/** Arms of a results folder side by side. Reads, never writes; throws as `readReport` does. */
export async function readComparison(folder: string, question: Question & Pick<ViewOptions, 'metrics'>): Promise<Comparison> {
  const columns = chooseMetrics(question.metrics ?? COMPARED);
  const { sweep } = loadFrozen(folder);
  const asked = askedOf(sweep);
  const found = await readRecords(asked, readSource(folder, asked), columns);
  const records = choose(found.records, question.where ?? '');
  return makeComparison(sweep.name, { ...found, records }, await readWays(folder), question);
}

/** What every view but the terminal's is called as a file, and in `--format`. */
export const FORMATS: Readonly<Record<'md' | 'csv' | 'tex' | 'json', (report: Report, sheet?: Sheet) => string>> = {
  md: markdownReport,
  csv: csvReport,
  tex: texReport,
  json: jsonReport,
};

/** Writes tables/table.md, .csv, .tex and .json, each whole or not at all. Returns the text for a terminal. */
export async function writeTables(folder: string): Promise<string> {
  const reportFor = await readResults(folder, undefined);
  const report = reportFor({});
  const tables = join(folder, 'tables');
  await mkdir(tables, { recursive: true });
  for (const [format, print] of Object.entries(FORMATS)) await writeWhole(join(tables, `table.${format}`), print(report));
  return printReport(reportFor({ baseline: null }));
}
