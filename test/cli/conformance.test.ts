import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { conformance } from '../../src/cli/conformance.ts';

const golden = fileURLToPath(new URL('../golden/', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'spc-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface File {
  environment: string;
  options: Record<string, unknown>;
  resetOptions: Record<string, unknown>;
  recorded: Record<string, string>;
  episodes: { seed: number | string; obs: number[][]; act: unknown[]; rew: number[]; term: boolean[]; trunc: boolean[] }[];
}

const textOf = (name: string): string => gunzipSync(readFileSync(join(golden, name))).toString();
const read = (name: string): File => JSON.parse(textOf(name));
const files = readdirSync(golden).filter((name) => name.endsWith('.json.gz') && textOf(name).startsWith('{"environment"'));

/** Three episodes of a golden file, changed. */
function changed(change: (file: File) => unknown, name = 'mountaincar.json.gz'): File {
  const file = read(name);
  file.episodes = file.episodes.slice(0, 3);
  change(file);
  return file;
}

function write(content: string | Uint8Array): string {
  const path = join(folder, 'recording');
  writeFileSync(path, content);
  return path;
}

async function run(...paths: string[]): Promise<{ code: number; said: string; complained: string }> {
  const said: string[] = [];
  const complained: string[] = [];
  const code = await conformance(
    paths,
    (line) => said.push(line),
    (line) => complained.push(line),
  );
  return { code, said: said.join('\n').replaceAll(`${folder}/`, ''), complained: complained.join('\n').replaceAll(`${folder}/`, '') };
}

const replay = (change: (file: File) => unknown, name?: string) => run(write(JSON.stringify(changed(change, name))));

describe('conformance(files)', () => {
  it('sees the files of test/golden', () => {
    expect(files).toEqual(expect.arrayContaining(['cartpole.json.gz', 'mountaincar-continuous.json.gz', 'mountaincar.json.gz']));
  });

  it.each(files)('finds nothing to report in %s', async (name) => {
    const { environment, recorded, episodes } = read(name);
    const steps = episodes.reduce((sum, { act }) => sum + act.length, 0).toLocaleString('en-US');
    const versions = `gymnasium ${recorded['gymnasium']}, numpy ${recorded['numpy']}, box2d ${recorded['box2d']}`;
    expect(await run(join(golden, name))).toEqual({
      code: 0,
      said: `${join(golden, name)}: ${environment}, recorded with ${versions}
  ${episodes.length} episodes, ${steps} steps; mismatches: 0 in observations, 0 in rewards, 0 in terminated, 0 in truncated, 0 ended early`,
      complained: '',
    });
  });

  it('reads plain JSON, and needs no versions', async () => {
    const { code, said } = await replay((file) => {
      file.recorded = {};
    });
    expect([code, said]).toEqual([
      0,
      'recording: MountainCar-v0\n  3 episodes, 438 steps; mismatches: 0 in observations, 0 in rewards, 0 in terminated, 0 in truncated, 0 ended early',
    ]);
  });

  it.each<[string, (file: File) => unknown, string, string]>([
    [
      'an observation',
      ({ episodes }) => episodes[1]!.obs[17]!.splice(1, 1, 0.5),
      '1 in observations',
      'episode 1 (seed 1), step 17, observation[1]: expected 0.5, got ',
    ],
    [
      'an initial observation, by the sign of a zero',
      ({ episodes }) => episodes[0]!.obs[0]!.splice(1, 1, -0),
      '1 in observations',
      'episode 0 (seed 0), step 0, observation[1]: expected -0, got 0',
    ],
    [
      'a reward',
      ({ episodes }) => episodes[2]!.rew.splice(115, 1, -2),
      '1 in rewards',
      'episode 2 (seed 2), step 116, reward: expected -2, got -1',
    ],
    [
      'a termination',
      ({ episodes }) => episodes[0]!.term.splice(121, 1, false),
      '1 in terminated',
      'episode 0 (seed 0), step 122, terminated: expected false, got true',
    ],
    [
      'a truncation',
      ({ episodes }) => episodes[1]!.trunc.splice(3, 1, true),
      '1 in truncated',
      'episode 1 (seed 1), step 4, truncated: expected true, got false',
    ],
  ])('finds one difference in %s, and says where', async (_, change, count, first) => {
    // JSON has no -0 by itself.
    const text = JSON.stringify(changed(change), (_key, value) => (Object.is(value, -0) ? '-0' : value)).replaceAll('"-0"', '-0.0');
    const { code, said } = await run(write(gzipSync(text)));
    expect([code, said.match(/[1-9]\d* (in|ended)[^,\n]*/g), said.split('\n  first: ')[1]]).toEqual([
      1,
      [count],
      expect.stringContaining(first),
    ]);
  });

  it('stops an episode that ends before the recorded one does, and goes on with the next', async () => {
    const { code, said } = await replay(({ episodes }) => {
      const { obs, act, rew, term, trunc } = episodes[1]!;
      for (const list of [obs, act, rew, term, trunc] as unknown[][]) list.push(list[199]);
      trunc[199] = false;
    });
    expect(code).toBe(1);
    expect(said).toContain(
      '3 episodes, 438 steps; mismatches: 0 in observations, 0 in rewards, 0 in terminated, 1 in truncated, 1 ended early',
    );
    expect(said).toContain('first: episode 1 (seed 1), step 200, truncated: expected false, got true');
  });

  it('takes an episode that was recorded in part', async () => {
    const { code, said } = await replay(({ episodes }) => {
      for (const list of [episodes[0]!.act, episodes[0]!.rew, episodes[0]!.term, episodes[0]!.trunc]) list.length = 50;
      episodes[0]!.obs.length = 51;
    });
    expect([code, said]).toEqual([0, expect.stringContaining('3 episodes, 366 steps')]);
  });

  it('maps Gymnasium’s options to ours', async () => {
    const { code, said } = await replay((file) => {
      file.options = { goal_velocity: 1 };
    });
    expect([code, said]).toEqual([
      1,
      expect.stringContaining('0 in observations, 0 in rewards, 2 in terminated, 0 in truncated, 0 ended early'),
    ]);
    const start = await replay((file) => {
      file.resetOptions = { low: 0.1, high: 0.2 };
    });
    expect([start.code, start.said]).toEqual([1, expect.stringContaining('first: episode 0 (seed 0), step 0, observation[0]')]);
  });

  it('reads big seeds as text, to the last digit', async () => {
    const big = async (seed: string) =>
      (
        await replay((file) => {
          file.episodes.length = 1;
          file.episodes[0]!.seed = seed;
        })
      ).said;
    expect(await big('0')).toContain('mismatches: 0 in observations');
    const [a, b] = [await big('90071992547409930'), await big('90071992547409931')];
    expect(a).toContain('episode 0 (seed 90071992547409930), step 0');
    expect(a.split('got ')[1]).not.toBe(b.split('got ')[1]);
  });

  it.each<[string, (string | number)[], unknown, string]>([
    [
      'an unknown environment',
      ['environment'],
      'Acrobot-v1',
      ' environment: expected one of CartPole-v1, MountainCar-v0, MountainCarContinuous-v0, LunarLander-v3, LunarLanderContinuous-v3, got Acrobot-v1',
    ],
    [
      'an unknown option',
      ['options'],
      { goal_velocty: 0 },
      " options: expected Gymnasium's options of this world that are ours, too, got goal_velocty; did you mean goal_velocity?",
    ],
    [
      'an option that is ours only',
      ['options'],
      { resetLow: 0 },
      " options: expected Gymnasium's options of this world that are ours, too, got resetLow; known: goal_velocity",
    ],
    [
      'a reset option that is none',
      ['resetOptions'],
      { x: 0 },
      " resetOptions: expected Gymnasium's options of this world that are ours, too, got x; known: low, high",
    ],
    [
      'an option of the wrong type',
      ['options'],
      { goal_velocity: 'fast' },
      ' options goalVelocity: expected a number in [-1000, 1000], got "fast"',
    ],
    ['a header without options', ['options'], undefined, ': expected a field options before the episodes, got none'],
    ['options that are no object', ['options'], 3, ' options: expected an object, got 3'],
    ['a file without episodes', ['episodes'], [], ': expected a field episodes, a list of one or more, got none'],
    ['an episode without rewards', ['episodes', 1, 'rew'], undefined, ' episodes[1] rew: expected a list of 200 numbers, got nothing'],
    ['an episode of too few rewards', ['episodes', 1, 'rew'], [1, 2], ' episodes[1] rew: expected a list of 200 numbers, got 2 of them'],
    [
      'a row that is too long',
      ['episodes', 2, 'obs', 5],
      [0, 0, 0],
      ' episodes[2] obs[5]: expected a row of 2 float32 values, got [0, 0, 0]',
    ],
    [
      'an observation that is no float32',
      ['episodes', 0, 'obs', 0, 0],
      0.1,
      ' episodes[0] obs[0]: expected a row of 2 float32 values, got [0.1, 0]',
    ],
    ['a reward that is no number', ['episodes', 0, 'rew', 7], null, ' episodes[0] rew[7]: expected a number, got null'],
    ['an action that is not there', ['episodes', 0, 'act', 7], 3, ' episodes[0] act[7]: expected an integer from 0 to 2, got 3'],
    ['a flag that is a number', ['episodes', 0, 'term', 7], 0, ' episodes[0] term[7]: expected a boolean, got 0'],
    [
      'a seed that JSON has rounded',
      ['episodes', 0, 'seed'],
      2 ** 60,
      ' episodes[0] seed: expected an integer from 0 up, as text where it exceeds 2^53 - 1, got 1152921504606847000',
    ],
    ['an episode that is no object', ['episodes', 0], 5, ' episodes[0]: expected an object, got 5'],
  ])('does not read %s', async (_, path, value, complaint) => {
    const { code, said, complained } = await replay((file) => {
      const last = path.at(-1)!;
      const parent = path.slice(0, -1).reduce<unknown>((at, step) => (at as Record<string, unknown>)[step], file) as Record<
        string,
        unknown
      >;
      parent[last] = value;
    });
    expect([code, said, complained]).toEqual([2, '', `recording${complaint}`]);
  });

  it('does not read an action of a continuous world that is no float32', async () => {
    const { code, complained } = await replay((file) => {
      file.episodes[0]!.act[3] = [0.1];
    }, 'mountaincar-continuous.json.gz');
    expect([code, complained]).toEqual([2, 'recording episodes[0] act[3]: expected a row of 1 float32 values, got [0.1]']);
  });

  it('does not read a truncated gzip, text that is no JSON, half of it, more than it, or nothing', async () => {
    const packed = readFileSync(join(golden, 'mountaincar.json.gz'));
    const text = JSON.stringify(read('mountaincar.json.gz'));
    const complaints = [];
    for (const content of [packed.subarray(0, packed.length / 2), 'episodes', text.slice(0, text.length / 2), `${text}]`, '']) {
      const { code, complained } = await run(write(content));
      expect(code).toBe(2);
      complaints.push(complained);
    }
    expect(complaints).toEqual([
      'recording: expected a file that can be read to its end, got an error: unexpected end of file',
      expect.stringContaining('recording: expected JSON, got something else; Unexpected "e"'),
      expect.stringContaining('recording: expected JSON, got something else; Tokenizer ended in the middle'),
      expect.stringContaining('recording: expected JSON, got something else; Unexpected "]"'),
      'recording: expected a field environment before the episodes, got none',
    ]);
    const missing = await run(join(folder, 'nothing-here'));
    expect([missing.code, missing.complained]).toEqual([2, expect.stringContaining('ENOENT')]);
  });

  it('goes on to the next file, and returns the highest code', async () => {
    const good = join(golden, 'mountaincar.json.gz');
    const { code, said, complained } = await run(join(folder, 'nothing-here'), good);
    expect([code, said, complained]).toEqual([2, expect.stringContaining('10 episodes'), expect.stringContaining('ENOENT')]);
    expect(await run()).toEqual({
      code: 2,
      said: '',
      complained: 'conformance: expected files of recorded episodes, got none; npm run conformance -- test/golden/cartpole.json.gz',
    });
  });
});
