import { describe, expect, it } from 'vitest';
import type { TrialSpec } from '../../src/contract/spec.ts';
import { expand, type PlannedTrial } from '../../src/coordinator/expand.ts';
import { labelOf, namesOf } from '../../src/coordinator/labels.ts';
import { parseSweepText } from '../../src/coordinator/load.ts';

const file = `version: 1
name: x
seeds: 2
correctionSeeds: 2
axes:
  scenario: [cartpole/angle, lunarlander/descent]
  strategy: [none, tsf, 'tsf:paper']
  engine: [wasm, reference]
  correct.steps: [100, 500]
zip: [{ ppo.gamma: [0.98, 0.99], ppo.gaeLambda: [0.9, 0.95] }]
`;
const trialsOf = (...overrides: string[]): PlannedTrial[] => expand(parseSweepText(file, 'x', overrides).sweep);
const small = (more: string): PlannedTrial[] =>
  expand(parseSweepText(`version: 1\nname: x\nseeds: 1\naxes: { scenario: [cartpole/angle], strategy: [none] }\n${more}`, 'x').sweep);
const planned = trialsOf();
const label = (trial: PlannedTrial, of = planned): string => {
  const { id, spec } = trial;
  return labelOf({ id: '', spec, ...namesOf(of)(id, spec) }).trim();
};

describe('labelOf(a row)', () => {
  it('names everything in which an arm differs, and its seeds', () => {
    expect(label(planned.find(({ strategy, seed }) => strategy === 'tsf' && seed === 2)!)).toBe(
      'cartpole/angle tsf engine=wasm correct.steps=100 ppo.gamma=0.98 ppo.gaeLambda=0.9 seed 2/0',
    );
  });

  it('is another for every row of a sweep', () => {
    expect(planned.length).toBeGreaterThan(100);
    expect(new Set(planned.map((trial) => label(trial))).size).toBe(planned.length);
  });

  it('names the only engine of a sweep unless it is the usual one, and names it once', () => {
    const only = small('engine: reference\n');
    expect(label(only[0]!, only)).toBe('cartpole/angle none engine=reference seed 1/0');
    const axis = planned.find(({ spec }) => spec.base.engine === 'reference')!;
    expect(label(axis).match(/engine=/g)).toHaveLength(1);
  });

  it('names a row that nobody asks for by what it differs in, and none like another or like a wanted one', () => {
    const others = [
      ...trialsOf('correct.steps=100,200,500', 'seeds=2').filter(({ id }) => !planned.some((one) => one.id === id)),
      ...trialsOf('ppo.numEnvs=16'),
      ...trialsOf('correct.forgetBatch=64', 'strategy=tsf'),
      ...trialsOf('evaluate.curvePoints=5'),
    ];
    const names = others.map((trial) => label(trial));
    expect(names).toContain('cartpole/angle tsf engine=wasm correct.steps=200 ppo.gamma=0.98 ppo.gaeLambda=0.9 seed 1/1');
    expect(names.some((name) => name.includes('ppo.numEnvs=16'))).toBe(true);
    const distinct = new Set([...names, ...planned.map((trial) => label(trial))]);
    expect(distinct.size).toBe(new Set([...others, ...planned].map(({ id }) => id)).size);
  });

  it('has a name for a row of which the sweep knows neither the strategy nor the scenario', () => {
    const none = small('');
    const strange = planned.find(({ strategy, scenario }) => strategy === 'tsf' && scenario === 'lunarlander/descent')!;
    expect(label(strange, none)).toBe('lunarlander/descent tsf ppo.gamma=0.98 ppo.gaeLambda=0.9 correct.steps=100 seed 1/0');
    const { spec } = strange;
    const gone: TrialSpec = { ...spec, strategy: 'of-old', rules: [], base: { ...spec.base, environment: 'Old-v0' } };
    expect(labelOf({ id: '', spec: gone, ...namesOf(none)('?', gone) })).toContain('Old-v0 of-old');
  });
});
