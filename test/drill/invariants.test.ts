import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkFiles, compareRows } from './invariants.ts';

const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex');
const base = JSON.stringify({ id: 'b', ok: true, result: { policy: digestOf('policy') } });
const trial = (id: string, more = {}): string => JSON.stringify({ id, ok: false, failure: {}, ...more });

/** A results folder of one base and these trials. */
function folderOf(trials: readonly string[], files: Readonly<Record<string, string>> = { [digestOf('policy')]: 'policy' }): string {
  const folder = mkdtempSync(join(tmpdir(), 'spc-'));
  for (const kind of ['policies', 'forget']) mkdirSync(join(folder, kind));
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, 'policies', `${name}.safetensors`), content);
  writeFileSync(join(folder, 'bases.jsonl'), `${base}\n`);
  writeFileSync(join(folder, 'trials.jsonl'), trials.map((line) => `${line}\n`).join(''));
  return folder;
}

describe('compareRows(folder, expected)', () => {
  const calm = folderOf([trial('1'), trial('2'), trial('3')]);
  const wrong = (...trials: string[]): string[] => compareRows(folderOf(trials), calm).map((text) => text.split('\n', 1).join(''));

  it('is content with the same rows in another order', () => expect(wrong(trial('3'), trial('1'), trial('2'))).toEqual([]));

  it.each([
    ['a row that is missing', [trial('1'), trial('3')], 'I1: trials.jsonl: expected 3 rows, got 2'],
    ['a row that is there twice', [trial('1'), trial('1'), trial('2'), trial('3')], 'I1: trials.jsonl has 1 id(s) more than once'],
    ['a row of somebody else', [trial('1'), trial('2'), trial('4')], 'I1: trials.jsonl has rows that nobody asked for: 4'],
    ['another byte', [trial('1'), trial('2', { x: 1 }), trial('3')], 'I2: trials.jsonl: sorted line 2 is other than without faults:'],
  ])('sees %s', (_what, trials, words) => expect(wrong(...trials)).toContain(words));

  it('does not compare with nothing', () => {
    const nothing = folderOf([]);
    expect(compareRows(nothing, nothing)).toEqual(['trials.jsonl: the sweep without faults has no rows to compare with']);
  });
});

describe('checkFiles(folder)', () => {
  it('is content when all files are there and are what their names say', () => expect(checkFiles(folderOf([]))).toEqual([]));

  it('sees a file that is missing, and one that is altered', () => {
    expect(checkFiles(folderOf([], {}))).toEqual([`I4: b: no policies/${digestOf('policy')}`]);
    const altered = { [digestOf('policy')]: 'other' };
    expect(checkFiles(folderOf([], altered))).toEqual([
      `I4: policies/${digestOf('policy')}.safetensors has the digest ${digestOf('other')}`,
    ]);
  });
});
