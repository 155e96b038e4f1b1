import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/contract/errors.ts';
import { explainEmpty, parseWhere, type Subject } from '../../src/coordinator/where.ts';
import { baseSpec, trialSpec } from '../worker/fake/specs.ts';

const subjects: Subject[] = [1, 2, 3, 12].flatMap((seed) =>
  ['none', 'tsf', 'tsf:paper'].map((strategy): Subject => {
    const spec = {
      ...trialSpec(baseSpec(seed), strategy),
      correct: { steps: strategy === 'none' ? 0 : 500, annealLr: strategy === 'tsf' },
    };
    return { id: `${strategy.length}${seed}`, scenario: 'cartpole/angle', state: seed === 3 ? 'failed' : 'ok', spec };
  }),
);
const select = (text: string): string[] => {
  const terms = parseWhere(text);
  return subjects.filter((s) => terms.every((t) => t.matches(s))).map((s) => `${s.spec.strategy} ${s.spec.base.seed}`);
};

describe('parseWhere(text)', () => {
  it.each([
    ['', 12],
    ['strategy=tsf', 4],
    ['strategy=tsf,seed=1..3', 3],
    ['strategy=none|tsf:paper , seed = 2|12', 4],
    ['strategy!=none|tsf', 4],
    ['seed=1..2|12', 9],
    ['seed!=1..3', 3],
    ['seed=3..', 6],
    ['seed=..2', 6],
    ['correct.steps=..1e3,correct.steps=2..', 8],
    ['state=failed', 3],
    ['scenario=cartpole/angle,environment=CartPole-v1', 12],
    ['correctionSeed=0', 12],
    ['engine=wasm', 12],
    ['engine=tfjs|reference', 0],
    ['id=3', 4],
    ['id=412,id!=3', 1],
    ['correct.steps=500', 8],
    ['correct.steps=1..1e3', 8],
    ['correct.annealLr=true', 4],
    ['correct.retainKl=1', 0],
    ['correct.retainKl!=1', 12],
    ['ppo.hidden=[64,64],ppo.targetKl=null', 12],
    ['ppo.gamma=0.99', 12],
    ['evaluate.curveEpisodes=20', 12],
  ])('%j selects %i of 12', (text, count) => {
    expect(select(text)).toHaveLength(count);
  });

  it.each([
    ['stratgy=tsf', /expected a field of a trial, got stratgy; did you mean strategy\?/],
    ['correct.step=1', /got correct\.step; did you mean correct\.steps\?/],
    ['ppo.learning_rate=1', /did you mean ppo\.learningRate\?/],
    ['nonsense=1', /got nonsense; known: scenario, environment, strategy/],
    ['__proto__=1', /expected a field of a trial, got __proto__/],
    ['strategy', /expected field=value or field!=value, got "strategy"/],
    ['seed=', /expected seed=value, got no value/],
    ['seed=one', /expected a number, got one/],
    ['seed=3..1', /expected a range from low to high, got 3\.\.1; write seed=1\.\.3/],
    ['seed=a..b', /expected numbers around \.\., got a\.\.b; for example 1\.\.3/],
    ['state=broken', /expected ok, failed or missing, got broken/],
  ])('%j is refused with a remedy', (text, message) => {
    expect(() => parseWhere(text)).toThrow(ConfigError);
    expect(() => parseWhere(text)).toThrow(message);
  });
});

