import { type CellText, glossary, legend, NO_NUMBER, type Sheet, titleText } from './cells.ts';
import { type Report, type ScenarioTable, strangersText } from './report.ts';
import { linesOf, type Page, type PageCell, pagesOf, unfinishedPage } from './sheets.ts';

/** LaTeX with booktabs, for \input into a document that loads booktabs: a table per page, its footnotes and legend below it. */
export function texReport(report: Report, sheet: Sheet = 'summary'): string {
  const head = ['% \\usepackage{booktabs}'];
  if (sheet === 'unfinished') return `${[...head, tableText(unfinishedPage(report), [report.sweep], [])].join('\n\n')}\n`;
  const said = [...strangersText(report), ...legend(report, sheet), `${glossary(report)}.`];
  const tables = report.tables.flatMap((table) => {
    const title = [report.sweep, `${table.scenario}, ${titleText(report, table, () => '')}`];
    const notes = notesOf(table);
    return pagesOf(report, table, sheet).map((page) => tableText(page, [...title, page.caption], notes));
  });
  return `${[...head, ...tables, said.map((text) => `\\par\\noindent{\\footnotesize ${tex(text)}}`).join('\n')].join('\n\n')}\n`;
}

/** The footnotes of a whole table; what no cell refers to, the title does. */
const notesOf = ({ notes }: ScenarioTable): string[] => notes.map((note, i) => `${superscript([i + 1])} ${tex(note)}`);

function tableText({ header, rows }: Page, caption: readonly string[], notes: readonly string[]): string {
  const lines = rows.flatMap(rowLines);
  return [
    '\\begin{table}',
    '\\centering',
    `\\caption{${caption.map(tex).join('. ')}.}`,
    `\\begin{tabular}{l${'r'.repeat(header.length - 1)}}`,
    '\\toprule',
    row(header.map(tex)),
    '\\midrule',
    ...lines,
    '\\bottomrule',
    '\\end{tabular}',
    ...notes.map((note) => `\\par\\noindent{\\footnotesize ${note}}`),
    '\\end{table}',
  ].join('\n');
}

const row = (cells: readonly string[]): string => `${cells.join(' & ')} \\\\`;

/** A row of the page is as many lines as its tallest cell. */
function rowLines(cells: readonly PageCell[]): string[] {
  const texts = cells.map((cell) => linesOf(cell, cellText));
  const height = Math.max(1, ...texts.map((lines) => lines.length));
  return Array.from({ length: height }, (_, i) =>
    row(texts.map((lines, j) => (j === 0 && i > 0 && lines[i] ? `\\quad ${lines[i]}` : (lines[i] ?? '')))),
  );
}

function cellText({ mean, std, marks }: CellText): string {
  const alone = /^[-+<[][-+<[\]\d., ]*$/.test(mean) ? `$${mean}$` : tex(mean); // a minus, not a hyphen
  const numbers = std === '' ? alone : `$${math(mean)} \\pm ${math(std)}$`;
  return `${numbers}${superscript(marks)}`;
}

const math = (text: string): string => (text === NO_NUMBER ? '\\mbox{--}' : text);
const superscript = (marks: readonly number[]): string => (marks.length > 0 ? `\\textsuperscript{${marks.join(',')}}` : '');

const MATH: Readonly<Record<string, string>> = {
  ...{ '<': '<', '>': '>', '|': '|', '±': '\\pm', '×': '\\times', '÷': '\\div', π: '\\pi', '∇': '\\nabla', '‖': '\\Vert', '·': '\\cdot' },
};
const TEXT: Readonly<Record<string, string>> = {
  ...{ '\\': '\\textbackslash{}', '~': '\\textasciitilde{}', '^': '\\textasciicircum{}', '–': '--', '\n': ' ' },
};

/** What TeX would read as its own, or has no letter for. */
const tex = (text: string): string =>
  text
    .split('p̄')
    .map((part) => part.replace(/[\\~^–\n<>|±×÷π∇‖·&%$#_{}]/gu, (c) => TEXT[c] ?? (c in MATH ? `$${MATH[c]}$` : `\\${c}`)))
    .join('$\\bar p$');
