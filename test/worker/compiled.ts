/**
 * The compiled project: the executor forks files of it. `npm test` builds first.
 * Imported by a computed name, so that the type checker does not look for it; its types are those of the sources.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = new URL('../../dist/', import.meta.url);
if (!existsSync(fileURLToPath(new URL('worker/executor/executor.js', root))))
  throw new Error('expected the compiled project in dist: npm run build');

const load = async <T>(path: string): Promise<T> => (await import(new URL(path, root).href)) as T;

export const { ExecutorPool } = await load<typeof import('../../src/worker/executor/pool.ts')>('worker/executor/pool.js');

export const { numericsOf } = await load<typeof import('../../src/worker/engines.ts')>('worker/engines.js');

export const fakeThread = new URL('./fake/thread.mjs', import.meta.url).href;
export const brokenThread = new URL('./fake/broken.mjs', import.meta.url).href;
export const sleepyThread = new URL('./fake/sleepy.mjs', import.meta.url).href;
export const lackingThread = new URL('./fake/lacking.mjs', import.meta.url).href;
export const lazyThread = new URL('./fake/lazy.mjs', import.meta.url).href;
