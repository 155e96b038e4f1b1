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
        new RegExp(`^trial ${fine!.id} of .*quick\\n {2}\\d{4}-.*Z {2}ok, \\d+\\.\\d\\d s\\n {4}host [a-z2-7]{8}, .*Node v\\d+`),
      );
    }
    const left = await logs(failed!.id, '--results', sweep.folder);
    expect(left.stdout).toMatch(/Z {2}failed, .* s\n(.*\n)* {4}\S*Error: /);
  });

  it('--json has the records as they are', async () => {
    const { id } = rows()[0]!;
    const { jobs, running } = JSON.parse((await logs(id, '--results', sweep.folder, '--json')).stdout);
    expect(running).toEqual([]);
    expect(jobs).toMatchObject([{ sweep: sweep.folder, records: [{ id, kind: 'trial', attempt: 1 }] }]);
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
