import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { METRICS } from '../../src/report/metrics.ts';
import { completed, inProcess } from './inprocess.ts';

const root = mkdtempSync(join(tmpdir(), 'completion-'));
const digest = '0123456789abcdef'.repeat(4);
mkdirSync(join(root, 'results', 'quick', 'policies'), { recursive: true });
writeFileSync(join(root, 'results', 'quick', 'sweep.yaml'), '');
writeFileSync(join(root, 'results', 'quick', 'policies', `${digest}.safetensors`), '');
mkdirSync(join(root, 'sweeps'));
writeFileSync(join(root, 'sweeps', 'one file.yaml'), '');
writeFileSync(join(root, 'sweeps', 'two.yml'), '');
writeFileSync(join(root, 'sweeps', 'notes.md'), '');
writeFileSync(join(root, 'sweeps', 'evil\u001b[2J\n.yaml'), '');
symlinkSync(join(root, 'sweeps'), join(root, 'sweeps', 'again'));

const cli = resolve('dist/cli/cli.js');
/** As a shell asks. */
function ask(...words: string[]): string[] {
  const { stdout, stderr } = spawnSync(process.execPath, [cli, '--get-yargs-completions', 'spc', ...words], {
    cwd: root,
    encoding: 'utf8',
  });
  expect(stderr).toBe('');
  return stdout.split('\n').slice(0, -1);
}

/** The same without a process, in that folder. */
function offered(...words: string[]): string[] {
  const here = process.cwd();
  process.chdir(root);
  try {
    return completed(...words);
  } finally {
    process.chdir(here);
  }
}

describe('spc --get-yargs-completions', () => {
  it('knows every command, with what it does', () => {
    const { stdout } = spawnSync(process.execPath, [cli, '--help'], { encoding: 'utf8' });
    const commands = [...stdout.matchAll(/^ {2}spc ([a-z]+)/gm)].map(([, name]) => name!);
    expect(commands.length).toBeGreaterThan(18);
    const lines = ask('');
    expect(lines.map((line) => line.split('\t', 1)[0])).toEqual(expect.arrayContaining(commands));
    expect(lines).toContain('plan\tcheck a sweep file and show what it would run');
    expect(ask('plan', 'sweeps/')).toEqual(['sweeps/again/\t', 'sweeps/one file.yaml\t', 'sweeps/two.yml\t']); // nothing that a terminal would obey
  });

  it.each<[string[], string[]]>([
    [
      ['run', 'x.yaml', '--rec'],
      ['--recompute', '--recheck'],
    ],
    [['run', 'x.yaml', '--recompute', '--reco'], []], // once is enough
    [
      ['plan', ''],
      ['results/', 'sweeps/'],
    ],
    [
      ['plan', 'sweeps/two.yml', 'scenario=mountaincar'],
      ['scenario=mountaincar/pump-left', 'scenario=mountaincar-continuous/pump'],
    ],
    [['run', 'sweeps/two.yml', 'strategy=none,shi'], ['strategy=none,shield']],
    [['run', 'x', 'ppo.normO'], ['ppo.normObs=']],
    [
      ['run', 'x', 'ppo.normObs='],
      ['ppo.normObs=true', 'ppo.normObs=false'],
    ],
    [['run', 'x', 'axes.engine=wasm,ref'], ['axes.engine=wasm,reference']],
    [['run', 'x', 'y=1', 'accept'], ['acceptance=']],
    [['list', 'qui'], ['quick']],
    [['list', 'quick', '--where', 'seed=1,state=ok|mis'], ['seed=1,state=ok|missing']],
    [['list', 'quick', '--where=stra'], ['--where=strategy=']],
    [['why', 'quick', 'strategy!=shi'], ['strategy!=shield']],
    [
      ['table', 'quick', '--format', ''],
      ['md', 'csv', 'tex', 'json'],
    ],
    [
      ['table', 'quick', '--baseline', 'retrain'],
      ['retrain', 'retrain-penalty'],
    ],
    [['export', '0'], [digest.slice(0, 12)]],
    [['export', '--results', 'quick', '01'], [digest.slice(0, 12)]],
    [['export', '01', '--to', 's'], ['safetensors']],
    [['rerun', 'quick', '--where', 'sta'], ['state=']],
    [
      ['completion', ''],
      ['bash', 'zsh', 'fish'],
    ],
    [['init', 'cart'], ['cartpole/angle']],
    [['nonsense', ''], []],
    [
      ['export', '--results', '/nowhere', ''],
      ['results/', 'sweeps/'],
    ],
    [['plan', '/nowhere/'], []],
    [['plan', '\u001b[2J'], []],
    [['run', 'x', 'constructor='], []],
    [['run', 'x', '__proto__.'], []],
  ])('%j: %j', (words, expected) => {
    expect(offered(...words)).toEqual(expected);
  });

  it('--metric has the keys of the table, one after the other', () => {
    const keys = METRICS.map(({ key }) => key);
    expect(offered('table', 'quick', '--metric', '')).toEqual(keys);
    expect(offered('compare', 'quick', '--metric', 'fe,rsiS')).toEqual(['fe,rsiSampled']);
  });
});

