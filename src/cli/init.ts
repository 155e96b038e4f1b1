import { rmSync, writeFileSync } from 'node:fs';
import type { CommandModule } from 'yargs';
import { environment } from '../contract/environments.ts';
import { ConfigError } from '../contract/errors.ts';
import { writeRefused } from '../contract/host.ts';
import { printValue, suggest } from '../contract/problems.ts';
import { SCENARIOS } from '../contract/scenarios.ts';
import { TUNED, type Tuned } from '../contract/tuned.ts';
import { visible } from '../contract/visible.ts';

interface InitArguments {
  readonly scenario: string | undefined;
  readonly out: string | undefined;
}

const USAGE = 2;
/** Where a comment begins, and where its lines end. */
const [COMMENT, END] = [32, 120];

/** Writes one file, and that only where there is none. */
function init({ scenario, out }: InitArguments): void {
  if (scenario === undefined) {
    process.stderr.write(`spc init SCENARIO writes a sweep for one of these, each with what it forbids:\n${scenarioLines().join('\n')}\n`);
    process.exitCode = USAGE;
    return;
  }
  const tuned = Object.hasOwn(TUNED, scenario) ? TUNED[scenario] : undefined;
  if (tuned === undefined) throw new ConfigError(`scenario: expected a scenario, got ${printValue(scenario)}; ${meant(scenario)}`);
  const name = scenario.replaceAll('/', '-');
  const file = out ?? `${name}.yaml`;
  const text = starterSweep(scenario, tuned, file === '-' ? `${name}.yaml` : file);
  if (file === '-') {
    process.stdout.write(text);
    return;
  }
  create(file, text);
  process.stdout.write(`${visible(file)}: a sweep of ${scenario}; next: spc plan ${visible(file)}, then spc run ${visible(file)}\n`);
}

/** A bare environment forbids nothing: what was meant is a scenario in it. */
function meant(given: string): string {
  const inside = Object.keys(SCENARIOS).filter((name) => SCENARIOS[name]?.environment.toLowerCase() === given.toLowerCase());
  if (inside.length > 0) return `that environment has ${inside.join(', ')}`;
  return `${suggest(given, Object.keys(TUNED))}`;
}

function scenarioLines(): string[] {
  const widest = Math.max(...Object.keys(TUNED).map((name) => name.length));
  return Object.entries(TUNED).map(([name, { forbidden }]) => `  ${name.padEnd(widest)}  ${forbidden}`);
}

/** A new file, never another's. */
function create(file: string, text: string): void {
  try {
    writeFileSync(file, text, { flag: 'wx' });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' || code === 'EISDIR')
      throw new ConfigError(`--out: expected a new file, got ${file}, which is there; remove it, or choose another name`, { cause: error });
    if (code === 'ENOENT' || code === 'ENOTDIR')
      throw new ConfigError(`--out: expected a file in a folder that is there, got ${file}; make the folder first`, { cause: error });
    if (code !== 'EACCES' && code !== 'EROFS' && code !== 'EPERM') rmSync(file, { force: true }); // ours, and half of it
    throw writeRefused(`${file}:`, error);
  }
}

/** `text`, and what it is for: beside it where that fits, else above it. */
function entry(text: string, why = ''): string {
  if (why === '') return text;
  const beside = `${text.padEnd(COMMENT)} # ${why}`;
  const indent = text.slice(0, text.search(/\S/));
  return beside.length <= END ? beside : `${indent}# ${why}\n${text}`;
}

/** The strategies of a first look, and what each of them says. */
const FIRST: readonly (readonly [name: string, says: string])[] = [
  ['none', 'the base as it is: what all others are compared with'],
  ['shield', 'forbidden actions are masked when it acts: what obeying costs this base'],
  ['tsf', 'unlearns what is forbidden on recorded states, and holds the rest to the base'],
];

