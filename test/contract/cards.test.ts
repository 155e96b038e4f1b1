import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseSweepCard, parseWish, parseWorkerCard } from '../../src/contract/cards.ts';
import { wish as made } from '../../src/coordinator/presence.ts';

const worker = {
  ...{ v: 1, id: 'w', host: 'h', label: null, pid: 1, cap: 'cpu-1', node: 'v20', startedAt: 'now', slots: 2, state: 'working' },
  ...{ reason: '', done: 0, failed: 0, running: [{ sweep: 's', kind: 'base', id: 'i', attempt: 1, seconds: 3, share: 0.5 }] },
};
const count = { trial: 0, base: 0 };
const sweep = {
  ...{ v: 1, name: 'quick', key: 'quick-x', cap: 'cpu-1', origin: 'o', host: 'h', pid: 1, startedAt: 'now', state: 'running' },
  ...{ weight: 1, window: 8, queued: 0, wanted: count, done: count, failed: count },
};
const wish = { state: 'pause', reason: 'lunch', at: 'now' };
const kinds = [
  ['parseWorkerCard', parseWorkerCard, worker],
  ['parseSweepCard', parseSweepCard, sweep],
  ['parseWish', parseWish, wish],
] as const;

it('wish(…) says a reason of any length in as many letters as whoever reads it takes', () => {
  expect(parseWish(JSON.stringify(made('hold', 'x'.repeat(5000)))).reason).toBe('x'.repeat(1024));
  expect(parseWish(JSON.stringify(made('hold', 'lunch'))).reason).toBe('lunch');
});

describe.each(kinds)('%s(message)', (_, parse, good) => {
  it('is what was sent', () => {
    expect(parse(JSON.stringify(good))).toEqual(good);
  });

  it('knows every field and no other', () => {
    for (const key of Object.keys(good)) expect(() => parse(JSON.stringify({ ...good, [key]: undefined })), key).toThrow();
    expect(() => parse(JSON.stringify({ ...good, run: 'rm -rf /' }))).toThrow(/[Uu]nrecognized/);
    expect(() => parse(JSON.stringify(good).replace('{', '{"__proto__":{},'))).toThrow('__proto__ is no name');
  });

  it('of anything is a value or an error, and a text that is too long is an error', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.json(), fc.record({ key: fc.constantFrom(...Object.keys(good)), value: fc.jsonValue() })),
        (x) => {
          const message = typeof x === 'string' ? x : JSON.stringify({ ...good, [x.key]: x.value });
          try {
            expect(JSON.stringify(parse(message)).length).toBeLessThan(70_000);
          } catch (error) {
            expect(error).toBeInstanceOf(Error);
          }
        },
      ),
    );
    const [text] = Object.entries(good).find(([, value]) => typeof value === 'string')!;
    expect(() => parse(JSON.stringify({ ...good, [text]: 'x'.repeat(2_000) }))).toThrow(new RegExp(text));
  });
});
