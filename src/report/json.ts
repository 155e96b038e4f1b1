import type { Report } from './report.ts';

/** `Report` as it is: full precision, null where there is no number. docs/tables.md says what its fields are. */
export const jsonReport = (report: Report): string => `${JSON.stringify(report, null, 2)}\n`;
