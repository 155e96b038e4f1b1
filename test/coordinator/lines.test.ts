import { appendFileSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { type Line, Lines, readLines } from '../../src/coordinator/lines.ts';

let path: string;
beforeEach(() => {
  path = join(mkdtempSync(join(tmpdir(), 'spc-')), 'rows.jsonl');
});
const all = async (): Promise<Line[]> => {
  const lines: Line[] = [];
  for await (const line of readLines(path)) lines.push(line);
  return lines;
};
const long = 'ä'.repeat(100_000); // longer than a chunk, and more bytes than letters

describe('readLines(path)', () => {
  it('yields complete lines with the byte at which they start', async () => {
    writeFileSync(path, `one\n${long}\n\ntorn`);
    expect((await all()).map(({ text, offset, number }) => [text.length, offset, number])).toEqual([
      [3, 0, 1],
      [100_000, 4, 2],
      [0, 200_005, 3],
    ]);
  });

  it('finds nothing in a file that is not there', async () => {
    expect(await all()).toEqual([]);
  });
});

describe('Lines', () => {
  it('append(text) returns where the line starts, and read(offset) reads it back', async () => {
    const lines = await Lines.open(path);
    const offsets = [await lines.append('one', true), await lines.append(long, true), await lines.append('three', false)];
    expect(offsets).toEqual([0, 4, 200_005]);
    expect(await Promise.all(offsets.map((at) => lines.read(at)))).toEqual(['one', long, 'three']);
    await lines.close();
    expect(readFileSync(path, 'utf8')).toBe(`one\n${long}\nthree\n`);
  });

  it.each([
    ['a torn line', 'one\ntwo\nthr', 'one\ntwo\n', 3],
    ['nothing but a torn line', 'thr', '', 3],
    ['a long torn line', `one\n${long}`, 'one\n', 200_000],
    ['an empty file', '', '', 0],
    ['a whole last line', 'one\n', 'one\n', 0],
  ])('open(path) repairs %s', async (_what, text, kept, torn) => {
    writeFileSync(path, text);
    const lines = await Lines.open(path);
    expect(lines.torn).toBe(torn);
    expect(readFileSync(path, 'utf8')).toBe(kept);
    expect(await lines.append('next', true)).toBe(Buffer.byteLength(kept));
    await lines.close();
    expect(readFileSync(path, 'utf8')).toBe(`${kept}next\n`);
  });

  it('goes on behind what is there', async () => {
    appendFileSync(path, 'one\n');
    const lines = await Lines.open(path);
    expect(await lines.append('two', true)).toBe(4);
    await lines.close();
    expect((await all()).map((line) => line.text)).toEqual(['one', 'two']);
  });
});
