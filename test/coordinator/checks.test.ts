import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AgentBus, CoordinatorBus, Delivery, Files } from '../../src/bus/bus.ts';
import { LocalBus } from '../../src/bus/local.ts';
import { identityOf } from '../../src/contract/cards.ts';
import { canonicalJson, contentDigest, type Json } from '../../src/contract/ids.ts';
import type { FileKind, Job, Row } from '../../src/contract/job.ts';
import { Checks, type ChecksOptions, type Present } from '../../src/coordinator/checks.ts';
import { LEDGER, Ledger } from '../../src/coordinator/ledger.ts';
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
