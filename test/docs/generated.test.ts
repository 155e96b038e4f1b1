import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ENVIRONMENTS } from '../../src/contract/environments.ts';
import { SCENARIOS } from '../../src/contract/scenarios.ts';
import { filled, pages } from '../../tools/docs/blocks.ts';

const made = pages();
const read = (path: string): string => readFileSync(path, 'utf8');

describe('what the pages say of the data', () => {
  it.each(Object.keys(made))('%s is as npm run docs writes it', (path) => {
    expect(filled(read(path), made[path] ?? {})).toBe(read(path));
  });

  it('a page that was changed by hand, or that the data has left behind, is another', () => {
    const path = 'docs/worlds.md';
    const stale = read(path).replace('theta >= 0.08 rad', 'theta >= 0.09 rad');
    expect(stale).not.toBe(read(path));
    expect(filled(stale, made[path] ?? {})).toBe(read(path));
  });

  it('a block without a place, and a place without a block, are errors', () => {
    const blocks = made['docs/worlds.md'] ?? {};
    expect(() => filled(read('docs/worlds.md').replace('generated: boxes;', 'generated: boxen;'), blocks)).toThrow('expected the blocks');
    expect(() => filled(read('docs/worlds.md'), { ...blocks, more: 'x' })).toThrow('expected the blocks boxes, options, scenarios, more');
    expect(() => filled('<!-- generated: a; npm run docs -->', { a: 'x' })).toThrow('a: expected <!-- end --> behind it, got none');
  });

  it('docs/worlds.md has every component, option, scenario and threshold', () => {
    const page = read('docs/worlds.md');
    for (const { observation, options } of Object.values(ENVIRONMENTS)) {
      const names = [...observation.map(({ name }) => name), ...Object.keys(options.parse({}))];
      for (const name of names) expect(page, name).toContain(`| \`${name}\` |`);
    }
    const bounds = Object.values(SCENARIOS).flatMap(({ rules }) => rules.flatMap(({ where }) => Object.entries(where)));
    expect(bounds.length).toBeGreaterThan(8);
    for (const name of Object.keys(SCENARIOS)) expect(page).toContain(`| \`${name}\` |`);
    for (const [name, [low, high]] of bounds) expect(page).toMatch(new RegExp(`${name} (>=|<=|=) ${low ?? high}( |$)`));
  });
});
