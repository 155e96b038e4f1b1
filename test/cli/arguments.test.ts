import { mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { main } from '../../src/cli/main.ts';
import { type Command, nameOf, type Option, type Shape, shapeOf } from '../../src/cli/shape.ts';

/** Every command there is: what the files of the command line export under such a name. */
async function commandsThere(): Promise<Command[]> {
  const files = readdirSync('src/cli').filter((name) => !['cli.ts', 'commands.ts', 'main.ts'].includes(name));
  const modules = await Promise.all(files.map((name) => import(`../../src/cli/${name}`) as Promise<Record<string, unknown>>));
  const found = modules.flatMap((exported) => Object.entries(exported).filter(([name]) => /Command$/.test(name)));
  return found.map(([, value]) => (typeof value === 'function' ? (value as () => Command)() : (value as Command)));
}

let called: { name: string; args: Record<string, unknown> } | null = null;
const real = await commandsThere();
const commands = real.map(
  (command): Command => ({
    ...command,
    handler: (args: Record<string, unknown>) => {
      called = { name: nameOf(command), args };
    },
  }),
);
const shapes = real.map(shapeOf);
const all: [string, Shape, Option][] = shapes.flatMap((shape) =>
  shape.options.map((option): [string, Shape, Option] => [`${shape.name} --${option.name}`, shape, option]),
);

let stderr: string;
let stdout: string;
beforeEach(() => {
  [stdout, stderr, called] = ['', '', null];
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    stdout += String(text);
    return true;
  });
  vi.spyOn(console, 'log').mockImplementation((text) => {
    stdout += `${text}\n`;
  });
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    stderr += String(text);
    return true;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
});

interface Said {
  readonly code: number;
  readonly text: string;
  readonly args: Record<string, unknown> | null;
}
const call = async (...argv: string[]): Promise<Said> => {
  [stdout, stderr, called] = ['', '', null];
  process.exitCode = undefined;
  await main(argv, commands);
  const known = called as { args: Record<string, unknown> } | null;
  return { code: Number(process.exitCode ?? 0), text: stderr.trim(), args: known?.args ?? null };
};

/** What a command needs, and a value for an option. */
const valueFor = ({ type, choices, name }: Option, i = 0): string =>
  choices.length > 0 ? (choices[i] ?? choices[0] ?? '') : type === 'number' ? String(i + 1) : name === 'where' ? `seed=${i + 1}` : `v${i}`;
const needed = (shape: Shape, but = ''): string[] => [
  ...shape.places.filter(({ required }) => required).map(({ name }) => name),
  ...shape.options.filter(({ required, name }) => required && name !== but).map((option) => `--${option.name}=${valueFor(option)}`),
  ...(shape.name === 'serve' && ['host', 'worker', 'workers'].includes(but) ? ['--listen=0.0.0.0:1'] : []),
];

const PARSER =
  /bug|YError|non-option|Unknown (argument|command)|Missing|Invalid values|Argument:|Choices:|mutually exclusive|Implications|Not enough|Did you mean|undefined|\n {4}at /;
const refusal = ({ code, text, args }: Said): string => {
  expect([code, args, text.match(PARSER)]).toEqual([2, null, null]);
  expect(text).toMatch(
    /^(spc( \w+)?|--[\w-]+|serve): (expected .+, got .+|given .+ times?|given twice .+; give it once|--host, --worker and --workers go with --listen)/s,
  );
  return text;
};

it('there are commands, and options of every kind', () => {
  expect(shapes.map(({ name }) => name)).toEqual(expect.arrayContaining(['plan', 'run', 'table', 'compare', 'rerun', 'export', 'worker']));
  expect(shapes.length).toBeGreaterThanOrEqual(18);
  expect(all.length).toBeGreaterThan(50);
  expect(new Set(all.map(([, , { type, many }]) => `${type} ${many}`)).size).toBe(4);
});

