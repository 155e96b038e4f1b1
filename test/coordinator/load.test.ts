import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/contract/errors.ts';
import { STRATEGIES } from '../../src/contract/strategies.ts';
import { type Loaded, loadFrozen, loadSweep, parseSweepText } from '../../src/coordinator/load.ts';

const good = `# a question
version: 1
name: grid
seeds: 5   # 1..5
axes:
  scenario: [cartpole/angle]
  strategy: [none, tsf]
ppo:
  numEnvs: 8
`;

const NAMES = Object.keys(STRATEGIES).join(', ');

/** The message, line by line. Anything but a ConfigError is the test's failure. */
function refusal(text: string, overrides: readonly string[] = []): string[] {
  try {
    parseSweepText(text, 'a.yaml', overrides);
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n');
    throw error;
  }
  return [];
}

/** The good file with one line replaced, or with lines behind it. */
const change = (line: string, by: string): string => good.replace(line, by);
const GRID = 'scenario: [cartpole/angle]';

describe('parseSweepText refuses', () => {
  it.each<[title: string, text: string, message: string | string[]]>([
    ['nothing', '', 'a.yaml:1:1: expected a sweep, got an empty file; write version, name, seeds and axes, as sweeps/quick.yaml does'],
    [
      'comments only',
      '# x\n',
      'a.yaml:1:1: expected a sweep, got an empty file; write version, name, seeds and axes, as sweeps/quick.yaml does',
    ],
    ['a list', '- 1\n- 2\n', 'a.yaml:1:1: expected a mapping, got [1, 2]'],
    ['a scalar', 'hello', 'a.yaml:1:1: expected a mapping, got "hello"'],
    ['an unknown key', `${good}descripton: x\n`, 'a.yaml:10:1 descripton: expected a known key, got descripton; did you mean description?'],
    [
      'an unknown nested key',
      `${good}  numStep: 3\n`,
      'a.yaml:10:3 ppo.numStep: expected a known key, got numStep; did you mean numSteps?',
    ],
    ['a key twice', `${good}name: other\n`, 'a.yaml:10:1 name: expected every key once, got name again; remove one'],
    ['a nested key twice', `${good}  numEnvs: 4\n`, 'a.yaml:10:3 ppo.numEnvs: expected every key once, got numEnvs again; remove one'],
    ['a missing key', change('name: grid\n', ''), 'a.yaml:2:1 name: expected text, got nothing; add it'],
    [
      'a missing nested key',
      change('  strategy: [none, tsf]\n', ''),
      `a.yaml:5:1 axes.strategy: expected a list, not empty, of ${NAMES}, got nothing; add it`,
    ],
    [
      'an underscored number',
      `${good}  totalTimesteps: 100_000\n`,
      'a.yaml:10:19 ppo.totalTimesteps: expected an integer >= 1, got "100_000"; YAML 1.2 reads 100_000 as text; write 100000',
    ],
    [
      'a quoted number',
      `${good}  numSteps: "32"\n`,
      'a.yaml:10:13 ppo.numSteps: expected an integer >= 1, got "32"; write 32 without quotes',
    ],
    ['yes for true', `${good}  annealLr: yes\n`, 'a.yaml:10:13 ppo.annealLr: expected true or false, got "yes"; write true'],
    ['a number out of range', `${good}  gamma: 1.5\n`, 'a.yaml:10:10 ppo.gamma: expected a number in [0, 1], got 1.5'],
    ['infinity', `${good}  learningRate: .inf\n`, 'a.yaml:10:17 ppo.learningRate: expected a number > 0, got .inf'],
    ['an empty section', `${good}correct:\n`, 'a.yaml:10:1 correct: expected a mapping, got null; remove the key or give it a value'],
    ['a misspelt strategy', change('tsf]', 'tfs]'), `a.yaml:7:20 axes.strategy[1]: expected one of 16 names, got "tfs"; did you mean tsf?`],
    [
      'a misspelt scenario',
      change('angle]', 'angel]'),
      'a.yaml:6:14 axes.scenario[0]: expected a scenario, got "cartpole/angel"; did you mean cartpole/angle?',
    ],
    ['no list', change('[none, tsf]', 'tsf'), `a.yaml:7:13 axes.strategy: expected a list, not empty, of 16 names, got "tsf"; write [tsf]`],
    ['an empty grid', change('[none, tsf]', '[]'), `a.yaml:7:13 axes.strategy: expected a list, not empty, of ${NAMES}, got []`],
    ['a value twice', change('tsf]', 'none]'), 'a.yaml:7:20 axes.strategy[1]: expected every value once, got "none" twice; remove one'],
    [
      'a bare environment under a strategy that corrects',
      change(GRID, 'scenario: [cartpole/angle, CartPole-v1]'),
      'a.yaml:6:30 axes.scenario[1]: expected a constraint for tsf, got the bare environment CartPole-v1; choose cartpole/angle or none as the only strategy',
    ],
    [
      'a bare environment under retrain',
      change(GRID, 'scenario: [CartPole-v1]').replace('tsf]', 'retrain]'),
      'a.yaml:6:14 axes.scenario[0]: expected a constraint for retrain, got the bare environment CartPole-v1; choose cartpole/angle or none as the only strategy',
    ],
    [
      'a parameter that nobody reads',
      `${good}correct:\n  penalty: 0.1\n`,
      'a.yaml:11:3 correct.penalty: expected a parameter that a chosen strategy (none, tsf) reads, got penalty; it is read by finetune, retrain-penalty',
    ],
    [
      'an axis that nobody reads',
      change('ppo:', '  correct.penalty: [0.1]\nppo:'),
      'a.yaml:8:3 axes.correct.penalty: expected a parameter that a chosen strategy (none, tsf) reads, got penalty; it is read by finetune, retrain-penalty',
    ],
    [
      "a strategy's parameter of the wrong type",
      `${good}correct:\n  steps: 1_000\n`,
      'a.yaml:11:10 correct.steps: expected an integer >= 1, got "1_000"; YAML 1.2 reads 1_000 as text; write 1000',
    ],
    [
      "a strategy's rule",
      `${good}correct:\n  uniformRetain: 300\n`,
      'a.yaml:11:18 correct.uniformRetain: expected uniformRetain not to exceed retainBatch, got uniformRetain 300, retainBatch 256',
    ],
    [
      "a strategy's rule, broken at its default",
      `${good}correct:\n  steps: 10\n  retainBatch: 64\n`,
      'a.yaml:12:16 correct.retainBatch: expected uniformRetain not to exceed retainBatch, got uniformRetain 128, retainBatch 64; set correct.uniformRetain too',
    ],
    [
      'minibatches that do not divide the batch',
      `${good}  numMinibatches: 6\n`,
      'a.yaml:10:19 ppo.numMinibatches: expected numMinibatches to divide numEnvs * numSteps, got numMinibatches 6, numEnvs 8, numSteps 2048',
    ],
    [
      'a batch that the default of minibatches does not divide',
      `${good}  gamma: 0.9\n  numSteps: 9\n`,
      'a.yaml:11:13 ppo.numSteps: expected numMinibatches to divide numEnvs * numSteps, got numMinibatches 32, numEnvs 8, numSteps 9; set ppo.numMinibatches too',
    ],
    [
      'minibatches of an axis that do not divide the batch',
      change('ppo:', '  ppo.numMinibatches: [32, 7]\nppo:'),
      'a.yaml:8:28 axes.ppo.numMinibatches[1]: expected numMinibatches to divide numEnvs * numSteps, got numMinibatches 7, numEnvs 8, numSteps 2048',
    ],
    [
      'a parameter at two places',
      change('ppo:', '  ppo.numEnvs: [8]\nppo:'),
      'a.yaml:8:3 axes.ppo.numEnvs: expected a parameter at one place, got it also as ppo.numEnvs; remove one of the two',
    ],
    [
      'an exclude that matches nothing',
      `${good}exclude:\n  - { strategy: [none, retrain], correct.steps: 500 }\n  - { strategy: retrain }\n`,
      [
        'a.yaml:11:5 exclude[0]: expected an arm that matches, got none with { strategy: ["none", "retrain"], correct.steps: 500 }; some arm meets each of these, none meets all',
        'a.yaml:12:17 exclude[1].strategy: expected an arm that matches, got none with { strategy: "retrain" }; strategy is none, tsf',
      ],
    ],
    [
      'an exclude by what no arm reads',
      `${good}exclude: [{ correct.penalty: 1 }]\n`,
      'a.yaml:10:30 exclude[0].correct.penalty: expected an arm that matches, got none with { correct.penalty: 1 }; no arm reads correct.penalty',
    ],
    [
      'a grid of which everything is excluded',
      `${good}exclude: [{ strategy: [none, tsf] }]\n`,
      'a.yaml:10:1 exclude: expected an arm that is left, got none: all 2 are excluded; exclude less',
    ],
    [
      'an include that exists already',
      `${good}include:\n  - { scenario: cartpole/angle, strategy: tsf, correct.steps: 500 }\n`,
      'a.yaml:11:5 include[0]: expected a new arm, got one that is there as cartpole/angle tsf; remove it',
    ],
    [
      'an include twice',
      `${good}include:\n  - { scenario: cartpole/angle, strategy: tsf, correct.steps: 5 }\n  - { strategy: tsf, correct.steps: 5, scenario: cartpole/angle }\n`,
      'a.yaml:12:5 include[1]: expected a new arm, got one that is there as cartpole/angle tsf correct.steps=5; remove it',
    ],
    [
      'an include that only `when` makes equal',
      `${good}include: [{ scenario: cartpole/angle, strategy: tsf, correct.steps: 7 }]\nwhen: [{ if: { strategy: tsf }, set: { correct.steps: 7 } }]\n`,
      'a.yaml:10:11 include[0]: expected a new arm, got one that is there as cartpole/angle tsf; remove it',
    ],
    [
      'an include of what its strategy does not read',
      `${good}include: [{ scenario: cartpole/angle, strategy: tsf, correct.penalty: 1, correct.uniformRetain: 300 }]\n`,
      [
        'a.yaml:10:54 include[0].correct.penalty: expected a parameter that its strategy (tsf) reads, got penalty; it is read by finetune, retrain-penalty',
        'a.yaml:10:97 include[0].correct.uniformRetain: expected uniformRetain not to exceed retainBatch, got uniformRetain 300, retainBatch 256',
      ],
    ],
    [
      'an include of a bare environment under a strategy that corrects',
      `${good}include: [{ scenario: CartPole-v1, strategy: retrain }]\n`,
      'a.yaml:10:23 include[0].scenario: expected a constraint for retrain, got the bare environment CartPole-v1; choose cartpole/angle or none as the only strategy',
    ],
    [
      'a `when` that matches nothing',
      `${good}when: [{ if: { correct.steps: 7 }, set: { ppo.gamma: 1 } }]\n`,
      'a.yaml:10:31 when[0].if.correct.steps: expected an arm that matches, got none with { correct.steps: 7 }; correct.steps is 500',
    ],
    [
      'a `when` of what nobody who matches reads',
      `${good}when: [{ if: { strategy: none }, set: { correct.penalty: 7 } }]\n`,
      'a.yaml:10:41 when[0].set.correct.penalty: expected a parameter that a matching strategy (none) reads, got penalty; it is read by finetune, retrain-penalty',
    ],
    [
      'a `when` of what an axis and another `when` set',
      change('ppo:', '  correct.steps: [1, 2]\nppo:') +
        'when:\n  - { if: { strategy: tsf }, set: { correct.retainKl: 2 } }\n  - { if: { correct.steps: 1 }, set: { correct.retainKl: 3, correct.steps: 4 } }\n',
      [
        'a.yaml:13:40 when[1].set.correct.retainKl: expected a parameter that is not set yet, got correct.retainKl, which when[0] sets wherever this matches; remove it',
        'a.yaml:13:61 when[1].set.correct.steps: expected a parameter that is not set yet, got correct.steps, which axes sets wherever this matches; remove it',
      ],
    ],
    [
      'a `when` that breaks a rule of the strategy',
      `${good}when: [{ if: { strategy: tsf }, set: { correct.uniformRetain: 300 } }]\n`,
      'a.yaml:10:63 when[0].set.correct.uniformRetain: expected uniformRetain not to exceed retainBatch, got uniformRetain 300, retainBatch 256',
    ],
    [
      'a zip that nobody reads',
      `${good}zip: [{ correct.penalty: [0.1, 0.2] }]\n`,
      'a.yaml:10:9 zip[0].correct.penalty: expected a parameter that a chosen strategy (none, tsf) reads, got penalty; it is read by finetune, retrain-penalty',
    ],
    [
      'a zip that breaks a rule',
      `${good}zip: [{ correct.uniformRetain: [10, 300], correct.steps: [1, 2] }]\n`,
      'a.yaml:10:37 zip[0].correct.uniformRetain[1]: expected uniformRetain not to exceed retainBatch, got uniformRetain 300, retainBatch 256',
    ],
    [
      'zips with a grid without end',
      `${good}zip: [{ correct.steps: [${Array.from({ length: 2501 }, (_, i) => i + 1)}] }, { ppo.gamma: [0.1, 0.2] }]\n`,
      'a.yaml:5:1 axes: expected a grid of at most 10000 arms, got 10004; split the sweep',
    ],
    [
      "a scenario of one's own with a mistake",
      `${good}scenarios:\n  cartpole/my-edge:\n    environment: CartPole-v1\n    rules:\n      - { where: { x: [.inf, 0.5] }, forbid: [rihgt] }\n`,
      [
        'a.yaml:14:23 scenarios.cartpole/my-edge.rules[0].where.x: expected x to go from low to high, got x [.inf, 0.5]; write [0.5, .inf]',
        'a.yaml:14:47 scenarios.cartpole/my-edge.rules[0].forbid[0]: expected left or right, got "rihgt"; did you mean right?',
      ],
    ],
    [
      'seeds that chose the parameters',
      `${good}tunedOn: { from: 5, count: 100 }\n`,
      'a.yaml:10:10 tunedOn: expected no seed that is among seeds, got 5 in both; measure on other seeds',
    ],
    [
      'a grid without end',
      change('seeds: 5', 'seeds: 1000000'),
      'a.yaml:5:1 axes: expected a grid of at most 1000000 trials, got 2000000; split the sweep',
    ],
    [
      'more arms than a table has rows',
      change('ppo:', `  ppo.totalTimesteps: [${Array.from({ length: 5001 }, (_, i) => i + 1)}]\nppo:`),
      'a.yaml:5:1 axes: expected a grid of at most 10000 arms, got 10002; split the sweep',
    ],
    [
      'an anchor and its alias',
      'a: &x 1\nb: *x\n',
      [
        'a.yaml:1:7 a: expected a value, got the anchor &x; anchors and aliases are not supported: write the value out',
        'a.yaml:2:4 b: expected the value itself, got the alias *x; anchors and aliases are not supported: write the value out',
      ],
    ],
    [
      'a merge',
      '<<: { a: 1 }\n',
      'a.yaml:1:1 <<: expected a name as key, got a merge; anchors and aliases are not supported: write the value out',
    ],
    ['a tag', 'name: !!str 5\n', 'a.yaml:1:13 name: expected a value without a tag, got the tag tag:yaml.org,2002:str; remove the tag'],
    ['a key that is no name', '7: x\n', 'a.yaml:1:1: expected a name as key, got 7; put it in quotes'],
    ['a collection as key', '? [a]\n: b\n', 'a.yaml:1:3: expected a name as key, got "a collection"; put it in quotes'],
    ['YAML 1.1', '%YAML 1.1\n---\na: 1\n', 'a.yaml:1:1: expected YAML 1.2, got YAML 1.1; remove the %YAML line'],
    [
      'two documents',
      `${good}---\nb: 1\n`,
      'a.yaml:10:1: expected one document, got a second one; take out --- and what follows, or give it a file of its own',
    ],
    ['deep nesting', '['.repeat(100_000), 'a.yaml:1:1: expected at most 200 levels of nesting, got more; a sweep file is flat'],
    ['deep nesting in blocks', '- '.repeat(50_000), 'a.yaml:1:1: expected at most 200 levels of nesting, got more; a sweep file is flat'],
    [
      'an alias bomb',
      `a: &a [1]\nb: &b [${'*a,'.repeat(9)}*a]\n`,
      expect.arrayContaining([expect.stringContaining('the anchor &a')]) as unknown as string[],
    ],
  ])('parseSweepText(%s)', (_title, text, message) => {
    expect(refusal(text)).toEqual(typeof message === 'string' ? [message] : message);
  });

  it('parseSweepText(many mistakes) names them all, in the order of the file', () => {
    const text = change('seeds: 5', 'seeds: 0').replace(GRID, 'scenario: [CartPole-v1]').replace('numEnvs: 8', 'numEnv: 8');
    const lines = refusal(`descripton: x\n${text}correct:\n  retainBatch: 1\n`);
    expect(lines.map((line) => line.split(': expected')[0])).toEqual([
      ...[
        'a.yaml:1:1 descripton',
        'a.yaml:5:8 seeds',
        'a.yaml:7:14 axes.scenario[0]',
        'a.yaml:10:3 ppo.numEnv',
        'a.yaml:12:16 correct.retainBatch',
      ],
    ]);
  });

  it('parseSweepText(a hundred mistakes) shows fifty and counts the rest', () => {
    const lines = refusal(good + Array.from({ length: 100 }, (_, i) => `key${i}: 1\n`).join(''));
    expect([lines.length, lines.at(-1)]).toEqual([51, 'and 50 more']);
  });

  it('parseSweepText(CRLF) counts the same lines and columns', () => {
    expect(refusal(`${good}  gamma: 2\n`.replaceAll('\n', '\r\n'))).toEqual(['a.yaml:10:10 ppo.gamma: expected a number in [0, 1], got 2']);
  });
});

