import { meanings } from '../contract/problems.ts';
import { SCENARIO_NAMES } from '../contract/scenarios.ts';
import { STRATEGIES } from '../contract/strategies.ts';
import { SWEEP_KEYS } from '../contract/sweep.ts';

/** The key of an override that a word stands for: `seed` and `lr`, too; undefined where nobody can tell. */
export function keyMeant(word: string): string | undefined {
  const name = word.replace(/^axes\./, '');
  return SWEEP_KEYS.includes(name) ? word : meanings(name, SWEEP_KEYS)[0];
}

/** For a shell, in quotes where it needs them. */
export const quoted = (override: string): string => (/^[\w.,:=/+-]+$/.test(override) ? override : `'${override}'`);

interface Meant {
  readonly got: string;
  readonly remedy: string;
}

/** What was meant by the i-th of all overrides where it is no `key=value`; null where it is one, or nobody can tell. */
export function overrideMeant(all: readonly string[], i: number): Meant | null {
  const [before = '', text = '', after = ''] = [all[i - 1], all[i], all[i + 1]];
  const write = (got: string, key: string, value: string): Meant | null => {
    const known = keyMeant(key.trim());
    return known === undefined || value.trim() === '' ? null : { got, remedy: `write ${quoted(`${known}=${value.trim()}`)}` };
  };
  const apart = (first: string, second: string, third: string): Meant | null => {
    if (!/^[A-Za-z][\w.]*=?$/.test(first) || second === '') return null;
    if (second === '=' && third !== '') return write(`${first} ${second} ${third}`, first, third);
    const value = second.match(/^=?([^=]+)$/)?.[1];
    const isKey = !first.endsWith('=') && !second.startsWith('=') && SWEEP_KEYS.includes(second);
    return value === undefined || isKey ? null : write(`${first} ${second}`, first.replace(/=$/, ''), value);
  };
  const [, key = '', value] = text.match(/^([^=]*)=(.*)$/s) ?? [];
  if (value !== undefined && /^[A-Za-z_][\w./-]*$/.test(key.trim()) && !value.startsWith('=')) {
    return value === '' && !after.includes('=') ? apart(text, after, '') : null;
  }
  const [, name, rest] = text.match(/^[-+~]*([A-Za-z][\w.]*)\s*(?:[:+?~]?=+|:|\s)\s*(.+)$/s) ?? [];
  if (name !== undefined && rest !== undefined) return write(text, name, rest);
  // A key and its value that stand apart: said once, of both.
  const pair =
    apart(text, after, all[i + 2] ?? '') ?? apart(before, text, after) ?? (before === '=' ? apart(all[i - 2] ?? '', before, text) : null);
  if (pair !== null) return pair;
  if (value !== undefined) return null;
  if (/\.ya?ml$/i.test(text)) return { got: text, remedy: 'a command takes one sweep file: call it again for another' };
  if (Object.hasOwn(STRATEGIES, text)) return { got: text, remedy: `write strategy=${text}` };
  if (SCENARIO_NAMES.includes(text)) return { got: text, remedy: `write scenario=${text}` };
  return null;
}
