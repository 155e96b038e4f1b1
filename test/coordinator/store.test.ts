import { spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/contract/errors.ts';
import { canonicalJson, contentDigest } from '../../src/contract/ids.ts';
import { failureRow, type Job, type JobResult } from '../../src/contract/job.ts';
import type { Numerics } from '../../src/contract/numerics.ts';
import type { Failure, Provenance } from '../../src/contract/rows.ts';
import { parseSweep, type Sweep } from '../../src/contract/sweep.ts';
import { expand } from '../../src/coordinator/expand.ts';
import type { FreezeOptions, Frozen } from '../../src/coordinator/freeze.ts';
import { type Plan, planOf } from '../../src/coordinator/plan.ts';
import { readRows, Store } from '../../src/coordinator/store.ts';
import { baseJob, baseSpec, trialJob, trialSpec } from '../worker/fake/specs.ts';

const numerics: Numerics = { base: 'b1', trial: 't1', all: 'a1', engine: 'e', files: { 'math/x.js': '1', 'correction/y.js': '2' } };
const sweepOf = (change: object): Sweep => {
  const judged = parseSweep({
    version: 1,
    name: 'x',
    seeds: 1,
    axes: { scenario: ['cartpole/angle'], strategy: ['none', 'tsf'] },
    ...change,
  });
  if (!judged.ok) throw new Error(JSON.stringify(judged.problems));
  return judged.value;
};
const plans: Readonly<Record<string, Plan>> = {
  p1: planOf(sweepOf({ seeds: 1 })),
  p2: planOf(sweepOf({ seeds: 2 })),
  p3: planOf(sweepOf({ ppo: { gamma: 0.5 } })),
};
const plan = (name: string): Plan => plans[name]!;
const frozen: Frozen = { sweepYaml: 'name: x\n', plan: plan('p1'), numerics };

let folder: string;
let warnings: string[];
const opened: Store[] = [];
beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), 'spc-')), 'results', 'x');
  warnings = [];
});
afterEach(async () => {
  for (const store of opened.splice(0)) await store.close();
});
const open = async (now: Partial<Frozen> = {}, options: Partial<FreezeOptions> = {}): Promise<Store> => {
  const store = await Store.open(
    folder,
    { ...frozen, ...now },
    {
      extend: false,
      recompute: false,
      warn: (message) => warnings.push(message.replace(folder, '.')),
      ...options,
    },
  );
  opened.push(store);
  return store;
};

const base = (seed: number): Job => baseJob(baseSpec(seed));
const trial = (seed: number, strategy = 'none'): Job => trialJob(trialSpec(baseSpec(seed), strategy), { id: base(seed).id } as never);
const failed = (job: Job, kind: Failure['kind'] = 'bug'): JobResult => {
  const provenance = { id: job.id, kind: job.kind, phasesMs: {} } as Provenance;
  return { kind: job.kind, row: failureRow(job, { kind, message: 'no' }), provenance } as JobResult;
};
const text = (name: string): string => readFileSync(join(folder, name), 'utf8');

