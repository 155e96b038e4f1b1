import { SECTIONS, splitName } from './parameters.ts';
import { didYouMean, type Path, type Problem, printGot, printValue, valueAt } from './problems.ts';
import { seedsSchema } from './seeds.ts';
import { STRATEGIES } from './strategies.ts';

export const isMapping = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export const keysAt = (data: unknown, path: Path): string[] => {
  const value = valueAt(data, path);
  return isMapping(value) ? Object.keys(value) : [];
};
const listAt = (data: unknown, path: Path): readonly unknown[] => {
  const value = valueAt(data, path);
  return Array.isArray(value) ? value : [];
};

/** The dimensions of the grid that a document writes: the axes, then the keys of every zip. */
export const dimensionsOf = (data: unknown): string[] => [
  ...keysAt(data, ['axes']),
  ...listAt(data, ['zip']).flatMap((_, i) => keysAt(data, ['zip', i])),
];

function twice(list: unknown, path: Path): Problem[] {
  if (!Array.isArray(list)) return [];
  const seen = new Set<string>();
  return list.flatMap((value, i): Problem[] => {
    const text = printValue(value);
    if (!seen.has(text)) return seen.add(text) && [];
    return [{ path: [...path, i], at: 'value', expected: 'every value once', got: `${printGot(value)} twice`, remedy: 'remove one' }];
  });
}

/** Every parameter has one home: a section, an axis or a zip; so has the engine, at the top or there. */
function twoHomes(data: unknown): Problem[] {
  const homes = new Map<string, string>();
  for (const section of SECTIONS) for (const key of keysAt(data, [section])) homes.set(`${section}.${key}`, `${section}.${key}`);
  if (valueAt(data, ['engine']) !== undefined) homes.set('engine', 'engine at the top');
  const places: Path[] = [
    ...keysAt(data, ['axes']).map((name) => ['axes', name]),
    ...listAt(data, ['zip']).flatMap((_, i) => keysAt(data, ['zip', i]).map((name) => ['zip', i, name])),
  ];
  return places.flatMap((path): Problem[] => {
    const name = String(path.at(-1));
    const home = homes.get(name);
    if (home === undefined) homes.set(name, path[0] === 'axes' ? `axes.${name}` : `zip[${path[1]}].${name}`);
    const got = `it also as ${home}`;
    return home === undefined ? [] : [{ path, at: 'key', expected: 'a parameter at one place', got, remedy: 'remove one of the two' }];
  });
}

/** The lists of a zip move together: they are equally long, and no position repeats another. */
function unevenZips(data: unknown): Problem[] {
  return listAt(data, ['zip']).flatMap((entry, i): Problem[] => {
    if (!isMapping(entry)) return [];
    const lists = Object.entries(entry).filter((pair): pair is [string, unknown[]] => Array.isArray(pair[1]));
    const [first] = lists;
    if (Object.keys(entry).length === 0)
      return [{ path: ['zip', i], at: 'value', expected: 'lists that move together', got: '{}', remedy: 'remove it' }];
    if (first === undefined) return [];
    const uneven = lists.filter(([, list]) => list.length !== first[1].length);
    if (uneven.length > 0) {
      return uneven.map(([name, list]) => ({
        path: ['zip', i, name],
        at: 'value',
        expected: `${first[1].length} values, as ${first[0]} has`,
        got: `${list.length}`,
        remedy: 'lists that move together are equally long',
      }));
    }
    const positions = first[1].map((_, k) => Object.fromEntries(lists.map(([name, list]) => [name, list[k]])));
    return twice(positions, ['zip', i]).map((problem) => ({ ...problem, path: ['zip', i, first[0], problem.path.at(-1) ?? 0] }));
  });
}

/** Conditions and settings that say nothing. */
function emptyEntries(data: unknown): Problem[] {
  const places: Path[] = [
    ...listAt(data, ['exclude']).map((_, i) => ['exclude', i]),
    ...listAt(data, ['when']).flatMap((_, i) => [
      ['when', i, 'if'],
      ['when', i, 'set'],
    ]),
  ];
  return places.flatMap((path): Problem[] => {
    const value = valueAt(data, path);
    if (!isMapping(value) || Object.keys(value).length > 0) return [];
    const expected = path.at(-1) === 'set' ? 'a parameter to set' : 'a condition';
    return [
      {
        path,
        at: 'value',
        expected,
        got: '{}',
        remedy: path.at(-1) === 'set' ? 'for example correct.steps: 1000' : 'for example strategy: tsf',
      },
    ];
  });
}

/** A grid has scenarios and strategies, whether on an axis or in a zip. */
function missingAxes(data: unknown, scenarios: readonly string[]): Problem[] {
  if (!isMapping(valueAt(data, ['axes']))) return [];
  const there = dimensionsOf(data);
  const names = { scenario: scenarios, strategy: Object.keys(STRATEGIES) };
  return (['scenario', 'strategy'] as const).flatMap((axis): Problem[] => {
    if (there.includes(axis)) return [];
    const list = names[axis].length < 3 ? names[axis].join(' or ') : names[axis].join(', ');
    return [{ path: ['axes', axis], at: 'value', expected: `a list, not empty, of ${list}`, got: 'nothing', remedy: 'add it' }];
  });
}

