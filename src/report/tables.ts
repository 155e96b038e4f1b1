import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { writeWhole } from '../coordinator/disk.ts';
import { expand } from '../coordinator/expand.ts';
import { loadSweep } from '../coordinator/load.ts';
import { csvReport } from './csv.ts';
import { markdownReport } from './markdown.ts';
import { readRecords, readSource } from './records.ts';
import { makeReport, type Report } from './report.ts';
import { printReport } from './terminal.ts';

/** The tables of a results folder, computed from its frozen sweep, its rows and their provenance. Reads, never writes. */
export async function readReport(folder: string): Promise<Report> {
  const { sweep } = loadSweep(join(folder, 'sweep.yaml'));
  const { records, strangers } = await readRecords(expand(sweep), readSource(folder));
  return makeReport(sweep.name, records, strangers);
}

/** Writes tables/main.md and tables/main.csv, each whole or not at all. Returns the text for a terminal. */
export async function writeTables(folder: string): Promise<string> {
  const report = await readReport(folder);
  const tables = join(folder, 'tables');
  await mkdir(tables, { recursive: true });
  await writeWhole(join(tables, 'main.md'), markdownReport(report));
  await writeWhole(join(tables, 'main.csv'), csvReport(report));
  return printReport(report);
}