/** What the parameters of training are that a scenario may set: the reason for a value stands behind it. */
const MEANING: Readonly<Record<string, string>> = {
  totalTimesteps: 'environment steps of one base',
  numEnvs: 'worlds that are stepped together',
  numSteps: 'steps per world between two updates',
  numMinibatches: 'a batch is cut into so many; must divide numEnvs x numSteps',
  updateEpochs: 'passes over each batch',
  learningRate: 'of Adam',
  annealLr: 'the learning rate falls linearly to 0',
  annealClip: 'so does the range of clipping',
  gamma: 'discount',
  gaeLambda: 'of the advantage estimate; 1 is plain returns',
  vfCoef: 'weight of the value loss',
  entCoef: 'weight of the entropy bonus',
  normObs: 'observations by their running mean and std',
  normReward: 'rewards by the running std of returns',
};

/** A sweep that a user goes on from: every key with its reason. Parameters are those of `TUNED`, and of no other place. */
export function starterSweep(scenario: string, { forbidden, seconds, ppo }: Tuned, file: string): string {
  const world = environment(SCENARIOS[scenario]?.environment ?? '');
  const name = scenario.replaceAll('/', '-');
  const paper = world.actionBounds === null ? ['    # and: tsf:paper, zsi:paper, ... (as the paper prints them)'] : [];
  const shown = visible(file);
  return `${[
    `# Does a policy of ${world.id} stop ${forbidden}, and what does it keep?`,
    `# Three bases of about ${seconds} s each on one core, nine trials. Next:`,
    `#   spc plan ${shown}   checks it, and says what it would run`,
    `#   spc run ${shown}    runs it; after a crash the same command goes on`,
    '# Every key and the whole grammar: docs/sweep-file.md; strategies and their parameters: docs/strategies.md;',
    '# what the numbers are: docs/tables.md; the world and its options: docs/worlds.md.',
    '# For an editor that completes and checks: spc schema > sweep.schema.json, and as the first line of this file',
    '#   yaml-language-server: $schema=sweep.schema.json',
    entry('version: 1', 'of the grammar of this file'),
    entry(`name: ${name}`, 'the folder of its rows in results/; spc table and spc list take this name'),
    entry(`description: Does a policy stop ${forbidden}?`),
    entry('seeds: 3', 'training seeds 1..3, a base for each; a glance: a claim wants 10 or more'),
    entry('correctionSeeds: 1', 'how often each base is corrected, each time by other random numbers'),
    entry('axes:', 'the grid, every scenario by every strategy; a parameter may be an axis, too: correct.steps: [250, 500]'),
    entry(`  scenario: [${scenario}]`, `forbidden: ${forbidden}`),
    '  strategy:',
    ...FIRST.map(([strategy, says]) => entry(`    - ${strategy}`, says)),
    `    # also: retrain (anew, under the mask), finetune, zsi (sees no recorded state), mrp+tsf (changes few weights)`,
    ...paper,
    entry(
      'acceptance: refuse',
      `a base that returns less than ${world.gate} or hardly does what is forbidden fails; report: it counts, footnoted`,
    ),
    entry('ppo:', 'training; what is not here has its default, spc schema has all'),
    ...ppo.map(([key, value, why]) => entry(`  ${key}: ${printValue(value)}`, [MEANING[key], why].filter(Boolean).join(': '))),
    entry('# correct:', 'parameters of strategies, for all that read them; without it each has its own'),
    entry('#   steps: 500', 'the budget K of a correction'),
    entry('# evaluate:', 'measuring'),
    entry('#   overrun: [2, 4]', 'also the policy after 2K and 4K steps: does it hold when nobody stops at K?'),
    entry('# limits: { wall: 30m }', 'of one job; what meets it is tried again by the next run'),
  ].join('\n')}\n`;
}

/** `spc init`: exit codes 0 written; 2 usage, also when no scenario is named. */
export const initCommand: CommandModule<object, InitArguments> = {
  command: 'init [scenario]',
  describe: 'write a commented sweep file for a scenario; without one, name the scenarios',
  builder: (yargs) =>
    yargs
      .positional('scenario', { type: 'string', describe: `one of ${Object.keys(TUNED).join(', ')}` })
      .option('out', {
        type: 'string',
        requiresArg: true,
        describe: 'the file to write, which must not be there; - for stdout',
        defaultDescription: 'SCENARIO.yaml, with - for /',
      })
      .epilogue('The parameters are those with which every base of sweeps/worlds.yaml reached its gate. Exit codes: 0, 2 usage.'),
  handler: init,
};
