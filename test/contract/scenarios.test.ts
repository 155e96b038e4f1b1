import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ENVIRONMENTS } from '../../src/contract/environments.ts';
import { printProblem } from '../../src/contract/problems.ts';
import { type Interval, judgeScenario, type Rule, SCENARIO_NAMES, SCENARIOS } from '../../src/contract/scenarios.ts';
import { compileRules } from '../../src/contract/spec.ts';
import { toxicMask } from '../../src/envs/constraint.ts';

const told = (change: object): string[] => {
  const judged = judgeScenario({ environment: 'CartPole-v1', rules: [{ where: { x: [0.5, 1] }, forbid: ['right'] }], ...change });
  return judged.ok ? [] : judged.problems.map((problem) => printProblem(problem));
};
const rule = (where: unknown, forbid: unknown = ['left']): object => ({ rules: [{ where, forbid }] });
const at = (text: string): string => `rules[0].${text}`;

describe('SCENARIOS', () => {
  it('are judged as a file is, and no name stands for two things', () => {
    for (const scenario of Object.values(SCENARIOS)) expect(judgeScenario(scenario)).toEqual({ ok: true, value: scenario });
    expect(new Set(SCENARIO_NAMES).size).toBe(SCENARIO_NAMES.length);
  });
});

describe('judgeScenario', () => {
  it.each([
    [
      [0.1, Number.POSITIVE_INFINITY],
      [0.1, null],
    ],
    [
      [Number.NEGATIVE_INFINITY, 0.1],
      [null, 0.1],
    ],
    [
      [null, 0.1],
      [null, 0.1],
    ],
    [
      [0.1, 0.1],
      [0.1, 0.1],
    ],
    [
      [-99, 0.1],
      [-99, 0.1],
    ],
  ])('judgeScenario(theta: %j) is %j', (written, interval) => {
    const judged = judgeScenario({ environment: 'CartPole-v1', ...rule({ theta: written }) });
    expect(judged.ok && judged.value.rules[0]?.where['theta']).toEqual(interval);
  });

  it('judgeScenario(…) fills in the options of the environment', () => {
    const judged = judgeScenario({ environment: 'CartPole-v1', options: { resetAngle: 0.2 }, ...rule({ x: [0, 1] }) });
    expect(judged.ok && judged.value.options).toEqual(ENVIRONMENTS['CartPole-v1']?.options.parse({ resetAngle: 0.2 }));
  });

  const PAIR = 'expected theta to be a pair [low, high] of numbers, got theta';
  it.each<[object, string]>([
    [
      { environment: undefined },
      'environment: expected an environment, got nothing; known: CartPole-v1, MountainCar-v0, MountainCarContinuous-v0, LunarLander-v3, LunarLanderContinuous-v3',
    ],
    [{ environment: 'CartPol-v1' }, 'environment: expected an environment, got "CartPol-v1"; did you mean CartPole-v1?'],
    [
      { environment: ['CartPole-v1'] },
      'environment: expected an environment, got ["CartPole-v1"]; known: CartPole-v1, MountainCar-v0, MountainCarContinuous-v0, LunarLander-v3, LunarLanderContinuous-v3',
    ],
    [{ optoins: {} }, 'optoins: expected a known key, got optoins; did you mean options?'],
    [{ options: { thetaLimt: 1 } }, 'options.thetaLimt: expected a known key, got thetaLimt; did you mean thetaLimit?'],
    [{ options: { resetAngle: -1 } }, 'options.resetAngle: expected a number > 0 or null, got -1'],
    [{ options: { resetLow: 1 } }, 'options.resetLow: expected resetLow not to exceed resetHigh, got resetLow 1, resetHigh 0.05'],
    [{ rules: undefined }, 'rules: expected a list, not empty, of { where, forbid }, got nothing; add it'],
    [{ rules: [] }, 'rules: expected a list, not empty, of { where, forbid }, got []'],
    [rule({}), at('where: expected bounds of an observation, got {}; known: x, xDot, theta, thetaDot')],
    [rule({ thetaa: [0, 1] }), at('where.thetaa: expected a known key, got thetaa; did you mean theta?')],
    [rule({ theta: 0.1 }), at(`where.theta: ${PAIR} 0.1; write [0.1, .inf] or [-.inf, 0.1]`)],
    [rule({ theta: [0.1] }), at(`where.theta: ${PAIR} [0.1]; .inf and -.inf are open ends`)],
    [rule({ theta: [0, 1, 2] }), at(`where.theta: ${PAIR} [0, 1, 2]; .inf and -.inf are open ends`)],
    [rule({ theta: [Number.NaN, 1] }), at(`where.theta: ${PAIR} [.nan, 1]; .inf and -.inf are open ends`)],
    [rule({ theta: ['1_0', 11] }), at(`where.theta: ${PAIR} ["1_0", 11]; YAML 1.2 reads 1_0 as text; write 10`)],
    [rule({ theta: ['-inf', 0] }), at(`where.theta: ${PAIR} ["-inf", 0]; write -.inf`)],
    [rule({ theta: [1, 0] }), at('where.theta: expected theta to go from low to high, got theta [1, 0]; write [0, 1]')],
    [
      rule({ theta: [Number.POSITIVE_INFINITY, 0] }),
      at('where.theta: expected theta to go from low to high, got theta [.inf, 0]; write [0, .inf]'),
    ],
    [
      rule({ theta: [null, null] }),
      at('where.theta: expected theta to be bounded on one side at least, got theta [null, null]; remove it'),
    ],
    [
      rule({ theta: [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY] }),
      at('where.theta: expected theta to contain a float32, got theta [.inf, .inf]'),
    ],
    [rule({ theta: [0, 1e39] }), at('where.theta: expected theta to contain a float32, got theta [0, 1e+39]')],
    [
      rule({ theta: [5, null] }),
      at('where.theta: expected theta to meet [-0.418, 0.418] rad, which is where states are sampled, got theta [5, null]'),
    ],
    [rule({ theta: [0, 1] }, []), at('forbid: expected a list, not empty, of left or right, got []')],
    [rule({ theta: [0, 1] }, 'left'), at('forbid: expected a list, not empty, of left or right, got "left"; write [left]')],
    [rule({ theta: [0, 1] }, ['lefft']), at('forbid[0]: expected left or right, got "lefft"; did you mean left?')],
    [rule({ theta: [0, 1] }, ['left', 'left']), at('forbid: expected forbid to name an action once, got forbid ["left", "left"]')],
    [
      rule({ theta: [0, 1] }, ['left', 'right']),
      at('forbid: expected forbid to leave an action that is allowed, got forbid ["left", "right"]; remove one'),
    ],
  ])('judgeScenario(%j) is refused', (change, text) => {
    expect(told(change)).toEqual([text]);
  });

  const lander = (options: object, environment = 'LunarLander-v3') => {
    const forbid = environment === 'LunarLander-v3' ? ['nothing'] : [{ main: [-1, 0] }];
    return { environment, options, rules: [{ where: { vy: [null, -0.3] }, forbid }] };
  };
  const CALM = 'expected enableWind: true beside it, got enableWind: false; without wind';
  it.each<[object, string[]]>([
    [{ windPower: 15 }, [`options.windPower: ${CALM} windPower changes nothing: set enableWind: true, or remove windPower`]],
    [{ windPower: 10 }, [`options.windPower: ${CALM} windPower changes nothing: set enableWind: true, or remove windPower`]],
    [
      { windPower: 14, enableWind: false },
      [`options.windPower: ${CALM} windPower changes nothing: set enableWind: true, or remove windPower`],
    ],
    [
      { turbulencePower: 0, windPower: 0 },
      ['windPower', 'turbulencePower'].map(
        (option) => `options.${option}: ${CALM} ${option} changes nothing: set enableWind: true, or remove ${option}`,
      ),
    ],
    [{ windPower: 10, turbulencePower: 1, enableWind: true }, []],
    [{ enableWind: false }, []],
    [{ gravity: -9 }, []],
    [{ gravity: -10, enableWind: false, windPower: 15, turbulencePower: 1.5 }, []], // resolved
  ])('judgeScenario({ options: %j }) tells of options that change nothing', (options, messages) => {
    for (const environment of ['LunarLander-v3', 'LunarLanderContinuous-v3']) {
      const judged = judgeScenario(lander(options, environment));
      expect(judged.ok ? [] : judged.problems.map((problem) => printProblem(problem))).toEqual(messages);
      expect(judgeScenario(lander(options, environment), true).ok).toBe(true); // of rows that are there
    }
  });

  it('judgeScenario(an impulse after the end of every episode) is refused', () => {
    const impulse = { every: 500, thetaDot: 1 };
    expect(told({ options: { impulse } })).toEqual([
      'options.impulse.every: expected fewer steps than the 500 of an episode, got 500; no impulse would ever come: set less, or impulse: null',
    ]);
    expect(told({ options: { impulse: { ...impulse, every: 499 } } })).toEqual([]);
    expect(told({ options: { impulse: null } })).toEqual([]);
  });

  const pushing = (forbid: unknown, velocity: unknown = [0.03, null]) => ({
    environment: 'MountainCarContinuous-v0',
    rules: [{ where: { velocity }, forbid }],
  });
  const ONE = 'forbid: expected forbid to be one interval of one dimension, such as [{ push: [0.5, 1] }], got forbid';
  it.each([
    [pushing(['push']), 'rules[0].forbid[0]: expected { push }, got "push"'],
    [pushing('push'), 'rules[0].forbid: expected a list of { push }, got "push"; write a list of mappings: [{ ... }]'],
    [
      pushing([{ pull: [0.5, 1] }]),
      'rules[0].forbid[0].pull: expected a known key, got pull; known here: push',
      `rules[0].${ONE} [{ pull: [0.5, 1] }]`,
    ],
    [pushing([]), `rules[0].${ONE} []`],
    [pushing([{}]), `rules[0].${ONE} [{}]`],
    [pushing([{ push: [0.5, 1] }, { push: [-1, -0.5] }]), `rules[0].${ONE} [{ push: [0.5, 1] }, { push: [-1, -0.5] }]`],
    [
      pushing([{ push: [0.2, 0.5] }]),
      'rules[0].forbid[0].push: expected push to go from one end of [-1, 1] to somewhere inside, got push [0.2, 0.5]; write [-1, 0] or [0.5, 1]',
    ],
    [
      pushing([{ push: [-1, 1] }]),
      'rules[0].forbid[0].push: expected push to go from one end of [-1, 1] to somewhere inside, got push [-1, 1]; write [-1, 0] or [0.5, 1]',
    ],
    [pushing([{ push: [1, 0.5] }]), 'rules[0].forbid[0].push: expected push to go from low to high, got push [1, 0.5]; write [0.5, 1]'],
    [
      pushing([{ push: [2, null] }]),
      'rules[0].forbid[0].push: expected push to meet [-1, 1] of the action, which is what the world tells apart, got push [2, null]; write [-1, 0] or [0.5, 1]',
    ],
    [
      pushing([{ push: 0.5 }]),
      `rules[0].forbid[0].push: expected push to be a pair [low, high] of numbers, got push 0.5; write [0.5, .inf] or [-.inf, 0.5]`,
    ],
  ])('judgeScenario(%j) is refused, of a continuous action', (given, ...texts) => {
    const judged = judgeScenario(given);
    expect(judged.ok ? [] : judged.problems.map((problem) => printProblem(problem))).toEqual(texts);
  });

  it.each([
    [[0.5, 1], [0.5, null], { dimension: 0, from: 0.5, above: true }],
    [[0.5, null], [0.5, null], { dimension: 0, from: 0.5, above: true }],
    [[0.5, 3], [0.5, null], { dimension: 0, from: 0.5, above: true }],
    [[-1, -0.1], [null, -0.1], { dimension: 0, from: Math.fround(-0.1), above: false }],
  ])('judgeScenario(forbid push %j) resolves it to %j, a half-space', (written, resolved, halfSpace) => {
    const judged = judgeScenario(pushing([{ push: written }]));
    expect(judged.ok && judged.value.rules[0]?.forbid).toEqual([{ push: resolved }]);
    const { rules, halfSpaces } = compileRules('MountainCarContinuous-v0', (judged.ok && judged.value.rules) || []);
    expect([rules.map(({ toxic }) => toxic), halfSpaces]).toEqual([[1], [halfSpace]]);
  });

  it('judgeScenario(boxes whose float32 bounds meet) is refused, too', () => {
    const forbid = [{ push: [0.5, 1] }];
    const rules = [0.03, 0.0299999999].map((edge, i) => ({ where: { velocity: i === 0 ? [edge, null] : [null, edge] }, forbid }));
    expect(judgeScenario({ environment: 'MountainCarContinuous-v0', rules }).ok).toBe(false);
  });

  it.each([
    [[0.2, 0.8], false],
    [[0.2, 1], true],
    [[0, 0], true],
    [[null, 0.5], true],
  ])('judgeScenario(leg1 in %j) needs a whole number there', (leg1, ok) => {
    const judged = judgeScenario({ environment: 'LunarLander-v3', rules: [{ where: { leg1 }, forbid: ['main'] }] });
    expect(judged.ok).toBe(ok);
    if (!judged.ok)
      expect(judged.problems.map((problem) => printProblem(problem))).toEqual([
        'rules[0].where.leg1: expected leg1 to contain a whole number, got leg1 [0.2, 0.8]; write [0, 0] or [1, 1]',
      ]);
  });

  it('judgeScenario(two boxes that meet) is refused where actions are continuous: T(s) is one half-space', () => {
    const forbid = [{ push: [0.5, 1] }];
    const rules = [
      { where: { velocity: [0, null] }, forbid },
      { where: { position: [0, null], velocity: [null, 0] }, forbid },
    ];
    const judged = judgeScenario({ environment: 'MountainCarContinuous-v0', rules });
    expect(judged.ok ? [] : judged.problems.map((problem) => printProblem(problem))).toEqual([
      'rules[1].where: expected a box apart from those of the other rules, since actions are continuous, got an overlap with rule 0: { velocity: [0, 0], position: [0, null] }; leave a gap between their boxes',
    ]);
  });

  it.each([3, null, [], 'x'])('judgeScenario(%j) says what a scenario is', (data) => {
    const judged = judgeScenario(data);
    expect(judged.ok ? [] : judged.problems.map(({ expected }) => expected)).toEqual(['{ environment, options, rules }']);
  });

  it('judgeScenario(rules that leave no action where they overlap) names the rules and the place', () => {
    const rules = [
      { where: { theta: [0, null] }, forbid: ['left'] },
      { where: { x: [0, null] }, forbid: ['left'] },
      { where: { theta: [null, 0] }, forbid: ['right'] },
    ];
    expect(told({ rules })).toEqual([
      'rules[2].forbid: expected an action that is allowed everywhere, got none where rules 0, 2 overlap: { theta: [0, 0] }; leave a gap between their boxes',
    ]);
  });

  it('judgeScenario(any rules) refuses exactly those under which some state has no action left', () => {
    const end = fc.constantFrom(-2, -1, 0, 1, 2);
    const interval = fc.tuple(end, end).map(([a, b]): Interval => [Math.min(a, b), Math.max(a, b)]);
    const some = fc.record({ x: interval, xDot: interval }, { requiredKeys: ['x'] });
    const rules = fc.array(fc.record({ where: some, forbid: fc.constantFrom(['left'], ['right']) }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(rules, (given) => {
        // Bounds are whole numbers, so an overlap of closed boxes holds a point of this grid.
        const compiled = compileRules('CartPole-v1', given as readonly Rule[]).rules;
        const grid = [-2, -1, 0, 1, 2].flatMap((x) => [-2, -1, 0, 1, 2].map((xDot) => Float32Array.of(x, xDot, 0, 0)));
        const stuck = grid.some((obs) => toxicMask(compiled, obs, 0, 4) === 0b11);
        expect(judgeScenario({ environment: 'CartPole-v1', rules: given }).ok).toBe(!stuck);
      }),
      { numRuns: 300 },
    );
  });
});
