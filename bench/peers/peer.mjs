// Other people's software in a virtual environment of its own (bench/.venv, made at the first use). Its absence is said aloud, never an error.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const venv = join(dirname(here), '.venv');
const bin = process.platform === 'win32' ? 'Scripts' : 'bin';
const python = join(venv, bin, 'python');
const requirements = join(here, 'requirements.txt');
/** A copy of the requirements that are installed: written last. */
const installed = join(venv, 'installed.txt');

/**
 * Starts a script in that environment, and makes it first if need be.
 * Returns { peer: { about, ask(line), stop() } }, or { absent: the reason }.
 */
export async function startPeer(script, say) {
  const problem = install(say);
  return problem ? { absent: problem } : connectPeer(python, peerScript(script));
}

/** The interpreter of that environment, if it has been made. */
export const installedPython = () => (existsSync(installed) ? python : undefined);

/** Arguments by which Python runs a script of this folder. */
export const peerScript = (script) => ['-W', 'ignore', join(here, script)];

/** The same with any command: it answers every line of its stdin with one line of JSON, after a first line that says what it is. */
export async function connectPeer(command, args) {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  let complaints = '';
  child.stderr.on('data', (text) => {
    complaints = `${complaints}${text}`.slice(-2000);
  });
  child.stdin.on('error', () => {}); // it died; `answer` says so
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async () => {
    const { value, done } = await lines.next();
    if (!done) return JSON.parse(value);
    throw new Error(`${args.at(-1)} ended without an answer; the last that it said: ${complaints.trim().split('\n').at(-1) || 'nothing'}`);
  };
  const ask = (line) => {
    child.stdin.write(`${line}\n`);
    return answer();
  };
  const started = await Promise.race([
    answer().then(
      (about) => ({ about }),
      (error) => ({ error }),
    ),
    new Promise((resolve) => child.once('error', (error) => resolve({ error }))),
  ]);
  if (started.error) return { absent: started.error.message };
  return { peer: { about: started.about, ask, stop: () => child.stdin.end() } };
}

/** Why there is no such environment; undefined when there is. */
function install(say) {
  const wanted = readFileSync(requirements, 'utf8');
  if (existsSync(installed) && readFileSync(installed, 'utf8') === wanted) return undefined;
  const run = (command, ...args) => {
    const { status, error, stderr } = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 28 });
    if (status === 0) return undefined;
    return `${[command, ...args].join(' ')}: ${error?.message ?? (stderr.trim().split('\n').at(-1) || `exit code ${status}`)}`;
  };
  const noPython = run('python3', '--version');
  if (noPython) return noPython;
  say(`installing ${wanted.match(/^[^#\s].*/gm)?.join(', ')} into bench/.venv; once, some minutes`);
  const problem =
    run('python3', '-m', 'venv', '--clear', venv) ??
    run(python, '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', requirements);
  if (!problem) writeFileSync(installed, wanted);
  return problem;
}
