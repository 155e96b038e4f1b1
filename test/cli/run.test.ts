import { readFileSync, statSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { inProcess } from './inprocess.ts';
import { type Left, scratch, spc } from './spc.ts';

const rows = (lines: readonly string[]) => lines.map((line) => JSON.parse(line) as Record<string, unknown>);

describe('spc run FILE', () => {
  const sweep = scratch();
  let first: Left;
  let outcome: ReturnType<typeof sweep.outcome>;
  beforeAll(async () => {
    first = await inProcess([...sweep.run, '--threads', '2']);
    outcome = sweep.outcome();
  });

  it('ends with a row for every trial, its files, and the tables on stdout; exit code 0', () => {
    expect(first.code).toBe(0);
    expect(first.stderr).toMatch(
      /^(quick: \d\/9 trials, \d\/3 bases( in \d+ s)?, about \d+ s left, (at .*|\d running)\n)?quick: 9\/9 trials, 3\/3 bases in \d+ s\n$/,
    );
    expect(first.stdout).toContain('9 of 9 trials finished, 0 failed');
    expect([outcome.bases.length, outcome.trials.length, outcome.policies.length, outcome.forget.length]).toEqual([3, 9, 12, 9]);
    expect(sweep.lines('provenance.jsonl')).toHaveLength(12);
    expect(readFileSync(join(sweep.folder, 'sweep.yaml'), 'utf8')).toBe(readFileSync(sweep.file, 'utf8'));
  });

  it('run again does nothing, and prints the same table', async () => {
    const before = statSync(join(sweep.folder, 'trials.jsonl')).mtimeMs;
    const again = await inProcess(sweep.run);
    expect(again).toEqual({ ...first, stderr: 'quick: 9/9 trials, 3/3 bases\n' });
    expect(statSync(join(sweep.folder, 'trials.jsonl')).mtimeMs).toBe(before);
    expect(sweep.lines('provenance.jsonl')).toHaveLength(12);
  });

  it('gives every job the limits of the file; what met one is tried again by the next run', async () => {
    const other = scratch({ seeds: 1, strategies: 'none' });
    const limited = await inProcess([...other.run, 'limits.wall=0.03s'], { jobs: 'slow' });
    expect(limited.code).toBe(1);
    expect(rows(other.lines('bases.jsonl'))[0]).toMatchObject({ ok: false, failure: { kind: 'limit', message: 'wall: more than 0.03 s' } });
    const again = await inProcess(other.run, { jobs: 'slow' });
    expect([again.code, rows(other.lines('trials.jsonl'))[0]?.['ok']]).toEqual([0, true]);
  });

  it('gives the same bytes with one thread, in another working directory', async () => {
    const other = scratch();
    const left = await spc([...other.run, '--threads', '1', '--quiet'], { cwd: '/' });
    expect([left.code, left.stderr]).toEqual([0, '']);
    expect(other.outcome()).toEqual(outcome);
    expect(left.stdout).toBe(first.stdout);
  });

  it('refuses a changed file with the differences; exit code 2, nothing touched', async () => {
    const left = await inProcess([...sweep.run, 'ppo.gamma=0.9']);
    expect([left.code, left.stdout]).toEqual([2, '']);
    expect(left.stderr).toMatch(
      /expected the sweep that its rows belong to, got another; run with --extend.*\n {2}ppo\.gamma: 0\.99 -> 0\.9\n/,
    );
    expect(sweep.outcome()).toEqual(outcome);
  });

  it('refuses rows of other code, and moves them aside with --recompute', async () => {
    const file = join(sweep.folder, 'numerics.json');
    const now = readFileSync(file, 'utf8');
    writeFileSync(
      file,
      now
        .replace(/"all": "[^"]*"/, '"all": "other"')
        .replace(/"base": "[^"]*"/, '"base": "other"')
        .replace(/"ppo\/train\.js": "[^"]*"/, '"ppo/train.js": "other"'),
    );
    const refused = await inProcess(sweep.run);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(
      /expected the code that its rows were computed with, got another; run with --recompute.*\n {2}changed: ppo\/train\.js\n/,
    );
    const left = await inProcess([...sweep.run, '--recompute']);
    expect(left.code).toBe(0);
    expect(left.stderr).toContain('trials.jsonl, bases.jsonl, provenance.jsonl, numerics.json moved aside as *.1');
    expect(sweep.outcome()).toEqual(outcome);
    expect(sweep.lines('trials.jsonl.1').sort()).toEqual(outcome.trials);
    expect(readFileSync(file, 'utf8')).toBe(now);
  });

  it('repairs a torn last line and computes it again', async () => {
    const file = join(sweep.folder, 'trials.jsonl');
    truncateSync(file, statSync(file).size - 100);
    const left = await inProcess(sweep.run);
    expect(left.code).toBe(0);
    expect(left.stderr).toMatch(/trials\.jsonl: the last line was torn \(\d+ bytes without a newline\); cut off\n/);
    expect(sweep.outcome()).toEqual(outcome);
  });

  it.each<[string, (bytes: Buffer) => Buffer | null, string]>([
    ['truncated', (bytes) => bytes.subarray(0, 20), 'got [0-9a-f]{64} over 20 bytes; the file was truncated or altered'],
    ['one bit of it altered', (bytes) => Buffer.from(bytes.map((b, i) => (i === 9 ? b ^ 1 : b))), 'got [0-9a-f]{64} over \\d+ bytes'],
    ['not safetensors', () => Buffer.from('hello'), 'got [0-9a-f]{64} over 5 bytes'],
    ['empty', () => Buffer.alloc(0), 'got [0-9a-f]{64} over 0 bytes'],
    ['removed', () => null, ''],
  ])('trains a base anew whose policy is %s, saying which file and why; the bytes are the same', async (_what, damage, got) => {
    const before = sweep.outcome();
    const trials = join(sweep.folder, 'trials.jsonl');
    const [base] = rows(sweep.lines('bases.jsonl')) as unknown as { id: string; result: { policy: string } }[];
    const kept = sweep.lines('trials.jsonl').filter((line) => (JSON.parse(line) as { base: string }).base !== base!.id);
    writeFileSync(trials, `${kept.join('\n')}\n`);
    const file = join(sweep.folder, 'policies', `${base!.result.policy}.safetensors`);
    const bytes = damage(readFileSync(file));
    if (bytes) writeFileSync(file, bytes);
    else unlinkSync(file);
    const left = await inProcess(sweep.run);
    expect(left.code).toBe(0);
    const why = bytes ? `expected SHA-256 ${base!.result.policy}, ${got}` : 'could not be read \\(ENOENT\\)';
    expect(left.stderr).toMatch(
      new RegExp(`policies/${base!.result.policy}\\.safetensors: ${why}.*; if it is of a base, .spc run. trains it anew\n`),
    );
    expect(left.stderr).toContain('bases.jsonl: 1 row(s) whose policy is not there are trained anew\n');
    expect(left.stderr).not.toContain('bug');
    expect(sweep.outcome()).toEqual(before);
    expect((await inProcess(sweep.run)).stderr).toBe('quick: 9/9 trials, 3/3 bases\n'); // no word of it any more
  });
});

describe('spc run FILE, when jobs fail', () => {
  it('writes Failure rows and goes on; exit code 1; failures stand', async () => {
    const sweep = scratch();
    const left = await inProcess(sweep.run, { jobs: 'sick' });
    expect(left.code).toBe(1);
    expect(left.stderr).toContain('quick: 9/9 trials, 4 failed, 3/3 bases');
    const failed = rows(sweep.lines('trials.jsonl')).filter((row) => row['ok'] === false);
    const nan = { kind: 'diverged', message: 'logits: expected finite numbers, got NaN at step 3' };
    const base = failed.find((row) => (row['failure'] as { kind: string }).kind === 'refused')?.['base'];
    const refused = { kind: 'refused', message: `base ${base} diverged: loss: expected a finite number, got NaN at step 7` };
    expect(failed.map((row) => row['failure'])).toEqual(expect.arrayContaining([nan, refused, refused, refused]));
    const outcome = sweep.outcome();
    const again = await inProcess(sweep.run); // the jobs are healthy now
    expect(again.code).toBe(1);
    expect(sweep.outcome()).toEqual(outcome);
  });
});
