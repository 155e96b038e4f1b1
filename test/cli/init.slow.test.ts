import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { spc } from './spc.ts';

it('what spc init writes runs: trained, shielded, corrected, in a table', async () => {
  const cwd = mkdtempSync(join(tmpdir(), 'init-'));
  const real = { jobs: 'real', cwd } as const;
  expect((await spc(['init', 'cartpole/angle'], real)).code).toBe(0);
  const tiny = ['seeds=1', 'ppo.totalTimesteps=20480', 'acceptance=report'];
  const left = await spc(['run', 'cartpole-angle.yaml', ...tiny], real);
  expect(left.code, left.stderr).toBe(0);
  expect(left.stdout).toContain('3 of 3 trials finished, 0 failed');
  const list = await spc(['list', 'cartpole-angle'], real);
  expect(list.stdout).toMatch(/^cartpole-angle: 3 trials: 3 ok, 0 failed, 0 missing; 1 base\n/);
  const digest = /cartpole\/angle tsf\n {2}\S+ {2}1\/0 {3}ok {7}([0-9a-f]{12}) /.exec(list.stdout)?.[1] ?? '';
  const policy = await spc(['export', digest, '--results', 'cartpole-angle', '--to', 'json'], real);
  expect([policy.code, policy.stderr]).toEqual([0, '']);
  expect(JSON.parse(policy.stdout)).toMatchObject({ digest: expect.stringMatching(new RegExp(`^${digest}`)) });
});
