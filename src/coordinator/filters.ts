import { meanings } from '../contract/problems.ts';

/** Negative, then the others; longer ones first. A blank may stand for `=` after a field. */
const OPERATOR = String.raw`\s*(?:!==?|<>|=!|≠)\s*|\s+(?:is\s+not|not\s+in)\s+|\s*(?:===?|>=|<=|=>|=<|≥|≤|:=|=~|[=:<>~])\s*|\s+(?:in|is)\s+|\s+`;
const TERM = new RegExp(String.raw`(?<=^|[\s,|(])(!\s*|not\s+)?([A-Za-z][\w.]*)(${OPERATOR})`, 'gi');
const NUMBER = String.raw`[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?`;
/** `1-3`, `1 to 3`, `1...3`, `1 .. 3`. */
const RANGE = new RegExp(String.raw`(${NUMBER})\s*(?:\.{2,}=?|[-–—−…:]|to|until|bis)\s*(${NUMBER})`, 'gi');

interface Field {
  readonly name: string;
  readonly numeric: boolean;
}

/** What other languages write for a comma, `|`, `=` and a blank; quotes are the shell's. */
const plain = (text: string): string =>
  text
    .replaceAll(/\p{Zs}/gu, ' ')
    .replaceAll(/\p{Cf}/gu, '')
    .replaceAll(/["'`“”„‟‘’‚]/g, '')
    .replaceAll('，', ',')
    .replaceAll('＝', '=')
    .replaceAll('｜', '|')
    .replaceAll('：', ':')
    .replaceAll(/\s*(?:&&?|;|\band\b)\s*/gi, ',')
    .replaceAll(/\s*\|\|\s*|\s+or\s+/gi, '|')
    .trim();

function comparison(operator: string, value: string, { numeric }: Field): string {
  const whole = Number.isInteger(Number(value)) && numeric;
  if (/^[>≥]/.test(operator) || operator === '=>') return operator === '>' && whole ? `${Number(value) + 1}..` : `${value}..`;
  return operator === '<' && whole ? `..${Number(value) - 1}` : `..${value}`;
}

/** The alternatives of one field, `1|2`, from however they were listed. */
function alternatives(written: string, operator: string, { numeric }: Field): string {
  const isList = /^\[.*\]$/s.test(written) && !numeric && !/in$/.test(operator); // the value of a parameter that is a list
  if (isList) return written.replaceAll(/\s/g, '');
  const ranged = written
    .replaceAll(/[[\](){}]/g, ' ')
    .replaceAll(RANGE, (_, from: string, to: string) => (Number(from) <= Number(to) ? `${from}..${to}` : `${to}..${from}`));
  return ranged
    .split(/[\s,|]+/)
    .filter((value) => /[\w.]/.test(value))
    .join('|');
}

/**
 * A filter in the language of `where.ts` from one in another: `seed=1-3`, `seed in 1..3`, `seed==1`, `seed>3`, `seed=1,2`, `seed=1 strategy=tsf`,
 * `seed=1 and state=ok`. Null where it cannot be told; whether it is a filter at all is for the caller to judge.
 */
export function filterMeant(text: string, fields: readonly Field[]): string | null {
  const names = fields.map(({ name }) => name);
  const written = plain(text);
  const starts = [...written.matchAll(TERM)].flatMap((match) => {
    const [whole, not = '', word = '', operator = ''] = match;
    const [name, other] = meanings(word, names);
    const field = fields.find((one) => one.name === name);
    // Where a blank or a colon may belong to a value, only a field's own name is one.
    const doubtful = /^(\s+|\s*:\s*)$/.test(operator) && name !== word;
    return field && !doubtful && other === undefined
      ? [{ at: match.index, end: match.index + whole.length, not: not !== '', field, operator: operator.trim().toLowerCase() }]
      : [];
  });
  if (starts[0]?.at !== 0) return null;
  const terms: { name: string; sign: string; values: string[] }[] = [];
  for (const [i, { end, not, field, operator }] of starts.entries()) {
    const rest = written.slice(end, starts[i + 1]?.at);
    const value = rest.replace(/[\s,|]+$/, '');
    if (value === '') return null;
    const negative = /^(!|<>|=!|≠|is\s+not|not\s+in)/.test(operator) !== not;
    const values =
      /^([<>≥≤]|=[<>])/.test(operator) && !operator.startsWith('<>')
        ? comparison(operator, value, field)
        : alternatives(value, operator, field);
    const last = terms.at(-1);
    const joined = /\|\s*$/.test(written.slice(0, starts[i]?.at)) && last?.name === field.name && !negative;
    if (joined) last.values.push(values);
    else terms.push({ name: field.name, sign: negative ? '!=' : '=', values: [values] });
  }
  return terms.map(({ name, sign, values }) => `${name}${sign}${values.join('|')}`).join(',');
}
