import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ENVIRONMENTS } from '../../src/contract/environments.ts';
import { canonicalJson } from '../../src/contract/ids.ts';
import { SCENARIOS } from '../../src/contract/scenarios.ts';
import { TUNED } from '../../src/contract/tuned.ts';
import { resolveArms } from '../../src/coordinator/arms.ts';
import { loadSweep, parseSweepText } from '../../src/coordinator/load.ts';
import { inProcess } from './inprocess.ts';
import { spc } from './spc.ts';

const folder = mkdtempSync(join(tmpdir(), 'init-'));
const scenarios = Object.keys(SCENARIOS);
const init = (...args: string[]) => inProcess(['init', ...args]);

describe('spc init SCENARIO', () => {
  it.each(scenarios)('writes a sweep of %s that spc plan takes, with a reason behind every key', async (scenario) => {
    const file = join(folder, `${scenario.replaceAll('/', '-')}.yaml`);
    const left = await init(scenario, '--out', file);
    expect([left.code, left.stderr]).toEqual([0, '']);
    const plan = await inProcess(['plan', file, '--results', folder]);
    expect([plan.code, plan.stderr]).toEqual([0, '']);
    expect(plan.stdout).toContain('3 arms x 3 seeds = 9 trials on 3 bases\n');
    const lines = (await init(scenario, '--out', '-')).stdout.split('\n');
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(120);
    const bare = lines.filter((line, i) => /^ *(- )?\w+(:|$)/.test(line) && !line.includes('#') && !lines[i - 1]?.includes('#'));
    expect(bare.filter((line) => !/^( {2}strategy:|description: )/.test(line))).toEqual([]);
    expect(lines.join('\n')).toContain('docs/sweep-file.md');
  });

  it('trains as sweeps/worlds.yaml does, where every base reached its gate', () => {
    const { arms } = resolveArms(loadSweep('sweeps/worlds.yaml').sweep);
    expect(Object.keys(TUNED).sort()).toEqual(scenarios.toSorted());
    for (const scenario of scenarios) {
      const { sweep } = loadSweep(join(folder, `${scenario.replaceAll('/', '-')}.yaml`));
      const wanted = arms.find((arm) => arm.scenario === scenario);
      expect(canonicalJson(resolveArms(sweep).arms[0]?.ppo), scenario).toBe(canonicalJson(wanted?.ppo));
    }
  });

  it('what it offers in comments is right, too', async () => {
    for (const scenario of scenarios) {
      const text = (await init(scenario, '--out', '-')).stdout;
      const open = text.replace(/^# (correct:|evaluate:|limits:| {2}(?:steps|overrun):)/gm, '$1');
      expect(open).not.toBe(text);
      const named = [...(text.match(/# (?:also|and): .*/g)?.join(' ') ?? '').matchAll(/(?<=[:,] )[a-z+]+(?::paper)?(?=[ ,)]|$)/g)].map(
        ([name]) => name,
      );
      expect(named.length).toBeGreaterThan(3);
      for (const strategy of named.filter((name) => /^(retrain|finetune|zsi|mrp|tsf)/.test(name)))
        expect(() => resolveArms(parseSweepText(open, scenario, [`strategy=tsf,${strategy}`]).sweep)).not.toThrow();
      const { problems } = resolveArms(parseSweepText(open, scenario).sweep);
      expect(problems).toEqual([]);
    }
  });

  it('is named after the scenario, here, unless it is told otherwise', async () => {
    const left = await spc(['init', 'cartpole/angle'], { jobs: 'real', cwd: folder });
    expect([left.code, left.stdout]).toEqual([2, '']); // written above
    const there = mkdtempSync(join(tmpdir(), 'init-'));
    const first = await spc(['init', 'cartpole/angle'], { jobs: 'real', cwd: there });
    expect([first.code, first.stderr]).toEqual([0, '']);
    expect(first.stdout).toContain('spc run cartpole-angle.yaml');
    expect(existsSync(join(there, 'cartpole-angle.yaml'))).toBe(true);
  });

  it('never writes over a file, a folder, or into a folder that is not there; exit code 2', async () => {
    const mine = join(folder, 'mine.yaml');
    writeFileSync(mine, 'mine');
    for (const out of [mine, folder, join(folder, 'nowhere', 'x.yaml'), join(mine, 'x.yaml')]) {
      const left = await init('cartpole/angle', '--out', out);
      expect([left.code, left.stdout, left.stderr]).toEqual([2, '', expect.stringMatching(/^--out: expected a (new )?file/)]);
    }
    expect(readFileSync(mine, 'utf8')).toBe('mine');
    expect(existsSync(join(folder, 'nowhere'))).toBe(false);
  });

  it('a name that a terminal or YAML would take for more than a name stays a name', async () => {
    const file = join(folder, 'a\nseeds: 99 \u001b[2J.yaml');
    const left = await init('cartpole/angle', '--out', file);
    expect(left.code).toBe(0);
    expect(left.stdout).not.toContain('\u001b');
    expect(loadSweep(file).sweep.seeds).toHaveLength(3);
  });

  it('says which scenarios there are, a line each; exit code 2', async () => {
    const none = await init();
    expect([none.code, none.stdout]).toEqual([2, '']);
    for (const scenario of scenarios) expect(none.stderr).toMatch(new RegExp(`^ {2}${scenario} +\\w+`, 'm'));
    expect(Math.max(...none.stderr.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
    expect((await init('cartpole/angel')).stderr).toContain('did you mean cartpole/angle?');
    for (const environment of Object.keys(ENVIRONMENTS)) expect((await init(environment)).stderr).toContain('that environment has ');
    expect((await init('constructor')).code).toBe(2);
  });
});
