/** A slip of the pen: what stands at `at`, and what was meant instead. */
export interface Slip {
  /** Of the same cause; slips of one kind are tried together. */
  readonly kind: string;
  readonly at: number;
  readonly length: number;
  readonly by: string;
  readonly expected: string;
  readonly got: string;
  readonly remedy: string;
}

/** What is written for another character, by that one: invisible ones, and those that look alike or come from a text processor. */
const LOOKALIKES: Readonly<Record<string, string>> = {
  '"': '“”„‟«»″',
  "'": '‘’‚‛‹›′`´',
  '-': '–—−‐‑‒―•◦‣·➖',
  ',': '，、',
  '..': '…',
  // Cyrillic and Greek.
  a: 'аα',
  c: 'с',
  e: 'е',
  i: 'іι',
  o: 'оο',
  p: 'рρ',
  s: 'ѕ',
  x: 'х',
  y: 'у',
};
const MEANT = new Map(Object.entries(LOOKALIKES).flatMap(([by, letters]) => [...letters].map((letter) => [letter, by] as const)));

const NAMES: Readonly<Record<string, string>> = {
  '\u00a0': 'no-break space',
  '\u2007': 'figure space',
  '\u2009': 'thin space',
  '\u202f': 'narrow no-break space',
  '\u3000': 'ideographic space',
  '\u00ad': 'soft hyphen',
  '\u200b': 'zero-width space',
  '\u200c': 'zero-width non-joiner',
  '\u200d': 'zero-width joiner',
  '\u200e': 'left-to-right mark',
  '\u200f': 'right-to-left mark',
  '\u2060': 'word joiner',
  '\ufeff': 'byte order mark',
  '\u2010': 'hyphen',
  '\u2011': 'no-break hyphen',
  '\u2013': 'en dash',
  '\u2014': 'em dash',
  '\u2212': 'minus sign',
  '\u2018': 'left single quotation mark',
  '\u2019': 'right single quotation mark',
  '\u201c': 'left double quotation mark',
  '\u201d': 'right double quotation mark',
  '\u201e': 'low double quotation mark',
  '\u2022': 'bullet',
  '\u2026': 'ellipsis',
  '\u2028': 'line separator',
  '\u2029': 'paragraph separator',
  '\u0085': 'next line',
  '\uff0c': 'fullwidth comma',
  '\uff1a': 'fullwidth colon',
  '\u3001': 'ideographic comma',
  '\t': 'tab',
  '\r': 'carriage return',
  '\0': 'null character',
  '\u001b': 'escape character',
};

