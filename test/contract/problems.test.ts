import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import {
  abridge,
  didYouMean,
  judge,
  meanings,
  nearest,
  printGot,
  printPath,
  printProblem,
  printValue,
  valueAt,
} from '../../src/contract/problems.ts';

describe('nearest', () => {
  it.each([
    ['numEnv', 'numEnvs'],
    ['num_envs', 'numEnvs'],
    ['NUM-ENVS', 'numEnvs'],
    ['tfs', 'tsf'],
    ['cartpole/angel', 'cartpole/angle'],
    ['learningrate', 'learningRate'],
    ['banana', undefined],
    ['', undefined],
    ['x', undefined],
  ])('nearest(%j) is %j', (word, meant) => {
    expect(nearest(word, ['tsf', 'none', 'numEnvs', 'cartpole/angle', 'learningRate'])).toBe(meant);
  });

  // What others call our things: Stable-Baselines3, CleanRL, everyday words.
  it.each([
    ['lr', ['ppo.learningRate', 'correct.learningRate']],
    ['ppo.lr', ['ppo.learningRate']],
    ['learning_rate', ['ppo.learningRate', 'correct.learningRate']],
    ['gama', ['ppo.gamma']],
    ['n_steps', ['ppo.numSteps']],
    ['clip_range', ['ppo.clipCoef']],
    ['clip-range', ['ppo.clipCoef']],
    ['ENV', ['scenario']],
    ['strategies', ['strategy']],
    ['overhead', ['gradientOverhead', 'timeOverhead']],
    ['latex', ['tex']],
    ['hasOwnProperty', []],
    ['__proto__', []],
    ['ppo.env', []],
    ['.', []],
  ])('meanings(%j) are %j', (word, meant) => {
    const names =
      'ppo.learningRate ppo.gamma ppo.numSteps ppo.clipCoef correct.learningRate scenario strategy gradientOverhead timeOverhead tex';
    expect(meanings(word, names.split(' '))).toEqual(meant);
  });

  it('didYouMean(…) lists what it may be', () => {
    expect(didYouMean('lr', ['a.learningRate', 'b.learningRate', 'learningRate'])).toBe('did you mean learningRate?');
    expect(didYouMean('overhead', ['timeOverhead', 'gradientOverhead', 'environmentOverhead'])).toBe(
      'did you mean gradientOverhead, environmentOverhead or timeOverhead?',
    );
    expect(didYouMean('banana', ['a'])).toBeUndefined();
  });

  it('nearest(exact) prefers the exact one to a neighbour', () => {
    expect(nearest('tsf:paper', ['tsf', 'tsf:papers', 'tsf:paper'])).toBe('tsf:paper');
  });
});

describe('printing', () => {
  it('printValue(…) is one line of YAML', () => {
    expect(printValue({ a: [1, 'x', null], b: {}, c: Number.NaN, d: -Infinity })).toBe('{ a: [1, "x", null], b: {}, c: .nan, d: -.inf }');
    expect(printValue(undefined)).toBe('nothing');
  });

  it('printGot(long) is cut', () => {
    expect(printGot('x'.repeat(1000))).toHaveLength(60);
  });

  it('printProblem(…) is place, path, expectation, finding and remedy', () => {
    const problem = { path: ['axes', 'ppo.gamma', 1], at: 'value', expected: 'a number', got: '"x"' } as const;
    expect(printPath(problem.path)).toBe('axes.ppo.gamma[1]');
    expect(printProblem(problem, 'a.yaml:3:7')).toBe('a.yaml:3:7 axes.ppo.gamma[1]: expected a number, got "x"');
    expect(printProblem({ ...problem, remedy: 'write 1' })).toBe('axes.ppo.gamma[1]: expected a number, got "x"; write 1');
  });

  it('valueAt(…) follows own keys and indices only', () => {
    expect(valueAt({ a: [{ b: 3 }] }, ['a', 0, 'b'])).toBe(3);
    expect(valueAt({ a: 1 }, ['constructor'])).toBeUndefined();
    expect(valueAt([1], ['length'])).toBeUndefined();
  });
});

