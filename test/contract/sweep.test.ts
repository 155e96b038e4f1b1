import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { evaluateSchema } from '../../src/contract/evaluate.ts';
import { ppoSchema } from '../../src/contract/ppo.ts';
import { printProblem } from '../../src/contract/problems.ts';
import { MAX_TRIALS, parseSweep, type Sweep, type SweepInput, salvage } from '../../src/contract/sweep.ts';

const minimal: SweepInput = { version: 1, name: 'x', seeds: 2, axes: { scenario: ['cartpole/angle'], strategy: ['none', 'tsf'] } };
const axes = minimal.axes;

const parsed = (data: unknown): Sweep => {
  const judged = parseSweep(data);
  if (!judged.ok) throw new Error(judged.problems.map((p) => printProblem(p)).join('\n'));
  return judged.value;
};
const told = (data: unknown): string[] => {
  const judged = parseSweep(data);
  return judged.ok ? [] : judged.problems.map((p) => printProblem(p, 'x'));
};

describe('parseSweep', () => {
  it('parseSweep(minimal) leaves nothing optional', () => {
    expect(parsed(minimal)).toEqual({
      ...{ version: 1, name: 'x', description: '', seeds: [1, 2], correctionSeeds: [0], acceptance: 'refuse', engine: 'wasm' },
      ...{ axes, ppo: ppoSchema.parse({}), correct: {}, evaluate: evaluateSchema.parse({}) },
      report: { baseline: 'none', groupBy: ['scenario', 'strategy'] },
    });
  });

  it.each([
    [3, [1, 2, 3]],
    [{ from: 101, count: 2 }, [101, 102]],
    [{ from: 0, count: 1 }, [0]],
    [
      [7, 0, 5],
      [7, 0, 5],
    ],
  ])('parseSweep({ seeds: %j }) means %j', (seeds, list) => {
    expect(parsed({ ...minimal, seeds }).seeds).toEqual(list);
  });

  it('parseSweep({ correctionSeeds: n }) counts from 0', () => {
    expect(parsed({ ...minimal, correctionSeeds: 3 }).correctionSeeds).toEqual([0, 1, 2]);
  });

  it('parseSweep(…) keeps the axes in the order of the file, and groups by all of them', () => {
    const sweep = parsed({
      ...minimal,
      axes: { 'ppo.gamma': [0.9, 1], strategy: ['tsf'], 'correct.steps': [1], scenario: ['cartpole/angle'] },
    });
    expect(Object.keys(sweep.axes)).toEqual(['ppo.gamma', 'strategy', 'correct.steps', 'scenario']);
    expect(sweep.report.groupBy).toEqual(['ppo.gamma', 'strategy', 'correct.steps', 'scenario']);
  });

  it.each(['zip', 'when', 'exclude', 'include', 'tunedOn', 'scenarios', 'limits'])(
    'parseSweep({ %s }) says that it is not there yet',
    (key) => {
      const text = `x ${key}: expected a key that this version knows, got ${key}; it belongs to the grammar but is not there yet: remove it`;
      expect(told({ ...minimal, [key]: {} })).toEqual([text]);
    },
  );

  it.each([
    [{ version: 2 }, 'version: expected 1, got 2'],
    [{ version: undefined }, 'version: expected 1, got nothing; add version: 1'],
    [{ name: 'a/b' }, 'name: expected a file name of at most 64 letters, digits, - and _, got "a/b"'],
    [{ name: '..' }, 'name: expected a file name of at most 64 letters, digits, - and _, got ".."'],
    [{ name: 'NUL' }, 'name: expected a file name of at most 64 letters, digits, - and _, got "NUL"'],
    [{ name: 'x\n' }, 'name: expected a file name of at most 64 letters, digits, - and _, got "x\\n"'],
    [{ name: 2026 }, 'name: expected text, got 2026; put it in quotes: "2026"'],
    [{ seeds: [1, 2, 1] }, 'seeds[2]: expected every value once, got 1 twice; remove one'],
    [{ seeds: [1, -1] }, 'seeds[1]: expected an integer >= 0, got -1'],
    [{ seeds: { from: 3 } }, 'seeds.count: expected an integer in [1, 1000000], got nothing; add it'],
    [
      { seeds: MAX_TRIALS + 1 },
      'seeds: expected an integer in [1, 1000000] or { from, count } or a list, not empty, of integers >= 0, got 1000001',
    ],
    [{ correctionSeeds: [0, 1] }, 'correctionSeeds: expected an integer in [1, 1000000], got [0, 1]'],
    [{ engine: 'wasn' }, 'engine: expected wasm or reference, got "wasn"; did you mean wasm?'],
    [{ stratgy: ['tsf'] }, 'stratgy: expected a known key, got stratgy; did you mean axes.strategy?'],
    [{ numEnvs: 8 }, 'numEnvs: expected a known key, got numEnvs; did you mean ppo.numEnvs?'],
    [{ ppo: { steps: 8 } }, 'ppo.steps: expected a known key, got steps; did you mean correct.steps?'],
    [{ 'correct.steps': 8 }, 'correct.steps: expected a known key, got correct.steps; did you mean correct: { steps: ... }?'],
    [{ ppo: { learning_rate: 1 } }, 'ppo.learning_rate: expected a known key, got learning_rate; did you mean learningRate?'],
    [
      { report: { groupBy: ['strategi'] } },
      'report.groupBy[0]: expected an axis of this sweep (scenario, strategy), got "strategi"; did you mean strategy?',
    ],
    [{ report: { baseline: 'non' } }, 'report.baseline: expected one of none, retrain, tsf:paper, tsf, got "non"; did you mean none?'],
    [{ axes: { ...axes, strategy: [] } }, 'axes.strategy: expected a list, not empty, of none, retrain, tsf:paper, tsf, got []'],
    [
      { axes: { scenario: axes.scenario } },
      'axes.strategy: expected a list, not empty, of none, retrain, tsf:paper, tsf, got nothing; add it',
    ],
    [{ axes: { ...axes, 'ppo.gamma': [0.9, 0.9] } }, 'axes.ppo.gamma[1]: expected every value once, got 0.9 twice; remove one'],
    [{ axes: { ...axes, 'ppo.gamma': [0.9, 2] } }, 'axes.ppo.gamma[1]: expected a number in [0, 1], got 2'],
    [{ axes: { ...axes, 'ppo.gama': [0.9] } }, 'axes.ppo.gama: expected a known key, got ppo.gama; did you mean ppo.gamma?'],
    [
      { axes: { ...axes, 'correct.steps': [1] }, correct: { steps: 2 } },
      'axes.correct.steps: expected a parameter at one place, got it also as correct.steps; remove one of the two',
    ],
    [{ ppo: null }, 'ppo: expected a mapping, got null; remove the key or give it a value'],
  ])('parseSweep(… %j) is refused', (change, text) => {
    expect(told(JSON.parse(JSON.stringify({ ...minimal, ...change })))).toEqual([`x ${text}`]);
  });

  it('parseSweep(…) reports all problems at once', () => {
    expect(told({ ...minimal, version: 3, foo: 1, ppo: { gamma: 2 }, seeds: [0, 0] })).toHaveLength(4);
  });

  it('parseSweep(anything) is a sweep or problems, never an exception', () => {
    const key = fc.constantFrom(
      ...Object.keys(minimal),
      'ppo',
      'correct',
      'report',
      'evaluate',
      '__proto__',
      'constructor',
      'scenario',
      'ppo.gamma',
    );
    const value = fc.letrec((tie) => ({
      any: fc.oneof({ depthSize: 'small' }, fc.jsonValue(), fc.double(), fc.array(tie('any')), fc.dictionary(key, tie('any'))),
    })).any;
    fc.assert(
      fc.property(value, fc.dictionary(key, value), (whole, part) => {
        for (const data of [whole, { ...minimal, ...part }]) {
          const judged = parseSweep(data);
          if (!judged.ok) expect(judged.problems.length).toBeGreaterThan(0);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('salvage', () => {
  const rest = (data: unknown) => {
    const judged = parseSweep(data);
    return judged.ok ? null : salvage(data, judged.problems);
  };

  it('salvage(…) keeps the sections without problems', () => {
    const found = rest({ ...minimal, descripton: 'x', ppo: { gama: 1 }, correct: { steps: 3 } });
    expect(found?.sweep.correct).toEqual({ steps: 3 });
    expect([found?.sound('ppo'), found?.sound('correct')]).toEqual([false, true]);
  });

  it('salvage(…) trusts no section when a stray key may belong to one', () => {
    const found = rest({ ...minimal, numEnvs: 8 });
    expect([found?.sound('ppo'), found?.sound('correct')]).toEqual([false, false]);
  });

  it('salvage(…) gives up when the grid is in doubt', () => {
    expect(rest({ ...minimal, axes: { ...axes, strategy: ['tfs'] } })).toBeNull();
    expect(rest({ ...minimal, axes: null })).toBeNull();
    expect(rest(7)).toBeNull();
  });
});
