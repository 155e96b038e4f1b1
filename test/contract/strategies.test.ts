import { describe, expect, it } from 'vitest';
import { STRATEGIES, strategyPreset } from '../../src/contract/strategies.ts';

const names = Object.keys(STRATEGIES);
const composed = names.filter((name) => STRATEGIES[name]!.reads.includes('forget'));
const fromStates = composed.filter((name) => STRATEGIES[name]!.needs === 'states');

/** What is wrong with these options: paths and messages. */
function problems(name: string, given: Record<string, unknown>): string[] {
  const judged = strategyPreset(name).options.safeParse(given);
  return judged.success ? [] : judged.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
}

describe('STRATEGIES', () => {
  it.each(names)('%s needs no options, has defaults that it would accept, and reads exactly these', (name) => {
    const { options, reads } = strategyPreset(name);
    const defaults = options.parse({});
    expect(options.parse(defaults)).toEqual(defaults);
    expect(Object.keys(defaults).sort()).toEqual([...reads].sort());
    expect(problems(name, { lerningRate: 1 })).toEqual([expect.stringContaining('lerningRate')]);
  });

  it.each(composed)('%s refuses rows that do not fit, and names the parameter', (name) => {
    const fits = { forgetBatch: 32, worstCase: 8, inverted: 24, regionSamples: 8, retainBatch: 32 };
    const given = fromStates.includes(name) ? { ...fits, uniformRetain: 32 } : fits;
    expect(problems(name, given)).toEqual([]);
    expect(problems(name, { ...given, inverted: 25 })).toEqual(['worstCase: and inverted together must not exceed forgetBatch']);
    expect(problems(name, { ...given, regionSamples: 7 })).toEqual(['worstCase: must not exceed regionSamples']);
    expect(problems(name, { ...given, worstCase: 33, inverted: 0, regionSamples: 64 })).toContain('worstCase: must not exceed forgetBatch');
  });

  it.each(fromStates)('%s refuses more uniform retain rows than there are', (name) => {
    expect(problems(name, { retainBatch: 256, uniformRetain: 257 })).toEqual(['uniformRetain: must not exceed retainBatch']);
  });

  it.each(composed)('%s refuses gradients to project that are never of one step', (name) => {
    expect(problems(name, { weighting: 'proj', alternate: false })).toEqual([]);
    expect(problems(name, { weighting: 'proj', alternate: true })).toEqual([
      'weighting: proj needs both gradients in one step: alternate must be false',
    ]);
  });

  it.each(fromStates)('%s refuses to forget any pair by its state alone', (name) => {
    expect(problems(name, { pairs: 'any', target: 'pair' })).toEqual([]);
    expect(problems(name, { pairs: 'any', target: 'set' })).toEqual([
      'target: must be pair where any pair is forgotten: outside the region T(s) is empty',
    ]);
  });

  it('a preset from bounds knows no option of recorded data', () => {
    for (const name of composed.filter((n) => !fromStates.includes(n)))
      for (const key of ['pairs', 'target', 'keep', 'uniformRetain', 'influenceThreshold'])
        expect(strategyPreset(name).reads).not.toContain(key);
  });

  it.each(composed)('%s refuses to forget nothing, and an objective that is not there', (name) => {
    for (const forget of [{}, { margin: 0 }])
      expect(problems(name, { forget })).toEqual(['forget: must give some objective a positive weight']);
    expect(problems(name, { forget: { margin: 1, marign: 1 } })).toEqual([expect.stringContaining('marign')]);
    expect(problems(name, { forget: { margin: -1 } })[0]).toMatch(/^forget\.margin: /);
  });

  it('strategyPreset(…) names those that are there', () => {
    expect(() => strategyPreset('toString')).toThrow(new RangeError(`strategy: expected one of ${names.join(', ')}, got toString`));
  });
});
