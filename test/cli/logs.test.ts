import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { inProcess } from './inprocess.ts';
import { scratch } from './spc.ts';

describe('spc logs TRIAL', () => {
  const sweep = scratch({ seeds: 1, strategies: 'none, tsf' });
  beforeAll(async () => {
    await inProcess(sweep.run, { jobs: 'sick' });
  });
  const logs = (...args: string[]) => inProcess(['logs', ...args]);
  const rows = () => sweep.lines('trials.jsonl').map((line) => JSON.parse(line) as { id: string; ok: boolean });

  it('says when and where a job ran, how long each phase took, and the stack of what failed', async () => {
    const [failed, fine] = [rows().find(({ ok }) => !ok), rows().find(({ ok }) => ok)];
    for (const root of [sweep.results, sweep.folder]) {
      const left = await logs(fine!.id.slice(0, 8), '--results', root);
      expect([left.code, left.stderr]).toEqual([0, '']);
      expect(left.stdout).toMatch(
        new RegExp(
          `^trial ${fine!.id} of .*quick\\n {2}cartpole/angle (none|tsf) seed 1/0\\n {2}policy ([0-9a-f]{12}); its base [a-z2-7]{16}, policy [0-9a-f]{12}\\n {2}spc export \\2 --results .*quick --to json\\n {2}\\d{4}-.*Z {2}ok, \\d+\\.\\d\\d s\\n {4}host [a-z2-7]{8}, .*Node v\\d+`,
        ),
      );
    }
    const left = await logs(failed!.id, '--results', sweep.folder);
    expect(left.stdout).toMatch(/Z {2}failed, .* s\n(.*\n)* {4}\S*Error: /);
  });

  it('--json has the records as they are', async () => {
    const { id } = rows()[0]!;
    const { jobs, running } = JSON.parse((await logs(id, '--results', sweep.folder, '--json')).stdout);
    expect(running).toEqual([]);
    expect(jobs).toMatchObject([{ sweep: sweep.folder, records: [{ id, kind: 'trial', attempt: 1 }], row: { base: {} } }]);
  });

  it('names a base as it names a trial, with the digest of its policy, whole with --json', async () => {
    const [base] = sweep.lines('bases.jsonl').map((line) => JSON.parse(line) as { id: string; result: { policy: string } });
    const left = await logs(base!.id, '--results', sweep.folder);
    expect(left.stdout).toContain(
      `base ${base!.id} of ${sweep.folder}\n  cartpole/angle seed 1\n  policy ${base!.result.policy.slice(0, 12)}\n`,
    );
    const { jobs } = JSON.parse((await logs(base!.id, '--results', sweep.folder, '--json')).stdout);
    expect(jobs[0].row).toEqual({ label: 'cartpole/angle seed 1', policy: base!.result.policy });
  });

  it('goes on where a line of the file is no record, and shows what a terminal would obey', async () => {
    const path = join(sweep.folder, 'provenance.jsonl');
    const text = readFileSync(path, 'utf8');
    const { id } = rows()[0]!;
    writeFileSync(
      path,
      `{"id":"${id}", torn\n{"id":"${id}","phasesMs":null}\n${text.replaceAll(/"host":"[^"]*"/g, '"host":"a\\u001b[2Jb"')}`,
    );
    const left = await logs(id, '--results', sweep.folder);
    writeFileSync(path, text);
    expect([left.code, left.stderr]).toEqual([0, '']);
    expect(left.stdout).toContain('host a\\x1b[2Jb, ');
    expect(left.stdout).not.toContain('\u001b');
  });

  it('says so when nothing is known, or what was asked is no id', async () => {
    const nothing = await logs('abcdefgh', '--results', sweep.results);
    expect([nothing.code, nothing.stderr]).toEqual([
      5,
      `abcdefgh: nothing is on record under ${sweep.results}, and nothing of that id is known to run\n`,
    ]);
    expect((await logs('../etc', '--results', sweep.results)).stderr).toBe(
      'trial: expected an id, or its beginning, got ../etc; spc plan --list has them\n',
    );
    expect((await logs('abc', '--results', '/nowhere')).code).toBe(5);
  });
});
