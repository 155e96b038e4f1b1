import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import type { AgentBus, CoordinatorBus, Delivery, Files } from '../../src/bus/bus.ts';
import { LocalBus } from '../../src/bus/local.ts';
import { identityOf } from '../../src/contract/cards.ts';
import { LEDGER } from '../../src/contract/checks.ts';
import { canonicalJson, contentDigest, type Json } from '../../src/contract/ids.ts';
import type { FileKind, Job, JobResult, Row } from '../../src/contract/job.ts';
import { Checks, type ChecksOptions, type Present } from '../../src/coordinator/checks.ts';
import { Ledger } from '../../src/coordinator/ledger.ts';
import type { Plan } from '../../src/coordinator/plan.ts';
import { type Planned, Schedule } from '../../src/coordinator/schedule.ts';
import { type Kind, readRows, Store } from '../../src/coordinator/store.ts';
import { Agent } from '../../src/worker/agent/agent.ts';
import type { ExecutorPool } from '../../src/worker/executor/pool.ts';
import type { Finished } from '../../src/worker/executor/protocol.ts';
import { PROCESSOR } from '../../src/worker/processor.ts';
import { plan } from '../worker/fake/specs.ts';

const trials = plan(4, [
  ['none', {}],
  ['tsf', {}],
  ['zsi', {}],
]);

const bytesOf = (...parts: readonly string[]): Uint8Array => new TextEncoder().encode(parts.join(' '));

/** A row and its files, of the job and of the policy it starts from alone; `lie` is what a forger makes of it. */
function computed(job: Job, policy: Uint8Array | null, lie: string | null): Finished {
  const of = [job.id, policy === null ? '' : contentDigest(policy), ...(lie === null ? [] : [lie])];
  const files: [FileKind, Uint8Array][] = [['policies', bytesOf('policy', ...of)]];
  if (job.kind === 'trial') files.push(['forget', bytesOf('forget', ...of)]);
  const [[, trained], forget] = files as [[FileKind, Uint8Array], [FileKind, Uint8Array]?];
  const result = { policy: contentDigest(trained), ...(forget && { forgetSet: contentDigest(forget[1]) }) };
  const row = { id: job.id, spec: job.spec, ok: true, result, ...(job.kind === 'trial' && { base: job.base.id }) } as unknown as Row;
  return { row, files, facts: { node: process.version, engine: 'e', startedAt: '', wallMs: 1, phasesMs: {} } } as Finished;
}

/** What one honest process makes of the plan. */
function expectedRows(of: readonly Planned[]): Record<Kind, string[]> {
  const rows = { base: new Set<string>(), trial: new Set<string>() };
  const text = (row: Row): string => canonicalJson(row as unknown as Json);
  for (const { id, baseId, spec } of of) {
    const base = computed({ kind: 'base', id: baseId, spec: spec.base } as Job, null, null);
    rows.base.add(text(base.row));
    rows.trial.add(text(computed({ kind: 'trial', id, spec, base: base.row } as unknown as Job, base.files[0]?.[1] ?? null, null).row));
  }
  return { base: [...rows.base].sort(), trial: [...rows.trial].sort() };
}

/** The bus of one process, with the names of those who send, as the broker knows them by their keys, and one for each of them alone. */
class Named {
  readonly #files: Files;
  readonly #all: LocalBus;
  readonly #own = new Map<string, LocalBus>();
  readonly coordinator: CoordinatorBus;