describe('parseWhere(a filter in another language)', () => {
  it.each([
    ['seed=1-3', 'seed=1..3'],
    ['seed=1–3', 'seed=1..3'],
    ['seed=1 to 3', 'seed=1..3'],
    ['seed=1...3', 'seed=1..3'],
    ['seed=3-1', 'seed=1..3'],
    ['seed=1,2', 'seed=1|2'],
    ['seed = 1 , 2', 'seed=1|2'],
    ['seed=1,2,3,strategy=tsf', 'seed=1|2|3,strategy=tsf'],
    ['strategy=tsf,none', 'strategy=tsf|none'],
    ['strategy=tsf none', 'strategy=tsf|none'],
    ['seed in 1..3', 'seed=1..3'],
    ['seed in [1, 2]', 'seed=1|2'],
    ['seed not in {1,2}', 'seed!=1|2'],
    ['seed==1', 'seed=1'],
    ['seed!==1', 'seed!=1'],
    ['seed<>1', 'seed!=1'],
    ['not seed=1', 'seed!=1'],
    ['!seed=1', 'seed!=1'],
    ['seed>3', 'seed=4..'],
    ['seed>=3', 'seed=3..'],
    ['seed≥3', 'seed=3..'],
    ['seed<3', 'seed=..2'],
    ['seed<=3', 'seed=..3'],
    ['correct.steps>=100 and correct.steps<=500', 'correct.steps=100..,correct.steps=..500'],
    ['seed=1 strategy=tsf', 'seed=1,strategy=tsf'],
    ['seed=1\u00a0strategy=tsf', 'seed=1,strategy=tsf'],
    ['seed=1，strategy=tsf', 'seed=1,strategy=tsf'],
    ['seed=1 and strategy=tsf', 'seed=1,strategy=tsf'],
    ['seed=1 && strategy=tsf', 'seed=1,strategy=tsf'],
    ['seed=1;strategy=tsf', 'seed=1,strategy=tsf'],
    ['seed=1||2', 'seed=1|2'],
    ['seed=1 or seed=2', 'seed=1|2'],
    ['seed: 1, strategy: tsf:paper', 'seed=1,strategy=tsf:paper'],
    ['seed 1', 'seed=1'],
    ['strategy="tsf"', 'strategy=tsf'],
    ['strategy=“tsf”', 'strategy=tsf'],
    ['strategy is not tsf', 'strategy!=tsf'],
    ['ppo.lr>0.1', 'ppo.learningRate=0.1..'],
    ['ppo.hidden=[64,64] seed=1', 'ppo.hidden=[64,64],seed=1'],
    ['tsf', 'strategy=tsf'],
    ['1..3', 'seed=1..3'],
    ['failed', 'state=failed'],
  ])('%j is told to write %j', (text, meant) => {
    const written = /[^\w.,:=]/.test(meant) && !/^[\w.,:=/+-]+$/.test(meant) ? `"${meant}"` : meant;
    expect(() => parseWhere(text)).toThrow(ConfigError);
    expect(() => parseWhere(text)).toThrow(new RegExp(`; write ${written.replaceAll(/[|.[\]]/g, '\\$&')}$`));
    expect(select(meant)).toBeDefined(); // and that is one
  });

  it.each([
    ['lr=1', /got lr; did you mean correct\.learningRate or ppo\.learningRate\?$/],
    ['env=x', /got env; did you mean environment or scenario\?$/],
    ['gamma=1', /got gamma; did you mean ppo\.gamma\?$/],
    ['state=done', /expected ok, failed or missing, got done; did you mean ok\?$/],
    ['seed=*', /got \*; leave the term out to choose them all$/],
    ['seed', /got "seed"; for example strategy=tsf,seed=1\.\.3$/],
    ['seed=..', /expected numbers around \.\., got \.\.; for example 1\.\.3, 4\.\. or \.\.3$/],
  ])('%j is told what to do', (text, message) => {
    expect(() => parseWhere(text)).toThrow(message);
  });

  it('any text is a filter or a ConfigError, and what is proposed is a filter', () => {
    const word = fc.constantFrom(
      'seed',
      'strategy',
      'ppo.gamma',
      'lr',
      '1',
      '2..3',
      'tsf:paper',
      'x',
      'ok',
      '[1,2]',
      '0.5',
      '-',
      '\u00a0',
      '“',
      '..',
      '...',
    );
    const mark = fc.constantFrom('=', '!=', '>', '<=', ' ', ',', '|', ' in ', ' and ', ' or ', ':', '-', '"', 'not ', '(', ']', '');
    const text = fc.array(fc.tuple(word, mark), { maxLength: 6 }).map((parts) => parts.flat().join(''));
    fc.assert(
      fc.property(fc.oneof(text, fc.string({ unit: 'binary' })), (given) => {
        try {
          parseWhere(given);
        } catch (error) {
          if (!(error instanceof ConfigError)) throw error;
          const [, quoted, bare] = error.message.match(/; write (?:"(.*)"|(\S*))$/s) ?? [];
          const proposed = quoted ?? bare;
          if (proposed !== undefined) parseWhere(proposed);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('explainEmpty(terms, subjects)', () => {
  it('names the term that nothing meets, and what there is', () => {
    expect(explainEmpty(parseWhere('strategy=tfs,seed=1'), subjects)).toBe(
      'strategy=tfs: no row meets it; strategy is none, tsf, tsf:paper',
    );
  });

  it('speaks of what was chosen from', () => {
    expect(explainEmpty(parseWhere('state=missing'), subjects, 'trial')).toBe('state=missing: no trial meets it; state is failed, ok');
  });

  it('lists what there is in order, numbers as numbers', () => {
    expect(explainEmpty(parseWhere('seed=7'), subjects.toReversed())).toBe('seed=7: no row meets it; seed is 1, 2, 3, 12');
  });

  it('says when every term alone is met', () => {
    expect(explainEmpty(parseWhere('seed=1,state=failed'), subjects)).toBe('no row meets all of seed=1, state=failed at once');
  });
});
