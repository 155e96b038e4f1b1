import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { inProcess } from './inprocess.ts';
import { scratch, spc } from './spc.ts';

describe('spc rerun RESULTS --where FILTER', () => {
  const sweep = scratch();
  let outcome: ReturnType<typeof sweep.outcome>;
  const rerun = (...args: string[]) => inProcess(['rerun', sweep.folder, '--where', ...args]);
  beforeAll(async () => {
    await inProcess(sweep.run);
    outcome = sweep.outcome();
  });

  /** Edits one line of a file, runs `work`, and puts it back. */
  async function tampered<T>(name: string, edit: (line: string) => string, work: () => Promise<T>): Promise<T> {
    const path = join(sweep.folder, name);
    const text = readFileSync(path, 'utf8');
    writeFileSync(
      path,
      text
        .split('\n')
        .map((line) => (line === '' ? '' : edit(line)))
        .join('\n'),
    );
    try {
      return await work();
    } finally {
      writeFileSync(path, text);
    }
  }

  it('finds the same bytes, and touches nothing; exit code 0', async () => {
    const left = await rerun('strategy=tsf|none,seed=1..2');
    expect([left.code, left.stderr]).toEqual([0, '']);
    expect(left.stdout).toMatch(
      /^(identical {2}[a-z2-7]{16} {2}cartpole\/angle (none|tsf) seed [12]\/0\n){4}4 of 4 identical, 0 differ\n$/,
    );
    expect(sweep.outcome()).toEqual(outcome);
    expect(sweep.lines('provenance.jsonl')).toHaveLength(12);
  });

  it('--sample draws so many of them, not the same every time, and each sooner or later', async () => {
    const seen = new Set<string>();
    for (let i = 0; i < 40 && seen.size < 9; i++) {
      const left = await inProcess(['rerun', sweep.folder, '--sample', '0.3', '--trials-only']);
      const ids = left.stdout.match(/(?<=^identical {2})[a-z2-7]{16}/gm) ?? [];
      expect([left.code, ids.length, new Set(ids).size], left.stderr).toEqual([0, 3, 3]);
      expect(left.stderr).toMatch(/3 of 9 trials, drawn anew every time\n$/);
      for (const id of ids) seen.add(id);
    }
    expect(seen.size).toBe(9);
    const left = await inProcess(['rerun', sweep.folder, '--sample', '1', '--where', 'seed=1']);
    expect([left.code, left.stdout]).toEqual([0, expect.stringContaining('3 of 3 identical')]);
  });

  it.each([
    [[], /expected --where, --sample or both, got neither/],
    [['--sample', '0'], /--sample: expected a share above 0, at most 1, got 0/],
    [['--sample', '1.5'], /--sample: expected a share above 0, at most 1, got 1.5/],
  ])('%j is refused with what to say', async (more, message) => {
    const left = await inProcess(['rerun', sweep.folder, ...more]);
    expect([left.code, left.stderr]).toEqual([2, expect.stringMatching(message)]);
  });

  it('--trials-only goes on without a base whose policy was altered, and says which file and what to do; exit code 1', async () => {
    const first = sweep.lines('bases.jsonl').find((line) => /"seed":1\b/.test(line));
    const { policy } = (JSON.parse(first!) as { result: { policy: string } }).result;
    const file = join(sweep.folder, 'policies', `${policy}.safetensors`);
    const bytes = readFileSync(file);
    writeFileSync(file, bytes.subarray(1));
    const [left, anew] = [await rerun('', '--trials-only'), await rerun('seed=1')];
    writeFileSync(file, bytes);
    expect([left.code, left.stderr]).toEqual([1, '']);
    expect(left.stdout).toContain('6 of 9 identical, 0 differ, 3 without a readable base\n');
    expect(
      left.stdout.match(
        /^unread {5}.* seed 1\/0: \S+\.safetensors: expected SHA-256 .* over \d+ bytes; the file was truncated or altered; if it is of a base, `spc run` trains it anew$/gm,
      ),
    ).toHaveLength(3);
    expect([anew.code, anew.stdout]).toEqual([0, expect.stringContaining('3 of 3 identical')]); // trains it, and needs no file
  });

  it('names the first divergence in the order of the pipeline; exit code 4', async () => {
    const left = await tampered(
      'trials.jsonl',
      (line) => line.replace(/"trace":\["[^"]*","[^"]*"/, (t) => `${t.slice(0, -5)}xxxx"`).replace(/"fe":[^,]*/, '"fe":7'),
      () => rerun('strategy=tsf,seed=3'),
    );
    expect(left.code).toBe(4);
    expect(left.stdout).toMatch(
      /^differs {4}\S+ {2}cartpole\/angle tsf seed 3\/0\n {2}first at correction, checkpoint 2 of 3 \(gradient step 250\)\n {4}stored [0-9a-f]{60}xxxx\n {4}again {2}[0-9a-f]{64}\n0 of 1 identical, 1 differ\n$/,
    );
  });

  it('--json is one object, and nothing else; the exit code is the same', async () => {
    const edit = (line: string): string => (line.includes('"seed":1}') ? line.replace(/"fe":[^,]*/, '"fe":7') : line);
    const left = await tampered('trials.jsonl', edit, () => rerun('strategy=tsf,seed=1..2', '--json'));
    expect([left.code, left.stderr]).toEqual([4, '']);
    const json = JSON.parse(left.stdout) as { trials: { seed: number }[] };
    expect(json).toMatchObject({ version: 1, folder: sweep.folder, identical: 1, differs: 1, skipped: 0, unread: 0 });
    expect(json.trials.toSorted((a, b) => a.seed - b.seed)).toMatchObject([
      { scenario: 'cartpole/angle', strategy: 'tsf', seed: 1, outcome: 'differs', divergence: { where: 'result.fe', stored: '7' } },
      { strategy: 'tsf', seed: 2, correctionSeed: 0, outcome: 'identical' },
    ]);
  });

  it('blames the base when the base parted, and not with --trials-only', async () => {
    const edit = (line: string): string => line.replace(/"gradientSteps":100/, '"gradientSteps":99');
    const [whole, trials] = await tampered('bases.jsonl', edit, async () => [
      await rerun('seed=1'),
      await rerun('seed=1', '--trials-only'),
    ]);
    expect([whole!.code, trials!.code]).toEqual([4, 0]);
    expect(whole!.stdout).toContain('first at base.result.gradientSteps\n    stored 99\n    again  100\n');
  });

  it('finds bytes that differ although the values do not', async () => {
    const left = await tampered(
      'trials.jsonl',
      (line) => line.replace('"ok":true', '"ok": true'),
      () => rerun('seed=1,strategy=none'),
    );
    expect([left.code, left.stdout]).toEqual([4, expect.stringContaining('first at the bytes of the line')]);
  });

  it('says what there is when nothing is selected; exit code 5', async () => {
    const left = await rerun('strategy=tfs');
    expect([left.code, left.stdout]).toEqual([5, '']);
    expect(left.stderr).toContain('strategy=tfs: no row meets it; strategy is none, retrain, tsf');
  });

  it('refuses a filter it does not understand; exit code 2', async () => {
    const left = await rerun('sed=1');
    expect([left.code, left.stderr]).toEqual([2, expect.stringContaining('expected a field of a trial, got sed; did you mean seed?')]);
  });
});

describe('spc rerun, plan --list and why of a sweep with more axes', () => {
  const sweep = scratch({
    seeds: 1,
    strategies: 'none, tsf',
    more: '  correct.steps: [100, 500]\n  ppo.gamma: [0.98, 0.99]\nengine: reference\n',
  });
  beforeAll(async () => {
    await inProcess(sweep.run);
  });
  const arms = ['none', 'tsf correct.steps=100', 'tsf correct.steps=500'].flatMap((arm) =>
    ['0.98', '0.99'].map((gamma) => `cartpole/angle ${arm} ppo.gamma=${gamma} engine=reference`),
  );

  it('name the whole arm of every trial', async () => {
    const left = await inProcess(['rerun', sweep.folder, '--where', '']);
    const named = left.stdout.split('\n').flatMap((line) => line.match(/^identical {2}[a-z2-7]{16} {2}(.*) seed 1\/0$/)?.[1] ?? []);
    expect(named.sort()).toEqual(arms.toSorted());
    const { trials } = JSON.parse((await inProcess(['rerun', sweep.folder, '--where', '', '--json'])).stdout) as {
      trials: { id: string; arm: string }[];
    };
    expect(trials.map(({ arm }) => arm).sort()).toEqual(arms.toSorted());
    const list = await inProcess(['plan', sweep.file, '--results', sweep.results, '--list']);
    for (const { id, arm } of trials) {
      expect(list.stdout).toMatch(new RegExp(`^${id} {2}.* {2}cached {2}${arm}$`, 'm'));
      expect((await inProcess(['why', sweep.folder, id])).stdout).toContain(`${id}  ${arm} seed 1/0\n`);
    }
  });

  it('so does a list of failures', async () => {
    const edited = sweep.lines('trials.jsonl').map((line) => {
      const { result: _, ...row } = JSON.parse(line) as { result: object };
      return `${JSON.stringify({ ...row, ok: false, failure: { kind: 'diverged', message: 'NaN' } })}\n`;
    });
    const before = readFileSync(join(sweep.folder, 'trials.jsonl'), 'utf8');
    writeFileSync(join(sweep.folder, 'trials.jsonl'), edited.join(''));
    const left = await inProcess(['table', sweep.folder, '--missing']);
    writeFileSync(join(sweep.folder, 'trials.jsonl'), before);
    for (const arm of arms)
      expect(left.stdout.replaceAll(',', '').replaceAll(/\n +(?=engine)/g, ' ')).toContain(`${arm}\n  1/0  failed   diverged: NaN\n`);
  });
});

describe('spc rerun of rows by TensorFlow, made on another processor', () => {
  const sweep = scratch({ seeds: 1, strategies: 'none, tsf', more: 'engine: tfjs-cpu\n' });
  /** Where the package is not installed, its name and version are found here: the jobs are made up and load none of it. */
  const packages = mkdtempSync(join(tmpdir(), 'spc-packages-'));
  const options = { env: { NODE_PATH: packages } };
  const rerun = (...args: string[]) => spc(['rerun', sweep.folder, '--where', '', ...args], options);
  const edit = (name: string, change: (line: string) => string): void =>
    writeFileSync(
      join(sweep.folder, name),
      sweep
        .lines(name)
        .map((line) => `${change(line)}\n`)
        .join(''),
    );
  beforeAll(async () => {
    const folder = join(packages, '@tensorflow/tfjs');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'package.json'), '{ "name": "@tensorflow/tfjs", "version": "4.22.0" }\n');
    const ran = await spc(sweep.run, options);
    expect(ran.code, ran.stderr).toBe(0);
    edit('trials.jsonl', (line) => (line.includes('"strategy":"tsf"') ? line.replace(/"fe":[^,]*/, '"fe":7') : line));
  });
  const made = (cpu: string, name: 'cpu' | 'node' = 'cpu'): void =>
    edit('provenance.jsonl', (line) => line.replace(new RegExp(`"${name}":"[^"]*"`), `"${name}":"${cpu}"`));

  it('a difference on the same processor is a difference; exit code 4', async () => {
    const left = await rerun();
    expect([left.code, left.stdout]).toEqual([
      4,
      expect.stringMatching(/^differs {4}.* tsf engine=tfjs-cpu seed 1\/0\n {2}first at result\.fe\n/m),
    ]);
    expect(left.stdout).toMatch(/^1 of 2 identical, 1 differ\n$/m);
  });

  it('a difference on another one is said to be that, with both names; what is the same is the same; exit code 0', async () => {
    made('Abacus 9000');
    const left = await rerun();
    expect(left.code).toBe(0);
    expect(left.stdout).toMatch(
      /^other-machine {2}\S+ {2}cartpole\/angle tsf engine=tfjs-cpu seed 1\/0\n {2}first at result\.fe\n {4}stored 7\n {4}again {2}\S+\n {2}made on Abacus 9000, this is .*: TensorFlow's bits are promised on one processor and one version of Node only\n/m,
    );
    expect(left.stdout).toMatch(/^identical {2}\S+ {2}cartpole\/angle none engine=tfjs-cpu seed 1\/0\n/m);
    expect(left.stdout).toMatch(/^1 of 2 identical, 0 differ, 1 on another machine\n$/m);
    const json = JSON.parse((await rerun('--json')).stdout) as { trials: { strategy: string }[] };
    expect(json).toMatchObject({ version: 1, identical: 1, differs: 0, otherMachine: 1 });
    expect(json.trials.find(({ strategy }) => strategy === 'tsf')).toMatchObject({
      outcome: 'other-machine',
      divergence: { where: 'result.fe' },
      elsewhere: expect.stringContaining('made on Abacus 9000'),
    });
  });

  it('the same difference made by other code is a difference; exit code 4', async () => {
    const numerics = readFileSync(join(sweep.folder, 'numerics.json'), 'utf8');
    writeFileSync(join(sweep.folder, 'numerics.json'), numerics.replace(/"all": "[^"]*"/, `"all": "${'0'.repeat(64)}"`));
    const left = await rerun();
    writeFileSync(join(sweep.folder, 'numerics.json'), numerics);
    expect([left.code, left.stderr]).toEqual([4, expect.stringContaining('its rows were computed by other code')]);
  });

  it('the machine of the base counts where the base parted; exit code 4 when that is this one', async () => {
    const before = sweep.lines('bases.jsonl').join();
    edit('bases.jsonl', (line) => line.replace(/"gradientSteps":100/, '"gradientSteps":99'));
    expect(sweep.lines('bases.jsonl').join()).not.toBe(before);
    expect((await rerun()).code).toBe(0);
    const [base] = sweep.lines('bases.jsonl').map((line) => JSON.parse(line) as { id: string });
    const { PROCESSOR } = (await import('../../dist/worker/processor.js' as string)) as { PROCESSOR: string };
    edit('provenance.jsonl', (line) => (line.includes(`"id":"${base!.id}"`) ? line.replace('Abacus 9000', PROCESSOR) : line));
    const left = await rerun();
    expect([left.code, left.stdout]).toEqual([4, expect.stringContaining('0 of 2 identical, 2 differ\n')]);
  });
});
