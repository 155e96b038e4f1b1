import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { canonicalJson } from '../../src/contract/ids.ts';
import { parseResult } from '../../src/contract/messages.ts';
import { expand } from '../../src/coordinator/expand.ts';
import { parseSweepText } from '../../src/coordinator/load.ts';
import { ROW_PARTS } from '../../tools/docs/blocks.ts';
import { messagesOf } from '../contract/largest.ts';

const page = readFileSync('docs/rows.md', 'utf8');

/** The fields that the page has of a part, and which of them may be absent. */
function documented(part: string): readonly { readonly name: string; readonly optional: boolean }[] {
  const block = page.slice(page.indexOf(`<!-- generated: ${part}; npm run docs -->`)).split('<!-- end -->')[0] ?? '';
  return [...block.matchAll(/^\| `(\w+)`(, may be absent)? \|/gm)].map(([, name = '', absent]) => ({
    name,
    optional: absent !== undefined,
  }));
}
const names = (part: string): string[] =>
  documented(part)
    .map(({ name }) => name)
    .toSorted();
const keys = (value: object | null | undefined): string[] => Object.keys(value ?? {}).toSorted();

const { sweep } = parseSweepText(readFileSync('sweeps/cartpole.yaml', 'utf8'), 'cartpole.yaml', ['strategy=tsf', 'seeds=1']);
const [planned] = expand(sweep);
const messages = messagesOf(planned!.spec);

/** Every part of a base row, a trial row and a failure, as somebody has it. */
type Parts = Readonly<Record<(typeof ROW_PARTS)[number], object>>;
const built: Parts = {
  BaseResult: messages.base.row.result,
  TrialResult: messages.trial.row.result,
  Evaluation: messages.base.row.result.greedy,
  Curve: messages.base.row.result.returns,
  Acceptance: messages.trial.row.result.acceptance,
  Influence: messages.trial.row.result.influence,
  Overrun: messages.trial.row.result.overrun!,
  Cost: messages.trial.row.result.cost.correct,
  Failure: (messages.failures[0].row as { failure: object }).failure,
  Provenance: messages.base.provenance,
  BaseSpec: planned!.spec.base,
  TrialSpec: planned!.spec,
};

/** A message without one field, somewhere. */
const without = (value: unknown, part: object, key: string): unknown =>
  JSON.parse(
    JSON.stringify(value, (_, inner: unknown) =>
      inner === part ? Object.fromEntries(Object.entries(part).filter(([name]) => name !== key)) : inner,
    ),
  );

describe('docs/rows.md', () => {
  it.each(ROW_PARTS)('has the fields of %s that the schema of a message has, no more and no fewer', (part) => {
    expect(names(part)).toEqual(keys(built[part])); // and closed schemas accept exactly these
    for (const message of [messages.base, messages.trial, ...messages.failures])
      expect(() => parseResult(canonicalJson(message))).not.toThrow();
  });

  it.each(ROW_PARTS.filter((part) => !part.endsWith('Spec')))('says of %s which fields may be absent', (part) => {
    const message = [messages.base, messages.trial, ...messages.failures].find((one) =>
      JSON.stringify(one).includes(JSON.stringify(built[part])),
    );
    for (const { name, optional } of documented(part)) {
      const parse = () => parseResult(canonicalJson(without(message, built[part], name)));
      if (optional) expect(parse, name).not.toThrow();
      else expect(parse, name).toThrow();
    }
  });

  it('has the fields of rows that were computed', () => {
    const lines = (file: string) =>
      readFileSync(`results/reference/${file}`, 'utf8')
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line));
    const trials = lines('cartpole/trials.jsonl').filter(({ ok }) => ok);
    const bases = lines('cartpole/bases.jsonl').filter(({ ok }) => ok);
    expect(trials.length).toBeGreaterThan(50);
    for (const { spec, result } of trials) {
      expect(keys(result)).toEqual(names('TrialResult'));
      expect(keys(spec)).toEqual(names('TrialSpec'));
      if (result.overrun) expect(keys(result.overrun)).toEqual(names('Overrun'));
      expect([keys(result.greedy), keys(result.acceptance), keys(result.cost.identify)]).toEqual(
        ['Evaluation', 'Acceptance', 'Cost'].map(names),
      );
    }
    for (const { spec, result } of bases) expect([keys(result), keys(spec)]).toEqual([names('BaseResult'), names('BaseSpec')]);
    const stored = lines('cartpole/trials.jsonl').find(({ ok }) => !ok);
    expect(keys(stored.failure)).toEqual(names('Failure'));
    const optional = documented('Provenance').flatMap(({ name, optional: may }) => (may ? [name] : []));
    for (const record of lines('cartpole/provenance.jsonl')) {
      expect(names('Provenance')).toEqual(expect.arrayContaining(keys(record)));
      expect([...keys(record), ...optional]).toEqual(expect.arrayContaining(names('Provenance')));
    }
  });

  it('knows the fields of ppo and evaluate of a resolved spec', () => {
    const { base, evaluate } = planned!.spec;
    expect(names('spec.evaluate')).toEqual(keys(evaluate));
    expect(names('spec.ppo')).toEqual(expect.arrayContaining(keys(base.ppo)));
  });
});
