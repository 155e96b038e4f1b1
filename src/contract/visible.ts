/** What a terminal would obey instead of showing: control characters, line ends, marks that turn the direction of text. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** A text from a file as one line of a screen: whatever a terminal would obey is spelt out, `\x1b`. */
export const visible = (text: string): string =>
  text.replace(CONTROLS, (letter) => {
    const code = letter.charCodeAt(0).toString(16);
    return code.length <= 2 ? `\\x${code.padStart(2, '0')}` : `\\u${code}`;
  });