/** Scenarios that are neither there nor written in this file. */
function unknownScenarios(data: unknown, scenarios: readonly string[]): Problem[] {
  const indexed = (path: Path): Path[] => {
    const value = valueAt(data, path);
    return Array.isArray(value) ? value.map((_, i) => [...path, i]) : [path];
  };
  const places: Path[] = [
    ...indexed(['axes', 'scenario']),
    ...listAt(data, ['zip']).flatMap((_, i) => indexed(['zip', i, 'scenario'])),
    ...listAt(data, ['exclude']).flatMap((_, i) => indexed(['exclude', i, 'scenario'])),
    ...listAt(data, ['include']).map((_, i) => ['include', i, 'scenario']),
    ...listAt(data, ['when']).flatMap((_, i) => indexed(['when', i, 'if', 'scenario'])),
  ];
  return places.flatMap((path): Problem[] => {
    const name = valueAt(data, path);
    if (typeof name !== 'string' || scenarios.includes(name)) return [];
    const remedy = didYouMean(name, scenarios);
    const all = scenarios.length < 3 ? scenarios.join(' or ') : `one of ${scenarios.join(', ')}`;
    return [{ path, at: 'value', expected: remedy ? 'a scenario' : all, got: printGot(name), remedy }];
  });
}

/** Seeds that chose parameters say nothing about how well they do. */
function tunedOnItsSeeds(data: unknown): Problem[] {
  const [seeds, tuned] = [seedsSchema.safeParse(valueAt(data, ['seeds'])), seedsSchema.safeParse(valueAt(data, ['tunedOn']))];
  if (!seeds.success || !tuned.success) return [];
  const measured = new Set(seeds.data);
  const both = [...new Set(tuned.data)].filter((n) => measured.has(n)).toSorted((a, b) => a - b);
  if (both.length === 0) return [];
  const got = `${printRuns(both)} in both`;
  return [{ path: ['tunedOn'], at: 'value', expected: 'no seed that is among seeds', got, remedy: 'measure on other seeds' }];
}

/** Of a list that holds ranges, what stands in two of its entries; equal entries are found as in any other list. */
function overlappingRanges(data: unknown, key: string): Problem[] {
  const [list, parsed] = [valueAt(data, [key]), seedsSchema.safeParse(valueAt(data, [key]))];
  if (!Array.isArray(list) || list.every((one) => typeof one === 'number') || !parsed.success) return [];
  const seen = new Set<number>();
  const both = new Set(parsed.data.filter((n) => seen.has(n) || !seen.add(n)));
  if (both.size === 0 || new Set(list).size < list.length) return [];
  const got = `${printRuns([...both].toSorted((a, b) => a - b))} twice`;
  return [{ path: [key], at: 'value', expected: 'every seed once', got, remedy: 'let the ranges not overlap' }];
}

/** `1..3, 7`: at most five runs of consecutive integers, in ascending order. */
function printRuns(sorted: readonly number[]): string {
  const runs: [number, number][] = [];
  for (const n of sorted) {
    const run = runs.at(-1);
    if (run && run[1] === n - 1) run[1] = n;
    else runs.push([n, n]);
  }
  const shown = runs.slice(0, 5).map(([from, to]) => (from === to ? `${from}` : `${from}..${to}`));
  return [...shown, ...(runs.length > shown.length ? ['...'] : [])].join(', ');
}

/** `when` sets what nothing else has set; what a section has set, is set for every arm. */
function setAlready(data: unknown): Problem[] {
  return listAt(data, ['when']).flatMap((_, i) =>
    keysAt(data, ['when', i, 'set']).flatMap((name): Problem[] => {
      const [section = '', key = ''] = splitName(name) ?? [];
      if (!keysAt(data, [section]).includes(key)) return [];
      const got = `${name}, which ${section} sets for every arm`;
      return [
        { path: ['when', i, 'set', name], at: 'key', expected: 'a parameter that is not set yet', got, remedy: 'remove one of the two' },
      ];
    }),
  );
}

function groupsByStrangers(data: unknown): Problem[] {
  const axes = dimensionsOf(data);
  return listAt(data, ['report', 'groupBy']).flatMap((name, i): Problem[] => {
    if (typeof name !== 'string' || axes.includes(name)) return [];
    const expected = `an axis of this sweep (${axes.join(', ')})`;
    return [{ path: ['report', 'groupBy', i], at: 'value', expected, got: printGot(name), remedy: didYouMean(name, axes) }];
  });
}

/** What no single field can see. Reads the document itself: which keys are written matters, and defaults do not count. */
export function acrossFields(data: unknown, scenarios: readonly string[]): Problem[] {
  const lists: Path[] = [['seeds'], ['tunedOn'], ['report', 'groupBy'], ...keysAt(data, ['axes']).map((name) => ['axes', name])];
  return [
    ...lists.flatMap((path) => twice(valueAt(data, path), path)),
    ...overlappingRanges(data, 'seeds'),
    ...overlappingRanges(data, 'tunedOn'),
    ...twoHomes(data),
    ...unevenZips(data),
    ...emptyEntries(data),
    ...missingAxes(data, scenarios),
    ...unknownScenarios(data, scenarios),
    ...tunedOnItsSeeds(data),
    ...setAlready(data),
    ...groupsByStrangers(data),
  ];
}
