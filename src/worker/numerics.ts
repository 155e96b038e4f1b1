import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Numerics } from '../contract/numerics.ts';

/** What trains a base; what corrects and audits comes on top of it. Folders, or single files. */
const BASE = ['math', 'envs', 'ppo', 'worker/jobs.js'];
const TRIAL = ['correction', 'audit'];

/**
 * Digests of the compiled files (without comments: the compiler strips them) and of the engine's version; `more` names what
 * its engine adds to what trains. `root` is the folder of the compiled project. Throws where there is none: sources are not what runs.
 */
export function numerics(
  engineVersion: string,
  more: readonly string[] = [],
  root = fileURLToPath(new URL('../', import.meta.url)),
): Numerics {
  const base = digests(root, [...BASE, ...more]);
  const trial = digests(root, TRIAL);
  if (Object.keys(base).length === 0)
    throw new Error(`numerics: expected the compiled project, found nothing of it beside this module; build first`);
  const baseDigest = sha256([engineVersion, ...lines(base)]);
  const trialDigest = sha256([baseDigest, ...lines(trial)]);
  return { base: baseDigest, trial: trialDigest, all: trialDigest, engine: engineVersion, files: { ...base, ...trial } };
}

function digests(root: string, parts: readonly string[]): Record<string, string> {
  const paths = parts.flatMap((part) => compiled(join(root, part))).map((path) => relative(root, path));
  const named = paths.map((path) => [path.split(sep).join('/'), sha256([readFileSync(join(root, path), 'utf8')])] as const);
  return Object.fromEntries(named.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function compiled(path: string): string[] {
  if (!existsSync(path)) return [];
  if (path.endsWith('.js')) return [path];
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.js'))
    .map((name) => join(path, name));
}

const lines = (files: Readonly<Record<string, string>>): string[] => Object.entries(files).map(([path, digest]) => `${path} ${digest}`);
const sha256 = (texts: readonly string[]): string => createHash('sha256').update(texts.join('\n')).digest('hex');
