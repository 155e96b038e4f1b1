/** What the YAML parser says of the first place where a text is no YAML. */
interface SyntaxError {
  readonly code: string;
  readonly message: string;
  readonly pos: readonly [number, number];
}

interface Words {
  readonly expected: string;
  readonly got: string;
  readonly remedy: string;
}

/** What stands there, up to the end of the line, in quotes. */
function shown(text: string, at: number): string {
  const line = (text.slice(at, at + 200).split(/[\r\n]/)[0] ?? '').trim();
  if (line === '') return at >= text.trimEnd().length ? 'the end of the file' : 'the end of the line';
  return JSON.stringify(line.length > 30 ? `${line.slice(0, 29)}…` : line);
}

const PAIR = 'a colon and a space stand between a key and its value';

/** The same in our words: a parser speaks of tokens, and of nodes. */
export function syntaxOf({ code, message, pos: [at] }: SyntaxError, text: string): Words {
  const got = shown(text, at);
  const [, bracket] = message.match(/end with a ([\]}])/) ?? [];
  if (bracket) return { expected: bracket, got, remedy: `close the ${bracket === ']' ? '[' : '{'} before this, or indent what is in it` };
  switch (code) {
    case 'MULTIPLE_DOCS':
      return { expected: 'one document', got: 'a second one', remedy: 'take out --- and what follows, or give it a file of its own' };
    case 'TAB_AS_INDENT':
      return { expected: 'spaces as indentation', got: 'a tab (U+0009)', remedy: 'indent with spaces' };
    case 'BAD_INDENT': {
      const [, bracket] = message.match(/end with a ([\]}])/) ?? [];
      if (bracket)
        return { expected: bracket, got, remedy: `close the ${bracket === ']' ? '[' : '{'} before this, or indent what is in it` };
      return { expected: 'the indentation of the entry above', got, remedy: 'let the entries of one list or mapping begin in one column' };
    }
    case 'BLOCK_AS_IMPLICIT_KEY':
      return {
        expected: 'one value after the key',
        got,
        remedy: 'indent a key as its neighbours are, and put text with a colon and a space in it in quotes',
      };
    case 'MULTILINE_IMPLICIT_KEY':
      return { expected: 'key: value', got, remedy: PAIR };
    case 'MISSING_CHAR': {
      const [, quote] = message.match(/Missing closing (["'])/) ?? [];
      if (quote) return { expected: `a ${quote} that closes the text`, got, remedy: `write ${quote} where the text ends` };
      if (/Missing ,/.test(message)) return { expected: 'a comma between two entries', got, remedy: 'write a comma before it' };
      return { expected: 'key: value', got, remedy: PAIR };
    }
    case 'BAD_SCALAR_START':
      return { expected: 'a value', got, remedy: `put it in quotes: no value begins with ${text[at] ?? 'that'}` };
    case 'BAD_DQ_ESCAPE':
      return { expected: 'an escape such as \\n or \\\\', got, remedy: 'write \\\\ for a backslash, or use single quotes' };
    case 'BLOCK_IN_FLOW':
      return {
        expected: 'entries with a comma between them',
        got,
        remedy: 'write a comma between two entries, and close what is open above',
      };
    case 'KEY_OVER_1024_CHARS':
      return { expected: 'a key of at most 1024 characters', got, remedy: 'close the bracket or the quote that is open' };
    case 'UNEXPECTED_TOKEN':
      if (/same line with key/.test(message))
        return { expected: 'a list on lines of its own', got, remedy: 'begin a line with -, or write [a, b] behind the key' };
      if (/^\s*[\]}]/.test(text.slice(at))) return { expected: 'no closing bracket', got, remedy: 'remove it, or open it before' };
      return { expected: 'the end of the value', got, remedy: 'put text in quotes as a whole, and one key on a line' };
    case 'BAD_DIRECTIVE':
      return { expected: 'a sweep', got, remedy: 'remove the line that begins with %' };
    default:
      return { expected: 'YAML', got, remedy: 'look at brackets, quotes, colons and indentation here' };
  }
}
