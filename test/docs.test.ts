import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { STRATEGIES } from '../src/contract/strategies.ts';
import { OBJECTIVES } from '../src/correction/forget/index.ts';

const page = readFileSync(new URL('../docs/strategies.md', import.meta.url), 'utf8');

describe('docs/strategies.md', () => {
  it('names every strategy, every parameter and every forget objective', () => {
    const names = [
      ...Object.keys(STRATEGIES),
      ...Object.values(STRATEGIES).flatMap((preset) => preset.reads),
      ...Object.values(OBJECTIVES).map((objective) => objective.name),
    ];
    expect(names.length).toBeGreaterThan(100);
    expect(names.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
  });

  it('names no strategy that is not there', () => {
    const rows = [...page.matchAll(/^\| `([^`]+)` \| (?:nothing|the world|constraint|recorded)/gm)].map(([, name]) => name);
    expect(rows.sort()).toEqual(Object.keys(STRATEGIES).sort());
  });
});
