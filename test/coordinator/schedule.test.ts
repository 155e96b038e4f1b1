import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Delivery, Lease, Malformed } from '../../src/bus/bus.ts';
import { LocalBus } from '../../src/bus/local.ts';
import { ContentError } from '../../src/contract/errors.ts';
import { contentDigest } from '../../src/contract/ids.ts';
import { failureRow, type Job, type JobResult, type Row, unlimited } from '../../src/contract/job.ts';
import type { Failure, Provenance } from '../../src/contract/rows.ts';
import type { Plan } from '../../src/coordinator/plan.ts';
import { type Planned, Schedule, type ScheduleOptions } from '../../src/coordinator/schedule.ts';
import { readRows, Store } from '../../src/coordinator/store.ts';
import { Trust } from '../../src/coordinator/trust.ts';
import { plan } from '../worker/fake/specs.ts';

const provenance = {} as Provenance;
const bytes = new Uint8Array([1, 2, 3]);
const digest = contentDigest(bytes);

let store: Store;
let bus: LocalBus;
let log: string[];
let warnings: string[];
beforeEach(async () => {
  const numerics = { base: '', trial: '', all: '', engine: '', files: {} };
  const freeze = { extend: false, recompute: false, warn: () => {} };
  store = await Store.open(
    join(mkdtempSync(join(tmpdir(), 'spc-')), 'x'),
    { sweepYaml: '', plan: { digest: '' } as Plan, numerics },
    freeze,
  );
  bus = new LocalBus(store.files);
  log = [];
  warnings = [];
});
afterEach(() => store.close());

const trials = plan(3, [
  ['none', {}],
  ['tsf', {}],
]);
/** `base 2` and `trial 2 tsf`, for ids say nothing to a reader. */
const nameOf = (job: Pick<Job, 'kind' | 'spec'>): string =>
  'base' in job.spec ? `${job.spec.base.seed} ${job.spec.strategy}` : `base ${job.spec.seed}`;

const ok = async (job: Job): Promise<JobResult> => {
  await bus.files.put('policies', bytes);
  await bus.files.put('forget', bytes);
  const result = { policy: digest, ...(job.kind === 'trial' && { forgetSet: digest }) };
  const row = { id: job.id, spec: job.spec, ok: true, result, ...(job.kind === 'trial' && { base: job.base.id }) };
  return { kind: job.kind, row, provenance } as unknown as JobResult;
};
const failed = async (job: Job, kind: Failure['kind']): Promise<JobResult> =>
  ({ kind: job.kind, row: failureRow(job, { kind, message: 'no' }), provenance }) as JobResult;

/** An agent of one slot. */
async function work(answer: (job: Job) => Promise<JobResult> = ok, onLease: (lease: Lease) => void = () => {}): Promise<void> {
  while (!bus.closed) {
    const lease = await bus.next(50);
    if (!lease) continue;
    onLease(lease);
    log.push(nameOf(lease.job));
    await lease.complete(await answer(lease.job));
  }
}
const schedule = (options: Partial<ScheduleOptions> = {}): Schedule =>
  new Schedule({ trials, store, bus, window: 4, numerics: 'n', warn: (m) => warnings.push(m), ...options });
const rowsOf = async (kind: 'base' | 'trial'): Promise<string[]> => {
  const rows: string[] = [];
  for await (const { row } of readRows(store.folder, kind))
    rows.push(`${nameOf({ kind, spec: row.spec as never })} ${row.ok ? 'ok' : row.failure.message}`);
  return rows;
};

