import { ConfigError } from '../contract/errors.ts';
import { fromGymnasium } from '../contract/gymnasium.ts';
import { conform, QUANTITIES, type Quantity } from '../envs/conformance.ts';
import { makeEnv } from '../envs/make.ts';
import type { VecEnv } from '../envs/vecenv.ts';
import { parseEpisode, type RecordingHeader, readRecording } from './recording.ts';

const [SAME, DIFFERENT, UNREADABLE] = [0, 1, 2];

const WORDS: Readonly<Record<Quantity, string>> = {
  observation: 'in observations',
  reward: 'in rewards',
  terminated: 'in terminated',
  truncated: 'in truncated',
  length: 'ended early',
};

/**
 * Replays files of recorded episodes in our worlds and says of each, a line at a time, what differs and where first.
 * Returns 0 if nothing does, 1 if something does, 2 if a file cannot be read as recorded episodes of a world of ours; the highest of all files.
 */
export async function conformance(
  paths: readonly string[],
  say: (line: string) => void,
  complain: (line: string) => void,
): Promise<number> {
  if (paths.length === 0) {
    complain('conformance: expected files of recorded episodes, got none; npm run conformance -- test/golden/cartpole.json.gz');
    return UNREADABLE;
  }
  let code = SAME;
  for (const path of paths) {
    try {
      code = Math.max(code, await conformanceOf(path, say));
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      complain(error.message);
      code = UNREADABLE;
    }
  }
  return code;
}

async function conformanceOf(path: string, say: (line: string) => void): Promise<number> {
  let world: VecEnv | undefined;
  let title = '';
  let first = '';
  const sum: Record<Quantity, number> = { observation: 0, reward: 0, terminated: 0, truncated: 0, length: 0 };
  let [episodes, steps] = [0, 0];
  for await (const item of readRecording(path)) {
    if ('header' in item) {
      world = worldOf(path, item.header);
      const versions = Object.entries(item.header.recorded).map(([name, version]) => `${name} ${version}`);
      title = [item.header.environment, ...(versions.length > 0 ? [`recorded with ${versions.join(', ')}`] : [])].join(', ');
      continue;
    }
    if (!world) throw new Error('conformance: an episode came before the header');
    const where = `${path} episodes[${episodes}]`;
    const episode = parseEpisode(where, item.episode, world);
    const found = conform(world, episode);
    if (found.first && first === '') {
      const { step, quantity, expected, got } = found.first;
      first = `episode ${episodes} (seed ${episode.seed}), step ${step}, ${quantity}: expected ${expected}, got ${got}`;
    }
    for (const quantity of QUANTITIES) sum[quantity] += found.mismatches[quantity];
    episodes++;
    steps += found.steps;
  }
  const counts = QUANTITIES.map((quantity) => `${print(sum[quantity])} ${WORDS[quantity]}`).join(', ');
  say(`${path}: ${title}`);
  say(`  ${print(episodes)} episodes, ${print(steps)} steps; mismatches: ${counts}`);
  if (first === '') return SAME;
  say(`  first: ${first}`);
  return DIFFERENT;
}

function worldOf(path: string, header: RecordingHeader): VecEnv {
  try {
    const { id, options } = fromGymnasium(header);
    return makeEnv(id, options, 1, { autoreset: false });
  } catch (error) {
    if (error instanceof ConfigError || error instanceof RangeError) throw new ConfigError(`${path} ${error.message}`, { cause: error });
    throw error;
  }
}

const print = (count: number): string => count.toLocaleString('en-US');
