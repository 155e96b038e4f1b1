import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism, freemem, homedir, totalmem } from 'node:os';
import { join } from 'node:path';
import type { CommandModule } from 'yargs';
import { findServer, waysHere } from '../bus/nats/binary.ts';
import { isOlder } from '../bus/nats/version.ts';
import { environment } from '../contract/environments.ts';
import { HostError } from '../contract/host.ts';
import { visible } from '../contract/visible.ts';
import { makeEnv } from '../envs/make.ts';
import type { Shape } from '../math/engine.ts';
import { size } from '../math/layout.ts';
import { makeEngine } from '../worker/engines.ts';
import { findBinding, REMEDIES, tensorFlowVersion } from '../worker/tfjs/find.ts';
import { FEWEST_FILES } from './files.ts';
import { ask, diskAt, findProgram, groupCores, groupMemory, HERE, limitOf, type Place } from './machine.ts';
import { RESULTS } from './table.ts';
import { WIDTH } from './text.ts';

interface DoctorArguments {
  readonly results: string;
  readonly json: boolean;
}

/** One line of the answer. */
export interface Check {
  readonly name: string;
  /** `absent` is no fault: what it is for goes without. */
  readonly state: 'ok' | 'absent' | 'bad';
  /** Whether `spc run` needs it. */
  readonly needed: boolean;
  readonly found: string;
  readonly purpose: string;
  /** What to do where it is not ok. */
  readonly remedy?: string;
}

const EXIT_BAD = 1;
/** Nobody is waited for longer; all are asked at once. */
const PATIENCE_MS = 2_000;

const [MB, GB] = [1e6, 1e9];
/** Of a run of two threads, measured: 140 MB in each of its two processes. */
const LEAST_MEMORY = 500 * MB;
const LEAST_DISK = 100 * MB;

const inBytes = (bytes: number): string => (bytes >= GB ? `${(bytes / GB).toFixed(1)} GB` : `${Math.round(bytes / MB)} MB`);
const needed = (name: string, ok: boolean, found: string, purpose: string, remedy: string): Check =>
  ok ? { name, state: 'ok', needed: true, found, purpose } : { name, state: 'bad', needed: true, found, purpose, remedy };
const optional = (name: string, found: string | null, purpose: string, remedy: string): Check =>
  found === null
    ? { name, state: 'absent', needed: false, found: 'not found', purpose, remedy }
    : { name, state: 'ok', needed: false, found, purpose };

/** Everything that there is to know, asked at once. */
export async function examine(results: string, place: Place = HERE): Promise<readonly Check[]> {
  const slow = [
    npm(place),
    server(place),
    ...python(place),
    program('git', 'git', ['--version'], place, 'to follow the project in a clone'),
  ];
  const quick = [node(), arithmetic(), cores(place), memory(place), addresses(place), files(place), disk(results)];
  const rest = [tensorFlow('tfjs'), tensorFlow('tfjs-cpu'), browser(place), terminal()];
  return [...quick.flat(), ...(await Promise.all(slow)).flat(), ...rest].map((check) => ({ ...check, found: visible(check.found) }));
}

function node(): Check {
  const { engines } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { engines: { node: string } };
  const least = engines.node.replace(/^\D+/, '');
  const found = `${process.versions.node}, ${process.platform} ${process.arch}`;
  return needed(
    'Node',
    !isOlder(process.versions.node, least),
    found,
    `runs everything; ${least} or later`,
    `install Node ${least} or later`,
  );
}

const SHAPE: Shape = { obsDim: 4, hidden: [8], actions: 2, gaussian: false, separate: false };

/** Both modules of machine code, compiled and used: the kernels against the plain definition, and a world that needs a solver. */
function arithmetic(): Check {
  const purpose = 'WebAssembly with SIMD, and memory for it: what trains and corrects';
  const remedy = 'free memory, lift ulimit -v, or take a newer processor or Node';
  try {
    const params = Float64Array.from({ length: size(SHAPE) }, (_, i) => ((37 * i) % 101) / 101 - 0.5);
    const [fast, plain] = (['wasm', 'reference'] as const).map((name) => {
      const network = makeEngine(name).network(SHAPE, 1);
      network.set(Float64Array.from(params));
      const head = network.forward(Float64Array.of(0.1, -0.2, 0.3, -0.4), 1);
      const values = [head.logits[0] ?? Number.NaN, head.logits[1] ?? Number.NaN, head.value[0] ?? Number.NaN];
      network.free();
      return values;
    });
    const apart = Math.max(...(fast ?? []).map((x, i) => Math.abs(x - (plain?.[i] ?? Number.NaN))));
    const world = makeEnv('LunarLander-v3', environment('LunarLander-v3').options.parse({}) as Record<string, unknown>, 1);
    world.reset(1);
    world.step();
    return needed('engine', apart < 1e-5, `self-test: wasm within ${apart.toExponential(0)} of the definition`, purpose, remedy);
  } catch (error) {
    return needed('engine', false, `self-test failed: ${(error as Error).message}`, purpose, remedy);
  }
}