describe('Store', () => {
  it('append(result) writes nothing once the folder is not ours any more', async () => {
    const store = await open();
    await store.append(failed(base(1)));
    rmSync(join(folder, '.lock'));
    const other = await open(); // somebody was told that we are gone
    await expect(store.append(failed(base(2)))).rejects.toThrow(
      /\.lock: expected to be alone still, but process \d+ on \S+ works on this folder now/,
    );
    await other.append(failed(base(3)));
    expect(readFileSync(join(folder, 'bases.jsonl'), 'utf8').trim().split('\n')).toHaveLength(2);
    expect(readFileSync(join(folder, 'provenance.jsonl'), 'utf8').trim().split('\n')).toHaveLength(2);
  });

  it('append(result) writes one canonical line, and it is there at the next opening', async () => {
    const store = await open();
    await store.append(failed(base(1)));
    await store.append(failed(trial(1)));
    expect(text('bases.jsonl')).toBe(`${canonicalJson(failed(base(1)).row)}\n`);
    expect(text('provenance.jsonl').split('\n')).toHaveLength(3);
    await store.close();
    const again = await open();
    expect([again.state('base', base(1).id), again.state('trial', trial(1).id), again.state('trial', trial(2).id)]).toEqual([
      'failed',
      'failed',
      undefined,
    ]);
    expect(await again.row('base', base(1).id)).toEqual(failed(base(1)).row);
    expect(warnings).toEqual([]);
  });

  it('refuses an id that is there, whether it comes or stands there', async () => {
    const store = await open();
    await store.append(failed(base(1)));
    await expect(store.append(failed(base(1)))).rejects.toThrow(`a row of id ${base(1).id} is there already`);
    await store.close();
    appendFileSync(join(folder, 'bases.jsonl'), text('bases.jsonl'));
    await expect(open()).rejects.toThrow(`bases.jsonl:2: expected every id once, got ${base(1).id} again`);
  });

  it('cuts off a torn last line, with a message', async () => {
    const store = await open();
    await store.append(failed(trial(1)));
    await store.append(failed(trial(2)));
    await store.close();
    const whole = text('trials.jsonl');
    truncateSync(join(folder, 'trials.jsonl'), whole.length - 20);
    const again = await open();
    expect(again.count('trial')).toBe(1);
    expect(warnings).toEqual([
      expect.stringMatching(/^\.\/trials\.jsonl: the last line was torn \(\d+ bytes without a newline\); cut off$/),
    ]);
    await again.append(failed(trial(2)));
    expect(text('trials.jsonl')).toBe(whole);
  });

  it('retract(ids) takes rows out, and goes on with those that are left', async () => {
    const store = await open();
    for (const seed of [1, 2, 3]) await store.append(failed(base(seed)));
    for (const seed of [1, 2]) await store.append(failed(trial(seed)));
    await store.retract({ base: new Set([base(1).id, base(3).id]), trial: new Set([trial(1).id]) }, 'of a liar are computed again');
    expect(warnings).toEqual([
      './trials.jsonl: 1 row(s) of a liar are computed again',
      './bases.jsonl: 2 row(s) of a liar are computed again',
    ]);
    expect([store.state('base', base(1).id), store.state('trial', trial(1).id)]).toEqual([undefined, undefined]);
    expect(await store.row('base', base(2).id)).toEqual(failed(base(2)).row);
    await store.append(failed(base(1)));
    await store.append(failed(trial(1)));
    expect(await store.row('trial', trial(2).id)).toEqual(failed(trial(2)).row);
    expect(await store.row('trial', trial(1).id)).toEqual(failed(trial(1)).row);
    expect(text('bases.jsonl')).toBe([2, 1].map((seed) => `${canonicalJson(failed(base(seed)).row)}\n`).join(''));
    await store.close();
    expect([...(await open()).ids('trial')]).toEqual([trial(2).id, trial(1).id]);
  });

  it.each(['{"id":', '{}', '[]', '7', 'null', ''])('refuses a corrupt line in the middle, by file and line: %j', async (line) => {
    const store = await open();
    await store.append(failed(trial(1)));
    await store.close();
    writeFileSync(join(folder, 'trials.jsonl'), `${text('trials.jsonl')}${line}\n${text('trials.jsonl')}`);
    await expect(open()).rejects.toThrow(ConfigError);
    await expect(open()).rejects.toThrow(/trials\.jsonl:2: expected the row of a trial, got .*delete the line/);
  });

  it('takes out what crashed or met a limit, and what was refused for it, so that they run again and ids stay unique', async () => {
    const store = await open();
    const rows = [
      failed(base(1)),
      failed(base(2), 'crashed'),
      failed(trial(1)),
      failed(trial(1, 'tsf'), 'limit'),
      failed(trial(2), 'refused'),
    ];
    for (const row of rows) await store.append(row);
    await store.close();
    const again = await open();
    expect([...again.ids('base'), ...again.ids('trial')]).toEqual([base(1).id, trial(1).id]);
    expect(text('trials.jsonl')).toBe(`${canonicalJson(rows[2]!.row)}\n`);
    expect(warnings).toEqual([
      './trials.jsonl: 2 row(s) that crashed or met a limit run again',
      './bases.jsonl: 1 row(s) that crashed or met a limit run again',
    ]);
    await again.append(failed(trial(2), 'refused'));
    expect(readdirSync(folder).filter((name) => name.startsWith('.'))).toEqual(['.lock']);
  });

  it('is closed to a second one', async () => {
    await open();
    await expect(open()).rejects.toThrow(`process ${process.pid} on`);
  });

  it('readRows(folder, kind) reads beside a run, and changes nothing', async () => {
    const store = await open();
    await store.append(failed(trial(1)));
    appendFileSync(join(folder, 'trials.jsonl'), '{"id":"to');
    const ids: string[] = [];
    for await (const { row } of readRows(folder, 'trial')) ids.push(row.id);
    expect(ids).toEqual([trial(1).id]);
    expect(text('trials.jsonl')).toMatch(/\{"id":"to$/);
  });

  it('leaves nothing of a row that the disk does not take, and says so', async () => {
    // The limit on file sizes stands in for a full disk: a write comes back short, the next one fails.
    const script = `
      import { Lines } from ${JSON.stringify(new URL('../../dist/coordinator/lines.js', import.meta.url).href)};
      const lines = await Lines.open(${JSON.stringify(join(folder, '..', 'rows.jsonl'))});
      await lines.append('x'.repeat(900), true);
      await lines.append('y'.repeat(900), true).catch((error) => process.stdout.write(error.message));
      await lines.append('z', true);
    `;
    await (await open()).close();
    const command = `trap '' XFSZ; ulimit -f 1; exec "$0" --input-type=module -e "$1"`;
    const { stdout } = spawnSync('bash', ['-c', command, process.execPath, script], { encoding: 'utf8' });
    expect(stdout).toMatch(/rows\.jsonl: the line could not be written \(EFBIG\); the rows before it are safe/);
    expect(readFileSync(join(folder, '..', 'rows.jsonl'), 'utf8')).toBe(`${'x'.repeat(900)}\nz\n`);
  });
});

describe('store.files', () => {
  const bytes = new Uint8Array(1000).fill(7);

  it('put(kind, bytes) and get(kind, digest) go by the digest of the content', async () => {
    const { files } = await open();
    const digest = await files.put('policies', bytes);
    expect(digest).toBe(contentDigest(bytes));
    expect(await files.put('policies', bytes)).toBe(digest);
    expect(Buffer.compare(await files.get('policies', digest), bytes)).toBe(0);
    expect([await files.has('policies', digest), await files.has('forget', digest)]).toEqual([true, false]);
    expect(readdirSync(join(folder, 'policies'))).toEqual([`${digest}.safetensors`]);
  });

  it.each([
    ['truncated', (path: string) => truncateSync(path, 500)],
    ['altered', (path: string) => writeFileSync(path, new Uint8Array(1000).fill(8))],
  ])('get names file and digests when it was %s; put heals it, with a message', async (_what, damage) => {
    const { files } = await open();
    const digest = await files.put('policies', bytes);
    damage(files.path('policies', digest));
    await expect(files.get('policies', digest)).rejects.toThrow(
      new RegExp(
        `policies/${digest}\\.safetensors: expected SHA-256 ${digest}, got [0-9a-f]{64} over \\d+ bytes; the file was truncated or altered`,
      ),
    );
    await files.put('policies', bytes);
    expect(warnings).toEqual([`./policies/${digest}.safetensors: was altered; written anew`]);
    expect(Buffer.compare(await files.get('policies', digest), bytes)).toBe(0);
  });

  it('says which file is missing, and never takes a name for a path', async () => {
    const { files } = await open();
    const digest = contentDigest(bytes);
    await expect(files.get('forget', digest)).rejects.toThrow(`forget/${digest}.safetensors: could not be read (ENOENT)`);
    await expect(files.get('forget', '../../secret')).rejects.toThrow('expected a SHA-256 in hex, got "../../secret"');
  });
});

describe.runIf(existsSync('/proc/self'))('a results folder where the system takes none', () => {
  it('is an error, and no endless attempt', async () => {
    const options = { extend: false, recompute: false, warn: () => {} };
    await expect(Store.open('/proc/none/results', frozen, options)).rejects.toThrow(
      '/proc/none/results: the folder could not be written (ENOENT)',
    );
    const file = join(mkdtempSync(join(tmpdir(), 'spc-')), 'file');
    writeFileSync(file, '');
    await expect(Store.open(file, frozen, options)).rejects.toThrow(/file: the folder could not be written \(EEXIST\)/);
  });
});

describe('a results folder belongs to one plan and one numerics digest', () => {
  const other: Numerics = { ...numerics, base: 'b2', trial: 't2', all: 'a2', files: { 'math/x.js': '9', 'correction/y.js': '2' } };
  const otherTrial: Numerics = { ...numerics, trial: 't2', all: 'a2', files: { 'math/x.js': '1', 'correction/y.js': '9' } };
  const rows = async (now: Partial<Frozen> = {}, options: Partial<FreezeOptions> = {}): Promise<void> => {
    const store = await open(now, options);
    await store.append(failed(base(1)));
    await store.append(failed(trial(1)));
    await store.close();
  };

  it('refuses another plan with the differences, and changes nothing', async () => {
    await rows();
    await expect(open({ plan: plan('p2'), sweepYaml: 'other' })).rejects.toThrow(ConfigError);
    await expect(open({ plan: plan('p2') })).rejects.toThrow(/got another; run with --extend.*\n {2}seeds: \[1\] -> 1\.\.2$/);
    expect([JSON.parse(text('plan.json')), text('sweep.yaml')]).toEqual([frozen.plan, frozen.sweepYaml]);
    await (await open()).close(); // and lets go of the lock
  });

  it('takes it with extend, and keeps the rows', async () => {
    await rows();
    const store = await open({ plan: plan('p2') }, { extend: true });
    expect([store.count('base'), store.count('trial'), JSON.parse(text('plan.json'))]).toEqual([1, 1, plan('p2')]);
    expect(warnings).toEqual(['.: extended\n  seeds: [1] -> 1..2']);
  });

  it('says with extend when trials are no longer wanted', async () => {
    await rows();
    await open({ plan: plan('p3') }, { extend: true });
    expect(warnings).toEqual([
      '.: extended\n  ppo.gamma: 0.99 -> 0.5\n  some of the trials are no longer wanted; their rows stay, and no table counts them',
    ]);
  });

  it('knows what its earlier plans wanted, after a restart too', async () => {
    const [early, late] = [expand(plan('p2').sweep), expand(plan('p3').sweep)];
    await (await open({ plan: plan('p2') })).close();
    await (await open({ plan: plan('p3') }, { extend: true })).close();
    const store = await open({ plan: plan('p3') });
    for (const { id, baseId } of early) expect([store.formerly('trial', id), store.formerly('base', baseId)]).toEqual([true, true]);
    expect(late.some(({ id }) => store.formerly('trial', id))).toBe(false);
    expect([store.formerly('trial', early[0]!.baseId), store.formerly('base', 'invented')]).toEqual([false, false]);
    writeFileSync(join(folder, 'plans', 'garbage.json'), '{');
    await store.close();
    expect((await open({ plan: plan('p3') })).formerly('trial', early[0]!.id)).toBe(true);
  });

  it('refuses the same file when a default moved since', async () => {
    const then = { ...plan('p1'), digest: '0' };
    await rows({ plan: then });
    await expect(open()).rejects.toThrow(
      /got another.*digest of the trials: 0 -> [0-9a-f]{64}\n {2}some of the trials are no longer wanted/s,
    );
  });

  it('refuses other code and says what changed', async () => {
    await rows();
    await expect(open({ numerics: other })).rejects.toThrow(/run with --recompute.*\n {2}changed: math\/x\.js$/);
    expect(JSON.parse(text('numerics.json'))).toEqual(numerics);
  });

  it('moves the old rows aside with recompute', async () => {
    await rows();
    writeFileSync(join(folder, 'checks.jsonl'), '{}\n');
    const store = await open({ numerics: other }, { recompute: true });
    expect([store.count('base'), store.count('trial')]).toEqual([0, 0]);
    expect(text('trials.jsonl.1')).toBe(`${canonicalJson(failed(trial(1)).row)}\n`);
    expect([text('checks.jsonl.1'), existsSync(join(folder, 'checks.jsonl'))]).toEqual(['{}\n', false]); // said of rows that are no longer there
    expect(JSON.parse(text('numerics.json.1'))).toEqual(numerics);
    expect(JSON.parse(text('numerics.json'))).toEqual(other);
    await store.close();
    await rows({ numerics: other });
    await (await open({ numerics: other }, { recompute: true })).close();
    expect(readdirSync(folder).filter((name) => name.startsWith('bases'))).toEqual(['bases.jsonl', 'bases.jsonl.1', 'bases.jsonl.2']);
  });

  it('keeps the bases when only what corrects is other code', async () => {
    await rows();
    const store = await open({ numerics: otherTrial }, { recompute: true });
    expect([store.count('base'), store.count('trial')]).toEqual([1, 0]);
    expect(warnings).toEqual(['.: trials.jsonl moved aside as *.1; bases stay, their code is the same']);
  });

  it('refuses rows that nobody frozen anything for', async () => {
    await rows();
    writeFileSync(join(folder, 'numerics.json'), '');
    await expect(open()).rejects.toThrow('numerics.json: expected what the first run wrote, got ""');
  });
});
