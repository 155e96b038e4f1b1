import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, it } from 'vitest';
import { ourselves } from '../../src/coordinator/holder.ts';
import { Lock } from '../../src/coordinator/lock.ts';
import { scratch, spc, start, until } from '../cli/spc.ts';

const CONTENDER = fileURLToPath(new URL('./fake/contender.mjs', import.meta.url));
/** `SPC_ROUNDS=10000 npx vitest run --project slow test/coordinator/lock.slow.test.ts` for more of it. */
const ROUNDS = Number(process.env['SPC_ROUNDS'] ?? 300);
const EVERY_MS = 60;

const NAMESPACE = ['unshare', '--pid', '--fork', '--mount-proc', '--kill-child'];
const noNamespace = spawnSync(NAMESPACE[0]!, [...NAMESPACE.slice(1), 'true'], { encoding: 'utf8' });
if (noNamespace.status !== 0)
  process.stderr.write(`SKIPPED: two PID namespaces (${(noNamespace.stderr || noNamespace.error || '').toString().trim()})\n`);

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'spc-lock-'));
});
const log = (): string[] => (existsSync(join(folder, 'log')) ? readFileSync(join(folder, 'log'), 'utf8').trim().split('\n') : []);
const contender = (...args: readonly (string | number)[]): ChildProcess =>
  spawn(process.execPath, [CONTENDER, ...args.map(String)], { stdio: ['ignore', 'inherit', 'inherit'] });
const ended = (child: ChildProcess): Promise<void> => new Promise((resolve) => child.once('close', () => resolve()));

describe('Lock.take(path), contended by processes', () => {
  it.each([2, 3, 6, 12])('a stale lock has one heir among %i', async (n) => {
    const rounds = Math.ceil(ROUNDS / 4);
    const stale = JSON.stringify({ pid: 4_194_303, host: hostname(), began: '1', token: 'x' });
    for (let r = 0; r < rounds; r++) writeFileSync(join(folder, `${r}.lock`), stale);
    const first = Date.now() + 3_000;
    const all = Array.from({ length: n }, () => contender('meet', folder, first, EVERY_MS, rounds));
    const count = (word: string): number => log().filter((line) => line.startsWith(word)).length;
    await until('all have tried all', () => count('end') === n, 10_000 + 2 * rounds * EVERY_MS);
    for (const child of all) child.kill('SIGKILL');
    await Promise.all(all.map(ended));
    const heirs = log().filter((line) => !line.startsWith('end'));
    expect(heirs.filter((line) => !line.startsWith('in'))).toEqual([]);
    expect(new Set(heirs.map((line) => line.split(' ')[1])).size).toBe(rounds); // in every round somebody
    expect(heirs).toHaveLength(rounds); // and nobody else
  });

  it('is one at a time for processes that take, release and die', async () => {
    const [n, ms] = [5, 15_000];
    const end = Date.now() + ms;
    let deaths = 0;
    const live = async (seat: number): Promise<void> => {
      for (let life = 0; Date.now() < end; life++) {
        const child = contender('live', folder, 1000 * seat + life, end - Date.now());
        await ended(child);
        if (child.signalCode === 'SIGKILL') deaths++;
      }
    };
    await Promise.all(Array.from({ length: n }, (_, seat) => live(seat)));
    const lines = log();
    const wrong = lines.filter((line, i) => line !== (i % 2 === 0 ? line.replace(/^\w+/, 'in') : lines[i - 1]?.replace(/^in/, 'out')));
    expect(wrong).toEqual([]);
    expect(lines.length).toBeGreaterThan(100);
    expect(deaths).toBeGreaterThan(10);
    (await Lock.take(join(folder, '.lock'), () => {})).release();
    expect(readdirSync(folder)).toEqual(['log']);
  });
});

describe('Lock.take(path), where the system cannot be asked', () => {
  const path = (): string => join(folder, '.lock');
  const warnings: string[] = [];
  const take = (): Promise<Lock> => Lock.take(path(), (message) => warnings.push(message));

  it('takes over from another container after a long silence, not while it beats', async () => {
    const text = JSON.stringify({ ...ourselves('x'), space: '7' });
    const age = (): void => utimesSync(path(), new Date(), new Date(Date.now() - 90_000));
    writeFileSync(path(), text);
    age();
    const beat = setTimeout(() => writeFileSync(path(), text), 6_000);
    await expect(take()).rejects.toThrow(/in another container, works on this folder; .* last heard of 0 s ago/);
    clearTimeout(beat);
    age();
    (await take()).release();
    expect(warnings).toEqual([
      expect.stringContaining('of another container has been silent for 90 s'),
      expect.stringContaining('of another container has been silent for 90 s'),
      expect.stringContaining('taken over'),
    ]);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('leaves the claim of another host alone, and names the file', async () => {
    const claim = `${path()}.0000000000000000`;
    writeFileSync(claim, JSON.stringify({ ...ourselves('0'), host: 'node7', boot: 'another' }));
    await expect(take()).rejects.toThrow(`on node7 is about to work on this folder; wait for it, or remove ${claim} if node7 is gone`);
    expect(readdirSync(folder)).toEqual(['.lock.0000000000000000']);
  });

  it.skipIf(process.getuid?.() !== 0)('says that it may not read the lock', () => {
    folder = mkdtempSync('/tmp/spc-lock-'); // the folder of all tests is for their user alone
    writeFileSync(path(), '{}');
    chmodSync(path(), 0);
    chmodSync(folder, 0o777);
    const script = `import { Lock } from ${JSON.stringify(new URL('../../dist/coordinator/lock.js', import.meta.url).href)};
      process.setuid(65534);
      await Lock.take(${JSON.stringify(path())}, console.log).catch((error) => console.log(error.message));`;
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
    expect(stdout).toBe(`${path()}: expected to read who works on this folder, got EACCES; ask its owner, or remove it when nobody does\n`);
    expect(readdirSync(folder)).toEqual(['.lock']);
    rmSync(folder, { recursive: true });
  });
});

describe.skipIf(noNamespace.status !== 0)('spc run from two PID namespaces', () => {
  it('lets one of them work, and tells the other who it is', async () => {
    const sweep = scratch({ seeds: 40 });
    const shell = `${NAMESPACE.join(' ')} "$@"`;
    const inside = start(sweep.run, { jobs: 'slow', shell });
    await until('there is a row', () => sweep.lines('bases.jsonl').length > 0);
    for (const options of [{}, { shell }]) {
      const { code, stderr } = await spc(sweep.run, options);
      expect(code).toBe(2);
      expect(stderr).toMatch(
        /\.lock: expected to be alone, but process \d+ on \S+, in another container, works on this folder; wait for it, .*try again in a minute; it is "spc run quick.yaml" since 20\S+Z, last heard of \d s ago\n$/,
      );
    }
    expect(readFileSync(join(sweep.folder, '.lock'), 'utf8')).toContain('"pid"');
    inside.child.kill('SIGKILL');
    await inside.done;
    expect(new Set(sweep.lines('bases.jsonl')).size).toBe(sweep.lines('bases.jsonl').length);
  });
});
