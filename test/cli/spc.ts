import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What a command left behind. */
export interface Left {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Started {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly done: Promise<Left>;
}

export interface SpcOptions {
  /** Which fake jobs; `real` for none. */
  readonly jobs?: 'thread' | 'slow' | 'brisk' | 'fragile' | 'sick' | 'deadly' | 'stuck' | 'liar' | 'real';
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** A shell line in front, in which "$@" is the command. */
  readonly shell?: string;
}

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));

/** Starts `spc ...` as a process. */
export function start(args: readonly string[], { jobs = 'thread', cwd, env = {}, shell }: SpcOptions = {}): Started {
  const entry = jobs === 'real' ? path('../../dist/cli/cli.js') : path('./fake/spc.mjs');
  const command = [process.execPath, entry, ...args];
  const [file = '', ...rest] = shell ? ['bash', '-c', shell, 'bash', ...command] : command;
  const child = spawn(file, rest, { cwd: cwd ?? tmpdir(), env: { ...process.env, FAKE: jobs, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const done = new Promise<Left>((resolve) => child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr })));
  return { child, pid: child.pid ?? 0, done };
}

export const spc = (args: readonly string[], options: SpcOptions = {}): Promise<Left> => start(args, options).done;

/** A fresh folder with a sweep file in it; results go beside it. */
export function scratch(change: { seeds?: number; strategies?: string; more?: string } = {}) {
  const root = mkdtempSync(join(tmpdir(), 'spc-'));
  const file = join(root, 'quick.yaml');
  const { seeds = 3, strategies = 'none, retrain, tsf', more = '' } = change;
  writeFileSync(
    file,
    `version: 1\nname: quick\nseeds: ${seeds}\naxes:\n  scenario: [cartpole/angle]\n  strategy: [${strategies}]\n${more}`,
  );
  const results = join(root, 'results');
  const folder = join(results, 'quick');
  const lines = (name: string): string[] =>
    existsSync(join(folder, name)) ? readFileSync(join(folder, name), 'utf8').split('\n').slice(0, -1) : [];
  return {
    root,
    file,
    results,
    folder,
    run: ['run', file, '--results', results],
    lines,
    /** What must not depend on anything that happened: sorted rows, and the files by digest. */
    outcome: () => ({
      bases: lines('bases.jsonl').sort(),
      trials: lines('trials.jsonl').sort(),
      policies: readdirSync(join(folder, 'policies')).sort(),
      forget: readdirSync(join(folder, 'forget')).sort(),
    }),
  };
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Polls until it is true; throws after `ms`. */
export async function until(what: string, condition: () => boolean, ms = 20_000): Promise<void> {
  for (const end = Date.now() + ms; !condition(); await sleep(10))
    if (Date.now() > end) throw new Error(`waited ${ms} ms in vain until ${what}`);
}

/** Process ids of the children of a process. Linux only. */
export function childrenOf(pid: number): number[] {
  const file = `/proc/${pid}/task/${pid}/children`;
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split(' ').filter(Boolean).map(Number) : [];
}

/** A zombie has ended too. */
export const isAlive = (pid: number): boolean =>
  existsSync(`/proc/${pid}/stat`) && !/^\d+ \(.*\) [ZX]/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