describe.each(all)('spc %s', (_, shape, option) => {
  const { name, type, many } = option;
  const key = name.replaceAll(/-(.)/g, (__, letter: string) => letter.toUpperCase());
  const spc = (...more: string[]): Promise<Said> => call(shape.name, ...needed(shape, name), ...more);

  it('is understood once', async () => {
    const { text, args } = await spc(...(type === 'boolean' ? [`--${name}`] : [`--${name}`, valueFor(option)]));
    expect(text).toBe('');
    const value = args?.[key];
    expect(Array.isArray(value) ? value[0] : value).toEqual(type === 'boolean' ? true : type === 'number' ? 1 : valueFor(option));
  });

  it('given twice adds up, or is refused', async () => {
    if (type === 'boolean') {
      expect((await spc(`--${name}`, `--${name}`)).args?.[key]).toBe(true);
      expect(refusal(await spc(`--${name}`, `--no-${name}`))).toContain(`--${name} and --no-${name}`);
      return;
    }
    const said = await spc(`--${name}`, valueFor(option), `--${name}=${valueFor(option, 1)}`);
    if (!many) {
      expect(refusal(said)).toBe(`--${name}: given twice (${valueFor(option)} and ${valueFor(option, 1)}); give it once`);
      expect(refusal(await spc(`--${name}=${valueFor(option)}`, `--${name}=${valueFor(option)}`))).toContain('given twice');
    } else {
      const both = [valueFor(option), valueFor(option, 1)];
      const value = said.args?.[key];
      expect(Array.isArray(value) ? value : String(value).split(',')).toEqual(both);
    }
  });

  it('with --no- is off, or refused', async () => {
    const said = await spc(`--no-${name}`);
    if (type === 'boolean') expect(Boolean(said.args?.[key])).toBe(false);
    else expect(refusal(said)).toBe(`--no-${name}: expected --${name} with a value, got no-; leave it out for its default`);
  });

  it('without a value, or with an empty one, is on, or refused', async () => {
    if (type === 'boolean') {
      refusal(await spc(`--${name}=`));
      refusal(await spc(`--${name}=maybe`));
      expect((await spc(`--${name}=true`)).args?.[key]).toBe(true);
      expect(Boolean((await spc(`--${name}=false`)).args?.[key])).toBe(false);
      return;
    }
    expect(refusal(await spc(`--${name}`))).toMatch(/got none$/);
    const other = shape.options.find((one) => one.type === 'boolean');
    if (other) expect(refusal(await spc(`--${name}`, `--${other.name}`))).toContain(`got --${other.name}, which is another option`);
    for (const empty of [[`--${name}=`], [`--${name}`, '']]) {
      const said = await spc(...empty);
      if (name === 'where' || name === 'reason') expect(said.args?.[key]).toBe('');
      else expect(refusal(said)).toMatch(/got nothing$/);
    }
  });

  it.runIf(type === 'number')('takes numbers only', async () => {
    for (const value of ['abc', 'NaN', 'nan', '1e400', 'Infinity', '', '1_000', '1,5', '0x10', '3x'])
      expect(refusal(await spc(`--${name}=${value}`))).toMatch(new RegExp(`^--${name}: expected a number`));
    expect((await spc(`--${name}`, '-1')).args?.[key]).toBe(-1);
    expect((await spc(`--${name}`, '1e2')).args?.[key]).toBe(100);
  });
});

