import { appendFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { inProcess } from './inprocess.ts';
import { scratch } from './spc.ts';

interface Listed {
  readonly counts: object;
  readonly bases: { id: string; name: string; state: string; policy: string | null }[];
  readonly trials: { id: string; arm: string; state: string; policy: string | null; seed: number; why: string | null }[];
  readonly strangers: number;
  readonly broken: string[];
}
const list = (...args: string[]) => inProcess(['list', ...args]);
const jsonOf = async (...args: string[]): Promise<Listed> => JSON.parse((await list(...args, '--json')).stdout) as Listed;
const widest = (text: string): number => Math.max(...text.split('\n').map((line) => [...line].length));

describe('spc list FOLDER', () => {
  const sweep = scratch({ seeds: 2, strategies: 'none, tsf', more: '  correct.steps: [100, 500]\n' });
  let before: ReturnType<typeof sweep.outcome>;
  const copy = (): string => {
    const folder = join(mkdtempSync(join(tmpdir(), 'list-')), 'quick');
    cpSync(sweep.folder, folder, { recursive: true });
    return folder;
  };
  beforeAll(async () => {
    await inProcess(sweep.run);
    before = sweep.outcome();
  });

  it('has every base and trial with its whole arm, state and the digest of its policy; fits 80 columns, writes nothing', async () => {
    for (const args of [[sweep.folder], ['quick', '--results', sweep.results]]) {
      const left = await list(...args);
      expect([left.code, left.stderr]).toEqual([0, '']);
      expect(left.stdout).toMatch(/^quick: 6 trials: 6 ok, 0 failed, 0 missing; 2 bases\n/);
      expect(left.stdout).toMatch(
        /\ncartpole\/angle tsf correct\.steps=500\n( {2}[a-z2-7]{16} {2}[12]\/0 {3}ok {7}[0-9a-f]{12}( +\d+\.\d){4}\n){2}/,
      );
      expect(widest(left.stdout)).toBeLessThanOrEqual(80);
    }
    expect(sweep.outcome()).toEqual(before);
  });

  it('--json is one object, digests whole: the files that are there', async () => {
    const { bases, trials, ...rest } = await jsonOf(sweep.folder);
    expect(rest).toEqual({
      ...{ version: 1, folder: sweep.folder, sweep: 'quick', where: null, strangers: 0, broken: [] },
      counts: { ok: 6, failed: 0, missing: 0 },
    });
    expect(new Set([...bases, ...trials].map(({ policy }) => `${policy}.safetensors`))).toEqual(new Set(before.policies));
    const rows = before.trials.map((line) => JSON.parse(line) as { id: string; result: { policy: string; fe: number } });
    const byId = (a: { id: string }, b: { id: string }): number => (a.id < b.id ? -1 : 1);
    expect(trials.toSorted(byId)).toMatchObject(
      rows.toSorted(byId).map(({ id, result: { policy, fe } }) => ({ id, policy, values: { fe: 100 * fe } })),
    );
  });

  it('--where chooses; none is exit code 5, with what there is', async () => {
    const { bases, trials } = await jsonOf(sweep.folder, '--where', 'seed=2,correct.steps=500');
    expect([bases.length, trials.map(({ arm }) => arm)]).toEqual([1, ['cartpole/angle tsf correct.steps=500']]);
    const none = await list(sweep.folder, '--where', 'state=failed');
    expect([none.code, none.stdout, none.stderr]).toEqual([5, '', expect.stringContaining('state is ok')]);
    expect((await list(sweep.folder, '--where', 'sed=1')).code).toBe(2);
  });

  it('a folder in which nothing has run yet, or half of it, is a list of what is missing', async () => {
    const folder = copy();
    for (const name of ['trials.jsonl', 'bases.jsonl', 'provenance.jsonl']) writeFileSync(join(folder, name), '');
    const empty = await list(folder);
    expect([empty.code, empty.stderr]).toEqual([0, '']);
    expect(empty.stdout).toContain('6 trials: 0 ok, 0 failed, 6 missing; 2 bases\n');
    expect(empty.stdout).toMatch(/ {2}missing {2}its base is not trained yet\n/);
    writeFileSync(join(folder, 'bases.jsonl'), readFileSync(join(sweep.folder, 'bases.jsonl'), 'utf8'));
    const [first] = readFileSync(join(sweep.folder, 'trials.jsonl'), 'utf8').split('\n');
    writeFileSync(join(folder, 'trials.jsonl'), `${first}\n${first!.slice(0, 40)}`); // a torn last line is none
    const half = await list(folder);
    expect(half.stdout).toContain('6 trials: 1 ok, 0 failed, 5 missing');
    expect(half.stdout).toMatch(/ {2}missing {2}no row yet\n/);
    expect(half.code).toBe(0);
  });

  it('failures have their reason, whole below the list, and a base that failed takes its trials with it', async () => {
    const folder = copy();
    const message = `NaN ${'far '.repeat(40)}away`;
    const fail = (line: string): string => {
      const { result: _, ...row } = JSON.parse(line) as { result: object };
      return `${JSON.stringify({ ...row, ok: false, failure: { kind: 'diverged', message } })}\n`;
    };
    writeFileSync(join(folder, 'trials.jsonl'), '');
    writeFileSync(join(folder, 'bases.jsonl'), sweep.lines('bases.jsonl').map(fail).join(''));
    const left = await list(folder);
    expect(left.stdout).toContain('6 trials: 0 ok, 6 failed, 0 missing');
    expect(left.stdout).toMatch(/\n\[1\] diverged: NaN far(\s+far)+\s+away\n/);
    expect(widest(left.stdout)).toBeLessThanOrEqual(80);
    expect(left.code).toBe(0);
  });

  it('a line that is no row is named on stderr and the rest is listed; exit code 1', async () => {
    const folder = copy();
    const hollow = sweep.lines('trials.jsonl')[0]!.replace(/"result":.*,"spec":/, '"result":{},"spec":');
    appendFileSync(join(folder, 'trials.jsonl'), `{"id":"\u001b[2J"\n${hollow}\n`);
    appendFileSync(join(folder, 'bases.jsonl'), 'null\n');
    const left = await list(folder);
    expect(left.code).toBe(1);
    expect(left.stdout).toContain('6 trials: 6 ok');
    expect(left.stderr).toMatch(/bases\.jsonl:3: .*\n.*trials\.jsonl:7: .*\n.*trials\.jsonl:8: .*\n$/);
    expect(left.stderr).not.toContain('\u001b');
    expect((await jsonOf(folder)).broken).toHaveLength(3);
  });

  it('spells out what a terminal would obey', async () => {
    const folder = copy();
    const [line, ...others] = sweep.lines('trials.jsonl');
    const { result: _, ...row } = JSON.parse(line!) as { result: object };
    const evil = { ...row, ok: false, failure: { kind: 'bug', message: '\u001b[31m\u202emoc.live\u0007\nsecond line' } };
    writeFileSync(join(folder, 'trials.jsonl'), `${JSON.stringify(evil)}\n${others.join('\n')}\n`);
    const left = await list(folder);
    expect(left.stdout).toContain('[1] bug: \\x1b[31m\\u202emoc.live\\x07\n');
    for (const letter of ['\u001b', '\u202e', '\u0007']) expect(left.stdout).not.toContain(letter);
  });

  it('counts rows that nobody asks for', async () => {
    const folder = copy();
    const yaml = readFileSync(join(folder, 'sweep.yaml'), 'utf8');
    writeFileSync(join(folder, 'sweep.yaml'), yaml.replace('[100, 500]', '[500]'));
    expect(await jsonOf(folder)).toMatchObject({ counts: { ok: 4 }, strangers: 2 });
  });

  it('a folder that is none, or is not there: which there are; exit code 2', async () => {
    const left = await list('qiuck', '--results', sweep.results);
    expect([left.code, left.stderr]).toEqual([2, expect.stringContaining('did you mean quick?')]);
    expect((await list(join(sweep.root, 'quick.yaml'), '--results', sweep.results)).code).toBe(2);
  });
});

describe('spc list', () => {
  const sweep = scratch({ seeds: 1, strategies: 'none, tsf' });
  beforeAll(async () => {
    await inProcess(sweep.run, { jobs: 'sick' });
  });

  it('names the results there are, with counts, also a level below; nothing else', async () => {
    const nested = join(sweep.results, 'old');
    mkdirSync(join(nested, 'not-results'), { recursive: true });
    cpSync(sweep.folder, join(nested, 'copy'), { recursive: true });
    symlinkSync(join(sweep.root, 'nowhere'), join(sweep.results, 'dangling'));
    for (const args of [['--results', sweep.results], [sweep.results]]) {
      const left = await list(...args);
      expect([left.code, left.stderr]).toEqual([0, '']);
      expect(left.stdout.split('\n').map((line) => line.replace(/ +/g, ' '))).toEqual([
        'results trials failed bases',
        `${nested}/copy 2/2 1 1`,
        `${sweep.folder} 2/2 1 1`,
        '',
      ]);
    }
    expect(JSON.parse((await list('--results', sweep.results, '--json')).stdout)).toMatchObject({
      folders: [{}, { folder: sweep.folder, trials: 2, failed: 1, asked: 2, bases: 1 }],
    });
  });

  it('no results: exit code 5, and how to get some', async () => {
    for (const root of [mkdtempSync(join(tmpdir(), 'none-')), '/nowhere']) {
      const left = await list('--results', root);
      expect([left.code, left.stdout, left.stderr]).toEqual([5, '', expect.stringContaining('spc run writes them')]);
    }
  });
});