const script = async (shell: string): Promise<string> => (await inProcess(['completion', shell])).stdout;
const has = (shell: string): boolean => spawnSync(shell, ['-c', 'exit 0']).status === 0;

describe('spc completion SHELL', () => {
  it('refuses a shell that it does not know; exit code 2', async () => {
    expect((await inProcess(['completion', 'tcsh'])).code).toBe(2);
    expect((await inProcess(['completion'])).code).toBe(2);
  });

  it.each<[string, string[]]>([
    ['spc pla', ['plan']],
    ['spc plan sweeps/t', ['sweeps/two.yml']],
    ['spc plan sweeps/o', ['sweeps/one\\ file.yaml']],
    ['spc plan sweeps/two.yml scenario=cart', ['cartpole/angle']], // readline keeps what stands before =
    ['spc list quick --where strategy=tsf:', ['paper']],
    ["spc list quick --where 'strategy=none|tsf:", ['strategy=none|tsf:paper']],
    ['spc list quick --where strategy=none\\|tsf+', ['none\\|tsf+zsi:paper', 'none\\|tsf+zsi']],
    ['spc nonsense ', []],
  ])('bash: %s', async (line, expected) => {
    const program = `${await script('bash')}\nCOMP_LINE=$1 COMP_POINT=\${#1}\n_spc_complete\n((\${#COMPREPLY[@]})) && printf '%s\\n' "\${COMPREPLY[@]}"\ncomplete -p spc`;
    const { stdout, stderr } = spawnSync('bash', ['--norc', '-c', program, 'bash', line], { cwd: root, encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(stdout.trim().split('\n')).toEqual([...expected, 'complete -F _spc_complete spc']);
  });

  it.skipIf(!has('fish'))('fish: with what each is for', async () => {
    writeFileSync(join(root, 'spc.fish'), await script('fish'));
    const fish = (line: string): string => {
      const { stdout, stderr } = spawnSync('fish', ['--no-config', '-c', 'source spc.fish; complete -C $argv[1]', line], {
        cwd: root,
        encoding: 'utf8',
      });
      expect(stderr).toBe('');
      return stdout;
    };
    expect(fish('spc pla')).toMatch(/^plan\tcheck a sweep file/);
    expect(fish('spc plan sweeps/t')).toBe('sweeps/two.yml\n');
    expect(fish('spc plan sweeps/two.yml scenario=cart')).toBe('scenario=cartpole/angle\n');
    expect(fish('spc completion ')).toBe('bash\nfish\nzsh\n');
  });

  it.skipIf(!has('zsh'))('zsh: at a terminal, tab by tab', async () => {
    writeFileSync(join(root, 'spc.zsh'), await script('zsh'));
    const program = `
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell 'PS1=; autoload -Uz compinit; compinit -u -D; source ./spc.zsh; spc() { print "GOT[$*]" }; print READ""Y'
zpty -r -m shell out '*READY*'
zpty -w -n shell $1$'\\t\\n'
zpty -r -m shell out '*GOT*]*'
print -r -- $out
`;
    const typed = (line: string): string => {
      const { stdout } = spawnSync('zsh', ['-f', '-c', program, 'zsh', line], { cwd: root, encoding: 'utf8', timeout: 25_000 });
      return /GOT\[(.*?)\]/.exec(stdout)?.[1] ?? stdout;
    };
    expect(typed('spc pla')).toBe('plan');
    expect(typed('spc plan sweeps/o')).toBe('plan sweeps/one file.yaml');
    expect(typed('spc plan sweeps/two.yml scenario=cart')).toBe('plan sweeps/two.yml scenario=cartpole/angle');
  });
});
