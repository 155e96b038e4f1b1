import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/contract/errors.ts';
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
