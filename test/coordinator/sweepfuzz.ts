import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/contract/errors.ts';
import { parseSweepText } from '../../src/coordinator/load.ts';

const folder = new URL('../../sweeps/', import.meta.url);
const sweeps = readdirSync(folder)
  .filter((name) => name.endsWith('.yaml'))
  .map((name) => readFileSync(new URL(name, folder), 'utf8'));

/** No text takes longer; a sweep file has at most 256 KiB. */
const BOUND_MS = 5_000;

/** A Sweep or a ConfigError, in time; what else is thrown is the test's failure. True: a Sweep. */
function judged(text: string): boolean {
  const began = performance.now();
  try {
    parseSweepText(text, 'a.yaml');
    return true;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    expect(error.message).toMatch(/^a\.yaml:\d+:\d+/);
    return false;
  } finally {
    expect(performance.now() - began).toBeLessThan(BOUND_MS);
  }
}

const deep = (open: string, close: string) =>
  fc
    .tuple(fc.oneof(fc.integer({ min: 1, max: 400 }), fc.integer({ min: 5_000, max: 20_000 })), fc.constantFrom('', '1', 'x: 1'))
    .map(([n, inner]) => open.repeat(n) + inner + close.repeat(n));
const nested = fc.oneof(
  deep('[', ']'),
  deep('{a: ', '}'),
  fc.integer({ min: 1, max: 400 }).map((n) => `\n${Array.from({ length: n }, (_, i) => `${' '.repeat(i + 4)}a:`).join('\n')} 1`),
  fc.integer({ min: 1, max: 5_000 }).map((n) => `[${'1, '.repeat(n)}1]`),
);
const huge = fc.oneof(
  fc.constantFrom(
    '1e999',
    '-1e999',
    '.inf',
    '-.inf',
    '.nan',
    '-0',
    '9007199254740993',
    '1e-400',
    '0x7fffffffffffffff',
    '0o777',
    '1_0',
    '9'.repeat(400),
  ),
  fc.double().map(String),
  fc.bigInt({ min: -(2n ** 80n), max: 2n ** 80n }).map(String),
);
const value = fc.oneof(
  nested,
  huge,
  fc.constantFrom(
    'null',
    '~',
    '""',
    'true',
    '__proto__',
    'constructor',
    '{ from: 1, count: 1000000 }',
    '{ from: -1 }',
    '|\n    text',
    '*a',
    '&a b',
  ),
  fc.string().map((s) => JSON.stringify(s)),
);

/** `runs`: how many files. */
export const mangledSweeps = (runs: number) =>
  describe('parseSweepText(what somebody made of a real sweep)', () => {
    it('is a Sweep or a ConfigError when values are replaced by huge, deep and strange ones', () => {
      const both = new Set<boolean>();
      const edit = fc.tuple(fc.nat(), value);
      fc.assert(
        fc.property(fc.constantFrom(...sweeps), fc.array(edit, { maxLength: 3 }), (text, edits) => {
          const changed = edits.reduce((before, [i, by]) => {
            const lines = before.split('\n');
            const keys = lines.flatMap((line, at) => (/^\s*[\w.]+:/.test(line) ? [at] : []));
            const at = keys[i % Math.max(1, keys.length)];
            return at === undefined ? before : lines.map((line, j) => (j === at ? line.replace(/:.*/, () => `: ${by}`) : line)).join('\n');
          }, text);
          both.add(judged(changed));
        }),
        { numRuns: runs },
      );
      expect(both.size).toBe(2); // both happen
    });

    it('is a Sweep or a ConfigError when lines are dropped, doubled, moved or indented, and letters changed', () => {
      const edit = fc.tuple(
        fc.constantFrom('drop', 'double', 'move', 'indent', 'letter', 'cut'),
        fc.nat(),
        fc.nat(),
        fc.string({ unit: 'binary', maxLength: 2 }),
      );
      fc.assert(
        fc.property(fc.constantFrom(...sweeps), fc.array(edit, { minLength: 1, maxLength: 4 }), (text, edits) => {
          judged(
            edits.reduce((before, [how, i, j, letters]) => {
              const lines = before.split('\n');
              const [at, to] = [i % lines.length, j % lines.length];
              const line = lines[at] ?? '';
              if (how === 'drop') return lines.toSpliced(at, 1).join('\n');
              if (how === 'double') return lines.toSpliced(to, 0, line).join('\n');
              if (how === 'move') return lines.toSpliced(at, 1).toSpliced(to, 0, line).join('\n');
              if (how === 'indent') return lines.with(at, ' '.repeat(1 + (j % 5)) + line).join('\n');
              const place = i % (before.length + 1);
              return before.slice(0, place) + (how === 'cut' ? '' : letters + before.slice(place + (j % 3)));
            }, text),
          );
        }),
        { numRuns: runs },
      );
    });

    it('is a Sweep or a ConfigError for any text', () => {
      fc.assert(
        fc.property(fc.oneof(fc.string({ unit: 'binary', maxLength: 200 }), nested, huge), (text) => void judged(text)),
        { numRuns: runs },
      );
    });
  });
