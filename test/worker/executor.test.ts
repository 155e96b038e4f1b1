import { describe, expect, it } from 'vitest';
import { brokenThread } from './compiled.ts';
import { baseJob, baseSpec } from './fake/specs.ts';
import { failure, make, marker, run, started, warnings } from './pools.ts';

describe('ExecutorPool.run(job)', () => {
  it('gives back the row, the files and, apart from them, times by phase', async () => {
    const pool = await started();
    const done = await run(pool, { spinMs: 30 });
    expect(done.row.ok).toBe(true);
    expect(done.files.map(([kind]) => kind)).toEqual(['policies', 'forget']);
    expect(done.facts.engine).toBe('wasm fake-1');
    expect(done.facts.phasesMs['correct']).toBeGreaterThanOrEqual(30);
    expect(done.facts.wallMs).toBeGreaterThanOrEqual(30);
    expect(Object.keys(done.row).sort()).toEqual(['base', 'id', 'ok', 'result', 'spec']);
  });

  it('makes a Failure row of what a job throws: its message in the row, its stack beside it', async () => {
    const pool = await started();
    const done = await Promise.all((['nan', 'refuse', 'bug'] as const).map((deed) => run(pool, { do: deed })));
    expect(done.map(failure)).toEqual([
      { kind: 'diverged', message: 'loss: expected a finite number, got NaN at step 7' },
      { kind: 'refused', message: 'forget set: expected 256 pairs, got 3' },
      { kind: 'bug', message: 'TypeError: x is not a function' },
    ]);
    expect(done[2]!.facts.stack).toMatch(/jobs\.mjs.*caused by Error: the reason/s);
    expect(done[2]!.facts.stack).toContain('(node_modules/piscina/');
    expect(done[2]!.facts.stack).not.toContain(process.cwd());
    expect(done[2]!.row).not.toHaveProperty('facts');
  });

  it('loses a thread with one job, and nothing else: once more, then `crashed`', async () => {
    const pool = await started();
    const pid = pool.pid;
    const [dead, once, beside] = await Promise.all([
      run(pool, { do: 'exit' }),
      run(pool, { do: 'exit', marker: marker() }),
      run(pool, { spinMs: 300 }),
    ]);
    expect(failure(dead)).toEqual({ kind: 'crashed', message: 'its thread or its process died with it, 2 times' });
    expect(once.row.ok).toBe(true);
    expect(beside.row.ok).toBe(true);
    expect(pool.pid).toBe(pid);
  });

  it('starts a new executor when one dies, and retries those that were on it one by one', async () => {
    const pool = await started();
    const pid = pool.pid;
    const [killer, innocent, late] = await Promise.all([
      run(pool, { do: 'kill', marker: marker(), spinMs: 50 }),
      run(pool, { spinMs: 200 }),
      run(pool, { spinMs: 10 }),
    ]);
    expect([killer, innocent, late].every((d) => d.row.ok)).toBe(true);
    expect(pool.pid).not.toBe(pid);
    expect(warnings).toEqual(['the executor process died (signal SIGKILL); 2 job(s) again, one by one']);
  });

  it('rejects when no executor starts, with what it said', async () => {
    const pool = make({ threadModule: brokenThread, startMs: 5_000 });
    const job = baseJob(baseSpec(1));
    await expect(Promise.all([pool.run(job, null), pool.run(job, null)])).rejects.toThrow(
      /does not start \(exit code 1, 3 times\).*this module does not load/s,
    );
  });

  it('rejects what runs and what waits when it is stopped', async () => {
    const pool = await started({ slots: 1 });
    const [running, waiting] = [run(pool, { do: 'hang' }), run(pool, {})];
    setTimeout(() => pool.stop(), 100);
    await expect(running).rejects.toThrow('the executor was stopped');
    await expect(waiting).rejects.toThrow('the executor was stopped');
    await expect(run(pool, {})).rejects.toThrow('the executor was stopped');
  });

  it('finishes what runs and gives back what waits when it is drained, and waits for no executor that has not started', async () => {
    const pool = await started({ slots: 1 });
    const [running, waiting] = [run(pool, { spinMs: 300 }), run(pool, {})];
    pool.drain();
    await expect(waiting).rejects.toThrow('the executor takes nothing more');
    await expect(run(pool, {})).rejects.toThrow('the executor was stopped');
    expect((await running).row.ok).toBe(true);
    const young = make();
    const early = young.run(baseJob(baseSpec(1)), null);
    young.drain();
    await expect(early).rejects.toThrow('the executor takes nothing more');
  });

  it('ends a job that nobody wants any more, running or waiting, and goes on with the others', async () => {
    const pool = await started({ slots: 1 });
    const [first, second] = [new AbortController(), new AbortController()];
    const running = run(pool, { do: 'hang' }, {}, { signal: first.signal });
    const waiting = run(pool, {}, {}, { signal: second.signal });
    const wanted = run(pool, {});
    second.abort();
    await expect(waiting).rejects.toThrow('nobody wants it any more');
    setTimeout(() => first.abort(), 100);
    await expect(running).rejects.toThrow('nobody wants it any more');
    expect((await wanted).row.ok).toBe(true);
    await expect(run(pool, {}, {}, { signal: AbortSignal.abort() })).rejects.toThrow('nobody wants it any more');
  });

  it('rejects a job that makes no progress, whatever its wall limit; one that makes some may take its time', async () => {
    const pool = await started({ slots: 2, stallMs: 2_500 });
    const [hangs, works] = [run(pool, { do: 'hang' }), run(pool, { spinMs: 4_000 })];
    await expect(hangs).rejects.toThrow(/no progress for 2.5 s; given back/);
    expect((await works).row.ok).toBe(true);
    expect(warnings).toEqual([expect.stringMatching(/^job \w+: no progress for 2.5 s; given back$/)]);
  });

  it('runs a job alone, in an executor of its own, where it may be what killed others', async () => {
    const pool = await started();
    const pid = pool.pid;
    const order: string[] = [];
    const note = (name: string) => () => void order.push(name);
    const [before, alone, after] = [run(pool, { spinMs: 300 }), run(pool, { spinMs: 100 }, {}, { alone: true }), run(pool, {})];
    await Promise.all([before.then(note('before')), alone.then(note('alone')), after.then(note('after'))]);
    expect(order).toEqual(['before', 'alone', 'after']);
    expect(pool.pid).not.toBe(pid);
  });

  it('gives no job more than this machine allows', async () => {
    const pool = await started({ most: { wallMs: 300, memoryMb: 96 } });
    const [greedy, modest, large] = await Promise.all([
      run(pool, { do: 'hang' }, { wallMs: 60_000 }),
      run(pool, { do: 'hang' }, { wallMs: 100 }),
      run(pool, { do: 'buffers' }, { memoryMb: 4096 }),
    ]);
    expect(failure(greedy)?.message).toBe('wall: more than 0.3 s, the most that its worker gives');
    expect(failure(modest)?.message).toBe('wall: more than 0.1 s');
    expect(failure(large)).toMatchObject({ kind: 'limit', message: expect.stringMatching(/^memory: more than 96 MB/) });
  });
});
