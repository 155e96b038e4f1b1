import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { judgeArguments } from '../../src/cli/arguments.ts';
import { runCommand } from '../../src/cli/run.ts';
import { serveCommand } from '../../src/cli/serve.ts';
import { type Command, nameOf, shapeOf } from '../../src/cli/shape.ts';
import { statusCommand } from '../../src/cli/status.ts';
import { workerCommand } from '../../src/cli/worker.ts';
import { limitsSchema } from '../../src/contract/limits.ts';
import { compose, context, stages, words } from './files.ts';

const COMMANDS: readonly Command[] = [runCommand(), serveCommand, statusCommand, workerCommand()];

/** Throws what the command line would say of it. */
function judged(argv: readonly string[]): void {
  const [name, ...rest] = argv;
  const command = COMMANDS.find((one) => nameOf(one) === name);
  if (!command) throw new Error(`${name}: no command`);
  judgeArguments(rest, shapeOf(command), COMMANDS.map(shapeOf));
}
const option = (argv: readonly string[], name: string): string => argv[argv.indexOf(name) + 1] ?? '';
const seconds = (text: string): number => (limitsSchema.parse({ wall: text }).wallMs ?? 0) / 1000;

const images = stages();
const image = (name: string) => images.find((stage) => stage.name === name);
const steps = (name: string, keyword: string) => image(name)!.steps.filter((step) => step.keyword === keyword);

describe('deploy/Containerfile', () => {
  it('has images of fixed versions and stages that are there, and ends as a user without rights', () => {
    const names = images.map(({ name }) => name);
    for (const { from } of images) expect(names.includes(from) || /:\d+\.\d+\.\d+(-|$)/.test(from), from).toBe(true);
    expect(names).toEqual(['build', 'base', 'nats', 'broker', 'spc']);
    for (const name of ['broker', 'spc']) expect([image(name)!.from, steps(name, 'USER')]).toEqual(['base', []]);
    expect(steps('base', 'USER').map(({ text }) => text)).toEqual(['node']);
  });

  it('copies what is there: of the repository, of the build, of the image with the server', () => {
    const there = new Set(context().map((path) => path.split('/')[0]));
    for (const needed of ['package.json', 'package-lock.json', '.npmrc', 'src', 'tools', 'sweeps']) expect(there).toContain(needed);
    for (const unwanted of ['dist', 'node_modules', 'results', '.git', 'broker']) expect(there).not.toContain(unwanted);
    for (const { text } of steps('base', 'COPY')) {
      const [from, source = ''] = text.split(' ');
      expect(from).toBe('--from=build');
      const path = source.replace('/src/', '');
      expect(existsSync(path) && (there.has(path) || ['node_modules', 'dist'].includes(path)), source).toBe(true);
    }
    const [server] = steps('broker', 'COPY').map(({ text }) => text.split(' '));
    expect(server).toEqual(['--from=nats', '/nats-server', '/usr/local/bin/nats-server']);
    expect(steps('broker', 'ENV').map(({ text }) => text)).toEqual(['SPC_NATS_SERVER=/usr/local/bin/nats-server']);
  });

  it('starts without a shell what spc understands', () => {
    const [entry] = steps('base', 'ENTRYPOINT').map(({ text }) => words(text));
    expect(entry).toEqual(['node', '/spc/dist/cli/cli.js']);
    for (const name of ['broker', 'spc']) for (const { text } of steps(name, 'CMD')) expect(() => judged(words(text))).not.toThrow();
    expect(() => judged(['worker', '--cred', 'x'])).toThrow(); // so that the line above can fail
  });

  it('sends no secret into a build', () => {
    for (const secret of ['broker/worker.creds', 'deploy/keys/authority.pem', 'sub/folder/coordinator.creds', 'results/x/trials.jsonl'])
      expect(ignoredBy(secret), secret).toBe(true);
    expect(ignoredBy('src/contract/credentials.ts')).toBe(false);
  });
});

/** As if it were a file of the repository. */
const ignoredBy = (path: string): boolean => !context([path]).includes(path);

describe('deploy/compose.yaml', () => {
  const services = Object.entries(compose.services);

  it.each(services)('%s is built from what is there, and starts what spc understands', (_, { build, command, healthcheck }) => {
    expect(existsSync(join('deploy', build.context, build.dockerfile))).toBe(true);
    expect(image(build.target)).toBeDefined();
    expect(() => judged(command)).not.toThrow();
    if (healthcheck) expect(() => judged(healthcheck.test.slice(3))).not.toThrow();
  });

  it.each(services)('%s has no more rights than it needs', (_, { read_only, cap_drop }) => {
    expect([read_only, cap_drop]).toEqual([true, ['ALL']]);
  });

  it('mounts named volumes where the image has folders of its user', () => {
    const owned = steps('base', 'RUN').flatMap(({ text }) => /chown node:node ((?:\/\w+ ?)+)/.exec(text)?.[1]?.trim().split(' ') ?? []);
    const mounts = services.flatMap(([, { volumes = [] }]) => volumes.map((volume) => volume.split(':') as [string, string]));
    expect(mounts.map(([, at]) => at).toSorted()).toEqual(['/keys', '/results', '/store']);
    for (const [source, at] of mounts) {
      expect(owned).toContain(at);
      expect(source.startsWith('.') || Object.hasOwn(compose.volumes, source), source).toBe(true);
    }
  });

  it('gives each service its own key, of those that the broker makes', () => {
    const { broker } = compose.services;
    const count = Number(option(broker!.command, '--workers'));
    const made = ['coordinator', 'viewer', 'worker', ...Array.from({ length: count }, (_, i) => `worker-${i + 1}`)];
    for (const [name, { file }] of Object.entries(compose.secrets)) {
      expect(file).toBe(`./keys/${name}.creds`);
      expect(made).toContain(name);
    }
    const used = services.flatMap(([, { secrets = [] }]) => secrets);
    expect(used.toSorted()).toEqual(Object.keys(compose.secrets).toSorted()); // nobody sees another's
    for (const [, { secrets = [], command }] of services)
      for (const secret of secrets) expect(option(command, '--creds')).toBe(`/run/secrets/${secret}`);
    expect(option(broker!.command, '--host')).toBe('broker'); // the name of the service, which is where others find it
  });

  it('waits longer for a worker to end than the worker does', () => {
    for (const [, { command, stop_grace_period = '10s' }] of services)
      if (command[0] === 'worker') expect(seconds(stop_grace_period)).toBeGreaterThan(seconds(option(command, '--grace')));
  });
});

describe('docs/containers.md', () => {
  it('names services, secrets and files that are there', () => {
    const page = readFileSync('docs/containers.md', 'utf8');
    const lines = [...page.matchAll(/docker compose (?:up --build --detach|run --rm) ([\w -]+?)(?: run .*| +#.*|$)/gm)];
    expect(lines.length).toBe(3);
    for (const [, named = ''] of lines)
      for (const name of named.trim().split(' ')) expect(Object.keys(compose.services), name).toContain(name);
    const [, ran = ''] = /docker compose run --rm coordinator (.*)/.exec(page) ?? [];
    expect(() => judged(ran.split(' '))).not.toThrow();
    expect(execFileSync('git', ['check-ignore', 'deploy/keys/worker.creds'], { encoding: 'utf8' }).trim()).toBe('deploy/keys/worker.creds');
  });
});