describe('judge', () => {
  const told = (schema: z.ZodType, data: unknown): string[] => {
    const judged = judge(schema, data);
    return judged.ok ? [] : judged.problems.map((problem) => printProblem(problem, 'x'));
  };

  // Whatever the check that failed, the whole range is named.
  it.each([
    [z.int().positive(), 0, 'an integer >= 1, got 0'],
    [z.int().positive(), 1.5, 'an integer >= 1, got 1.5'],
    [z.int().min(2).max(9), 10, 'an integer in [2, 9], got 10'],
    [z.number().positive().nullable(), -1, 'a number > 0 or null, got -1'],
    [z.number().gt(0).lt(1), Number.POSITIVE_INFINITY, 'a number in (0, 1), got .inf'],
    [z.number().max(3), 4, 'a number <= 3, got 4'],
    [z.number().lt(3), Number.NaN, 'a number < 3, got .nan'],
    [z.int(), 2 ** 60, 'an integer, got 1152921504606847000'],
    [z.boolean(), 'off', 'true or false, got "off"; write false'],
    [z.boolean(), 'maybe', 'true or false, got "maybe"'],
    [z.number(), '1_0.5_0', 'a number, got "1_0.5_0"; YAML 1.2 reads 1_0.5_0 as text; write 10.50'],
    [z.number(), '1e-3', 'a number, got "1e-3"; write 1e-3 without quotes'],
    [z.number().nullable(), 'None', 'a number or null, got "None"; write null'],
    [z.string(), true, 'text, got true; put it in quotes: "true"'],
    [z.enum(['left', 'right', 'up']), 'rihgt', 'one of left, right, up, got "rihgt"; did you mean right?'],
    [z.array(z.enum(['left', 'right', 'up'])), 'rihgt', 'a list of left, right, up, got "rihgt"; write [right]'],
    [z.array(z.int()).min(1), [], 'a list, not empty, of integers, got []'],
    [z.strictObject({ a: z.int() }), null, '{ a }, got null; remove the key or give it a value'],
  ])('judge(…, …) #%#', (schema, data, text) => {
    expect(told(schema, data)).toEqual([`x: expected ${text}`]);
  });

  it('judge(union) speaks of the branch that was meant', () => {
    const schema = z.strictObject({ s: z.union([z.int(), z.strictObject({ from: z.int(), count: z.int().positive() })]) });
    expect(told(schema, { s: { from: 1, cuont: 2 } })).toEqual([
      'x s.count: expected an integer >= 1, got nothing; add it',
      'x s.cuont: expected a known key, got cuont; did you mean count?',
    ]);
    expect(told(schema, { s: 'x' })).toEqual(['x s: expected an integer or { from, count }, got "x"']);
  });

  it('judge(…) trusts nothing that it was given', () => {
    const odd = Object.assign(Object.create(null) as object, { constructor: { name: Object.create(null) as object } });
    expect(told(z.union([z.int(), z.strictObject({ a: z.int() })]), odd)).toHaveLength(2);
    expect(told(z.int(), odd)).toHaveLength(1);
  });

  it('judge(rule between two) names both with their values, defaults too', () => {
    const schema = z
      .strictObject({ few: z.int().default(3), many: z.int().default(9) })
      .refine((o) => o.few <= o.many, { path: ['few'], message: 'must not exceed many' });
    expect(told(schema, { many: 2 })).toEqual(['x few: expected few not to exceed many, got few 3, many 2']);
  });
});

describe('abridge(message, length)', () => {
  it.each([
    ['a short one', 40, 'a short one'],
    ['two\n  lines\n', 40, 'two'],
    [`where: expected ${'x'.repeat(60)}, got y; do this`, 50, `where: expected ${'x'.repeat(22)}...; do this`],
    [
      `got one; two; three; ${'a remedy that is longer than what there is room for'}`,
      40,
      'got one; two; three; a remedy that is longer than what there is room for',
    ],
    [`${'y'.repeat(70)}`, 40, `${'y'.repeat(37)}...`],
  ])('%s', (message, length, said) => expect(abridge(message, length)).toBe(said));
});