describe('spc', () => {
  const names = shapes.map(({ name }) => name);

  it.each(names)('%s asks for what it needs, and names what is too much', async (name) => {
    const shape = shapes.find((one) => one.name === name) as Shape;
    if (shape.places.some(({ required }) => required)) expect(refusal(await call(name))).toContain(`spc ${name}: expected <`);
    for (const { name: option } of shape.options.filter(({ required }) => required))
      expect(refusal(await call(name, ...needed(shape, option)))).toContain(`expected --${option} (`);
    if (!shape.places.some(({ many }) => many))
      expect(
        refusal(
          await call(name, ...shape.places.map((place) => place.choices[0] ?? 'a'), 'extra', ...needed(shape).slice(shape.places.length)),
        ),
      ).toContain('extra');
    for (const [one, other] of shape.conflicts) {
      const options = [one, other].map((key) => shape.options.find((option) => option.name === key) as Option);
      const both = options.map((option) => `--${option.name}=${option.type === 'boolean' ? 'true' : valueFor(option)}`);
      expect(refusal(await call(name, ...needed(shape), ...both))).toContain(`--${one} or --${other}`);
    }
    for (const strange of [
      '--zzzzzzzz',
      '--zzzzzzzz=3',
      '-z',
      '-zz',
      '--__proto__',
      '--constructor=1',
      '--toString',
      '--=',
      '---',
      '--no-',
      '--no-zz',
    ])
      expect([strange, refusal(await call(name, ...needed(shape), strange))]).toEqual([
        strange,
        expect.stringContaining('expected an option that it has'),
      ]);
  });

  it.each(names)('%s shows its help in every way in which it is asked for', async (name) => {
    const ways = [
      [name, '--help'],
      [name, '-h'],
      ['help', name],
      ['--help', name],
      ['-h', name],
      [name, 'x', '--help', '--zzz'],
    ];
    for (const way of ways) {
      expect((await call(...way)).code).toBe(0);
      expect(stdout).toContain(`spc ${name}`);
      expect(stdout).not.toContain('Commands:');
    }
    expect((await call(name, '-v')).code).toBe(0);
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it('shows all commands, and its version, in every way in which they are asked for', async () => {
    for (const way of [['--help'], ['-h'], ['help'], ['help', '--help'], ['help', 'help']]) {
      expect((await call(...way)).code).toBe(0);
      for (const name of names) expect(stdout).toContain(`spc ${name}`);
    }
    for (const way of [['--version'], ['-v'], ['version']]) {
      expect((await call(...way)).code).toBe(0);
      expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    }
  });

  it('lists the commands, a line each, where none was named or none was meant', async () => {
    for (const way of [[], ['plot'], ['--threads', '2'], ['help', 'plot'], ['--zzz']]) {
      const lines = refusal(await call(...way)).split('\n');
      expect(lines.slice(1).map((line) => line.match(/^ {2}(\w+) +\S/)?.[1])).toEqual(names);
    }
    expect(stderr).toContain('got the option --zzz');
    expect(refusal(await call('plot'))).toMatch(/^spc: expected a command, got the unknown command plot; /);
  });

  it.each([
    ['rnu', 'run'],
    ['RUN', 'run'],
    ['tabel', 'table'],
    ['log', 'logs'],
    ['validate', 'plan'],
    ['train', 'run'],
    ['diff', 'compare'],
  ])('%s is told that %s was meant, and what there is', async (word, meant) => {
    expect(refusal(await call(word, 'x.yaml'))).toBe(
      `spc: expected a command, got the unknown command ${word}; did you mean ${meant}?\n  commands: ${names.join(', ')}`,
    );
  });

  it('a file or a folder for a command is told the command', async () => {
    expect(refusal(await call('sweeps/quick.yaml'))).toMatch(/which is a sweep file; did you mean spc run sweeps\/quick\.yaml\?$/);
    expect(refusal(await call('results/reference/worlds'))).toMatch(/did you mean spc table results\/reference\/worlds\?$/);
  });

  it.each<[string[], string]>([
    [['run', 'f', '--seeds', '10'], 'got --seeds; write seeds=10 after the file'],
    [['run', 'f', '--seeds=10'], 'got --seeds; write seeds=10 after the file'],
    [['run', '--seeds', '1..5', 'f'], 'got --seeds; write seeds=1..5 after the file'],
    [['plan', 'f', '--seed', '7'], 'got --seed; write seeds=7..7 after the file for that seed alone, or seeds=7 for 1..7'],
    [['run', 'f', '--seeds'], 'got --seeds; write seeds=VALUE after the file'],
    [['run', 'f', '--engine', 'reference'], 'got --engine; write engine=reference after the file'],
    [['run', 'f', '--ppo.gamma=0.9'], 'got --ppo.gamma; write ppo.gamma=0.9 after the file'],
    [['run', 'f', '--ppo.lr', '1e-3'], 'got --ppo.lr; write ppo.learningRate=1e-3 after the file'],
    [['run', 'f', '--lr=1e-3'], 'got --lr; write ppo.learningRate=1e-3 after the file'],
    [['run', 'f', '--strategy', 'none,tsf'], 'got --strategy; write strategy=none,tsf after the file'],
    [['run', 'f', '--axes.correct.steps', '1,2'], 'got --axes.correct.steps; write axes.correct.steps=1,2 after the file'],
    [['run', 'f', '--exclude', '{ strategy: none }'], "got --exclude; write 'exclude={ strategy: none }' after the file"],
    [['price', 's', '--seeds', '3'], 'got --seeds; write seeds=3 after the scenario'],
    [['table', 'quick', '--seeds', '3'], 'got --seeds; write --where seed=1..3 to choose trials'],
    [['table', 'quick', '--seed', '3'], 'got --seed; write --where seed=3 to choose trials'],
    [['rerun', 'quick', '--strategy=tsf|none', '--where='], "got --strategy; write --where 'strategy=tsf|none' to choose trials"],
    [['run', '--file', 'f.yaml'], 'got --file; write f.yaml without --file'],
    [['run', 'f', '--threds', '2'], 'got --threds; did you mean --threads?'],
    [['run', 'f', '-threads', '2'], 'got -threads; write --threads'],
    [['run', 'f', '-j', '2'], 'got -j; did you mean --threads?'],
    [['run', 'f', '--jobs', '2'], 'got --jobs; did you mean --threads?'],
    [['table', 'f', '--group_by', 'seed'], 'got --group_by; did you mean --group-by?'],
    [['run', 'f', '--axis', 'engine'], 'got --axis; spc compare has it'],
    [['table', 'f', 'seeds=3'], 'got "seeds=3"; write --where seed=1..3 to choose trials'],
    [['table', 'f', '--where', 'seed=1', 'strategy=tsf'], 'got "strategy=tsf"; write --where seed=1,strategy=tsf to choose trials'],
    [['export', 'f', '--to=json', 'a=1'], 'got "a=1"; spc export takes no overrides'],
    [['plan', '--', '-x.yaml'], 'got -x.yaml; write ./-x.yaml for a file'],
    [['table', 'f', '--format', 'latex'], 'expected one of md, csv, tex, json, got "latex"; did you mean tex?'],
    [['table', 'f', '--format', 'markdown'], 'got "markdown"; did you mean md?'],
    [['workers', 'drian'], 'expected one of list, drain, release, got "drian"; did you mean drain?'],
  ])('%j is told what to write', async (argv, remedy) => {
    const text = refusal(await call(...argv));
    expect(text.slice(-remedy.length)).toBe(remedy);
  });

  it('reads what stands where, whatever the order', async () => {
    const { args } = await call('--threads', '3', 'run', 'f.yaml', '--quiet', 'seeds=2', '--no-extend', 'description=a b');
    expect(args).toMatchObject({ file: 'f.yaml', overrides: ['seeds=2', 'description=a b'], threads: 3, quiet: true, extend: false });
    expect((await call('worker', '--engine', 'wasm', 'tfjs', '--engine=reference')).args?.['engine']).toEqual([
      'wasm',
      'tfjs',
      'reference',
    ]);
    expect((await call('table', 'q', '--perSeed', '--groupBy', 'strategy')).args).toMatchObject({
      'per-seed': true,
      'group-by': 'strategy',
    });
    expect((await call('table', 'q', '--json', 'false')).args?.['json']).toBeUndefined();
    expect((await call('logs', '3e10')).args?.['trial']).toBe('3e10'); // no number
    expect((await call('export', '0123', '--to', 'json')).args?.['policy']).toBe('0123');
    expect((await call('table', 'q', '--where', 'seed=1', '--where', '', '--where=state=ok')).args?.['where']).toBe('seed=1,state=ok');
  });

  it('says what it is that was given for a folder', async () => {
    const file = join(mkdtempSync(join(tmpdir(), 'spc-')), 'x');
    writeFileSync(file, 'PK\x03\x04');
    expect(refusal(await call('plan', 'f', '--results', file))).toBe(`--results: expected a folder, got ${file}, which is a zip archive`);
    expect(refusal(await call('plan', 'f', '--results', join(file, 'y')))).toContain('nothing: a part of that path is a file');
  });

  it('any line is a call, a help text or a refusal in our words', async () => {
    const options = all.map(([, , { name }]) => name);
    const word = fc.oneof(
      fc.constantFrom(
        ...shapes.map(({ name }) => name),
        'help',
        'version',
        'x.yaml',
        'seeds=3',
        'seeds',
        '10',
        '-1',
        '',
        ' ',
        'true',
        'false',
        '--',
        '-',
      ),
      fc
        .constantFrom(...options)
        .chain((name) => fc.constantFrom(`--${name}`, `--no-${name}`, `--${name}=`, `--${name}=3`, `-${name}`, `--${name}=--${name}`)),
      fc.constantFrom(
        '-h',
        '-v',
        '-abc',
        '--=',
        '--a.b.c=1',
        '--x[]=1',
        '--__proto__.x=1',
        '--no-',
        '---',
        '-=',
        '-1e3',
        '--constructor',
        '=',
        '--help=x',
      ),
      fc.string({ unit: 'binary', maxLength: 6 }),
    );
    const codes = new Set<number>();
    await fc.assert(
      fc.asyncProperty(fc.array(word, { maxLength: 6 }), async (argv) => {
        const said = await call(...argv);
        codes.add(said.code);
        if (said.code !== 0) refusal(said);
        else expect([said.args !== null || stdout !== '', said.text]).toEqual([true, '']);
      }),
      { numRuns: 300 },
    );
    expect([...codes].sort()).toEqual([0, 2]);
  });
});