/** `U+00A0 (no-break space)`; a visible one is shown. */
export function nameOf(character: string): string {
  const code = `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;
  const name = NAMES[character];
  const shown = /[\p{L}\p{N}\p{P}\p{S}]/u.test(character) ? `${character} ` : '';
  const kind = /\p{Script=Cyrillic}/u.test(character) ? 'a Cyrillic letter' : /\p{Script=Greek}/u.test(character) ? 'a Greek letter' : name;
  return `${shown}${code}${kind ? ` (${kind})` : /\p{Cc}/u.test(character) ? ' (a control character)' : ''}`;
}

const PLAIN: Readonly<Record<string, string>> = { ',': 'comma', ':': 'colon', '"': 'quotation mark', "'": 'apostrophe', '-': 'hyphen' };

/** What a character is meant to be; null for what stands for itself. */
function meantBy(character: string): { readonly by: string; readonly expected: string; readonly remedy: string } | null {
  const code = character.codePointAt(0) ?? 0;
  const by = MEANT.get(character) ?? (code >= 0xff01 && code <= 0xff5e ? String.fromCharCode(code - 0xfee0) : undefined);
  if (by !== undefined) return { by, expected: `a plain ${PLAIN[by] ?? by}`, remedy: `write ${by}` };
  if (/[\u0085\u2028\u2029]/.test(character)) return { by: '\n', expected: 'the end of a line', remedy: 'start a new line' };
  if (/\p{Zs}/u.test(character)) return { by: ' ', expected: 'a space', remedy: 'write a plain space' };
  if (/[\p{Cf}\p{Cc}]/u.test(character)) return { by: '', expected: 'characters that can be seen', remedy: 'remove it' };
  return null;
}

const CHARACTER = 'character';

/** Every character that may stand for another. */
export const odd = (text: string): Slip[] =>
  [...text.matchAll(/[^\x20-\x7e\n\r\t]/gu)].flatMap(({ 0: character, index }) => {
    const meant = meantBy(character);
    if (meant === null) return [];
    const slip = { kind: CHARACTER, at: index, length: character.length, got: nameOf(character), ...meant };
    return [character === '：' ? { ...slip, by: ': ', remedy: 'write a colon and a space' } : slip];
  });

/** Characters that YAML does not allow in a file. */
export const FORBIDDEN = /[^\P{Cc}\t\n\r\u0085]/u;

const KEY = String.raw`[A-Za-z][\w.]*`;

interface Rule {
  readonly kind: string;
  /** Named groups: `before`, in which a `key` may stand, and `what` is replaced. */
  readonly pattern: RegExp;
  by(what: string): string;
  readonly expected: string;
  got(what: string): string;
  remedy(key: string): string;
}

const FIRST = `^[ ]*(?:-[ ]+)?(?<key>${KEY})`;
const asPair = {
  by: () => ': ',
  expected: 'key: value',
  remedy: (key: string) => `write ${key}: and a space before the value`,
};

/** What other formats have, and what is easily forgotten; each is tried, and said only where it makes the file better. */
const RULES: readonly Rule[] = [
  {
    kind: 'tab in indentation',
    pattern: /(?<before>^ *)(?<what>\t[ \t]*)/gm,
    by: (tabs) => tabs.replaceAll('\t', '  '),
    expected: 'spaces as indentation',
    got: () => nameOf('\t'),
    remedy: () => 'indent with spaces',
  },
  {
    kind: 'tab',
    pattern: /(?<before>\S)(?<what>\t+)/g,
    by: () => ' ',
    expected: 'a space',
    got: () => nameOf('\t'),
    remedy: () => 'write a plain space',
  },
  {
    kind: 'carriage return',
    pattern: /(?<before>)(?<what>\r)(?!\n)/g,
    by: () => '\n',
    expected: 'the end of a line',
    got: () => `${nameOf('\r')} alone`,
    remedy: () => 'save the file with line ends of Unix (LF) or Windows (CRLF)',
  },
  {
    ...asPair,
    kind: 'no space after a colon',
    pattern: new RegExp(String.raw`(?<before>(?:^[ ]*(?:-[ ]+)?|[{,][ ]*)(?<key>${KEY}):)(?<what>)(?=[^\s,}\]])`, 'gm'),
    by: () => ' ',
    expected: 'a space after the colon',
    got: () => 'none',
  },
  {
    ...asPair,
    kind: 'space before a colon',
    pattern: new RegExp(String.raw`(?<before>${FIRST})(?<what>[ ]+:)(?=\S)`, 'gm'),
    got: () => 'the space before the colon',
  },
  {
    ...asPair,
    kind: 'equals sign',
    pattern: new RegExp(String.raw`(?<before>${FIRST})(?<what>[ ]*:?=[ ]*)(?=\S)`, 'gm'),
    got: () => 'an equals sign',
  },
  {
    ...asPair,
    kind: 'no colon',
    pattern: new RegExp(String.raw`(?<before>${FIRST})(?<what>[ ]+)(?=[^\s:=#])(?!.*:(?: |$))`, 'gm'),
    got: () => 'no colon',
  },
  {
    kind: 'no space after a dash',
    pattern: /(?<before>^[ ]*-)(?<what>)(?=[A-Za-z"'[{])/gm,
    by: () => ' ',
    expected: 'a space after the dash of a list',
    got: () => 'none',
    remedy: () => 'write - and a space before the value',
  },
  {
    kind: 'mark at the end',
    pattern: /(?<before>\S)(?<what>[,;])(?=[ ]*(?:#.*)?$)/gm,
    by: () => '',
    expected: 'the end of the line',
    got: (mark) => (mark === ',' ? 'a comma' : 'a semicolon'),
    remedy: () => 'remove it',
  },
  {
    kind: 'quote at the end',
    pattern: /(?<before>:[ ]+[^"'\s[{#][^"'\n]*)(?<what>["'])(?=[ ]*$)/gm,
    by: () => '',
    expected: 'a quote on both sides',
    got: (quote) => `${quote} at the end alone`,
    remedy: () => 'remove it, or write one before the value',
  },
  {
    kind: 'round brackets',
    pattern: /(?<before>:[ ]+)(?<what>\([^()\n]*\))(?=[ ]*(?:#.*)?$)/gm,
    by: (list) => `[${list.slice(1, -1)}]`,
    expected: 'a list in square brackets',
    got: (list) => list,
    remedy: () => 'write [ and ]',
  },
];

const byRules = (text: string): Slip[] =>
  RULES.flatMap(({ kind, pattern, by, expected, got, remedy }) =>
    [...text.matchAll(pattern)].map((match) => {
      const { before = '', what = '', key = '' } = match.groups ?? {};
      const at = match.index + before.length;
      return { kind, at, length: what.length, by: by(what), expected, got: got(what), remedy: remedy(key) };
    }),
  );

/** What stands before the value of a line. */
const START = new RegExp(`^[ ]*(?:-[ ]+)?(?:${KEY}:[ ]+)?`);

/** Longer lines are no sweep's. */
const MAX_LINE = 2_000;

const CLOSER: Readonly<Record<string, string>> = { '[': ']', '{': '}' };

/** Brackets and quotes that a line opens and does not close, or closes and did not open. */
function unbalanced(text: string): Slip[] {
  let start = 0;
  return text.split('\n').flatMap((line): Slip[] => {
    const begin = start;
    start += line.length + 1;
    const value = line.match(START)?.[0].length ?? 0;
    const end = line.replace(/\s+#.*$/, '').trimEnd().length;
    if (line.length > MAX_LINE) return [];
    const open: { bracket: string; column: number }[] = [];
    const found: Slip[] = [];
    const slip = (column: number, length: number, by: string, expected: string, got: string, remedy: string): void =>
      void found.push({ kind: `${expected} ${begin}`, at: begin + column, length, by, expected, got, remedy });
    for (let i = value; i < end; i++) {
      const character = line[i] ?? '';
      const begins = i === value || (open.length > 0 && /[[{,:]\s*$/.test(line.slice(0, i)));
      if (begins && (character === '"' || character === "'")) {
        const close = line.indexOf(character, i + 1);
        if (close < 0 || close >= end) {
          const last = Math.min(...[']', '}', ','].map((mark) => line.indexOf(mark, i)).filter((at) => open.length > 0 && at >= 0), end);
          slip(
            last,
            0,
            character,
            `a ${character} that closes the text`,
            last === end ? 'the end of the line' : (line[last] ?? ''),
            `write ${character} behind it: it begins in column ${i + 1}`,
          );
          return found;
        }
        i = close;
      } else if ((character === '[' || character === '{') && begins) open.push({ bracket: character, column: i });
      else if (character === ']' || character === '}') {
        const last = open.at(-1);
        if (last === undefined) {
          const opener = character === ']' ? '[' : '{';
          slip(i, 1, '', `no ${character} without ${opener}`, character, 'remove it');
          if (i === end - 1 && line[value] !== opener)
            slip(
              value,
              0,
              opener,
              `${opener} at the beginning`,
              line[value] ?? '',
              `write ${opener} before it, or remove the ${character}`,
            );
        } else {
          const closer = CLOSER[last.bracket] ?? '';
          const outer = open.at(-2);
          const inner = outer !== undefined && CLOSER[outer.bracket] === character; // the inner one was forgotten
          const remedy = `close the ${last.bracket} of column ${last.column + 1}`;
          if (closer !== character) slip(i, inner ? 0 : 1, closer, inner ? `${closer} first` : closer, character, remedy);
          open.pop();
          if (closer !== character && inner) open.pop();
        }
      }
    }
    const closers = open
      .map(({ bracket }) => CLOSER[bracket])
      .toReversed()
      .join('');
    const [first] = open;
    if (first !== undefined)
      slip(end, 0, closers, closers, 'the end of the line', `close the ${first.bracket} of column ${first.column + 1}`);
    return found;
  });
}

/** Everything in a text that may be a slip, in its order. Whether it is one, `repair` finds out. */
export const slipsOf = (text: string): Slip[] => [...odd(text), ...byRules(text), ...unbalanced(text)].sort((a, b) => a.at - b.at);

export interface Repaired {
  readonly text: string;
  readonly slips: readonly Slip[];
  /** Where an offset of the repaired text was before. */
  back(offset: number): number;
}

/** A text without these slips; they do not overlap. */
export function without(text: string, slips: readonly Slip[]): Repaired {
  const sorted = slips.toSorted((a, b) => a.at - b.at);
  let [made, from] = ['', 0];
  const shifts: { readonly at: number; readonly back: number }[] = [];
  for (const { at, length, by } of sorted) {
    made += text.slice(from, at) + by;
    from = at + length;
    shifts.push({ at: made.length, back: from - made.length });
  }
  made += text.slice(from);
  const back = (offset: number): number => offset + (shifts.findLast(({ at }) => at <= offset)?.back ?? 0);
  return { text: made, slips: sorted, back };
}

const MAX_TRIES = 60;
const MAX_SLIPS = 1_000;
const PASSES = 3;

/** Lines are asked for in ascending order of their offsets. */
function lineCounter(text: string): (at: number) => number {
  let [line, from] = [1, 0];
  return (at) => {
    for (; from < at; from++) if (text[from] === '\n') line++;
    return line;
  };
}

/**
 * Finds out by trying: a slip is one where the file without it is better. `badness` judges a text, less is better. All slips of a kind are
 * tried together, then line by line; what made no difference is taken back, so that a dash in a sentence is not blamed for a missing key.
 */
export function repair(text: string, slips: readonly Slip[], badness: (text: string) => number): Repaired {
  const known = slips.slice(0, MAX_SLIPS);
  let tries = 0;
  const judge = (some: readonly Slip[]): number => (tries++ < MAX_TRIES ? badness(without(text, some).text) : Number.POSITIVE_INFINITY);
  let best = known.length > 0 ? judge([]) : 0;
  if (best === 0) return without(text, []);
  const groups = (key: (slip: Slip) => string): Slip[][] => {
    const found = new Map<string, Slip[]>();
    for (const slip of known) {
      const group = found.get(key(slip));
      if (group) group.push(slip);
      else found.set(key(slip), [slip]);
    }
    return [...found.values()];
  };
  const lineOf = lineCounter(text);
  const lines = groups(({ kind, at }) => `${lineOf(at)} ${kind}`);
  let accepted: readonly Slip[] = [];
  const apart = (slip: Slip): boolean =>
    accepted.every((other) => slip.at + slip.length <= other.at || other.at + other.length <= slip.at) &&
    accepted.every((other) => slip.at !== other.at);
  for (let pass = 0; pass < PASSES && best > 0; pass++) {
    const before = best;
    for (const group of [...groups(({ kind }) => kind), ...groups(({ got }) => got), ...lines]) {
      const more = group
        .filter(apart)
        .filter((slip, i, all) => i === 0 || slip.at >= (all[i - 1]?.at ?? 0) + Math.max(1, all[i - 1]?.length ?? 0));
      if (more.length === 0) continue;
      const now = judge([...accepted, ...more]);
      if (now >= best) continue;
      accepted = [...accepted, ...more];
      best = now;
    }
    if (best === before) break;
  }
  for (const group of lines) {
    const fewer = accepted.filter((slip) => !group.includes(slip));
    if (fewer.length < accepted.length && judge(fewer) <= best) accepted = fewer;
  }
  return without(text, accepted);
}
