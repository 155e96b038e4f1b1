import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { digestsOf } from './digests.ts';

const TINY = `version: 1
name: tiny
seeds: 1
acceptance: report
ppo: { totalTimesteps: 150000, numEnvs: 8 }
axes: { scenario: [cartpole/angle], strategy: [none, tsf] }
`;

/** A clone of what is built from, which is no git checkout and has a blank in its path; built, if `built`. */
function clone(built = true) {
  const root = mkdtempSync(join(tmpdir(), 'spc clone '));
  for (const name of ['bin', 'src', 'package.json', 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json'])
    cpSync(name, join(root, name), { recursive: true });
  for (const name of ['build.mjs', 'build']) cpSync(join('tools', name), join(root, 'tools', name), { recursive: true });
  symlinkSync(resolve('node_modules'), join(root, 'node_modules'));
  if (built) {
    const { stamp } = JSON.parse(readFileSync('dist/build.json', 'utf8'));
    for (const name of ['dist', `.dist-${stamp.slice(0, 16)}`]) cpSync(name, join(root, name), { recursive: true });
  }
  const at = (...parts: string[]): string => join(root, ...parts);
  return {
    at,
    build: () => begin(root, 'tools/build.mjs'),
    npxSpc: (...args: string[]) => begin(root, 'bin/spc.mjs', ...args), // what npx starts
    spc: (...args: string[]) => begin(root, 'dist/cli/cli.js', ...args),
    change: (name: string, from: string, to: string): void => {
      const text = readFileSync(at(name), 'utf8');
      expect(text).toContain(from);
      writeFileSync(at(name), text.replace(from, to));
    },
    inode: () => statSync(at('dist/cli/cli.js')).ino,
    folders: () => readdirSync(root).filter((name) => name.startsWith('.dist-')),
  };
}

interface Begun {
  readonly child: ChildProcess;
  readonly done: Promise<{ code: number | null; out: string; err: string }>;
}

/** A process with its children in a group of its own, as a terminal has them. */
function begin(cwd: string, ...args: string[]): Begun {
  const child = spawn(process.execPath, args, { cwd, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  const said = { out: '', err: '' };
  child.stdout.on('data', (bytes: Buffer) => {
    said.out += bytes.toString();
  });
  child.stderr.on('data', (bytes: Buffer) => {
    said.err += bytes.toString();
  });
  return { child, done: new Promise((ended) => child.on('close', (code) => ended({ code, ...said }))) };
}

const toGroup = ({ child }: Begun, signal: NodeJS.Signals): void => {
  try {
    process.kill(-(child.pid ?? Number.NaN), signal);
  } catch {} // it has ended
};

const [FROM, TO] = ['prove it', 'prove it, twice'];
const USAGE = 'src/cli/main.ts';

describe('npm run build', { timeout: 600_000 }, () => {
  it('does nothing where nothing changed, and starts no compiler: npx spc goes without development packages', async () => {
    const project = clone();
    rmSync(project.at('node_modules'));
    const kept = readdirSync('node_modules').filter((name) => !['typescript', 'assemblyscript', 'binaryen'].includes(name));
    execFileSync('mkdir', [project.at('node_modules')]);
    for (const name of kept) symlinkSync(resolve('node_modules', name), project.at('node_modules', name));
    const before = project.inode();
    expect(await project.build().done).toEqual({ code: 0, out: '', err: '' });
    expect(await project.npxSpc('--version').done).toMatchObject({ code: 0, err: '' });
    expect(project.inode()).toBe(before);

    project.change(USAGE, FROM, TO);
    const { code, err } = await project.npxSpc('--version').done;
    expect([code, err]).toEqual([
      1,
      expect.stringContaining('build: expected typescript, which compiles the sources, in node_modules, found none; npm ci'),
    ]);
    expect((await project.spc('--version').done).code).toBe(0);
  });

  it('takes nothing away from a run, which ends with the code it began with', async () => {
    const project = clone();
    writeFileSync(project.at('tiny.yaml'), TINY);
    const run = project.spc('run', 'tiny.yaml', '--results', project.at('results'), '--threads', '1');
    while (!existsSync(project.at('results/tiny/bases.jsonl'))) await new Promise((later) => setTimeout(later, 20));
    // What the run loads late is another file in the next build, and its old name is gone.
    renameSync(project.at('src/report/tables.ts'), project.at('src/report/sheaves.ts'));
    for (const name of readdirSync(project.at('src'), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'))) {
      const text = readFileSync(project.at('src', name), 'utf8');
      if (text.includes('/tables.ts')) writeFileSync(project.at('src', name), text.replaceAll('/tables.ts', '/sheaves.ts'));
    }
    const build = project.build();
    let calls = 0;
    for (let busy = true; busy; calls++) {
      expect((await project.spc('--version').done).err).toBe('');
      busy = build.child.exitCode === null;
    }
    expect([(await build.done).code, calls > 5, project.folders().length]).toEqual([0, true, 2]);
    expect([existsSync(project.at('dist/report/tables.js')), existsSync(project.at('dist/report/sheaves.js'))]).toEqual([false, true]);
    const { code, out, err } = await run.done;
    expect([code, err, out]).toEqual([0, expect.anything(), expect.stringContaining('RSI')]);
    expect((await project.spc('table', 'results/tiny').done).code).toBe(0);
  });

  it('killed at any moment it leaves what was there, and the next call finishes', async () => {
    const project = clone();
    const began = performance.now();
    project.change(USAGE, FROM, TO);
    expect((await project.build().done).code).toBe(0);
    const takes = performance.now() - began;
    let said = TO;
    for (let i = 0; i < 10; i++) {
      project.change(USAGE, said, `${FROM}, ${i}`);
      said = `${FROM}, ${i}`;
      const build = project.npxSpc('--help');
      await new Promise((later) => setTimeout(later, (takes * (i + 0.5)) / 10));
      toGroup(build, i % 3 === 0 ? 'SIGKILL' : 'SIGINT');
      await build.done;
      expect(await project.spc('--version').done).toMatchObject({ code: 0, err: '' });
    }
    expect(await project.npxSpc('--help').done).toMatchObject({ code: 0, out: expect.stringContaining(said) });
    expect(await project.npxSpc('--help').done).toMatchObject({ code: 0, out: expect.stringContaining(said), err: '' });
    expect(readFileSync(project.at('dist', 'cli', 'main.js'), 'utf8')).toContain(said);
  });

  it('of a clone that was never built, killed, is made by the next call, in sight', async () => {
    const project = clone(false);
    const first = project.npxSpc('--version');
    await new Promise((later) => setTimeout(later, 1_500));
    toGroup(first, 'SIGINT');
    const { code, err } = await first.done;
    expect([code, err]).toEqual([130, expect.stringContaining('build: ended by SIGINT')]);
    expect(project.folders()).toEqual([]);
    expect(await project.npxSpc('--version').done).toMatchObject({
      code: 0,
      out: '0.1.0\n',
      err: expect.stringMatching(/^build: compiles/),
    });
  });

  it('called by several at a time is made once, and all of them go on', async () => {
    const project = clone();
    project.change(USAGE, FROM, TO);
    const calls = await Promise.all(Array.from({ length: 4 }, () => project.npxSpc('--help').done));
    for (const { code, out } of calls) expect([code, out]).toEqual([0, expect.stringContaining(TO)]);
    expect(project.folders().length).toBe(2);
  });

  it('leaves every earlier build as it was, with which dist shares its files', async () => {
    const project = clone(false);
    expect((await project.build().done).code).toBe(0);
    const { stamp } = JSON.parse(readFileSync(project.at('dist/build.json'), 'utf8')) as { stamp: string };
    const first = project.at(`.dist-${stamp.slice(0, 16)}`);
    const before = digestsOf(first);
    project.change(USAGE, FROM, TO);
    expect((await project.build().done).code).toBe(0);
    expect(digestsOf(first)).toEqual(before);
    expect(readFileSync(project.at('dist/cli/main.js'), 'utf8')).toContain(TO);
  });

  it.each(['src/contract/ids.ts', 'tools/build.mjs', 'tools/build/wasm.mjs', 'tsconfig.json', 'tsconfig.build.json', 'package-lock.json'])(
    'is made anew where %s has changed',
    (name) => {
      const project = clone();
      const isFresh = (): string => {
        const look = "import('./tools/build/stamp.mjs').then(({ isFresh }) => console.log(isFresh()))";
        return execFileSync(process.execPath, ['-e', look], { cwd: project.at(), encoding: 'utf8' });
      };
      expect(isFresh()).toBe('true\n');
      writeFileSync(project.at(name), `${readFileSync(project.at(name), 'utf8')}\n`);
      expect(isFresh()).toBe('false\n');
    },
  );

  it('refuses sources that do not compile, and leaves the build before as it was', async () => {
    const project = clone();
    const before = digestsOf(project.at('dist'));
    writeFileSync(project.at('src/cli/wrong.ts'), "export const wrong: number = 'no';\n");
    const { code, err } = await project.npxSpc('--version').done;
    expect([code, err]).toEqual([
      1,
      expect.stringMatching(/wrong\.ts.*TS2322.*typescript ended with exit code 2; .*what was built before is as it was/s),
    ]);
    expect(digestsOf(project.at('dist'))).toEqual(before);
    expect(project.folders().length).toBe(1);
  });
});
