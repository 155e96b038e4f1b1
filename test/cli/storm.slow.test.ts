import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Stream } from '../../src/math/rng/threefry.ts';
import { childrenOf, scratch, sleep, spc, start } from './spc.ts';

const jobs = { jobs: 'brisk' } as const;
const make = () => scratch({ seeds: 100, strategies: 'none, retrain, tsf', more: 'correctionSeeds: 5\n' });
const BOUND_MS = 600_000;

it('a thousand trials of a millisecond under random kills: every row, once, the bytes of a calm run', async () => {
  const calm = make();
  expect((await spc(calm.run, jobs)).code).toBe(0);
  const outcome = calm.outcome();
  expect(outcome.trials.length).toBeGreaterThanOrEqual(1000);

  const sweep = make();
  const chance = new Stream(20_26, 11);
  const between = (low: number, high: number): number => low + chance.uniform() * (high - low);
  const kill = (pid: number): void => {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // it has just ended by itself
    }
  };
  const killed = { whole: 0, executor: 0 };
  // In turns, not by chance: a fast machine is done after a few.
  const turns = function* (): Generator<keyof typeof killed, never> {
    for (;;) yield* ['executor', 'whole'] as const;
  };
  const turn = turns();
  const began = Date.now();
  for (let ended = false; !ended; ) {
    const run = start([...sweep.run, '--threads', '2', '--quiet'], jobs);
    const left = run.done.then(({ code, stderr }) => {
      ended = code === 0;
      // An executor that was killed twice under one job alone: that trial failed as crashed, and the next run takes it out.
      if (code !== null && code > 1) throw new Error(`exit code ${code}: ${stderr}`);
      expect(stderr).not.toContain('bug');
    });
    const leaving = left.then(() => 'gone' as const);
    // Starting takes half a second; then a run has some rows, or is killed before it has any.
    for (;;) {
      if ((await Promise.race([leaving, sleep(between(400, 2_200))])) === 'gone') break;
      const strike = turn.next().value;
      const targets = strike === 'whole' ? [run.pid] : childrenOf(run.pid);
      for (const pid of targets) kill(pid);
      killed[strike] += targets.length;
      if (strike === 'whole') break;
    }
    await leaving;
    if (Date.now() - began > BOUND_MS) throw new Error(`not done after ${BOUND_MS} ms: ${JSON.stringify(killed)}`);
  }
  expect(sweep.outcome()).toEqual(outcome);
  const ids = sweep.lines('trials.jsonl').map((line) => (JSON.parse(line) as { id: string }).id);
  expect([ids.length, new Set(ids).size]).toEqual([outcome.trials.length, outcome.trials.length]);
  expect(existsSync(join(sweep.folder, '.lock'))).toBe(false);
  const attempts = readFileSync(join(sweep.folder, 'provenance.jsonl'), 'utf8').split('\n').length - 1;
  process.stderr.write(
    `storm: ${outcome.trials.length} trials, ${killed.whole} kills of the whole, ${killed.executor} of an executor, ` +
      `${attempts} provenance records, ${Math.round((Date.now() - began) / 1000)} s\n`,
  );
  expect(killed.whole).toBeGreaterThanOrEqual(2);
  expect(killed.executor).toBeGreaterThanOrEqual(2);
});
