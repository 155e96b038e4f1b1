import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const TOOL = fileURLToPath(new URL('../../tools/tfjs-native.mjs', import.meta.url));

export interface Outcome {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** `npm run tfjs:native` in a process of its own; killed as soon as it has printed `killAt`. */
export function native(args: readonly string[], env: Readonly<Record<string, string>> = {}, killAt?: string): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [TOOL, ...args], { env: { ...process.env, ...env } });
    const said = { out: '', err: '' };
    child.stdout.on('data', (bytes: Buffer) => {
      said.out += bytes.toString();
      if (killAt !== undefined && said.out.includes(killAt)) child.kill('SIGKILL');
    });
    child.stderr.on('data', (bytes: Buffer) => {
      said.err += bytes.toString();
    });
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, ...said }));
  });
}
