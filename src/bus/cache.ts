import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';

type Environment = Readonly<Record<string, string | undefined>>;

/** Where this user keeps what was fetched or built once, and could be again. */
export function cacheFolder(what: string, env: Environment = process.env): string {
  const own = { darwin: join(homedir(), 'Library', 'Caches'), win32: env['LOCALAPPDATA'] }[process.platform as string];
  return join(env['XDG_CACHE_HOME'] || own || join(homedir(), '.cache'), 'safe-policy-correction', what);
}

/** SHA-256 of a file. */
export async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  return hash.digest('hex');
}
