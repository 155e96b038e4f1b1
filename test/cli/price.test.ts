import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { spc } from './spc.ts';

const folder = mkdtempSync(join(tmpdir(), 'price-'));
afterAll(() => rmSync(folder, { recursive: true }));
const ask = (...args: string[]) => spc(['price', ...args, '--results', folder], { jobs: 'real' });

it('spc price SCENARIO: two dimensions by dynamic programming, computed once; a damaged file is computed anew', async () => {
  const first = await ask('mountaincar/pump-left');
  expect(first.code).toBe(0);
  expect(first.stdout).toContain('mountaincar/pump-left: what obeying costs, by dynamic programming');
  expect(first.stdout).toMatch(/^free +-9\d\.\d\d ± \d\.\d\d +9\d\.\d steps$/m);
  expect(first.stdout).toMatch(/^price +-?0\.\d\d ± /m);
  expect(first.stdout.split('\n').every((line) => line.length <= 80)).toBe(true);
  expect(first.stderr).toBe('dynamic programming on 201 x 201 points\n');
  const again = await ask('mountaincar/pump-left');
  expect([again.stdout, again.stderr]).toEqual([first.stdout, '']);
  const [file] = readdirSync(join(folder, 'price'));
  const path = join(folder, 'price', file!);
  writeFileSync(path, readFileSync(path, 'utf8').replace('"mean":-9', '"mean":-8'));
  const mended = await ask('mountaincar/pump-left', '--json');
  expect(mended.stderr).toBe('dynamic programming on 201 x 201 points\n');
  expect(JSON.parse(mended.stdout)).toMatchObject({ version: 1, scenario: 'mountaincar/pump-left', method: 'dynamic programming', n: 200 });
});

it('spc price SCENARIO: other worlds by training with and without the mask, the second time without computing', async () => {
  const sweep = join(folder, 'small.yaml');
  const text = `version: 1
name: small
seeds: 2
axes: { scenario: [cartpole/angle, mine/edge], strategy: [none, tsf], correct.steps: [10, 20] }
correctionSeeds: 2
include: [{ scenario: cartpole/angle, strategy: shield }]
ppo: { totalTimesteps: 4096, numEnvs: 8, numSteps: 64, numMinibatches: 2, updateEpochs: 2 }
scenarios:
  mine/edge: { environment: CartPole-v1, rules: [{ where: { x: [0.5, .inf] }, forbid: [right] }] }
when:
  - { if: { scenario: cartpole/angle }, set: { ppo.gamma: 0.9 } }
`;
  writeFileSync(sweep, text);
  const first = await ask('mine/edge', '--sweep', sweep, '--json', '--quiet');
  expect(first.code).toBe(0);
  const found = JSON.parse(first.stdout) as Record<'free' | 'obeying' | 'shield' | 'retrain' | 'price', { mean: number }>;
  expect(found).toMatchObject({
    method: 'masked oracle',
    n: 2,
    notes: ['2 of 2 bases are below their gate: train longer before you trust this'],
  });
  expect(found.obeying.mean).toBeGreaterThanOrEqual(Math.max(found.shield.mean, found.retrain.mean));
  expect(found.price.mean).toBeCloseTo(found.free.mean - found.obeying.mean, 9);
  const again = await ask('mine/edge', '--sweep', sweep, '--json', '--quiet');
  expect(again.stdout).toBe(first.stdout);
  writeFileSync(
    sweep,
    text.replace('strategy: [none, tsf]', 'strategy: [none], ppo.gamma: [0.9, 0.99]').replace(', correct.steps: [10, 20]', ''),
  );
  const two = await ask('mine/edge', '--sweep', sweep);
  expect([two.code, two.stderr.trim()]).toEqual([
    2,
    'price: expected one way to train for mine/edge in the sweep, got 2; choose one by overrides such as ppo.gamma=0.99 or engine=wasm',
  ]);
});

it.each([
  [['mountaincar/pump'], 'price: expected a scenario, got mountaincar/pump; did you mean mountaincar/pump-left?'],
  [['MountainCar-v0'], 'price: expected a scenario with rules, got MountainCar-v0; a bare environment forbids nothing'],
  [
    ['mountaincar/pump-left', 'seeds=3'],
    'price: expected no overrides, got seeds=3; mountaincar/pump-left is priced by dynamic programming, without training',
  ],
])('spc price %j is refused', async (args, message) => {
  const left = await ask(...args);
  expect([left.code, left.stdout, left.stderr.trim()]).toEqual([2, '', message]);
});