describe('Schedule.run()', () => {
  it('trains each base once, releases its trials with its row, and ends with a row for every trial', async () => {
    const s = schedule();
    await Promise.all([s.run(), work()]);
    expect(s.complete).toBe(true);
    expect(s.tally).toEqual({ trials: 6, bases: 3, done: { trial: 6, base: 3 }, failed: { trial: 0, base: 0 } });
    expect([...log].sort()).toEqual(['1 none', '1 tsf', '2 none', '2 tsf', '3 none', '3 tsf', 'base 1', 'base 2', 'base 3']);
    for (const seed of [1, 2, 3]) expect(log.indexOf(`base ${seed}`)).toBeLessThan(log.indexOf(`${seed} none`));
  });

  it('keeps the order: trials that can run go before bases of later seeds', async () => {
    await Promise.all([schedule({ window: 1 }).run(), work()]);
    expect(log).toEqual(['base 1', '1 none', '1 tsf', 'base 2', '2 none', '2 tsf', 'base 3', '3 none', '3 tsf']);
  });

  it('never has more on the bus than its window', async () => {
    let most = 0;
    const answer = async (job: Job): Promise<JobResult> => {
      most = Math.max(most, (await bus.queued()).size);
      return ok(job);
    };
    await Promise.all([schedule({ window: 2 }).run(), work(answer)]);
    expect(most).toBe(2);
  });

  it('runs only what is missing, and nothing when nothing is', async () => {
    await Promise.all([schedule({ trials: trials.slice(0, 3) }).run(), work()]);
    expect(log).toHaveLength(5);
    log = [];
    bus = new LocalBus(store.files);
    await Promise.all([schedule().run(), work()]);
    expect(log).toEqual(['2 tsf', 'base 3', '3 none', '3 tsf']);
    log = [];
    bus = new LocalBus(store.files);
    await schedule().run();
    expect(log).toEqual([]);
  });

  it('trains a base again whose row was lost, although its trials are there', async () => {
    await Promise.all([schedule().run(), work()]);
    const state = store.state.bind(store);
    let lost = true;
    store.state = (kind, id) => (id === trials[2]!.baseId && lost ? undefined : state(kind, id));
    store.append = async () => {
      lost = false;
    };
    log = [];
    bus = new LocalBus(store.files);
    const s = schedule();
    expect(s.complete).toBe(false);
    await Promise.all([s.run(), work()]);
    expect(log).toEqual(['base 2']);
  });

  it('writes the rows of a failed base without running anything', async () => {
    const s = schedule();
    await Promise.all([s.run(), work((job) => (nameOf(job) === 'base 2' ? failed(job, 'diverged') : ok(job)))]);
    expect(log).not.toContain('2 none');
    const id = trials[2]!.baseId;
    expect((await rowsOf('trial')).sort()).toEqual([
      '1 none ok',
      '1 tsf ok',
      `2 none base ${id} diverged: no`,
      `2 tsf base ${id} diverged: no`,
      '3 none ok',
      '3 tsf ok',
    ]);
    expect(s.tally.failed).toEqual({ trial: 2, base: 1 });
  });

  it('ends when every base failed', async () => {
    const s = schedule();
    await Promise.all([s.run(), work((job) => failed(job, 'bug'))]);
    expect(s.complete).toBe(true);
    expect(log).toEqual(['base 1', 'base 2', 'base 3']);
  });

  it('offers again what the bus lost', async () => {
    // As if the broker's disk had been wiped once: what was enqueued before is nowhere.
    const real = bus.enqueue.bind(bus);
    let wiped = 0;
    bus.enqueue = async (job) => (wiped++ < 2 ? true : real(job));
    const s = schedule({ auditMs: 30 });
    await Promise.all([s.run(), work()]);
    expect(s.complete).toBe(true);
    expect(warnings[0]).toMatch(/the bus lost \d+ job\(s\); they are offered again/);
    expect(await rowsOf('trial')).toHaveLength(6);
  });

  it('drops a second row of an id, and sounds the alarm when it is another', async () => {
    const s = schedule({ trials: trials.slice(0, 1) as Planned[] });
    const twice: JobResult[] = [];
    const answer = async (job: Job): Promise<JobResult> => {
      const result = await ok(job);
      twice.push(result);
      return result;
    };
    await Promise.all([s.run(), work(answer)]);
    bus = new LocalBus(store.files);
    const again = schedule({ trials: trials.slice(0, 2) as Planned[] });
    // A worker that was lost comes back with a base that has its row, and with one that differs.
    const [base] = twice;
    const results = [base!, { ...base!, row: { ...base!.row, result: { policy: 'x' } } } as unknown as JobResult];
    const real = bus.results.bind(bus);
    bus.results = async function* () {
      for (const result of results) yield deliveryOf(result, null);
      yield* real();
    };
    await Promise.all([again.run(), work()]);
    expect(warnings).toEqual([expect.stringContaining('determinism alarm: base')]);
    expect(await rowsOf('base')).toHaveLength(1);
    expect(await rowsOf('trial')).toHaveLength(2);
  });

  it('stop() gives nothing more away, and records what is finished', async () => {
    const s = schedule({ window: 2 });
    let served = 0;
    const answer = async (job: Job): Promise<JobResult> => {
      if (++served === 2) s.stop();
      return ok(job);
    };
    const closing = setTimeout(() => void bus.close(), 300);
    await Promise.all([s.run(), work(answer)]);
    clearTimeout(closing);
    expect(s.complete).toBe(false);
    expect((await rowsOf('base')).length + (await rowsOf('trial')).length).toBe(log.length);
    expect(log.length).toBeLessThan(5);
  });

  it('counts no row whose files are not there', async () => {
    const answer = async (job: Job): Promise<JobResult> => {
      const result = await ok(job);
      const row = { ...result.row, result: { policy: contentDigest(new Uint8Array([9])) } };
      return { ...result, row } as unknown as JobResult;
    };
    const agent = work(answer);
    await expect(schedule().run()).rejects.toThrow(/policies.*could not be read \(ENOENT\)/);
    await agent;
    expect(await rowsOf('base')).toEqual([]);
  });

  it('pause(running) takes back what nobody has begun, and resume() gives it out again', async () => {
    const s = schedule({ window: 4 });
    const done = s.run();
    const first = await bus.next(1_000);
    await s.pause(new Set([first!.job.id]));
    expect([...(await bus.queued())]).toEqual([first!.job.id]);
    expect(s.queued).toBe(1);
    await first!.complete(await ok(first!.job));
    expect(await bus.next(50)).toBeNull();
    await s.resume();
    await Promise.all([done, work()]);
    expect(s.complete).toBe(true);
    expect(log).toHaveLength(8);
  });

  it('resize(window) takes back the last when there is much too much, and tops up when there is room', async () => {
    const s = schedule({ window: 3 });
    const done = s.run();
    while ((await bus.queued()).size < 3) await new Promise((resolve) => setTimeout(resolve, 1));
    await s.resize(1);
    expect((await bus.queued()).size).toBe(1);
    await s.resize(2);
    expect((await bus.queued()).size).toBe(2);
    await Promise.all([done, work()]);
    expect(s.complete).toBe(true);
  });

  const deliveryOf = (result: JobResult, from: string | null): Delivery => ({
    ...{ result, from, ack: () => Promise.resolve() },
    file: (kind, digest) => bus.files.get(kind, digest),
  });
  /** Results that arrive before any other, by whom they are from. */
  const arriving = (...results: (readonly [string, JobResult])[]): void => {
    const real = bus.results.bind(bus);
    bus.results = async function* () {
      for (const [from, result] of results) yield deliveryOf(result, from);
      yield* real();
    };
  };
  const jobOf = (i: number): Job => ({ kind: 'base', id: trials[i]!.baseId, spec: trials[i]!.spec.base, limits: unlimited });

  it('refuses a row that nobody asked for, and one whose file is another; their worker is held', async () => {
    const held: [string, string][] = [];
    const invented = await ok({ ...jobOf(0), id: 'invented' });
    const forged = await ok(jobOf(0));
    store.files.has = async () => false;
    const get = bus.files.get.bind(bus.files);
    let lies = 1;
    bus.files.get = (kind, name) => (lies-- > 0 ? Promise.reject(new ContentError('policies-x: another', true)) : get(kind, name));
    arriving(['liar', invented], ['forger', forged]);
    const s = schedule({ auditMs: 30, hold: (...args) => held.push(args) });
    await Promise.all([s.run(), work()]);
    expect(held).toEqual([
      ['liar', 'base invented: row refused, nobody asked for it'],
      ['forger', `base ${jobOf(0).id}: row refused, policies-x: another`],
    ]);
    expect(s.complete).toBe(true);
    expect(await rowsOf('base')).toHaveLength(3);
  });

  it('drops a row that an earlier plan of its folder asked for; nobody is held for it', async () => {
    const held: string[] = [];
    arriving(['late', await ok({ ...jobOf(0), id: 'withdrawn' })]);
    store.formerly = (kind, id) => kind === 'base' && id === 'withdrawn';
    const s = schedule({ hold: (worker) => held.push(worker) });
    await Promise.all([s.run(), work()]);
    expect(held).toEqual([]);
    expect(warnings).toEqual(['base withdrawn: an earlier plan of this sweep asked for it; its row is dropped']);
    expect(await rowsOf('base')).toHaveLength(3);
  });

  it('judges the files of a row before it counts, also those that are there already; their job is done again', async () => {
    const held: string[] = [];
    const judged: string[] = [];
    let lies = 2;
    const judgeFile = (row: Row, kind: string): void => {
      judged.push(`${kind} ${row.id}`);
      if (row.id === jobOf(2).id && lies-- > 0) throw new RangeError('policy: expected 4 inputs, got 2');
    };
    arriving(['liar', await ok(jobOf(2))]);
    const s = schedule({ auditMs: 30, judgeFile, hold: (worker) => held.push(worker) });
    await Promise.all([s.run(), work()]);
    expect(held).toEqual(['liar']);
    expect(warnings[0]).toBe(`base ${jobOf(2).id}: row refused, policies-${digest}: policy: expected 4 inputs, got 2 (from liar)`);
    expect(judged.filter((one) => one === `policies ${jobOf(2).id}`)).toHaveLength(3);
    expect(judged.some((one) => one.startsWith('forget '))).toBe(true);
    expect(s.complete).toBe(true);
  });

  it('holds who sends what is no row one time after the other; what it sends then is not even said', async () => {
    const held: string[] = [];
    const real = bus.results.bind(bus);
    const results = async function* (): AsyncGenerator<Delivery | Malformed> {
      for (let i = 1; i <= 5; i++) yield { from: 'garbler', malformed: `message ${i}: no result` };
      yield* real();
    };
    Object.assign(bus, { results });
    const s = schedule({ hold: (worker) => held.push(worker) });
    await Promise.all([s.run(), work()]);
    expect([held, warnings]).toEqual([['garbler'], [1, 2, 3].map((i) => `message ${i}: no result`)]);
    expect(s.complete).toBe(true);
  });

  it('holds a worker whose jobs crash one after the other, not one that is unlucky now and then', async () => {
    const held: string[] = [];
    const crash = (i: number, worker: string) => failed(jobOf(i), 'crashed').then((result) => [worker, result] as const);
    const s = schedule({ hold: (worker) => held.push(worker) });
    arriving(await crash(0, 'broken'), await crash(2, 'broken'), await crash(4, 'broken'));
    await Promise.all([s.run(), work()]);
    expect(held).toEqual(['broken']);
  });

  it('goes by who sent a row, whatever it says of its maker, and the files say who sent it', async () => {
    const held: string[] = [];
    const naming = (worker: string | undefined, { provenance, ...result }: JobResult): JobResult =>
      ({ ...result, provenance: { ...provenance, ...(worker && { worker }) } }) as JobResult;
    const invented = async (id: string, worker?: string) => naming(worker, await ok({ ...jobOf(0), id }));
    const rows: JobResult[] = [];
    const s = schedule({ hold: (identity) => held.push(identity), onRow: (result) => rows.push(result) });
    arriving(
      ['framer', await invented('one', 'innocent')],
      ['nameless', await invented('two')],
      ['honest', naming('honest.7f3a', await ok(jobOf(0)))],
      ['modest', naming('innocent', await ok(jobOf(2)))],
    );
    await Promise.all([s.run(), work()]);
    expect(held).toEqual(['framer', 'nameless']);
    expect(rows.slice(0, 2).map(({ provenance }) => provenance.worker)).toEqual(['honest.7f3a', 'modest']);
  });

  it('takes no row of who is held, has its jobs done by others, and takes them again after a release', async () => {
    const s = schedule({ auditMs: 30 });
    const seen: ReadonlySet<string>[] = [];
    bus.distrust = (held) => void seen.push(held);
    s.distrust(new Set(['liar']));
    const real = bus.results.bind(bus);
    const lie = await failed(jobOf(0), 'bug');
    bus.results = async function* () {
      for (const _ of [1, 2]) yield deliveryOf(lie, 'liar');
      expect(warnings).toEqual([expect.stringMatching(/^liar is held: its rows are refused until it is released, base \w+ is the first$/)]);
      s.distrust(new Set());
      yield deliveryOf(await ok(jobOf(2)), 'liar');
      yield* real();
    };
    await Promise.all([s.run(), work()]);
    expect(seen.slice(0, 2)).toEqual([new Set(['liar']), new Set()]);
    expect([s.complete, s.tally.failed]).toEqual([true, { trial: 0, base: 0 }]);
  });
});

describe('Trust', () => {
  it('forgets a streak with a good row, and holds after a new one', async () => {
    const held: string[] = [];
    const trust = new Trust((worker) => held.push(worker));
    const row = (ok: boolean): Row => ({ id: 'x', ok, ...(!ok && { failure: { kind: 'crashed' } }) }) as Row;
    for (const ok of [false, false, true, false, false]) trust.took(row(ok), 'w');
    expect(held).toEqual([]);
    trust.refused('w', 'no file', false);
    expect(held).toEqual(['w']);
  });
});