describe('parseSweepText accepts', () => {
  it('parseSweepText(good) is a sweep, and its text untouched', () => {
    const { sweep, text, file } = parseSweepText(good, 'a.yaml');
    expect([sweep.name, sweep.seeds, sweep.ppo.numEnvs, text, file]).toEqual(['grid', [1, 2, 3, 4, 5], 8, good, 'a.yaml']);
  });

  it('parseSweepText(bare environment) is fine when nothing corrects', () => {
    const { sweep } = parseSweepText(change(GRID, 'scenario: [CartPole-v1]').replace('none, tsf', 'none'), 'a.yaml');
    expect(sweep.axes.scenario).toEqual(['CartPole-v1']);
  });

  it('parseSweepText(half a rule in the file, the other half on an axis) is fine', () => {
    const { sweep } = parseSweepText(change('ppo:\n', '  ppo.numMinibatches: [1, 9]\nppo:\n  numSteps: 9\n'), 'a.yaml');
    expect(sweep.axes['ppo.numMinibatches']).toEqual([1, 9]);
  });
});

describe('overrides', () => {
  const load = (...overrides: string[]): Loaded => parseSweepText(good, 'a.yaml', overrides);

  it('a key that is an axis of the file means the axis, with a list or with one value', () => {
    const withAxis = good.replace('  strategy:', '  correct.steps: [1, 2]\n  strategy:');
    expect(withAxis).not.toBe(good);
    const steps = (override: string) => parseSweepText(withAxis, 'a.yaml', [override]).sweep.axes['correct.steps'];
    expect(steps('correct.steps=250,500')).toEqual([250, 500]);
    expect(steps('correct.steps=7')).toEqual([7]);
  });

  it.each([
    [['seeds=10'], 'seeds', [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]],
    [['seeds=3,1'], 'seeds', [3, 1]],
    [['seeds={ from: 7, count: 2 }'], 'seeds', [7, 8]],
    [['seeds=2..4'], 'seeds', [2, 3, 4]],
    [['seeds=1..3,7,9..10'], 'seeds', [1, 2, 3, 7, 9, 10]],
    [['seeds=7..7'], 'seeds', [7]],
    [['strategy=none,tsf:paper'], 'axes', { scenario: ['cartpole/angle'], strategy: ['none', 'tsf:paper'] }],
    [['axes.strategy=[none]'], 'axes', { scenario: ['cartpole/angle'], strategy: ['none'] }],
    [['scenario=CartPole-v1', 'strategy=none'], 'axes', { scenario: ['CartPole-v1'], strategy: ['none'] }],
    [['correct.steps=100'], 'correct', { steps: 100 }],
    [['correct={ steps: 7 }'], 'correct', { steps: 7 }],
    [['correct.steps=250,500'], 'axes', { scenario: ['cartpole/angle'], strategy: ['none', 'tsf'], 'correct.steps': [250, 500] }],
    [['name=other'], 'name', 'other'],
    [['description=a = b'], 'description', 'a = b'],
    [['tunedOn=9,7'], 'tunedOn', [9, 7]],
    [['tunedOn={ from: 1001, count: 2 }'], 'tunedOn', [1001, 1002]],
    [['limits.wall=10m'], 'limits', { wallMs: 600_000, memoryMb: null }],
    [['limits={ wall: 90, memoryMb: 700 }'], 'limits', { wallMs: 90_000, memoryMb: 700 }],
    [['acceptance=report'], 'acceptance', 'report'],
    [['zip={ correct.steps: [1, 2] }'], 'zip', [{ 'correct.steps': [1, 2] }]],
    [['zip=[]'], 'zip', []],
    [['exclude={ strategy: none }'], 'exclude', [{ strategy: 'none' }]],
    [
      ['strategy=none,tsf,retrain', 'exclude={ strategy: none },{ strategy: retrain }'],
      'exclude',
      [{ strategy: 'none' }, { strategy: 'retrain' }],
    ],
    [['include=[{ scenario: cartpole/angle, strategy: retrain }]'], 'include', [{ scenario: 'cartpole/angle', strategy: 'retrain' }]],
    [['when={ if: { strategy: tsf }, set: { correct.steps: 3 } }'], 'when', [{ if: { strategy: 'tsf' }, set: { 'correct.steps': 3 } }]],
    [
      ['scenarios.my/edge={ environment: CartPole-v1, rules: [{ where: { x: [1, .inf] }, forbid: [right] }] }', 'scenario=my/edge'],
      'axes',
      { scenario: ['my/edge'], strategy: ['none', 'tsf'] },
    ],
    [['report.groupBy=strategy'], 'report', { baseline: 'none', groupBy: ['strategy'] }],
  ])('parseSweepText(…, %j) sets %s', (overrides, key, value) => {
    // `report.groupBy` is a list and one name is none: the only one here that needs brackets.
    const given = overrides.map((o) => (o.startsWith('report') ? o.replace(/=(.*)/, '=[$1]') : o));
    expect(load(...given).sweep[key as 'name']).toEqual(value);
  });

  it('parseSweepText(…, overrides) keeps comments, and says what it changed', () => {
    expect(load('seeds=10', 'strategy=tsf', 'ppo.gamma=0.9', 'correct.steps=3', 'axes.evaluate.curveEpisodes=1,2').text).toBe(`# a question
version: 1
name: grid
seeds: 10 # override, was 5; 1..5
axes:
  scenario: [cartpole/angle]
  strategy: [tsf] # override, was [none, tsf]
  evaluate.curveEpisodes: [1, 2] # override
ppo:
  numEnvs: 8
  gamma: 0.9 # override
correct:
  steps: 3 # override
`);
  });

  it('parseSweepText(…, an override that narrows an axis) drops what the file says of arms that are gone, and nothing else', () => {
    const file = `version: 1
name: x
seeds: 1
axes:
  scenario: [cartpole/angle, mountaincar/pump-left]
  strategy: [none, tsf]
exclude:
  - { scenario: mountaincar/pump-left, strategy: none }
when:
  - { if: { scenario: cartpole/angle }, set: { ppo.gamma: 0.9 } }
  - { if: { scenario: mountaincar/pump-left }, set: { ppo.gamma: 0.8 } }
`;
    const loaded = parseSweepText(file, 'a.yaml', ['scenario=cartpole/angle']);
    expect(loaded.sweep.when.map((entry) => entry.if)).toEqual([{ scenario: 'cartpole/angle' }]);
    expect(loaded.sweep.exclude).toEqual([]);
    expect(parseSweepText(loaded.text, 'b.yaml').sweep).toEqual(loaded.sweep);
    const typo = file.replace('if: { scenario: mountaincar/pump-left }', 'if: { ppo.numEnvs: 77 }');
    expect(refusal(typo, ['scenario=cartpole/angle']).join('\n')).toMatch(/when\[1\]\.if\.ppo\.numEnvs: expected an arm that matches/);
  });

  it('parseSweepText(…, engine=) is the engine at the top, its axis where there is one, and a new axis if it is a list', () => {
    const axis = good.replace('axes:\n', 'axes:\n  engine: [reference, wasm]\n').replace(/^engine: .*\n/m, '');
    const seen = (text: string, override: string): unknown[] => {
      const { axes, engine } = parseSweepText(text, 'a.yaml', [override]).sweep;
      return [axes['engine'], engine];
    };
    expect(axis).toContain('engine: [reference, wasm]');
    expect(seen(good, 'engine=reference')).toEqual([undefined, 'reference']);
    expect(seen(good, 'engine=tfjs,wasm')).toEqual([['tfjs', 'wasm'], 'wasm']);
    expect(seen(axis, 'engine=tfjs')).toEqual([['tfjs'], 'wasm']);
    expect(refusal(`${good}engine: wasm\n`, ['engine=tfjs,wasm'])).toEqual([
      'override "engine=tfjs,wasm" axes.engine: expected a parameter at one place, got it also as engine at the top; remove one of the two',
    ]);
    expect(refusal(axis, ['engine=tjfs'])).toEqual([
      'override "engine=tjfs" axes.engine[0]: expected one of wasm, reference, tfjs, tfjs-cpu, got "tjfs"; did you mean tfjs?',
    ]);
  });

  it('parseSweepText(a mistake in the engines and one elsewhere) names both', () => {
    const bad = good.replace('axes:\n', 'axes:\n  engine: [tjfs]\n').replace('strategy: [none, tsf]', 'strategy: [none, retrain]');
    const unread = `${bad}\n`.replace(/^correct:.*\n(?: .*\n)*/m, '').concat('correct: { marginEpsilon: 0.1 }\n');
    expect(refusal(unread).map((line) => line.replace(/^a\.yaml:\d+:\d+ /, '').replace(/: expected.*/, ''))).toEqual([
      'axes.engine[0]',
      'correct.marginEpsilon',
    ]);
  });

  it('parseSweepText(its own text) is the same sweep without the overrides', () => {
    const key = fc.constantFrom(
      'zip',
      'exclude',
      'tunedOn',
      'limits.wall',
      'acceptance',
      'seeds',
      'strategy',
      'ppo.hidden',
      'ppo.targetKl',
      'correct.steps',
      'description',
      'ppo',
      'report.groupBy',
      'axes.ppo.gamma',
    );
    const value = fc.constantFrom(
      '{ correct.steps: [1, 2] }',
      '{ strategy: none }',
      '7,8',
      '10m',
      'report',
      '3',
      '1,2',
      'none',
      'none,tsf',
      '[32, 32]',
      'null',
      '0.5',
      '"a # b"',
      'a: b',
      '{ numSteps: 64 }',
      '[strategy]',
      "'x'",
      '|\n  a\n  b',
    );
    fc.assert(
      fc.property(fc.uniqueArray(fc.tuple(key, value), { maxLength: 4, selector: ([k]) => k }), (pairs) => {
        const overrides = pairs.map(([k, v]) => `${k}=${v}`);
        if (refusal(good, overrides).length > 0) return;
        const { sweep, text } = load(...overrides);
        expect(parseSweepText(text, 'b.yaml').sweep).toEqual(sweep);
      }),
      { numRuns: 300 },
    );
  });

  it.each<[string[], string]>([
    [['seeds'], 'override "seeds": expected key=value, got "seeds"; for example seeds=10 or strategy=none,tsf'],
    ...[
      ['seeds', '10'],
      ['seeds:10'],
      ['seeds: 10'],
      ['seeds 10'],
      ['seeds==10'],
      ['seeds:=10'],
      ['seeds', '=', '10'],
      ['seeds=', '10'],
      ['seeds', '=10'],
      ['--seeds=10'],
      ['+seeds=10'],
    ].map((given): [string[], string] => [
      given,
      `override "${given.join(' ')}": expected key=value, got "${given.join(' ')}"; write seeds=10`,
    ]),
    [['seed:10', 'name=x'], 'override "seed:10": expected key=value, got "seed:10"; write seeds=10'],
    [['lr: 1e-3'], 'override "lr: 1e-3": expected key=value, got "lr: 1e-3"; write ppo.learningRate=1e-3'],
    [['strategy', 'tsf'], 'override "strategy tsf": expected key=value, got "strategy tsf"; write strategy=tsf'],
    [['tsf'], 'override "tsf": expected key=value, got "tsf"; write strategy=tsf'],
    [['b.yaml'], 'override "b.yaml": expected key=value, got "b.yaml"; a command takes one sweep file: call it again for another'],
    [['lr=1e-3'], 'override "lr=1e-3" lr: expected a known key, got lr; did you mean ppo.learningRate or correct.learningRate?'],
    [['ppo.lr=1e-3'], 'override "ppo.lr=1e-3" ppo.lr: expected a known key, got lr; did you mean learningRate?'],
    [
      ['seeds=1-5'],
      'override "seeds=1-5" seeds: expected a count such as 5, a range such as 1..5, { from, count } or a list, got "1-5"; write 1..5',
    ],
    [
      ['ppo.gamma=0,9'],
      'override "ppo.gamma=0,9" axes.ppo.gamma[1]: expected a number in [0, 1], got 9; with a decimal point, write ppo.gamma=0.9',
    ],
    [['seeds=5\u00a0'], 'override "seeds=5\u00a0": expected a space, got U+00A0 (no-break space); write a plain space'],
    [
      ['ppo={numSteps:64}'],
      'override "ppo={numSteps:64}": expected a space after the colon, got none; write numSteps: and a space before the value',
    ],
    [['=3'], 'override "=3": expected key=value, got "=3"; for example seeds=10 or strategy=none,tsf'],
    [['seed=3'], 'override "seed=3" seed: expected a known key, got seed; did you mean seeds?'],
    [['stratgy=tsf'], 'override "stratgy=tsf" stratgy: expected a known key, got stratgy; did you mean axes.strategy?'],
    [['numEnvs=3'], 'override "numEnvs=3" numEnvs: expected a known key, got numEnvs; did you mean ppo.numEnvs?'],
    [['strategy=none,tfs'], `override "strategy=none,tfs" axes.strategy[1]: expected one of 16 names, got "tfs"; did you mean tsf?`],
    [['ppo.gama=1'], 'override "ppo.gama=1" ppo.gama: expected a known key, got gama; did you mean gamma?'],
    [
      ['ppo.totalTimesteps=100_000'],
      'override "ppo.totalTimesteps=100_000" ppo.totalTimesteps: expected an integer >= 1, got "100_000"; YAML 1.2 reads 100_000 as text; write 100000',
    ],
    [
      ['ppo.numMinibatches=7'],
      'override "ppo.numMinibatches=7" ppo.numMinibatches: expected numMinibatches to divide numEnvs * numSteps, got numMinibatches 7, numEnvs 8, numSteps 2048',
    ],
    [
      ['scenario=CartPole-v1'],
      'override "scenario=CartPole-v1" axes.scenario[0]: expected a constraint for tsf, got the bare environment CartPole-v1; choose cartpole/angle or none as the only strategy',
    ],
    [
      ['seeds='],
      'override "seeds=" seeds: expected a count such as 5, a range such as 1..5, { from, count } or a list, got null; remove the key or give it a value',
    ],
    [['seeds=[1'], 'override "seeds=[1": expected ], got the end of the line; close the [ of column 7'],
    [
      ['name=*x'],
      'override "name=*x": expected the value itself, got the alias *x; anchors and aliases are not supported: write the value out',
    ],
    [['seeds=1', 'seeds=2'], 'override "seeds=2" seeds: expected every override once, got seeds again; remove one'],
    [['seeds.from=3'], 'override "seeds.from=3" seeds: expected a mapping, got 5'],
    [['ppo.numEnvs.x=3'], 'override "ppo.numEnvs.x=3" ppo.numEnvs: expected a mapping, got 8'],
    [['tunedOn=5,6'], 'override "tunedOn=5,6" tunedOn: expected no seed that is among seeds, got 5 in both; measure on other seeds'],
    [
      ['limits.wall=10min'],
      'override "limits.wall=10min" limits.wall: expected a duration such as 90s, 30m or 1h30m, or a number of seconds, got "10min"',
    ],
    [['acceptance=no'], 'override "acceptance=no" acceptance: expected refuse or report, got "no"'],
    [
      ['exclude={ strategy: retrain }'],
      'override "exclude={ strategy: retrain }" exclude[0].strategy: expected an arm that matches, got none with { strategy: "retrain" }; strategy is none, tsf',
    ],
    [
      ['zip={ ppo.numEnvs: [1, 2] }'],
      'override "zip={ ppo.numEnvs: [1, 2] }" zip[0].ppo.numEnvs: expected a parameter at one place, got it also as ppo.numEnvs; remove one of the two',
    ],
    [
      ['scenarios.edge.rules=[]'],
      'override "scenarios.edge.rules=[]" scenarios.edge.environment: expected an environment, got nothing; known: CartPole-v1, MountainCar-v0, MountainCarContinuous-v0, LunarLander-v3, LunarLanderContinuous-v3',
    ],
    [
      [`x=${'['.repeat(100_000)}`],
      `override "x=${'['.repeat(57)}…": expected at most 200 levels of nesting, got more; a sweep file is flat`,
    ],
  ])('parseSweepText(…, %j) is refused', (overrides, message) => {
    expect(refusal(good, overrides)).toEqual([message]);
  });
});

