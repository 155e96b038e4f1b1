import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/contract/errors.ts';
import { parseSweepText } from '../../src/coordinator/load.ts';
import { nameOf, repair, slipsOf, without } from '../../src/coordinator/slips.ts';

const good = `# a question
version: 1
name: grid
seeds: 5   # 1..5
axes:
  scenario: [cartpole/angle]
  strategy: [none, tsf]
ppo:
  numEnvs: 8
`;
const change = (line: string, by: string): string => {
  expect(good).toContain(line);
  return good.replace(line, by);
};

/** The message, line by line; nothing where it is a sweep. */
function refusal(text: string): string[] {
  try {
    parseSweepText(text, 'a.yaml');
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n').map((line) => line.replace(/^a\.yaml:/, ''));
    throw error;
  }
  return [];
}

const LIST = '[none, tsf]';
const PAIR = 'and a space before the value';

describe('parseSweepText(a slip of the pen)', () => {
  it.each<[title: string, text: () => string, ...message: string[]]>([
    // Characters that cannot be seen, or look like others.
    [
      'a no-break space after a colon',
      () => change('seeds: 5', 'seeds:\u00a05'),
      '4:7: expected a space, got U+00A0 (no-break space); write a plain space',
    ],
    [
      'two of them',
      () => change('seeds: 5', 'seeds:\u00a05').replace('name: ', 'name:\u00a0'),
      '3:6: expected a space, got U+00A0 (no-break space); write a plain space',
      '4:7: expected a space, got U+00A0 (no-break space); write a plain space',
    ],
    [
      'a no-break space as indentation',
      () => change('  numEnvs', '\u00a0 numEnvs'),
      '9:1: expected a space, got U+00A0 (no-break space); write a plain space',
    ],
    [
      'an ideographic space',
      () => change('seeds: 5', 'seeds:\u30005'),
      '4:7: expected a space, got U+3000 (ideographic space); write a plain space',
    ],
    [
      'a zero-width space',
      () => change('seeds', 'se\u200beds'),
      '4:3: expected characters that can be seen, got U+200B (zero-width space); remove it',
    ],
    [
      'a byte order mark in the middle',
      () => change('axes', '\ufeffaxes'),
      '5:1: expected characters that can be seen, got U+FEFF (byte order mark); remove it',
    ],
    [
      'a fullwidth colon',
      () => change('seeds: ', 'seeds：'),
      '4:6: expected a plain colon, got ： U+FF1A (fullwidth colon); write a colon and a space',
    ],
    ['a fullwidth comma', () => change('none, tsf', 'none，tsf'), '7:18: expected a plain comma, got ， U+FF0C (fullwidth comma); write ,'],
    [
      'fullwidth brackets',
      () => change(LIST, '［none, tsf］'),
      '7:13: expected a plain [, got ［ U+FF3B; write [',
      '7:23: expected a plain ], got ］ U+FF3D; write ]',
    ],
    [
      'quotes of a text processor',
      () => change('grid', '“grid”'),
      '3:7: expected a plain quotation mark, got “ U+201C (left double quotation mark); write "',
      '3:12: expected a plain quotation mark, got ” U+201D (right double quotation mark); write "',
    ],
    [
      'dashes for a list',
      () => change(LIST, '\n    – none\n    – tsf'),
      '8:5: expected a plain hyphen, got – U+2013 (en dash); write -',
      '9:5: expected a plain hyphen, got – U+2013 (en dash); write -',
    ],
    ['bullets for a list', () => change(LIST, '\n    • none'), '8:5: expected a plain hyphen, got • U+2022 (bullet); write -'],
    ['a minus sign', () => `${good}  logStdInit: −1\n`, '10:15: expected a plain hyphen, got − U+2212 (minus sign); write -'],
    ['a Cyrillic letter', () => change('seeds', 's\u0435eds'), '4:2: expected a plain e, got е U+0435 (a Cyrillic letter); write e'],
    [
      'a line separator',
      () => change('seeds', '\u2028seeds'),
      '4:1: expected the end of a line, got U+2028 (line separator); start a new line',
    ],
    [
      'a null character',
      () => change('grid', 'gr\0id'),
      '3:9: expected characters that can be seen, got U+0000 (null character); remove it',
    ],
    [
      'an escape sequence of a terminal',
      () => `${good}description: a\u001b[31m\n`,
      '10:15: expected characters that can be seen, got U+001B (escape character); remove it',
    ],
    // Tabs and ends of lines.
    [
      'a tab as indentation',
      () => change('  numEnvs', '\tnumEnvs'),
      '9:1: expected spaces as indentation, got U+0009 (tab); indent with spaces',
    ],
    [
      'tabs behind spaces',
      () => change('  scenario', ' \tscenario').replace('  strategy', ' \tstrategy'),
      '6:2: expected spaces as indentation, got U+0009 (tab); indent with spaces',
      '7:2: expected spaces as indentation, got U+0009 (tab); indent with spaces',
    ],
    [
      'ends of lines of an old Mac',
      () => good.split('\n').slice(1).join('\r'),
      '1:11: expected the end of a line, got U+000D (carriage return) alone; save the file with line ends of Unix (LF) or Windows (CRLF)',
      '2:11: expected the end of a line, got U+000D (carriage return) alone; save the file with line ends of Unix (LF) or Windows (CRLF)',
      '3:18: expected the end of a line, got U+000D (carriage return) alone (and at 5 more places); save the file with line ends of Unix (LF) or Windows (CRLF)',
    ],
    // Colons, dashes, commas.
    [
      'no space after a colon',
      () => change('seeds: 5', 'seeds:5'),
      `4:7: expected a space after the colon, got none; write seeds: ${PAIR}`,
    ],
    [
      'no space after a colon within brackets',
      () => change('ppo:\n  numEnvs: 8', 'ppo: {numEnvs:8}'),
      `8:15: expected a space after the colon, got none; write numEnvs: ${PAIR}`,
    ],
    [
      'a space before the colon',
      () => change('seeds: 5', 'seeds :5'),
      `4:6: expected key: value, got the space before the colon; write seeds: ${PAIR}`,
    ],
    ['an equals sign', () => change('seeds: 5', 'seeds = 5'), `4:6: expected key: value, got an equals sign; write seeds: ${PAIR}`],
    ['no colon', () => change('seeds: 5', 'seeds 5'), `4:6: expected key: value, got no colon; write seeds: ${PAIR}`],
    [
      'no space after a dash',
      () => change(LIST, '\n    -none\n    -tsf'),
      '8:6: expected a space after the dash of a list, got none; write - and a space before the value',
      '9:6: expected a space after the dash of a list, got none; write - and a space before the value',
    ],
    ['a comma at the end', () => change('seeds: 5', 'seeds: 5,'), '4:9: expected the end of the line, got a comma; remove it'],
    ['a semicolon at the end', () => change('grid', 'grid;'), '3:11: expected the end of the line, got a semicolon; remove it'],
    // Brackets and quotes.
    ['an open list', () => change('angle]', 'angle'), '6:28: expected ], got the end of the line; close the [ of column 13'],
    ['an open list before another key', () => change('tsf]', 'tsf'), '7:23: expected ], got the end of the line; close the [ of column 13'],
    [
      'an open mapping',
      () => change('ppo:\n  numEnvs: 8', 'ppo: { numEnvs: 8'),
      '8:18: expected }, got the end of the line; close the { of column 6',
    ],
    ['the wrong bracket', () => change('angle]', 'angle}'), '6:28: expected ], got }; close the [ of column 13'],
    [
      'a bracket forgotten inside another',
      () => `${good}exclude: [{ strategy: [none }]\n`,
      '10:29: expected ] first, got }; close the [ of column 23',
    ],
    ['a bracket too many', () => change('tsf]', 'tsf]]'), '7:24: expected no ] without [, got ]; remove it'],
    ['no opening bracket', () => change('[none', 'none'), '7:13: expected [ at the beginning, got n; write [ before it, or remove the ]'],
    ['round brackets', () => change(LIST, '(none, tsf)'), '7:13: expected a list in square brackets, got (none, tsf); write [ and ]'],
    [
      'an open quote',
      () => change('grid', '"grid'),
      '3:12: expected a " that closes the text, got the end of the line; write " behind it: it begins in column 7',
    ],
    [
      'an open quote in a list',
      () => change('none,', "'none,"),
      "7:19: expected a ' that closes the text, got ,; write ' behind it: it begins in column 14",
    ],
    [
      'a quote at the end alone',
      () => change('grid', 'grid"'),
      '3:11: expected a quote on both sides, got " at the end alone; remove it, or write one before the value',
    ],
    // What cannot be mended by guessing is said in our words.
    [
      'an indentation between two others',
      () => change('  strategy', '   strategy'),
      expect.stringMatching(/^7:1: expected the indentation of the entry above, got "strategy: /) as unknown as string,
    ],
    [
      'a colon in a text',
      () => `${good}description: a: b\n`,
      expect.stringMatching(/^10:14: expected one value after the key, got "a: b"; /) as unknown as string,
    ],
    ['a reserved character', () => change('grid', '@grid'), '3:7: expected a value, got "@grid"; put it in quotes: no value begins with @'],
    [
      'a list behind its key',
      () => change(LIST, '- none'),
      expect.stringMatching(/^7:13: expected a list on lines of its own, got "- none"; /) as unknown as string,
    ],
    [
      'no comma',
      () => change('none, tsf', '"none" "tsf"'),
      expect.stringMatching(/^7:21: expected a comma between two entries, got /) as unknown as string,
    ],
  ])('names %s', (_title, text, ...message) => {
    expect(refusal(text())).toEqual(message);
  });

  it('says the rest, too, where it stands in the file as it is', () => {
    const text = change('seeds: 5', 'seeds:5').replace('numEnvs: 8', 'numEnv: 8 ').replace('strategy: [none, tsf]', 'strategy: [none, tfs');
    expect(refusal(text)).toEqual([
      `4:7: expected a space after the colon, got none; write seeds: ${PAIR}`,
      '7:23: expected ], got the end of the line; close the [ of column 13',
      '7:20 axes.strategy[1]: expected one of 16 names, got "tfs"; did you mean tsf?',
      '9:3 ppo.numEnv: expected a known key, got numEnv; did you mean numEnvs?',
    ]);
  });

  it('does not blame what is as it should be', () => {
    const prose = 'description: it’s “fine” – really…\n';
    expect(refusal(good + prose)).toEqual([]);
    expect(refusal(`${good}  gamma: 2\n${prose}`)).toEqual(['10:10 ppo.gamma: expected a number in [0, 1], got 2']);
    expect(refusal(change('seeds: 5', 'seeds:\u00a05') + prose)).toEqual([
      '4:7: expected a space, got U+00A0 (no-break space); write a plain space',
    ]);
    expect(refusal(change(LIST, '[\n    none,\n    tsf,\n  ]'))).toEqual([]);
  });

  it('uses no word of a parser', () => {
    const text = fc.array(fc.constantFrom(...'abc:-[]{},&*!|>%@#?"\'\n\t 01~<', '\n  ', ': ', '- ', 'axes', 'seeds', '\u00a0', '“', '：'));
    fc.assert(
      fc.property(text, (parts) => {
        for (const line of refusal(good + parts.join('')))
          expect(line).not.toMatch(/implicit|scalar|flow |node|token|block|compact|sequence|plain value/i);
      }),
      { numRuns: 200 },
    );
  });
});

describe('repair(text, slips, badness)', () => {
  it('leaves no text worse, tries a bounded number, and knows where everything was', () => {
    const text = fc.array(fc.constantFrom('seeds', ':', ' ', '[', ']', '"', '\n', ',', '–', '\u00a0', '\t', '(', ')', '-', '=', 'a'), {
      maxLength: 60,
    });
    fc.assert(
      fc.property(
        text.map((parts) => parts.join('')),
        fc.nat(),
        (given, salt) => {
          let tries = 0;
          const badness = (other: string): number => {
            tries++;
            return [...other].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0) + salt) % 7, 1);
          };
          const found = repair(given, slipsOf(given), badness);
          expect(tries).toBeLessThanOrEqual(60);
          expect(badness(found.text)).toBeLessThanOrEqual(badness(given));
          expect(without(given, found.slips).text).toBe(found.text);
          if (found.slips.every(({ by }) => by === ''))
            for (let i = 0; i < found.text.length; i++) expect(given[found.back(i)]).toBe(found.text[i]);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('is quick where there is much to try', () => {
    for (const text of ['\u00a0'.repeat(30_000), '['.repeat(30_000), 'a:b\n'.repeat(8_000), '“'.repeat(30_000)])
      repair(text, slipsOf(text), () => 1);
  });
});

it('nameOf(character) shows what can be seen', () => {
  expect(['\u00a0', '–', '\u0007', 'е'].map(nameOf)).toEqual([
    'U+00A0 (no-break space)',
    '– U+2013 (en dash)',
    'U+0007 (a control character)',
    'е U+0435 (a Cyrillic letter)',
  ]);
});
