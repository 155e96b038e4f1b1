import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseDocument } from 'yaml';
import { ConfigError } from '../../src/contract/errors.ts';
import { sweepJsonSchema } from '../../src/contract/sweep.ts';
import { expand } from '../../src/coordinator/expand.ts';
import { parseSweepText } from '../../src/coordinator/load.ts';

const page = readFileSync('docs/sweep-file.md', 'utf8');
const blocks = [...page.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, text = '']) => text);
const [whole = ''] = blocks;

/** The first block is a whole file; any other says what is different. */
function onTop(text: string): string {
  const file = parseDocument(whole);
  const part = parseDocument(text, { uniqueKeys: false });
  for (const { key } of (part.contents as unknown as { items: { key: { value: string } }[] }).items) file.delete(key.value);
  return `${file.toString()}${text}`;
}

function refusal(text: string): string {
  try {
    parseSweepText(text, 'x.yaml');
  } catch (error) {
    if (error instanceof ConfigError) return error.message.replaceAll(/^x\.yaml:\d+:\d+ /gm, '');
    throw error;
  }
  return '';
}

describe('docs/sweep-file.md', () => {
  it.each(blocks.map((text, i) => [i, text] as const))('block %i is a sweep that expands', (i, text) => {
    expect(expand(parseSweepText(i === 0 ? text : onTop(text), 'x.yaml').sweep).length).toBeGreaterThan(0);
  });

  it('has a line for every key, and no other', () => {
    const keys = [...page.matchAll(/^\| ((?:`\w+`(?:, )?)+) \|/gm)].flatMap(([, cell = '']) =>
      [...cell.matchAll(/\w+/g)].map(([key]) => key),
    );
    expect(keys.toSorted()).toEqual(Object.keys((sweepJsonSchema() as { properties: object }).properties).toSorted());
  });

  const errors = [...page.matchAll(/^\| `([^`]+)` \| `([^`]+)` \|$/gm)].map(([, written = '', answer = '']) => [written, answer] as const);
  it.each(errors)('answers %s as it says', (written, answer) => {
    expect(refusal(onTop(`${written}\n`))).toBe(answer);
  });

  it('has examples and mistakes', () => {
    expect([blocks.length, errors.length]).toEqual([8, 15]);
  });
});