function cores(place: Place): Check {
  const [seen, quota] = [availableParallelism(), groupCores(place)];
  const purpose = 'spc run uses as many threads';
  if (quota === null || quota >= seen) return needed('cores', true, String(seen), purpose, '');
  const threads = Math.max(1, Math.floor(quota));
  return needed('cores', true, `${seen}, of which a control group allows ${quota.toFixed(1)}: --threads ${threads}`, purpose, '');
}

function memory(place: Place): Check {
  const group = groupMemory(place);
  const total = Math.min(totalmem(), group ?? Number.POSITIVE_INFINITY);
  const free = Math.min(freemem(), total);
  const limited = group !== null && group < totalmem() ? ', a limit of the control group' : `, ${inBytes(free)} free`;
  const remedy = `give it ${inBytes(LEAST_MEMORY)} or more`;
  return needed('memory', total >= LEAST_MEMORY, `${inBytes(total)}${limited}`, 'about 150 MB per process, up to 700 per job', remedy);
}

/** Said only where there is a limit: each network reserves 10 GB of addresses, of which it uses little. */
function addresses(place: Place): Check[] {
  const limit = limitOf('Max address space', place);
  if (limit === null || limit === undefined) return [];
  const remedy = 'ulimit -v unlimited; limit memory by a control group, or limits.memoryMb of a sweep';
  const found = `limited to ${inBytes(limit)}`;
  return [needed('addresses', limit >= 500 * GB, found, 'every network reserves 10 GB of them, and uses little', remedy)];
}

function files(place: Place): Check {
  const limit = limitOf('Max open files', place);
  const found = limit === null ? 'unlimited' : limit === undefined ? 'unknown here' : String(limit);
  const ok = limit === null || limit === undefined || limit >= FEWEST_FILES;
  return needed('open files', ok, found, `${FEWEST_FILES} or more`, 'ulimit -n 1024');
}

function disk(results: string): Check {
  const { at, free, writable } = diskAt(results);
  const enough = free === null || free >= LEAST_DISK;
  const found = `${free === null ? 'unknown' : inBytes(free)} free at ${at}${writable ? '' : ', which cannot be written'}`;
  const remedy = writable ? 'make room' : 'take another folder with --results';
  return needed('disk', enough && writable, found, `for ${results}: about 20 kB a trial`, remedy);
}

const SILENT = `but it failed, or did not answer within ${PATIENCE_MS / 1000} s`;

async function program(name: string, file: string, args: readonly string[], place: Place, purpose: string): Promise<Check> {
  const path = findProgram([file], place);
  if (path === null) return optional(name, null, purpose, `install ${name}`);
  const said = await ask(path, args, PATIENCE_MS);
  return optional(name, said === null ? `${path}, ${SILENT}` : `${said.replace(/^git version /, '').split('\n', 1)[0]}`, purpose, '');
}

const npm = (place: Place): Promise<Check> => program('npm', 'npm', ['--version'], place, 'installs and updates spc; a run needs none');

async function server(place: Place): Promise<Check> {
  const purpose = 'a broker, for work on several machines';
  const version = async (path: string): Promise<string> => {
    const said = (await ask(path, ['--version'], PATIENCE_MS)) ?? '';
    const [, found] = said.match(/nats-server: v(\S+)/) ?? [];
    if (found === undefined) throw new Error(`${path}: no version within ${PATIENCE_MS / 1000} s`);
    return found;
  };
  try {
    const found = await findServer(waysHere(place.env), version);
    return optional('nats-server', `${found.version}, ${found.path}`, purpose, '');
  } catch (error) {
    if (place.env['SPC_NATS_SERVER'])
      return {
        ...optional('nats-server', null, purpose, 'unset it, or set it to a nats-server'),
        found: (error as Error).message.split('\n', 1)[0] ?? '',
      };
    return optional('nats-server', null, purpose, 'spc serve fetches one when it first starts');
  }
}

/** Metadata only: to import these would take seconds. */
const PYTHON = `
import sys
from importlib import metadata
def v(name):
    try: return metadata.version(name)
    except Exception: return ''
print('.'.join(map(str, sys.version_info[:3])), v('gymnasium') or '-', v('stable-baselines3') or '-')
`;

