import { describe, expect, it } from 'vitest';
import { unobserved } from '../../../src/contract/observe.ts';
import { STRATEGIES } from '../../../src/contract/strategies.ts';
import { strategyNamed } from '../../../src/correction/strategies/index.ts';
import type { EnvironmentInput, Judged } from '../../../src/correction/strategy.ts';
import { makeEngine } from '../../../src/math/engines/index.ts';
import { Stream } from '../../../src/math/rng/threefry.ts';
import { ANGLE, CARTPOLE, optionsOf, outsideStates, regionStates, untrained, violatingPairs } from '../probe.ts';

const names = Object.keys(STRATEGIES);
const seeing = (...needs: string[]): string[] => names.filter((name) => needs.includes(STRATEGIES[name]!.needs));

/** What a strategy may touch, by what it needs; anything else throws. */
const BOUNDS = ['base', 'constraint', 'checkpoints', 'checkpoint', 'overrun'];

function guarded(allowed: readonly string[]): EnvironmentInput {
  const input = {
    base: untrained(CARTPOLE),
    constraint: ANGLE,
    recorded: {
      forget: violatingPairs(ANGLE, 30),
      retain: outsideStates(ANGLE, 30),
      validation: { region: regionStates(ANGLE, 10), outside: outsideStates(ANGLE, 10) },
    },
    checkpoints: (steps: number) => [0, steps],
    checkpoint: () => {},
    overrun: { multiples: [2], measure: () => ({ finalFe: 0, meanReturn: 0 }) },
  };
  return new Proxy(input as unknown as EnvironmentInput, {
    get: (target, key) => {
      if (!allowed.includes(String(key))) throw new Error(`${String(key)} is not for this strategy to see`);
      return Reflect.get(target, key);
    },
    ownKeys: () => expect.unreachable('a copy of the input would hold everything'),
  });
}

const run = (name: string, allowed: readonly string[]) =>
  strategyNamed(name).correct(
    guarded(allowed),
    optionsOf(name, { steps: 3, inverted: STRATEGIES[name]!.reads.includes('inverted') ? 8 : 0 }) as unknown as Judged,
    makeEngine('wasm'),
    new Stream(61, 62),
    unobserved,
  );

describe('strategies', () => {
  it('have the same names as in the contract, no more and no fewer', () => {
    expect(() => strategyNamed('?')).toThrow(/^strategy: expected one of .*, got \?$/);
    let message = '';
    try {
      strategyNamed('?');
    } catch (error) {
      message = (error as Error).message;
    }
    expect(message.slice('strategy: expected one of '.length, -', got ?'.length).split(', ').sort()).toEqual([...names].sort());
  });

  it.each(names)('%s needs what the contract says it needs, and says where it is from', (name) => {
    const { needs, source } = strategyNamed(name);
    expect(strategyNamed(name).name).toBe(name);
    expect(needs).toBe(STRATEGIES[name]!.needs);
    expect(source).not.toBe('');
  });

  it.each(seeing('nothing', 'bounds'))('%s runs where everything but base, constraint and measurements throws', (name) => {
    const { policy, overrun } = run(name, BOUNDS);
    expect(policy.params.every(Number.isFinite)).toBe(true);
    expect(overrun !== null).toBe(STRATEGIES[name]!.reads.includes('forget'));
  });

  it.each(seeing('states'))('%s runs where the world itself throws', (name) => {
    const { policy, overrun } = run(name, [...BOUNDS, 'recorded']);
    expect(policy.params.every(Number.isFinite)).toBe(true);
    expect(overrun).not.toBeNull();
    expect(() => run(name, BOUNDS)).toThrow('recorded is not for this strategy to see');
  });
});
