import { type CellText, glossary, legend, type Sheet, superscripts, titleText } from './cells.ts';
import { type Report, type ScenarioTable, strangersText } from './report.ts';
import { linesOf, type Page, pagesOf, unfinishedPage } from './sheets.ts';

/** GitHub-flavoured Markdown: the tables of each scenario, and below them what the numbers are. */
export function markdownReport(report: Report, sheet: Sheet = 'summary'): string {
  const title = `# ${plain(report.sweep)}`;
  if (sheet === 'unfinished') {
    const page = unfinishedPage(report);
    return join([title, page.rows.length > 0 ? pageText(page) : 'Every trial has numbers.']);
  }
  const said = [...strangersText(report), legend(report, sheet).map(plain).join('  \n'), `${plain(glossary(report))}.`];
  return join([title, ...report.tables.flatMap((table) => tableText(report, table, sheet)), ...said]);
}

const join = (paragraphs: readonly string[]): string => `${paragraphs.join('\n\n')}\n`;

function tableText(report: Report, table: ScenarioTable, sheet: Sheet): string[] {
  const pages = pagesOf(report, table, sheet).map((page, i) => (i === 0 ? pageText(page) : `${plain(page.caption)}:\n\n${pageText(page)}`));
  const notes = table.notes.map((note, i) => `${superscripts([i + 1])} ${plain(note)}`);
  return [
    `## ${plain(table.scenario)}`,
    `${plain(titleText(report, table))}.`,
    ...pages,
    ...(notes.length > 0 ? [notes.join('  \n')] : []),
  ];
}

function pageText({ header, rows }: Page): string {
  const rule = header.map((_, i) => (i === 0 ? ':--' : '--:'));
  const cells = rows.map((row) => row.map((cell) => linesOf(cell, cellText).join('<br>')));
  return [header.map(plain), rule, ...cells].map((line) => `| ${line.join(' | ')} |`).join('\n');
}

const cellText = ({ mean, std, marks }: CellText): string => `${plain(mean)}${std === '' ? '' : ` ± ${std}`}${superscripts(marks)}`;

/** What Markdown would read as its own. */
const plain = (text: string): string =>
  text.replaceAll('\n', ' ').replace(/[\\`*_<>|[\]]/g, (c) => (c === '<' ? '&lt;' : c === '>' ? '&gt;' : `\\${c}`));
