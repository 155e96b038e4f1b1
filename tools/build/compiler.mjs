// Starts a compiler, and says in one line why it did not do.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { root } from './stamp.mjs';

/** What the author of a change must act on: a line, and no stack. */
export class Refused extends Error {}

const require = createRequire(import.meta.url);

/** Its words go to stderr: stdout is that of the command for whose sake the build is made. */
export async function compiler(packageName, script, args, signal) {
  let folder;
  try {
    folder = dirname(require.resolve(`${packageName}/package.json`));
  } catch {
    throw new Refused(
      `expected ${packageName}, which compiles the sources, in node_modules, found none; npm ci, with development packages`,
    );
  }
  const child = spawn(process.execPath, [join(folder, script), ...args], {
    cwd: root,
    stdio: ['ignore', 2, 2],
    signal,
    killSignal: 'SIGKILL',
  });
  const [code, killed] = await once(child, 'close');
  if (code !== 0) throw new Refused(`${packageName} ended with ${killed ?? `exit code ${code}`}; what it says stands above`);
}
