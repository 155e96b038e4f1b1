import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { noServer, server } from '../bus/nats/servers.ts';
import { until } from '../cli/spc.ts';
import { env } from '../tools/npm.ts';
import { compose, context, stages, words } from './files.ts';

const images = stages();
const steps = (name: string, keyword: string): string[] =>
  images.find((image) => image.name === name)!.steps.flatMap((step) => (step.keyword === keyword ? [step.text] : []));
const NODE = { uid: 1000, gid: 1000 };
const isRoot = process.getuid?.() === 0;

const TINY = `version: 1
name: tiny
seeds: 1
acceptance: report
ppo: { totalTimesteps: 20000, numEnvs: 8 }
axes: { scenario: [cartpole/angle], strategy: [none, tsf] }
`;

/** What the image is, without a runtime: its steps in folders, its user, and the folders that are mounted. */
describe.skipIf(noServer)('the steps of deploy/Containerfile, by hand', { timeout: 600_000 }, () => {
  const root = mkdtempSync(join(tmpdir(), 'spc-image-'));
  const at = (path: string): string => join(root, path);
  const children = new Set<ChildProcess>();

  beforeAll(() => {
    chmodSync(root, 0o755);
    if (isRoot) chmodSync(dirname(root), 0o711); // of this test run; the user of the image passes through
    for (const path of context()) {
      mkdirSync(dirname(at(join('src', path))), { recursive: true });
      cpSync(path, at(join('src', path)));
    }
    for (const run of steps('build', 'RUN'))
      execFileSync('sh', ['-c', run], { cwd: at('src'), env, stdio: ['ignore', 'ignore', 'inherit'] });
    mkdirSync(at('spc'));
    for (const copy of steps('base', 'COPY')) {
      const [, source = '', target = ''] = copy.split(' ');
      cpSync(at(source), join(at('spc'), target === './' ? source.slice('/src/'.length) : target), { recursive: true });
    }
    if (typeof server !== 'string') cpSync(server.path, at('nats-server')); // the image has it from another
    rmSync(at('src'), { recursive: true });
    for (const folder of ['keys', 'store', 'results']) {
      mkdirSync(at(folder), { mode: 0o700 });
      if (isRoot) chownSync(at(folder), NODE.uid, NODE.gid);
    }
  }, 600_000);
  afterAll(() => {
    for (const child of children) child.kill('SIGKILL');
  });

  /** A service of the compose file, with the paths of its container here, and where the broker is. */
  function up(argv: readonly string[], port: number): { child: ChildProcess; text: () => string; done: Promise<number | null> } {
    const here = (word: string): string =>
      word
        .replace(/^\/run\/secrets\/(.+)$/, (_, secret: string) => at(join('keys', `${secret}.creds`)))
        .replace(/^\/(keys|store|results)/, (_, folder: string) => at(folder))
        .replace('0.0.0.0:4222', `127.0.0.1:${port}`)
        .replace(/^broker$/, '127.0.0.1'); // the name of the service, which only a network of containers knows
    const [node = '', entry = ''] = steps('base', 'ENTRYPOINT').flatMap(words);
    const child = spawn(node === 'node' ? process.execPath : node, [at(entry), ...argv.map(here)], {
      ...(isRoot && NODE),
      cwd: at('spc'),
      env: { PATH: process.env['PATH'], HOME: '/nonexistent', SPC_NATS_SERVER: at('nats-server') },
    });
    children.add(child);
    let text = '';
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (some: Buffer) => (text += String(some)));
    return { child, text: () => text, done: new Promise((resolve) => child.on('close', (code) => resolve(code))) };
  }

  it('brings what a run needs and nothing of what only a build does', () => {
    expect(existsSync(at('spc/node_modules/zod'))).toBe(true);
    expect(['typescript', 'vitest', '@tensorflow'].filter((name) => existsSync(at(`spc/node_modules/${name}`)))).toEqual([]);
  });

  it('a broker, a worker and a coordinator of the compose file run a sweep as the user 1000', async () => {
    const port = 20_000 + (process.pid % 10_000);
    const { services } = compose;
    const broker = up(services['broker']!.command, port);
    await until(
      'the broker says how to join, or ends',
      () => /--creds worker\.creds\n/.test(broker.text()) || broker.child.exitCode !== null,
    );
    expect(broker.text()).toContain('spc worker --creds worker.creds');
    writeFileSync(at('results/tiny.yaml'), TINY);
    const worker = up(services['worker-1']!.command, port);
    const argv = services['coordinator']!.command.map((word) => word.replace('sweeps/quick.yaml', at('results/tiny.yaml')));
    const run = up(argv, port);
    expect(await run.done, run.text() + worker.text()).toBe(0);
    expect(run.text()).toContain('RSI');
    expect(readFileSync(at('results/tiny/trials.jsonl'), 'utf8').trimEnd().split('\n')).toHaveLength(2);
    worker.child.kill('SIGTERM');
    expect(await worker.done).toBe(143);
    broker.child.kill('SIGTERM');
    expect(await broker.done).toBe(0);
  });
});

/** Docker or podman, where one of them answers. */
const runtime = ['docker', 'podman'].find((name) => spawnSync(name, ['info'], { stdio: 'ignore', timeout: 20_000 }).status === 0);
if (runtime === undefined) process.stderr.write('SKIPPED: building the images; no docker and no podman answers\n');

describe.skipIf(runtime === undefined)('a container runtime', { timeout: 1_200_000 }, () => {
  const call = (...args: string[]): string => execFileSync(runtime ?? '', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });

  it('builds both images, and they start as the user node', () => {
    for (const target of ['spc', 'broker'])
      call('build', '-f', 'deploy/Containerfile', '--target', target, '-t', `spc-test-${target}`, '.');
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    expect(call('run', '--rm', '--read-only', '--tmpfs', '/tmp', '--cap-drop', 'ALL', 'spc-test-spc', '--version')).toBe(`${version}\n`);
    expect(call('run', '--rm', '--entrypoint', 'id', 'spc-test-broker', '-un')).toBe('node\n');
    expect(call('run', '--rm', '--entrypoint', '/usr/local/bin/nats-server', 'spc-test-broker', '--version')).toMatch(/v2\.15/);
  });
});