function python(place: Place): Promise<Check>[] {
  const path = findProgram(['python3', 'python'], place);
  const asked = path === null ? Promise.resolve(null) : ask(path, ['-c', PYTHON], PATIENCE_MS);
  const at = async (i: number): Promise<string | null> => {
    const found = (await asked)?.split(/\s+/)[i];
    return found === undefined || found === '-' ? null : found;
  };
  const peers = 'pip install -r bench/peers/requirements.txt';
  return [
    at(0).then((version) => {
      const found = path !== null && version === null ? `${path}, ${SILENT}` : version && `${version}, ${path}`;
      return optional('Python', found, 'for comparisons only: no run needs it', 'install Python 3');
    }),
    at(1).then((version) => optional('gymnasium', version, 'our worlds against the originals: npm run conformance, npm run bench', peers)),
    at(2).then((version) => optional('stable-baselines3', version, 'speed side by side: npm run bench', peers)),
  ];
}

function tensorFlow(name: 'tfjs' | 'tfjs-cpu'): Check {
  const purpose = name === 'tfjs' ? 'engine: tfjs, TensorFlow with its native library' : 'engine: tfjs-cpu, TensorFlow in plain JavaScript';
  const label = name === 'tfjs' ? 'TensorFlow' : 'TensorFlow.js';
  try {
    const lock = name === 'tfjs' && !findBinding().locked ? '; one thread only: npm run tfjs:native makes it fit for more' : '';
    return optional(label, `${tensorFlowVersion(name)}${lock}`, purpose, '');
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    return optional(label, null, purpose, REMEDIES[name]);
  }
}

const BROWSERS = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome', 'microsoft-edge', 'msedge'];

function browser(place: Place): Check {
  const { env } = place;
  const named = ['CHROME_PATH', 'PUPPETEER_EXECUTABLE_PATH'].flatMap((name) => env[name] || []);
  const elsewhere = [
    ...named,
    ...['/Applications', join(homedir(), 'Applications')].flatMap((folder) =>
      ['Google Chrome', 'Chromium', 'Microsoft Edge'].map((app) => join(folder, `${app}.app/Contents/MacOS/${app}`)),
    ),
    ...['PROGRAMFILES', 'PROGRAMFILES(X86)', 'LOCALAPPDATA'].flatMap((name) =>
      env[name] ? [join(env[name], 'Google/Chrome/Application/chrome.exe')] : [],
    ),
  ];
  const found = named.find((path) => existsSync(path)) ?? findProgram(BROWSERS, place, elsewhere);
  return optional('browser', found, 'to look at pictures and pages; no command needs it', 'install Chromium or Chrome');
}

function terminal(): Check {
  const { isTTY, columns } = process.stdout;
  return optional(
    'terminal',
    isTTY ? `${columns} columns` : 'none: output goes to a file or a pipe',
    `tables are ${WIDTH} columns wide`,
    '',
  );
}

const NAME = 18;

/** A line for each, its purpose behind it or below it. */
export function printChecks(checks: readonly Check[]): string {
  const lines = checks.flatMap(({ name, state, found, purpose, remedy }) => {
    const head = `${state.padEnd(7)} ${name.padEnd(NAME)}`;
    const indent = ' '.repeat(head.length + 1);
    const instead = `${state === 'bad' ? 'remedy' : 'to get it'}: ${remedy}`;
    const text = remedy === undefined ? `${found} (${purpose})` : `${found}; for: ${purpose}; ${instead}`;
    return fold(text, WIDTH - indent.length).map((line, i) => `${i === 0 ? `${head} ` : indent}${line}`);
  });
  const bad = checks.filter(({ state }) => state === 'bad').map(({ name }) => name);
  const verdict = bad.length === 0 ? 'A run has all it needs here.' : `A run would have trouble here: ${bad.join(', ')}.`;
  return `${[...lines, '', verdict].join('\n')}\n`;
}

function fold(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const longer = `${lines.at(-1)} ${word}`;
    if (lines.length > 0 && longer.length <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

async function doctor({ results, json }: DoctorArguments): Promise<void> {
  const checks = await examine(results);
  const isWell = checks.every(({ state }) => state !== 'bad');
  process.stdout.write(json ? `${JSON.stringify({ version: 1, ok: isWell, checks }, null, 2)}\n` : printChecks(checks));
  if (!isWell) process.exitCode = EXIT_BAD;
}

/** `spc doctor`: exit codes 0; 1 where something is not as a run needs it. */
export const doctorCommand: CommandModule<object, DoctorArguments> = {
  command: 'doctor',
  describe: 'say what this machine has, what each is for, and what a run would miss',
  builder: (yargs) =>
    yargs
      .option('results', { type: 'string', default: RESULTS, requiresArg: true, describe: 'where results would go' })
      .option('json', { type: 'boolean', default: false, describe: 'for programs' })
      .epilogue(
        'Asks nobody on a network, and waits at most two seconds. Exit codes: 0; 1 something that a run needs is not as it should be.',
      ),
  handler: doctor,
};
