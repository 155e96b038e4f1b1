import { existsSync, readdirSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { either, nearest } from '../contract/problems.ts';

const SWEEPS = 'sweeps';
const RESULTS = 'results';
const isYaml = (name: string): boolean => /\.ya?ml$/i.test(name);

function yamlIn(folder: string): string[] {
  try {
    return readdirSync(folder).filter(isYaml).sort();
  } catch {
    return [];
  }
}

/** A sweep of that name among those that come with spc: a package lies where nobody looks. */
function shipped(name: string): string[] {
  const path = fileURLToPath(new URL(`../../${SWEEPS}/${encodeURIComponent(name)}.yaml`, import.meta.url));
  return existsSync(path) ? [path] : [];
}

/** Where there is no sweep file at `path`, which one was probably meant, as a remedy. */
export function sweepNear(path: string): string | undefined {
  const stem = isYaml(path) ? path.slice(0, -extname(path).length) : path;
  const name = basename(stem);
  const sure = [`${stem}.yaml`, `${stem}.yml`, join(SWEEPS, `${name}.yaml`), join(path, 'sweep.yaml'), join(RESULTS, path, 'sweep.yaml')];
  const there = [...new Set(sure.filter((file) => path !== '' && file !== path && existsSync(file)))];
  if (there.length > 0) return `did you mean ${either(there)}?`;
  const [own] = shipped(name);
  if (own !== undefined) return `did you mean ${own}?`;
  const close = [...new Set([dirname(path), SWEEPS])].flatMap((folder) => {
    const meant = nearest(basename(path), yamlIn(folder)) ?? nearest(`${name}.yaml`, yamlIn(folder));
    return meant === undefined ? [] : [join(folder, meant)];
  });
  if (close.length > 0) return `did you mean ${close[0]}?`;
  const all = dirname(path) === '.' ? yamlIn(SWEEPS) : [];
  return all.length > 0 ? `there are ${all.map((file) => join(SWEEPS, file)).join(', ')}` : undefined;
}

/** Which sweep file a folder stands for, as a remedy. */
export function sweepOf(folder: string): string {
  const frozen = join(folder, 'sweep.yaml');
  const own = join(SWEEPS, `${basename(folder)}.yaml`);
  if (existsSync(frozen)) return `did you mean ${existsSync(own) ? `${own}, or ` : ''}${frozen}, its copy with the results?`;
  const files = yamlIn(folder).map((file) => join(folder, file));
  if (files.length === 1) return `did you mean ${files[0]}?`;
  return files.length > 0 ? `name a file in it: ${files.join(', ')}` : 'name a file';
}
