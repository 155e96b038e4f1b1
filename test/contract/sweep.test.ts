import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { evaluateSchema } from '../../src/contract/evaluate.ts';
import { ppoSchema } from '../../src/contract/ppo.ts';
import { printProblem } from '../../src/contract/problems.ts';
import { MAX_TRIALS } from '../../src/contract/seeds.ts';
import { STRATEGIES } from '../../src/contract/strategies.ts';
import { parseSweep, type Sweep, type SweepInput, salvage, sweepJsonSchema } from '../../src/contract/sweep.ts';

const minimal: SweepInput = { version: 1, name: 'x', seeds: 2, axes: { scenario: ['cartpole/angle'], strategy: ['none', 'tsf'] } };
const axes = minimal.axes;
const NAMES = Object.keys(STRATEGIES).join(', ');
const EDGE = { environment: 'CartPole-v1', rules: [{ where: { x: [0.5, 1] }, forbid: ['right'] }] };

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
      ...{ tunedOn: [], zip: [], exclude: [], include: [], when: [], scenarios: {}, limits: { wallMs: null, memoryMb: null } },
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

  it('parseSweep(…) keeps zips, include and when in the order of the file, and groups by zips, too', () => {
    const sweep = parsed({
      ...minimal,
      zip: [{ 'correct.steps': [10, 20], 'correct.learningRate': [0.1, 0.2] }],
      exclude: [{ strategy: 'none', scenario: ['cartpole/angle', 'CartPole-v1'] }],
      include: [{ strategy: 'tsf', 'correct.steps': 5, scenario: 'cartpole/angle' }],
      when: [{ if: { strategy: 'tsf' }, set: { 'correct.retainKl': 2, 'correct.forgetBatch': 512 } }],
    });
    expect(Object.keys(sweep.zip[0] ?? {})).toEqual(['correct.steps', 'correct.learningRate']);
    expect(Object.keys(sweep.include[0] ?? {})).toEqual(['strategy', 'correct.steps', 'scenario']);
    expect(sweep.when).toEqual([{ if: { strategy: 'tsf' }, set: { 'correct.retainKl': 2, 'correct.forgetBatch': 512 } }]);
    expect(sweep.exclude).toEqual([{ strategy: 'none', scenario: ['cartpole/angle', 'CartPole-v1'] }]);
    expect(sweep.report.groupBy).toEqual(['scenario', 'strategy', 'correct.steps', 'correct.learningRate']);
  });

  it('parseSweep({ tunedOn }) speaks the language of seeds', () => {
    expect(parsed({ ...minimal, tunedOn: { from: 1001, count: 2 } }).tunedOn).toEqual([1001, 1002]);
    expect(parsed({ ...minimal, tunedOn: [9, 7] }).tunedOn).toEqual([9, 7]);
    expect(parsed({ ...minimal, seeds: [8], tunedOn: 2 }).tunedOn).toEqual([1, 2]);
  });

  it('parseSweep({ zip: scenario and strategy }) needs no such axes', () => {
    const sweep = parsed({ ...minimal, axes: {}, zip: [{ scenario: ['cartpole/angle', 'CartPole-v1'], strategy: ['tsf', 'none'] }] });
    expect([sweep.axes, sweep.report.groupBy]).toEqual([{}, ['scenario', 'strategy']]);
  });

  it('parseSweep({ scenarios }) resolves options, and knows the name', () => {
    const rules = [{ where: { x: [0.5, Infinity], theta: [-Infinity, 0] }, forbid: ['right'] }];
    const scenarios = { 'cartpole/my-edge': { environment: 'CartPole-v1', options: { thetaLimit: 0.3 }, rules } };
    const sweep = parsed({ ...minimal, scenarios, axes: { ...axes, scenario: ['cartpole/my-edge'] } });
    expect(sweep.scenarios['cartpole/my-edge']).toMatchObject({
      environment: 'CartPole-v1',
      options: { thetaLimit: 0.3, resetLow: -0.05 },
      rules: [{ where: { x: [0.5, null], theta: [null, 0] }, forbid: ['right'] }],
    });
  });

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
    [{ seeds: MAX_TRIALS + 1 }, 'seeds: expected an integer in [1, 1000000], got 1000001'],
    [{ correctionSeeds: [0, 1] }, 'correctionSeeds: expected an integer in [1, 1000000], got [0, 1]'],
    [{ engine: 'wasn' }, 'engine: expected one of wasm, reference, tfjs, tfjs-cpu, got "wasn"; did you mean wasm?'],
    [
      { axes: { ...axes, engine: ['wasm', 'tfsj'] } },
      'axes.engine[1]: expected one of wasm, reference, tfjs, tfjs-cpu, got "tfsj"; did you mean tfjs?',
    ],
    [{ axes: { ...axes, engine: [] } }, 'axes.engine: expected a list, not empty, of wasm, reference, tfjs, tfjs-cpu, got []'],
    [{ axes: { ...axes, engine: ['wasm', 'wasm'] } }, 'axes.engine[1]: expected every value once, got "wasm" twice; remove one'],
    [
      { axes: { ...axes, engine: ['wasm'] }, engine: 'wasm' },
      'axes.engine: expected a parameter at one place, got it also as engine at the top; remove one of the two',
    ],
    [
      { zip: [{ engine: ['wasm'], 'ppo.gamma': [0.9] }], engine: 'wasm' },
      'zip[0].engine: expected a parameter at one place, got it also as engine at the top; remove one of the two',
    ],
    [
      { when: [{ if: { strategy: 'tsf' }, set: { engine: 'tfjs' } }] },
      'when[0].set.engine: expected a known key, got engine; what an arm is named after goes to axes, zip or include',
    ],
    // A range, as --where seed=1..5 has it; other notations are told how it is written.
    [{ seeds: '5..1' }, 'seeds: expected seeds to go from low to high over at most 1000000 seeds, got seeds "5..1"; write 1..5'],
    [
      { seeds: '0..1000000' },
      'seeds: expected seeds to go from low to high over at most 1000000 seeds, got seeds "0..1000000"; write 0..1000000',
    ],
    ...['1-5', '1–5', '1...5', '1:5', '1 to 5', 'range(1, 6)', '1 .. 5 ']
      .slice(0, 6)
      .map((text): [object, string] => [
        { seeds: text },
        `seeds: expected a count such as 5, a range such as 1..5, { from, count } or a list, got ${JSON.stringify(text)}; write 1..5`,
      ]),
    [{ seeds: '1, 2' }, 'seeds: expected a count such as 5, a range such as 1..5, { from, count } or a list, got "1, 2"; write [1, 2]'],
    [{ seeds: 'many' }, 'seeds: expected a count such as 5, a range such as 1..5, { from, count } or a list, got "many"'],
    [{ seeds: ['1..3', 2] }, 'seeds: expected every seed once, got 2 twice; let the ranges not overlap'],
    [{ seeds: ['1..3', '7-9'] }, 'seeds[1]: expected an integer >= 0 or a range such as 1..5, got "7-9"; write 7..9'],
    [
      { seeds: ['1..1000000', '2000000..2999999'] },
      'seeds: expected seeds to hold at most 1000000 seeds, got seeds ["1..1000000", "2000000..2999999"]',
    ],
    [{ tunedOn: '2..4' }, 'tunedOn: expected no seed that is among seeds, got 2 in both; measure on other seeds'],
    // What others call our things.
    [{ lr: 1 }, 'lr: expected a known key, got lr; did you mean ppo.learningRate or correct.learningRate?'],
    [
      { learning_rate: 1 },
      'learning_rate: expected a known key, got learning_rate; did you mean ppo.learningRate or correct.learningRate?',
    ],
    [{ n_steps: 1 }, 'n_steps: expected a known key, got n_steps; did you mean ppo.numSteps or correct.steps?'],
    [{ strategies: ['tsf'] }, 'strategies: expected a known key, got strategies; did you mean axes.strategy?'],
    [{ env: 'x' }, 'env: expected a known key, got env; did you mean axes.scenario?'],
    [{ algo: 'x' }, 'algo: expected a known key, got algo; did you mean axes.strategy?'],
    [{ wall: '30m' }, 'wall: expected a known key, got wall; did you mean limits.wall?'],
    [{ ppo: { clip_range: 1 } }, 'ppo.clip_range: expected a known key, got clip_range; did you mean clipCoef?'],
    [{ ppo: { batch_size: 1 } }, 'ppo.batch_size: expected a known key, got batch_size; did you mean numMinibatches?'],
    [{ axes: { ...axes, lr: [1] } }, 'axes.lr: expected a known key, got lr; did you mean ppo.learningRate or correct.learningRate?'],
    [
      { axes: { ...axes, 'ppo.n_epochs': [1] } },
      'axes.ppo.n_epochs: expected a known key, got ppo.n_epochs; did you mean ppo.updateEpochs?',
    ],
    [
      { metric: 'overhead' },
      'metric: expected a known key, got metric; that is an option of a command, spc table --metric: take it out of the file',
    ],
    [{ stratgy: ['tsf'] }, 'stratgy: expected a known key, got stratgy; did you mean axes.strategy?'],
    [{ numEnvs: 8 }, 'numEnvs: expected a known key, got numEnvs; did you mean ppo.numEnvs?'],
    [{ ppo: { steps: 8 } }, 'ppo.steps: expected a known key, got steps; did you mean correct.steps?'],
    [{ 'correct.steps': 8 }, 'correct.steps: expected a known key, got correct.steps; did you mean correct: { steps: ... }?'],
    [{ ppo: { learning_rate: 1 } }, 'ppo.learning_rate: expected a known key, got learning_rate; did you mean learningRate?'],
    [
      { report: { groupBy: ['strategi'] } },
      'report.groupBy[0]: expected an axis of this sweep (scenario, strategy), got "strategi"; did you mean strategy?',
    ],
    [{ report: { baseline: 'non' } }, `report.baseline: expected one of 16 names, got "non"; did you mean none?`],
    [{ axes: { ...axes, strategy: [] } }, `axes.strategy: expected a list, not empty, of ${NAMES}, got []`],
    [{ axes: { scenario: axes.scenario } }, `axes.strategy: expected a list, not empty, of ${NAMES}, got nothing; add it`],
    [{ axes: { ...axes, 'ppo.gamma': [0.9, 0.9] } }, 'axes.ppo.gamma[1]: expected every value once, got 0.9 twice; remove one'],
    [{ axes: { ...axes, 'ppo.gamma': [0.9, 2] } }, 'axes.ppo.gamma[1]: expected a number in [0, 1], got 2'],
    [{ axes: { ...axes, 'ppo.gama': [0.9] } }, 'axes.ppo.gama: expected a known key, got ppo.gama; did you mean ppo.gamma?'],
    [
      { axes: { ...axes, 'correct.steps': [1] }, correct: { steps: 2 } },
      'axes.correct.steps: expected a parameter at one place, got it also as correct.steps; remove one of the two',
    ],
    [{ ppo: null }, 'ppo: expected a mapping, got null; remove the key or give it a value'],
    [{ zip: { 'ppo.gamma': [1] } }, 'zip: expected a list of mappings, got { ppo.gamma: [1] }; put it in a list: [{ ... }]'],
    [{ zip: [{}] }, 'zip[0]: expected lists that move together, got {}; remove it'],
    [
      { zip: [{ 'correct.steps': [1, 2], 'correct.learningRate': [0.1] }] },
      'zip[0].correct.learningRate: expected 2 values, as correct.steps has, got 1; lists that move together are equally long',
    ],
    [
      { zip: [{ 'correct.steps': [1, 2, 1], 'correct.learningRate': [0.1, 0.2, 0.1] }] },
      'zip[0].correct.steps[2]: expected every value once, got { correct.steps: 1, correct.learningRate: 0.1 } twice; remove one',
    ],
    [
      { zip: [{ strategy: ['tsf', 'none'] }] },
      'zip[0].strategy: expected a parameter at one place, got it also as axes.strategy; remove one of the two',
    ],
    [
      { zip: [{ 'ppo.gamma': [0.9] }], ppo: { gamma: 0.9 } },
      'zip[0].ppo.gamma: expected a parameter at one place, got it also as ppo.gamma; remove one of the two',
    ],
    [
      { zip: [{ 'ppo.gamma': [0.9] }, { 'ppo.gamma': [0.8] }] },
      'zip[1].ppo.gamma: expected a parameter at one place, got it also as zip[0].ppo.gamma; remove one of the two',
    ],
    [{ zip: [{ 'ppo.gama': [1] }] }, 'zip[0].ppo.gama: expected a known key, got ppo.gama; did you mean ppo.gamma?'],
    [{ exclude: [{ steps: 1 }] }, 'exclude[0].steps: expected a known key, got steps; did you mean correct.steps?'],
    [
      { exclude: [{ correct: { steps: 1 } }] },
      'exclude[0].correct: expected a known key, got correct; write correct.<parameter>, one key per parameter',
    ],
    [{ exclude: [{}] }, 'exclude[0]: expected a condition, got {}; for example strategy: tsf'],
    [{ exclude: [{ strategy: 'tfs' }] }, `exclude[0].strategy: expected one of 16 names, got "tfs"; did you mean tsf?`],
    [
      { exclude: [{ scenario: ['cartpole/angle', 'cartpole/angel'] }] },
      'exclude[0].scenario[1]: expected a scenario, got "cartpole/angel"; did you mean cartpole/angle?',
    ],
    [
      { exclude: [{ 'correct.steps': '100_000' }] },
      'exclude[0].correct.steps: expected an integer >= 1 or a list, not empty, of integers >= 1, got "100_000"; YAML 1.2 reads 100_000 as text; write 100000',
    ],
    [{ include: [{ scenario: 'cartpole/angle' }] }, `include[0].strategy: expected one of ${NAMES}, got nothing; add it`],
    [{ when: [{ if: { strategy: 'tsf' } }] }, 'when[0].set: expected a mapping, got nothing; add it'],
    [{ when: [{ if: {}, set: { 'ppo.gamma': 1 } }] }, 'when[0].if: expected a condition, got {}; for example strategy: tsf'],
    [{ when: [{ if: { strategy: 'tsf' }, set: {} }] }, 'when[0].set: expected a parameter to set, got {}; for example correct.steps: 1000'],
    [
      { when: [{ if: { strategy: 'tsf' }, set: { 'ppo.gamma': 1 } }], ppo: { gamma: 0.99 } },
      'when[0].set.ppo.gamma: expected a parameter that is not set yet, got ppo.gamma, which ppo sets for every arm; remove one of the two',
    ],
    [
      { when: [{ if: { strategy: 'tsf' }, set: { strategy: 'tsf' } }] },
      'when[0].set.strategy: expected a known key, got strategy; what an arm is named after goes to axes, zip or include',
    ],
    [{ tunedOn: [2, 5, 1] }, 'tunedOn: expected no seed that is among seeds, got 1..2 in both; measure on other seeds'],
    [
      { seeds: [1, 3, 5, 7, 9, 11, 12, 13], tunedOn: 20 },
      'tunedOn: expected no seed that is among seeds, got 1, 3, 5, 7, 9, ... in both; measure on other seeds',
    ],
    [{ tunedOn: [7, 7] }, 'tunedOn[1]: expected every value once, got 7 twice; remove one'],
    [{ limits: { wal: '3m' } }, 'limits.wal: expected a known key, got wal; did you mean wall?'],
    [
      { limits: { wall: '30 minutes' } },
      'limits.wall: expected a duration such as 90s, 30m or 1h30m, or a number of seconds, got "30 minutes"',
    ],
    [{ limits: { wall: 0 } }, 'limits.wall: expected wall to be more than 0 and at most 24 days, got wall 0'],
    [{ limits: { wall: '577h' } }, 'limits.wall: expected wall to be more than 0 and at most 24 days, got wall "577h"'],
    [{ limits: { memoryMb: 0 } }, 'limits.memoryMb: expected an integer >= 1 or null, got 0'],
    [{ acceptance: 'refus' }, 'acceptance: expected refuse or report, got "refus"; did you mean refuse?'],
    [{ scenarios: [] }, 'scenarios: expected a mapping, got []'],
    [{ scenarios: null }, 'scenarios: expected a mapping, got null; remove the key or give it a value'],
    [
      { scenarios: { 'cartpole/angle': EDGE } },
      'scenarios.cartpole/angle: expected a new name, got cartpole/angle, which is there already; choose another',
    ],
    [
      { scenarios: { 'my.edge': EDGE } },
      'scenarios.my.edge: expected a name of at most 64 letters, digits, /, - and _, got "my.edge"; for example cartpole/my-edge',
    ],
    [
      { scenarios: { edge: { ...EDGE, rules: [{ where: { angle: [0, 1] }, forbid: ['left'] }] } } },
      'scenarios.edge.rules[0].where.angle: expected a known key, got angle; known here: x, xDot, theta, thetaDot',
    ],
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
      ...[
        'zip',
        'exclude',
        'include',
        'when',
        'if',
        'set',
        'tunedOn',
        'limits',
        'wall',
        'scenarios',
        'environment',
        'rules',
        'where',
        'theta',
      ],
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

  it('parseSweep(a value whose constructor has no name) is refused, wherever it stands', () => {
    const odd = Object.assign(Object.create(null) as object, {
      constructor: Object.assign(Object.create(null), { name: Object.create(null) }),
    });
    const noText = JSON.parse('{ "constructor": { "name": { "toString": 1, "valueOf": 1 } } }') as object;
    for (const key of [...Object.keys((sweepJsonSchema() as { properties: object }).properties), 'other'])
      for (const value of [odd, [odd], { x: odd }, noText, [noText]])
        expect([key, parseSweep({ ...minimal, [key]: value }).ok]).toEqual([key, false]);
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

  it('salvage(…) keeps what goes across sections only when all of these are sound', () => {
    const exclude = [{ strategy: 'none' }];
    expect(rest({ ...minimal, exclude, limits: { wal: 1 } })?.sweep.exclude).toEqual(exclude);
    expect(rest({ ...minimal, exclude, ppo: { gama: 1 } })).toBeNull();
    expect(rest({ ...minimal, exclude: [{}] })).toBeNull();
  });

  it('salvage(…) gives up when the grid is in doubt', () => {
    expect(rest({ ...minimal, axes: { ...axes, strategy: ['tfs'] } })).toBeNull();
    expect(rest({ ...minimal, axes: null })).toBeNull();
    expect(rest(7)).toBeNull();
  });
});
