import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/contract/errors.ts';
import { HostError } from '../../src/contract/host.ts';
import { ourselves } from '../../src/coordinator/holder.ts';
import { Lock } from '../../src/coordinator/lock.ts';

let path: string;
let warnings: string[];
beforeEach(() => {
  path = join(mkdtempSync(join(tmpdir(), 'spc-')), '.lock');
  warnings = [];
});
const take = (): Promise<Lock> => Lock.take(path, (message) => warnings.push(message));
const holder = (fields: object): void =>
  writeFileSync(path, JSON.stringify({ pid: process.pid, host: hostname(), began: '', token: 'x', ...fields }));
const deadPid = (): Promise<number> =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, ['--version'], { stdio: 'ignore' });
    child.on('exit', () => resolve(child.pid ?? 0));
  });

describe('Lock.take(path)', () => {
  it('refuses while a living process holds it, and says who', async () => {
    const lock = await take();
    await expect(take()).rejects.toThrow(ConfigError);
    await expect(take()).rejects.toThrow(`process ${process.pid} on ${hostname()} works on this folder; wait for it`);
    lock.release();
    (await take()).release();
    expect(warnings).toEqual([]);
    expect(readdirSync(dirname(path))).toEqual([]);
  });

  it('takes over from a dead process, with a message', async () => {
    const pid = await deadPid();
    holder({ pid });
    const lock = await take();
    expect(warnings).toEqual([`${path}: taken over from process ${pid}, which is gone`]);
    expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ pid: process.pid });
    lock.release();
    expect(readdirSync(dirname(path))).toEqual([]);
  });

  it('is not fooled by another process that got the same id', async () => {
    holder({ began: '1' });
    (await take()).release();
    expect(warnings).toHaveLength(1);
  });

  it('takes over what was torn', async () => {
    writeFileSync(path, '{"pid":');
    (await take()).release();
    expect(warnings).toEqual([`${path}: taken over from a process that died while writing it`]);
  });

  it('believes another host, and says how to help', async () => {
    holder({ pid: 1, host: 'elsewhere' });
    await expect(take()).rejects.toThrow(
      'process 1 on elsewhere works on this folder; wait for it, or remove the file if elsewhere is gone',
    );
  });

  it('takes over what no process wrote, and ids that no process has', async () => {
    const nobody = [0, -1, -process.pid, 1.5, 2 ** 31, 1e300, null, '1'].map((pid) =>
      JSON.stringify({ pid, host: hostname(), began: '', token: '' }),
    );
    const torn = ['', '\0\0\0\0', 'null', '[]', 'x'.repeat(10_000), '{"pid":1}'];
    for (const text of [...nobody, ...torn]) {
      writeFileSync(path, text);
      (await take()).release();
      expect(warnings.splice(0), text.slice(0, 60)).toEqual([`${path}: taken over from a process that died while writing it`]);
    }
    expect(readdirSync(dirname(path))).toEqual([]);
  });

  it('replaces a link to nothing', async () => {
    symlinkSync(join(dirname(path), 'nowhere'), path);
    (await take()).release();
    symlinkSync(path, path);
    (await take()).release();
    expect(readdirSync(dirname(path))).toEqual([]);
  });

  it('says what it is that is no file', async () => {
    mkdirSync(path);
    await expect(take()).rejects.toThrow(
      `${path}: expected the lock of this folder, a file, or nothing, got a folder; remove it, or move it away`,
    );
    rmSync(path, { recursive: true });
    expect(spawnSync('mkfifo', [path]).status).toBe(0);
    await expect(take()).rejects.toThrow('got a named pipe');
    rmSync(path);
    symlinkSync('/dev/null', path);
    await expect(take()).rejects.toThrow('got a device');
    expect(readdirSync(dirname(path))).toEqual(['.lock']);
  });

  it('says who, since when and what to do', async () => {
    const us = ourselves('x');
    const [since, command] = ['2026-11-30T22:15:00.000Z', 'spc run quick.yaml'];
    const said = async (fields: object): Promise<string> => {
      holder({ ...us, since, command, ...fields });
      return take().then(
        () => 'taken',
        (error: Error) => error.message.replace(`${path}: expected to be alone, but process ${process.pid} on `, ''),
      );
    };
    const what = '; it is "spc run quick.yaml" since 2026-11-30T22:15:00Z';
    expect(await said({})).toBe(`${us.host} works on this folder; wait for it, or end it with kill ${process.pid}${what}`);
    expect(await said({ host: 'node7', boot: 'another' })).toBe(
      `node7 works on this folder; wait for it, or remove the file if node7 is gone${what}, last heard of 0 s ago`,
    );
    expect(await said({ boot: 'another', machine: 'another' })).toContain(`or remove the file if ${us.host} is gone`);
    expect(await said({ boot: 'another' })).toContain('or, if it ended when this machine was restarted, try again in a minute');
    expect(await said({ space: '7' })).toBe(
      `${us.host}, in another container, works on this folder; wait for it, or, if that container is gone, try again in a minute${what}, last heard of 0 s ago`,
    );
    expect(await said({ host: 'a1b2c3' })).toContain('in another container'); // the boot is ours
  });

  it('takes over what was held before this machine was restarted, once it is silent', async () => {
    holder({ ...ourselves('x'), boot: 'another' });
    utimesSync(path, new Date(), new Date(Date.now() - 61_000));
    (await take()).release();
    expect(warnings).toHaveLength(1);
  });

  it('takes nothing from another host, however silent', async () => {
    holder({ ...ourselves('x'), host: 'node7', boot: 'another' });
    utimesSync(path, new Date(0), new Date(0));
    await expect(take()).rejects.toThrow(/last heard of \d{9,} s ago/);
  });

  it('removes the claims of the dead, waits for no draft, and respects the claim of a host that it cannot ask', async () => {
    const claim = (letter: string): string => `${path}.${letter.repeat(16)}`;
    writeFileSync(claim('a'), JSON.stringify({ ...ourselves('a'), pid: await deadPid() }));
    writeFileSync(claim('b'), ''); // the machine lost power
    writeFileSync(`${claim('c')}.new`, '');
    writeFileSync(`${claim('d')}.new`, '');
    utimesSync(`${claim('c')}.new`, new Date(0), new Date(0));
    writeFileSync(`${path}.notes`, 'of somebody else');
    (await take()).release();
    expect(readdirSync(dirname(path))).toEqual(['.lock.dddddddddddddddd.new', '.lock.notes']);
  });

  it('lets one of many in', async () => {
    holder({ pid: await deadPid() });
    const taken = await Promise.allSettled(Array.from({ length: 20 }, take));
    expect(taken.filter((t) => t.status === 'fulfilled')).toHaveLength(1);
  });
});

describe('lock.release()', () => {
  it('removes nothing but its own', async () => {
    const lock = await take();
    holder({ token: 'of somebody else' });
    lock.release();
    expect(existsSync(path)).toBe(true);
  });
});

describe('lock.expectHeld()', () => {
  it('throws when somebody removed the lock, or has taken it', async () => {
    const lock = await take();
    lock.expectHeld();
    rmSync(path);
    expect(() => lock.expectHeld()).toThrow(HostError);
    expect(() => lock.expectHeld()).toThrow('expected to be alone still, but somebody removed the file; nothing more is written');
    const other = await take();
    expect(() => lock.expectHeld()).toThrow(`but process ${process.pid} on ${hostname()} works on this folder now`);
    lock.release();
    other.expectHeld();
    other.release();
  });
});