  constructor(store: Store, names: readonly string[]) {
    this.#files = store.files;
    this.#all = new LocalBus(store.files);
    for (const name of names) this.#own.set(name, new LocalBus(store.files));
    const buses = [this.#all, ...this.#own.values()];
    this.coordinator = {
      files: this.#files,
      enqueue: async (job, who) => (who === undefined ? this.#all : this.#own.get(who))?.enqueue(job) ?? false,
      queued: async () => new Set((await Promise.all(buses.map((bus) => bus.queued()))).flatMap((ids) => [...ids])),
      withdraw: async (ids) => void (await Promise.all(buses.map((bus) => bus.withdraw(ids)))),
      distrust: () => {},
      close: async () => void (await Promise.all(buses.map((bus) => bus.close()))),
      results: () => merged(buses),
    };
  }

  agent(name: string): AgentBus {
    const [all, own] = [this.#all, this.#own.get(name)];
    return {
      files: this.#files,
      leaseMs: all.leaseMs,
      get closed() {
        return all.closed;
      },
      next: (ms) => all.next(ms),
      nextCheck: async (ms) => own?.next(ms) ?? null,
    };
  }
}

async function* merged(buses: readonly LocalBus[]): AsyncGenerator<Delivery> {
  const sources = buses.map((bus) => bus.results());
  const next = (source: AsyncGenerator<Delivery>) => source.next().then((result) => ({ source, result }));
  const waiting = new Map(sources.map((source) => [source, next(source)]));
  while (waiting.size > 0) {
    const { source, result } = await Promise.race(waiting.values());
    if (result.done) waiting.delete(source);
    else {
      yield { ...result.value, from: identityOf(result.value.result.provenance.worker ?? '') };
      waiting.set(source, next(source));
    }
  }
}

type Lie = (job: Job) => string | null;
const honest: Lie = () => null;
const always: Lie = () => 'forged';

interface World {
  readonly folder: string;
  readonly held: string[];
  readonly warnings: string[];
  readonly done: Map<string, number>;
  readonly rows: Record<Kind, string[]>;
  readonly checks: Checks;
  readonly complete: boolean;
}

const newFolder = (): string => join(mkdtempSync(join(tmpdir(), 'spc-checks-')), 'x');

async function openStore(folder: string, warn: (message: string) => void): Promise<Store> {
  const numerics = { base: '', trial: '', all: '', engine: '', files: {} };
  return Store.open(folder, { sweepYaml: '', plan: { digest: '' } as Plan, numerics }, { extend: false, recompute: false, warn });
}

interface Crew {
  readonly [name: string]: Lie;
}

/** Runs the plan with these workers, each under a key of its own. */
async function run(
  crew: Crew,
  {
    share = 1,
    random,
    present,
    folder = newFolder(),
    of = trials,
  }: Partial<ChecksOptions> & {
    readonly present?: readonly Present[];
    readonly folder?: string;
    readonly of?: readonly Planned[];
  } = {},
): Promise<World> {
  const [held, warnings, done] = [[] as string[], [] as string[], new Map<string, number>()];
  const warn = (message: string): void => void warnings.push(message);
  const store = await openStore(folder, warn);
  const ledger = new Ledger(store);
  const checks = await Checks.open({ store, ledger, share, warn, ...(random && { random }) });
  const named = new Named(store, Object.keys(crew));
  const hold = (who: string): void => void held.push(who);
  const schedule = new Schedule({ trials: of, store, bus: named.coordinator, window: 6, numerics: 'n', warn, checks, hold, auditMs: 20 });
  const agents = Object.entries(crew).map(([name, lie]) => {
    const pool = {
      slots: 1,
      run: async (job: Job, policy: Uint8Array | null): Promise<Finished> => {
        done.set(job.id, (done.get(job.id) ?? 0) + 1);
        await new Promise((resolve) => setTimeout(resolve, 1));
        return computed(job, policy, lie(job));
      },
      stop: () => {},
    } as unknown as ExecutorPool;
    return new Agent({ bus: named.agent(name), pool, numerics: 'n', name: `${name}.1`, warn });
  });
  const all = Object.keys(crew).map((identity) => ({ identity, cpu: PROCESSOR, node: process.version }));
  const works = [schedule.run(), ...agents.map((agent) => agent.run())];
  await schedule.present(present ?? all);
  const look = setInterval(() => void schedule.present((present ?? all).filter(({ identity }) => !held.includes(identity))), 20);
  await Promise.all(works);
  clearInterval(look);
  await ledger.close();
  const rows: Record<Kind, string[]> = { base: [], trial: [] };
  for (const kind of ['base', 'trial'] as const) for await (const { text } of readRows(folder, kind)) rows[kind].push(text);
  const world = { folder, held, warnings, done, checks, complete: schedule.complete };
  await store.close();
  return { ...world, rows: { base: rows.base.sort(), trial: rows.trial.sort() } };
}

const linesOf = (folder: string, name: keyof typeof LEDGER): Record<string, unknown>[] =>
  readFileSync(join(folder, LEDGER[name]), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

describe('Checks: honest workers', () => {
  it('computes every chosen row twice, by two workers, and changes nothing', async () => {
    const { rows, done, held, warnings, folder } = await run({ ann: honest, bob: honest });
    expect(rows).toEqual(expectedRows(trials));
    expect([...done.values()]).toEqual(Array.from({ length: 16 }, () => 2));
    expect([held, warnings]).toEqual([[], []]);
    const same = linesOf(folder, 'checks').filter(({ state }) => state === 'same');
    expect(same).toHaveLength(16);
    for (const { by } of same) expect([...(by as string[])].sort()).toEqual(['ann', 'bob']);
  });

  it('a share of 0 checks nothing, and makes no file', async () => {
    const { rows, done, folder } = await run({ ann: honest, bob: honest }, { share: 0 });
    expect(rows).toEqual(expectedRows(trials));
    expect([...done.values()].every((times) => times === 1)).toBe(true);
    expect(() => linesOf(folder, 'checks')).toThrow(/ENOENT/);
  });

  it('with a single worker it ends all the same, and says what was not checked', async () => {
    const { rows, checks, held } = await run({ ann: honest });
    expect([rows, held]).toEqual([expectedRows(trials), []]);
    expect(checks.leftover()).toEqual([expect.stringMatching(/^16 row\(s\) were chosen .* a check takes workers of two keys/)]);
  });

  it('what was left is done by the next run, when somebody else is there', async () => {
    const { folder } = await run({ ann: honest });
    const { done, checks } = await run({ bob: honest }, { folder, share: 0 });
    expect([...done.values()]).toEqual(Array.from({ length: 16 }, () => 1));
    expect(checks.leftover()).toEqual([]);
  });

  it('rows of TensorFlow are checked on the same processor only', async () => {
    const of = plan(1, [['none', {}]]).map((one) => ({
      ...one,
      spec: { ...one.spec, base: { ...one.spec.base, engine: 'tfjs' as const } },
    }));
    const [here, elsewhere] = [
      { identity: 'bob', cpu: PROCESSOR, node: 'v1' },
      { identity: 'bob', cpu: 'another', node: process.version },
    ];
    expect((await run({ ann: honest, bob: honest }, { of, present: [here, { ...here, identity: 'ann' }] })).checks.leftover()).toEqual([]);
    const { checks, done } = await run({ ann: honest, bob: honest }, { of, present: [elsewhere] });
    expect([checks.leftover().length, [...done.values()]]).toEqual([1, [1, 1]]);
  });
});

describe('Checks: a worker that forges rows', () => {
  it('is held, and the rows are those of one process', async () => {
    const { rows, held, complete, folder, warnings } = await run({ ann: honest, mallory: always, bob: honest });
    expect(rows).toEqual(expectedRows(trials));
    expect([held, complete]).toEqual([['mallory'], true]);
    expect(warnings.some((message) => /sent another row than .*; a further worker decides/.test(message))).toBe(true);
    const [decided] = linesOf(folder, 'checks').filter(({ state }) => state === 'decided');
    expect(decided).toMatchObject({ against: ['mallory'] });
    expect(linesOf(folder, 'aside').some(({ row }) => JSON.stringify(row).includes('"ok":true'))).toBe(true);
  });

  it('one lie that is found takes all it has sent with it, also what nobody has looked at, and all trials of its bases', async () => {
    // Only the last row of its is chosen; before that, mallory has made bases that others corrected.
    const last = trials.at(-1)?.id ?? '';
    const lie: Lie = (job) => (job.kind === 'base' || job.id === last ? 'forged' : null);
    const { rows, held } = await run({ mallory: lie }, { share: 0 }).then(async ({ folder }) => {
      const before = await run(
        { mallory: lie, ann: honest, bob: honest },
        {
          folder,
          share: 1,
          of: plan(5, [
            ['none', {}],
            ['tsf', {}],
            ['zsi', {}],
          ]),
        },
      );
      return before;
    });
    expect(held).toEqual(['mallory']);
    expect(rows).toEqual(
      expectedRows(
        plan(5, [
          ['none', {}],
          ['tsf', {}],
          ['zsi', {}],
        ]),
      ),
    );
  });

  it('a disputed row without a third worker stays, is said, and is decided when one comes', async () => {
    const once: Lie = (job) => (job.id === trials[0]?.baseId ? 'forged' : null);
    const { checks, held, folder, complete } = await run({ ann: honest, mallory: once });
    expect([held, complete]).toEqual([[], true]);
    expect(checks.leftover()).toEqual([
      expect.stringMatching(/^base \w+: (ann and mallory|mallory and ann) sent different rows, and nobody/),
    ]);
    const after = await run({ ann: honest, bob: honest }, { folder });
    expect(after.rows).toEqual(expectedRows(trials));
    expect(after.held).toEqual(['mallory']);
  });

  it('a coordinator that ended between a verdict and what follows from it does that first', async () => {
    const { folder } = await run({ mallory: always }, { share: 0, of: trials.slice(0, 3) });
    const store = await openStore(folder, () => {});
    const ledger = new Ledger(store);
    const base = trials[0]?.baseId ?? '';
    const state = 'decided' as const;
    await ledger.append({ state, kind: 'base', id: base, row: 'right', by: ['ann', 'bob'], against: ['mallory'] });
    await ledger.close();
    await store.close();
    const { rows } = await run({ ann: honest }, { folder, share: 0, of: trials.slice(0, 3) });
    expect(rows).toEqual(expectedRows(trials.slice(0, 3)));
  });

  it('whatever is chosen and whoever lies how often: honest workers are never held, and with every row checked nothing forged stays', async () => {
    const lies = fc.record({
      share: fc.constantFrom(0.1, 0.3, 1, 1),
      rate: fc.constantFrom(0.05, 0.3, 1),
      seed: fc.integer(),
      honests: fc.integer({ min: 2, max: 3 }),
    });
    await fc.assert(
      fc.asyncProperty(lies, async ({ share, rate, seed, honests }) => {
        const chance = mulberry(seed);
        const crew: Record<string, Lie> = { mallory: () => (chance() < rate ? 'forged' : null) };
        for (const name of ['ann', 'bob', 'cas'].slice(0, honests)) crew[name] = honest;
        const { rows, held, complete } = await run(crew, { share, random: chance, of: trials.slice(0, 6) });
        expect(complete).toBe(true);
        expect(held.every((who) => who === 'mallory')).toBe(true);
        if (share === 1) expect(rows).toEqual(expectedRows(trials.slice(0, 6)));
      }),
      { numRuns: 12 },
    );
  });
});

describe('Schedule with checks, one delivery after the other', () => {
  /** A bus that notes what it is given, and delivers what the test says. */
  class Scripted implements CoordinatorBus {
    readonly files: Files;
    readonly jobs = new Map<string, { readonly job: Job; readonly who: string | undefined }>();
    readonly withdrawn: string[] = [];
    readonly fetched: string[] = [];
    #wake = (): void => {};
    readonly #coming: Delivery[] = [];
    #closed = false;

    constructor(files: Files) {
      this.files = files;
    }

    async enqueue(job: Job, who?: string): Promise<boolean> {
      this.jobs.set(job.id, { job, who });
      return true;
    }
    async queued(): Promise<ReadonlySet<string>> {
      return new Set(this.jobs.keys());
    }
    async withdraw(ids: readonly string[]): Promise<void> {
      for (const id of ids) this.jobs.delete(id);
      this.withdrawn.push(...ids);
    }
    distrust(): void {}
    async *results(): AsyncGenerator<Delivery> {
      while (!this.#closed) {
        const next = this.#coming.shift();
        if (next) yield next;
        else
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
      }
    }
    async close(): Promise<void> {
      this.#closed = true;
      this.#wake();
    }

    /** Resolves when it was taken. */
    deliver(from: string, job: Job, { row, files, facts }: Finished): Promise<void> {
      const known = { id: job.id, kind: job.kind, ok: row.ok, attempt: 1, host: '', cpu: PROCESSOR, numerics: 'n', ...facts };
      const provenance = { ...known, worker: from, ...(job.kind === 'trial' && { basePolicy: job.base.result.policy }) };
      return new Promise((resolve) => {
        const file = async (kind: FileKind, digest: string): Promise<Uint8Array> => {
          this.fetched.push(digest);
          const found = files.find(([its, bytes]) => its === kind && contentDigest(bytes) === digest);
          if (!found) throw new Error(`${digest}: not sent`);
          return found[1];
        };
        const ack = async (): Promise<void> => {
          this.jobs.delete(job.id);
          resolve();
        };
        this.#coming.push({ result: { kind: job.kind, row, provenance } as unknown as JobResult, from, file, ack });
        this.#wake();
      });
    }
  }

  async function scripted(share = 0, of: readonly Planned[] = trials.slice(0, 3)) {
    const [held, warnings] = [[] as string[], [] as string[]];
    const warn = (message: string): void => void warnings.push(message);
    const store = await openStore(newFolder(), warn);
    const ledger = new Ledger(store);
    const checks = await Checks.open({ store, ledger, share, warn });
    const bus = new Scripted(store.files);
    const hold = (who: string): void => void held.push(who);
    const schedule = new Schedule({ trials: of, store, bus, window: 6, numerics: 'n', warn, checks, hold, auditMs: 20 });
    const done = schedule.run();
    const end = async (): Promise<void> => {
      await bus.close();
      await done;
      await ledger.close();
      await store.close();
    };
    const job = async (id: string): Promise<Job> => {
      for (let i = 0; !bus.jobs.has(id) && i < 200; i++) await new Promise((resolve) => setTimeout(resolve, 5));
      return bus.jobs.get(id)!.job;
    };
    return { held, warnings, store, checks, bus, schedule, done, end, job };
  }
  const baseId = trials[0]!.baseId;
  const policyOf = (job: Job): Uint8Array | null =>
    job.kind === 'trial' ? computed({ kind: 'base', id: baseId } as Job, null, null).files[0]![1] : null;

  it('takes back the trials of a forged base, gives them out with the right one, and drops what was made of the old', async () => {
    const { bus, held, store, end, job, warnings } = await scripted();
    const base = await job(baseId);
    const [forged, right] = [computed(base, null, 'forged'), computed(base, null, null)];
    await bus.deliver('mallory', base, forged);
    const [first] = [await job(trials[0]!.id), await job(trials[2]!.id)];
    await bus.deliver('ann', base, right);
    expect([held, bus.withdrawn]).toEqual([[], []]);
    await bus.deliver('bob', base, right);
    expect(held).toEqual(['mallory']);
    expect(bus.withdrawn.toSorted()).toEqual(
      trials
        .slice(0, 3)
        .map(({ id }) => id)
        .toSorted(),
    );
    expect((await store.row('base', baseId)).id).toBe(baseId);
    expect(await store.row('base', baseId)).toEqual(right.row);
    const again = await job(trials[0]!.id);
    expect(again.kind === 'trial' && again.base).toEqual(right.row);
    await bus.deliver('ann', first, computed(first, forged.files[0]![1], null)); // honest, and too late
    expect([store.state('trial', first.id), held]).toEqual([undefined, ['mallory']]);
    expect(warnings.at(-1)).toBe(`trial ${first.id}: it started from a policy that its base has no longer; its row is dropped`);
    await bus.deliver('ann', again, computed(again, right.files[0]![1], null));
    expect(store.state('trial', again.id)).toBe('ok');
    await end();
  });

  it('has the files of a row that is unlike the stored one before it says anything', async () => {
    const { bus, end, job, held, warnings } = await scripted();
    const base = await job(baseId);
    await bus.deliver('ann', base, computed(base, null, null));
    const other = computed(base, null, 'other');
    await bus.deliver('bob', base, other);
    expect(bus.fetched).toContain(contentDigest(other.files[0]![1]));
    expect(warnings.at(-1)).toMatch(/bob sent another row than ann; a further worker decides/);
    await bus.deliver('bob', base, computed(base, null, 'a third one'));
    expect(held).toEqual(['bob']); // two different rows of one job: nobody else is needed to see it
    await end();
  });

  it('a crash or a limit says nothing against a row', async () => {
    const { bus, end, job, store, warnings } = await scripted();
    const base = await job(baseId);
    const right = computed(base, null, null);
    await bus.deliver('ann', base, right);
    const row = { id: baseId, spec: base.spec, ok: false, failure: { kind: 'limit', message: 'slow' } } as Row;
    await bus.deliver('bob', base, { ...right, row, files: [] });
    expect([await store.row('base', baseId), warnings]).toEqual([right.row, []]);
    await end();
  });

  it('waits for a check as long as somebody is there for it, and not for ever', async () => {
    const { bus, job, schedule, checks, done, end } = await scripted(1, trials.slice(0, 1));
    Object.defineProperty(checks, 'patienceMs', { value: 300 });
    const there = [
      { identity: 'ann', cpu: PROCESSOR, node: '' },
      { identity: 'ghost', cpu: PROCESSOR, node: '' },
    ];
    await schedule.present(there);
    const base = await job(baseId);
    await bus.deliver('ann', base, computed(base, null, null));
    const trial = await job(trials[0]!.id);
    await bus.deliver('ann', trial, computed(trial, policyOf(trial), null));
    await schedule.present(there);
    const offered = await job(baseId);
    expect([schedule.complete, offered, bus.jobs.get(baseId)?.who]).toEqual([true, base, 'ghost']);
    await done;
    expect(checks.leftover()).toHaveLength(1);
    await end();
  });
});

describe('Checks', () => {
  const row = (text: string, engine: 'wasm' | 'tfjs' = 'wasm'): Row =>
    ({ id: 'b', spec: { ...trials[0]!.spec.base, engine }, ok: true, result: { policy: text } }) as unknown as Row;
  const sent = (text: string, by: string, engine: 'wasm' | 'tfjs' = 'wasm', cpu = 'c'): JobResult =>
    ({ kind: 'base', row: row(text, engine), provenance: { worker: by, cpu, node: 'v', wallMs: 1 } }) as unknown as JobResult;
  const at = (identity: string, cpu = 'c'): Present => ({ identity, cpu, node: 'v' });

  const open = new Set<{ close(): Promise<void> }>();
  afterEach(async () => {
    for (const one of open) await one.close();
    open.clear();
  });

  async function alone(share = 1) {
    const store = await openStore(newFolder(), () => {});
    const ledger = new Ledger(store);
    open.add(ledger).add(store);
    const stored = async (result: JobResult): Promise<void> => {
      const { provenance } = result;
      await store.append({ ...result, provenance: { ...provenance, id: 'b', kind: 'base' } } as JobResult);
    };
    const reopen = (): Promise<Checks> => Checks.open({ store, ledger, share, warn: () => {} });
    return { store, stored, reopen, checks: await reopen() };
  }

  it('gives a check to any of those who can, again when it got lost, and not without end', async () => {
    const { checks, stored } = await alone();
    await stored(sent('r', 'ann'));
    await checks.took(sent('r', 'ann'), 'ann');
    expect(checks.due()).toEqual([]); // nobody is known to be there
    checks.present = [at('ann'), at('bob'), at('cas')];
    const to = new Set(Array.from({ length: 200 }, () => checks.due()[0]?.to));
    expect(to).toEqual(new Set(['bob', 'cas']));
    const { check } = checks.due()[0]!;
    for (let i = 0; i < 10; i++) {
      expect(checks.due()).toHaveLength(1);
      check.sent = { to: 'bob', at: 0 };
      check.offers++;
      expect(checks.due()).toEqual([]);
      checks.meet(new Set(['b']));
      expect(check.sent).not.toBeNull();
      checks.meet(new Set());
    }
    expect([checks.due(), checks.waiting]).toEqual([[], false]);
  });

  it('takes it back from who has left, and from who is slow where others could', async () => {
    const { checks, stored } = await alone();
    await stored(sent('r', 'ann'));
    await checks.took(sent('r', 'ann'), 'ann');
    checks.present = [at('ann'), at('bob')];
    const { check } = checks.due()[0]!;
    check.sent = { to: 'bob', at: 1_000 };
    const late = 1_001 + checks.patienceMs;
    expect([checks.stale(2_000), checks.stale(late)]).toEqual([[], []]);
    checks.present = [at('bob'), at('cas')];
    expect([checks.stale(2_000), checks.stale(late)]).toEqual([[], [check]]);
    checks.present = [at('cas')];
    expect(checks.stale(2_000)).toEqual([check]);
  });

  it('asks no further worker after eight different rows', async () => {
    const { checks, stored } = await alone();
    await stored(sent('0', 'w0'));
    await checks.took(sent('0', 'w0'), 'w0');
    checks.present = [at('ann')];
    for (let i = 1; i < 8; i++) {
      expect(checks.due()).toHaveLength(1);
      expect(await checks.heard(sent(`${i}`, `w${i}`), `w${i}`, row('0'))).toBeNull();
    }
    expect(checks.due()).toEqual([]);
    expect(checks.leftover()).toEqual([expect.stringMatching(/w0 and w1 and .* sent different rows/)]);
  });

  it('compares rows of TensorFlow of one processor only', async () => {
    const { checks, stored } = await alone();
    await stored(sent('r', 'ann', 'tfjs'));
    await checks.took(sent('r', 'ann', 'tfjs'), 'ann');
    expect(await checks.heard(sent('s', 'bob', 'tfjs', 'other'), 'bob', row('r', 'tfjs'))).toBeNull();
    expect(checks.leftover()).toEqual([expect.stringContaining('1 row(s) were chosen')]); // not disputed
    expect(await checks.heard(sent('s', 'cas', 'tfjs'), 'cas', row('r', 'tfjs'))).toBeNull();
    expect(checks.leftover()).toEqual([expect.stringContaining('ann and cas sent different rows')]);
    const verdict = await checks.heard(sent('s', 'dan', 'tfjs'), 'dan', row('r', 'tfjs'));
    expect(verdict).toEqual({ kind: 'base', id: 'b', by: ['cas', 'dan'], liars: ['ann'], replaces: true });
  });

  it('keeps what an honest worker vouches for, and nothing that only liars do', async () => {
    for (const [voucher, stays] of [
      ['bob', true],
      ['eve', false],
    ] as const) {
      const { checks, stored, store } = await alone(0);
      await stored(sent('r', 'mallory'));
      await checks.heard(sent('r', voucher), voucher, row('r'));
      const gone = await checks.retract(['mallory', 'eve']);
      expect([gone.base.size, store.state('base', 'b')]).toEqual(stays ? [0, 'ok'] : [1, undefined]);
    }
  });

  it('needs no third worker against who is late with another row than two have sent', async () => {
    const { checks, stored, reopen } = await alone(0);
    await stored(sent('r', 'ann'));
    expect(await checks.heard(sent('r', 'bob'), 'bob', row('r'))).toBeNull();
    const verdict = { kind: 'base', id: 'b', by: ['ann', 'bob'], liars: ['mallory'], replaces: false };
    for (const its of [checks, await reopen()]) expect(await its.heard(sent('s', 'mallory'), 'mallory', row('r'))).toEqual(verdict);
  });

  it('forgets a check of a row that is no longer the one that was chosen', async () => {
    const { checks, stored, reopen } = await alone();
    await stored(sent('r', 'ann'));
    await checks.took(sent('r', 'ann'), 'ann');
    expect((await reopen()).leftover()).toHaveLength(1);
    await checks.took(sent('another', 'ann'), 'ann');
    expect((await reopen()).leftover()).toEqual([]);
  });
});

describe('docs/machines.md', () => {
  it('says with which chance a worker is found that makes rows up', () => {
    const text = readFileSync('docs/machines.md', 'utf8');
    const [, head = '', body = ''] = /^(\| rows of its that are made up .*)\n.*\n((?:\|.*\n)+)/m.exec(text) ?? [];
    const ns = [...head.matchAll(/n = ([\d,]+)/g)].map(([, n = '']) => Number(n.replaceAll(',', '')));
    const rows = body.trimEnd().split('\n');
    expect([ns.length, rows.length]).toEqual([4, 3]);
    for (const row of rows) {
      const [, made = '', ...cells] = row.split('|').map((cell) => cell.trim());
      const q = made === 'all' ? 1 : Number.parseFloat(made) / 100;
      const chances = ns.map((n) => `${(100 * (1 - (1 - 0.02 * q) ** n)).toFixed(1)} %`);
      expect(cells.slice(0, -1)).toEqual(chances);
    }
  });

  it('and the coordinator draws rows with that chance', async () => {
    const chosen: string[] = [];
    const ledger = { append: async ({ id }: { id: string }) => void chosen.push(id), entries: async function* () {} } as unknown as Ledger;
    const checks = await Checks.open({
      store: { state: () => undefined, row: async () => null as never },
      ledger,
      share: 0.02,
      warn: () => {},
    });
    const N = 20_000;
    const spec = trials[0]!.spec.base;
    const provenance = { cpu: '', node: '', wallMs: 1 } as never;
    for (let i = 0; i < N; i++) await checks.took({ kind: 'base', row: { id: `${i}`, spec, ok: true } as never, provenance }, 'ann');
    const sigma = Math.sqrt(N * 0.02 * 0.98);
    expect(Math.abs(chosen.length - 0.02 * N)).toBeLessThan(6 * sigma);
  });
});

/** A small generator for tests: the coordinator's own draws are not to be foreseen. */
function mulberry(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