describe('loadSweep', () => {
  const folder = mkdtempSync(join(tmpdir(), 'load-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const at = (name: string, content: string | Uint8Array): string => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  const message = (file: string): string => {
    try {
      loadSweep(file);
    } catch (error) {
      if (error instanceof ConfigError) return error.message;
    }
    return 'no ConfigError';
  };

  it('loadSweep(sweeps/quick.yaml) is what the README runs', () => {
    const { sweep } = loadSweep('sweeps/quick.yaml');
    expect([sweep.name, sweep.axes.strategy, sweep.seeds.length]).toEqual(['quick', ['none', 'retrain', 'tsf:paper', 'tsf'], 5]);
  });

  it('loadSweep(with a byte order mark) counts columns as an editor does', () => {
    expect(loadSweep(at('bom.yaml', `\ufeff${good}`)).sweep.name).toBe('grid');
    const file = at('bom2.yaml', '\ufeffversion: 2');
    expect(message(file).split('\n')[0]).toBe(`${file}:1:1 name: expected text, got nothing; add it`);
    expect(message(file)).toContain(`${file}:1:10 version: expected 1, got 2`);
  });

  it('loadSweep(no file) names the neighbour that was meant', () => {
    const file = at('grid.yaml', good);
    const nothing = (name: string): string => `${join(folder, name)}: expected a sweep file, got nothing`;
    expect(message(join(folder, 'gird.yaml'))).toBe(`${nothing('gird.yaml')}; did you mean ${file}?`);
    expect(message(join(folder, 'grid'))).toBe(`${nothing('grid')}; did you mean ${file}?`);
    expect(message(join(folder, 'grid.yml'))).toBe(`${nothing('grid.yml')}; did you mean ${file}?`);
    expect(message(join(folder, 'none', 'x.yaml'))).toBe(nothing('none/x.yaml'));
    expect(message(join(file, 'x.yaml'))).toBe(`${file}/x.yaml: expected a sweep file, got nothing: a part of that path is a file`);
    expect(message(join(folder, 'x'.repeat(300)))).toMatch(/expected a sweep file, got nothing: no file can have so long a name$/);
    symlinkSync('loop.yaml', join(folder, 'loop.yaml'));
    expect(message(join(folder, 'loop.yaml'))).toMatch(/expected a sweep file, got what could not be read \(ELOOP\)/);
  });

  it('loadSweep(a name of this project) names its sweep file', () => {
    // In a clone that has not run anything: results of one's own would be meant as well.
    const here = process.cwd();
    const clone = join(folder, 'clone');
    mkdirSync(join(clone, 'results'), { recursive: true });
    symlinkSync(join(here, 'sweeps'), join(clone, 'sweeps'));
    symlinkSync(join(here, 'results', 'reference'), join(clone, 'results', 'reference'));
    process.chdir(clone);
    try {
      expect(message('quick')).toBe('quick: expected a sweep file, got nothing; did you mean sweeps/quick.yaml?');
      expect(message('sweeps/quick')).toBe('sweeps/quick: expected a sweep file, got nothing; did you mean sweeps/quick.yaml?');
      expect(message('sweeps/quick.yml')).toMatch(/; did you mean sweeps\/quick\.yaml\?$/);
      expect(message('qiuck.yaml')).toMatch(/; did you mean sweeps\/quick\.yaml\?$/);
      expect(message('banana')).toMatch(/; there are sweeps\/bytes\.yaml, .*sweeps\/quick\.yaml/);
      expect(message('results/reference/worlds')).toBe(
        'results/reference/worlds: expected a sweep file, got a results folder; did you mean sweeps/worlds.yaml, or results/reference/worlds/sweep.yaml, its copy with the results?',
      );
      expect(message('sweeps')).toMatch(/got a folder; name a file in it: sweeps\/bytes\.yaml, /);
    } finally {
      process.chdir(here);
    }
  });

  it('loadSweep(what is no text file) is refused by its name', () => {
    const empty = mkdtempSync(join(folder, 'empty-'));
    expect(message(empty)).toBe(`${empty}: expected a sweep file, got a folder; name a file`);
    expect(message('/dev/null')).toBe('/dev/null: expected a sweep file, got a device');
    expect(message('')).toMatch(/^\(no name\): expected a sweep file, got nothing/);
    expect(message('a\0b')).toContain('expected a sweep file, got what could not be read (ERR_INVALID_ARG_VALUE)');
    const zip = at('policy.zip', new Uint8Array(Buffer.from('PK\x03\x04\x14\0\0\0\0\0', 'latin1')));
    expect(message(zip)).toBe(`${zip}: expected a sweep file, got a zip archive`);
    const picture = at('b.png', new Uint8Array(Buffer.from('\x89PNG\r\n\x1a\n', 'latin1')));
    expect(message(picture)).toBe(`${picture}: expected a sweep file, got a PNG picture`);
    const utf16 = at('u.yaml', new Uint8Array(Buffer.from(`\ufeff${good}`, 'utf16le')));
    expect(message(utf16)).toBe(`${utf16}: expected UTF-8 text, got text in UTF-16; save the file as UTF-8`);
    const binary = at('b.yaml', new Uint8Array([0x6e, 0xff, 0xfe]));
    expect(message(binary)).toBe(`${binary}: expected UTF-8 text, got text that is not UTF-8; save the file as UTF-8`);
    const large = at('l.yaml', '#'.repeat(300_000));
    expect(message(large)).toBe(`${large}: expected a file of at most 256 KiB, got 293 KiB; split the sweep`);
  });
});

const RUNS = 300;

describe('whatever comes', () => {
  const survives = (text: string, overrides: readonly string[]): void => {
    const lines = refusal(text, overrides); // throws what is not a ConfigError
    for (const line of lines) expect(line).toMatch(/^(a\.yaml:\d+:\d+|override "|and \d+ more)/);
  };

  it('parseSweepText(any text) is a sweep or a ConfigError', () => {
    const yamlish = fc.array(
      fc.constantFrom(...'abc:-[]{},&*!|>%@#?"\'\\\n\t 01_.~<'.split(''), '\n  ', ': ', '- ', 'axes', 'seeds', '\u2028', '\ud800'),
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          yamlish.map((parts) => parts.join('')),
        ),
        fc.array(fc.string(), { maxLength: 2 }),
        survives,
      ),
      { numRuns: RUNS },
    );
  });

  it('parseSweepText(a file with pieces cut, doubled or swapped) is a sweep or a ConfigError', () => {
    const text = `${good}correct: { steps: 10 }\nreport: { baseline: none, groupBy: [strategy] }\nevaluate:\n  curveEpisodes: 3\n`;
    const cut = fc.tuple(
      fc.nat(text.length),
      fc.nat(12),
      fc.constantFrom('', ' ', '\n', ':', '[', '}', 'null', '-1', '&a', '*a', '"', '1e999', '.nan', '\t', '<<'),
    );
    const overrides = fc.array(
      fc.tuple(fc.constantFrom('seeds', 'axes', 'axes.strategy', 'ppo', 'correct.steps', 'ppo.hidden', 'report', '__proto__'), fc.string()),
      {
        maxLength: 2,
      },
    );
    fc.assert(
      fc.property(fc.array(cut, { minLength: 1, maxLength: 4 }), overrides, (cuts, given) => {
        const mutated = cuts.reduce((t, [at, length, insert]) => t.slice(0, at) + insert + t.slice(at + length), text);
        survives(
          mutated,
          given.map(([key, value]) => `${key}=${value}`),
        );
      }),
      { numRuns: RUNS },
    );
  });
});

describe('loadFrozen(folder)', () => {
  it('reads what rows were computed for, also where a new file is refused for an option without effect', () => {
    const rules = '[{ where: { vy: [-.inf, -0.3] }, forbid: [nothing] }]';
    const scenario = `{ environment: LunarLander-v3, options: { windPower: 10 }, rules: ${rules} }`;
    const text = `version: 1\nname: x\nseeds: 1\naxes: { scenario: [a/b], strategy: [none] }\nscenarios:\n  a/b: ${scenario}\n`;
    const folder = mkdtempSync(join(tmpdir(), 'spc-frozen-'));
    const file = join(folder, 'sweep.yaml');
    writeFileSync(file, text);
    const message = `${file}:6:61 scenarios.a/b.options.windPower: expected enableWind: true beside it, got enableWind: false; without wind windPower changes nothing: set enableWind: true, or remove windPower`;
    expect(() => loadSweep(file)).toThrow(new ConfigError(message));
    const { sweep } = loadFrozen(folder);
    expect(sweep.scenarios['a/b']?.options).toEqual({ gravity: -10, enableWind: false, windPower: 10, turbulencePower: 1.5 });
    rmSync(folder, { recursive: true });
  });
});
