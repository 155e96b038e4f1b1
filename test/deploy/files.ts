import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import dockerignore from '@balena/dockerignore';
import { DockerfileParser } from 'dockerfile-ast';
import { parse } from 'yaml';

/** A module of the older kind: what its types call its default is itself. */
const ignoring = dockerignore as unknown as typeof dockerignore.default;

export interface Stage {
  readonly name: string;
  readonly from: string;
  readonly steps: readonly { readonly keyword: string; readonly text: string }[];
}

const containerfile = readFileSync('deploy/Containerfile', 'utf8');

/** Keyword and arguments, by stage. */
export function stages(): Stage[] {
  const found: { name: string; from: string; steps: Stage['steps'][number][] }[] = [];
  for (const instruction of DockerfileParser.parse(containerfile).getInstructions()) {
    const keyword = instruction.getKeyword();
    const text = instruction.toString().slice(keyword.length).trim();
    if (keyword === 'FROM') {
      const [from = '', , name = from] = instruction.getArguments().map((one) => one.getValue());
      found.push({ from, name, steps: [] });
    } else found.at(-1)?.steps.push({ keyword, text });
  }
  return found;
}

/** The words of `["a", "b"]`. */
export const words = (text: string): string[] => JSON.parse(text) as string[];

/** The files of the repository that a build gets to see; `more`: if these were there, too. */
export function context(more: readonly string[] = []): string[] {
  const ignored = ignoring().add(readFileSync('.dockerignore', 'utf8'));
  const all = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z'], {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  return [...all.split('\0'), ...more].filter((path) => path !== '' && !ignored.ignores(path));
}

interface Service {
  readonly image: string;
  readonly build: { readonly context: string; readonly dockerfile: string; readonly target: string };
  readonly command: readonly string[];
  readonly volumes?: readonly string[];
  readonly secrets?: readonly string[];
  readonly stop_grace_period?: string;
  readonly read_only: boolean;
  readonly cap_drop: readonly string[];
  readonly healthcheck?: { readonly test: readonly string[] };
}

export const compose = parse(readFileSync('deploy/compose.yaml', 'utf8'), { merge: true }) as {
  readonly services: Readonly<Record<string, Service>>;
  readonly secrets: Readonly<Record<string, { readonly file: string }>>;
  readonly volumes: Readonly<Record<string, object>>;
};
