import type { Cell, Row } from './report.ts';

/** Mean and std of a cell, formatted alike in every view. `–` is no number: with n < 2 there is no std. */
export interface CellText {
  readonly mean: string;
  /** Empty where there is no mean either. */
  readonly std: string;
  readonly marks: string;
}

export const NO_NUMBER = '–';

export function cellText({ mean, std, marks }: Cell, decimals: number): CellText {
  if (mean === null) return { mean: NO_NUMBER, std: '', marks: superscripts(marks) };
  return { mean: fixed(mean, decimals), std: std === null ? NO_NUMBER : std.toFixed(decimals), marks: superscripts(marks) };
}

/** A positive number that would be rounded to nothing is said to be less than the last digit; there is no minus zero. */
function fixed(x: number, decimals: number): string {
  const text = x.toFixed(decimals);
  if (Number(text) !== 0) return text;
  const zero = (0).toFixed(decimals);
  return x > 0 ? `<${(10 ** -decimals).toFixed(decimals)}` : zero;
}

/** Footnote marks: `¹`, `²`, ... */
export const superscripts = (marks: readonly number[]): string =>
  marks.map((mark) => [...String(mark)].map((digit) => '⁰¹²³⁴⁵⁶⁷⁸⁹'[Number(digit)] ?? '').join('')).join('·');

/** `correct.steps=500, correct.learningRate=0.001`; empty for an arm that only its strategy names. */
export const overridesText = (overrides: Row['overrides']): string =>
  Object.entries(overrides)
    .map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(', ');

/** What every view says below its numbers. */
export const LEGEND =
  'n/asked: training seeds with numbers. mean ± sample standard deviation (÷(n-1)) over them; correction seeds are averaged within their training seed first. –: no number (no ± below n = 2; retrain acts under a mask, its forgetting is not measured).';
