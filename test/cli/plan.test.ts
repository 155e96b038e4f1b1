import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import yargs from 'yargs';
import { cachedIn, planCommand, printPlan } from '../../src/cli/plan.ts';
import type { Row } from '../../src/contract/job.ts';
import type { BaseResult, Failure, TrialResult } from '../../src/contract/rows.ts';
import type { Estimate } from '../../src/coordinator/estimate.ts';
import { basesOf, expand } from '../../src/coordinator/expand.ts';
import { loadSweep, parseSweepText } from '../../src/coordinator/load.ts';
import { planOf } from '../../src/coordinator/plan.ts';

const folder = mkdtempSync(join(tmpdir(), 'plan-'));
afterAll(() => rmSync(folder, { recursive: true }));

const { sweep } = loadSweep('sweeps/quick.yaml');
const trials = expand(sweep);
const bases = basesOf(trials);

const base = (i: number, failure?: Failure): Row => {
  const { id, spec } = bases[i]!;
  return failure ? { id, spec, ok: false, failure } : { id, spec, ok: true, result: {} as BaseResult };
};
const trial = (i: number, failure?: Failure): Row => {
  const { id, baseId, spec } = trials[i]!;
  return failure ? { id, base: baseId, spec, ok: false, failure } : { id, base: baseId, spec, ok: true, result: {} as TrialResult };
};
function results(name: string, baseRows: readonly Row[], trialRows: readonly Row[], tail = ''): string {
  const at = join(folder, name, 'quick');
  mkdirSync(at, { recursive: true });
  const lines = (rows: readonly Row[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join('');
  writeFileSync(join(at, 'bases.jsonl'), lines(baseRows));
  writeFileSync(join(at, 'trials.jsonl'), lines(trialRows) + tail);
  return join(folder, name);
}

const stranger = { ...trial(0), id: 'somebodyelse' };
const diverged: Failure = { kind: 'diverged', message: 'NaN' };
const crashed: Failure = { kind: 'crashed', message: 'gone' };

describe('cachedIn', () => {
  it('cachedIn(no folder) is nothing', async () => {
    expect(await cachedIn(join(folder, 'none'), trials)).toEqual({ bases: new Set(), trials: new Set(), failed: new Set() });
  });

  it('cachedIn(…) counts the wanted rows, and not a torn last line', async () => {
    const at = results(
      'some',
      [base(0), base(1)],
      [trial(0), trial(5), trial(1, diverged), stranger],
      JSON.stringify(trial(7)).slice(0, -9),
    );
    const cached = await cachedIn(join(at, 'quick'), trials);
    expect([cached.bases.size, [...cached.trials], cached.failed.size]).toEqual([2, [trials[0]?.id, trials[5]?.id, trials[1]?.id], 1]);
  });

  it('cachedIn(…) does not count what the next run tries again: crashes, and trials that were refused for such a base', async () => {
    const refused: Failure = { kind: 'refused', message: 'base crashed' };
    const at = results('again', [base(0, crashed), base(1, diverged)], [trial(0, refused), trial(4, refused), trial(5, crashed)]);
    const cached = await cachedIn(join(at, 'quick'), trials);
    expect([cached.bases.size, [...cached.trials], cached.failed.size]).toEqual([1, [trials[4]?.id], 2]);
  });
});

describe('printPlan', () => {
  const q = (ms: number) => ({ low: 0.9 * ms, median: ms, high: 1.1 * ms });
  const kind = { environment: 'CartPole-v1', engine: 'wasm' };
  const nothing: Estimate = { threads: 2, classes: [], coreMs: null, wallMs: null, unknown: [], from: [], yardstickMs: null };
  const print = (text: string, estimate: Estimate = nothing): string => {
    const loaded = parseSweepText(text, 'x.yaml').sweep;
    const all = expand(loaded);
    const ids = new Set([all[0]!.id]);
    const cached = { bases: new Set<string>(), trials: ids, failed: ids };
    return printPlan({ plan: planOf(loaded, all), description: loaded.description, trials: all, of: all.length, cached, estimate });
  };
  const small = 'version: 1\nname: small\nseeds: 2\naxes: { scenario: [cartpole/angle], strategy: [none, tsf] }\n';
  const tail = (estimate: Estimate): string[] => print(small, estimate).split('\n').slice(-4);

  it('printPlan(…) says how long it may take, by how many records of which folders', () => {
    const classes = [
      { ...kind, kind: 'base', strategy: null, jobs: 2, records: 7, by: 'records', coreMs: q(3_600_000) },
      { ...kind, kind: 'trial', strategy: 'none', jobs: 1, records: 9, by: 'records', coreMs: q(0) },
    ] as const;
    const both = { ...nothing, coreMs: q(3_600_000), wallMs: q(1_800_000), from: ['results/a', 'results/b'] };
    expect(tail({ ...both, classes }).slice(1)).toEqual([
      'time: about 30 min 0 s (27 min 0 s to 33 min 0 s) on 2 threads',
      'core-hours: about 1 (0.9 to 1.1)',
      'judged by 16 jobs in results/a, results/b',
    ]);
    const rated = { ...kind, kind: 'trial', strategy: 'tsf', jobs: 2, records: 0, by: 'rates', coreMs: q(1000) } as const;
    expect(
      print(small, { ...both, classes: [...classes, rated], yardstickMs: 40 })
        .split('\n')
        .slice(-2),
    ).toEqual(['2 of 5 jobs by rates of operations and the speed of this machine, measured now:', 'no such job is recorded yet']);
  });

  it('printPlan(jobs of which nothing is known) says at least, and of how many it knows nothing, by engine, scenario and strategy', () => {
    const text = small.replace('[none, tsf]', '[none, tsf], engine: [reference, tfjs]');
    const classes = (['reference', 'tfjs'] as const).map((engine) => {
      const recorded =
        engine === 'reference'
          ? ({ records: 3, by: 'records', coreMs: q(3_600_000) } as const)
          : ({ records: 0, by: null, coreMs: null } as const);
      return { ...kind, engine, kind: 'base', strategy: null, jobs: 20, ...recorded } as const;
    });
    const of = (scenario: string, strategy: string | null, engine = 'tfjs') => ({ scenario, strategy, engine, jobs: 2 });
    const unknown = [
      of('cartpole/angle', null),
      of('cartpole/angle', 'tsf'),
      of('lunarlander/descent', 'tsf'),
      of('cartpole/angle', 'none', 'tfjs-cpu'),
    ];
    const lines = print(text, { ...nothing, classes, coreMs: q(3_600_000), wallMs: q(1_800_000), unknown, from: ['results/a'] }).split(
      '\n',
    );
    expect(lines[0]).toBe('small (engines reference, tfjs)');
    expect(lines.slice(-6)).toEqual([
      'time: at least 30 min 0 s (27 min 0 s to 33 min 0 s) on 2 threads',
      'core-hours: at least 1 (0.9 to 1.1)',
      'judged by 3 jobs in results/a',
      'not counted, as nothing is known of them: 8 of 40 jobs (20 %), by tfjs:',
      'cartpole/angle 2 bases, 2 tsf; lunarlander/descent 2 tsf; by tfjs-cpu:',
      'cartpole/angle 2 none',
    ]);
    expect(lines.find((line) => line.startsWith('cartpole/angle tsf'))).toMatch(/^cartpole\/angle tsf engine=reference +2 +0$/);
  });

  it('printPlan(nothing known of anything) says unknown, and of what', () => {
    const classes = [{ ...kind, kind: 'base', strategy: null, jobs: 2, records: 0, by: null, coreMs: null }] as const;
    const unknown = [{ scenario: 'cartpole/angle', strategy: null, engine: 'tfjs-cpu', jobs: 2 }];
    expect(
      print(small, { ...nothing, classes, unknown })
        .split('\n')
        .slice(-3),
    ).toEqual(['time: unknown', 'not counted, as nothing is known of them: 2 of 2 jobs (100 %), by tfjs-cpu:', 'cartpole/angle 2 bases']);
  });

  it('printPlan(…) says what runs, and what is there', () => {
    const text = print(
      'version: 1\nname: small\ndescription: Why?\nseeds: 2\ncorrectionSeeds: 3\naxes: { scenario: [cartpole/angle], strategy: [none, tsf] }\n',
    );
    expect(text).toBe(`small (engine wasm)
Why?

2 arms x 2 seeds x 3 correction seeds where a strategy draws = 8 trials on 2
bases

arm                                                             trials    cached
cartpole/angle none                                                  2         1
cartpole/angle tsf                                                   6         0
(bases)                                                              2         0

to run: 2 bases and 7 trials; 1 of the cached failed`);
  });

  it('printPlan(long names) fits 80 columns', () => {
    const text = print(
      `version: 1\nname: long\ndescription: ${'words and '.repeat(40)}\nseeds: 1\naxes: { scenario: [cartpole/angle], strategy: [tsf], correct.uniformRetain: [12], correct.marginEpsilon: [0.0123456], correct.regionSamples: [1234], evaluate.curveEpisodes: [17] }\n`,
    );
    expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(text).toContain('evaluate.curveEpisodes=17');
  });
});

describe('spc plan', () => {
  afterEach(() => {
    vi.restoreAllMocks();
    process.exitCode = undefined;
  });
  /** stdout of the command, through yargs as the user has it. */
  const spc = async (...args: string[]): Promise<string> => {
    let out = '';
    vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
      out += String(chunk);
      return true;
    });
    await yargs(['plan', ...args])
      .command(planCommand)
      .exitProcess(false)
      .fail(false)
      .strict()
      .parseAsync();
    return out;
  };

  it('spc plan FILE key=value… prints the plan of the overridden file, and writes nothing', async () => {
    const before = readdirSync(folder, { recursive: true });
    expect(await spc('sweeps/quick.yaml', 'seeds=2', 'strategy=none,tsf', '--results', folder)).toContain(
      '2 arms x 2 seeds = 4 trials on 2 bases',
    );
    expect(readdirSync(folder, { recursive: true })).toEqual(before);
    expect(process.exitCode).toBeUndefined();
  });

  it('spc plan --list is one line per trial, in order', async () => {
    const lines = (await spc('sweeps/quick.yaml', '--list', '--results', folder)).trimEnd().split('\n');
    expect(lines).toHaveLength(trials.length);
    expect(lines[5]).toBe(`${trials[5]?.id}  ${trials[5]?.baseId}  2/0       to run  cartpole/angle retrain`);
  });

  it('spc plan --json --list is the plan, what is there, and the trials', async () => {
    const at = results('json', [base(0)], [trial(0)]);
    const json = JSON.parse(await spc('sweeps/quick.yaml', '--json', '--list', '--results', at)) as Record<string, unknown>;
    expect(json).toMatchObject({ ...planOf(sweep, trials), cached: { bases: 1, trials: 1 }, toRun: { bases: 4, trials: 19 } });
    expect(json['list']).toHaveLength(20);
    expect((json['list'] as unknown[])[0]).toMatchObject({ id: trials[0]?.id, cached: true, seed: 1 });
  });

  it('spc plan --where chooses trials, in words, lists and JSON alike', async () => {
    const at = results('where', [base(0)], [trial(0), trial(1, diverged)]);
    const where = (filter: string, ...more: string[]) => spc('sweeps/quick.yaml', '--results', at, '--where', filter, ...more);
    expect(await where('seed=1..2,strategy!=retrain')).toContain('chosen: 6 trials on 2 bases, of 20 trials');
    expect((await where('state=failed', '--list')).split('\n')).toEqual([
      `${trials[1]?.id}  ${trials[1]?.baseId}  1/0       failed  ${trials[1]?.arm}`,
      '',
    ]);
    const json = JSON.parse(await where('state=missing,seed=1', '--json')) as Record<string, unknown>;
    expect(json).toMatchObject({
      version: 1,
      seeds: [1],
      trials: 2,
      bases: 1,
      cached: { bases: 1, trials: 0, failed: 0 },
      toRun: { bases: 0, trials: 2 },
    });
  });

  it('spc plan --where that chooses nothing says what there is; exit code 5, nothing on stdout', async () => {
    const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    expect(await spc('sweeps/quick.yaml', '--results', folder, '--where', 'state=ok')).toBe('');
    expect([process.exitCode, said.mock.calls.flat().join('')]).toEqual([
      5,
      'plan sweeps/quick.yaml: state=ok: no trial meets it; state is missing\n',
    ]);
    await expect(spc('sweeps/quick.yaml', '--where', 'sed=1')).rejects.toThrow('expected a field of a trial, got sed; did you mean seed?');
  });

  it('spc plan --json has the estimate, and its threads', async () => {
    const at = results('estimate', [base(0)], []);
    writeFileSync(
      join(at, 'quick', 'provenance.jsonl'),
      `${JSON.stringify({ id: bases[0]?.id, ok: true, attempt: 1, wallMs: 1000, phasesMs: { train: 900 } })}\n`,
    );
    const before = readdirSync(at, { recursive: true });
    const json = JSON.parse(await spc('sweeps/quick.yaml', '--results', at, '--threads', '2', '--json')) as { estimate: Estimate };
    expect(json.estimate).toMatchObject({ threads: 2, unknown: [], yardstickMs: expect.any(Number) as number });
    expect(json.estimate.classes[0]).toMatchObject({
      ...{ kind: 'base', strategy: null, jobs: 4, records: 1, by: 'records' },
      coreMs: { low: 4000, median: 4000, high: 4000 },
    });
    expect(json.estimate.classes.slice(1).map(({ by }) => by)).toEqual(['rates', 'rates', 'rates', 'rates']);
    expect(readdirSync(at, { recursive: true })).toEqual(before);
    expect(json.estimate.from).toEqual([join(at, 'quick')]);
  });

  it('spc plan --check exits with 6 while there is work left, and with 0 when there is none', async () => {
    await spc('sweeps/quick.yaml', '--check', '--results', folder);
    expect(process.exitCode).toBe(6);
    process.exitCode = undefined;
    const at = results(
      'full',
      bases.map((_, i) => base(i)),
      trials.map((_, i) => trial(i)),
    );
    expect(await spc('sweeps/quick.yaml', '--check', '--results', at)).toContain('to run: 0 bases and 0 trials');
    expect(process.exitCode).toBeUndefined();
  });

  it('spc plan FILE with a mistake rejects with the ConfigError of the file', async () => {
    await expect(spc('sweeps/quick.yaml', 'seeds=0')).rejects.toThrow('override "seeds=0" seeds: expected an integer');
  });
});
