/** An object as it is written: its members in order, and twice where they are there twice. */
export interface Members {
  readonly members: readonly (readonly [key: string, value: Json])[];
}

/** A bigint is a whole number that was written as one and has 64 bits; other numbers are floats, `-0` too. */
export type Json = null | boolean | string | number | bigint | Json[] | Members;

export const isMembers = (json: Json): json is Members => typeof json === 'object' && json !== null && 'members' in json;

const MAX_DEPTH = 127;
const LITERALS = { true: true, false: false, null: null } as const;
const NUMBER = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?/y;
const WORD = /[a-z]*/y;

/**
 * Reads what serde_json reads, and nothing else: what safetensors' reference implementation stands on decides which files are valid.
 * JSON.parse keeps the last of two equal keys, rounds whole numbers, and takes half a surrogate pair, 1e999 and any depth; no package has all of this.
 * Throws SyntaxError.
 */
export function readJson(text: string): Json {
  let at = 0;
  const fail = (expected: string): never => {
    const got = at < text.length ? JSON.stringify(text.slice(at, at + 12)) : 'its end';
    throw new SyntaxError(`expected ${expected} at character ${at}, got ${got}`);
  };
  /** Behind blanks. */
  const next = (): string => {
    while (' \t\n\r'.includes(text[at] ?? '-')) at++;
    return text[at] ?? '';
  };
  const match = (pattern: RegExp): string => {
    pattern.lastIndex = at;
    const [found = ''] = pattern.exec(text) ?? [];
    at += found.length;
    return found;
  };

  const string = (): string => {
    const start = at;
    if (text[at] !== '"') fail('a key in double quotes');
    for (at++; text[at] !== '"'; at += text[at] === '\\' ? 2 : 1) if (at >= text.length) fail('the end of a text');
    at++;
    let value = '';
    try {
      value = JSON.parse(text.slice(start, at)) as string;
    } catch {
      at = start;
      fail('a text without control characters and with known escapes');
    }
    if (/\p{Surrogate}/u.test(value)) fail('surrogates in pairs');
    return value;
  };

  const number = (): number | bigint => {
    const start = at;
    const written = match(NUMBER);
    if (written === '') fail('a value');
    if (written !== '-0' && written.length <= 20 && !/[.eE]/.test(written)) {
      const whole = BigInt(written);
      if (whole >= 0n ? whole < 1n << 64n : whole >= -(1n << 63n)) return whole;
    }
    const value = Number(written);
    if (Number.isFinite(value)) return value;
    at = start;
    return fail('a number of 64 bits');
  };

  /** What stands between commas, up to `end`. */
  const many = (end: string, one: () => void): void => {
    at++;
    if (next() === end) at++;
    else
      for (;;) {
        one();
        const between = next();
        if (between !== end && between !== ',') fail(`, or ${end}`);
        at++;
        if (between === end) return;
        next();
      }
  };

  const value = (depth: number): Json => {
    const first = next();
    if (depth > MAX_DEPTH && (first === '{' || first === '[')) fail(`at most ${MAX_DEPTH} levels`);
    if (first === '"') return string();
    if (first === '[') {
      const items: Json[] = [];
      many(']', () => items.push(value(depth + 1)));
      return items;
    }
    if (first === '{') {
      const members: [string, Json][] = [];
      many('}', () => {
        const key = string();
        if (next() !== ':') fail(':');
        at++;
        members.push([key, value(depth + 1)]);
      });
      return { members };
    }
    if (!/[a-z]/.test(first)) return number();
    const word = match(WORD);
    if (Object.hasOwn(LITERALS, word)) return LITERALS[word as keyof typeof LITERALS];
    at -= word.length;
    return fail('a value');
  };

  const read = value(1);
  if (next() !== '') fail('nothing more');
  return read;
}
